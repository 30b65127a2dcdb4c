"""Bring a database to the schema this code was written for: in order, one at a time, and never a changed or unknown step."""

import hashlib
import importlib.resources
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from foundation import postgres, sql

PACKAGES = ("foundation", "gateway_mqtt", "citymap", "parking", "services")  # In this order: facts before those who follow them.
LOCK = 71000
APPLIED = sql.load("foundation").applied_migrations
_FILE = re.compile(r"^(\d{4})_\w+\.sql$")
_HISTORY = """
CREATE SCHEMA IF NOT EXISTS journal;
CREATE TABLE IF NOT EXISTS journal.migration (
  package text NOT NULL, number int NOT NULL, name text NOT NULL, checksum text NOT NULL,
  applied_at timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (package, number));
"""
_ROLE = f"""
DO $$ BEGIN
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{postgres.APP_ROLE}') THEN CREATE ROLE {postgres.APP_ROLE} NOLOGIN; END IF;
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
END $$;
"""
_GRANTS = f"""
DO $$ DECLARE s text; BEGIN
  EXECUTE format('GRANT %I TO %I', '{postgres.APP_ROLE}', current_user);
  FOREACH s IN ARRAY ARRAY['journal', 'gateway', 'citymap', 'parking', 'services'] LOOP
    CONTINUE WHEN to_regnamespace(s) IS NULL;
    EXECUTE format('GRANT USAGE ON SCHEMA %I TO {postgres.APP_ROLE}', s);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA %I TO {postgres.APP_ROLE}', s);
    EXECUTE format('GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA %I TO {postgres.APP_ROLE}', s);
    EXECUTE format('GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA %I TO {postgres.APP_ROLE}', s);
  END LOOP;
  IF to_regnamespace('ledger') IS NOT NULL THEN
    GRANT USAGE ON SCHEMA ledger TO {postgres.APP_ROLE};
    GRANT SELECT ON ALL TABLES IN SCHEMA ledger TO {postgres.APP_ROLE};
    GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA ledger TO {postgres.APP_ROLE};
  END IF;
END $$;
"""


@dataclass(frozen=True, slots=True)
class Migration:
    package: str
    number: int
    name: str
    text: str

    @property
    def checksum(self) -> str:
        return hashlib.sha256(self.text.encode()).hexdigest()


class SchemaRefused(Exception):
    """The database was written by other code than this; nothing was changed."""


def migrations(packages: Sequence[str] = PACKAGES) -> Iterator[Migration]:
    """All steps of all packages, in the order in which they are applied."""
    for package in packages:
        folder = importlib.resources.files(package).joinpath("migrations")
        if not folder.is_dir():
            continue
        for file in sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".sql")):
            match = _FILE.match(file)
            if match is None:
                raise SchemaRefused(f"{package}/migrations/{file} is not named NNNN_words.sql")
            yield Migration(package, int(match[1]), file, folder.joinpath(file).read_text("utf-8"))


async def migrate(url: str, packages: Sequence[str] = PACKAGES) -> int:
    """Apply what is missing and answer how many steps that were. Raises SchemaRefused."""
    connection = await postgres.connection(url)
    try:
        await connection.execute("SELECT pg_advisory_lock($1)", LOCK)
        await connection.execute(_HISTORY + _ROLE)
        done = {(row["package"], row["number"]): row for row in await connection.fetch("SELECT * FROM journal.migration")}
        todo = _compare(list(migrations(packages)), done)
        for step in todo:
            async with connection.transaction():
                await connection.execute(step.text)
                await connection.execute(
                    "INSERT INTO journal.migration (package, number, name, checksum) VALUES ($1, $2, $3, $4)",
                    *(step.package, step.number, step.name, step.checksum),
                )
        if todo:
            await connection.execute(_GRANTS)
        return len(todo)
    finally:
        await connection.close()


async def grant(url: str) -> None:
    """Give the application its rights again, as after a restore of a dump that carries none."""
    connection = await postgres.connection(url)
    try:
        await connection.execute(_ROLE + _GRANTS)
    finally:
        await connection.close()


def _compare(ours: list[Migration], done: dict[tuple[str, int], postgres.Record]) -> list[Migration]:
    known = {(step.package, step.number): step for step in ours}
    for key, row in done.items():
        if key not in known:
            raise SchemaRefused(
                f"the database is newer than this program: it has {row['package']}/{row['name']}; install the newer version"
            )
        if known[key].checksum != row["checksum"]:
            raise SchemaRefused(f"{row['package']}/migrations/{row['name']} was changed after it had been applied; restore the file")
    return [step for key, step in known.items() if key not in done]
