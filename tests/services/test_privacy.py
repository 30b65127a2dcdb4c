"""A known phone, plate, code or token is in no log line, no address and no row of the database."""

import urllib.parse
import uuid
from typing import Any

import structlog

from foundation import sql
from services.identity.errors import SmsAway
from services.identity.model import Message
from services.identity.send_messages import Sender

PHONE, PLATE, NICKNAME = "+8613800000001", "豫A12345", "红色的小车"
TABLES = sql.Query(
    "tables",
    "SELECT c.oid::regclass::text AS name FROM pg_class c"
    " WHERE c.relnamespace IN ('services'::regnamespace, 'journal'::regnamespace) AND c.relkind IN ('r', 'p') AND NOT c.relispartition",
)


async def everything_kept(house: Any) -> str:
    text = ""
    for row in await house.database.fetch(TABLES):
        text += "\n".join(line[0] for line in await house.database.fetch(sql.Query("all", f"SELECT t::text FROM {row['name']} t")))
    return text


async def a_day(house: Any) -> list[str]:
    """All that a person does here, with the faults that are logged; answers what must not be found afterwards."""
    me, other = await house.log_in(PHONE), await house.log_in("+8613800000002")
    await me("POST", "/api/v1/me/plates", {"plate": PLATE, "nickname": NICKNAME}, Idempotency_Key="k")
    await me.bind(PLATE)
    await other.bind(PLATE)
    await me("GET", "/api/v1/me/plates?limit=1")
    await me("GET", "/api/v1/auth/sessions?limit=1")
    await me("POST", "/api/v1/auth/sessions", {"phone": PHONE, "code": "123456"})
    await house.turn(f"{house.sms_url}/control", "down")
    await me("POST", "/api/v1/auth/codes", {"phone": PHONE})
    await me("DELETE", "/api/v1/auth/sessions/current")
    return [PHONE, PHONE[3:], PLATE, PLATE[1:], NICKNAME, me.token, other.token]


async def given_up(message: Message) -> None:
    """A provider that is away for ever: what is logged then is the most tempting line of all."""

    class Away:
        async def send(self, message: Message) -> None:
            raise SmsAway

    await Sender(Away())._send(message)


async def test_nothing_personal_is_in_logs_addresses_or_rows(house: Any) -> None:
    with structlog.testing.capture_logs() as lines:
        secrets = await a_day(house)
        code = await house.code_of(PHONE)
        message = Message(uuid.uuid4(), PHONE, "login_code", {"code": code})
        await given_up(message)
    logs, urls, rows = str(lines), urllib.parse.unquote(str(house.urls)), await everything_kept(house)

    assert PHONE not in repr(message) and code not in repr(message)
    assert lines and house.urls and rows
    for secret in (*secrets, code):
        assert secret not in logs and secret not in urls, secret
    for secret in secrets:
        assert secret not in rows and secret.encode().hex() not in rows, secret
