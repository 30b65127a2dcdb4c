"""Licences for their holders, for whoever is shown one, and for the staff who may revoke them."""

import asyncio
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import msgspec

from foundation import http, seal
from foundation.caller import Caller
from foundation.clock import Clock, rfc3339
from foundation.errors import NotAllowed, NotFound
from foundation.events import Names
from foundation.http import Call, Instant, Page, Paged, Reply, Route, Who
from foundation.postgres import Database, Transaction
from foundation.seal import Keys
from services.identity.personal import known_key
from services.licences import model, store
from services.licences.issue_licence import CLAIMS
from services.licences.keyring import Keyring
from services.licences.model import Licence, Verdict
from services.licences.revoke_licence import revoke
from services.licences.show_licence import qr_of, show_licence
from services.licences.verify_licence import Throttle, verify

NO_STORE: Mapping[str, str] = {"Cache-Control": "no-store"}
LICENCES = "/api/v1/services/licences"


class NameView(msgspec.Struct, frozen=True):
    zh: str
    en: str


class WhyView(msgspec.Struct, frozen=True):
    code: str
    text: NameView


class LicenceView(msgspec.Struct, frozen=True):
    """`claims` is what the licence says of its holder; `revoked` why and when it was taken back."""

    id: uuid.UUID
    class_: str = msgspec.field(name="class")
    name: NameView
    issued_at: str
    valid_from: str
    valid_to: str
    state: model.State
    claims: dict[str, Any]
    revoked: WhyView | None
    revoked_at: str | None


class PresentationView(msgspec.Struct, frozen=True):
    """`qr` is an SVG data URI of the token."""

    token: str
    qr: str
    expires_at: str


class VerifyBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    token: str


class VerdictView(msgspec.Struct, frozen=True):
    """`reason` says why not; `class` and `valid_to` are told of genuine licences only, valid or not."""

    valid: bool
    class_: str | None = msgspec.field(name="class")
    name: NameView | None
    valid_to: str | None
    reason: str | None
    text: NameView | None


class RevocationBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    reason: Literal["moved_away", "issued_in_error", "holder_asked", "misused"]


class KeySet(msgspec.Struct, frozen=True):
    """RFC 7517; `nbf` and `exp` say when a key signs."""

    keys: list[dict[str, Any]]


def routes(database: Database, keys: Keys, clock: Clock, keyring: Keyring, issuer: str, *, throttle: Throttle | None = None) -> list[Route]:
    """`issuer` is the city's public URL: where whoever holds a token finds the keys."""
    answers = Answers(database, keys, clock, keyring, issuer, throttle or Throttle())
    return [
        Route("GET", LICENCES, answers.get_licences, "My licences, newest first", Who.PERSON, Paged, answer=Page[LicenceView]),
        Route("GET", LICENCES + "/{id}", answers.get_licence, "A licence: one's own, or of one's agency", Who.PERSON, answer=LicenceView),
        Route(
            "POST", LICENCES + "/{id}/presentation", answers.post_presentation, "Show a licence for a minute",
            Who.PERSON, answer=PresentationView, status=201,
        ),
        Route(
            "POST", LICENCES + "/{id}/revocation", answers.post_revocation, "Give up one's own licence, or revoke one of one's agency",
            Who.PERSON, body=RevocationBody, answer=LicenceView,
        ),
        Route(
            "POST", "/api/v1/services/verify", answers.post_verify, "Ask whether a licence that is shown holds",
            body=VerifyBody, answer=VerdictView,
        ),
        Route("GET", "/.well-known/jwks.json", answers.get_keys, "The keys that sign what is shown", answer=KeySet),
    ]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Answers:
    database: Database
    keys: Keys
    clock: Clock
    keyring: Keyring
    issuer: str
    throttle: Throttle

    async def get_licences(self, call: Call) -> Reply:
        at, last = http.place_of(call.query.cursor, Instant, uuid.UUID) or (None, None)
        person, limit = call.me.person, call.query.limit
        found = http.page_of(
            await store.licences_of(self.database, person, at, last, limit + 1), limit, lambda one: (one.issued_at.isoformat(), one.id)
        )
        key = await known_key(self.database, self.keys, person) if found.items else None
        now = self.clock.city()
        views = [_licence_view(one, now, _claims(one, key)) for one in found.items]
        return Reply(Page(views, found.next_cursor), headers=NO_STORE)

    async def post_presentation(self, call: Call) -> Reply:
        licence, wall, city = _id_of(call.path["id"]), self.clock.wall(), self.clock.city()
        shown = await self.database.run(
            lambda tx: show_licence(
                tx, self.keyring, person=call.me.person, licence=licence, issuer=self.issuer, wall=wall, city=city
            )
        )  # fmt: skip
        qr = await asyncio.to_thread(qr_of, shown.token)
        return Reply(PresentationView(shown.token, qr, rfc3339(shown.expires_at)), 201, NO_STORE)

    async def post_verify(self, call: Call) -> Reply:
        wall = self.clock.wall()
        self.throttle.spend(call.address, wall)
        verdict = await verify(self.database, self.keyring, call.body.token, issuer=self.issuer, wall=wall, city=self.clock.city())
        return Reply(_verdict_view(verdict), headers=NO_STORE)

    async def get_licence(self, call: Call) -> Reply:
        one = await store.licence(self.database, _id_of(call.path["id"]))
        if one is None or not (one.person == call.me.person or _may_revoke(call.me, one)):
            raise NotFound
        key = await known_key(self.database, self.keys, one.person) if one.person == call.me.person else None
        return Reply(_licence_view(one, self.clock.city(), _claims(one, key)), headers=NO_STORE)

    async def post_revocation(self, call: Call) -> Reply:
        """A holder gives it up; whoever issues it says why else it ends."""
        licence, now, reason = _id_of(call.path["id"]), self.clock.city(), call.body.reason

        async def work(tx: Transaction) -> Licence:
            one = await store.lock_licence(tx, licence)
            if one is None or not (one.person == call.me.person or _may_revoke(call.me, one)):
                raise NotFound
            if one.person == call.me.person and reason != "holder_asked":
                raise NotAllowed("a holder gives a licence up; for any other reason somebody else of the agency revokes it")
            await revoke(tx, licence, reason=reason, now=now)
            after = await store.licence(tx, licence)
            assert after is not None, "locked above"
            return after

        return Reply(_licence_view(await self.database.run(work), now, {}), headers=NO_STORE)

    async def get_keys(self, _: Call) -> Reply:
        return Reply(KeySet(self.keyring.public()), headers={"Cache-Control": "public, max-age=300"})


def _may_revoke(me: Caller, one: Licence) -> bool:
    return me.has("admin") or one.agency in me.scopes("staff")


def _claims(one: Licence, key: seal.Personal | None) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.json.decode(key.unseal(one.claims_sealed, CLAIMS)) if key else {}
    return found


def _licence_view(one: Licence, now: datetime, claims: dict[str, Any]) -> LicenceView:
    revoked = None if one.revoked_for is None else WhyView(one.revoked_for, _name(model.REVOKED_WORDS[one.revoked_for]))
    revoked_at = None if one.revoked_at is None else rfc3339(one.revoked_at)
    return LicenceView(
        one.id, one.class_code, _name(one.names), rfc3339(one.issued_at), rfc3339(one.valid_from), rfc3339(one.valid_to),
        one.state_at(now), claims, revoked, revoked_at,
    )  # fmt: skip


def _verdict_view(verdict: Verdict) -> VerdictView:
    one, why = verdict.licence, verdict.reason
    text = None if why is None else _name(model.REASON_WORDS[why])
    if one is None:
        return VerdictView(False, None, None, None, why, text)
    return VerdictView(why is None, one.class_code, _name(one.names), rfc3339(one.valid_to), why, text)


def _name(names: Names) -> NameView:
    return NameView(names.zh, names.en)


def _id_of(text: str) -> uuid.UUID:
    """What is no id names nothing. Raises NotFound."""
    try:
        return uuid.UUID(text)
    except ValueError:
        raise NotFound from None
