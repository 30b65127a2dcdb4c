"""Build the city from top to bottom: plain constructors, one block, no container. What a part does not need it does not get."""

import contextlib
import functools
import sys
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

import aiohttp
import redis.asyncio
import structlog
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from citymap import http as citymap_http
from citymap import pulse as citymap_pulse
from citymap.fanout import Fanout
from citymap.follow import BoardFollower, SpotsFollower
from citymap.model import Name
from citymap.views import TariffLabel
from foundation import journal, postgres, seal
from foundation.bell import Bell
from foundation.clock import Clock
from foundation.errors import NotFound
from foundation.http import Route
from foundation.journal import Follower
from foundation.postgres import Database, Transaction
from foundation.sql import load
from gateway_mqtt import adopt_http
from gateway_mqtt import http as gateway_http
from gateway_mqtt.ingest import Ingest
from gateway_mqtt.listener import Listener
from gateway_mqtt.registry import Registry
from gateway_mqtt.registry import SitesFollower as GatewaySitesFollower
from onelot.config import ERASURES, Misused, Settings
from onelot.outside import BANK_KEY_ID, MERCHANT, Outside
from onelot.places import places_of
from onelot.relay import Relay
from onelot.sockets import Sockets
from parking.bills import apply_permits, pay_bill
from parking.bills import http as bills_http
from parking.bills import store as bills
from parking.bills.follow import DebtsFollower
from parking.payments import http as payments_http
from parking.payments.providers.sim_bank import NAME as BANK_NAME
from parking.payments.providers.sim_bank import Settings as BankSettings
from parking.payments.providers.sim_bank import SimBank
from parking.pulse import http as pulse_http
from parking.pulse.follow import PulseFollower
from parking.sessions import http as sessions_http
from parking.sessions.follow import HoldersFollower, PermitsFollower, StaysFollower
from parking.sites.store import SitesFollower
from parking.tariffs import http as tariffs_http
from parking.tariffs.book import Book
from parking.tariffs.calendar import official
from services.cases import files_http
from services.cases import http as cases_http
from services.cases.desk import Desk, Office
from services.cases.follow import EffectsFollower, StepsFollower
from services.catalog import http as catalog_http
from services.catalog import publish_matter
from services.catalog.shelf import Shelf, Versions
from services.exchange import catalogue
from services.exchange import http as exchange_http
from services.exchange.accesses import record_access
from services.exchange.ask import Exchange, ask
from services.exchange.providers.departments import HttpDepartments
from services.identity import door
from services.identity import http as identity_http
from services.identity import plates as identity_plates
from services.identity.erase_person import Erasures, erase_again
from services.identity.providers.counter import HttpCounter
from services.identity.providers.police import HttpPoliceRegister
from services.identity.providers.sms import HttpSms
from services.identity.providers.vehicle_registry import HttpVehicleRegistry
from services.identity.send_messages import Sender
from services.identity.who_is import Known
from services.licences import http as licences_http
from services.licences.follow import HoldersFollower as LicenceHoldersFollower
from services.licences.keyring import Keyring
from services.rules import model as rules

log = structlog.get_logger()

PARTS = frozenset({"gateway", "work", "web"})  # One process may be all of them or one; of each there may be several.

_foundation = load("foundation")


@dataclass(slots=True)
class City:
    """A built city: what the parts run and the doors show."""

    settings: Settings
    clock: Clock
    keys: seal.Keys
    bell: Bell
    database: Database
    registry: Registry
    ingest: Ingest
    listener: Listener
    board: BoardFollower
    fanout: Fanout
    book: Book
    known: Known
    sender: Sender
    bank: SimBank
    exchange: Exchange
    relay: Relay
    office: Office
    sockets: Sockets
    parts: frozenset[str] = PARTS
    followers: list[Follower] = field(default_factory=list)
    routes: list[Route] = field(default_factory=list)

    def facts_heard(self) -> int:
        """Up to which fact everybody in this process who answers from memory has heard."""
        answering = [self.book.position, self.board.marks.fact.position, self.known.position, self.office.shelf.position]
        heard = {"gateway": [self.registry.position], "web": answering}
        return min((position for part in self.parts for position in heard.get(part, ())), default=sys.maxsize)


@contextlib.asynccontextmanager
async def build(
    settings: Settings, *, postgres_url: str, redis_url: str, outside: Outside, parts: frozenset[str] = PARTS
) -> AsyncIterator[City]:
    """A city, connected, with what these parts need loaded, and nothing running yet. The database is migrated already."""
    keys = seal.Keys(settings.data_dir / "keys.json")
    async with contextlib.AsyncExitStack() as stack:
        client = redis.asyncio.Redis.from_url(redis_url, socket_connect_timeout=1, socket_timeout=5, retry=Retry(NoBackoff(), 0))
        stack.push_async_callback(client.aclose)
        bell = Bell(client, settings.city)
        database = await stack.enter_async_context(postgres.connect(postgres_url, bell=bell, size=16))
        clock = await found_city(database, settings)
        await journal.prepare(database, clock)
        await erase_again(database, keys, Erasures(settings.data_dir / ERASURES), clock)
        web = await stack.enter_async_context(aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()))
        city = _assemble(settings, clock, keys, bell, database, web, outside, Relay(client, settings.city), parts)
        if "gateway" in parts:
            await city.registry.load()
        if "web" in parts:
            await city.book.load()
            await city.known.load()
            await publish_matter.publish_built_in(database, now=clock.city())
            await city.office.shelf.load()
            await city.board.start()
        yield city


async def found_city(database: Database, settings: Settings) -> Clock:
    """The city's clock as its first start chose it. Raises Misused when another city lives in the database."""

    async def work(tx: Transaction) -> postgres.Record:
        await tx.execute(_foundation.found_city, settings.city, settings.speed, Clock().wall())
        row = await tx.row(_foundation.load_city)
        assert row is not None
        return row

    row = await database.run(work)
    if row["name"] != settings.city:
        raise Misused(f"this is the data of the city {row['name']}; say --city {row['name']}, or choose another data directory")
    if settings.speed not in (1.0, row["speed"]):
        raise Misused(f"the city's time runs at speed {row['speed']:g} since its first start; leave --speed out")
    return Clock(row["speed"], row["since"])


def _assemble(
    settings: Settings, clock: Clock, keys: seal.Keys, bell: Bell, database: Database, web: aiohttp.ClientSession, outside: Outside,
    relay: Relay, parts: frozenset[str],
) -> City:  # fmt: skip
    registry = Registry(database)
    ingest = Ingest(database, registry, keys, clock, settings.city)
    listener = Listener(ingest, host=settings.mqtt_host, port=settings.mqtt_port, shared=settings.mqtt_shared)
    ingest.listener = listener
    book = Book(database, clock)
    board = BoardFollower(database, clock, snapshot_path=settings.data_dir / "board.snapshot")
    known = Known(database, clock)
    sender = Sender(HttpSms(web, outside.phones_url, outside.phones_key))
    bank = SimBank(_bank_settings(settings, outside, parts), web, clock)
    departments = HttpDepartments(web, outside.departments_url, outside.departments_key, catalogue.official())
    exchange = Exchange(database, keys, clock, catalogue.official(), departments)
    office = Office(
        keys, clock, Versions(), official(), database, Shelf(database), _Registers(exchange), _Accesses(clock), places_of(settings.city)
    )
    fanout, sockets = Fanout(board, clock), Sockets(known, secure=door.is_secure(settings.url))
    city = City(
        settings, clock, keys, bell, database, registry, ingest, listener, board, fanout, book, known, sender, bank, exchange,
        relay, office, sockets, parts,
    )  # fmt: skip
    city.followers = followers(keys, clock)
    city.routes = _routes(city, web, outside)
    return city


def followers(keys: seal.Keys, clock: Clock) -> list[Follower]:
    """Everybody who keeps a cursor, in the order of the story."""
    desk = Desk(keys, clock, Versions(), official())
    return [
        GatewaySitesFollower(),
        SpotsFollower(),
        SitesFollower(),
        StaysFollower(keys, clock),
        HoldersFollower(clock),
        LicenceHoldersFollower(),
        PermitsFollower(clock),
        DebtsFollower(clock),
        StepsFollower(desk),
        EffectsFollower(desk),
        PulseFollower(),
    ]


def _bank_settings(settings: Settings, outside: Outside, parts: frozenset[str]) -> BankSettings:
    """The bank calls the web door: ours, or where people reach it when it is another process."""
    door = f"http://127.0.0.1:{settings.http_port}" if "web" in parts else settings.url
    notify = f"{door}/api/v1/providers/{BANK_NAME}/notify"
    return BankSettings(outside.bank_url, notify, MERCHANT, outside.merchant_key, {BANK_KEY_ID: outside.bank_key})


def _routes(city: City, web: aiohttp.ClientSession, outside: Outside) -> list[Route]:
    """Every house's routes; what one needs of another is handed in here."""
    database, keys, clock = city.database, city.keys, city.clock
    departments = (web, outside.departments_url, outside.departments_key)
    secure = door.is_secure(city.settings.url)
    return [
        *citymap_http.routes(city.board, clock, city.book, _Labels(city.book)),
        *tariffs_http.routes(city.book, functools.partial(_own_plate, database, keys)),
        *identity_http.routes(
            database,
            keys,
            clock,
            known=city.known,
            sender=city.sender,
            registry=HttpVehicleRegistry(*departments),
            police=HttpPoliceRegister(*departments),
            presences={"counter": HttpCounter(*departments)},
            dues=_Dues(database),
            secure=secure,
        ),
        *licences_http.routes(database, keys, clock, Keyring(keys, clock.wall()), city.settings.url),
        *exchange_http.routes(database, city.exchange.catalogue),
        *catalog_http.routes(city.office.shelf),
        *cases_http.routes(city.office),
        *files_http.routes(city.office),
        *sessions_http.routes(database, keys, city.book, clock),
        *bills_http.routes(database, keys, clock, functools.partial(_token_of_plate, database, keys)),
        *payments_http.routes(database, keys, clock, city.bank, _bill_of),
        *gateway_http.routes(database, city.listener if "gateway" in city.parts else city.relay, clock),
        *adopt_http.routes(database, clock, city.settings.city, functools.partial(_devices_address, city)),
        *citymap_pulse.routes(city.board, database, clock),
        *pulse_http.routes(database, clock),
    ]


def _devices_address(city: City) -> adopt_http.Address:
    """Where a new device is told to connect: this process, when it holds the devices' door, else where the city says it is."""
    port = city.listener.port if "gateway" in city.parts else city.settings.mqtt_port
    return adopt_http.Address(city.settings.mqtt_host, port)


@dataclass(frozen=True, slots=True)
class _Labels:
    """What the map says of tariffs, in the map's words."""

    book: Book

    def tariff(self, site: str) -> TariffLabel | None:
        label = self.book.tariff(site)
        return TariffLabel(label.id, label.version, Name(label.text.zh, label.text.en)) if label else None


@dataclass(frozen=True, slots=True)
class _Dues:
    """What plates owe, for the house that knows whose plates they are."""

    database: Database

    async def due_of(self, plate_tokens: Sequence[bytes]) -> dict[bytes, int]:
        async with self.database.transaction() as tx:
            return await pay_bill.due_of(tx, plate_tokens)


@dataclass(frozen=True, slots=True)
class _Registers:
    """The departments, as cases ask them."""

    exchange: Exchange

    async def ask(self, *, person: UUID, agency: str, purpose: str, case: UUID, elements: Sequence[str]) -> Mapping[str, rules.Known]:
        found = await ask(self.exchange, person=person, agency=agency, purpose=purpose, case=case, elements=elements)
        return {name: rules.Known(state=one.state, value=one.value, source=one.source, as_of=one.as_of) for name, one in found.items()}


@dataclass(frozen=True, slots=True)
class _Accesses:
    """The lines that people see of who read what of them."""

    clock: Clock

    async def record(
        self, tx: Transaction, *, person: UUID, staff: UUID, agency: str, purpose: str, case: UUID, fields: Sequence[str]
    ) -> None:
        at = self.clock.city()
        await record_access(tx, person=person, agency=agency, purpose=purpose, case=case, fields=fields, at=at, staff=staff)


async def _own_plate(
    database: Database, keys: seal.Keys, person: UUID, plate: str, site: str, entry: datetime, exit: datetime
) -> tariffs_http.OwnPlate | None:
    owned = await identity_plates.proved_plate(database, keys, person, plate)
    if owned is None:
        return None
    spans = await database.run(lambda tx: apply_permits.spans_at(tx, owned.token, site, entry, exit))
    return tariffs_http.OwnPlate(owned.colour, spans)


async def _token_of_plate(database: Database, keys: seal.Keys, person: UUID, plate: str) -> bytes:
    owned = await identity_plates.owned_plate(database, keys, person, bills_http.id_of(plate))
    if owned is None:
        raise NotFound
    return owned.token


async def _bill_of(tx: Transaction, sessions: Collection[UUID]) -> Mapping[UUID, UUID]:
    rows = await tx.fetch(bills.queries.bills_of_sessions, list(sessions))
    return {row["session"]: row["id"] for row in rows}
