"""Forms: asked, judged and kept as their schema says, by the server alone."""

import copy
import itertools
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onelot import basemap
from services.forms import model
from services.forms.check_form import FILE_BYTES_MAX, PLACE_KINDS, check_form
from services.forms.judge_form import judge, judge_values

LABEL = {"zh": "问", "en": "Question"}


def text(**more: Any) -> dict[str, Any]:
    return {"type": "string", "maxLength": 20, "x-label": LABEL} | more


def form(*required: str, ask: Any = None, **fields: Any) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "object", "additionalProperties": False, "required": list(required), "properties": fields}
    return schema | ({"x-ask": ask} if ask else {})


CHAIN = form(
    "a", "c", a=text(), b=text(), c=text(),
    ask=[{"if": {"/a": "X"}, "ask": ["/b"]}, {"if": {"/b": "Y"}, "ask": ["/c"]}],
)  # fmt: skip


def test_all_faults_are_told_at_once_each_by_its_pointer() -> None:
    schema = form("a", "b", a=text(), b={"type": "integer", "minimum": 1, "x-label": LABEL}, c=text(format="date"))

    errors = judge(schema, {"b": 0, "c": "2026-02-30", "d": 1})

    assert [(one.pointer, one.code) for one in errors] == [
        ("/a", "missing"), ("/b", "minimum"), ("/c", "format"), ("/d", "additionalProperties"),
    ]  # fmt: skip


def test_gap_in_a_group_is_told_by_the_field_and_not_by_the_group() -> None:
    schema = form("house", house=form("street", "number", street=text(), number=text()))

    assert [one.pointer for one in judge(schema, {})] == ["/house/street", "/house/number"][::-1]
    assert [one.pointer for one in judge(schema, {}, pledged=["/house/street"])] == ["/house/number"]


def test_leftover_opens_next_question() -> None:
    """A question is opened by answers that are themselves asked: b was left over and opens nothing."""
    assert model.hidden(CHAIN, {"a": "X", "b": "Y"}) == set()
    assert model.hidden(CHAIN, {"a": "Z", "b": "Y"}) == {"/b", "/c"}

    assert judge(CHAIN, {"a": "Z", "b": "Y", "c": "left over"}) == []
    assert model.without({"a": "Z", "b": "Y"}, model.hidden(CHAIN, {"a": "Z", "b": "Y"})) == {"a": "Z"}


@given(st.fixed_dictionaries({name: st.sampled_from(["X", "Y", "Z"]) for name in "abc"}))
def test_order_of_the_rules_does_not_matter(answers: dict[str, str]) -> None:
    found = {model.hidden({**CHAIN, "x-ask": list(rules)}, answers) for rules in itertools.permutations(CHAIN["x-ask"])}

    assert len(found) == 1


def test_closed_locked_field_blocks() -> None:
    """A group that is not asked is not required either."""
    schema = form(
        "kind", "company", kind=text(enum=["person", "company"]), company=form("name", name=text()),
        ask=[{"if": {"/kind": "company"}, "ask": ["/company"]}],
    )  # fmt: skip

    assert judge(schema, {"kind": "person"}) == []
    assert [one.pointer for one in judge(schema, {"kind": "company"})] == ["/company/name"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        (text(format="date"), "2026-01-01\x00"),
        (text(format="date"), "2026-01-01\n"),
        (text(format="date"), "\ufeff2026-01-01"),
        (text(format="date"), "2026-01-01 "),
        (text(pattern=r"^\d{6}$"), "123456\n"),
        (text(), "turned \u202e round"),
        (text(), "nothing\u200bseen"),
    ],
)
def test_date_with_a_hidden_tail(field: dict[str, Any], value: str) -> None:
    assert [one.pointer for one in judge_values(form(a=field), {"a": value})] == ["/a"]


def test_name_outside_the_basic_plane() -> None:
    schema = form("name", name=text(maxLength=2, **{"x-pii": "name"}))

    assert judge(schema, {"name": "𬱖㛃"}) == []
    assert model.masked(schema, {"name": "𬱖㛃"}) == {"name": "𬱖*"}


def test_birthday_moves_by_zone() -> None:
    """A day is text from the page to the database: there is no zone in which it could move."""
    draft = {"born": "1990-10-01"}
    for _ in range(10):
        draft = json.loads(json.dumps(model.merged(draft, {"born": draft["born"]})))

    assert judge(form("born", born=text(format="date")), draft) == [] and draft == {"born": "1990-10-01"}


def test_null_is_not_absent() -> None:
    before = {"a": 1, "b": {"c": 2, "d": 3}}

    assert model.merged(before, {"b": {"c": None}}) == {"a": 1, "b": {"d": 3}}
    assert model.merged(before, {}) == before
    assert model.merged(before, {"b": None}) == {"a": 1}
    assert before == {"a": 1, "b": {"c": 2, "d": 3}}


def test_nothing_is_fetched_for_a_form() -> None:
    for reference in ("http://127.0.0.1:9/x.json", "file:///etc/hostname"):
        with pytest.raises(ValueError, match="refers to nothing outside"):
            judge_values({"type": "object", "properties": {"a": {"$ref": reference}}}, {"a": 1})


@pytest.mark.parametrize(
    ("change", "place"),
    [
        (lambda s: s["properties"]["a"].update({"$ref": "#/x"}), "/properties/a/$ref"),
        (lambda s: s["properties"]["a"].update({"allOf": []}), "/properties/a/allOf"),
        (lambda s: s["properties"]["a"].pop("maxLength"), "/properties/a"),
        (lambda s: s["properties"]["a"].update({"format": "hostname"}), "/properties/a/format"),
        (lambda s: s["properties"]["a"].pop("x-label"), "/properties/a"),
        (lambda s: s["properties"]["a"].update({"x-label": {"zh": "问"}}), "/properties/a/x-label"),
        (lambda s: s["properties"]["a"].update({"x-pii": "shoe_size"}), "/properties/a/x-pii"),
        (lambda s: s.pop("additionalProperties"), ""),
        (lambda s: s["required"].append("z"), "/required/1"),
        (lambda s: s["properties"].update({"Bad": text()}), "/properties/Bad"),
        (lambda s: s["properties"].update({"l": {"type": "array", "x-label": LABEL, "items": form(x=text())}}), "/properties/l"),
        (lambda s: s["properties"]["a"].update({"pattern": "("}), ""),
        (lambda s: s.update({"x-ask": [{"if": {"/a": 1}, "ask": ["/zz"]}]}), "/x-ask/0"),
        (lambda s: s.update({"x-ask": [{"if": {"/a": 1}, "ask": ["/a"]}]}), "/x-ask"),
        (lambda s: s.update({"x-ask": [{"if": {"/a": 1}, "ask": ["/b"]}, {"if": {"/b": 1}, "ask": ["/a"]}]}), "/x-ask"),
    ],
)
def test_what_leaves_the_subset_is_refused_by_its_place(change: Any, place: str) -> None:
    schema = form("a", a=text(), b=text())
    assert check_form(copy.deepcopy(schema)) == []

    change(schema)

    assert place in [pointer for pointer, _ in check_form(schema)]


# Files and places


def paper(**more: Any) -> dict[str, Any]:
    schema = {"type": "array", "items": {"type": "string", "format": "uuid"}, "maxItems": 3, "x-label": LABEL}
    return schema | {"x-file": {"types": ["pdf", "png"], "bytes_max": 5_000_000}} | more


def spot(**more: Any) -> dict[str, Any]:
    return {"type": "object", "x-place": {"kinds": ["school"], "point": True}, "x-label": LABEL} | more


def test_form_that_asks_for_files_and_places_holds() -> None:
    assert check_form(form("a", "b", a=paper(minItems=1), b=spot(), c=spot(**{"x-place": {}}))) == []


@pytest.mark.parametrize(
    ("field", "place", "says"),
    [
        (paper(maxItems=11), "/a", "maxItems, 1 to 10"),
        ({key: value for key, value in paper().items() if key != "maxItems"}, "/a", "files need a bound"),
        (paper(minItems=4), "/a/minItems", "1 to maxItems"),
        (paper(items={"type": "string"}), "/a", "a list of ids"),
        (paper(type="string"), "/a", 'x-file stands beside "type": "array"'),
        (paper(uniqueItems=True), "/a/uniqueItems", "outside of the subset for x-file"),
        (paper(**{"x-file": True}), "/a/x-file", "x-file is written like"),
        (paper(**{"x-file": {"types": ["svg"], "bytes_max": 1}}), "/a/x-file", "types are some of pdf, jpeg, png"),
        (paper(**{"x-file": {"types": [], "bytes_max": 1}}), "/a/x-file", "types are some of"),
        (paper(**{"x-file": {"types": ["pdf", "pdf"], "bytes_max": 1}}), "/a/x-file", "each once"),
        (paper(**{"x-file": {"types": [{}], "bytes_max": 1}}), "/a/x-file", "types are some of"),
        (paper(**{"x-file": {"types": ["pdf"]}}), "/a/x-file", "bytes_max is how large a file may be"),
        (paper(**{"x-file": {"types": ["pdf"], "bytes_max": FILE_BYTES_MAX + 1}}), "/a/x-file", "1 to 10000000"),
        (paper(**{"x-file": {"types": ["pdf"], "bytes_max": 1, "virus": 0}}), "/a/x-file/virus", "nobody reads the key"),
        ({key: value for key, value in paper().items() if key != "x-label"}, "/a", "people need a label"),
        (spot(type="string"), "/a", 'x-place stands beside "type": "object"'),
        (spot(properties={}), "/a/properties", "outside of the subset for x-place"),
        (spot(**{"x-place": "school"}), "/a/x-place", "x-place is written like"),
        (spot(**{"x-place": {"kinds": ["castle"]}}), "/a/x-place/kinds", "kinds are some of hub"),
        (spot(**{"x-place": {"kinds": []}}), "/a/x-place/kinds", "kinds are some of"),
        (spot(**{"x-place": {"point": 1}}), "/a/x-place/point", "point is true"),
        (spot(**{"x-place": {"radius": 5}}), "/a/x-place/radius", "nobody reads the key"),
    ],
)
def test_file_or_place_that_cannot_be_asked_for_is_refused_by_its_place(field: dict[str, Any], place: str, says: str) -> None:
    found = check_form(form(a=field))

    assert [message for pointer, message in found if pointer == f"/properties{place}" and says in message], found


def test_file_is_not_asked_for_in_each_item_of_a_list() -> None:
    many = {"type": "array", "maxItems": 3, "x-label": LABEL, "items": form(one=paper())}

    assert any("once and not in each item" in message for _, message in check_form(form(a=many)))


def test_files_of_a_form_together_have_a_bound_and_open_no_question() -> None:
    large = paper(maxItems=10, **{"x-file": {"types": ["pdf"], "bytes_max": FILE_BYTES_MAX}})
    assert check_form(form(a=large)) == []

    assert any("together" in message for _, message in check_form(form(a=large, b=paper())))
    asking = form(a=paper(), b=text(), ask=[{"if": {"/a": "x"}, "ask": ["/b"]}])
    assert any("not from '/a'" in message for _, message in check_form(asking))


def test_every_kind_of_place_that_is_listed_may_be_asked_for() -> None:
    listed = {one["kind"] for one in json.loads(basemap.PLACES.read_text())["items"]}

    assert listed == set(PLACE_KINDS)


def test_place_is_one_answer_and_not_a_group() -> None:
    schema = form("b", a=paper(), b=spot())

    assert [field.pointer for field in model.fields_of(schema)] == ["/a", "/b"]
    assert model.missing(schema, {"a": []}) == ["/b"]
    assert model.without({"b": {"lon": 1, "lat": 2}}, ["/b"]) == {}
