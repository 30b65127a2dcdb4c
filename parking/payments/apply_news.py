"""Take a provider's news about one number: a callback and the answer to a question go through here and nowhere else."""

from dataclasses import dataclass
from datetime import datetime

import structlog
from prometheus_client import Counter

from foundation import events
from foundation.postgres import Transaction
from parking.ledger import settle
from parking.ledger.model import AccountKind
from parking.payments import model, store
from parking.payments.model import News, State, TopUp, Verdict

log = structlog.get_logger()

ALARMS = Counter("onelot_payments_alarms_total", "Things about payments that somebody has to look at", ["reason"])
MOVES = Counter("onelot_topups_moved_total", "Steps of top-ups", ["state"])


@dataclass(frozen=True, slots=True)
class Outcome:
    verdict: Verdict
    state: State | None  # Of the top-up now; None when there is none of this number.


async def apply_news(tx: Transaction, number: str, news: News, at: datetime) -> Outcome:
    """Move the top-up of `number` if the news moves it; when it says paid, the money is booked and told in this transaction.

    `at` is city time. Any order and number of repetitions ends in the same books: the row is locked, paid is the end
    of all ways, and the ledger's id follows from the number.
    """
    topup = await store.lock_topup(tx, number, news.provider)
    verdict, state = _judge(topup, news)
    if topup is None or state is None:
        if verdict in model.REFUSED:
            alarm(verdict, number=number, said=news.state, cause=news.cause)
        return Outcome(verdict, topup.state if topup is not None else None)
    await store.move_topup(tx, topup.id, state, news.cause, at, news)
    if state is State.PAID:
        await _book(tx, topup, at)
    tx.after_commit.append(lambda: MOVES.labels(state).inc())
    return Outcome(verdict, state)


def alarm(reason: str, **what: object) -> None:
    """Say that a person has to look: a line of the log and a count that alerts stand on."""
    ALARMS.labels(reason).inc()
    log.error("payments_alarm", reason=reason, **what)


def _judge(topup: TopUp | None, news: News) -> tuple[Verdict, State | None]:
    """What to make of the news, and the state it leads to if it leads anywhere."""
    if topup is None:
        return Verdict.NO_SUCH_NUMBER, None
    if not news.ours:
        return Verdict.OTHER_MERCHANT, None
    if news.amount is not None and news.amount != topup.amount:
        return Verdict.OTHER_AMOUNT, None
    state = model.after(topup.state, news.state)
    return (Verdict.NOTHING_NEW, None) if state is None else (Verdict.MOVED, state)


async def _book(tx: Transaction, topup: TopUp, at: datetime) -> None:
    wallet, clearing = await settle.open_accounts(tx, [(AccountKind.WALLET, str(topup.person)), (AccountKind.CLEARING, topup.provider)])
    posting = model.posting_of(topup.number)
    status = await settle.top_up(tx, id=posting, wallet=wallet, clearing=clearing, amount=topup.amount, at=at)
    assert status != "conflict", f"the ledger holds {topup.number} with another body"
    tx.tell(events.TopUpPaid(topup=topup.id, person=topup.person, amount=topup.amount), at=at)
