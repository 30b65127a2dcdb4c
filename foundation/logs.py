"""Structured logs without personal data: keys that could carry any are refused before they are written."""

import logging
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

FORBIDDEN = frozenset({"plate", "phone", "name", "id_no", "token", "code", "password", "secret", "nickname", "authorization"})


def _refuse_personal(_: object, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    found = FORBIDDEN & event.keys()
    if found:
        raise ValueError(f"a log line may not carry {sorted(found)}")
    return event


def set_up(*, debug: bool = False, quiet: bool = False) -> None:
    """One JSON object a line on standard error; `quiet` leaves only warnings, where somebody tells a story there."""
    level = logging.DEBUG if debug else logging.WARNING if quiet else logging.INFO
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _refuse_personal,
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format='{"event": "%(name)s", "level": "%(levelname)s"}')
