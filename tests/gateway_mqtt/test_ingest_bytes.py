"""Whatever a device says comes to readings or refusals, never to an error, and what is taken can be written and read again."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from foundation import events, seal
from gateway_mqtt import decode
from gateway_mqtt.decode import Device, World
from gateway_mqtt.store import reading_row

NOW = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)
KINDS = ("spots", "passage", "count", "status")
quickly = settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])

instants = st.one_of(
    st.datetimes(timezones=st.just(UTC)).map(lambda one: one.isoformat()),
    st.timedeltas(-timedelta(hours=80), timedelta(hours=1)).map(lambda ago: (NOW + ago).isoformat()),
    st.sampled_from(
        ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "1969-12-31T23:59:59Z", "2020-01-01T00:00:00+08:00", "soon"]
    ),
)
anything = st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20), st.lists, max_leaves=5)
plates = st.one_of(st.text(max_size=70), st.sampled_from(["豫A12345", "豫 A·12345", "豫AD12345", "　", "使", "WJ", "İ" * 60]))
more = {
    "plate": plates | anything, "plate_colour": st.sampled_from(["blue", "green", "pink"]), "plate_confidence": st.floats() | anything,
    "vehicle_type": st.sampled_from(["small", "lorry"]), "evidence": st.text(max_size=210), "sent": instants,
}  # fmt: skip
spots = st.fixed_dictionaries(
    {
        "spot": st.sampled_from(["lot-7-001", "lot-9-001", "nowhere"]) | anything,
        "at": instants,
        "state": st.sampled_from(["free", "occupied"]),
    },
    optional=more,
)
messages = st.one_of(
    st.fixed_dictionaries({"seq": st.integers(-1, 2**53 + 1), "spots": st.lists(spots | anything, max_size=5)}),
    st.fixed_dictionaries(
        {"seq": st.integers(), "at": instants, "lane": st.sampled_from(["1", "2"]), "direction": st.sampled_from(["in", "out", "up"])},
        optional=more,
    ),
    st.fixed_dictionaries({"seq": st.integers(0, 9), "at": instants, "occupied": st.integers(), "capacity": st.integers() | st.none()}),
    st.fixed_dictionaries({"at": instants}, optional={"online": anything, "firmware": st.text()}),
    st.dictionaries(st.text(max_size=5), anything),
)


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> seal.Keys:
    return seal.Keys(Path(tmp_path_factory.mktemp("keys")) / "keys.json")


def decoded(keys: seal.Keys, kind: str, payload: bytes, offset_s: int | None) -> decode.Decoded:
    """As the device whose business this kind is says it."""
    says = {"passage": "gate", "count": "counter"}.get(kind, "camera")
    device = Device("dev-1", "lot-7", says, frozenset({"1"}), None, b"")
    world = World({"lot-7-001": "lot-7", "lot-9-001": "lot-9"}, lambda _: None, keys)
    found = decode.decode_message(device, kind, payload, world=world, received_at=NOW, offset_s=offset_s)
    for reading in found.readings:
        assert NOW - decode.AGE_MAX <= reading.at <= NOW + decode.AHEAD_MAX
        day, key, told = reading_row(reading)
        assert len(key) == 16 and events.decode(told.kind, told.body) == reading
        assert "\x00" not in told.body and day.year >= 1970
    if found.status is not None:
        error = decode.clock_error(found.status, NOW)
        assert error is None or abs(error) < 2**31  # It is kept as an int4.
    assert found.readings or found.refused or found.status is not None
    return found


@quickly
@given(kind=st.sampled_from(KINDS), message=messages, offset_s=st.none() | st.integers(-(2**31), 2**31))
def test_every_message_of_nearly_the_right_shape(keys, kind, message, offset_s):
    decoded(keys, kind, json.dumps(message, ensure_ascii=False).encode("utf-8", "replace"), offset_s)


@quickly
@given(kind=st.sampled_from(KINDS), payload=st.binary(max_size=200))
def test_any_bytes(keys, kind, payload):
    decoded(keys, kind, payload, None)


@quickly
@given(message=messages, place=st.integers(0, 400), byte=st.integers(0, 255), kind=st.sampled_from(KINDS))
def test_a_message_with_one_wrong_byte(keys, message, place, byte, kind):
    raw = bytearray(json.dumps(message, ensure_ascii=False).encode("utf-8", "replace"))
    raw[place % len(raw)] = byte
    decoded(keys, kind, bytes(raw), 0)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "opening", [b"[", b'{"a":', b'{"seq":1,"spots":[{"x":[', b'{"seq":1,"spots":[' + b"[" * 300 + b"]" * 300 + b',{"x":']
)
def test_depth_is_refused_and_never_an_error(keys, kind, opening):
    assert decoded(keys, kind, opening * 20_000, None).refused


def test_the_same_content_has_the_same_identity_and_any_other_has_not(keys):
    one = {"spot": "lot-7-001", "at": NOW.isoformat(), "state": "occupied", "plate": "豫A12345"}
    others = [one | {"at": (NOW - timedelta(seconds=1)).isoformat()}, one | {"state": "free"}, one | {"plate": "豫A12346"}]
    said = [
        decoded(keys, "spots", msgspec.json.encode({"seq": seq, "spots": [spot]}), None) for seq, spot in enumerate([one, one, *others])
    ]
    ids = [found.readings[0].id for found in said]
    assert ids[0] == ids[1] and len(set(ids)) == 4
