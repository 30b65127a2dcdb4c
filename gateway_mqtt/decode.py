"""Bytes of a device to readings, or to a refusal that names the field: pure, so that every byte string can be tried."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from math import ceil, floor
from typing import Annotated, Literal, TypeVar

import msgspec

from foundation import plates, seal
from foundation.events import Reading, SpotSeen, SpotState, Vehicle, VehiclePassed, VehiclesCounted

PAYLOAD_BYTES_MAX = 256 * 1024
READINGS_MAX = 200
AGE_MAX = timedelta(hours=72)
AHEAD_MAX = timedelta(minutes=2)
NO_DAY = date(1970, 1, 1)
_MS_MASK = (1 << 48) - 1
CLOCK_SET_YEAR = 2020  # An earlier year is a clock that was never set, not an old reading.

Reason = Literal["not_json", "schema", "topic", "unknown_spot", "unknown_lane", "not_your_spot", "too_old", "in_future", "too_large"]
Kind = Literal["spots", "passage", "count", "status"]
SPEAKS: Mapping[str, frozenset[str]] = {
    "camera": frozenset({"spots", "status"}),
    "gate": frozenset({"passage", "status"}),
    "counter": frozenset({"count", "status"}),
}

Seq = Annotated[int, msgspec.Meta(ge=0, le=2**53)]
At = Annotated[datetime, msgspec.Meta(tz=True)]
Short = Annotated[str, msgspec.Meta(max_length=64, pattern=r"^[^\x00-\x1f]*$")]
Text = Annotated[str, msgspec.Meta(max_length=200, pattern=r"^[^\x00-\x1f]*$")]
Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
Colour = Literal["blue", "yellow", "green", "yellow_green", "white", "black", "other"]
VehicleType = Literal["small", "large", "motorcycle", "unknown"]
Count = Annotated[int, msgspec.Meta(ge=0, le=1_000_000)]


class SpotSaid(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    spot: Annotated[str, msgspec.Meta(max_length=64)]  # No pattern: it is looked up, and the registry knows none with odd signs.
    at: At
    state: SpotState
    plate: Short | None = None
    plate_colour: Colour | None = None
    plate_confidence: Share | None = None
    vehicle_type: VehicleType | None = None
    evidence: Text | None = None


class SpotsSaid(msgspec.Struct, frozen=True, gc=False):
    seq: Seq
    spots: Annotated[list[SpotSaid], msgspec.Meta(min_length=1, max_length=READINGS_MAX)]
    sent: At | None = None


class SpotsLoose(msgspec.Struct, frozen=True, gc=False):
    """The same with each reading undecoded, so that the good ones beside a bad one are taken."""

    seq: Seq
    spots: Annotated[list[msgspec.Raw], msgspec.Meta(min_length=1, max_length=READINGS_MAX)]
    sent: At | None = None


class PassageSaid(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    seq: Seq
    at: At
    lane: Short
    direction: Literal["in", "out"]
    plate: Short | None = None
    plate_colour: Colour | None = None
    plate_confidence: Share | None = None
    vehicle_type: VehicleType | None = None
    evidence: Text | None = None
    sent: At | None = None


class CountSaid(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    seq: Seq
    at: At
    occupied: Count
    capacity: Count | None = None
    sent: At | None = None


class StatusSaid(msgspec.Struct, frozen=True, gc=False):
    at: At
    online: bool = True
    firmware: Text = ""


@dataclass(frozen=True, slots=True)
class Device:
    """Who may speak of what: from the registry."""

    id: str
    site: str
    kind: str
    lanes: frozenset[str]
    spots: frozenset[str] | None
    secret_hash: bytes
    spots_listed: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Refusal:
    reason: Reason
    detail: str


class Decoded(msgspec.Struct):
    """What one message came to: readings to store, and what of it was refused."""

    readings: list[Reading] = []
    refused: list[Refusal] = []
    status: StatusSaid | None = None
    seq: int | None = None


@dataclass(frozen=True, slots=True)
class World:
    """What the decoder must know about the city; all of it in memory."""

    site_of_spot: Mapping[str, str]
    owner_of_spot: Callable[[str], str | None]
    keys: seal.Keys


class Refused(Exception):
    """A message or reading that cannot be taken."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.refusal = Refusal(reason, detail)


Said = TypeVar("Said")

_spots = msgspec.json.Decoder(SpotsSaid)
_loose = msgspec.json.Decoder(SpotsLoose)
_spot = msgspec.json.Decoder(SpotSaid)
_passage = msgspec.json.Decoder(PassageSaid)
_count = msgspec.json.Decoder(CountSaid)
_status = msgspec.json.Decoder(StatusSaid)
_is_printable = re.compile(r"[^\x00-\x1f]*").fullmatch
_content = msgspec.json.Encoder().encode


class Arrival(msgspec.Struct, frozen=True, gc=False):
    """An instant at which messages came, and the span of instants that they may speak of."""

    at: datetime
    earliest: datetime
    latest: datetime


def arrival(at: datetime) -> Arrival:
    return Arrival(at, at - AGE_MAX, at + AHEAD_MAX)


class EarlierClock(msgspec.Struct, frozen=True, gc=False):
    """How a device's clock was to be corrected until another connection showed it otherwise."""

    offset_s: int
    until: datetime


class ClockDoubts(msgspec.Struct, frozen=True, gc=False):
    """What speaks against the correction of a reading: clocks by which it may have been stamped, and what the network may hide."""

    earlier: tuple[EarlierClock, ...] = ()
    slack_s: int = 0  # How far two of its clocks may be measured apart; nothing where it had only one.
    live: timedelta = timedelta(0)  # What came so soon after it happened did not wait since another clock.


CERTAIN = ClockDoubts()


class Heard(msgspec.Struct, frozen=True, gc=False):
    """The circumstances of messages of one device that came together; `offset_s` corrects its clock."""

    device: Device
    world: World
    identity_of: Callable[[bytes], bytes]  # Of what this device says (`seal.Keys.identities`).
    arrival: Arrival
    offset_s: int | None
    doubts: ClockDoubts = CERTAIN


def decode_message(heard: Heard, kind: str, payload: bytes) -> Decoded:
    """Decode one message; nothing here ever raises for what a device says."""
    try:
        if kind not in SPEAKS[heard.device.kind]:
            raise Refused("topic", f"a {heard.device.kind} does not say {kind}")
        if len(payload) > PAYLOAD_BYTES_MAX:
            raise Refused("too_large", f"{len(payload)} bytes; {PAYLOAD_BYTES_MAX} are allowed")
        return _TAKE[kind](heard, payload)
    except Refused as refused:
        return Decoded(refused=[refused.refusal])
    except RecursionError:
        return Decoded(refused=[Refusal("schema", "nested too deeply")])


def _take_spots(heard: Heard, payload: bytes) -> Decoded:
    try:
        said = _spots.decode(payload)
        seq = said.seq
        return Decoded([_spot_seen(heard, seq, spot) for spot in said.spots], seq=seq)
    except (msgspec.ValidationError, Refused):
        return _take_loose_spots(heard, payload)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Refused("not_json", str(error)) from None


def _take_loose_spots(heard: Heard, payload: bytes) -> Decoded:
    """Something of it cannot be taken: each reading by itself."""
    said = _read(_loose, payload)
    decoded = Decoded(seq=said.seq)
    for number, raw in enumerate(said.spots):
        try:
            decoded.readings.append(_spot_seen(heard, said.seq, _read(_spot, bytes(raw))))
        except Refused as refused:
            decoded.refused.append(Refusal(refused.refusal.reason, f"spots[{number}]: {refused.refusal.detail}"))
    return decoded


def _spot_seen(heard: Heard, seq: int, said: SpotSaid) -> SpotSeen:
    device, spot = heard.device, said.spot
    site = heard.world.site_of_spot.get(spot)
    if site is None:
        raise Refused("unknown_spot", f"spot: no spot {spot}") if _is_printable(spot) else Refused("schema", "spot: control characters")
    if site != device.site or not (_owns(heard, spot) if device.spots is None else spot in device.spots):
        raise Refused("not_your_spot", f"spot: {spot} is another device's")
    at, raw_at, no_clock = _instant(heard, said.at)
    early_s, late_s = (0, 0) if no_clock else _leeway(heard, at, raw_at)
    return SpotSeen(
        device=device.id, site=site, seq=seq, at=at, raw_at=raw_at, received_at=heard.arrival.at,
        offset_s=heard.offset_s, no_clock=no_clock, early_s=early_s, late_s=late_s, id=_identity(heard, raw_at, _content(said)),
        spot=spot, state=said.state, vehicle=_vehicle(heard, said) if said.plate else None, evidence=said.evidence or "",
    )  # fmt: skip


def _identity(heard: Heard, raw_at: datetime, content: bytes) -> bytes:
    """What it says of when first, as in a UUIDv7: what is new then lies together at the end of the index, not on a page each."""
    return (int(raw_at.timestamp() * 1000) & _MS_MASK).to_bytes(6, "big") + heard.identity_of(content)


def _owns(heard: Heard, spot: str) -> bool:
    """A device without spots of its own has those of its site that no other has, or spoke of first."""
    owner = heard.world.owner_of_spot(spot)
    return owner is None or owner == heard.device.id


def _take_passage(heard: Heard, payload: bytes) -> Decoded:
    said = _read(_passage, payload)
    if said.lane not in heard.device.lanes:
        raise Refused("unknown_lane", f"lane: {heard.device.id} has no lane {said.lane}")
    at, raw_at, no_clock = _instant(heard, said.at)
    early_s, late_s = (0, 0) if no_clock else _leeway(heard, at, raw_at)
    passed = VehiclePassed(
        device=heard.device.id, site=heard.device.site, seq=said.seq, at=at, raw_at=raw_at, received_at=heard.arrival.at,
        offset_s=heard.offset_s, no_clock=no_clock, early_s=early_s, late_s=late_s,
        id=_identity(heard, raw_at, _content(_without_seq(said))),
        lane=said.lane, direction=said.direction, vehicle=_vehicle(heard, said), evidence=said.evidence or "",
    )  # fmt: skip
    return Decoded([passed], seq=said.seq)


def _without_seq(said: PassageSaid) -> PassageSaid:
    """`seq` is not content: a gate that restarted says the same passage under another number."""
    return msgspec.structs.replace(said, seq=0, sent=None)


def _take_count(heard: Heard, payload: bytes) -> Decoded:
    said = _read(_count, payload)
    at, raw_at, no_clock = _instant(heard, said.at)
    early_s, late_s = (0, 0) if no_clock else _leeway(heard, at, raw_at)
    content = _content(msgspec.structs.replace(said, seq=0, sent=None))
    counted = VehiclesCounted(
        device=heard.device.id, site=heard.device.site, seq=said.seq, at=at, raw_at=raw_at, received_at=heard.arrival.at,
        offset_s=heard.offset_s, no_clock=no_clock, early_s=early_s, late_s=late_s, id=_identity(heard, raw_at, content),
        occupied=said.occupied, capacity=said.capacity,
    )  # fmt: skip
    return Decoded([counted], seq=said.seq)


def _take_status(heard: Heard, payload: bytes) -> Decoded:
    return Decoded(status=_read(_status, payload))


_TAKE: Mapping[str, Callable[[Heard, bytes], Decoded]] = {
    "spots": _take_spots,
    "passage": _take_passage,
    "count": _take_count,
    "status": _take_status,
}


def _read(decoder: "msgspec.json.Decoder[Said]", payload: bytes) -> Said:
    """Raises Refused: not JSON at all, or JSON of another shape, with the field."""
    try:
        return decoder.decode(payload)
    except msgspec.ValidationError as error:
        raise Refused("schema", str(error).replace("`$.", "`")) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Refused("not_json", str(error)) from None


def _instant(heard: Heard, raw: datetime) -> tuple[datetime, datetime, bool]:
    """The corrected instant in UTC, the raw one in UTC, and whether the device has no clock. Raises Refused."""
    if 1970 <= raw.year < CLOCK_SET_YEAR:
        return heard.arrival.at, raw.astimezone(UTC), True
    if raw.year < 1970:
        raise Refused("too_old", f"at: {raw.isoformat()} is before every clock")
    if raw.year > heard.arrival.at.year + 50:  # Also keeps the arithmetic below inside what a datetime holds.
        raise Refused("in_future", f"at: {raw.isoformat()} is ahead of the city's clock")
    at = raw_at = raw.astimezone(UTC)
    if heard.offset_s:
        at += timedelta(seconds=heard.offset_s)
    if at > heard.arrival.latest:
        raise Refused("in_future", f"at: {raw.isoformat()} is ahead of the city's clock by more than {AHEAD_MAX}")
    if at < heard.arrival.earliest:
        raise Refused("too_old", f"at: {raw.isoformat()} is older than {AGE_MAX}")
    return at, raw_at, False


def _leeway(heard: Heard, at: datetime, raw_at: datetime) -> tuple[int, int]:
    """By how much earlier or later than `at` it may have happened: by an earlier clock of its device, if that was still going then."""
    doubts = heard.doubts
    if doubts is CERTAIN:
        return 0, 0
    early = late = timedelta(seconds=doubts.slack_s)
    waited = heard.arrival.at - at
    for clock in () if timedelta(0) <= waited <= doubts.live else doubts.earlier:
        other = raw_at + timedelta(seconds=clock.offset_s)
        if other <= clock.until:
            early, late = max(early, at - other), max(late, other - at)
    late = min(late, max(timedelta(0), waited))
    return ceil(early.total_seconds()), floor(late.total_seconds())


def clock_error(said: StatusSaid, received_at: datetime) -> float | None:
    """Seconds by which the device's clock is behind, as this status shows it; nothing from a clock that was never set."""
    if not CLOCK_SET_YEAR <= said.at.year <= received_at.year + 50:
        return None
    return (received_at - said.at.astimezone(UTC)).total_seconds()


def _vehicle(heard: Heard, said: SpotSaid | PassageSaid) -> Vehicle | None:
    """The vehicle as token and seal. A text that is no plate keeps its seal for the operator and has no token: nobody is charged by it."""
    if not said.plate:
        return None
    plate = plates.plate_of(said.plate, said.plate_colour)
    token = b"" if plates.plate_fault(plate.text, plate.colour) else heard.world.keys.token("plate", plate.text, plate.colour)
    return Vehicle(
        token=token,
        sealed=heard.world.keys.seal(plate.text if plate.text == said.plate else f"{plate.text}\x1f{said.plate}", heard.arrival.at),
        colour=plate.colour,
        confidence=said.plate_confidence,
        type=said.vehicle_type or "unknown",
    )


def seen_day(reading: Reading) -> date:
    """The day of the once-only key: the raw one, or one day for all clocks that were never set or are days off."""
    return reading.raw_at.date() if -4 <= (reading.raw_at - reading.received_at).days < 2 else NO_DAY
