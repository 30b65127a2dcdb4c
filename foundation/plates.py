"""One normal form for Chinese number plates, so that every spelling of a plate is one vehicle in every house."""

import re
import unicodedata
from dataclasses import dataclass

COLOURS = ("blue", "yellow", "green", "yellow_green", "white", "black", "other")
NEW_ENERGY = frozenset({"green", "yellow_green"})
PROVINCES = "京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼"
LENGTH_MAX = 32  # Longer texts are no plate in whatever spelling; nobody gets to make us fold a megabyte.

# GA 36-2018: the serial carries neither I nor O; class letters are D A B C E for pure electric cars, F G H J K for others.
_SIGN = "[A-HJ-NP-Z0-9]"
_CLASS = "[DABCEFGHJK]"
_HEAD = f"[{PROVINCES}][A-HJ-Z]"  # The issuing letter may be an O, as on old police plates.
_SMALL = re.compile(f"{_HEAD}{_CLASS}{_SIGN}[0-9]{{4}}")
_LARGE = re.compile(f"{_HEAD}[0-9]{{5}}{_CLASS}")
_OTHERS = {  # The form, and the colour it has when nobody says one.
    re.compile(f"{_HEAD}{_SIGN}{{5}}"): "blue",
    re.compile(f"{_HEAD}{_SIGN}{{4}}警"): "white",
    re.compile(f"{_HEAD}{_SIGN}{{4}}[学挂]"): "yellow",
    re.compile(f"{_HEAD}{_SIGN}{{4}}[港澳使领]"): "black",
    re.compile("[0-9]{6}使|使[0-9]{6}"): "black",
    re.compile(f"WJ[{PROVINCES}]?[0-9]{{4,5}}{_SIGN}?"): "white",  # Armed police.
    re.compile("[VKHBSLJNGCE][A-Z][0-9]{5}"): "white",  # Military.
}
_DOTS = frozenset("·・･•‧∙⋅．.。｡-‐‑–—_")
_LOOK_ALIKE = ("0DQ", "8B", "17T", "2Z", "5S", PROVINCES)
_SETS = {glyph: number for number, glyphs in enumerate(_LOOK_ALIKE) for glyph in glyphs}


@dataclass(frozen=True, slots=True)
class Plate:
    """What a vehicle is known by: the same characters in another colour may be another vehicle."""

    text: str
    colour: str

    @property
    def key(self) -> tuple[str, str]:
        return self.text, self.colour


def plate_of(text: str, colour: str | None = None) -> Plate:
    """The plate of any spelling; its colour is inferred when nobody says one. It may still have a fault."""
    normal = normal_plate(text)
    return Plate(normal, colour or usual_colour(normal))


def normal_plate(text: str) -> str:
    """Width, case, dots and blanks carry no meaning. O and I become 0 and 1 in the serial only, where the standard has neither."""
    folded = unicodedata.normalize("NFKC", text[:LENGTH_MAX])
    kept = "".join(glyph for glyph in folded if not _is_blank(glyph))
    upper = "".join(glyph.upper() if glyph.isascii() else glyph for glyph in kept)
    upper = unicodedata.normalize("NFKC", upper)[:LENGTH_MAX]  # Glyphs that a dot held apart may combine now.
    head = _head_length(upper)
    return upper[:head] + upper[head:].replace("O", "0").replace("I", "1")


def plate_fault(text: str, colour: str | None = None) -> str | None:
    """`plate_format` or `plate_colour` when no vehicle can carry this normal form; None when one can."""
    if colour is not None and colour not in COLOURS:
        return "plate_colour"
    if _SMALL.fullmatch(text):
        return None if colour in (None, "green") else "plate_colour"
    if _LARGE.fullmatch(text):
        return None if colour in (None, "yellow_green") else "plate_colour"
    if not any(form.fullmatch(text) for form in _OTHERS):
        return "plate_format"
    return "plate_colour" if colour in NEW_ENERGY else None


def usual_colour(text: str) -> str:
    """The colour a plate of this form has when nobody says one; blue for what is no plate at all."""
    if _SMALL.fullmatch(text):
        return "green"
    if _LARGE.fullmatch(text):
        return "yellow_green"
    return next((colour for form, colour in _OTHERS.items() if form.fullmatch(text)), "blue")


def near_plates(one: str, other: str) -> bool:
    """Whether one could be a misreading of the other: a single glyph differs, by a usual confusion.

    A proposal, never a decision: two plates that exist may be near.
    """
    if len(one) != len(other):
        return False
    pairs = [(a, b) for a, b in zip(one, other, strict=True) if a != b]
    return len(pairs) == 1 and _alike(*pairs[0])


def _alike(one: str, other: str) -> bool:
    return one in _SETS and _SETS[one] == _SETS.get(other)


def _is_blank(glyph: str) -> bool:
    return glyph in _DOTS or unicodedata.category(glyph)[0] in "ZC"


def _head_length(text: str) -> int:
    """Where the serial begins: after province or service and the issuing letter; at once on diplomatic plates."""
    if "使" in text and text[:1] not in PROVINCES:
        return 0
    return 3 if text.startswith("WJ") and text[2:3] in PROVINCES else 2
