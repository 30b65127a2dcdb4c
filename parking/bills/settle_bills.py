"""Settle what each stay costs now less what is booked. First bill, late reading, corrected plate and appeal are one mechanism."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from foundation import ids
from foundation.clock import whole_seconds
from foundation.events import BillSettled
from foundation.postgres import Record, Transaction
from parking.bills import store
from parking.bills.model import Bill, Billable, state_of
from parking.ledger import settle as ledger
from parking.ledger.model import AccountKind, Settlement
from parking.sites import store as sites
from parking.sites.store import Site
from parking.tariffs import calendar, price_stay
from parking.tariffs import store as tariffs
from parking.tariffs.model import Stay, Visit
from parking.tariffs.render import render_lines
from parking.tariffs.store import Published

ENTIRELY_FREE = "[]"


@dataclass(slots=True)
class _Case:
    """One bill on its way: what is asked, what is booked, and who has paid."""

    stay: Billable
    site: Site
    before: Bill | None
    tariff: Published | None
    total: int = 0
    lines: str = ENTIRELY_FREE
    provisional: bool = False
    paid: int = 0
    owed: int = 0
    payers: list[tuple[UUID, int]] = field(default_factory=list)
    payments: list[tuple[UUID, UUID, int]] = field(default_factory=list)  # posting, payer, amount

    @property
    def id(self) -> UUID:
        return ids.id_of("bill", self.stay.session)

    @property
    def version(self) -> int:
        return self.before.version + 1 if self.before else 1

    @property
    def closed(self) -> bool:
        return self.stay.left_at is not None and not self.stay.void

    def debtor_changed(self) -> bool:
        before = self.before
        return before is not None and (before.person, before.plate_token, before.operator) != (
            self.stay.person,
            self.stay.plate_token,
            self.site.operator,
        )

    def same_as_before(self) -> bool:
        before = self.before
        return (
            before is not None
            and (before.total, before.lines, before.entered_at) == (self.total, self.lines, self.stay.entered_at)
            and not self.debtor_changed()
            and (before.state == "void") == (not self.closed)
        )


async def settle_bills(tx: Transaction, stays: Sequence[Billable], *, now: datetime) -> set[UUID]:
    """Price and book these stays; answers the sessions for which no tariff is in force, which have no bill yet."""
    if not stays:
        return set()
    known = await sites.load_sites(tx, [stay.site for stay in stays])
    published = await tariffs.load(tx, [site.tariff for site in known.values()])
    billed = await store.lock_bills(tx, [stay.session for stay in stays])
    unpriced: set[UUID] = set()
    cases: list[_Case] = []
    for stay in sorted(stays, key=lambda one: one.entered_at):
        before = billed.get(stay.session)
        if before is None and (stay.void or stay.left_at is None):
            continue  # Nothing was asked for it, and nothing is now.
        case = _Case(stay, known[stay.site], before, _in_force(published.get(known[stay.site].tariff, []), stay))
        if case.closed and case.tariff is None:
            unpriced.add(stay.session)
        elif case.tariff is not None and case.tariff.tariff.reentry is not None:
            await _settle_cases(tx, cases, now)  # A chain of visits is priced one after the other.
            cases = []
            await _settle_cases(tx, [case], now)
            await _settle_followers(tx, case, now)
        else:
            cases.append(case)
    await _settle_cases(tx, cases, now)
    return unpriced


def _in_force(versions: Sequence[Published], stay: Billable) -> Published | None:
    return next((one for one in versions if one.tariff.in_force_at(stay.entered_at)), None)


async def _settle_followers(tx: Transaction, case: _Case, now: datetime) -> None:
    """Later visits of the same chain cost something else when an earlier one has changed."""
    assert case.tariff is not None and case.tariff.tariff.reentry is not None
    gap = timedelta(minutes=case.tariff.tariff.reentry.gap_minutes)
    until = (case.stay.left_at or case.stay.entered_at) + gap
    if case.before is not None:
        until = max(until, case.before.left_at + gap)
    later = await store.visits_after(tx, case.stay, until)
    await settle_bills(tx, [_billable_again(row) for row in later], now=now)


def _billable_again(row: Record) -> Billable:
    return Billable(
        row["session"], row["site"], row["plate_token"], row["plate_sealed"], row["plate_colour"], row["vehicle_type"],
        row["entered_at"], row["left_at"], row["certainty"], row["person"], collect=row["person"] is not None and row["certainty"] == "sure",
    )  # fmt: skip


async def _settle_cases(tx: Transaction, cases: Sequence[_Case], now: datetime) -> None:
    for case in cases:
        await _price(tx, case)
    changed = [case for case in cases if not case.same_as_before()]
    if not changed:
        return
    await _load_booked(tx, changed)
    await _move_debts(tx, changed, now)
    await _book(tx, [one for case in changed for one in _give_back(case, now)], changed)
    await _book(tx, [one for case in changed for one in _ask(case, now)], changed)
    await _save(tx, changed, now)


async def _price(tx: Transaction, case: _Case) -> None:
    if not case.closed or case.tariff is None:
        return
    stay = await _stay_of(tx, case)
    price = price_stay.price_across(case.tariff.line, stay, calendar.official())
    case.total, case.lines, case.provisional = price.total, render_lines(price.lines), price.provisional


async def _stay_of(tx: Transaction, case: _Case) -> Stay:
    assert case.tariff is not None and case.stay.left_at is not None
    earlier = await store.visits_before(tx, case.stay) if case.tariff.tariff.reentry else []
    return stay_to_price(
        case.stay, case.stay.left_at, tuple(Visit(whole_seconds(entry), whole_seconds(left), case.stay.site) for entry, left in earlier)
    )


def stay_to_price(stay: Billable, until: datetime, earlier: tuple[Visit, ...] = ()) -> Stay:
    """Whole seconds, half-open; the colour and type that the tariff asks for."""
    entered_at = whole_seconds(stay.entered_at)
    return Stay(
        entered_at, max(whole_seconds(until), entered_at), plate_colour=stay.plate_colour or "other", vehicle_type=stay.vehicle_type,
        earlier=earlier, site=stay.site,
    )  # fmt: skip


async def _load_booked(tx: Transaction, cases: Sequence[_Case]) -> None:
    paid = await store.payers(tx, [case.id for case in cases if case.before is not None])
    for case in cases:
        if case.before is not None:
            case.paid, case.owed, case.payers = case.before.paid, case.before.owed, paid.get(case.id, [])


# Who owes whom


def receivable_of(plate_token: bytes, person: UUID | None) -> tuple[AccountKind, str]:
    """Debts belong to the plate and the owner's period, not to the string on the plate."""
    return AccountKind.RECEIVABLE, f"{plate_token.hex()}:{person or '-'}"


def wallet_of(person: UUID) -> tuple[AccountKind, str]:
    return AccountKind.WALLET, str(person)


@dataclass(frozen=True, slots=True)
class _Entry:
    """A settlement whose accounts are still names."""

    case: _Case
    id: UUID
    payer: UUID | None
    person: UUID | None
    plate_token: bytes
    operator: str
    amount: int
    owed: int
    collect: bool
    at: datetime

    def names(self) -> list[tuple[AccountKind, str]]:
        owner = [receivable_of(self.plate_token, self.person), (AccountKind.PAYABLE, self.operator), (AccountKind.DEFERRED, self.operator)]
        return [wallet_of(self.payer), *owner] if self.payer else owner


async def _move_debts(tx: Transaction, cases: Sequence[_Case], now: datetime) -> None:
    """A plate was proved: what it owed goes to the person, by a posting; what others paid for it stays paid."""
    for case in cases:
        before, stay = case.before, case.stay
        if before is None or before.person is not None or not _only_person_changed(case) or case.owed == 0:
            continue
        names = [receivable_of(before.plate_token, None), receivable_of(stay.plate_token, stay.person)]
        source, target = await ledger.open_accounts(tx, names)
        moved = ids.id_of("debt-moved", stay.session, case.version)
        await ledger.move_debt(tx, id=moved, session=stay.session, source=source, target=target, amount=case.owed, at=now)


def _only_person_changed(case: _Case) -> bool:
    before = case.before
    return before is not None and (before.plate_token, before.operator) == (case.stay.plate_token, case.site.operator)


def _give_back(case: _Case, now: datetime) -> list[_Entry]:
    """What was asked too much: first the open debt goes down, then those who paid get theirs back, the latest first."""
    before = case.before
    if before is None:
        return []
    moved = case.debtor_changed() and not (before.person is None and _only_person_changed(case))
    too_much = before.total if moved else before.total - case.total
    if too_much <= 0:
        return []
    person, token, operator = (before.person, before.plate_token, before.operator) if moved else _debtor(case)
    debt = min(too_much, case.owed)
    parts = [(None, debt)] if debt == too_much else _shares(case.payers, too_much - debt)
    entries, owed = [], case.owed
    for number, (payer, share) in enumerate(parts):
        amount = share if payer is None else share + (debt if number == 0 else 0)
        posting = ids.id_of("settle", case.stay.session, case.version, "back", number)
        entries.append(_Entry(case, posting, payer, person, token, operator, -amount, owed if number == 0 else 0, False, now))
    return entries


def _shares(payers: Sequence[tuple[UUID, int]], amount: int) -> list[tuple[UUID | None, int]]:
    shares: list[tuple[UUID | None, int]] = []
    for payer, paid in reversed(payers):
        share = min(paid, amount)
        if share:
            shares.append((payer, share))
            amount -= share
    assert amount == 0, "a bill's payments hold what it says is paid"
    return shares


def _debtor(case: _Case) -> tuple[UUID | None, bytes, str]:
    return case.stay.person, case.stay.plate_token, case.site.operator


def _ask(case: _Case, now: datetime) -> list[_Entry]:
    more = case.total - case.paid - case.owed
    if more <= 0:
        return []
    person, token, operator = _debtor(case)
    payer = person if case.stay.collect else None
    posting = ids.id_of("settle", case.stay.session, case.version)
    return [_Entry(case, posting, payer, person, token, operator, more, case.owed, case.stay.collect, now)]


async def _book(tx: Transaction, entries: Sequence[_Entry], cases: Sequence[_Case]) -> None:
    if not entries:
        return
    names = sorted({name for entry in entries for name in entry.names()})
    accounts = dict(zip(names, await ledger.open_accounts(tx, names), strict=True))
    outcomes = await ledger.settle(tx, [_settlement(entry, accounts) for entry in entries])
    for entry, outcome in zip(entries, outcomes, strict=True):
        assert outcome.status == "booked", "a version of a bill is settled once, under its lock"
        entry.case.paid += outcome.paid
        entry.case.owed += outcome.debt
        if outcome.paid:
            assert entry.payer is not None, "only wallets pay"
            entry.case.payments.append((entry.id, entry.payer, outcome.paid))


def _settlement(entry: _Entry, accounts: dict[tuple[AccountKind, str], int]) -> Settlement:
    wallet = accounts[wallet_of(entry.payer)] if entry.payer else None
    return Settlement(
        entry.id, entry.case.stay.session, wallet, accounts[receivable_of(entry.plate_token, entry.person)],
        accounts[AccountKind.PAYABLE, entry.operator], accounts[AccountKind.DEFERRED, entry.operator], entry.amount, entry.owed, entry.at,
        collect=entry.amount < 0 or entry.collect,
    )  # fmt: skip


async def _save(tx: Transaction, cases: Sequence[_Case], now: datetime) -> None:
    await tx.execute_many(store.queries.save_bill, [_bill_row(case, now) for case in cases])
    await tx.execute_many(store.queries.save_bill_version, [_version_row(case, now) for case in cases])
    payments = [(posting, case.id, payer, "wallet", amount, now) for case in cases for posting, payer, amount in case.payments]
    if payments:
        await tx.execute_many(store.queries.save_payment, payments)
    tx.tell(*(_fact(case) for case in cases), at=now)


def _left_at(case: _Case) -> datetime:
    return case.stay.left_at or (case.before.left_at if case.before else case.stay.entered_at)


def _bill_row(case: _Case, now: datetime) -> tuple[object, ...]:
    stay, rule = case.stay, case.tariff
    refunded = bool(case.payers or case.payments)
    state = state_of(total=case.total, paid=case.paid, owed=case.owed, void=not case.closed, refunded=refunded)
    return (
        case.id, stay.session, stay.site, case.site.operator, stay.person, stay.plate_token, stay.plate_sealed, stay.plate_colour, stay.vehicle_type,
        stay.certainty, stay.entered_at, max(_left_at(case), stay.entered_at), now, case.total, case.paid, case.owed, case.version, state,
        rule.tariff.code if rule else "", rule.tariff.version if rule else 0, rule.sha256 if rule else "", case.provisional, case.lines,
    )  # fmt: skip


def _version_row(case: _Case, now: datetime) -> tuple[object, ...]:
    sha256 = case.tariff.sha256 if case.tariff else ""
    return case.id, case.version, now, case.total, case.stay.entered_at, max(_left_at(case), case.stay.entered_at), sha256, case.lines


def _fact(case: _Case) -> BillSettled:
    return BillSettled(
        bill=case.id, session=case.stay.session, person=case.stay.person, operator=case.site.operator, version=case.version,
        total=case.total, paid=case.paid, owed=case.owed,
    )  # fmt: skip
