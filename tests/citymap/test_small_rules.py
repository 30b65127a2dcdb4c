"""Coordinates, opening hours, boxes and cells: small rules with sharp edges."""

import random
from datetime import datetime

import numpy as np
import pytest

from citymap import areas
from citymap.datum import from_datum, gcj_to_wgs, to_datum, wgs_to_gcj
from citymap.gates import Count, Inside, Passage
from citymap.grid import METRES_PER_DEGREE, Grid
from citymap.model import Bounds, instant, micros
from citymap.opening_hours import is_open
from foundation.errors import Invalid
from tests.citymap.city import T0, at


def metres(one: tuple[float, float], two: tuple[float, float]) -> float:
    return float(np.hypot((one[0] - two[0]) * 0.82, one[1] - two[1])) * METRES_PER_DEGREE


@pytest.mark.parametrize("point", [(113.4721, 34.2108), (113.6660, 34.7530)])
def test_there_and_back_moves_a_bay(point: tuple[float, float]) -> None:
    assert 100 < metres(wgs_to_gcj(*point), point) < 1000
    assert metres(gcj_to_wgs(*wgs_to_gcj(*point)), point) < 0.01


@pytest.mark.parametrize("datum", ["gcj02", "bd09"])
def test_ten_times_there_and_back_moves_no_point_of_the_city(datum: str) -> None:
    dice = random.Random(7)
    for _ in range(1000):
        point = start = (dice.uniform(112.7, 114.2), dice.uniform(34.2, 35.0))
        for _ in range(10):
            point = from_datum(datum, *to_datum(datum, *point))  # type: ignore[arg-type]
        assert metres(point, start) < 0.01


def test_the_forward_formulas_give_published_values() -> None:
    assert wgs_to_gcj(116.404, 39.915) == pytest.approx((116.41024449916938, 39.91640428150164), abs=1e-9)
    assert to_datum("bd09", 116.404, 39.915) == pytest.approx((116.41662724378733, 39.922699552216216), abs=1e-7)
    assert to_datum("gcj02", 2.35, 48.85) == (2.35, 48.85)


@pytest.mark.parametrize(
    ("text", "when", "expected"),
    [
        ("24/7", "2026-03-02T03:00", True),
        ("Mo-Su 07:00-22:00", "2026-03-02T06:59", False),
        ("Mo-Su 07:00-22:00", "2026-03-02T07:00", True),
        ("Mo-Su 07:00-22:00", "2026-03-02T22:00", False),
        ("07:00-22:00", "2026-03-08T12:00", True),
        ("Mo-Fr 08:00-18:00; Sa 09:00-12:00", "2026-03-07T11:00", True),
        ("Mo-Fr 08:00-18:00; Sa 09:00-12:00", "2026-03-08T11:00", False),
        ("Mo-Su 18:00-02:00", "2026-03-03T01:30", True),
        ("Mo 18:00-02:00", "2026-03-03T01:30", True),
        ("Mo 18:00-02:00", "2026-03-02T01:30", False),
        ("Sa,Su 10:00-12:00,14:00-16:00", "2026-03-07T13:00", False),
        ("Fr-Mo 10:00-12:00", "2026-03-08T11:00", True),
        ("Mo-Su 07:00-22:00; Su off", "2026-03-08T12:00", False),
        ("", "2026-03-02T12:00", None),
        ("sunrise-sunset", "2026-03-02T12:00", None),
        ("Mo-Fr 8-18", "2026-03-02T12:00", None),
    ],
)
def test_opening_hours_say_yes_no_or_that_nobody_knows(text: str, when: str, expected: bool | None) -> None:
    assert is_open(text, datetime.fromisoformat(when)) is expected


def test_columns_hold_every_microsecond() -> None:
    for step in range(1000):
        moment = at(step * 1234.567891 + 1e-6 * step)
        assert instant(micros(moment)) == moment


@pytest.mark.parametrize(
    "box", [(113.7, 34.7, 113.6, 34.8), (113.6, 34.8, 113.7, 34.7), (-181, 0, 1, 1), (0, 0, float("nan"), 1), (0, 0, 1, 91)]
)
def test_a_box_that_is_none_is_refused(box: tuple[float, float, float, float]) -> None:
    with pytest.raises(Invalid):
        areas.bounds_of(box, "/bbox")


def test_a_box_is_measured_in_square_kilometres() -> None:
    assert areas.square_kilometres(Bounds(113.66, 34.75, 113.67, 34.76)) == pytest.approx(1.016, abs=0.002)


def test_cells_answer_boxes_as_comparisons_do_and_bear_stray_points() -> None:
    dice = np.random.default_rng(5)
    lon, lat = dice.uniform(113.5, 113.9, 2000), dice.uniform(34.5, 34.9, 2000)
    lon[0], lat[0] = -120.0, -40.0
    grid = Grid(lon, lat)

    for w, s, e, n in [(113.6, 34.6, 113.61, 34.7), (-180, -90, 180, 90), (113.5, 34.5, 113.5, 34.5), (0, 0, 1, 1), (114, 35, 115, 36)]:
        expected = np.nonzero((lon >= w) & (lon <= e) & (lat >= s) & (lat <= n))[0]
        assert grid.box(w, s, e, n).tolist() == expected.tolist()


def test_a_fold_never_parts_the_passages_of_one_car() -> None:
    inside = Inside(Count(micros(T0), 1, "cnt", b"", 10, None))
    for second in (100.0, 101.0, 102.0):
        inside.passed(Passage(micros(at(second)), f"{second}".encode(), 1 if second != 101 else -1, b"plate"))

    assert inside.fold(micros(at(101.5))) is None
    assert inside.occupied() == 11
    assert inside.fold(micros(at(110))) == micros(at(110))
    assert (inside.occupied(), inside.passages) == (11, {})
