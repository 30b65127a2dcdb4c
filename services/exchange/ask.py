"""Ask the departments what a form wants to know of a person: only what is wanted, all at once, within a deadline, and never in secret."""

import asyncio
import time
import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import structlog
from prometheus_client import Counter

from foundation.clock import Clock
from foundation.errors import NotAllowed
from foundation.postgres import Database, Transaction
from foundation.seal import Keys
from services.exchange import model
from services.exchange.accesses import record_access
from services.exchange.errors import AskedWrongly, NoAnswer
from services.exchange.model import Answer, Breaker, Catalogue, Checked, Departments, Interface, Quota
from services.identity import people

log = structlog.get_logger()

ASKED = Counter("onelot_exchange_questions_total", "Questions to departments", ["interface", "outcome"])
ALARMS = frozenset({"another", "broken"})  # Somebody at the department has to hear of it.


@dataclass(frozen=True, slots=True)
class Exchange:
    """Whom we ask and what we remember of asking: one for each process."""

    database: Database
    keys: Keys
    clock: Clock
    catalogue: Catalogue
    departments: Departments
    breakers: dict[str, Breaker] = field(default_factory=dict)  # By department.
    quotas: dict[str, Quota] = field(default_factory=dict)  # By interface.


async def ask(
    exchange: Exchange, *, person: uuid.UUID, agency: str, purpose: str, case: uuid.UUID, elements: Collection[str]
) -> dict[str, Answer]:
    """An answer for each element: a value with its source and time, none, or unknown.

    `agency` is for whom (the matter's), `purpose` for what (the matter's code), `case` which application of this person. Each read is
    a line that she sees, written before anybody sees the answer. Raises NotAllowed with `needs` when nobody knows who she is,
    KeyError for an element that no department knows, AskedWrongly when a department refuses our question.
    """
    planned = model.plan(exchange.catalogue, elements)
    for interface, _ in planned:
        if "case" not in interface.purposes:
            raise NotAllowed(f"{interface.source} does not share {interface.id} for a case")
    identity = await people.identity_of(exchange.database, exchange.keys, person)
    if identity is None:
        raise NotAllowed("prove your name and number first", needs="L2")
    asked = [_ask_one(exchange, interface, wanted, identity.id_no) for interface, wanted in planned]
    answers = [answer for found in await asyncio.gather(*asked) for answer in found]
    await _record(exchange, answers, person=person, agency=agency, purpose=purpose, case=case)
    return {answer.element: answer for answer in answers}


async def check_pledges(
    exchange: Exchange, *, person: uuid.UUID, agency: str, purpose: str, case: uuid.UUID, pledged: Mapping[str, object]
) -> dict[str, Checked]:
    """Ask again what was unknown when the form was filled. `pledged`: what the person said instead, by element; None for nothing."""
    found = await ask(exchange, person=person, agency=agency, purpose=purpose, case=case, elements=pledged.keys())
    return {element: model.checked(answer, pledged[element]) for element, answer in found.items()}


async def _ask_one(exchange: Exchange, interface: Interface, wanted: Sequence[str], id_no: str) -> list[Answer]:
    breaker = exchange.breakers.setdefault(interface.source, Breaker())
    quota = exchange.quotas.setdefault(interface.id, Quota())
    if not breaker.lets(time.monotonic()):
        return _unknown(interface, wanted, "resting")
    if not quota.takes(time.monotonic(), interface.quota_per_minute):
        return _unknown(interface, wanted, "quota")
    try:
        told = await exchange.departments.ask(interface, id_no)
    except NoAnswer as error:
        breaker.failed(time.monotonic())
        return _unknown(interface, wanted, error.why)
    except AskedWrongly as error:
        ASKED.labels(interface.id, "asked_wrongly").inc()
        log.error("department_refuses_question", interface=interface.id, error=str(error))
        raise
    breaker.answered()
    answers = model.answers_of(interface, wanted, told, exchange.clock.wall())
    ASKED.labels(interface.id, answers[0].why or ("none" if told.body is None else "told")).inc()
    return answers


def _unknown(interface: Interface, wanted: Sequence[str], why: str) -> list[Answer]:
    ASKED.labels(interface.id, why).inc()
    say = log.error if why in ALARMS else log.warning
    say("department_did_not_answer", interface=interface.id, why=why)
    return model.unknown(interface, wanted, why)


async def _record(exchange: Exchange, answers: Sequence[Answer], *, person: uuid.UUID, agency: str, purpose: str, case: uuid.UUID) -> None:
    """One line for each department that told something; where nobody answered nothing was read."""
    read: dict[str, list[str]] = {}
    for answer in answers:
        if answer.known:
            read.setdefault(answer.source, []).append(answer.element)
    if not read:
        return
    at = exchange.clock.city()

    async def work(tx: Transaction) -> None:
        for fields in read.values():
            await record_access(tx, person=person, agency=agency, purpose=purpose, case=case, fields=fields, at=at)

    await exchange.database.run(work)
