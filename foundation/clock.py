"""Two clocks: city time for what happens in the city, wall time for tokens, limits and keep-alive."""

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

CITY_ZONE = ZoneInfo("Asia/Shanghai")


@dataclass(frozen=True, slots=True)
class Clock:
    """City time runs `speed` times as fast as the wall from one instant on, chosen once when a city is first started."""

    speed: float = 1.0
    since: datetime = datetime(2020, 1, 1, tzinfo=UTC)

    def wall(self) -> datetime:
        return datetime.now(UTC)

    def city(self) -> datetime:
        return self.city_at(datetime.now(UTC))

    def city_at(self, wall: datetime) -> datetime:
        return wall if self.speed == 1.0 else self.since + (wall - self.since) * self.speed

    def monotonic(self) -> float:
        return time.monotonic()


def local(at: datetime) -> datetime:
    """The city's own reading of an instant: its day and hour decide tariffs."""
    return at.astimezone(CITY_ZONE)


def rfc3339(at: datetime) -> str:
    """RFC 3339 in the city's offset, without fractions that nobody measured."""
    at = at.astimezone(CITY_ZONE)
    return at.isoformat(timespec="milliseconds" if at.microsecond else "seconds")


def whole_seconds(at: datetime) -> datetime:
    return at.replace(microsecond=0)


def seconds(number: float) -> timedelta:
    return timedelta(seconds=number)
