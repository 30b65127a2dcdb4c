"""The step-up: an act says which level it wants, and who has less is told what to prove."""

from foundation.caller import Caller
from foundation.errors import NotAllowed
from services.identity.model import LEVELS, Level

WORDS = {
    "L2": "prove your name and number first",
    "L3": "prove in presence who you are first, for instance by a code from a counter",
}


def require_level(caller: Caller, needed: Level) -> None:
    """Raises NotAllowed with `needs`, which a page turns into the way up."""
    if LEVELS.index(caller.level) < LEVELS.index(needed):
        raise NotAllowed(f"this needs level {needed}: {WORDS[needed]}", needs=needed)
