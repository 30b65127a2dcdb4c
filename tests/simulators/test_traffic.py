"""The simulated city by itself: the same for the same seed, physically possible, priced right by its own arithmetic."""

import asyncio
import itertools
import json
import random
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from foundation import plates
from parking.tariffs import price_stay, publish_tariff
from parking.tariffs.calendar import official
from parking.tariffs.model import Stay as Priced
from simulators.traffic import cars, faults, prices
from simulators.traffic.demand import Demand
from simulators.traffic.dice import Dice
from simulators.traffic.faults import ALL, NONE, Knobs, StrangeFault, knobs_of
from simulators.traffic.life import Happening, Life
from simulators.traffic.places import Card, Place, read_places, wishes_of
from simulators.traffic.street import Account, CityClock, Device
from simulators.traffic.witness import Told, Witness

import importlib.util  # isort: skip

_spec = importlib.util.spec_from_file_location("little_city", Path(__file__).with_name("little_city.py"))
assert _spec is not None and _spec.loader is not None
little = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(little)

MORNING = int(datetime(2026, 3, 2, 1, 30, tzinfo=UTC).timestamp())
HOUR = 3600


def places() -> list[Place]:
    return read_places(json.dumps(little.little_city(12, 40)).encode())


def cards(found: list[Place]) -> list[Card]:
    return [
        Card(one["device"], "secret", f"onelot/1/zhengzhou/{one['site']}/{one['device']}", "127.0.0.1", 1883, one["kind"],
             tuple(one.get("lanes", ())), one.get("spots") and tuple(one["spots"]))
        for one in wishes_of(found)
    ]  # fmt: skip


def lived(seed: int, knobs: Knobs = NONE, hours: int = 3) -> tuple[list[Told], Witness, list[Happening], Life]:
    found = places()
    life = Life(found, seed=seed, began_at=MORNING, accounts=10)
    witness = Witness(found, cards(found), knobs=knobs, seed=seed, began_at=MORNING, seconds=hours * HOUR)
    told = list(witness.open(life.open()))
    happened = list(life.until(MORNING + hours * HOUR))
    return told + [reading for one in happened for reading in witness.see(one)], witness, happened, life


def test_the_same_seed_is_the_same_traffic_with_the_same_faults() -> None:
    one, first, *_ = lived(7, ALL)
    two, second, *_ = lived(7, ALL)
    other, *_ = lived(8, ALL)

    assert one == two and first.ledger.faults == second.ledger.faults
    assert one != other


def test_no_bay_holds_two_cars_and_no_car_is_in_two_places() -> None:
    *_, life = lived(3)
    spans: dict[Any, list[tuple[int, int]]] = {}
    for stay in life.stays.values():
        spans.setdefault(stay.car.plate, []).append((stay.entered_at, stay.left_at))
        if stay.spot >= 0:
            spans.setdefault((stay.site, stay.spot), []).append((stay.entered_at, stay.left_at))

    overlapping = [
        name for name, held in spans.items() for one, two in zip(sorted(held), sorted(held)[1:], strict=False) if one[1] >= two[0]
    ]
    assert overlapping == []
    assert len(life.stays) > 500


def test_cars_pass_a_gate_one_behind_the_other() -> None:
    *_, life = lived(3)
    gated = {number for number, place in enumerate(life.places) if place.gated}
    for ends in (
        [(stay.site, stay.entered_at) for stay in life.stays.values()],
        [(stay.site, stay.left_at) for stay in life.stays.values() if stay.gone],
    ):
        passed = [end for end in ends if end[0] in gated]
        assert len(passed) == len(set(passed)) > 100


def test_cars_stood_there_before_it_began_and_no_site_holds_more_than_fit() -> None:
    _, _, happened, life = lived(5)
    early = [stay for stay in life.stays.values() if stay.entered_at < MORNING]

    assert len(early) > 100 and min(stay.entered_at for stay in early) >= MORNING - 8 * HOUR
    assert all(0 <= life.inside(number) <= place.room for number, place in enumerate(life.places))
    assert [one.at for one in happened] == sorted(one.at for one in happened)


def test_a_stadium_evening_and_rain_change_who_comes() -> None:
    demand, hall = Demand(1), Place("hall", "surface", "gates", "lot", 100, "stadium")
    street = Place("street", "on_street", "spots", "street", 0, "mixed", spots=[str(number) for number in range(100)])
    evenings = [MORNING - MORNING % 86_400 + day * 86_400 + 10 * HOUR for day in range(400)]  # 18:00 in the city.
    rates = {demand.weather(at).stadium: demand.rate(hall, at) for at in evenings if not demand.weather(at).rain}
    wet = [demand.rate(street, at) for at in evenings if (rain := demand.weather(at).rain) and rain[0] <= 18 < rain[1]]

    assert rates[True] == pytest.approx(6 * rates[False], rel=0.5)
    assert wet and max(wet) < max(demand.rate(street, at) for at in evenings if not demand.weather(at).rain)


def test_plates_are_plates_and_each_car_has_its_own() -> None:
    found = [cars.car_of(number, 1) for number in range(30_000)]

    assert len({(car.plate, car.colour) for car in found}) == len(found)
    assert {plates.plate_fault(car.plate, car.colour) for car in found} == {None}
    assert {car.colour for car in found} == {"blue", "green", "yellow"}


@pytest.mark.parametrize("text", [little.STREET, little.LOT])
def test_the_simulators_own_arithmetic_and_the_platforms_agree_to_the_fen(text: str) -> None:
    rule, mine, chance = publish_tariff.checked(text), prices.read_tariff(text), random.Random(4)
    for _ in range(400):
        came = MORNING + chance.randrange(7 * 86_400)
        left = came + chance.randrange(chance.choice([3000, 20_000, 3 * 86_400]))
        stay = Priced(datetime.fromtimestamp(came, UTC), datetime.fromtimestamp(left, UTC))
        assert prices.price(mine, came, left) == price_stay.price_stay(rule, stay, official()).total


def test_a_tariff_with_words_beyond_its_arithmetic_is_refused_by_name() -> None:
    with pytest.raises(prices.CannotPrice, match="discounts"):
        prices.read_tariff(little.LOT + "discounts: [{if: energy, is: new, percent: 50}]\n")


def test_knobs_are_read_and_strange_ones_refused() -> None:
    assert knobs_of("all") == ALL and knobs_of("none") == NONE
    assert knobs_of("missed_exit=0.5,duplicate") == Knobs(missed_exit=0.5, duplicate=ALL.duplicate)
    for text in ("missing_exit", "misread=2", "misread=often"):
        with pytest.raises(StrangeFault):
            knobs_of(text)


def test_a_misread_plate_is_one_glyph_of_the_confusion_table_away() -> None:
    dice = Dice("misreadings")
    for plate in ("豫A8D017", "豫V12345", "豫AD51220"):
        wrong = faults.misread(plate, dice)
        assert wrong != plate and plates.near_plates(plate, wrong)
    assert faults.misread("豫AXYWCE", dice) == "豫AXYWCE"


def test_every_fault_of_a_stay_is_written_down_with_the_stays_it_touches() -> None:
    told, witness, happened, _ = lived(2, Knobs(missed_exit=1.0))
    missed = [fault for fault in witness.ledger.faults if fault.kind == "missed_exit"]

    assert len(missed) == sum(one.what == "leaves" for one in happened)
    assert not [one for one in told if one.about % 2 == 1 and one.about >= 0]
    assert all(witness.ledger.kinds_of(fault.stays) == ["missed_exit"] for fault in missed)


def test_a_clone_wears_the_plate_of_a_car_that_is_parked_elsewhere() -> None:
    _, witness, _, life = lived(2, Knobs(cloned_plate=0.1))
    cloned = [fault for fault in witness.ledger.faults if fault.kind == "cloned_plate"]

    assert cloned
    for fault in cloned:
        clone, victim = (life.stays[number] for number in fault.stays[:2])
        assert victim.site != clone.site and victim.entered_at < clone.entered_at < victim.left_at


def test_a_clone_wears_a_plate_that_was_read_where_its_car_is() -> None:
    told, witness, _, life = lived(2, Knobs(cloned_plate=0.1, missed_entry=0.3, misread=0.3, no_plate=0.2, dying=0.3))
    read = {one.about for one in told if not witness.dead(one)}
    spoiled, misread = {"missed_entry", "no_plate"}, [one for one in witness.ledger.faults if one.kind == "misread"]

    for fault in [fault for fault in witness.ledger.faults if fault.kind == "cloned_plate"]:
        victim = life.stays[fault.stays[1]]
        mine = {witness.ledger.faults[number].kind for number in witness.ledger.of_stay(victim.number)}
        assert 2 * victim.number in read and not mine & spoiled
        assert not [one for one in misread if (one.at, one.stays[0]) == (victim.entered_at, victim.number)]


def test_the_car_after_one_that_left_a_bay_unseen_is_seen_with_its_plate() -> None:
    told, witness, _, life = lived(2, Knobs(missed_exit=0.5, missed_entry=0.5, no_plate=0.5, misread=0.5))
    bodies = {one.about: one.body.decode() for one in told}
    by_bay: dict[tuple[int, int], list[int]] = {}
    for stay in sorted(life.stays.values(), key=lambda one: one.entered_at):
        if stay.spot >= 0:
            by_bay.setdefault((stay.site, stay.spot), []).append(stay.number)
    after = [
        two
        for numbers in by_bay.values()
        for one, two in itertools.pairwise(numbers)
        if any(witness.ledger.faults[number].kind == "missed_exit" for number in witness.ledger.of_stay(one))
    ]

    assert len(after) > 20 and all(life.stays[number].car.plate in bodies[2 * number] for number in after)


def device(ledger: faults.Ledger, speed: float = 1.0) -> Device:
    clock = CityClock(float(MORNING), time.time(), speed)
    return Device(cards(places())[0], faults.Trouble(), clock, Account(), ledger, asyncio.Semaphore(1))


def test_what_a_device_has_not_got_acknowledged_is_told_of_its_stays_until_it_dies() -> None:
    camera = device(faults.Ledger())
    for about in (-1, 14, 15, 20):
        camera.say(Told(MORNING, 0, "spots", b"{}", about, 3))
    assert camera.unsaid() == {7, 10}

    camera.die()

    assert camera.unsaid() == set()


def test_what_dies_unsaid_with_its_device_is_blamed_on_its_death() -> None:
    _, witness, *_ = lived(2, Knobs(dying=1.0))

    witness.dies(3, {41})

    assert (
        witness.ledger.kinds_of([41]) == ["dying"]
        and witness.ledger.faults[witness.ledger.of_stay(41)[0]].device == witness.cards[3].device
    )


@pytest.mark.parametrize(("seconds", "speed", "what"), [(0.9, 1, None), (2.4, 1, "3 s"), (0.2, 120, None), (0.3, 120, "36 s")])
def test_a_line_is_slow_when_the_platform_may_take_it_for_an_error_of_the_clock(seconds: float, speed: float, what: str | None) -> None:
    ledger = faults.Ledger()
    device(ledger, speed)._slow_line(seconds)

    assert [(fault.kind, fault.what) for fault in ledger.faults] == ([("slow_line", what)] if what else [])
