"""The words by which a matter is found: as people write them, as they sound, and by the first letters of the sounds. Pure."""

import re
from collections.abc import Iterator

from pypinyin import lazy_pinyin

from services.catalog.model import Matter

EDITION = 1  # Counts up when the same matter is spelt otherwise: what an older edition spelt is spelt anew.
_CHINESE = re.compile("[\u3400-\u9fff\U00020000-\U0003ffff]+")


def words_of(matter: Matter) -> tuple[str, ...]:
    """The name in every spelling, then what else people may call it."""
    return tuple(_words(matter))


def _words(matter: Matter) -> Iterator[str]:
    yield " ".join(_spellings(matter.name["zh"])) + " " + matter.name["en"].lower() + " " + matter.code.replace("_", " ")
    others = [matter.text(key)[language] for key in ("keywords", "summary") for language in ("zh", "en")]
    topics = matter.elements.get("topics")
    others += [str(topic) for topic in topics] if isinstance(topics, list) else []
    yield " ".join(spelling for text in others for spelling in _spellings(text)).lower()


def _spellings(text: str) -> list[str]:
    """停车 is also tingche, and tc. What holds no Chinese is spelt as it stands: nobody looks up its sounds."""
    sounds = [sound for run in _CHINESE.findall(text) for sound in lazy_pinyin(run)]
    return [text.lower(), "".join(sounds), "".join(sound[0] for sound in sounds)] if sounds else [text.lower()]
