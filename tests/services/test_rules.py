"""Rules: typed when they are published, total when they run, and honest about what nobody can know."""

import itertools
import math
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.rules import engine, model
from services.rules.errors import RuleFault
from services.rules.model import Kind, Known, Require, Rules

SAID = {"zh": "是", "en": "yes"}
NOW = datetime(2026, 3, 2, tzinfo=UTC)


def require(name: str, when: str) -> Require:
    return Require(id=name, cite="art. 2", when=when, then=SAID, otherwise={"zh": "否", "en": "no"}, unknown={"zh": "不明", "en": "?"})


def rules(*when: str, facts: dict[str, str] | None = None, **kinds: Kind) -> Rules:
    named = {name.replace("__", "."): kind for name, kind in kinds.items()}
    return Rules(kinds=named, facts=facts or {}, require=tuple(require(f"R{number}", text) for number, text in enumerate(when)))


def value(what: Any) -> Known:
    return Known(state="value", value=what, source="police", as_of=NOW)


NONE, UNKNOWN = Known(state="none", source="police", as_of=NOW), Known(state="unknown", source="police")


def verdict(text: str, kind: Kind, known: Known) -> str:
    return engine.decide(rules(text, n=kind), {"n": known}, "2026-03-02").verdict


@pytest.mark.parametrize("said", [5, 5.0])
@pytest.mark.parametrize("text", ["n == 5", "n >= 5", "n in [5]", "n + 1 > 5"])
def test_five_is_not_five(text: str, said: float) -> None:
    """Whole numbers are whole numbers however a department writes them."""
    assert verdict(text, "integer", value(model.typed("integer", said))) == "yes"


def test_five_is_not_five_at_the_edges() -> None:
    assert verdict("n == 9007199254740992", "integer", value(9007199254740993)) == "no"
    for wrong in ("5", 5.5, True, math.inf, math.nan):
        with pytest.raises(ValueError, match="no integer"):
            model.typed("integer", wrong)
    with pytest.raises(RuleFault, match="no matching overload"):
        engine.compile_rules(rules("n == '5'", n="integer"))


@pytest.mark.parametrize(("known", "wanted"), [(NONE, "no"), (UNKNOWN, "unknown"), (value(0), "yes"), (value(12), "yes")])
def test_has_stops_at_the_first_gap(known: Known, wanted: str) -> None:
    """Not insured, not known, and insured for no month yet are three things."""
    decided = engine.decide(
        rules("present(hrss.insured.months)", hrss__insured__months="integer"), {"hrss.insured.months": known}, "2026-03-02"
    )

    assert decided.verdict == wanted


@pytest.mark.parametrize(
    ("text", "known", "wanted"),
    [("n >= 0", value(0), "yes"), ("n == 0", value(0), "yes"), ("present(n)", value(0), "yes"), ("present(n)", NONE, "no")],
)
def test_zero_taken_for_not_given(text: str, known: Known, wanted: str) -> None:
    assert verdict(text, "integer", known) == wanted
    assert verdict("present(n) && n == ''", "string", value("")) == "yes"
    assert verdict("present(n) && !n", "boolean", value(False)) == "yes"


def test_born_on_leap_day() -> None:
    assert [model.age("2008-02-29", day) for day in ("2026-02-28", "2026-03-01")] == [17, 18]
    assert model.years_after("2008-02-29", 18) == "2026-03-01"
    assert model.years_after("2008-02-29", 20) == "2028-02-29"
    assert (date(2025, 8, 31) + timedelta(days=183)).isoformat() == "2026-03-02"
    assert model.days_between("2025-08-31", "2026-03-02") == 183
    assert verdict("age(n, today) >= 18", "date", value("2008-02-29")) == "yes"


TRUTHS: dict[str, Known] = {"yes": value(True), "no": value(False), "unknown": UNKNOWN}


@pytest.mark.parametrize(("a", "b"), list(itertools.product(TRUTHS, TRUTHS)))
def test_unknown_counts_only_where_it_could_change_the_answer(a: str, b: str) -> None:
    rank = {"no": 0, "unknown": 1, "yes": 2}
    world, kinds = {"a": TRUTHS[a], "b": TRUTHS[b]}, {"a": "boolean", "b": "boolean"}

    both = engine.decide(rules("a && b", **kinds), world, "2026-03-02")  # type: ignore[arg-type]
    either = engine.decide(rules("a || b", **kinds), world, "2026-03-02")  # type: ignore[arg-type]

    assert both.verdict == min(a, b, key=rank.__getitem__)
    assert either.verdict == max(a, b, key=rank.__getitem__)


def test_one_no_is_a_no_and_a_silent_department_is_none() -> None:
    asked = rules("a", "b", a="boolean", b="boolean")

    assert engine.decide(asked, {"a": value(False), "b": UNKNOWN}, "2026-03-02").verdict == "no"
    assert engine.decide(asked, {"a": value(True), "b": UNKNOWN}, "2026-03-02").verdict == "unknown"


def test_reason_names_rule_article_words_and_the_values_behind_its_facts() -> None:
    asked = rules("present(since) && days >= 183", facts={"days": "days_between(since, today)"}, since="date")

    reason = engine.decide(asked, {"since": value("2025-08-31")}, "2026-03-02").reasons[0]

    assert (reason.rule, reason.article, reason.text) == ("R0", "art. 2", SAID)
    assert [(used.element, used.value, used.source, used.as_of) for used in reason.values] == [("since", "2025-08-31", "police", NOW)]


def test_rule_that_is_not_total_is_a_persons_to_decide() -> None:
    """A comparison with what is not there has no answer, and none is made up."""
    assert verdict("n >= 1", "integer", NONE) == "unknown"
    assert verdict("1 / n > 0", "integer", value(0)) == "unknown"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("dyas > 1", "undeclared reference to 'dyas'"),
        ("n", "true or false"),
        ("n > 1.5", "no matching overload"),
        ("n >", "Syntax error"),
        ("n == 1" + " " * 2000, "at most"),
    ],
)
def test_wrong_rule_is_refused_when_it_is_published(text: str, message: str) -> None:
    with pytest.raises(RuleFault, match=message) as refused:
        engine.compile_rules(rules(text, n="integer"))

    assert refused.value.place == "R0"


@given(st.sampled_from(["value", "none", "unknown"]), st.integers(-400, 400))
def test_decision_never_raises(state: str, days: int) -> None:
    since = (date(2026, 3, 2) - timedelta(days=days)).isoformat()
    known = value(since) if state == "value" else NONE if state == "none" else UNKNOWN
    asked = rules("present(since) && days >= 183", facts={"days": "days_between(since, today)"}, since="date")

    found = engine.decide(asked, {"since": known}, "2026-03-02").verdict

    assert found == ("unknown" if state == "unknown" else "yes" if state == "value" and days >= 183 else "no")


def test_boundaries_are_found_where_text_compares_with_numbers() -> None:
    assert model.bounds_in("days >= 183 && n < 5 && name == 'x > 3'") == [("days", ">=", 183), ("n", "<", 5)]
    assert [model.beside(sign, 5) for sign in (">=", "<", ">", "<=")] == [(4, 5), (4, 5), (5, 6), (5, 6)]
