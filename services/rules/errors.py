"""What may be wrong with rules.

RuleFault    an expression that is none, or of the wrong kind
"""


class RuleFault(Exception):
    """An expression is wrong; `place` names the fact or rule in which it stands."""

    def __init__(self, message: str, place: str = "") -> None:
        super().__init__(message)
        self.place = place
