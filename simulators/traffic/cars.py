"""Cars with plates as they are seen on the streets of Zhengzhou: mostly blue ones of the city, green ones, some from elsewhere."""

from dataclasses import dataclass

from simulators import population

_SIGNS = "ABCDEFGHJKLMNPQRSTUVWXYZ0123456789"
_CLASSES = "DFAGBHCJEK"
_ELSEWHERE = ("豫B", "豫C", "豫G", "豫H", "豫K", "豫N", "豫P", "豫Q", "豫R", "冀A", "晋A", "鲁A", "京N", "沪A", "苏E", "浙A", "陕A", "鄂A")
_SERIALS = len(_SIGNS) ** 5
_STEP = 19_260_817  # Shares no divisor with the number of serials: cars one after the other have plates all over the place.
_GREEN_SERIALS = 34 * 10_000
STREET_NUMBERS = 9_000  # Account numbers begin at +8613800001000; those below are other people's.


@dataclass(frozen=True, slots=True)
class Car:
    """`account` is the number of the driver with an account, -1 for everybody else."""

    plate: str
    colour: str
    type: str
    account: int = -1


def car_of(number: int, seed: int) -> Car:
    """The car with that number: each number another plate."""
    kind = number * 37 % 100
    if kind < 22:
        return Car(_green(number, seed), "green", "small")
    if kind < 25:
        return Car(_written("豫A", number, seed), "yellow", "large")
    if kind < 34:
        return Car(_written(_ELSEWHERE[number % len(_ELSEWHERE)], number, seed), "blue", "small")
    return Car(_written("豫V" if kind < 44 else "豫A", number, seed), "blue", "small")


def _green(number: int, seed: int) -> str:
    sheet, place = divmod(number, _GREEN_SERIALS)
    sign, digits = divmod((place + seed * 7919) * 99_991 % _GREEN_SERIALS, 10_000)
    return f"豫A{_CLASSES[sheet % len(_CLASSES)]}{_SIGNS[sign]}{digits:04d}"


def _written(head: str, number: int, seed: int) -> str:
    place = (number + seed * 104_729) * _STEP % _SERIALS
    serial = ""
    for _ in range(5):
        place, sign = divmod(place, len(_SIGNS))
        serial += _SIGNS[sign]
    if head == "豫A" and serial[0] == "K":
        head = "豫E"  # 豫AK and four digits belong to the people of the registers.
    return head + serial


def phone_of(account: int) -> str:
    return f"+861380000{1000 + account % STREET_NUMBERS:04d}"


def car_of_account(account: int) -> Car:
    """The car that the vehicle register knows under the account's number."""
    held = population.person_of(phone_of(account)).plates[0]
    return Car(held.plate, held.colour, "small", account)
