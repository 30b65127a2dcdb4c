"""The made-up population: the same for the same number, and nobody in it can be a real person."""

from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foundation import plates
from simulators import population

phones = st.integers(3_000_000_000, 9_999_999_999).map(lambda number: f"+861{number}")


@given(phones)
def test_a_number_has_the_same_person_every_time(phone: str) -> None:
    assert population.person_of(phone) == population.person_of(phone)


@given(st.integers(0, 9999))
def test_whoever_has_an_entitled_number_lives_in_a_zone_and_owns_a_small_car(number: int) -> None:
    person = population.person_of(f"+861380000{number:04d}")

    assert person.home is not None and person.home.zone and person.home.address
    assert [(car.colour, car.owner) for car in person.plates] == [("blue", person.name)]


@given(phones)
def test_the_register_of_vehicles_and_the_people_agree(phone: str) -> None:
    for car in population.person_of(phone).plates:
        assert car == population.vehicle_of(car.plate)
        assert car.owner_phone == phone and car.owner == population.person_of(phone).name
        assert plates.plate_fault(car.plate, car.colour) is None


@given(st.integers(0, population._SPACE - 1))
def test_every_ordinary_plate_has_one_vehicle_and_at_most_one_owner(place: int) -> None:
    plate = population._written(place)
    car = population.vehicle_of(plate)

    assert population._read(plate) == place
    assert car.vin_last6 != "000000" and len(car.vin_last6) == 6
    assert not car.owner_phone or [mine.plate for mine in population.person_of(car.owner_phone).plates] == [plate]


@given(phones)
def test_identity_numbers_are_well_formed_and_of_no_area(phone: str) -> None:
    number = population.person_of(phone).id_no
    total = sum((10 if sign == "X" else int(sign)) * (2 ** (17 - place) % 11) for place, sign in enumerate(number))

    assert number.startswith("990") and len(number) == 18
    assert total % 11 == 1
    assert date(1955, 1, 1) <= datetime.strptime(number[6:14], "%Y%m%d").replace(tzinfo=UTC).date() < date(2003, 1, 1)


@given(phones)
def test_whoever_is_told_a_number_finds_the_same_person(phone: str) -> None:
    person = population.person_of(phone)

    assert population.person_of_number(person.id_no) == person


@pytest.mark.parametrize("number", ["", "x" * 18, "110101199003078515", "990000199002300120", "99000018991231001X", "9900001990101501２6"])
def test_a_number_of_nobody_finds_nobody(number: str) -> None:
    assert population.person_of_number(number) is None


def test_the_check_digit_is_that_of_the_field() -> None:
    assert population.id_no("990000", date(1990, 10, 15), 12) == "990000199010150126"
    assert population.id_no("990000", date(1990, 10, 15), 2) == "99000019901015002X"
