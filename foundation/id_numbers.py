"""Identity numbers of citizens (GB 11643): one normal form, and what makes a number impossible. Pure."""

import re
import unicodedata
from datetime import date

LENGTH_MAX = 64  # Longer texts are no number in whatever spelling.
TEST_AREA = "990"  # No area has it: numbers of made-up people, which only a simulated register knows.
_RANGES = ((11, 16), (21, 24), (31, 38), (41, 47), (50, 55), (61, 66), (71, 72), (81, 84))  # GB/T 2260, each without its end.
PROVINCES = frozenset(str(number) for begin, end in _RANGES for number in range(begin, end))
_FORM = re.compile(r"[1-9][0-9]{16}[0-9X]")
_BLANK = re.compile(r"[\s\-‐‑–.·]+")
FAULTS = {
    "id_no_format": "an identity number has 18 digits, the last of which may be an X",
    "id_no_area": "no area has this number; look at the first six digits",
    "id_no_birth_date": "birth date does not exist; look at digits 7 to 14",
    "id_no_future": "the birth date is in the future; look at digits 7 to 14",
    "id_no_check_digit": "a digit is wrong or two are swapped; type the number again",
}


def normal_id_no(text: str) -> str:
    """One key for one person: width, blanks and the case of the X carry no meaning. It may still have a fault."""
    return _BLANK.sub("", unicodedata.normalize("NFKC", text[:LENGTH_MAX])).upper()


def id_no_fault(number: str, today: date) -> str | None:
    """A key of FAULTS when nobody can bear this number; None when somebody can. A right check digit is no proof of existence."""
    if not _FORM.fullmatch(number):
        return "id_no_format"
    if not _is_area(number[:6]):
        return "id_no_area"
    try:
        born = date(int(number[6:10]), int(number[10:12]), int(number[12:14]))
    except ValueError:
        return "id_no_birth_date"
    if born > today:
        return "id_no_future"
    return None if check_digit(number[:17]) == number[17] else "id_no_check_digit"


def check_digit(body: str) -> str:
    """ISO 7064 MOD 11-2 over the first seventeen digits."""
    total = sum(int(digit) * (2 ** (17 - place) % 11) for place, digit in enumerate(body))
    return "10X98765432"[total % 11]


def _is_area(area: str) -> bool:
    """A province of GB/T 2260; foreigners with permanent residence have a 9 before theirs."""
    if area.startswith(TEST_AREA):
        return True
    return area[1:3] in PROVINCES if area[0] == "9" else area[:2] in PROVINCES
