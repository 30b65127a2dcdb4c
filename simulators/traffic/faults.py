"""What goes wrong in a street, by knobs, and the account of each fault that was injected. Pure."""

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass, field

from simulators.traffic.dice import Dice

LOOK_ALIKE = ("0DQ", "8B", "17T", "2Z", "5S")  # The confusion table: what cameras take one glyph of a plate for.
_GROUP = {glyph: group for group in LOOK_ALIKE for glyph in group}
OF_DEVICES = ("offline", "dying", "clock_skew", "clock_jump")
SLOW_LINE, UNACKNOWLEDGED = "slow_line", "unacknowledged"  # Nobody put them in: the devices' own account of a platform that is overloaded.


class StrangeFault(ValueError):
    """A fault that there is none of, or a share that is none."""


@dataclass(frozen=True, slots=True)
class Knobs:
    """Shares from 0 to 1: of stays the first line, of readings the second, of devices the third."""

    missed_exit: float = 0.0
    missed_entry: float = 0.0
    misread: float = 0.0
    no_plate: float = 0.0
    cloned_plate: float = 0.0
    duplicate: float = 0.0
    reorder: float = 0.0
    offline: float = 0.0
    dying: float = 0.0
    clock_skew: float = 0.0
    clock_jump: float = 0.0

    def any(self) -> bool:
        return any(dataclasses.astuple(self))


NONE = Knobs()
ALL = Knobs(
    missed_exit=0.01, missed_entry=0.01, misread=0.02, no_plate=0.01, cloned_plate=0.003, duplicate=0.03, reorder=0.03, offline=0.05,
    dying=0.01, clock_skew=0.08, clock_jump=0.03,
)  # fmt: skip
NAMES = tuple(one.name for one in dataclasses.fields(Knobs))


def knobs_of(text: str) -> Knobs:
    """`all`, `none`, or names with shares: `missed_exit=0.05,duplicate`; a name alone takes the share of `all`. Raises StrangeFault."""
    if text in ("all", "none", ""):
        return ALL if text == "all" else NONE
    given: dict[str, float] = {}
    for part in text.split(","):
        name, _, share = part.strip().partition("=")
        if name not in NAMES:
            raise StrangeFault(f"there is no fault {name!r}; there are {', '.join(NAMES)}")
        try:
            given[name] = float(share) if share else getattr(ALL, name)
        except ValueError:
            raise StrangeFault(f"{name} takes a share from 0 to 1, not {share!r}") from None
        if not 0 <= given[name] <= 1:
            raise StrangeFault(f"{name} takes a share from 0 to 1, not {share}")
    return Knobs(**given)


@dataclass(slots=True)
class Fault:
    """One injected fault: where, when, and the stays whose readings it touches."""

    kind: str
    at: int
    device: str
    stays: list[int] = field(default_factory=list)
    what: str = ""


class Ledger:
    """All faults of a run, and which of them touch a stay or a device."""

    def __init__(self) -> None:
        self.faults: list[Fault] = []
        self._of_stay: dict[int, list[int]] = {}
        self._of_device: dict[str, list[int]] = {}

    def add(self, kind: str, at: int, device: str, stays: Iterable[int] = (), what: str = "") -> int:
        number = len(self.faults)
        self.faults.append(Fault(kind, at, device, [], what))
        for stay in stays:
            self.touch(number, stay)
        if kind in OF_DEVICES:
            self._of_device.setdefault(device, []).append(number)
        return number

    def touch(self, number: int, stay: int) -> None:
        held = self._of_stay.setdefault(stay, [])
        if number not in held:
            held.append(number)
            self.faults[number].stays.append(stay)

    def of_stay(self, stay: int) -> list[int]:
        return self._of_stay.get(stay, [])

    def of_device(self, device: str) -> list[int]:
        return self._of_device.get(device, [])

    def kinds_of(self, stays: Iterable[int]) -> list[str]:
        return sorted({self.faults[number].kind for stay in stays for number in self.of_stay(stay)})


def misread(plate: str, dice: Dice) -> str:
    """The plate with one glyph of its serial taken for a look-alike; the same plate when it has none that could be."""
    places = [place for place in range(2, len(plate)) if plate[place] in _GROUP]
    if not places:
        return plate
    place = dice.one_of(places)
    others = [glyph for glyph in _GROUP[plate[place]] if glyph != plate[place]]
    return plate[:place] + dice.one_of(others) + plate[place + 1 :]


@dataclass(frozen=True, slots=True)
class Trouble:
    """What is wrong with one device in this run. Times are of the city; windows are half-open."""

    skew: int = 0
    jump_at: int = 0
    jump: int = 0
    offline: tuple[int, int] | None = None
    dies_at: int | None = None

    def clock(self, at: int) -> int:
        """What its clock shows."""
        return at + self.skew + (self.jump if self.jump and at >= self.jump_at else 0)

    def dead(self, at: int) -> bool:
        return self.dies_at is not None and at >= self.dies_at

    def cut_off(self, at: int) -> bool:
        return self.offline is not None and self.offline[0] <= at < self.offline[1]


def trouble_of(device: str, knobs: Knobs, *, seed: int, began_at: int, seconds: int) -> Trouble:
    """Drawn for each device by itself, so that another device more changes nothing for this one."""
    dice = Dice(seed, "trouble", device)
    skew = dice.between(20, 900) * dice.one_of((-1, 1)) if dice.chance(knobs.clock_skew) else 0
    jump_at = began_at + dice.between(seconds // 5, max(seconds * 3 // 5, 1))
    jump = dice.between(60, 3600) * dice.one_of((-1, 1)) if dice.chance(knobs.clock_jump) else 0
    start = began_at + dice.between(seconds // 6, max(seconds // 2, 1))
    offline = (start, start + dice.between(90, 240)) if dice.chance(knobs.offline) else None
    dies_at = began_at + dice.between(seconds // 3, max(seconds * 2 // 3, 1)) if dice.chance(knobs.dying) else None
    return Trouble(skew, jump_at, jump, offline, dies_at)
