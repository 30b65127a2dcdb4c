"""Whole cities on paper: whatever goes wrong on the street, nobody is charged more than the truth and all of it is named."""

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType

import pytest

from foundation import seal
from simulators.traffic import prices
from simulators.traffic.faults import ALL, NONE, Knobs, knobs_of
from simulators.traffic.places import read_places


def beside(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    assert spec is not None and spec.loader is not None
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


little, paper = beside("little_city"), beside("paper")
FOUND = read_places(json.dumps(little.little_city(24, 30)).encode())
TARIFFS = {tariff.code: tariff for tariff in (prices.read_tariff(little.STREET), prices.read_tariff(little.LOT))}
BEGAN = 1_794_996_000
HEAVY = knobs_of(
    "missed_exit=0.1,missed_entry=0.05,misread=0.12,no_plate=0.06,cloned_plate=0.05,duplicate=0.1,reorder=0.15,"
    "offline=0.4,dying=0.1,clock_skew=0.4,clock_jump=0.4"
)
EYES = knobs_of("missed_exit=0.15,missed_entry=0.08,misread=0.15,no_plate=0.1,cloned_plate=0.08,duplicate=0.1,reorder=0.15")
KINDS = {
    "none": NONE, "all": ALL, "heavy": HEAVY, "eyes": EYES, "skew": Knobs(clock_skew=0.6), "jump": Knobs(clock_jump=0.8),
    "jump and wait": Knobs(clock_jump=0.8, reorder=0.3, offline=0.4), "offline": Knobs(offline=0.8, reorder=0.2),
}  # fmt: skip


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> seal.Keys:
    return seal.Keys(tmp_path_factory.mktemp("keys") / "keys.json")


@pytest.mark.parametrize("net", ["REST", "LOADED"])
@pytest.mark.parametrize("kind", KINDS)
def test_nobody_is_charged_more_than_the_truth_and_every_difference_is_named(keys: seal.Keys, kind: str, net: str) -> None:
    for seed in range(3):
        began_at = BEGAN + seed * (5 * 3600 + 137)
        found, *_ = paper.judged(
            FOUND, TARIFFS, keys, knobs=KINDS[kind], seed=seed, began_at=began_at, minutes=60, net=getattr(paper, net)
        )  # fmt: skip

        assert (found.too_high, found.wrongly_taken) == (0, 0), seed
        assert (found.unexplained, found.lost, found.doubled) == ([], 0, 0), seed
        assert found.above_zero > 5


@pytest.mark.parametrize(
    ("kind", "net", "seed", "began_at"),
    [
        ("all", "LOADED", 2033, 1_833_872_121),  # A clone was still there when the car whose plate it wears had come to the next place.
        # A going and the next coming waited while the clock was set, and were put before the stay that they end.
        ("jump and wait", "LOADED", 2093, 1_834_960_341),
    ],
)
def test_cities_that_were_wrong_once(keys: seal.Keys, kind: str, net: str, seed: int, began_at: int) -> None:
    found, *_ = paper.judged(FOUND, TARIFFS, keys, knobs=KINDS[kind], seed=seed, began_at=began_at, minutes=60, net=getattr(paper, net))

    assert (found.too_high, found.wrongly_taken, found.unexplained) == (0, 0, [])


def test_without_faults_a_slow_line_shifts_no_bill(keys: seal.Keys) -> None:
    found, *_ = paper.judged(FOUND, TARIFFS, keys, knobs=NONE, seed=6, began_at=BEGAN + 6 * (5 * 3600 + 137), minutes=60, net=paper.LOADED)

    assert found.bills_wrong == 0 and {tuple(one.by) for one in found.differences} == {("slow_line",)}
