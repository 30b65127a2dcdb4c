"""The shape of a measured row, the same for all files here."""

from typing import TypedDict


class Row(TypedDict):
    """`value` is ours, `baseline` the peer's, `ratio` what the goal speaks of; what cannot run has no value and says why."""

    name: str
    value: float | None
    unit: str
    baseline: float | None
    ratio: float | None
    goal: float | None
    met: bool | None
    note: str


def measured(name: str, value: float, unit: str, note: str, *, goal: float | None = None) -> Row:
    """A figure that must not exceed its goal, or has none."""
    met = None if goal is None else value <= goal
    return Row(name=name, value=value, unit=unit, baseline=None, ratio=None, goal=goal, met=met, note=note)


def compared(name: str, value: float, baseline: float, unit: str, note: str, *, goal: float) -> Row:
    """A figure as a multiple of a peer's in the same run."""
    ratio = value / baseline
    return Row(name=name, value=value, unit=unit, baseline=baseline, ratio=ratio, goal=goal, met=ratio >= goal, note=note)


def cannot(name: str, unit: str, why: str, *, goal: float | None = None) -> Row:
    return Row(name=name, value=None, unit=unit, baseline=None, ratio=None, goal=goal, met=None, note=f"cannot run here: {why}")
