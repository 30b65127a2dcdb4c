"""What may go wrong between the exchange and the departments.

ExchangeError
├── NoAnswer          a department did not answer, or not as its contract says, or about somebody else
├── AskedWrongly      a department refused our question: our fault, and an alarm, never a pledge
└── BadCatalogue      the catalogue contradicts itself or a department's contract
"""


class ExchangeError(Exception):
    """Something between us and a department is wrong."""


class NoAnswer(ExchangeError):
    """There is nothing to go by; `why` is a word for people who keep the interface running."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


class AskedWrongly(ExchangeError):
    """The department says that our question is malformed, or that we may not ask it."""


class BadCatalogue(ExchangeError):
    """The catalogue does not hold together."""
