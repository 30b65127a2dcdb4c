"""A city's devices are added at once, or none of them is."""

import json
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from foundation.errors import Invalid, NotFound
from gateway_mqtt.add_devices import FullCard, add_devices, read_wishes
from gateway_mqtt.decode import StatusSaid
from gateway_mqtt.speakers import DeviceClock, Speaker
from tests.gateway_mqtt import town as towns

NOW = datetime(2026, 3, 2, tzinfo=UTC)


@pytest.fixture
async def town(postgres_url: str, tmp_path: Path) -> AsyncIterator[towns.Town]:
    async with towns.town(postgres_url, tmp_path) as made:
        yield made


async def added(town: towns.Town, *wishes: object) -> list[FullCard]:
    text = "\n".join(json.dumps(wish) for wish in wishes).encode()
    return await add_devices(
        town.database, read_wishes(text), city=towns.CITY, host="127.0.0.1", port=town.listener.port, now=town.clock.city()
    )


CAMERA = {"device": "cam-1", "site": "lot-7", "kind": "camera", "spots": ["a-1", "a-2"]}
GATE = {"device": "gate-1", "site": "lot-8", "kind": "gate", "lanes": ["1", "2"]}


async def test_many_devices_are_let_in_with_what_they_watch(town: towns.Town) -> None:
    await town.add_site("lot-7", ["a-1", "a-2", "a-3"])
    await town.add_site("lot-8", counted_by="gates")

    cards = await added(town, CAMERA, GATE)
    await town.registry.catch_up()

    assert [card.topic for card in cards] == ["onelot/1/town/lot-7/cam-1", "onelot/1/town/lot-8/gate-1"]
    known = [town.registry.known(card.device, card.password.encode()) for card in cards]
    assert known[0] is not None and known[0].spots == {"a-1", "a-2"}
    assert known[1] is not None and known[1].lanes == {"1", "2"}


async def test_one_strange_site_or_spot_and_none_is_added(town: towns.Town) -> None:
    await town.add_site("lot-7", ["a-1", "a-2"])

    with pytest.raises(NotFound, match="lot-404"):
        await added(town, CAMERA, {**GATE, "site": "lot-404"})
    with pytest.raises(Invalid, match="a-9"):
        await added(town, CAMERA, {"device": "cam-2", "site": "lot-7", "kind": "camera", "spots": ["a-9"]})

    await town.registry.catch_up()
    assert "cam-1" not in town.registry.devices


@pytest.mark.parametrize("line", ["{", '{"device": "a", "site": "s", "kind": "ear"}', '{"device": "a b", "site": "s", "kind": "gate"}'])
def test_a_wrong_line_is_named(line: str) -> None:
    with pytest.raises(Invalid, match="line 2"):
        read_wishes(b'{"device": "good", "site": "s", "kind": "gate"}\n' + line.encode())


@pytest.mark.parametrize(
    ("speed", "late_s", "offset"), [(1, 0.9, 0), (1, -0.9, 0), (1, -30.5, -31), (60, 12.0, 0), (60, 75.0, 75), (240, 50.0, 0)]
)
def test_what_the_network_takes_is_no_fault_of_the_clock_however_fast_the_city_runs(speed: int, late_s: float, offset: int) -> None:
    clock = DeviceClock(uuid.UUID(int=1), grain=max(1.0, 0.25 * speed))
    speaker = Speaker(device=None, clock=clock)  # type: ignore[arg-type]  # the clock asks nothing of the device

    speaker.learn_clock(clock, StatusSaid(NOW), NOW + timedelta(seconds=late_s))

    assert clock.offset_s == offset
