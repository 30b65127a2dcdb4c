"""Settle what each stay costs now less what is booked. First bill, late reading, corrected plate and appeal are one mechanism."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from msgspec.structs import replace

from foundation import ids
from foundation.clock import whole_seconds
from foundation.events import BillSettled
from foundation.postgres import Transaction
from parking.bills import apply_permits, store
from parking.bills.model import Bill, Billable, state_of
from parking.ledger import settle as ledger
from parking.ledger.model import AccountKind, Settlement
from parking.permits import store as permits
from parking.permits.model import Presence
from parking.sites import store as sites
from parking.sites.store import Site
from parking.tariffs import calendar
from parking.tariffs import store as tariffs
from parking.tariffs.model import PermitSpan, Stay, Visit
from parking.tariffs.price_published import price_published
from parking.tariffs.render import render_lines
from parking.tariffs.store import Published

ENTIRELY_FREE = "[]"
REACH = timedelta(days=3)  # How long after its end a visit may still have a say in what a later one costs.


@dataclass(slots=True)
class _Case:
    """One bill on its way: what is asked, what is booked, and who has paid."""

    stay: Billable
    site: Site
    before: Bill | None
    tariff: Published | None
    earlier: tuple[Visit, ...] = ()
    permits: tuple[PermitSpan, ...] = ()
    total: int = 0
    lines: str = ENTIRELY_FREE
    sha256: str = ""
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
    def ended(self) -> bool:
        return self.stay.left_at is not None and not self.stay.void

    @property
    def asked(self) -> bool:
        """Whether anything can be asked for it: it is over, and a tariff says what it costs."""
        return self.ended and self.tariff is not None

    @property
    def chained(self) -> bool:
        """Whether other visits of the plate have a say in its price."""
        if self.tariff is None:
            return False
        rules = (self.tariff.tariff, *(rule for one in self.tariff.corrections for rule in one.line))
        return any(rule.reentry is not None or rule.free.once_per != "chain" or rule.caps.of == "plate" for rule in rules)

    def debtor_changed(self) -> bool:
        before = self.before
        return before is not None and (before.person, before.plate_token, before.operator) != (
            self.stay.person,
            self.stay.plate_token,
            self.site.operator,
        )

    def same_as_before(self) -> bool:
        before, stay = self.before, self.stay
        if before is None or self.debtor_changed() or (before.state == "void") == self.asked:
            return False
        if not self.asked:
            return True
        return (before.total, before.lines, before.entered_at, before.left_at, before.certainty, before.collect) == (
            (self.total, self.lines, stay.entered_at, stay.left_at, stay.certainty, stay.collect)
        )

    def may_collect(self) -> set[UUID]:
        """Whose wallet has got money back, or may be asked now for what could not be taken before."""
        refunded = {payer for _, payer, amount in self.payments if amount < 0}
        before, stay = self.before, self.stay
        if before is None or stay.person is None or not (stay.collect and self.owed):
            return refunded
        return refunded if (before.collect, before.person) == (True, stay.person) else refunded | {stay.person}


@dataclass(frozen=True, slots=True)
class Settled:
    """Sessions for which no tariff is in force, which have no bill yet; and whose debts may be collected now."""

    unpriced: set[UUID]
    may_collect: set[UUID]


async def settle_bills(tx: Transaction, stays: Sequence[Billable], *, now: datetime) -> Settled:
    """Price and book these stays, and what stands in one chain with them."""
    settled = Settled(set(), set())
    waiting = {stay.session: stay for stay in stays}
    while waiting:
        wave = _wave(waiting.values())
        cases = await _cases(tx, wave)
        settled.unpriced.update(case.stay.session for case in cases if case.ended and not case.asked)
        await _settle_cases(tx, cases, now)
        for case in cases:
            settled.may_collect.update(case.may_collect())
        for stay in wave:
            del waiting[stay.session]
        for later in await _followers(tx, [case for case in cases if case.chained]):
            waiting.setdefault(later.session, later)
    return settled


def _wave(stays: Iterable[Billable]) -> list[Billable]:
    """The oldest stay of each plate: a chain of visits is priced one after the other."""
    oldest: dict[bytes, Billable] = {}
    for stay in stays:
        held = oldest.get(stay.plate_token)
        if held is None or (stay.entered_at, stay.session) < (held.entered_at, held.session):
            oldest[stay.plate_token] = stay
    return list(oldest.values())


async def _cases(tx: Transaction, stays: Sequence[Billable]) -> list[_Case]:
    """Oldest first. Nothing was asked for a stay without an end and without a bill, and nothing is now."""
    known = await sites.load_sites(tx, [stay.site for stay in stays])
    billed = await store.lock_bills(tx, [stay.session for stay in stays])
    codes = {stay.session: _code(billed.get(stay.session), known[stay.site]) for stay in stays}
    published = await tariffs.load(tx, codes.values())
    cases = [
        _Case(stay, known[stay.site], billed.get(stay.session), _in_force(published.get(codes[stay.session], []), stay))
        for stay in sorted(stays, key=lambda one: (one.entered_at, one.session))
    ]
    cases = [case for case in cases if case.before is not None or case.ended]
    chained = [case for case in cases if case.chained and case.asked]
    earlier = await store.visits_before(tx, [(case.stay, _line_of(case)) for case in chained], REACH) if chained else {}
    for case in chained:
        case.earlier = tuple(earlier.get(case.stay.session, ()))
    await _load_permits(tx, [case for case in cases if case.asked], known)
    return cases


async def _load_permits(tx: Transaction, cases: Sequence[_Case], known: dict[str, Site]) -> None:
    held = await permits.permits_of(tx, {case.stay.plate_token for case in cases}) if cases else {}
    holding = [case for case in cases if case.stay.plate_token in held]
    elsewhere = {visit.site for case in holding for visit in case.earlier} - known.keys()
    known = known | (await sites.load_sites(tx, elsewhere) if elsewhere else {})
    for case in holding:
        stay = stay_to_price(case.stay, case.stay.left_at or case.stay.entered_at)
        visits = [Visit(stay.entry, stay.exit, stay.site), *case.earlier]
        presences = [Presence(known[visit.site].zone, visit.entry, visit.exit) for visit in visits if visit.site in known]
        case.permits = apply_permits.spans_of(held[case.stay.plate_token], presences)


def _code(bill: Bill | None, site: Site) -> str:
    """A stay keeps the tariff it was billed by when its site gets another one."""
    return bill.tariff if bill is not None and bill.tariff else site.tariff


def _line_of(case: _Case) -> str:
    """The tariff whose other sites count as the same lot; nothing when only this one does."""
    assert case.tariff is not None
    rule = case.tariff.tariff
    return "" if rule.reentry is not None and rule.reentry.same == "lot" else rule.code


def _in_force(versions: Sequence[Published], stay: Billable) -> Published | None:
    return next((one for one in versions if one.tariff.in_force_at(stay.entered_at)), None)


async def _followers(tx: Transaction, cases: Sequence[_Case]) -> list[Billable]:
    """Bills of later visits that may cost something else now, as the bill was before and as it is."""
    spans = []
    for case in cases:
        stay, line = case.stay, _line_of(case)
        spans.append((stay.plate_token, stay.site, line, stay.entered_at, (stay.left_at or stay.entered_at) + REACH))
        if (before := case.before) is not None:
            spans.append((before.plate_token, before.site, line, before.entered_at, before.left_at + REACH))
    return await store.visits_after(tx, spans) if spans else []


async def _settle_cases(tx: Transaction, cases: Sequence[_Case], now: datetime) -> None:
    for case in cases:
        _price(case)
    changed = [case for case in cases if (case.before is not None or case.asked) and not case.same_as_before()]
    if not changed:
        return
    await _load_booked(tx, changed)
    await _move_debts(tx, changed, now)
    await _book(tx, [one for case in changed for one in _give_back(case, now)])
    await _book(tx, [one for case in changed for one in _ask(case, now)])
    await _save(tx, changed, now)


def _price(case: _Case) -> None:
    case.sha256 = case.tariff.sha256 if case.tariff else ""
    if not case.asked or case.tariff is None or case.stay.left_at is None:
        return
    stay = replace(stay_to_price(case.stay, case.stay.left_at, case.earlier), permits=case.permits)
    price, case.sha256 = price_published(case.tariff, stay, calendar.official())
    case.total, case.lines, case.provisional = price.total, render_lines(price.lines), price.provisional


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
        if before is None or not _was_proved(case) or case.owed == 0:
            continue
        names = [receivable_of(before.plate_token, None), receivable_of(stay.plate_token, stay.person)]
        source, target = await ledger.open_accounts(tx, names)
        moved = ids.id_of("debt-moved", stay.session, case.version)
        await ledger.move_debt(tx, id=moved, session=stay.session, source=source, target=target, amount=case.owed, at=now)


def _was_proved(case: _Case) -> bool:
    """Nobody held the plate, now somebody does; nothing else about the debtor has changed."""
    before, stay = case.before, case.stay
    if before is None or before.person is not None or stay.person is None:
        return False
    return (before.plate_token, before.operator) == (stay.plate_token, case.site.operator)


def _give_back(case: _Case, now: datetime) -> list[_Entry]:
    """What was asked too much: first the open debt goes down, then those who paid get theirs back, the latest first."""
    before = case.before
    if before is None:
        return []
    moved = case.debtor_changed() and not _was_proved(case)
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


async def _book(tx: Transaction, entries: Sequence[_Entry]) -> None:
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
    await store.save_bills(tx, [_bill_row(case, now) for case in cases])
    await store.save_bill_versions(tx, [_version_row(case, now) for case in cases])
    payments = [(posting, case.id, payer, "wallet", amount, now) for case in cases for posting, payer, amount in case.payments]
    if payments:
        await store.save_payments(tx, payments)
    tx.tell(*(_fact(case) for case in cases), at=now)


def _left_at(case: _Case) -> datetime:
    return case.stay.left_at or (case.before.left_at if case.before else case.stay.entered_at)


def _bill_row(case: _Case, now: datetime) -> tuple[object, ...]:
    stay, rule = case.stay, case.tariff
    refunded = bool(case.payers or case.payments)
    state = state_of(total=case.total, paid=case.paid, owed=case.owed, void=not case.asked, refunded=refunded)
    return (
        case.id, stay.session, stay.site, case.site.operator, stay.person, stay.plate_token, stay.plate_sealed, stay.plate_colour,
        stay.vehicle_type,
        stay.certainty, stay.collect, stay.entered_at, max(_left_at(case), stay.entered_at), now, case.total, case.paid, case.owed,
        case.version, state,
        rule.tariff.code if rule else "", rule.tariff.version if rule else 0, case.sha256, case.provisional, case.lines,
    )  # fmt: skip


def _version_row(case: _Case, now: datetime) -> tuple[object, ...]:
    return case.id, case.version, now, case.total, case.stay.entered_at, max(_left_at(case), case.stay.entered_at), case.sha256, case.lines


def _fact(case: _Case) -> BillSettled:
    return BillSettled(
        bill=case.id, session=case.stay.session, person=case.stay.person, operator=case.site.operator, version=case.version,
        total=case.total, paid=case.paid, owed=case.owed,
    )  # fmt: skip
