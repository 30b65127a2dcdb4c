"""What payments refuse, and what a provider may do to us.

ProviderAway                 we know nothing: no answer, or none that can be trusted
└── ProviderRefuses          it understood us and will not: asking again cannot help
Problem (foundation.errors)
├── NotifyRefused 401        a callback that does not prove who sent it
└── NotifyDisagrees 409      a proven callback that says something else than our books
"""

from foundation.errors import Problem


class ProviderAway(Exception):
    """The provider gave no answer that can be trusted, so what it did is not known."""


class ProviderRefuses(ProviderAway):
    """The provider refuses the request itself, not the payment; the payment's state is not known from it."""


class NotifyRefused(Problem):
    """`reason` is one of headers, key, time, signature, schema."""

    status, slug, title = 401, "notify-refused", "The callback does not prove who sent it"

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


class NotifyDisagrees(Problem):
    status, slug, title = 409, "notify-disagrees", "The callback disagrees with what was ordered"
