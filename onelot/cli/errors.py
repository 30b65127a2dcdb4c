"""What a command may fail with, each as one sentence and an exit status."""

import aiohttp
import click

from citymap.errors import NothingReadable
from foundation import postgres
from foundation.errors import Problem
from foundation.migrate import SchemaRefused
from foundation.tasks import LoopDied
from onelot.config import Misused
from onelot.data_directory import EmbeddedRefused
from parking.tariffs.errors import TariffError
from services.catalog.errors import CatalogError
from services.identity.errors import IdentityError


class Failed(Exception):
    """A command could not do what was asked; its text is the sentence."""


FAILURES = (
    Failed, Misused, EmbeddedRefused, SchemaRefused, LoopDied, Problem, NothingReadable, TariffError, IdentityError, CatalogError,
    aiohttp.ClientError, OSError, postgres.Refused, click.ClickException,
)  # fmt: skip


def sentence_of(error: BaseException) -> tuple[str, int]:
    """One sentence for whoever typed the command, and the exit status."""
    if isinstance(error, Misused):
        return str(error), 2
    if isinstance(error, click.ClickException):
        return error.format_message(), error.exit_code
    if isinstance(error, Problem):
        fields = "; ".join(f"{one.pointer or 'body'}: {one.detail}" for one in error.errors)
        return fields or error.detail, 1
    if isinstance(error, postgres.Refused):
        return f"PostgreSQL refused: {str(error).splitlines()[0]}", 1
    if not isinstance(error, FAILURES):
        return (
            f"this is a fault of ours ({type(error).__name__}: {_first_line(error)}); say it again with --debug and report what it prints",
            1,
        )
    return _first_line(error), 1


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
