"""People and what they may do."""

import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import click

from foundation.clock import rfc3339
from foundation.errors import Conflict, NotFound
from foundation.postgres import Transaction
from onelot.cli import connect
from onelot.cli.connect import Reached
from onelot.cli.errors import Failed
from onelot.cli.options import as_json, common, debugged, instant, say, settings_of
from onelot.config import ERASURES, Misused
from parking.bills.open_money import open_money
from parking.payments.pay_out import pay_out
from parking.payments.providers.sim_bank import NAME as BANK_NAME
from services.identity.end_session import lock_person, unlock_person
from services.identity.erase_person import Erasures, erase_person
from services.identity.errors import StillOpen, UnknownNumber, UnknownRole
from services.identity.grant_role import grant_role, revoke_role, show_person
from services.identity.who_is import Known

Answer = TypeVar("Answer")
REFERENCE_MAX = 100


@click.group()
def people() -> None:
    """People and their roles."""


ROLE = click.argument("role", type=click.Choice(["operator", "staff", "admin"]))


def scope_of(role: str, operator: str | None, agency: str | None) -> str:
    """Raises Misused when the role wants a scope that was not said."""
    scope = {"operator": operator, "staff": agency, "admin": ""}[role]
    if scope is None:
        raise Misused(f"the role {role} needs {'--operator OP' if role == 'operator' else '--agency AG'}")
    return scope


@people.command("grant")
@click.argument("phone")
@ROLE
@click.option("--operator", help="The operator, for the role operator.")
@click.option("--agency", help="The agency, for the role staff.")
@click.option("--from", "since", help="From when on, e.g. 2026-03-02T09:00 (now).")
@click.option("--to", "until", help="Until when (for ever).")
@common
@debugged
def people_grant(
    phone: str, role: str, operator: str | None, agency: str | None, since: str | None, until: str | None, **flags: object
) -> None:
    """Give a person a role, for one operator or agency or, as admin, for everything. Granting again replaces its dates."""
    scope = scope_of(role, operator, agency)
    begin, end = instant(since) if since else None, instant(until) if until else None

    async def work(city: Reached) -> object:
        try:
            return await grant_role(
                city.database, city.keys, phone=phone, role=role, scope=scope,
                now=city.clock.wall(), city=city.clock.city(), since=begin, until=end,
            )  # fmt: skip
        except UnknownRole as error:
            raise Misused(str(error)) from None

    connect.run(settings_of(**flags), work)
    click.echo(f"granted: {role}{' of ' + scope if scope else ''}")


@people.command("revoke")
@click.argument("phone")
@ROLE
@click.option("--operator", help="The operator, for the role operator.")
@click.option("--agency", help="The agency, for the role staff.")
@common
@debugged
def people_revoke(phone: str, role: str, operator: str | None, agency: str | None, **flags: object) -> None:
    """Take a role away; it ends within a second, everywhere."""
    scope = scope_of(role, operator, agency)

    async def work(city: Reached) -> bool:
        now, city_now = city.clock.wall(), city.clock.city()
        return await revoke_role(city.database, city.keys, phone=phone, role=role, scope=scope, now=now, city=city_now)

    if not connect.run(settings_of(**flags), work):
        raise Failed("there is no such right to take away; `onelot people show PHONE` lists what there is")
    click.echo(f"revoked: {role}{' of ' + scope if scope else ''}")


@people.command("show")
@click.argument("phone")
@common
@as_json
@debugged
def people_show(phone: str, as_json: bool, **flags: object) -> None:
    """A person's level and rights, with their dates; nothing of who she is."""

    async def work(city: Reached) -> dict[str, Any]:
        person, level, grants = await show_person(city.database, city.keys, phone=phone)
        rights = [
            {"role": one.role.role, "scope": one.role.scope, "from": rfc3339(one.since), "to": one.until and rfc3339(one.until),
             "holds": one.holds_at(city.clock.wall())}
            for one in grants
        ]  # fmt: skip
        return {"id": str(person), "level": level, "roles": rights}

    found = _of_somebody(work, **flags)
    lines = [
        f"{one['role']} {one['scope']} from {one['from']} to {one['to'] or 'for ever'}{'' if one['holds'] else ' (not now)'}"
        for one in found["roles"]
    ]
    say(found, [f"{found['id']} {found['level']}", *lines], as_json=as_json)


@people.command("lock")
@click.argument("phone")
@common
@debugged
def people_lock(phone: str, **flags: object) -> None:
    """End all log-ins of a person for ever, and let nobody log in as her until she is unlocked."""

    async def work(city: Reached) -> None:
        person, _, _ = await show_person(city.database, city.keys, phone=phone)
        known = Known(city.database, city.clock)
        await lock_person(city.database, known, person=person, now=city.clock.wall(), city=city.clock.city())

    _of_somebody(work, **flags)
    click.echo("locked; `onelot people unlock` lets her log in anew")


@people.command("unlock")
@click.argument("phone")
@common
@debugged
def people_unlock(phone: str, **flags: object) -> None:
    """Let a locked person log in anew; what was ended stays so."""

    async def work(city: Reached) -> None:
        person, _, _ = await show_person(city.database, city.keys, phone=phone)
        await unlock_person(city.database, person=person)

    _of_somebody(work, **flags)
    click.echo("unlocked")


@people.command("payout")
@click.argument("phone")
@click.option("--reference", required=True, help="The bank's own number of the transfer: the same one again pays nothing a second time.")
@common
@debugged
def people_pay_out(phone: str, reference: str, **flags: object) -> None:
    """Take all that a person's wallet holds out of it, because the bank has transferred it to her."""
    if not reference.strip() or len(reference) > REFERENCE_MAX:
        raise Misused(f"a reference is what the bank calls the transfer, at most {REFERENCE_MAX} signs")

    async def work(city: Reached) -> int:
        person, _, _ = await show_person(city.database, city.keys, phone=phone)
        at = city.clock.city()
        return await city.database.run(lambda tx: pay_out(tx, person, provider=BANK_NAME, reference=reference.strip(), at=at))

    try:
        amount = _of_somebody(work, **flags)
    except Conflict as error:
        raise Failed(str(error)) from None
    click.echo(f"paid out: {yuan(amount)}")


@people.command("erase")
@click.argument("phone")
@click.option("--yes", is_flag=True, help="Do it: nothing brings her back.")
@common
@debugged
def people_erase(phone: str, yes: bool, **flags: object) -> None:
    """Erase a person: her key, number, name, plates and log-ins. What the law keeps stays without a name.

    Refused while money is open between her and the car parks: then it says what has to be done first.
    """
    if not yes:
        raise Misused("nothing brings an erased person back; say --yes")

    async def work(city: Reached) -> None:
        person, _, _ = await show_person(city.database, city.keys, phone=phone)
        erasures = Erasures(city.settings.data_dir / ERASURES)
        affairs, clock = Open(phone), city.clock
        await erase_person(city.database, city.keys, erasures, affairs, person=person, wall=clock.wall(), city=clock.city())

    try:
        _of_somebody(work, **flags)
    except StillOpen as error:
        raise Failed(f"not erased, and nothing was changed: {error}") from None
    click.echo(f"erased; keep a copy of {ERASURES} away from the backups, and give it to `onelot restore --erasures`")


@dataclass(frozen=True, slots=True)
class Open:
    """What the car parks have open with somebody, in sentences that say what to do."""

    phone: str

    async def open_of(self, tx: Transaction, person: uuid.UUID) -> list[str]:
        found = await open_money(tx, person)
        said = [
            (found.owed, f"{found.bills} bills of hers are unpaid ({yuan(found.owed)}); she pays them on the page Bills"),
            (found.stays, f"{found.stays} of her stays are not over; wait until they are billed"),
            (found.topups, f"{found.topups} of her top-ups are on their way; wait until the bank has said what became of them"),
            (found.wallet, f"her wallet holds {yuan(found.wallet)}; transfer it, then `onelot people payout {self.phone} --reference …`"),
        ]  # fmt: skip
        return [sentence for number, sentence in said if number]


def yuan(fen: int) -> str:
    return f"{fen // 100}.{fen % 100:02d} yuan"


def _of_somebody(work: Callable[[Reached], Awaitable[Answer]], **flags: object) -> Answer:
    """Raises Misused for what is no number, Failed for a number of nobody."""
    try:
        return connect.run(settings_of(**flags), work)
    except UnknownNumber as error:
        raise Misused(str(error)) from None
    except NotFound:
        raise Failed("nobody has this number here") from None
