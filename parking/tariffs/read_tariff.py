"""Read a tariff file strictly: no key and no value passes that is not understood, and every fault is told at once."""

import json
import re
from datetime import date, datetime
from hashlib import sha256
from typing import Literal, cast, get_args

from parking.tariffs import yaml_nodes
from parking.tariffs.model import (
    CITY,
    DAY_SECONDS,
    DAY_WORDS,
    PLATE_COLOURS,
    VEHICLE_TYPES,
    Applies,
    Caps,
    Condition,
    Count,
    Discount,
    Example,
    ExtraFree,
    Free,
    Once,
    Permits,
    Reentry,
    Season,
    Step,
    Tariff,
    Text,
    Window,
)
from parking.tariffs.yaml_nodes import Mapped, Node

MAX_WINDOWS = 60
MAX_STEPS = 60
MAX_MINUTES = 60 * 24 * 366
MAX_FEN = 100_000_00
# What each mapping of the format may hold; the JSON Schema is held to the same list by a test.
KEYS = {
    "tariff": (
        "code", "version", "effective", "pin", "applies", "free", "reentry", "windows", "caps", "discounts", "permits", "round_total",
        "leave_within_minutes", "text", "examples",
    ),
    "effective": ("from", "to"),
    "applies": ("lots", "vehicle", "plate"),
    "free": ("minutes", "mode", "new_energy_extra", "extra", "once_per"),
    "extra": ("if", "is", "minutes"),
    "reentry": ("gap_minutes", "same"),
    "window": (
        "name", "title", "days", "days_of", "season", "from", "to", "vehicle", "plate", "count", "round", "tail", "edge", "cap", "steps",
    ),
    "season": ("from", "through"),
    "step": ("until", "per", "price", "once"),
    "caps": ("day", "period", "stay", "of"),
    "discount": ("if", "is", "percent", "stage", "windows"),
    "permits": ("windows",),
    "text": ("zh", "en"),
    "example": ("from", "to", "fen", "colour", "vehicle", "permit", "why"),
}  # fmt: skip
CONDITIONS: dict[str, tuple[str, ...] | None] = {
    "energy": ("new", "fuel"),
    "plate": PLATE_COLOURS,
    "vehicle": VEHICLE_TYPES,
    "permit": None,  # The name of a permit: any word.
}
_CODE = re.compile(r"[a-z0-9][a-z0-9._-]{0,99}")
_CLOCK = re.compile(r"([01]?\d|2[0-4]):([0-5]\d)(?::([0-5]\d))?")
_MONTH_DAY = re.compile(r"(\d\d)-(\d\d)")


def read_tariff(text: str | bytes) -> Tariff:
    """Read one version of a tariff. Raises TariffFaults with all faults of the text; what only a year of days can show is
    found by `check_tariff`.
    """
    root = yaml_nodes.read(text).only(*KEYS["tariff"])
    tariff = _tariff(root)
    root.node.faults.raise_if_any()
    assert tariff is not None
    return tariff


def canonical_json(tariff: Tariff) -> bytes:
    """The published form: every default filled in, keys sorted. Reading it gives the same tariff."""
    return json.dumps(published(tariff), ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def sha256_of(tariff: Tariff) -> str:
    """Hex digest of the canonical JSON: the name of this version on every bill."""
    return sha256(canonical_json(tariff)).hexdigest()


def published(tariff: Tariff) -> dict[str, object]:
    """The tariff as plain values in the words of its format."""
    return {
        "code": tariff.code,
        "version": tariff.version,
        "effective": {
            "from": _instant_text(tariff.effective_from),
            "to": _instant_text(tariff.effective_to) if tariff.effective_to else None,
        },
        "pin": tariff.pin,
        "applies": {"lots": tariff.applies.lots, "vehicle": tariff.applies.vehicle, "plate": tariff.applies.plate},
        "free": {
            "minutes": tariff.free.minutes,
            "mode": tariff.free.mode,
            "new_energy_extra": tariff.free.new_energy_extra,
            "extra": [_said(extra.condition) | {"minutes": extra.minutes} for extra in tariff.free.extra] or None,
            "once_per": tariff.free.once_per,
        },
        "reentry": {"gap_minutes": tariff.reentry.gap_minutes, "same": tariff.reentry.same} if tariff.reentry else None,
        "windows": [_published_window(window) for window in tariff.windows],
        "caps": {"day": tariff.caps.day, "period": tariff.caps.period, "stay": tariff.caps.stay, "of": tariff.caps.of},
        "discounts": [
            _said(d.condition) | {"percent": d.percent, "stage": d.stage, "windows": d.windows} for d in tariff.discounts
        ] or None,
        "permits": {"windows": tariff.permits.windows} if tariff.permits else None,
        "round_total": tariff.round_total,
        "leave_within_minutes": tariff.leave_within_minutes,
        "text": _published_text(tariff.text),
        "examples": [_published_example(example) for example in tariff.examples] or None,
    }  # fmt: skip


def _published_window(window: Window) -> dict[str, object]:
    season = window.season
    return {
        "name": window.name,
        "title": _published_text(window.title),
        "days": window.days,
        "days_of": window.days_of,
        "season": {"from": "{:02d}-{:02d}".format(*season.first), "through": "{:02d}-{:02d}".format(*season.last)} if season else None,
        "from": _clock_text(window.start),
        "to": _clock_text(window.end),
        "vehicle": window.vehicle,
        "plate": window.plate,
        "count": window.count,
        "round": window.round,
        "tail": window.tail,
        "edge": window.edge,
        "cap": window.cap,
        "steps": [
            {"until": step.until, "per": step.per, "price": step.price, "once": None if step.per else step.once} for step in window.steps
        ],
    }


def _published_text(text: Text | None) -> dict[str, object] | None:
    return {"zh": text.zh, "en": text.en} if text else None


def _published_example(example: Example) -> dict[str, object]:
    return {
        "from": _instant_text(example.start),
        "to": _instant_text(example.end),
        "fen": example.fen,
        "colour": example.colour,
        "vehicle": example.vehicle,
        "permit": example.permit,
        "why": example.why or None,
    }


def _instant_text(instant: datetime) -> str:
    return instant.astimezone(CITY).isoformat()  # One way to write an instant, so that one tariff has one digest.


def _said(condition: Condition) -> dict[str, object]:
    return {"if": condition.of, "is": condition.among}


def _tariff(root: Mapped) -> Tariff | None:
    code, version, windows = root.need("code"), root.need("version"), _windows(root)
    effective = root.need("effective")
    start, end = _effective(effective) if effective else (None, None)
    names = tuple(window.name for window in windows)
    applies, free, permits, leave = root.get("applies"), root.get("free"), root.get("permits"), root.get("leave_within_minutes")
    fields = {
        "pin": root.word("pin", ("entry", "change")),
        "applies": _applies(applies.mapping()) if applies else Applies(),
        "free": _free(free.mapping()) if free else Free(),
        "reentry": _reentry(root),
        "caps": _caps(root),
        "discounts": _discounts(root, names),
        "permits": _permits(permits.mapping(), names) if permits else None,
        "round_total": root.whole("round_total", 1, least=1, most=10_000),
        "leave_within_minutes": leave.whole(least=0, most=1440) if leave else 0,
        "text": _text(root.get("text")),
        "examples": _examples(root),
    }
    if code is None or version is None or start is None or not windows:
        return None
    _code(code)
    places = dict(root.node.places())
    return Tariff(code.raw(), version.whole(least=1), start, windows, end, places=places, **fields)  # type: ignore[arg-type]  # each was read by its own key


def _code(node: Node) -> None:
    if not _CODE.fullmatch(node.text()):
        node.fault("a code is made of small letters, digits, dots, dashes and underscores, at most 100")


def _effective(node: Node) -> tuple[datetime | None, datetime | None]:
    span = node.mapping().only(*KEYS["effective"])
    first, last = span.need("from"), span.get("to")
    start, end = _instant(first) if first else None, _instant(last) if last else None
    if start and end and end <= start and last:
        last.fault("the version ends before it begins")
    return start, end


def _applies(node: Mapped) -> Applies:
    node.only(*KEYS["applies"])
    return Applies(node.maybe_texts("lots"), node.maybe_words("vehicle", VEHICLE_TYPES), node.maybe_words("plate", PLATE_COLOURS))


def _free(node: Mapped) -> Free:
    node.only(*KEYS["free"])
    listed = node.get("extra")
    extra = [_extra(item.mapping()) for item in listed.items()] if listed else []
    return Free(
        node.whole("minutes", 0, least=0, most=1440),
        cast("Literal['threshold', 'deduct']", node.word("mode", ("threshold", "deduct"))),
        node.whole("new_energy_extra", 0, least=0, most=1440),
        tuple(extra),
        cast("Literal['chain', 'day', 'rolling']", node.word("once_per", ("chain", "day", "rolling"))),
    )


def _extra(node: Mapped) -> ExtraFree:
    node.only(*KEYS["extra"])
    minutes = node.need("minutes")
    return ExtraFree(_condition(node), minutes.whole(least=1, most=1440) if minutes else 0)


def _condition(node: Mapped) -> Condition:
    subject, value = node.need("if"), node.need("is")
    of = subject.word(tuple(CONDITIONS)) if subject else "energy"
    known = CONDITIONS[of]
    among: tuple[str, ...] = ()
    if value:
        one = value.is_scalar()
        among = _names(value, one) if known is None else (value.word(known),) if one else value.words(known)
    return Condition(cast("Literal['energy', 'plate', 'vehicle', 'permit']", of), among)


def _names(value: Node, one: bool) -> tuple[str, ...]:
    return (value.text(),) if one else value.texts()


def _reentry(root: Mapped) -> Reentry | None:
    value = root.get("reentry")
    if value is None:
        return None
    node = value.mapping().only(*KEYS["reentry"])
    gap = node.need("gap_minutes")
    same = cast("Literal['lot', 'tariff']", node.word("same", ("lot", "tariff")))
    return Reentry(gap.whole(least=1, most=1440) if gap else 1, same)


def _caps(root: Mapped) -> Caps:
    value = root.get("caps")
    if value is None:
        return Caps()
    node = value.mapping().only(*KEYS["caps"])
    # Left out, the day is the city's own; the published form says so.
    period = cast("Literal['calendar', 'rolling']", node.word("period", ("calendar", "rolling")))
    day = node.maybe_whole("day", least=0, most=MAX_FEN)
    of = cast("Literal['visit', 'plate']", node.word("of", ("visit", "plate")))
    return Caps(day, period, node.maybe_whole("stay", least=0, most=MAX_FEN), of)


def _windows(root: Mapped) -> tuple[Window, ...]:
    value = root.need("windows")
    items = value.items() if value else []
    if value and not 1 <= len(items) <= MAX_WINDOWS:
        value.fault(f"a tariff has 1 to {MAX_WINDOWS} windows")
    windows = [_window(item) for item in items[:MAX_WINDOWS]]
    for place, window in enumerate(windows):
        if window.name in {other.name for other in windows[:place]}:
            items[place].fault(f"a window before has the name {window.name!r}")
    return tuple(windows)


def _window(item: Node) -> Window:
    node = item.mapping().only(*KEYS["window"])
    name, season, first, last = node.need("name"), node.get("season"), node.get("from"), node.get("to")
    window = Window(
        name=name.text() if name else "",
        steps=_steps(node),
        start=clock_of(first) if first else 0,
        end=clock_of(last) if last else DAY_SECONDS,
        days=node.maybe_words("days", DAY_WORDS),
        days_of=cast("Literal['start', 'instant'] | None", _maybe_word(node, "days_of", ("start", "instant"))),
        season=_season(season) if season else None,
        vehicle=node.maybe_words("vehicle", VEHICLE_TYPES),
        plate=node.maybe_words("plate", PLATE_COLOURS),
        count=cast("Count", node.word("count", get_args(Count))),
        round=cast("Literal['up', 'down']", node.word("round", ("up", "down"))),
        tail=node.whole("tail", 0, least=0, most=1440),
        edge=cast("Literal['cut', 'run']", node.word("edge", ("cut", "run"))),
        cap=node.maybe_whole("cap", least=0, most=MAX_FEN),
        title=_text(node.get("title")),
    )
    _check_hours(item, node, window)
    return window


def _check_hours(item: Node, node: Mapped, window: Window) -> None:
    if window.start == window.end or window.start == DAY_SECONDS:
        item.fault(f"window {window.name!r} has no length: all day is from 00:00 to 24:00")
    crosses = 0 < window.end < window.start
    if crosses and (window.days or window.season) and window.days_of is None:
        item.fault(
            f"window {window.name!r} crosses midnight on certain days only: say days_of: start (a night belongs to the day it begins on)"
            " or days_of: instant (each instant to its own calendar day)"
        )
    if window.round == "down" and window.tail:
        item.fault(f"window {window.name!r} rounds down, so that tail has no meaning")
    if window.tail and any(0 < step.per <= window.tail for step in window.steps):
        item.fault(f"in window {window.name!r} tail is as long as a step, which would never be charged")
    if node.get("to") and window.end == 0:
        item.fault(f"window {window.name!r} ends at 00:00: write 24:00")


def _steps(node: Mapped) -> tuple[Step, ...]:
    value = node.need("steps")
    items = value.items() if value else []
    if value and not 1 <= len(items) <= MAX_STEPS:
        value.fault(f"a window has 1 to {MAX_STEPS} steps")
    steps = [_step(item) for item in items[:MAX_STEPS]]
    reached = 0
    for item, step in zip(items, steps, strict=False):
        last = item is items[-1]
        if last and step.until is not None:
            item.fault("the last step has no until: something has to be said of what comes after")
        elif not last and (step.until is None or step.until <= reached):
            item.fault("steps are told in their order: each but the last needs an until beyond the one before")
        reached = step.until or reached
    return tuple(steps)


def _step(item: Node) -> Step:
    node = item.mapping().only(*KEYS["step"])
    per, price = node.need("per"), node.need("price")
    step = Step(
        per.whole(least=0, most=MAX_MINUTES) if per else 1,
        price.whole(least=0, most=MAX_FEN) if price else 0,
        node.maybe_whole("until", least=1, most=MAX_MINUTES),
        cast("Once", node.word("once", get_args(Once))),
    )
    if step.per and node.get("once"):
        item.fault("once is said of a flat price (per: 0) only")
    return step


def _discounts(root: Mapped, names: tuple[str, ...]) -> tuple[Discount, ...]:
    value = root.get("discounts")
    return tuple(_discount(item, names) for item in value.items()) if value else ()


def _discount(item: Node, names: tuple[str, ...]) -> Discount:
    node = item.mapping().only(*KEYS["discount"])
    percent = node.need("percent")
    stage = cast("Literal['before_caps', 'after_caps']", node.word("stage", ("after_caps", "before_caps")))
    windows = _window_names(node, names)
    if windows and stage == "after_caps":
        item.fault("a discount of certain windows is taken before_caps: after the caps no price belongs to a window")
    return Discount(_condition(node), percent.whole(least=1, most=100) if percent else 0, stage, windows)


def _permits(node: Mapped, names: tuple[str, ...]) -> Permits:
    node.only(*KEYS["permits"])
    return Permits(_window_names(node, names))


def _window_names(node: Mapped, names: tuple[str, ...]) -> tuple[str, ...] | None:
    value = node.get("windows")
    if value is None:
        return None
    if not names:
        return value.texts()
    return value.words(names)


def _examples(root: Mapped) -> tuple[Example, ...]:
    value = root.get("examples")
    read = [_example(item.mapping()) for item in value.items()] if value else []
    return tuple(example for example in read if example)


def _example(node: Mapped) -> Example | None:
    node.only(*KEYS["example"])
    first, last, fen, permit, why = node.need("from"), node.need("to"), node.need("fen"), node.get("permit"), node.get("why")
    start, end = _instant(first) if first else None, _instant(last) if last else None
    colour, vehicle = node.word("colour", PLATE_COLOURS), node.word("vehicle", VEHICLE_TYPES)
    if start is None or end is None or fen is None:
        return None
    if end < start or start.year < 1992:
        node.node.fault("the example ends before it begins" if end < start else "an example lies in 1992 or later")
        return None
    return Example(start, end, fen.whole(least=0), colour, vehicle, permit.boolean() if permit else False, why.text() if why else "")


def _text(value: Node | None) -> Text | None:
    if value is None:
        return None
    node = value.mapping().only(*KEYS["text"])
    zh, en = node.need("zh"), node.need("en")
    return Text(zh.text() if zh else "", en.text() if en else "")


def _season(value: Node) -> Season:
    node = value.mapping().only(*KEYS["season"])
    first, last = node.need("from"), node.need("through")
    return Season(_month_day(first) if first else (1, 1), _month_day(last) if last else (12, 31))


def _month_day(node: Node) -> tuple[int, int]:
    match = _MONTH_DAY.fullmatch(node.raw())
    try:
        day = date(2024, int(match[1]), int(match[2])) if match else None  # A leap year, so that 02-29 is a day.
    except ValueError:
        day = None
    if day is None:
        node.fault(f"{node.raw()!r} is not a month and day (05-01)")
        return (1, 1)
    return (day.month, day.day)


def clock_of(node: Node) -> int:
    """Seconds of the day of a time as people write it, 24:00 included."""
    match = _CLOCK.fullmatch(node.raw())
    seconds = 3600 * int(match[1]) + 60 * int(match[2]) + int(match[3] or 0) if match else -1
    if not 0 <= seconds <= DAY_SECONDS:
        node.fault(f"{node.raw()!r} is not a time of the day (07:30, at most 24:00)")
        return 0
    return seconds


def _clock_text(seconds: int) -> str:
    text = f"{seconds // 3600:02d}:{seconds % 3600 // 60:02d}"
    return f"{text}:{seconds % 60:02d}" if seconds % 60 else text


def _instant(node: Node) -> datetime | None:
    try:
        instant = datetime.fromisoformat(node.raw())
    except ValueError:
        node.fault(f"{node.raw()!r} is not an instant (2026-01-01T00:00+08:00)")
        return None
    if instant.tzinfo is None:
        node.fault(f"{node.raw()!r} needs its offset (+08:00)")
        return None
    return instant


def _maybe_word(node: Mapped, key: str, known: tuple[str, ...]) -> str | None:
    value = node.get(key)
    return None if value is None else value.word(known)
