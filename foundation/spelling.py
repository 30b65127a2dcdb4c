"""Names as people type them: how Chinese sounds, in the letters of a keyboard and no other."""

import functools
import unicodedata
from typing import Final

from pypinyin import Style, lazy_pinyin

_ALIKE: Final = str.maketrans(
    {"ɡ": "g", "ü": "v", "ê": "e", "ŋ": "ng"}
)  # Phonetic signs, and ü as it is typed: they look right and match nothing.


@functools.lru_cache(16_384)
def pinyin(text: str) -> str:
    """Without tones and gaps: 二七广场 is erqiguangchang."""
    return "".join(map(keys, lazy_pinyin(text)))


@functools.lru_cache(16_384)
def initials(text: str) -> str:
    """The first letters: 二七广场 is eqgc."""
    return "".join(keys(one)[:1] for one in lazy_pinyin(text, style=Style.NORMAL))


def keys(typed: str) -> str:
    """What of a word lies on a keyboard, a to z and 0 to 9: tone marks and gaps make no difference, nor v and ü."""
    bare = "".join(sign for sign in unicodedata.normalize("NFD", typed.lower()) if sign == "\u0308" or not unicodedata.combining(sign))
    plain = unicodedata.normalize("NFC", bare).translate(_ALIKE)
    return "".join(sign for sign in unicodedata.normalize("NFKD", plain) if sign.isascii() and sign.isalnum())
