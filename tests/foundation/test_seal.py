"""Tokens compare, seals open until their key is dropped, and the key file is never half of one."""

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foundation import seal
from foundation.seal import Keys, KeysUnreadable, SealBroken

MARCH = datetime(2026, 3, 31, 23, 59, tzinfo=UTC)
APRIL = datetime(2026, 4, 1, tzinfo=UTC)
PLATE = "豫A12345"
parts = st.lists(st.text(st.characters(exclude_categories=["Cs"])), max_size=4)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "city" / "keys.json"


@pytest.fixture(scope="module")
def lasting_keys(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    return Keys(tmp_path_factory.mktemp("keys") / "keys.json")


@given(parts, parts)
def test_tokens_are_equal_exactly_when_their_parts_are(lasting_keys: Keys, one: list[str], other: list[str]) -> None:
    assert (lasting_keys.token(*one) == lasting_keys.token(*other)) == (one == other)


@pytest.mark.parametrize(("one", "other"), [(("a\x1fb",), ("a", "b")), (("a", "", "b"), ("a", "b", "")), ((), ("",))])
def test_no_two_lists_of_parts_run_into_one(lasting_keys: Keys, one: tuple[str, ...], other: tuple[str, ...]) -> None:
    assert lasting_keys.token(*one) != lasting_keys.token(*other)
    assert seal.digest(*[part.encode() for part in one]) != seal.digest(*[part.encode() for part in other])


def test_another_city_has_other_tokens(tmp_path: Path) -> None:
    assert Keys(tmp_path / "a.json").token(PLATE) != Keys(tmp_path / "b.json").token(PLATE)


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_seals_open_to_what_was_sealed_and_never_look_alike(lasting_keys: Keys, text: str) -> None:
    for sealed in (lasting_keys.seal(text, MARCH), lasting_keys.seal_lasting(text)):
        assert lasting_keys.unseal(sealed) == text
        assert len(text) < 3 or text.encode() not in sealed
    assert lasting_keys.seal(text, MARCH) != lasting_keys.seal(text, MARCH)


def test_each_month_has_its_key_and_the_month_is_that_of_utc(path: Path) -> None:
    keys = Keys(path)

    keys.seal(PLATE, MARCH)
    keys.seal(PLATE, APRIL)
    keys.seal(PLATE, APRIL.astimezone(timezone(timedelta(hours=-3))))

    assert sorted(json.loads(path.read_text())["months"]) == ["202603", "202604"]


def test_dropped_key_forgets_its_month_and_nothing_else(path: Path) -> None:
    keys = Keys(path)
    march, april, lasting, token = keys.seal(PLATE, MARCH), keys.seal(PLATE, APRIL), keys.seal_lasting(PLATE), keys.token(PLATE)

    assert keys.drop_months_before(APRIL) == ["202603"]
    assert keys.drop_months_before(APRIL) == []

    for held in (keys, Keys(path)):
        with pytest.raises(SealBroken, match="dropped"):
            held.unseal(march)
        assert (held.unseal(april), held.unseal(lasting), held.token(PLATE)) == (PLATE, PLATE, token)
    assert keys.unseal(keys.seal(PLATE, MARCH)) == PLATE  # What comes late gets a new key, and the old seal stays shut.
    with pytest.raises(SealBroken):
        keys.unseal(march)


def test_any_changed_byte_breaks_the_seal(lasting_keys: Keys) -> None:
    for sealed in (lasting_keys.seal(PLATE, MARCH), lasting_keys.seal_lasting(PLATE)):
        for place in range(len(sealed)):
            with pytest.raises(SealBroken):
                lasting_keys.unseal(sealed[:place] + bytes([sealed[place] ^ 1]) + sealed[place + 1 :])
        for length in range(len(sealed)):
            with pytest.raises(SealBroken):
                lasting_keys.unseal(sealed[:length])


def test_seal_of_one_kind_does_not_open_as_the_other(lasting_keys: Keys) -> None:
    monthly = lasting_keys.seal(PLATE, MARCH)

    with pytest.raises(SealBroken):
        lasting_keys.unseal(b"\x02" + monthly[7:])


def test_process_finds_the_key_another_made_meanwhile(path: Path) -> None:
    here, there = Keys(path), Keys(path)

    assert there.unseal(here.seal(PLATE, MARCH)) == PLATE
    assert here.unseal(there.seal(PLATE, MARCH)) == PLATE
    assert there.token(PLATE) == here.token(PLATE)


def test_processes_that_make_keys_at_once_agree(path: Path) -> None:
    program = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from foundation.seal import Keys

keys = Keys(Path(sys.argv[1]))
sealed = [keys.seal("a", datetime(2026, month, 1, tzinfo=UTC)) for month in range(1, 13)]
print(keys.token("a").hex(), keys.seal_lasting("a").hex(), *[one.hex() for one in sealed])
"""
    makers = [subprocess.Popen([sys.executable, "-c", program, str(path)], stdout=subprocess.PIPE, text=True) for _ in range(4)]
    said = [maker.communicate(timeout=30)[0].split() for maker in makers]

    keys = Keys(path)
    assert {token for token, *_ in said} == {keys.token("a").hex()}
    assert {keys.unseal(bytes.fromhex(sealed)) for _, *seals in said for sealed in seals} == {"a"}


def test_key_file_is_its_owners_alone(path: Path) -> None:
    Keys(path).seal(PLATE, MARCH)

    assert {file.name: file.stat().st_mode & 0o777 for file in path.parent.iterdir()} == {"keys.json": 0o600, "keys.lock": 0o600}


def test_damaged_key_file_is_said_and_not_written_over(path: Path) -> None:
    Keys(path)
    path.write_text('{"token": "ab')

    with pytest.raises(KeysUnreadable, match="backup"):
        Keys(path)
    assert path.read_text() == '{"token": "ab'


def test_key_file_of_before_the_lasting_key_is_taken_up(path: Path) -> None:
    path.parent.mkdir()
    path.write_text(json.dumps({"token": "ab" * 32, "months": {"202603": "cd" * 32}}))

    keys = Keys(path)

    assert keys.unseal(keys.seal_lasting(PLATE)) == PLATE
    assert json.loads(path.read_text())["token"] == "ab" * 32
