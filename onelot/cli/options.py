"""What commands share: the flags of a city, how its answers are said."""

import os
from collections.abc import Callable
from typing import Any

import click
import msgspec

from foundation.clock import CITY_ZONE
from onelot import config
from onelot.config import Misused, Settings

FLAGS: list[Callable[[Any], Any]] = [
    click.option("--http-port", type=int, help="Port of the web door (8080)."),
    click.option("--http-host", help="Host of the web door (127.0.0.1)."),
    click.option("--mqtt-port", type=int, help="Port of the devices' door (1883)."),
    click.option("--mqtt-host", help="Host of the devices' door (127.0.0.1)."),
    click.option("--data", "data_dir", help="Data directory (.onelot)."),
    click.option("--city", help="The city's short name (zhengzhou)."),
    click.option("--speed", type=float, help="City time against the wall, chosen at the first start (1)."),
    click.option("--public-url", help="How people reach the city, e.g. https://parking.example.cn."),
    click.option("--insecure", is_flag=True, default=None, help="Allow another host than loopback without TLS."),
    click.option("--debug", is_flag=True, default=None, help="Tracebacks and debug logs."),
]


def settings_of(**flags: object) -> Settings:
    return config.read(os.environ, **flags)


def with_flags(command: Any) -> Any:  # click's decorators are untyped
    for flag in reversed(FLAGS):
        command = flag(command)
    return command


common = click.option("--data", "data_dir", help="Data directory of the running city (.onelot).")
as_json = click.option("--json", "as_json", is_flag=True, help="Machine-readable output.")
debugged = click.option("--debug", is_flag=True, default=None, help="Tracebacks.")


def say(answer: object, lines: list[str], *, as_json: bool) -> None:
    """The answer as JSON, or as lines for people."""
    click.echo(msgspec.json.encode(answer).decode() if as_json else "\n".join(lines))


def instant(text: str) -> Any:  # a datetime
    """City time unless an offset is said. Raises Misused."""
    from_text = click.DateTime(["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%S%z", "%Y-%m-%dT%H:%M%z"])
    try:
        found = from_text.convert(text, None, None)
    except click.BadParameter:
        raise Misused(f"{text} is no time; write 2026-03-02T09:00") from None
    return found if found.tzinfo else found.replace(tzinfo=CITY_ZONE)
