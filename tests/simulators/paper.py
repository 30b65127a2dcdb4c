"""A platform on paper: the rules about clocks, stays and bills without wire or database, so that thousands of cities may be
tried. What is slow or comes twice on its way is thrown by dice."""

import math
import uuid
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from foundation import seal
from foundation.events import Reading
from gateway_mqtt import decode
from gateway_mqtt.decode import World
from gateway_mqtt.speakers import DeviceClock, Speaker
from parking.sessions import fold_stays, follow, model, store
from parking.sites.store import Site
from simulators.traffic import faults, judge, prices
from simulators.traffic.dice import Dice
from simulators.traffic.faults import Knobs, Trouble
from simulators.traffic.judge import Verdict, Witnesses
from simulators.traffic.life import Life
from simulators.traffic.places import Card, Place, wishes_of
from simulators.traffic.prices import Tariff
from simulators.traffic.witness import Told, Witness

SETTLED_S = 200


@dataclass(frozen=True, slots=True)
class Net:
    """How slow the way to the platform is: a mean in seconds, and a share that waits for so long."""

    seconds: float = 0.02
    stuck: float = 0.0
    stuck_seconds: float = 60.0
    reconnect: float = 0.5

    def late(self, dice: Dice) -> float:
        return dice.wait(self.stuck_seconds if dice.chance(self.stuck) else self.seconds)


REST, LOADED = Net(), Net(2.0, 0.05, 60.0, 20.0)


def cards_of(found: Sequence[Place]) -> list[Card]:
    return [
        Card(one["device"], "secret", f"onelot/1/zhengzhou/{one['site']}/{one['device']}", "127.0.0.1", 1883, one["kind"],
             tuple(one.get("lanes", ())), one.get("spots") and tuple(one["spots"]))
        for one in wishes_of(found)
    ]  # fmt: skip


def judged(
    found: Sequence[Place],
    tariffs: dict[str, Tariff],
    keys: seal.Keys,
    *,
    knobs: Knobs,
    seed: int,
    began_at: int,
    minutes: int,
    net: Net = REST,
) -> tuple[Verdict, Witness, Life, dict[str, list[str]]]:
    """A city lives for the minutes and its verdict is passed. Also answers what was refused, by device."""
    cards, end = cards_of(found), began_at + 60 * minutes
    life = Life(found, seed=seed, began_at=began_at, accounts=10)
    witness = Witness(found, cards, knobs=knobs, seed=seed, began_at=began_at, seconds=60 * minutes)
    told = [one._replace(say_at=max(one.say_at, began_at)) for one in witness.open(life.open())]
    told += [one for happening in life.until(end) for one in witness.see(happening)]
    mine: dict[int, list[Told]] = defaultdict(list)
    heard = set()
    for one in told:
        if not witness.dead(one):
            mine[one.device] += [one] * one.times
            heard.add(one.about)
    readings: list[Reading] = []
    refused: dict[str, list[str]] = defaultdict(list)
    for number, card in enumerate(cards):
        lines = spoken(
            witness.troubles[number], mine[number], Dice(seed, "net", card.device), net, began_at, end, witness.ledger, card.device
        )
        readings += _taken(card, found, keys, lines, refused)
    plates = {stay.car.plate for stay in life.stays.values()}
    told_of = _believed(readings, found, keys, end + SETTLED_S, tariffs, plates)
    name = [card.device for card in cards] + [""]
    whole = Verdict()
    for number, place in enumerate(found):
        stays = [stay for stay in life.stays.values() if stay.site == number]
        rule = tariffs[place.tariff]
        truth = judge.Truth(place.id, True, place.spots, stays, lambda came, left, rule=rule: prices.price(rule, came, left))  # type: ignore[misc]
        by = Witnesses(witness.ledger, lambda stay: name[witness.device_of(stay)], heard, witness.clones(), lambda spot: "")
        whole.add(judge.judge(truth, told_of[place.id], by))
    whole.differences = [one for one in whole.differences if one.what != "site_wrong"]  # Nobody counts on paper.
    return whole, witness, life, refused


# On the way


def spoken(
    trouble: Trouble, told: Sequence[Told], dice: Dice, net: Net, began_at: int, end: int, ledger: faults.Ledger, device: str
) -> list[tuple[float, int, str, bytes]]:
    """(received at, number of the connection, kind, payload) in order of arrival."""
    queue = sorted(told, key=lambda one: one.say_at)
    lines: list[tuple[float, int, str, bytes]] = []
    for number, (opened, closed) in enumerate(_connections(trouble, dice, net, began_at, end)):
        now = opened
        took = []
        for _ in range(12):
            late = net.late(dice)
            took.append(late)
            lines.append((now + late, number, "status", _status(trouble, now)))
            now += late
            if late < 0.15:
                break
        slow = ledger.add("slow_line", int(now), device, what=f"{math.ceil(min(took))} s") if min(took) >= 1 else None
        arrived, minute = now, now + 60
        while queue and max(queue[0].say_at, now) < closed:
            sent = max(queue[0].say_at, now)
            while minute < sent:
                arrived = max(arrived, minute + net.late(dice))
                lines.append((arrived, number, "status", _status(trouble, minute)))
                minute += 60
            arrived = max(arrived, sent + net.late(dice))
            if arrived >= closed:
                break
            one = queue.pop(0)
            if slow is not None and one.about >= 0:
                ledger.touch(slow, one.about // 2)
            body = one.body if one.kind != "spots" else b'{"seq":1,"spots":[%b]}' % one.body
            lines.append((arrived, number, one.kind, b'{"seq":1,%b' % body[1:] if one.kind == "passage" else body))
    return [line for line in lines if line[2] != "count"]


def _connections(trouble: Trouble, dice: Dice, net: Net, began_at: int, end: int) -> list[tuple[float, float]]:
    cuts = []
    if trouble.jump and trouble.jump_at < end:
        cuts.append((trouble.jump_at, trouble.jump_at + 0.3 + dice.wait(net.reconnect)))
    if trouble.offline:
        cuts.append((trouble.offline[0], min(end, trouble.offline[1]) + dice.wait(net.reconnect)))
    opened, found = began_at + dice.unit() - 5, []
    for off, on in sorted(cuts):
        if off > opened:
            found.append((opened, float(off)))
        opened = max(opened, on)
    return [*found, (opened, float("inf") if trouble.dies_at is None else float(trouble.dies_at))]


def _status(trouble: Trouble, now: float) -> bytes:
    shown = trouble.clock(int(now)) + int(now % 1 * 1000) / 1000
    return b'{"at":"%b","online":true}' % datetime.fromtimestamp(shown, UTC).isoformat(timespec="milliseconds").encode()


# At the door


def _taken(
    card: Card, found: Sequence[Place], keys: seal.Keys, lines: Iterable[tuple[float, int, str, bytes]], refused: dict[str, list[str]]
) -> list[Reading]:
    place = next(one for one in found if one.id == card.site)
    world = World(dict.fromkeys(place.spots, place.id), lambda _: card.device, keys)
    device = decode.Device(card.device, card.site, card.kind, frozenset(card.lanes or ("1",)), frozenset(card.spots or ()) or None, b"")
    readings: dict[bytes, Reading] = {}
    speaker: Speaker | None = None
    clock, held = DeviceClock(uuid.UUID(int=0)), -1
    for received, number, kind, payload in lines:
        if number != held:
            held, clock = number, clock.followed_by(uuid.UUID(int=number), datetime.fromtimestamp(received, UTC))
            speaker = speaker or Speaker(device, clock)
            speaker.clock = clock
        assert speaker is not None
        at = datetime.fromtimestamp(received, UTC)
        said = decode.decode_message(
            decode.Heard(device, world, keys.identities(device.id.encode()), decode.arrival(at), clock.offset_s, clock.doubts),
            kind,
            payload,
        )
        if said.status is not None:
            speaker.learn_clock(clock, said.status, at)
        for reading in said.readings:
            readings.setdefault(reading.id, reading)
        refused[card.device] += [one.reason for one in said.refused]
    return list(readings.values())


# In the house of stays


def _believed(
    readings: Iterable[Reading], found: Sequence[Place], keys: seal.Keys, now_s: int, tariffs: dict[str, Tariff], plates: set[str]
) -> dict[str, judge.Told]:
    known = {one.id: Site(one.id, "op", "", one.tariff, "", one.gated) for one in found}
    by_unit: dict[str, list[store.Observation]] = defaultdict(list)
    for reading in readings:
        one = follow.observation_of(reading, known, set())
        if one is not None:
            by_unit[one.unit].append(one)
    by_unit = _without_corrected(by_unit)
    sessions = [
        pair.after
        for unit, held in by_unit.items()
        for pair in fold_stays._fold_unit(unit, [one.seen for one in held], [], (held[0].site, held[0].spot), keys)
    ]
    ends, now = {one.id: one for one in fold_stays._untangled(sessions)}, datetime.fromtimestamp(now_s, UTC)
    told = {one.id: judge.Told({"occupied": 0}, [], [], {}) for one in found}
    for one in (session.concluded(ends.get(session.id), now) for session in sessions):
        rule = tariffs[known[one.site].tariff]
        text = fold_stays.text_of(one.plate_sealed, keys) if one.plate_sealed else ""
        told[one.site].sessions.append({  # type: ignore[attr-defined]
            "id": str(one.id), "site": one.site, "spot": one.spot, "plate": judge.masked(text), "entered_at": one.entered_at.isoformat(),
            "left_at": one.left_at.isoformat() if one.left_at else None, "state": one.state, "certainty": one.certainty,
            "why": sorted(one.why),
        })  # fmt: skip
        if one.state == "closed" and one.left_at is not None and one.plate_token:
            total = prices.price(rule, int(one.entered_at.timestamp()), int(one.left_at.timestamp()))
            sure = one.certainty == "sure" and not one.why & model.UNDEBITED and text in plates  # Every car's holder has a wallet.
            bill = {"session": str(one.id), "total": {"amount": total}, "paid": {"amount": total if sure else 0}, "state": "open"}
            told[one.site].bills[str(one.id)] = bill  # type: ignore[index]
    return told


def _without_corrected(by_unit: dict[str, list[store.Observation]]) -> dict[str, list[store.Observation]]:
    """As the query does: a passage that the gate has said again otherwise is left out, under whatever plate."""
    last: dict[Any, tuple[int, bytes]] = {}
    for held in by_unit.values():
        for one in held:
            if one.seen.lane:
                key = one.seen.device, one.seen.lane, one.seen.at, one.seen.what
                last[key] = max(last.get(key, (-1, b"")), (one.seen.seq, one.seen.id))

    def kept(one: store.Observation) -> bool:
        key = one.seen.device, one.seen.lane, one.seen.at, one.seen.what
        return not one.seen.lane or last[key] == (one.seen.seq, one.seen.id)

    found = {unit: [one for one in held if kept(one)] for unit, held in by_unit.items()}
    return {unit: held for unit, held in found.items() if held}
