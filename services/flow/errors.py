"""What may go wrong between a case and its diagram.

FlowError
├── FlowRefused     a diagram that is outside of the subset, or no XML
├── NotWaiting      the case does not wait for this step
└── Forbidden       a diagram asked for what no diagram may do
"""


class FlowError(Exception):
    """A diagram cannot be followed."""


class FlowRefused(FlowError):
    """The diagram is not one of ours."""


class NotWaiting(FlowError):
    """The case does not wait for this step."""


class Forbidden(FlowError):
    """A diagram may compare words, and nothing else."""
