"""What identity answers when asked: log-in, one's own log-ins, oneself and one's plates."""

import unicodedata
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal

import msgspec

from foundation import clock, http, id_numbers, masks, money, plates
from foundation.caller import Caller
from foundation.clock import Clock
from foundation.errors import NotFound, invalid
from foundation.http import Call, Page, Paged, Reply, Route, Who
from foundation.money import Money
from foundation.postgres import Database, Transaction
from foundation.seal import Keys
from services.identity import door, model, store
from services.identity.end_session import end_other_sessions, end_session
from services.identity.log_in import LoggedIn, ask_code, log_in
from services.identity.model import Dues, Identity, Limits, OwnedPlate, Person, PoliceRegister, Presence, VehicleRegistry
from services.identity.people import person_of
from services.identity.plates import add_plate, plates_of, remove_plate, tokens_of
from services.identity.prove_plate import prove_plate
from services.identity.raise_level import Raising, raise_by_presence, raise_by_registry
from services.identity.send_messages import Sender
from services.identity.start_afresh import start_afresh
from services.identity.who_is import Known

NO_STORE: Mapping[str, str] = {"Cache-Control": "no-store"}  # Nobody who uses this browser later sees whose phone or plate it was.


class CodeRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    phone: str


class CodeSent(msgspec.Struct, frozen=True):
    expires_s: int
    retry_s: int


class LogIn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    phone: str
    code: str
    client: Literal["page", "app"] = "app"


class RoleView(msgspec.Struct, frozen=True):
    """`scope` is the operator's id or the agency's code; an admin has none."""

    role: str
    scope: str


class PersonView(msgspec.Struct, frozen=True, omit_defaults=True):
    """`name` and `id_no` are masked; they and `level_at` are there once they were proved."""

    id: uuid.UUID
    phone: str
    level: str
    roles: tuple[RoleView, ...]
    level_at: str | msgspec.UnsetType = msgspec.UNSET
    name: str | msgspec.UnsetType = msgspec.UNSET
    id_no: str | msgspec.UnsetType = msgspec.UNSET


class RaiseLevel(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`registry` goes to L2 and takes name and number; `counter` goes to L3 and takes the clerk's code."""

    to: Literal["L2", "L3"]
    way: Literal["registry", "counter"]
    name: str | msgspec.UnsetType = msgspec.UNSET
    id_no: str | msgspec.UnsetType = msgspec.UNSET
    code: str | msgspec.UnsetType = msgspec.UNSET


class Ended(msgspec.Struct, frozen=True):
    ended: int


class LoggedInView(msgspec.Struct, frozen=True, omit_defaults=True):
    """`token` is absent for a page, which gets it as a cookie that no script can read."""

    id: uuid.UUID
    expires_at: str
    person: PersonView
    token: str | msgspec.UnsetType = msgspec.UNSET


class LogInView(msgspec.Struct, frozen=True):
    id: uuid.UUID
    created_at: str
    seen_at: str
    current: bool
    what: str


class NewPlate(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    plate: str
    colour: str | None = None
    nickname: str | None = None


class PlateView(msgspec.Struct, frozen=True):
    """`due` stands beside an unproved plate only: an amount, and nothing about where or when."""

    id: uuid.UUID
    plate: str
    colour: str
    nickname: str | None
    proved: bool
    auto_pay: bool
    due: Money | msgspec.UnsetType = msgspec.UNSET


class Proof(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    way: Literal["vehicle_licence"]
    vin_last6: Annotated[str, msgspec.Meta(pattern="^[0-9A-Za-z]{6}$")]


def routes(
    database: Database,
    keys: Keys,
    clock: Clock,
    *,
    known: Known,
    sender: Sender,
    registry: VehicleRegistry,
    police: PoliceRegister,
    presences: dict[str, Presence],
    dues: Dues,
    secure: bool,
    limits: Limits | None = None,
) -> list[Route]:
    """`secure`: the public URL is https, so that cookies are too."""
    raising = Raising(database, keys, known, sender, police, presences)
    answers = Answers(database, keys, clock, known, sender, registry, raising, dues, secure, limits or Limits())
    return [*_log_in_routes(answers), *_plate_routes(answers)]


def _log_in_routes(answers: "Answers") -> list[Route]:
    sessions = "/api/v1/auth/sessions"
    return [
        Route(
            "POST",
            "/api/v1/auth/codes",
            answers.post_code,
            "Send a one-time code",
            body=CodeRequest,
            answer=CodeSent,
            status=202,
            unsure=True,
        ),
        Route("POST", sessions, answers.post_session, "Log in with the code", body=LogIn, answer=LoggedInView, status=201, unsure=True),
        Route("GET", sessions, answers.get_sessions, "One's own log-ins", Who.PERSON, query=Paged, answer=Page[LogInView]),
        Route("DELETE", sessions, answers.delete_sessions, "End all one's other log-ins", Who.PERSON, answer=Ended),
        Route(
            "DELETE", sessions + "/{id}", answers.delete_session, "End a log-in, `current` or another", Who.PERSON, status=204, unsure=True
        ),
        Route("GET", "/api/v1/me", answers.get_me, "Who is logged in", Who.PERSON, answer=PersonView, unsure=True),
        Route(
            "POST", "/api/v1/me/level", answers.post_level, "Prove who one is", Who.PERSON, body=RaiseLevel, answer=PersonView, unsure=True
        ),
        Route(
            "POST",
            "/api/v1/me/fresh",
            answers.post_fresh,
            "Say: this number's long unused account is not mine",
            Who.PERSON,
            answer=PersonView,
            status=201,
            unsure=True,
        ),
    ]


def _plate_routes(answers: "Answers") -> list[Route]:
    mine = "/api/v1/me/plates"
    return [
        Route("GET", mine, answers.get_plates, "One's own plates", Who.PERSON, query=Paged, answer=Page[PlateView]),
        Route("POST", mine, answers.post_plate, "Add a plate", Who.PERSON, body=NewPlate, answer=PlateView, status=201, idempotent=True),
        Route("DELETE", mine + "/{id}", answers.delete_plate, "Remove a plate", Who.PERSON, status=204),
        Route("POST", mine + "/{id}/proof", answers.post_proof, "Prove a plate by its papers", Who.PERSON, body=Proof, answer=PlateView),
    ]


@dataclass(frozen=True, slots=True)
class Answers:
    database: Database
    keys: Keys
    clock: Clock
    known: Known
    sender: Sender
    registry: VehicleRegistry
    raising: Raising
    dues: Dues
    secure: bool
    limits: Limits

    async def post_code(self, call: Call) -> Reply:
        phone = _phone_of(call.body.phone)
        await ask_code(self.database, self.keys, self.sender, phone=phone, address=call.address, now=self.clock.wall(), limits=self.limits)
        retry_s = min(int(limit.seconds) for limit in self.limits.phone)
        return Reply(CodeSent(int(model.CODE_EXPIRES.total_seconds()), retry_s), 202, NO_STORE)

    async def post_session(self, call: Call) -> Reply:
        found = await log_in(
            self.database,
            self.keys,
            phone=_phone_of(call.body.phone),
            code=model.code_in(call.body.code) or "",
            address=call.address,
            user_agent=call.headers.get("User-Agent", ""),
            now=self.clock.wall(),
            limits=self.limits,
        )
        page = call.body.client == "page"
        if page:
            await self._end_former(call)
        return Reply(_logged_in_view(found, page=page), 201, self._with_cookie(found) if page else NO_STORE)

    async def _end_former(self, call: Call) -> None:
        """A page that logs in again leaves no log-in behind that nobody can use and everybody wonders about."""
        credential = door.credential_of(call.headers, secure=self.secure)
        former = await self.known.who_is(credential.token, fresh=True) if credential and credential.from_page else None
        if former is not None:
            await self._end(former.person, former.session)

    async def _end(self, person: uuid.UUID, session: uuid.UUID) -> None:
        wall, city = self.clock.wall(), self.clock.city()
        await end_session(self.database, self.known, person=person, session=session, now=wall, city=city)

    def _with_cookie(self, found: LoggedIn) -> Mapping[str, str]:
        seconds = int(model.SESSION_ABSOLUTE.total_seconds())
        return {**NO_STORE, "Set-Cookie": door.cookie(found.token, seconds, secure=self.secure)}

    async def get_sessions(self, call: Call) -> Reply:
        now, query = self.clock.wall(), call.query
        absolute, idle = (model.ROLE_ABSOLUTE, model.ROLE_IDLE) if call.me.roles else (model.SESSION_ABSOLUTE, model.SESSION_IDLE)
        rows = await store.sessions_of(
            self.database,
            call.me.person,
            now=now,
            since=now - absolute,
            seen_since=now - idle,
            before=_place(query.cursor),
            limit=query.limit + 1,
        )
        views = [
            LogInView(row.id, clock.rfc3339(row.created_at), clock.rfc3339(row.seen_at), row.id == call.me.session, row.what)
            for row in rows
        ]
        return Reply(http.page_of(views, query.limit, lambda view: [view.id]), headers=NO_STORE)

    async def delete_session(self, call: Call) -> Reply:
        current = call.path["id"] == "current"
        session = call.me.session if current else _id_of(call.path["id"])
        await self._end(call.me.person, session)
        gone = {"Set-Cookie": door.no_cookie(secure=self.secure)} if session == call.me.session else {}
        return Reply(None, 204, {**NO_STORE, **gone})

    async def delete_sessions(self, call: Call) -> Reply:
        me, wall, city = call.me, self.clock.wall(), self.clock.city()
        ended = await end_other_sessions(self.database, self.known, person=me.person, current=me.session, now=wall, city=city)
        return Reply(Ended(ended), headers=NO_STORE)

    async def post_level(self, call: Call) -> Reply:
        body, wall, city = call.body, self.clock.wall(), self.clock.city()
        if (body.to, body.way) == ("L2", "registry"):
            said = _identity_of(body, self.clock.city())
            await raise_by_registry(self.raising, call.me, said, wall=wall, city=city)
        elif (body.to, body.way) == ("L3", "counter"):
            await raise_by_presence(self.raising, call.me, body.way, _said(body.code, "code"), wall=wall, city=city)
        else:
            raise invalid("/way", "way", "name and number at the registry prove L2, a counter proves L3")
        return Reply(_person_view(await person_of(self.database, self.keys, await self._as_raised(call))), headers=NO_STORE)

    async def post_fresh(self, call: Call) -> Reply:
        wall, city = self.clock.wall(), self.clock.city()
        fresh = await start_afresh(self.database, self.keys, self.known, call.me, wall=wall, city=city)
        return Reply(_person_view(await person_of(self.database, self.keys, fresh)), 201, NO_STORE)

    async def _as_raised(self, call: Call) -> Caller:
        """Who asks, looked up again: a log-in that was unsure has her rights back, too."""
        credential = door.credential_of(call.headers, secure=self.secure)
        return (await self.known.who_is(credential.token, fresh=True) if credential else None) or call.me

    async def get_me(self, call: Call) -> Reply:
        return Reply(_person_view(await person_of(self.database, self.keys, call.me)), headers=NO_STORE)

    async def get_plates(self, call: Call) -> Reply:
        query = call.query
        owned = await plates_of(self.database, self.keys, call.me.person, after=_place(query.cursor), limit=query.limit + 1)
        dues = await self.dues.due_of(tokens_of([plate for plate in owned if not plate.proved]))
        views = [_plate_view(plate, None if plate.proved else dues.get(plate.token, 0)) for plate in owned]
        return Reply(http.page_of(views, query.limit, lambda view: [view.id]), headers=NO_STORE)

    async def post_plate(self, call: Call) -> Reply:
        plate = plates.plate_of(call.body.plate, call.body.colour)
        nickname = _nickname_of(call.body.nickname)

        async def work(tx: Transaction) -> Reply:
            owned = await add_plate(tx, self.keys, person=call.me.person, plate=plate, nickname=nickname, now=self.clock.city())
            return Reply(_plate_view(owned), 201)

        reply = await http.once(self.database, self.keys, call, work)
        return Reply(reply.body, reply.status, NO_STORE)

    async def delete_plate(self, call: Call) -> Reply:
        plate = _id_of(call.path["id"])
        await remove_plate(self.database, self.keys, person=call.me.person, plate=plate, now=self.clock.city())
        return Reply(None, 204, NO_STORE)

    async def post_proof(self, call: Call) -> Reply:
        proved = await prove_plate(
            self.database,
            self.keys,
            self.registry,
            self.sender,
            person=call.me.person,
            plate=_id_of(call.path["id"]),
            vin_last6=call.body.vin_last6,
            city=self.clock.city(),
            wall=self.clock.wall(),
        )
        return Reply(_plate_view(proved), headers=NO_STORE)


def _logged_in_view(found: LoggedIn, *, page: bool) -> LoggedInView:
    token = msgspec.UNSET if page else found.token
    return LoggedInView(found.session, clock.rfc3339(found.expires_at), _person_view(found.person), token)


def _person_view(person: Person) -> PersonView:
    roles = tuple(RoleView(role.role, role.scope) for role in person.roles)
    proved = clock.rfc3339(person.level_at) if person.level_at else msgspec.UNSET
    name = masks.masked_name(person.identity.name) if person.identity else msgspec.UNSET
    number = masks.masked_id_no(person.identity.id_no) if person.identity else msgspec.UNSET
    return PersonView(person.id, masks.masked_phone(person.phone), person.level, roles, proved, name, number)


def _plate_view(plate: OwnedPlate, due: int | None = None) -> PlateView:
    shown = msgspec.UNSET if due is None else money.money(due)
    return PlateView(plate.id, plate.plate, plate.colour, plate.nickname, plate.proved, plate.auto_pay, shown)


def _phone_of(text: str) -> str:
    phone = model.normal_phone(text)
    if phone is None:
        raise invalid("/phone", "phone_format", "this is not a phone number; write it like +8613800000001")
    return phone


def _said(value: str | msgspec.UnsetType, field: str) -> str:
    """A field that this way up cannot do without."""
    if isinstance(value, msgspec.UnsetType) or not value.strip():
        raise invalid(f"/{field}", "missing", f"this way needs {field}")
    return value


def _identity_of(body: RaiseLevel, now: datetime) -> Identity:
    """Name and number in their normal forms; a number that nobody can bear costs no try."""
    name = unicodedata.normalize("NFC", _said(body.name, "name")).strip()
    if len(name) > model.NAME_MAX or not name.isprintable():
        raise invalid("/name", "name", f"a name has at most {model.NAME_MAX} characters, all of them visible")
    number = id_numbers.normal_id_no(_said(body.id_no, "id_no"))
    fault = id_numbers.id_no_fault(number, clock.local(now).date())
    if fault is not None:
        raise invalid("/id_no", fault, id_numbers.FAULTS[fault])
    return Identity(name, number)


def _nickname_of(text: str | None) -> str | None:
    """What people call their car; an empty name is none."""
    bare = " ".join(unicodedata.normalize("NFC", text or "").split())
    if len(bare) > model.NICKNAME_MAX or not bare.isprintable():
        raise invalid("/nickname", "nickname", f"a nickname has at most {model.NICKNAME_MAX} characters, all of them visible")
    return bare or None


def _id_of(text: str) -> uuid.UUID:
    """What is no id names nothing. Raises NotFound."""
    try:
        return uuid.UUID(text)
    except ValueError:
        raise NotFound from None


def _place(cursor: str | None) -> uuid.UUID | None:
    place = http.place_of(cursor, uuid.UUID)
    return place[0] if place else None
