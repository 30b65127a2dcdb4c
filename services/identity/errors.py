"""What may go wrong between identity and the systems it asks; what people are told is foundation.errors.

IdentityError
├── SmsAway           the provider did not take a message
├── RegistryAway      the vehicle registry did not answer, or answered about something else
├── UnknownRole       a role or scope that does not exist
├── UnknownNumber     what is no phone number
└── StillOpen         what has to be done before somebody is erased
"""

from collections.abc import Sequence


class IdentityError(Exception):
    """Something outside of us, or somebody at the command line, is wrong."""


class SmsAway(IdentityError):
    """The SMS provider did not take the message."""


class RegistryAway(IdentityError):
    """The vehicle registry did not answer, or not about this vehicle."""


class UnknownRole(IdentityError):
    """There is no such role, or it wants another scope."""


class UnknownNumber(IdentityError):
    """This is not a phone number."""


class StillOpen(IdentityError):
    """Something has to be done before she is erased; `left` says what."""

    def __init__(self, left: Sequence[str]) -> None:
        super().__init__("; ".join(left))
        self.left = tuple(left)
