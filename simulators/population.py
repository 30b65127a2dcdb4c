"""A made-up population for the simulated departments: the same people, homes and cars for the same numbers, kept nowhere."""

import hashlib
import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from foundation import plates

TEST_AREA = "990"  # Begins no area of China (there is no 99, and no 90 behind the 9 of foreigners): nobody real has such a number.
_ENTITLED = re.compile(r"\+861380000(\d{4})")
_MOBILE = re.compile(r"\+861([3-9]\d{9})")
_ENTITLED_PLATE = re.compile(r"豫AK(\d{4})")
_SERIAL = "ABCDEFGHJKLMNPQRSTUVWXYZ0123456789"
_LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ"
_SPACE = len(plates.PROVINCES) * len(_LETTERS) * len(_SERIAL) ** 5  # Ordinary plates there can be; more than mobile numbers.
_STEP = 12_345_678_913  # Without a common divisor with _SPACE, so that numbers and plates belong to each other one to one.
_BACK = pow(_STEP, -1, _SPACE)
_FIRST_MOBILE = 3_000_000_000
_FIRST_BIRTH = date(1955, 1, 1)
_BIRTHS, _ORDERS = 17_500, 1_000  # Days on which people were born here, and numbers of one day and area.
_NUMBERS = 1_000 * _BIRTHS * _ORDERS  # Identity numbers there can be; more than mobile numbers.
_NUMBER_STEP = 9_876_543_211
_NUMBER_BACK = pow(_NUMBER_STEP, -1, _NUMBERS)

_FAMILY = "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗"
_GIVEN = "伟芳娜敏静丽强磊军洋勇艳杰娟涛明超秀霞平刚桂英华玉兰红梅建国志文博雅宁轩子涵雨晨"
_STREETS = ("农业路", "文化路", "花园路", "经三路", "东风路", "黄河路", "金水路", "陇海路", "航海路", "嵩山路")
_ZONES = tuple(f"{district}-{number:02d}" for district in ("jinshui", "erqi", "zhongyuan", "guancheng", "huiji") for number in range(1, 13))


@dataclass(frozen=True, slots=True)
class Home:
    zone: str
    address: str
    since: date


@dataclass(frozen=True, slots=True)
class Vehicle:
    """What the vehicle register knows; `owner` is a name, `owner_phone` is empty when the owner has no mobile number here."""

    plate: str
    colour: str
    vin_last6: str
    owner: str
    owner_phone: str
    registered_at: datetime


@dataclass(frozen=True, slots=True)
class Person:
    name: str
    id_no: str
    home: Home | None
    plates: tuple[Vehicle, ...]


def person_of(phone: str) -> Person:
    """Who bears this number (E.164). Whoever has +861380000NNNN lives in a zone and owns a small blue car."""
    plate = _plate_of(phone)
    return Person(
        name=_name(_dice("person", phone)),
        id_no=_number_of(phone),
        home=_home(phone),
        plates=(vehicle_of(plate),) if plate else (),
    )


def person_of_number(number: str) -> Person | None:
    """Who bears this identity number; nobody when no mobile number of the population belongs to it."""
    if len(number) != 18 or not (number[:17].isascii() and number[:17].isdigit()) or not number.startswith(TEST_AREA):
        return None
    try:
        born = date(int(number[6:10]), int(number[10:12]), int(number[12:14]))
    except ValueError:
        return None
    day = (born - _FIRST_BIRTH).days
    place = (int(number[3:6]) * _BIRTHS + day) * _ORDERS + int(number[14:17])
    phone = f"+861{place * _NUMBER_BACK % _NUMBERS + _FIRST_MOBILE}"
    return person_of(phone) if 0 <= day < _BIRTHS and _MOBILE.fullmatch(phone) and _number_of(phone) == number else None


def vehicle_of(plate: str) -> Vehicle:
    """The vehicle behind any well-formed plate in its normal form; the register knows them all."""
    dice = _dice("vehicle", plate)
    phone = _owner_of(plate)
    return Vehicle(
        plate=plate,
        colour=plates.usual_colour(plate),
        vin_last6=f"{dice % 999_999 + 1:06d}",  # Never 000000: a careless guess must not hit.
        owner=_name(_dice("person", phone) if phone else dice),
        owner_phone=phone,
        registered_at=datetime(2012, 1, 1, tzinfo=UTC) + timedelta(days=dice // 999_999 % 4000),
    )


def id_no(area: str, born: date, order: int) -> str:
    """An identity number with its check digit (GB 11643: ISO 7064 MOD 11-2)."""
    body = f"{area}{born:%Y%m%d}{order:03d}"
    total = sum(int(digit) * (2 ** (17 - place) % 11) for place, digit in enumerate(body))
    return body + "10X98765432"[total % 11]


def _number_of(phone: str) -> str:
    """Mobile numbers and identity numbers belong to each other one to one; who has another phone is in no register."""
    mobile = _MOBILE.fullmatch(phone)
    place = (int(mobile[1]) - _FIRST_MOBILE) * _NUMBER_STEP % _NUMBERS if mobile else _dice("number", phone) % _NUMBERS
    rest, order = divmod(place, _ORDERS)
    area, day = divmod(rest, _BIRTHS)
    return id_no(f"{TEST_AREA}{area:03d}", _FIRST_BIRTH + timedelta(days=day), order)


def _home(phone: str) -> Home | None:
    """Three in ten who are not among the entitled live outside of the city, and housing knows that there is none."""
    dice = _dice("home", phone)
    entitled = _ENTITLED.fullmatch(phone)
    if not entitled and dice % 10 < 3:
        return None
    address = (
        f"{_STREETS[dice // 10 % len(_STREETS)]}{dice // 100 % 200 + 1}号院{dice // 20_000 % 30 + 1}号楼{dice // 600_000 % 900 + 101}室"
    )
    since = date(2015, 1, 1) + timedelta(days=dice // 90_000 % 3650)
    return Home(_ZONES[dice // 7 % len(_ZONES)], address, since)


def _plate_of(phone: str) -> str:
    entitled = _ENTITLED.fullmatch(phone)
    if entitled:
        return f"豫AK{entitled[1]}"
    mobile = _MOBILE.fullmatch(phone)
    if not mobile or _dice("car", phone) % 3 == 0:  # A third has no car.
        return ""
    plate = _written((int(mobile[1]) - _FIRST_MOBILE) * _STEP % _SPACE)
    return "" if _ENTITLED_PLATE.fullmatch(plate) else plate


def _owner_of(plate: str) -> str:
    """The number of the owner: `_plate_of` backwards."""
    entitled = _ENTITLED_PLATE.fullmatch(plate)
    if entitled:
        return f"+861380000{entitled[1]}"
    place = _read(plate)
    number = _FIRST_MOBILE + place * _BACK % _SPACE if place is not None else 0
    phone = f"+861{number}"
    return phone if _MOBILE.fullmatch(phone) and _plate_of(phone) == plate else ""


def _written(place: int) -> str:
    serial = ""
    for _ in range(5):
        place, sign = divmod(place, len(_SERIAL))
        serial += _SERIAL[sign]
    province, letter = divmod(place, len(_LETTERS))
    return plates.PROVINCES[province] + _LETTERS[letter] + serial


def _read(plate: str) -> int | None:
    """The place of an ordinary plate among all; None for every other form."""
    if len(plate) != 7 or plate[0] not in plates.PROVINCES or plate[1] not in _LETTERS or set(plate[2:]) - set(_SERIAL):
        return None
    place = plates.PROVINCES.index(plate[0]) * len(_LETTERS) + _LETTERS.index(plate[1])
    for sign in reversed(plate[2:]):
        place = place * len(_SERIAL) + _SERIAL.index(sign)
    return place


def _name(dice: int) -> str:
    rest = dice // len(_FAMILY)
    first, second = rest % len(_GIVEN), rest // len(_GIVEN) % len(_GIVEN)
    return _FAMILY[dice % len(_FAMILY)] + _GIVEN[first] + (_GIVEN[second] if rest // 4096 % 4 else "")


def _dice(*parts: str) -> int:
    return int.from_bytes(hashlib.blake2b("\x1f".join(parts).encode(), digest_size=8).digest(), "big")


def card_of_plate(plate: str) -> dict[str, str]:
    """What a vehicle's papers say."""
    car = vehicle_of(plates.normal_plate(plate))
    return {"plate": car.plate, "colour": car.colour, "vin_last6": car.vin_last6, "owner": car.owner}


def card_of_phone(phone: str) -> dict[str, object]:
    """What the registers together know of whoever bears a number."""
    person = person_of(phone)
    home = {"zone": person.home.zone, "address": person.home.address} if person.home else None
    cars = [{"plate": car.plate, "colour": car.colour, "vin_last6": car.vin_last6} for car in person.plates]
    return {"name": person.name, "id_no": person.id_no, "home": home, "plates": cars}
