"""Matters: a folder of configuration is proved whole, by file and line, before anybody can apply for it."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from foundation import postgres, sql
from foundation.clock import Clock
from services.catalog import model
from services.catalog.compile_matter import compile_matter
from services.catalog.errors import CatalogError, MatterFaults, UnknownVersion
from services.catalog.new_matter import new_matter
from services.catalog.prove_matter import prove
from services.catalog.publish_matter import BUILT_IN, files_of, publish_built_in, publish_matter
from services.catalog.shelf import Shelf, Versions
from tests.shared import shared_path

CLOCK = Clock()
Files = dict[str, str]
IDLE = "  police.cars: {api: police/v1/cars, purpose: x, key: applicant.id_no, max_age: 1d}\n"


def built_in(name: str = "residence_permit") -> Files:
    return files_of(BUILT_IN / name)


def faults(files: Files) -> list[str]:
    try:
        prove(files)
    except MatterFaults as refused:
        return [str(fault) for fault in refused.faults]
    return []


def replaced(file: str, old: str, new: str) -> Callable[[Files], None]:
    def change(files: Files) -> None:
        assert re.search(old, files[file]), f"{file} has no {old}"
        files[file] = re.sub(old, new, files[file], count=1)

    return change


def added(file: str, text: str) -> Callable[[Files], None]:
    def change(files: Files) -> None:
        files[file] = files.get(file, "") + text

    return change


def removed(file: str) -> Callable[[Files], None]:
    def change(files: Files) -> None:
        del files[file]

    return change


@pytest.mark.parametrize("name", ["residence_permit", "resident_parking"])
def test_built_in_matter_holds_and_its_own_tests_agree(name: str) -> None:
    matter, tests = prove(built_in(name))

    assert matter.code == name and matter.agency == "police" and len(tests) >= 5
    assert len(matter.elements) + 5 == 36, "five elements follow from the other files"


@pytest.mark.parametrize(
    ("change", "wanted"),
    [
        # a form field with neither source nor legal basis
        (replaced("form.schema.json", r', "x-basis": "[^"]*"', ""), r"form\.schema\.json:\d+: 'reason' has neither a source"),
        # a text missing in a language
        (replaced("form.schema.json", r', "en": "Reason"', ""), r"form\.schema\.json:\d+: the text is missing in en"),
        (replaced("i18n/en.yaml", r"step\.review: .*\n", ""), r"i18n/en\.yaml:\d+: the text 'step\.review' is missing in en"),
        (replaced("matter.yaml", r", en: Free the first time", ""), r"matter\.yaml:\d+: the text is missing in en"),
        (
            replaced("rules.yaml", r", en: A home in the city is registered", ""),
            r"rules\.yaml:\d+: what 'JZZ-01' says when it comes out 'then' is missing in en",
        ),
        (removed("i18n/zh.yaml"), r"i18n/zh\.yaml:1: this file is missing"),
        # a rule boundary without a test
        (
            replaced("tests/rules.yaml", r"today: 2026-03-01", "today: 2026-02-20"),
            r"rules\.yaml:\d+: the boundary days >= 183 has no test with days = 182",
        ),
        (replaced("rules.yaml", r"days >= 183", "days >= 200"), r"rules\.yaml:\d+: the boundary days >= 200 has no test with days = 199"),
        (removed("tests/rules.yaml"), r"tests/rules\.yaml:1: a matter has tests"),
        # a variable nobody fills or reads
        (
            replaced("rules.yaml", r"present\(residence\.address\)", "present(residence.adress)"),
            r"rules\.yaml:7: JZZ-01: .*undeclared reference",
        ),
        (
            replaced("prefill.yaml", r"housing\.home\.address", "housing.home.colour"),
            r"prefill\.yaml:\d+: .*no department fills 'housing\.colour'",
        ),
        (added("prefill.yaml", "  zone: housing.home.zone\n"), r"prefill\.yaml:\d+: nobody reads 'zone'"),
        (
            replaced("rules.yaml", r"facts:\n", "facts:\n  weeks: days_between(home_since, today) / 7\n"),
            r"rules\.yaml:3: nobody reads the fact 'weeks'",
        ),
        (
            replaced("certificate.yaml", r"name: applicant\.name", "name: applicant.nickname"),
            r"certificate\.yaml:\d+: nobody fills 'applicant\.nickname'",
        ),
        (replaced("i18n/zh.yaml", r"\{reason\}", "{excuse}"), r"i18n/zh\.yaml:\d+: nobody fills \{excuse\}"),
        # a key nobody consumes
        (added("matter.yaml", "colour: blue\n"), r"matter\.yaml:\d+: nobody reads the key 'colour'"),
        (replaced("prefill.yaml", r"lock: true", "lock: true, glue: true"), r"prefill\.yaml:\d+: nobody reads the key 'glue'"),
        (added("i18n/zh.yaml", "step.nowhere: 没有\n"), r"i18n/zh\.yaml:\d+: nobody reads the text 'step\.nowhere'"),
        (replaced("prefill.yaml", r"fields:", IDLE + "fields:"), r"prefill\.yaml:\d+: nobody reads the source 'police\.cars'"),
        # a flow node that cannot be reached or left
        (
            replaced("flow.bpmn", r'<sequenceFlow id="to_supplement".*</sequenceFlow>', ""),
            r"flow\.bpmn:\d+: 'supplement' cannot be reached",
        ),
        (replaced("flow.bpmn", r'<sequenceFlow id="supplemented".*/>', ""), r"flow\.bpmn:\d+: 'supplement' cannot be left"),
        # a schema outside of the subset
        (
            replaced("form.schema.json", r'"maxLength": 120', '"maxLength": 120, "if": {}'),
            r"form\.schema\.json:\d+: 'if' is outside of the subset",
        ),
        # a file or a place that cannot be
        (
            replaced("form.schema.json", r'"bytes_max": 5000000', '"bytes_max": 50000000'),
            r"form\.schema\.json:\d+: bytes_max is how large a file may be: a whole number, 1 to 10000000",
        ),
        (replaced("form.schema.json", r'"jpeg", "png"', '"jpeg", "svg"'), r"form\.schema\.json:\d+: types are some of pdf, jpeg, png"),
        (replaced("form.schema.json", r'"point": true', '"points": true'), r"form\.schema\.json:\d+: nobody reads the key 'points'"),
        (
            replaced("form.schema.json", r'("就读证明".*?), "x-basis": "[^"]*"', r"\1"),
            r"form\.schema\.json:\d+: 'study\.proof' has neither a source",
        ),
        (
            replaced("prefill.yaml", r"read:", "  study.place: {from: housing.home.zone}\nread:"),
            r"prefill\.yaml:\d+: 'study\.place' is the applicant's to answer",
        ),
        (
            replaced("certificate.yaml", r"address: residence\.address", "paper: study.proof"),
            r"certificate\.yaml:\d+: 'study\.proof' is a file or a place",
        ),
        (
            replaced("tests/rules.yaml", r'"6f0e1f5c-[^"]*"', '"a file"'),
            r"tests/rules\.yaml:\d+: and with both nothing is missing: /study/proof/0",
        ),
        # words that are no words of ours
        (replaced("matter.yaml", r"level: L3", "level: L9"), r"matter\.yaml:\d+: 'level' is L1, L2 or L3"),
        (replaced("matter.yaml", r"promise_days: 5", "promise_days: soon"), r"matter\.yaml:\d+: 'promise_days' is a number"),
        (replaced("matter.yaml", r"consult: .*\n", ""), r"matter\.yaml:\d+: the element 'consult' is missing"),
        (
            replaced("matter.yaml", r"code: residence_permit", "code: residence_permit\ncode: again"),
            r"matter\.yaml:\d+: the key 'code' stands here twice",
        ),
        (added("rules.yaml", "  - &a {id: *a}\n"), r"rules\.yaml:\d+: aliases are not taken"),
        (replaced("rules.yaml", r"require:", "require: ["), r"rules\.yaml:\d+: not readable"),
        # a test that does not agree
        (
            replaced("tests/rules.yaml", r"state: approved", "state: rejected"),
            r"tests/rules\.yaml:\d+: half a year to the day: state is 'approved', not 'rejected'",
        ),
    ],
)
def test_check_refuses_by_file_and_line(change: Callable[[Files], None], wanted: str) -> None:
    files = built_in()
    assert faults(files) == []

    change(files)

    assert [fault for fault in faults(files) if re.match(wanted, fault)], faults(files)


def test_broken_placeholders_fall_back_to_nothing() -> None:
    """broken-plural-falls-back-quietly: a value renamed in one language is found at rest."""
    files = built_in()
    files["i18n/en.yaml"] = files["i18n/en.yaml"].replace("{reason}", "{day}", 1)

    assert any("names other values in en than in zh" in fault for fault in faults(files))


def test_broken_matter_is_refused_where_its_fault_stands() -> None:
    folder = shared_path("acceptance/broken-matter")
    text = (folder / "form.schema.json").read_text().splitlines()
    line = next(number for number, said in enumerate(text, 1) if "favourite_colour" in said)

    assert any(f"form.schema.json:{line}: 'favourite_colour' has neither" in fault for fault in faults(files_of(folder)))


def test_rubbish_is_refused_and_never_a_traceback() -> None:
    for name in built_in():
        for rubbish in ("", "[]", "42", "{", "\x00", "a: [b", "- 1\n- 2\n", "x" * 300_000, json.dumps({"a": [[[[[1]]]]]})):
            files = built_in() | {name: rubbish}
            assert faults(files), (name, rubbish[:20])


def test_new_matter_begins_whole(tmp_path: Path) -> None:
    new_matter(tmp_path / "dog-licence")

    matter, tests = prove(files_of(tmp_path / "dog-licence"))

    assert matter.code == "dog_licence" and matter.certificate is not None and tests
    for wrong in ("dog-licence", "Dog", "1"):
        with pytest.raises(CatalogError):
            new_matter(tmp_path / wrong)


def test_equal_folders_are_one_version_and_any_change_is_another() -> None:
    def version(files: Files) -> str:
        matter, _ = compile_matter(files)
        assert matter is not None
        content = model.encoded(matter)
        assert model.decoded(content) == matter
        return model.version_of(content)

    files = built_in()
    assert version(files) == version(dict(reversed(files.items())))
    assert version(files) == version(files | {"matter.yaml": files["matter.yaml"] + "# a remark\n"})
    assert version(files) != version(files | {"matter.yaml": files["matter.yaml"].replace("promise_days: 5", "promise_days: 4")})


async def test_published_version_never_changes_and_the_running_city_picks_up_the_next(opened_database: postgres.Database) -> None:
    shelf, versions = Shelf(opened_database), Versions()
    await publish_built_in(opened_database, now=CLOCK.city())
    await shelf.load()
    first = shelf.live("residence_permit")
    assert first is not None

    files = built_in() | {"matter.yaml": built_in()["matter.yaml"].replace("promise_days: 5", "promise_days: 3")}
    _, second, fresh = await publish_matter(opened_database, files, now=CLOCK.city())
    _, _, again = await publish_matter(opened_database, files, now=CLOCK.city())
    await shelf.catch_up()

    live = shelf.live("residence_permit")
    assert (fresh, again) == (True, False)
    assert live is not None and (live[0], live[1].promise_days) == (second, 3)
    assert await versions.get(opened_database, "residence_permit", first[0]) == first[1]
    with pytest.raises(UnknownVersion):
        await versions.get(opened_database, "residence_permit", "0" * 64)


async def test_next_start_keeps_what_the_city_published_itself(opened_database: postgres.Database) -> None:
    await publish_built_in(opened_database, now=CLOCK.city())
    files = built_in() | {"matter.yaml": built_in()["matter.yaml"].replace("promise_days: 5", "promise_days: 2")}
    await publish_matter(opened_database, files, now=CLOCK.city())

    await publish_built_in(opened_database, now=CLOCK.city())

    shelf = Shelf(opened_database)
    await shelf.load()
    live = shelf.live("residence_permit")
    assert live is not None and live[1].promise_days == 2


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("居住证", ["residence_permit"]),
        ("juzhuzheng", ["residence_permit"]),
        ("jzz", ["residence_permit"]),
        ("Residence", ["residence_permit"]),
        ("停车", ["resident_parking"]),
        ("tingche", ["resident_parking"]),
        ("car", ["resident_parking"]),
        ("permit", ["residence_permit", "resident_parking"]),
        ("resident zone", ["resident_parking"]),
        ("dragon", []),
        ("暂住证", ["residence_permit"]),
        ("  ", ["residence_permit", "resident_parking"]),
    ],
)
async def test_matters_are_found_in_chinese_pinyin_initials_and_english(
    opened_database: postgres.Database, query: str, found: list[str]
) -> None:
    shelf = Shelf(opened_database)
    await publish_built_in(opened_database, now=CLOCK.city())
    await shelf.load()

    assert sorted(shelf.search(query)) == found


async def test_matter_that_another_edition_spelt_is_found_all_the_same(opened_database: postgres.Database) -> None:
    await publish_built_in(opened_database, now=CLOCK.city())
    for spelt in ("words = '{}', spelling = 0", "words = '{nothing}', spelling = 32000"):
        await opened_database.fetch(sql.Query("spelt", f"UPDATE services.matter SET {spelt} RETURNING code"))
        shelf = Shelf(opened_database)
        await shelf.load()
        assert shelf.search("tingche") == shelf.search("停车") == shelf.search("tc") == ["resident_parking"]
