"""Every fact is told by somebody, and somebody does something with it: follows it, or shows people what it says."""

import re
from pathlib import Path

import pytest

from foundation import events
from foundation.clock import Clock
from foundation.seal import Keys
from onelot import wiring

ROOT = Path(__file__).resolve().parents[2]
HOUSES = ("gateway_mqtt", "citymap", "parking", "services")
SOURCES = {file: file.read_text() for house in HOUSES for file in (ROOT / house).rglob("*.py")}
SHOWN = {  # Facts that nobody follows yet: where people see what they say.
    "departure_said": "/api/v1/operator/sessions",
    "debt_paid": "/api/v1/me/wallet",
    "wallet_paid_out": "/api/v1/me/wallet",
    "case_opened": "/api/v1/services/cases",
    "case_withdrawn": "/api/v1/services/cases",
    "case_handed_over": "/api/v1/services/inbox",
    "licence_issued": "/api/v1/services/licences",
    "licence_amended": "/api/v1/services/licences",
    "licence_suspended": "/api/v1/services/licences",
}


def kinds(one: type[events.Event]) -> str:
    return one.kind


@pytest.mark.parametrize("event", [*events.READINGS, *events.FACTS], ids=kinds)
def test_event_is_told_by_somebody(event: type[events.Event]) -> None:
    call = re.compile(rf"(?<!class )\b{event.__name__}\(")

    assert [file for file, text in SOURCES.items() if call.search(text)], f"nobody tells {event.__name__}"


@pytest.mark.parametrize("event", [*events.READINGS, *events.FACTS], ids=kinds)
def test_event_is_followed_or_shown(event: type[events.Event], tmp_path: Path) -> None:
    followed: set[str] = set()
    for follower in wiring.followers(Keys(tmp_path / "keys.json"), Clock()):
        followed |= follower.kinds
    paths = {path for text in SOURCES.values() for path in re.findall(r'"(/api/v1/[^"]*)"', text)}

    assert event.kind in followed or event.kind in by_themselves() or SHOWN[event.kind] in paths


def by_themselves() -> set[str]:
    """What board, book of tariffs, the gateway's registry and known log-ins read from the journal without a cursor in the database."""
    places = (
        "citymap/follow.py",
        "parking/tariffs/book.py",
        "gateway_mqtt/registry.py",
        "services/catalog/shelf.py",
        "services/identity/who_is.py",
    )
    readers = [ROOT / place for place in places]
    text = "\n".join(file.read_text() for file in readers)
    return {event.kind for event in (*events.READINGS, *events.FACTS) if re.search(rf"\b{event.__name__}\b", text)}


def test_what_is_followed_is_not_said_to_be_shown_only(tmp_path: Path) -> None:
    followed = {kind for follower in wiring.followers(Keys(tmp_path / "keys.json"), Clock()) for kind in follower.kinds}

    assert followed & SHOWN.keys() == set()


def test_every_event_of_the_story_can_be_read_back() -> None:
    declared = {one for one in vars(events).values() if isinstance(one, type) and issubclass(one, events.Event) and "kind" in vars(one)}

    assert declared == {*events.READINGS, *events.FACTS}
    assert len({one.kind for one in declared}) == len(declared)
