"""Hear a provider's callback: what is proven is kept and applied, what disagrees with our books is refused and alarms."""

from datetime import datetime

from foundation.postgres import Database, Transaction
from parking.payments import model, store
from parking.payments.apply_news import Outcome, apply_news
from parking.payments.errors import NotifyDisagrees
from parking.payments.model import Notify


async def hear_notify(database: Database, notify: Notify, at: datetime) -> Outcome:
    """Take a callback whose signature was right; `at` is city time. Raises NotifyDisagrees.

    A repetition is not looked up but applied again, which changes nothing: what was refused is judged anew each time.
    """

    async def work(tx: Transaction) -> Outcome:
        outcome = await apply_news(tx, notify.number, notify.news, at)
        await store.keep_notify(tx, notify, outcome.verdict, at)
        return outcome

    outcome = await database.run(work)
    if outcome.verdict in model.REFUSED:  # After the commit: that it came is evidence.
        raise NotifyDisagrees(f"refused: {outcome.verdict.replace('_', ' ')}")
    return outcome
