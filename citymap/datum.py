"""Coordinates of public maps in China: WGS-84 to GCJ-02 and BD-09 and exactly back, since a bay is 2.5 m wide.

The forward formulas are the published ones (ellipsoid of Krasovsky 1940); the way back solves them by iteration, because the
usual one-step inverse is off by metres.
"""

import math
from collections.abc import Callable
from typing import Final, Literal

Datum = Literal["wgs84", "gcj02", "bd09"]
Point = tuple[float, float]

_A: Final = 6_378_245.0
_EE: Final = 0.006_693_421_622_965_943
_BD: Final = math.pi * 3000.0 / 180.0
_CLOSE: Final = 1e-11  # Degrees: a micrometre.
_ROUNDS_MAX: Final = 30


def to_datum(datum: Datum, lon: float, lat: float) -> Point:
    """From WGS-84; places outside China are not shifted."""
    if datum == "gcj02":
        return wgs_to_gcj(lon, lat)
    return gcj_to_bd(*wgs_to_gcj(lon, lat)) if datum == "bd09" else (lon, lat)


def from_datum(datum: Datum, lon: float, lat: float) -> Point:
    """To WGS-84."""
    if datum == "gcj02":
        return gcj_to_wgs(lon, lat)
    return gcj_to_wgs(*bd_to_gcj(lon, lat)) if datum == "bd09" else (lon, lat)


def wgs_to_gcj(lon: float, lat: float) -> Point:
    if not (72.004 <= lon <= 137.8347 and 0.8293 <= lat <= 55.8271):
        return lon, lat
    x, y = lon - 105.0, lat - 35.0
    root, waves = math.sqrt(abs(x)), 20.0 * math.sin(6.0 * x * math.pi) + 20.0 * math.sin(2.0 * x * math.pi)
    north = -100.0 + 2.0 * x + 3.0 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * root
    north += (waves + 20.0 * math.sin(y * math.pi) + 40.0 * math.sin(y / 3.0 * math.pi)) * 2.0 / 3.0
    north += (160.0 * math.sin(y / 12.0 * math.pi) + 320.0 * math.sin(y * math.pi / 30.0)) * 2.0 / 3.0
    east = 300.0 + x + 2.0 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * root
    east += (waves + 20.0 * math.sin(x * math.pi) + 40.0 * math.sin(x / 3.0 * math.pi)) * 2.0 / 3.0
    east += (150.0 * math.sin(x / 12.0 * math.pi) + 300.0 * math.sin(x / 30.0 * math.pi)) * 2.0 / 3.0
    radians = math.radians(lat)
    magic = 1.0 - _EE * math.sin(radians) ** 2
    return (
        lon + math.degrees(east / (_A / math.sqrt(magic) * math.cos(radians))),
        lat + math.degrees(north / (_A * (1.0 - _EE) / (magic * math.sqrt(magic)))),
    )


def gcj_to_wgs(lon: float, lat: float) -> Point:
    return _inverse(wgs_to_gcj, lon, lat)


def gcj_to_bd(lon: float, lat: float) -> Point:
    z = math.hypot(lon, lat) + 0.00002 * math.sin(lat * _BD)
    angle = math.atan2(lat, lon) + 0.000003 * math.cos(lon * _BD)
    return z * math.cos(angle) + 0.0065, z * math.sin(angle) + 0.006


def bd_to_gcj(lon: float, lat: float) -> Point:
    return _inverse(gcj_to_bd, lon, lat)


def _inverse(forward: Callable[[float, float], Point], lon: float, lat: float) -> Point:
    """The point that `forward` moves to (lon, lat): the shift changes slowly, so stepping by what is missing converges."""
    x, y = lon, lat
    for _ in range(_ROUNDS_MAX):
        there = forward(x, y)
        dx, dy = lon - there[0], lat - there[1]
        x, y = x + dx, y + dy
        if abs(dx) < _CLOSE and abs(dy) < _CLOSE:
            break
    return x, y
