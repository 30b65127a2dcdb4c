"""A price as the contract writes it: lines with their span, words in two languages and amount."""

from collections.abc import Sequence

import msgspec

from foundation.clock import rfc3339
from foundation.money import Money, money
from parking.tariffs.model import Line


class Words(msgspec.Struct, frozen=True):
    zh: str
    en: str


class LineView(msgspec.Struct, frozen=True):
    """Lines of kind `time` tile the stay; the others are negative and name the span they concern; all together are the total."""

    kind: str
    from_: str = msgspec.field(name="from")
    to: str
    what: Words
    amount: Money


def line_views(lines: Sequence[Line]) -> list[LineView]:
    return [
        LineView(line.kind, rfc3339(line.start), rfc3339(line.end), Words(line.what_zh, line.what_en), money(line.amount)) for line in lines
    ]


def render_lines(lines: Sequence[Line]) -> str:
    return msgspec.json.encode(line_views(lines)).decode()
