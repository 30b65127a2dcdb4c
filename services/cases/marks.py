"""Which answer of a draft was changed when: a late save is merged where nobody else spoke meanwhile, and told where somebody did. Pure."""

from collections.abc import Mapping

from services.forms.model import Json, is_within, value_at

Marks = Mapping[str, int]  # Pointer of an answer -> the revision of the case that changed it last.


def leaves(form: Json, at: str = "") -> dict[str, Json]:
    """Each answer by its pointer; a list is one answer, and so is whatever a patch takes away whole."""
    found: dict[str, Json] = {}
    for name, value in form.items():
        pointer = f"{at}/{name}"
        found |= leaves(value, pointer) if isinstance(value, dict) and value else {pointer: value}
    return found


def marked(marks: Marks, before: Json, after: Json, revision: int) -> dict[str, int]:
    """The marks once a form that said `before` says `after`."""
    old, new = leaves(before), leaves(after)
    return {**marks, **{pointer: revision for pointer in old.keys() | new.keys() if old.get(pointer) != new.get(pointer)}}


def colliding(marks: Marks, since: int, form: Json, patch: Json) -> list[str]:
    """Answers of a patch that was typed over the revision `since`, to which somebody has given another answer after that."""
    newer = [pointer for pointer, revision in marks.items() if revision > since]
    return [
        pointer
        for pointer, value in leaves(patch).items()
        if value_at(form, pointer) != value and any(is_within(pointer, [one]) or is_within(one, [pointer]) for one in newer)
    ]


def lost(form: Json, patch: Json) -> list[str]:
    """Answers of a patch that the form does not hold now that it was applied: their questions are asked no more."""
    return [pointer for pointer, value in leaves(patch).items() if value not in (None, {}) and value_at(form, pointer) != value]
