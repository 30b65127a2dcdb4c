"""Who is asking: filled from the identity house at the door, read by every other house as an id and rights."""

import uuid
from dataclasses import dataclass
from datetime import datetime

STEERING_AGENCY = "transport"


@dataclass(frozen=True, slots=True)
class Role:
    """A right with its scope: `operator` of an operator, `staff` of an agency, `admin` of the city."""

    role: str
    scope: str = ""


@dataclass(frozen=True, slots=True)
class Caller:
    person: uuid.UUID
    session: uuid.UUID
    level: str = "L1"
    roles: tuple[Role, ...] = ()
    unsure: bool = False  # The number may have passed to a stranger: nothing of its former holder is hers to see.
    level_at: datetime | None = None  # When the level was last proved; nobody proves L1.

    def scopes(self, role: str) -> frozenset[str]:
        return frozenset(held.scope for held in self.roles if held.role == role)

    def has(self, role: str) -> bool:
        return any(held.role == role for held in self.roles)

    def steers(self) -> bool:
        """Whether the whole city's parking is this person's business: its admin, and staff of the agency that steers it."""
        return self.has("admin") or STEERING_AGENCY in self.scopes("staff")
