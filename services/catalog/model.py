"""What a matter is, once its folder is understood: plain data that is stored under its own hash and never changes. Pure."""

import hashlib
from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from services.rules.model import Kind, Rules

Level = Literal["L1", "L2", "L3"]
Words = dict[str, str]  # `zh` and `en`
ElementKind = Literal["string", "date", "cars"]
# What the departments can be asked for a person; a car is {"plate", "colour"}.
ASKED: Mapping[str, ElementKind] = {
    "police.name": "string",
    "police.id_no": "string",
    "police.plates": "cars",
    "housing.address": "string",
    "housing.zone": "string",
    "housing.since": "date",
}
LETTERS = ("submitted", "supplement", "late", "approved", "rejected")
# What every matter says in the same words, unless its folder has better ones.
STANDARD: Mapping[str, Words] = {
    "step.recheck": {"zh": "复核承诺", "en": "Pledge looked at again"},
    "letter.pledge.title": {"zh": "承诺核查告知书", "en": "Notice on what was pledged"},
    "letter.pledge.body": {
        "zh": "{name}：您的{matter}（{case}）是按您的承诺办的，现在部门有了回应，与承诺不一致：{reason}。登记有误的，请到该部门更正，"
        "再到办件页按“重新核对”；也可以拨打 12345 说明。工作人员在 {due} 前决定证照是否保留。",
        "en": "{name}: your {matter} ({case}) was granted on your pledge. By now the register has answered, and it says otherwise: "
        "{reason}. If the register is wrong, have it corrected there and then press “Check again” on the page of your case; you may "
        "also call 12345. Staff decide by {due} whether the licence is kept.",
    },
    "letter.kept.title": {"zh": "证照保留告知书", "en": "Your licence is kept"},
    "letter.kept.body": {
        "zh": "{name}：您的{matter}（{case}）所作承诺已经复核，证照继续有效。{reason}",
        "en": "{name}: what you pledged for your {matter} ({case}) was looked at again, and your licence holds. {reason}",
    },
    "letter.ended.title": {"zh": "撤销决定书", "en": "Your licence is revoked"},
    "letter.ended.body": {
        "zh": "{name}：您的{matter}（{case}）所作承诺不成立，证照撤销：{reason}。如不服，可在 60 日内申请行政复议，6 个月内提起行政诉讼。",
        "en": "{name}: what you pledged for your {matter} ({case}) does not hold, and the licence is revoked: {reason}. Within 60 days you "
        "may ask for a review, within 6 months bring an action.",
    },
    "letter.revoked.title": {"zh": "证照注销告知书", "en": "Your licence has ended"},
    "letter.revoked.body": {
        "zh": "{name}：您因{matter}（{case}）取得的证照已注销：{reason}。如不服，可在 60 日内申请行政复议，6 个月内提起行政诉讼。",
        "en": "{name}: the licence that you hold from your {matter} ({case}) has ended: {reason}. Within 60 days you may ask for a review, "
        "within 6 months bring an action.",
    },
}
PLACEHOLDERS = ("name", "matter", "case", "reason", "day", "due")


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """An interface of a department: for which purpose it is asked, and how old its answer may be at a decision."""

    api: str
    purpose: str
    max_age_s: int


class Prefill(msgspec.Struct, frozen=True, kw_only=True):
    """A field filled by a department: `lock` where the department is the truth, `choose` where it offers several."""

    pointer: str
    element: str
    source: str
    lock: bool
    choose: bool


class Read(msgspec.Struct, frozen=True, kw_only=True):
    """What only the rules look at: it stands in no field."""

    name: str
    element: str
    source: str


class Permit(msgspec.Struct, frozen=True, kw_only=True):
    """The parking permit that a licence carries: fields of the form that hold its plate and its zone."""

    plate: str
    zone: str
    kind: str


class Certificate(msgspec.Struct, frozen=True, kw_only=True):
    """The licence that an approval issues."""

    class_code: str
    name: Words
    claims: dict[str, str]  # Claim -> field
    valid_years: int = 0
    valid_days: int = 0
    permit: Permit | None = None


class Matter(msgspec.Struct, frozen=True, kw_only=True):
    """One version of a matter, whole."""

    code: str
    name: Words
    agency: str
    level: Level
    promise_days: int  # Working days.
    elements: dict[str, Any]
    form: dict[str, Any]
    sources: dict[str, Source]
    prefills: tuple[Prefill, ...]
    reads: tuple[Read, ...]
    rules: Rules
    flow: str
    certificate: Certificate | None
    texts: dict[str, Words]  # Key -> both languages

    def text(self, key: str) -> Words:
        return self.texts.get(key) or STANDARD.get(key, {"zh": key, "en": key})

    def asked(self) -> dict[str, str]:
        """Every element that this matter asks for, with the source that answers."""
        return {one.element: one.source for one in self.prefills} | {one.element: one.source for one in self.reads}


_encode = msgspec.json.Encoder().encode  # In the order of the files: the questions of a form are asked in it.
_decode = msgspec.json.Decoder(Matter).decode


def encoded(matter: Matter) -> bytes:
    """The one way to write a version down: equal folders give equal bytes."""
    return _encode(matter)


def decoded(content: bytes) -> Matter:
    return _decode(content)


def version_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def kind_of_field(schema: Mapping[str, Any]) -> Kind | None:
    """How rules see a form's field; None for what they cannot look at."""
    if schema.get("format") == "date":
        return "date"
    kinds: dict[str, Kind] = {"string": "string", "integer": "integer", "number": "number", "boolean": "boolean"}
    return kinds.get(schema.get("type", "string"))


def kind_of_element(element: str) -> Kind:
    kind = ASKED[element]
    return "strings" if kind == "cars" else kind
