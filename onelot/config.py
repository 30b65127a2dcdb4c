"""The environment and the flags, read once: nothing else reads either."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path

_CITY = re.compile("[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?")
_SCHEMES = {
    "public_url": ("https://", "http://"),
    "postgres_url": ("postgresql://", "postgres://"),
    "redis_url": ("redis://", "rediss://", "unix://"),
}
ERASURES = "erasures.txt"  # In the data directory, beside the keys.
LOOPBACK = ("127.0.0.1", "localhost", "::1")


class Misused(Exception):
    """Wrong use: one sentence for whoever typed it."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How a city is run. Loopback unless a host is given; embedded servers unless a URL is."""

    http_port: int = 8080
    http_host: str = "127.0.0.1"
    mqtt_port: int = 1883
    mqtt_host: str = "127.0.0.1"
    mqtt_shared: bool = False  # With other gateways of this user and machine.
    data_dir: Path = Path(".onelot")
    city: str = "zhengzhou"
    speed: float = 1.0
    public_url: str = ""
    postgres_url: str = ""
    redis_url: str = ""
    insecure: bool = False
    debug: bool = False

    @property
    def url(self) -> str:
        return self.public_url or self.door(self.http_port)

    def door(self, port: int) -> str:
        """The web door at a port, as a URL; the address of IPv6 stands in brackets there."""
        return f"http://[{self.http_host}]:{port}" if ":" in self.http_host else f"http://{self.http_host}:{port}"


def read(environment: Mapping[str, str] = os.environ, **flags: object) -> Settings:
    """Flags go before ONELOT_… variables. Raises Misused, naming what is wrong."""
    values: dict[str, object] = {}
    for one in fields(Settings):
        given = flags.get(one.name)
        name = f"ONELOT_{one.name.upper()}"
        if given is None and name in environment:
            given = environment[name]
        if given is not None:
            values[one.name] = _typed(name, one.type, given)
    settings = Settings(**values)  # type: ignore[arg-type]  # each value was typed by its field
    _refuse_strange_words(settings)
    _refuse_open_doors(settings)
    return settings


def _typed(name: str, kind: object, given: object) -> object:
    """The value as its field's type; the annotations are read as they stand."""
    try:
        if kind is int:
            port = int(str(given))
            if not 0 <= port <= 65535:
                raise ValueError
            return port
        if kind is float:
            speed = float(str(given))
            if not 0 < speed <= 3600:
                raise ValueError
            return speed
        if kind is bool:
            return given if isinstance(given, bool) else str(given).lower() in ("1", "true", "yes")
        return Path(str(given)) if kind is Path else str(given)
    except ValueError:
        raise Misused(f"{name} cannot be {given}: a port is 0 to 65535, a speed more than 0 and at most 3600") from None


def _refuse_strange_words(settings: Settings) -> None:
    if not _CITY.fullmatch(settings.city):
        raise Misused(
            f"a city is named by small letters, digits and hyphens, since devices say it in their topics; {settings.city!r} is not"
        )
    for name, schemes in _SCHEMES.items():
        url = str(getattr(settings, name))
        if url and not url.startswith(schemes):
            raise Misused(f"ONELOT_{name.upper()} begins with {' or '.join(schemes)}")  # Not said in full: it may hold a password.


def _refuse_open_doors(settings: Settings) -> None:
    """Another host than loopback without TLS is said, never slipped into."""
    for host in (settings.http_host, settings.mqtt_host):
        if host not in LOOPBACK and not settings.insecure:
            raise Misused(f"{host} is open to others and has no TLS here; say --insecure to do it all the same, behind a proxy that has")
