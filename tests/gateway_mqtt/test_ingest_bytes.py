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

near = st.timedeltas(-timedelta(hours=71), timedelta(minutes=1)).map(lambda ago: (NOW + ago).isoformat())
absurd = st.datetimes(timezones=st.just(UTC)).map(lambda one: one.isoformat()) | st.sampled_from(
    ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "1969-12-31T23:59:59Z", "2020-01-01T00:00:00+08:00", "soon"]
)
instants = st.one_of(near, near, near, absurd)
anything = st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20), st.lists, max_leaves=5)
known_plates = st.sampled_from(["豫A12345", "豫 A·12345", "豫AD12345", "　", "使", "WJ", "İ" * 60])
more = {
    "plate": st.one_of(known_plates, st.text(max_size=70)),
    "plate_colour": st.sampled_from(["blue", "green", "green", "pink"]),
    "plate_confidence": st.one_of(st.floats(0, 1), st.floats(0, 1), anything),
    "vehicle_type": st.sampled_from(["small", "large", "lorry"]),
    "evidence": st.text(max_size=210),
    "sent": instants,
}  # fmt: skip
names = st.sampled_from(["lot-7-001", "lot-7-001", "lot-7-001", "lot-9-001", "nowhere"])
spots = st.fixed_dictionaries({"spot": names, "at": instants, "state": st.sampled_from(["free", "occupied"])}, optional=more)
lanes, ways = st.sampled_from(["1", "1", "2"]), st.sampled_from(["in", "out", "out", "up"])
passages = st.fixed_dictionaries({"seq": st.integers(0, 9), "at": instants, "lane": lanes, "direction": ways}, optional=more)
many = st.integers(-1, 1_000_001)
shapes = {
    "spots": st.fixed_dictionaries(
        {"seq": st.integers(-1, 2**53 + 1), "spots": st.lists(spots | spots | anything, min_size=1, max_size=5)}
    ),
    "passage": passages,
    "count": st.fixed_dictionaries({"seq": st.integers(0, 9), "at": instants, "occupied": many, "capacity": many | st.none()}),
    "status": st.fixed_dictionaries({"at": instants}, optional={"online": anything, "firmware": st.text()}),
}
messages = st.one_of(*(st.tuples(st.just(kind), shape) for kind, shape in shapes.items()))


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> seal.Keys:
    return seal.Keys(Path(tmp_path_factory.mktemp("keys")) / "keys.json")


def decoded(keys: seal.Keys, kind: str, payload: bytes, offset_s: int | None) -> decode.Decoded:
    """As the device whose business this kind is says it."""
    says = {"passage": "gate", "count": "counter"}.get(kind, "camera")
    device = Device("dev-1", "lot-7", says, frozenset({"1"}), None, b"")
    world = World({"lot-7-001": "lot-7", "lot-9-001": "lot-9"}, lambda _: None, keys)
    heard = decode.Heard(device, world, keys.identities(b"dev-1"), decode.arrival(NOW), offset_s)
    found = decode.decode_message(heard, kind, payload)
    for reading in found.readings:
        assert NOW - decode.AGE_MAX <= reading.at <= NOW + decode.AHEAD_MAX
        row = reading_row(reading)
        assert len(row.id) == 16 and events.decode(row.kind, row.body.decode()) == reading
        assert b"\x00" not in row.body and row.day.year >= 1970
    if found.status is not None:
        error = decode.clock_error(found.status, NOW)
        assert error is None or abs(error) < 2**31  # It is kept as an int4.
    assert found.readings or found.refused or found.status is not None
    return found


def raw_of(message: object) -> bytes:
    return json.dumps(message, ensure_ascii=False).encode("utf-8", "replace")


@quickly
@given(said=messages, offset_s=st.one_of(st.none(), st.integers(-60, 60), st.integers(-(2**31), 2**31)))
def test_every_message_of_nearly_the_right_shape(keys, said, offset_s):
    kind, message = said
    decoded(keys, kind, raw_of(message), offset_s)


@quickly
@given(said=messages, kind=st.sampled_from(KINDS), message=st.dictionaries(st.text(max_size=5), anything))
def test_a_message_of_another_kind_or_of_none(keys, said, kind, message):
    decoded(keys, kind, raw_of(said[1]), 0)
    assert decoded(keys, kind, raw_of(message), None).refused


@quickly
@given(kind=st.sampled_from(KINDS), payload=st.binary(max_size=200))
def test_any_bytes(keys, kind, payload):
    decoded(keys, kind, payload, None)


@quickly
@given(said=messages, place=st.integers(0, 400), byte=st.integers(0, 255))
def test_a_message_with_one_wrong_byte(keys, said, place, byte):
    kind, message = said
    raw = bytearray(raw_of(message))
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
