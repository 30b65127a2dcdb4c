"""Ids, problems and named queries: small, and stood on by everything."""

import time
import uuid
from pathlib import Path

import msgspec
import pytest

from foundation import errors, ids, postgres, sql
from foundation.errors import FieldError, Problem

KINDS = [kind for kind in Problem.__subclasses__() if kind.__module__ == errors.__name__]  # Houses narrow them.


def test_new_ids_are_of_version_7_distinct_and_sort_by_time() -> None:
    earlier = [ids.new_id() for _ in range(1000)]
    time.sleep(0.002)
    later = [ids.new_id() for _ in range(1000)]

    assert len({*earlier, *later}) == 2000
    assert {(one.version, one.variant) for one in earlier} == {(7, uuid.RFC_4122)}
    assert max(earlier) < min(later)
    assert abs((later[0].int >> 80) / 1000 - time.time()) < 5


def test_id_of_a_fact_follows_from_its_words() -> None:
    assert ids.id_of("bill", 1) == ids.id_of("bill", 1)
    assert len({ids.id_of("bill", 1), ids.id_of("bill", 2), ids.id_of("bill"), ids.id_of("bill", 1, "back")}) == 4
    assert ids.id_of("session", "lot-7", "a") == uuid.UUID("cadbc7c6-eeac-5a1e-be47-8c7c742e6028")  # Written in databases: never another.


@pytest.mark.parametrize("bits", [128, 256])
def test_secrets_are_as_long_as_they_say_and_fit_in_an_address(bits: int) -> None:
    one, other = ids.secret(bits), ids.secret(bits)

    assert one != other
    assert len(one) == -(-bits // 6)
    assert one.replace("-", "").replace("_", "").isalnum()


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.slug)
def test_problem_says_what_the_standard_asks_for(kind: type[Problem]) -> None:
    body = kind().body()

    assert body == {"type": f"/problems/{kind.slug}", "title": kind.title, "status": kind.status, "detail": kind.title}
    assert f"{kind.__name__} {kind.status}" in (errors.__doc__ or "")


def test_problems_are_told_apart() -> None:
    assert len({kind.slug for kind in KINDS}) == len({kind.status for kind in KINDS}) == len(KINDS)


def test_problem_names_the_field_and_may_say_more() -> None:
    wrong = errors.invalid("/plate", "plate_format", "not a plate")
    needy = errors.NotAllowed("log in better", needs="L3")

    assert msgspec.to_builtins(wrong.body()["errors"]) == ({"pointer": "/plate", "code": "plate_format", "detail": "not a plate"},)
    assert wrong.errors == (FieldError("/plate", "plate_format", "not a plate"),)
    assert needy.body()["needs"] == "L3"


def test_query_that_is_not_there_fails_by_its_name() -> None:
    queries = sql.load("foundation")

    assert "journal.cursor" in queries.lock_cursor.text
    with pytest.raises(AttributeError, match=r"foundation/queries.sql has no query named lock_curser"):
        queries.lock_curser  # noqa: B018 - asking is the test


@pytest.mark.parametrize(
    ("text", "fault"), [("SELECT 1;", "no named query"), ("-- name: a\nSELECT 1;\n-- name: a\nSELECT 2;", "names a twice")]
)
def test_file_of_queries_that_makes_no_sense_fails_when_it_is_read(
    text: str, fault: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = tmp_path / f"house_{tmp_path.name}"
    house.mkdir()
    (house / "__init__.py").touch()
    (house / "queries.sql").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)

    with pytest.raises(ValueError, match=fault):
        sql.load(house.name)


async def test_every_query_of_the_foundation_fits_the_schema(city_url: str) -> None:
    connection = await postgres.connection(city_url)
    for query in sql.load("foundation"):
        await connection.prepare(query.text)
    await connection.close()
