"""When a plate passes to another holder, the parking licences of whoever had it before end; when a person is erased, all of hers do."""

from collections.abc import Sequence

from foundation.events import PersonErased, PlateProved
from foundation.journal import Entry, Journal
from foundation.postgres import Transaction
from services.licences import store
from services.licences.revoke_licence import revoke


class HoldersFollower:
    name = "services.licences"
    journal: Journal = "fact"
    kinds = frozenset({PlateProved.kind, PersonErased.kind})

    async def apply(self, tx: Transaction, entries: Sequence[Entry]) -> None:
        for entry in entries:
            fact = entry.event
            if isinstance(fact, PersonErased):
                for one in await store.held_by(tx, fact.person):
                    await revoke(tx, one.id, reason="holder_left", now=max(entry.at, one.issued_at))
            elif isinstance(fact, PlateProved):
                for one in await store.licences_of_plate(tx, fact.plate_token, entry.at):
                    if one.person != fact.person:
                        await revoke(tx, one.id, reason="plate_passed", now=max(entry.at, one.issued_at))
