"""A carrier handed a number out again: whoever holds it now begins with an account of her own, and the former holder's is left alone."""

from datetime import datetime

from foundation import events, ids
from foundation.caller import Caller
from foundation.errors import Conflict
from foundation.postgres import Database, Transaction
from foundation.seal import Keys
from services.identity import model, people, store
from services.identity.who_is import Known


async def start_afresh(database: Database, keys: Keys, known: Known, caller: Caller, *, wall: datetime, city: datetime) -> Caller:
    """Somebody says "this is not me": number and log-in are a new person's. All other log-ins of the former account end; its holder comes
    back to her name by the counter, from a phone of her own. Raises Conflict for a log-in that is surely its person's."""
    if not caller.unsure:
        raise Conflict("this account is in use as yours; end its log-ins if one of them is not")

    async def work(tx: Transaction) -> Caller:
        await store.lock_person(tx, caller.person)
        phone = await people.phone_of(tx, keys, caller.person)
        await store.free_number(tx, caller.person, people.no_number(keys, caller.person))
        fresh = ids.new_id()
        await store.make_person(tx, fresh, model.phone_token(keys, phone), keys.seal_lasting(phone), wall)
        await store.hand_session(tx, caller.session, fresh)
        await store.end_sessions_of(tx, caller.person, wall)
        await store.use_person(tx, fresh, wall)
        tx.tell(events.LogInEnded(person=caller.person), at=city)
        tx.after_commit.append(lambda: known.forget(caller.person))
        return Caller(fresh, caller.session)

    return await database.run(work)
