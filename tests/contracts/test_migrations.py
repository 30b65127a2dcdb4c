"""A database is brought to the schema of this program or left alone, and never by two at once."""

import asyncio
from pathlib import Path

import asyncpg
import pytest

from foundation import migrate
from foundation.migrate import SchemaRefused


async def asked(url: str, question: str) -> object:
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(question)
    finally:
        await connection.close()


async def done(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


async def test_migrating_again_changes_nothing(postgres_url: str) -> None:
    assert await migrate.migrate(postgres_url) == 0


async def test_changed_step_is_refused_by_its_name(postgres_url: str) -> None:
    await done(postgres_url, "UPDATE journal.migration SET checksum = 'other' WHERE package = 'parking' AND number = 1")

    with pytest.raises(SchemaRefused, match=r"parking/migrations/0001_\w+\.sql was changed"):
        await migrate.migrate(postgres_url)


async def test_schema_of_a_newer_program_is_refused_and_left_as_it_is(postgres_url: str) -> None:
    await done(postgres_url, "INSERT INTO journal.migration VALUES ('parking', 9999, '9999_tomorrow.sql', 'x')")
    await done(postgres_url, "DELETE FROM journal.migration WHERE package = 'services'")  # Something would be left to do.

    with pytest.raises(SchemaRefused, match=r"newer than this program: it has parking/9999_tomorrow\.sql"):
        await migrate.migrate(postgres_url)

    assert await asked(postgres_url, "SELECT count(*) FROM journal.migration WHERE package = 'services'") == 0


async def test_two_at_once_apply_each_step_once(empty_postgres_url: str) -> None:
    applied = await asyncio.gather(*(migrate.migrate(empty_postgres_url) for _ in range(3)))

    steps = len(list(migrate.migrations()))
    assert sorted(applied) == [0, 0, steps]
    assert await asked(empty_postgres_url, "SELECT count(*) FROM journal.migration") == steps


async def test_failing_step_leaves_the_steps_before_it_and_nothing_of_its_own(empty_postgres_url: str, monkeypatch) -> None:
    bad = migrate.Migration("foundation", 2, "0002_bad.sql", "CREATE TABLE journal.half (n int); SELECT 1/0;")
    whole = [*migrate.migrations(("foundation",)), bad]
    monkeypatch.setattr(migrate, "migrations", lambda packages: iter(whole))

    with pytest.raises(asyncpg.DivisionByZeroError):
        await migrate.migrate(empty_postgres_url, ("foundation",))

    assert await asked(empty_postgres_url, "SELECT to_regclass('journal.half')") is None
    assert await asked(empty_postgres_url, "SELECT count(*) FROM journal.migration") == 1


async def test_application_cannot_change_the_schema_or_write_a_balance(app_postgres_url: str) -> None:
    for statement in ("CREATE TABLE parking.mine (n int)", "DROP TABLE journal.fact", "UPDATE ledger.balance SET credits = credits + 1"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await done(app_postgres_url, statement)


def test_steps_are_numbered_without_gap_or_doubling() -> None:
    numbers: dict[str, list[int]] = {}
    for step in migrate.migrations():
        numbers.setdefault(step.package, []).append(step.number)

    assert {package: list(range(1, len(found) + 1)) for package, found in numbers.items()} == numbers


def test_file_that_is_no_step_is_refused(tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "strange" / "migrations").mkdir(parents=True)
    (tmp_path / "strange" / "__init__.py").touch()
    (tmp_path / "strange" / "migrations" / "later.sql").touch()
    monkeypatch.syspath_prepend(str(tmp_path))

    with pytest.raises(SchemaRefused, match="is not named"):
        list(migrate.migrations(("strange",)))
