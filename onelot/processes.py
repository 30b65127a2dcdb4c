"""The one list of running loops, by name, and how long each may be silent before the city says that it is not ready."""

from collections.abc import Awaitable, Callable
from functools import partial

from prometheus_client import Gauge

from citymap.history import keep_moments
from foundation import journal
from foundation.tasks import Supervisor
from onelot.forget_old import keep_forgetting
from onelot.wiring import City
from parking.payments.poll_topups import poll_topups
from parking.sessions.follow import conclude_stays
from services.cases.watch_timers import watch_timers

PART = Gauge("onelot_part", "1 for each part of the city that this process runs", ["part"])

Round = Callable[[], None]
Loop = Callable[[Round], Awaitable[None]]


def start_all(city: City, supervisor: Supervisor) -> None:
    """Gateway, followers, timers, outgoing calls and the board, as far as they are this process's, each with its bound in seconds."""
    for part in city.parts:
        PART.labels(part).set(1)
    loops = {"gateway": _gateway, "work": _work, "web": _web}
    for name, loop, age_seconds_max in [*_every(city), *(one for part, of in loops.items() if part in city.parts for one in of(city))]:
        supervisor.start(name, loop, age_seconds_max=age_seconds_max)


def _every(city: City) -> list[tuple[str, Loop, float]]:
    messages: list[tuple[str, Loop, float]] = [("identity.messages", city.sender.send_messages, 30.0)]
    return [
        ("bell.publish", city.bell.publish, 10.0),
        ("bell.hear", city.bell.hear, 15.0),
        *(messages if city.parts & {"work", "web"} else []),
    ]


def _gateway(city: City) -> list[tuple[str, Loop, float]]:
    return [
        ("gateway.ingest", city.ingest.take, 10.0),
        ("gateway.registry", city.registry.follow, 10.0),
        ("gateway.presence", city.ingest.keep_presence, 10.0),
        ("gateway.commands", partial(city.relay.obey, city.listener), 15.0),
    ]


def _work(city: City) -> list[tuple[str, Loop, float]]:
    followers: list[tuple[str, Loop, float]] = [
        (follower.name, partial(journal.follow, city.database, follower), 15.0) for follower in city.followers
    ]
    return [
        *followers,
        ("journal.appending", partial(journal.watch_appending, city.database), 3.0),
        ("journal.partitions", partial(journal.keep_partitions, city.database, city.clock), 60.0),
        ("parking.conclude", partial(conclude_stays, city.database, city.clock), 15.0),
        ("payments.poll", partial(poll_topups, city.database, city.bank, city.clock), 60.0),
        ("services.timers", partial(watch_timers, city.office), 30.0),
        ("city.forget", partial(keep_forgetting, city.database, city.clock), 60.0),
    ]


def _web(city: City) -> list[tuple[str, Loop, float]]:
    return [
        ("citymap.board", city.board.run, 10.0),
        ("citymap.fanout", city.fanout.run, 10.0),
        ("citymap.history", partial(keep_moments, city.board, city.database, city.clock), 15.0),
        ("parking.prices", city.book.follow, 10.0),
        ("services.shelf", city.office.shelf.follow, 10.0),
        ("identity.revocations", city.known.follow, 10.0),
        ("identity.sockets", city.sockets.end_those_logged_out, 10.0),
    ]
