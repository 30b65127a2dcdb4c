"""What cases wait for comes: a task's time is over, or a silent department is asked again. The times lie in the database."""

import asyncio
import functools
import uuid
from collections.abc import Callable

import structlog
from prometheus_client import Counter

from foundation import clock, events, postgres
from foundation.errors import NotFound
from foundation.postgres import Transaction
from services.cases import model, store
from services.cases.desk import Office, asked, locked_case, opened
from services.cases.move_case import step
from services.cases.recheck_case import keep_checks, put_before_staff
from services.catalog import draft
from services.flow.errors import NotWaiting
from services.rules.model import Known

log = structlog.get_logger()

MISSED = Counter("onelot_promises_missed_total", "Cases that were not decided by the promised day", ["agency", "matter"])
AT_ONCE_MAX = 100
LATER = 60.0  # Seconds until a timer that failed is tried again.


async def watch_timers(desk: Office, done: Callable[[], None]) -> None:
    """For ever, each second."""
    while True:
        try:
            await serve_due(desk)
        except postgres.AWAY as error:
            log.warning("timers_wait", error=type(error).__name__)
        done()
        await asyncio.sleep(1)


async def serve_due(desk: Office) -> int:
    """Everything that is due by now; answers how much. One that fails is heard, and put off; the others go on."""
    rows = await store.due_timers(desk.database, desk.clock.city(), AT_ONCE_MAX)
    for row in rows:
        try:
            if row["kind"] == "flow":
                await _time_is_over(desk, row["case_id"], row["task"])
            elif row["kind"] == "promise":
                await _promise_is_over(desk, row["case_id"])
            else:
                await check_pledges(desk, row["case_id"], row["tries"])
        except postgres.AWAY:
            raise
        except NotFound:
            await desk.database.run(functools.partial(_forget, row["case_id"]))
        except Exception as error:
            log.error("timer_failed", kind=row["kind"], case=str(row["case_id"]), error=repr(error)[:300])
            await _put_off(desk, row["case_id"], row["kind"], row["task"], row["tries"])
    return len(rows)


async def _time_is_over(desk: Office, case: uuid.UUID, task: str) -> None:
    async def work(tx: Transaction) -> None:
        if not await store.lock_timer(tx, case, "flow", task, desk.clock.city()):
            return
        found = await locked_case(desk, tx, case)
        await store.end_timer(tx, case, "flow", task)
        try:
            await step(desk, tx, found, task, "", "time")
        except NotWaiting:
            log.info("timer_came_late", case=str(case))  # The task was done in the same moment.

    await desk.database.run(work)


async def _promise_is_over(desk: Office, case: uuid.UUID) -> None:
    async def work(tx: Transaction) -> None:
        if not await store.lock_timer(tx, case, "promise", "", desk.clock.city()):
            return
        found = await locked_case(desk, tx, case)
        await store.end_timer(tx, case, "promise", "")
        if found.case.state in ("submitted", "in_review"):
            row = found.case
            MISSED.labels(row.agency, row.matter).inc()
            told = events.PromiseMissed(
                case=row.id, person=row.person, matter=row.matter, version=row.version, agency=row.agency, number=len(found.steps)
            )
            tx.tell(told, at=desk.clock.city())

    await desk.database.run(work)


async def _forget(case: uuid.UUID, tx: Transaction) -> None:
    """The applicant was erased: her case waits for nothing."""
    await store.end_timers(tx, case)


async def _put_off(desk: Office, case: uuid.UUID, kind: str, task: str, tries: int) -> None:
    later = desk.clock.city() + clock.seconds(LATER)
    await desk.database.run(lambda tx: store.set_timer(tx, case, kind, task, later, tries + 1))


async def check_pledges(desk: Office, case: uuid.UUID, tries: int) -> None:
    """Ask the silent departments again, outside of any transaction; what they say now is compared and kept."""
    row = await store.load_case(desk.database, case)
    answers: dict[str, Known] = {}
    if row is not None and row.state not in ("draft", "withdrawn"):
        found = await opened(desk, desk.database, row)
        answers = await asked(desk, found.matter, row.person, case, draft.silent(found.matter, found.draft))

    async def work(tx: Transaction) -> None:
        if not await store.lock_timer(tx, case, "pledge", "", desk.clock.city()):
            return
        found = await keep_checks(desk, tx, await locked_case(desk, tx, case), answers)
        left = draft.silent(found.matter, found.draft) if found.case.state != "withdrawn" else []
        if left and tries + 1 < model.PLEDGE_TRIES_MAX:
            await store.set_timer(tx, case, "pledge", "", model.pledge_after(tries + 1, desk.clock.city()), tries + 1)
        else:
            await store.end_timer(tx, case, "pledge", "")
            if left:
                log.error("pledge_never_checked", case=str(case), elements=left)
                await put_before_staff(desk, tx, found)

    await desk.database.run(work)
