"""What the clocks of a device leave open: a reading that waited while its clock was set may be of either."""

import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from foundation import seal
from foundation.events import SpotSeen
from gateway_mqtt import decode
from gateway_mqtt.speakers import DeviceClock

NOW = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
CAMERA = decode.Device("cam", "lot", "camera", frozenset(), None, b"")


def clock(*offsets: float) -> DeviceClock:
    """Of a device's last connection; before it others showed other errors, each a minute long, the last one until now."""
    held = DeviceClock(uuid.UUID(int=0), offset=offsets[0])
    for number, offset in enumerate(offsets[1:], 1):
        held = held.followed_by(uuid.UUID(int=number), NOW - timedelta(minutes=len(offsets) - number - 1))
        held.offset = offset
    return held


def seen(held: DeviceClock, shown_s: int, received_s: int, folder: Path) -> SpotSeen:
    """What a camera says that its clock dates so long before or after now."""
    keys = seal.Keys(folder / "keys.json")
    heard = decode.Heard(
        CAMERA, decode.World({"a-1": "lot"}, lambda _: "cam", keys), keys.identities(b"cam"),
        decode.arrival(NOW + timedelta(seconds=received_s)), held.offset_s, held.doubts,
    )  # fmt: skip
    at = (NOW + timedelta(seconds=shown_s)).isoformat().encode()
    (reading,) = decode.decode_message(heard, "spots", b'{"seq":1,"spots":[{"spot":"a-1","at":"%b","state":"occupied"}]}' % at).readings
    assert isinstance(reading, SpotSeen)
    return reading


@pytest.mark.parametrize(
    ("offsets", "shown_s", "received_s", "early_s", "late_s"),
    [
        ((0, 0), -90, 2, 0, 0),  # One clock leaves nothing open, however long it waited.
        ((300,), -400, 2, 0, 0),
        ((0, -3000), -20, 5, 1, 3000),  # Stamped before the clock jumped ahead, said after it: it was no hour ago.
        ((0, -3000), 3010, 12, 1, 1),  # Stamped after it: the old clock never showed that time.
        ((0, 3000), -2990, 30, 3000, 1),  # It may have waited since the old clock showed that time, long ago.
        ((0, 3000), -2990, 11, 1, 1),  # But what comes at once did not wait.
        ((0, 3000), -2000, 1005, 1, 1),
        ((0, 3), -10, 20, 3, 0),  # Little leeway where the line was slower the second time.
        ((0, -3000, -3000), -70, 5, 1, 3000),  # A connection more does not make the older clock forgotten.
    ],
)
def test_a_reading_that_may_have_waited_while_the_clock_was_set_says_how_far_off_it_may_be(
    tmp_path: Path, offsets: tuple[float, ...], shown_s: int, received_s: int, early_s: int, late_s: int
) -> None:
    held = clock(*offsets)
    reading = seen(held, shown_s, received_s, tmp_path)

    assert (reading.early_s, reading.late_s) == (early_s, late_s)
    assert reading.at == NOW + timedelta(seconds=shown_s + offsets[-1]) and reading.at + timedelta(seconds=late_s) <= reading.received_at


def test_a_door_remembers_few_clocks_and_each_once() -> None:
    held = clock(*range(0, 1000, 100), 900, 800)

    assert [one.offset_s for one in held.earlier] == [900, 800, 700, 600]
    assert [one.offset_s for one in held.followed_by(uuid.UUID(int=99), NOW).earlier] == [800, 900, 700, 600]
