"""What devices see of what happens, and what is wrong with it: readings to be said, with the faults that were put in. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import NamedTuple

from simulators.traffic import faults
from simulators.traffic.demand import CITY
from simulators.traffic.dice import Dice
from simulators.traffic.faults import Knobs, Ledger, Trouble
from simulators.traffic.life import Happening, Stay
from simulators.traffic.places import Card, Place

CORRECTED_AFTER_S = 60  # A camera looks again within the minute.
LATE_S = (5, 45)
IN, OUT = 0, 1


class Told(NamedTuple):
    """One reading, to be said by a device from `say_at` on. `body` is its JSON; `about` is twice the stay's number plus IN or OUT."""

    say_at: int
    device: int
    kind: str
    body: bytes
    about: int = -1
    spot: int = -1
    times: int = 1


@dataclass(slots=True)
class _Watch:
    """Who watches a site."""

    camera_of: list[int] = field(default_factory=list)
    gate: int = -1
    lanes: tuple[str, ...] = ("1",)
    counter: int = -1


class Witness:
    """The eyes of a city: what of the truth becomes a reading, and how."""

    def __init__(
        self, places: Sequence[Place], cards: Sequence[Card], *, knobs: Knobs, seed: int, began_at: int, seconds: int
    ) -> None:  # fmt: skip
        self.places, self.cards, self.knobs = places, cards, knobs
        self.ledger = Ledger()
        self.troubles = [faults.trouble_of(card.device, knobs, seed=seed, began_at=began_at, seconds=seconds) for card in cards]
        self._began_at = began_at
        self._dice = Dice(seed, "faults")
        self._watches = _watches(places, cards)
        self._worn: dict[int, str] = {}  # Plates that cars wear which are not theirs, by stay.
        self._plain: set[int] = set()  # Stays of cars whose plate nobody can read.
        self._seen: list[Stay] = []  # Some that are parked, to be cloned.
        self._plates: set[str] = set()  # That exist; a misreading is none of them, or a stranger would be taken for somebody.
        self._mistaken: dict[str, int] = {}  # Plates that were read and that nobody had, with their faults.
        self._cloned: dict[str, int] = {}  # The plates that others wear, with their faults.
        self._left_unseen: set[tuple[int, int]] = set()  # Bays.
        self._of_trouble = self._write_troubles()

    def _write_troubles(self) -> dict[tuple[int, str], int]:
        found = {}
        for number, trouble in enumerate(self.troubles):
            device = self.cards[number].device
            for kind, there, at, what in (
                ("clock_skew", trouble.skew, self._began_at, f"{trouble.skew:+d} s"),
                ("clock_jump", trouble.jump, trouble.jump_at, f"{trouble.jump:+d} s"),
                ("offline", trouble.offline, (trouble.offline or (0, 0))[0], f"{trouble.offline}"),
                ("dying", trouble.dies_at, trouble.dies_at or 0, ""),
            ):
                if there:
                    found[number, kind] = self.ledger.add(kind, at, device, what=what)
        return found

    def device_of(self, stay: Stay) -> int:
        """Who sees this stay; -1 when nobody does."""
        return self._watches[stay.site].gate if stay.spot < 0 else self.camera_of(stay.site, stay.spot)

    def camera_of(self, site: int, spot: int) -> int:
        watch = self._watches[site]
        return watch.camera_of[spot] if watch.camera_of else -1

    def counter_of(self, site: int) -> int:
        return self._watches[site].counter

    def clones(self) -> set[int]:
        """Stays of cars that wear somebody else's plate."""
        return set(self._worn)

    def open(self, parked: Iterable[Stay]) -> Iterator[Told]:
        """What all devices say at first: who stands where since when, and which bays are free."""
        taken: set[tuple[int, int]] = set()
        for stay in parked:
            taken.add((stay.site, stay.spot))
            yield from self.see(Happening(stay.entered_at, "arrives", stay))
        for site, place in enumerate(self.places):
            for spot, name in enumerate(place.spots):
                camera = self.camera_of(site, spot)
                if camera >= 0 and (site, spot) not in taken:
                    at = self.troubles[camera].clock(self._began_at - 1)
                    yield Told(self._began_at, camera, "spots", free_of(name, at), spot=spot)

    def see(self, one: Happening) -> list[Told]:
        """The readings of one arrival or departure: one, none, or several."""
        device = self.device_of(one.stay)
        if device < 0:
            return []
        told = self._arrival(one.stay, device) if one.what == "arrives" else self._departure(one.stay, device)
        return [self._on_its_way(reading, one) for reading in told]

    # What is seen

    def _arrival(self, stay: Stay, device: int) -> list[Told]:
        knobs, dice, at = self.knobs, self._dice, stay.entered_at
        name = self.cards[device].device
        self._meet(stay)
        if (stay.site, stay.spot) in self._left_unseen:  # If nobody saw this one come either, no reading could tell two cars from one.
            self._left_unseen.remove((stay.site, stay.spot))
            return [self._reading(stay, device, IN, at, stay.car.plate, 0.97)]
        if dice.chance(knobs.no_plate):
            self._plain.add(stay.number)
            self.ledger.add("no_plate", at, name, [stay.number])
        elif dice.chance(knobs.cloned_plate):
            self._clone(stay, name)
        if dice.chance(knobs.missed_entry):
            self.ledger.add("missed_entry", at, name, [stay.number])
            return []
        plate = self._plate_of(stay)
        if plate and dice.chance(knobs.misread):
            return self._misread(stay, device, plate)
        self._may_be_cloned(stay, device, plate)
        return [self._reading(stay, device, IN, at, plate, 0.97)]

    def _may_be_cloned(self, stay: Stay, device: int, plate: str) -> None:
        """Only the plate of a car that was read where it is: of one that nobody saw, no reading could tell which of two is the clone."""
        own = plate == stay.car.plate and stay.car.colour == "blue" and not self.troubles[device].dead(stay.entered_at)
        if self.knobs.cloned_plate and own and len(self._seen) < 500:
            self._seen.append(stay)

    def _meet(self, stay: Stay) -> None:
        """Take note of a plate that exists, though it may have been read already where it was not, or be worn by another car as well."""
        if stay.car.plate in self._cloned:
            self.ledger.touch(self._cloned[stay.car.plate], stay.number)
        if self.knobs.misread:
            self._plates.add(stay.car.plate)
            if stay.car.plate in self._mistaken:
                self.ledger.touch(self._mistaken[stay.car.plate], stay.number)

    def _misreading(self, stay: Stay, device: int, at: int, plate: str, way: str) -> str | None:
        """What is read instead; None when nothing can be."""
        wrong = faults.misread(plate, self._dice)
        if wrong == plate or wrong in self._plates:
            return None
        what = f"{way} {_masked(plate)} as {_masked(wrong)}"
        self._mistaken[wrong] = self.ledger.add("misread", at, self.cards[device].device, [stay.number], what)
        return wrong

    def _departure(self, stay: Stay, device: int) -> list[Told]:
        knobs, dice, at = self.knobs, self._dice, stay.left_at
        if dice.chance(knobs.missed_exit):
            self.ledger.add("missed_exit", at, self.cards[device].device, [stay.number])
            if stay.spot >= 0:
                self._left_unseen.add((stay.site, stay.spot))
            return []
        plate = self._plate_of(stay)
        if stay.spot < 0 and plate and dice.chance(knobs.misread):
            wrong = self._misreading(stay, device, at, plate, "out")
            if wrong is not None:
                return [self._reading(stay, device, OUT, at, wrong, 0.71)]
        return [self._reading(stay, device, OUT, at, plate, 0.97)]

    def _misread(self, stay: Stay, device: int, plate: str) -> list[Told]:
        """A camera may see better a minute later; a gate sees a car once."""
        wrong = self._misreading(stay, device, stay.entered_at, plate, "in")
        if wrong is None:
            return [self._reading(stay, device, IN, stay.entered_at, plate, 0.97)]
        told = [self._reading(stay, device, IN, stay.entered_at, wrong, 0.71)]
        again = stay.entered_at + CORRECTED_AFTER_S
        if stay.spot >= 0 and stay.left_at > again + LATE_S[1] and self._dice.chance(0.5):
            told.append(self._reading(stay, device, IN, again, plate, 0.98))
        return told

    def _clone(self, stay: Stay, device: str) -> None:
        """Another car with the plate of one that is parked elsewhere and will be for a while."""
        self._seen = [one for one in self._seen if one.left_at > stay.entered_at + 1200]
        victims = [one for one in self._seen if one.site != stay.site and one.entered_at < stay.entered_at - 600]
        if not victims or stay.car.account >= 0:
            return
        victim = self._dice.one_of(victims)
        self._worn[stay.number] = victim.car.plate
        plate = victim.car.plate
        self._cloned[plate] = self.ledger.add("cloned_plate", stay.entered_at, device, [stay.number, victim.number], _masked(plate))
        self._seen.remove(victim)

    def _plate_of(self, stay: Stay) -> str:
        if stay.number in self._plain:
            return ""
        return self._worn.get(stay.number, stay.car.plate)

    def _reading(self, stay: Stay, device: int, way: int, at: int, plate: str, confidence: float) -> Told:
        shown = self.troubles[device].clock(at)
        about = 2 * stay.number + way
        colour = "blue" if stay.number in self._worn else stay.car.colour
        car = _car(plate, colour, confidence, stay.car.type)
        if stay.spot < 0:
            lanes = self._watches[stay.site].lanes
            lane, direction = lanes[stay.number % len(lanes)], ("in", "out")[way]
            body = f'{{"at":"{iso(shown)}","lane":"{lane}","direction":"{direction}"{car}}}'
            return Told(at, device, "passage", body.encode(), about)
        name = self.places[stay.site].spots[stay.spot]
        if way == OUT:
            return Told(at, device, "spots", free_of(name, shown), about, stay.spot)
        return Told(at, device, "spots", f'{{"spot":"{name}","at":"{iso(shown)}","state":"occupied"{car}}}'.encode(), about, stay.spot)

    def _on_its_way(self, told: Told, one: Happening) -> Told:
        """Repeated or overtaken on its way, or never said since its device is dead."""
        knobs, dice, stay, device = self.knobs, self._dice, one.stay, self.cards[told.device].device
        trouble = self.troubles[told.device]
        for kind, touched in _touched(trouble, told.say_at):
            if touched:
                self.ledger.touch(self._of_trouble[told.device, kind], stay.number)
        if dice.chance(knobs.duplicate):
            self.ledger.add("duplicate", told.say_at, device, [stay.number])
            told = told._replace(times=2)
        if dice.chance(knobs.reorder):
            self.ledger.add("reorder", told.say_at, device, [stay.number])
            told = told._replace(say_at=told.say_at + dice.between(*LATE_S))
        return told

    def dies(self, device: int, unsaid: Iterable[int]) -> None:
        """What it had not got acknowledged goes with it."""
        for stay in unsaid:
            self.ledger.touch(self._of_trouble[device, "dying"], stay)

    def dead(self, told: Told) -> bool:
        """Whether its device will never say it."""
        return self.troubles[told.device].dead(told.say_at)


def _touched(trouble: Trouble, at: int) -> Iterator[tuple[str, bool]]:
    yield "clock_skew", trouble.skew != 0
    yield "clock_jump", trouble.jump != 0  # A stay that began before it ends after it.
    yield "offline", trouble.cut_off(at)
    yield "dying", trouble.dead(at)


def _watches(places: Sequence[Place], cards: Sequence[Card]) -> list[_Watch]:
    number_of = {place.id: number for number, place in enumerate(places)}
    watches = [_Watch() for _ in places]
    for device, card in enumerate(cards):
        if card.site not in number_of:
            continue
        site = number_of[card.site]
        watch, spots = watches[site], places[site].spots
        if card.kind == "gate":
            watch.gate, watch.lanes = device, card.lanes or ("1",)
        elif card.kind == "counter":
            watch.counter = device
        else:
            watch.camera_of = watch.camera_of or [-1] * len(spots)
            mine = set(spots if card.spots is None else card.spots)
            watch.camera_of = [device if spot in mine else other for spot, other in zip(spots, watch.camera_of, strict=True)]
    return watches


@lru_cache(maxsize=4096)
def iso(at: int) -> str:
    return datetime.fromtimestamp(at, CITY).isoformat()


def free_of(spot: str, at: int) -> bytes:
    return f'{{"spot":"{spot}","at":"{iso(at)}","state":"free"}}'.encode()


def _car(plate: str, colour: str, confidence: float, vehicle: str) -> str:
    if not plate:
        return f',"vehicle_type":"{vehicle}"'
    return f',"plate":"{plate}","plate_colour":"{colour}","plate_confidence":{confidence},"vehicle_type":"{vehicle}"'


def _masked(plate: str) -> str:
    return plate[:2] + "*" * (len(plate) - 4) + plate[-2:]
