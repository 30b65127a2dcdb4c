"""A licence is issued once, shown for a minute, judged by today; what a verifier is handed is never believed before it is proved."""

import base64
import hmac
import tempfile
import uuid
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.jwk import ECKey

from foundation import journal, postgres
from foundation.events import LicenceIssued, LicenceRevoked, Names, PermitEnded, PermitGranted, PersonErased, PlateProved
from foundation.journal import Follower
from foundation.postgres import Transaction
from foundation.seal import Keys
from services.identity.grant_role import grant_role
from services.licences import model, token
from services.licences.follow import HoldersFollower
from services.licences.issue_licence import issue
from services.licences.keyring import Keyring
from services.licences.model import Permit
from services.licences.revoke_licence import revoke
from services.licences.verify_licence import Throttle, verify
from tests.services.conftest import ISSUER, Caller, House
from tests.services.test_privacy import everything_kept

PHONE, PLATE, TOKEN = "+8613800000011", "豫A12345", b"p" * 16
VERIFY, LICENCES = "/api/v1/services/verify", "/api/v1/services/licences"
NOW = datetime(2026, 3, 2, 1, tzinfo=UTC)
REFUSED: dict[str, Any] = {"valid": False, "class": None, "name": None, "valid_to": None}


@pytest.fixture
async def office(house: House) -> AsyncIterator[House]:
    async with house.opened(keyring=Keyring(house.keys, house.clock.wall()), throttle=Throttle(burst=5000)) as office:
        yield office


async def issued(
    house: House, person: str, *, case: uuid.UUID | None = None, permit: Permit | None = None, starts_in: float = 0, days: float = 365
) -> LicenceIssued:
    now = house.clock.city()
    start = now + timedelta(days=starts_in)

    async def work(tx: Transaction) -> LicenceIssued:
        return await issue(
            tx, house.keys, case=case or uuid.uuid4(), person=uuid.UUID(person), class_code="zz.residence_permit",
            names=Names("居住证", "Residence permit"), valid_from=start, valid_to=start + timedelta(days=days),
            claims={"name": "张三"}, now=now, agency="police", permit=permit,
        )  # fmt: skip

    return await house.database.run(work)


async def shown(me: Caller, licence: uuid.UUID) -> str:
    status, body = await me("POST", f"{LICENCES}/{licence}/presentation")
    assert status == 201, body
    return str(body["token"])


async def verdict(house: House, text: str) -> Any:
    status, body = await house.nobody()("POST", VERIFY, {"token": text})
    assert status == 200, body
    assert body["valid"] is (body["reason"] is None)
    assert (body["text"] is None) is body["valid"] and (body["valid"] or (body["text"]["zh"] and body["text"]["en"]))
    return body


async def facts_of(house: House, *kinds: type) -> Sequence[Any]:
    return [fact for fact in await house.facts() if isinstance(fact, kinds)]


async def follow(house: House, follower: Follower) -> None:
    while await journal.catch_up(house.database, follower):
        pass


async def test_case_ends_in_one_licence_however_often_it_is_issued(office: House) -> None:
    me = await office.log_in(PHONE)
    case = uuid.uuid4()

    first = await issued(office, me.person, case=case)
    second = await issued(office, me.person, case=case, days=1)

    assert first == second
    assert await facts_of(office, LicenceIssued) == [first]
    status, page = await me("GET", LICENCES)
    assert (status, [(one["id"], one["class"], one["state"]) for one in page["items"]]) == (
        200, [(str(first.licence), "zz.residence_permit", "valid")],
    )  # fmt: skip


async def test_own_licences_come_newest_first_page_by_page(office: House) -> None:
    me = await office.log_in(PHONE)
    made = [str((await issued(office, me.person)).licence) for _ in range(5)]
    found, cursor = list[str](), ""
    while cursor is not None:
        status, page = await me("GET", f"{LICENCES}?limit=2" + (f"&cursor={cursor}" if cursor else ""))
        assert status == 200
        found += [one["id"] for one in page["items"]]
        cursor = page["next_cursor"]

    assert found == made[::-1]
    assert page["items"][0]["claims"] == {"name": "张三"}


async def test_shown_licence_holds_for_anybody_for_a_minute(office: House) -> None:
    me = await office.log_in(PHONE)
    one = await issued(office, me.person)
    status, presentation = await me("POST", f"{LICENCES}/{one.licence}/presentation")
    assert status == 201 and presentation["qr"].startswith("data:image/svg+xml")

    body = await verdict(office, presentation["token"])
    assert (body["valid"], body["class"], body["name"]["en"]) == (True, "zz.residence_permit", "Residence permit")
    assert await verdict(office, presentation["token"]) == body, "a lost answer may be asked for again"
    office.clock.move(seconds=61)
    assert await verdict(office, presentation["token"]) == {
        **REFUSED,
        "reason": "presentation_expired",
        "text": words("presentation_expired"),
    }


def words(reason: model.Reason) -> dict[str, str]:
    return {"zh": model.REASON_WORDS[reason].zh, "en": model.REASON_WORDS[reason].en}


async def test_token_says_nothing_of_its_holder_and_never_the_same_twice(office: House) -> None:
    me = await office.log_in(PHONE)
    one = await issued(office, me.person)
    first, second = [claims_of(await shown(me, one.licence)) for _ in range(2)]

    assert set(first) == {"iss", "jti", "iat", "exp", "class", "valid_to"}
    assert first["jti"] != second["jti"]
    assert not {str(one.licence), one.licence.hex, me.person} & {str(value) for value in first.values()}


def claims_of(text: str) -> dict[str, Any]:
    part = text.split(".")[1]
    found: dict[str, Any] = msgspec.json.decode(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return found


async def test_strangers_find_no_licence(office: House) -> None:
    me, other = await office.log_in(PHONE), await office.log_in("+8613800000012")
    one = await issued(office, me.person)

    theirs = await other("POST", f"{LICENCES}/{one.licence}/presentation")
    nothing = await other("POST", f"{LICENCES}/{uuid.uuid4()}/presentation")

    assert theirs == nothing and theirs[0] == 404
    assert (await other("POST", f"{LICENCES}/rubbish/presentation"))[0] == 404
    assert (await other("GET", LICENCES))[1]["items"] == []


async def test_revoked_licence_fails_at_once_and_says_why(office: House) -> None:
    me = await office.log_in(PHONE)
    one = await issued(office, me.person)
    text = await shown(me, one.licence)

    async def twice(tx: Transaction) -> list[bool]:
        return [await revoke(tx, one.licence, reason=why, now=office.clock.city()) for why in ("misused", "moved_away")]

    assert await office.database.run(twice) == [True, False]
    body = await verdict(office, text)
    assert (body["valid"], body["class"], body["reason"]) == (False, "zz.residence_permit", "revoked")
    assert (await me("POST", f"{LICENCES}/{one.licence}/presentation"))[0] == 409
    [mine] = (await me("GET", LICENCES))[1]["items"]
    assert (mine["state"], mine["revoked"]["code"]) == ("revoked", "misused")
    [fact] = await facts_of(office, LicenceRevoked)
    assert (fact.licence, fact.reason) == (one.licence, "misused")


@pytest.mark.parametrize(("days_on", "reason"), [(0, "not_yet_valid"), (1.5, None), (4, "expired")])
async def test_dates_are_compared_when_they_are_used(office: House, days_on: float, reason: str | None) -> None:
    me = await office.log_in(PHONE)
    one = await issued(office, me.person, starts_in=1, days=2)
    office.clock.move(days=days_on)

    [mine] = (await me("GET", LICENCES))[1]["items"]
    status, body = await me("POST", f"{LICENCES}/{one.licence}/presentation")

    assert mine["state"] == (reason or "valid")
    assert status == (409 if reason else 201)
    if reason is None:
        text = body["token"]
        assert (await verdict(office, text))["valid"] is True


async def test_licence_that_expires_while_it_is_shown_holds_no_longer(office: House) -> None:
    me = await office.log_in(PHONE)
    one = await issued(office, me.person, days=30 / 86_400)
    text = await shown(me, one.licence)

    office.clock.move(seconds=31)

    assert (await verdict(office, text))["reason"] == "expired"


async def test_token_of_a_licence_that_nobody_knows_is_unknown(office: House) -> None:
    """Signed by us, of a time that a restored backup has never seen."""
    now = office.clock.wall()
    assert office.keyring is not None
    lost = model.Shown(uuid.uuid4(), "zz.residence_permit", now, now, now + timedelta(seconds=60))

    assert await verdict(office, token.write(lost, office.keyring, ISSUER)) == {**REFUSED, "reason": "unknown", "text": words("unknown")}


async def test_token_changed_by_one_sign_does_not_hold(office: House) -> None:
    me = await office.log_in(PHONE)
    text = await shown(me, (await issued(office, me.person)).licence)

    for place in range(0, len(text), 7):
        changed = text[:place] + ("B" if text[place] != "B" else "C") + text[place + 1 :]
        assert (await verdict(office, changed))["reason"] in ("forged", "unreadable"), place
    assert (await verdict(office, text + "="))["valid"] is False
    assert (await verdict(office, text))["valid"] is True


def made_up(header: dict[str, Any], claims: dict[str, Any], key: ECKey) -> str:
    return jwt.encode(header, claims, key, algorithms=[header["alg"]])


async def test_forger_gets_nowhere_by_bringing_keys_or_choosing_the_algorithm(office: House) -> None:
    me = await office.log_in(PHONE)
    claims = claims_of(await shown(me, (await issued(office, me.person)).licence))
    [public] = (await office.nobody()("GET", "/.well-known/jwks.json"))[1]["keys"]
    own = ECKey.generate_key("P-256")
    header = {"alg": "ES256", "typ": token.KIND, "kid": public["kid"]}
    none = b64({**header, "alg": "none"}) + "." + b64(claims) + "."
    confused = b64({**header, "alg": "HS256"}) + "." + b64(claims)  # Signed with what everybody has: our public key.
    confused += "." + b64_of(hmac.digest(ECKey.import_key(public).as_pem(private=False), confused.encode(), "sha256"))
    for text in (
        made_up(header, claims, own),
        made_up({**header, "jwk": own.as_dict(private=False)}, claims, own),
        b64({**header, "jku": "https://evil.example/keys"}) + "." + b64(claims) + "." + "A" * 86,
        b64({**header, "x5u": "https://evil.example/cert"}) + "." + b64(claims) + "." + "A" * 86,
        confused,
        none,
        none + "AA",
    ):
        assert (await verdict(office, text))["valid"] is False, text
    assert "evil" not in str(office.urls)


def b64(part: Any) -> str:
    return b64_of(msgspec.json.encode(part))


def b64_of(part: bytes) -> str:
    return base64.urlsafe_b64encode(part).rstrip(b"=").decode()


async def test_extra_pieces_in_the_bundle(office: House) -> None:
    """What is not exactly what we write is refused whole, though our own key has signed it."""
    me = await office.log_in(PHONE)
    claims = claims_of(await shown(me, (await issued(office, me.person)).licence))
    signer = office.keyring.signer(office.clock.wall()) if office.keyring else None
    assert signer is not None
    good = {"alg": "ES256", "typ": token.KIND, "kid": signer.kid}
    assert (await verdict(office, made_up(good, claims, signer.key)))["valid"] is True
    for header, said in (
        ({**good, "typ": "JWT"}, claims),
        ({"alg": "ES256", "kid": signer.kid}, claims),
        (good, {**claims, "_sd": []}),
        (good, {**claims, "iss": "https://elsewhere.example"}),
        (good, {**claims, "exp": -1}),
        (good, {**claims, "jti": "x"}),
        (good, {name: value for name, value in claims.items() if name != "exp"}),
    ):
        body = await verdict(office, made_up(header, said, signer.key))
        assert (body["valid"], body["reason"]) == (False, "forged")


@cache
def ring() -> Keyring:
    with tempfile.TemporaryDirectory() as folder:
        return Keyring(Keys(Path(folder) / "keys.json"), NOW)


@given(st.text(max_size=300) | st.lists(st.text(alphabet='AZaz09-_.={}"', max_size=60), max_size=5).map(".".join) | st.just("x" * 5000))
@settings(max_examples=200, deadline=None)
def test_reading_never_fails_on_rubbish(text: str) -> None:
    with pytest.raises((token.Unreadable, token.Forged)):
        token.read(text, ring(), ISSUER, NOW)


async def test_valid_then_expired_now(office: House) -> None:
    """An old key's signature of its own time holds, one of after its time does not."""
    assert office.keyring is not None
    me = await office.log_in(PHONE)
    one = await issued(office, me.person)
    text = await shown(me, one.licence)
    old = office.keyring.signer(office.clock.wall())
    office.keyring.rotate(office.clock.wall() + timedelta(seconds=20))
    assert office.keyring.signer(office.clock.wall()).kid == old.kid, "the new one is published before it signs"
    office.clock.move(seconds=30)

    assert (await verdict(office, text))["valid"] is True
    assert claims_of(await shown(me, one.licence))["iat"] and office.keyring.signer(office.clock.wall()).kid != old.kid
    late = {**claims_of(text), "iat": int(office.clock.wall().timestamp())}
    assert (await verdict(office, made_up({"alg": "ES256", "typ": token.KIND, "kid": old.kid}, late, old.key)))["reason"] == "forged"
    keys = (await office.nobody()("GET", "/.well-known/jwks.json"))[1]["keys"]
    assert [(key["kid"], "exp" in key, "d" in key) for key in keys] == [(old.kid, True, False), (keys[1]["kid"], False, False)]


async def test_key_that_another_process_made_is_found(office: House) -> None:
    assert office.keyring is not None
    me = await office.log_in(PHONE)
    one = await issued(office, me.person)
    other = Keyring(office.keys, office.clock.wall())
    other.rotate(office.clock.wall() - timedelta(seconds=1))
    office.clock.move(seconds=2)
    async with office.opened(keyring=other, throttle=None, known=office.known) as elsewhere:
        text = await shown(Caller(elsewhere, me.token), one.licence)

    assert (await verdict(office, text))["valid"] is True


async def test_ring_renews_itself_before_a_key_grows_old(office: House) -> None:
    assert office.keyring is not None
    first = office.keyring.signer(office.clock.wall())
    later = office.clock.wall() + model.ROTATED_EVERY

    assert office.keyring.signer(later).kid == first.kid
    assert len(office.keyring.public()) == 2
    assert office.keyring.signer(later + model.PUBLISHED_AHEAD).kid != first.kid
    assert len(Keyring(office.keys, later).public()) == 2, "the file holds them"


async def test_offline_verifier_needs_the_published_keys_only(office: House) -> None:
    me = await office.log_in(PHONE)
    text = await shown(me, (await issued(office, me.person)).licence)
    answer = await office.nobody()("GET", "/.well-known/jwks.json")

    found = jwt.decode(text, ECKey.import_key(answer[1]["keys"][0]), algorithms=["ES256"])

    assert found.claims["class"] == "zz.residence_permit" and found.claims["iss"] == ISSUER


async def test_no_status_taken_for_good(office: House, postgres_url: str) -> None:
    """Who cannot ask says so: with the database away there is no verdict at all, though the signature holds."""
    me = await office.log_in(PHONE)
    text = await shown(me, (await issued(office, me.person)).licence)
    now = office.clock.wall()
    assert office.keyring is not None
    async with postgres.connect(postgres_url, size=1) as other:
        pass
    with pytest.raises(postgres.AWAY):
        await verify(other, office.keyring, text, issuer=ISSUER, wall=now, city=now)


async def test_questions_from_one_place_have_a_limit_and_others_go_on(office: House) -> None:
    throttle = Throttle(burst=3, per_second=1.0, networks_max=2)
    now = office.clock.wall()
    async with office.opened(throttle=throttle, known=office.known) as door:
        answers = [await door.nobody()("POST", VERIFY, {"token": "x"}) for _ in range(4)]

    assert [status for status, _ in answers] == [200, 200, 200, 429]
    throttle.spend("192.0.2.7", now)
    for number in range(9):
        throttle.spend(f"198.51.100.{number}", now)
    assert len(throttle._full_at) == 2


async def test_showing_a_licence_has_a_limit(office: House) -> None:
    me = await office.log_in(PHONE)
    one = await issued(office, me.person)
    for _ in range(model.SHOWN_AT_ONCE_MAX):
        await shown(me, one.licence)

    status, _ = await me("POST", f"{LICENCES}/{one.licence}/presentation")
    assert (status, me.headers["Retry-After"]) == (429, "60")
    office.clock.move(seconds=61)
    await shown(me, one.licence)


async def test_staff_revoke_licences_of_their_own_agency(office: House) -> None:
    for phone, agency in (("+8613800000021", "police"), ("+8613800000022", "housing")):
        await grant_role(office.database, office.keys, phone=phone, role="staff", scope=agency, now=office.clock.wall())
    me, staff, others = [await office.log_in(phone) for phone in (PHONE, "+8613800000021", "+8613800000022")]
    one = await issued(office, me.person)
    path, body = f"{LICENCES}/{one.licence}/revocation", {"reason": "issued_in_error"}

    assert (await others("POST", path, body))[0] == 404
    status, after = await staff("POST", path, body)

    assert (status, after["state"], after["revoked"]["code"], after["claims"]) == (200, "revoked", "issued_in_error", {})


async def test_holder_gives_a_licence_up_and_does_nothing_else_to_it(office: House) -> None:
    me, other = await office.log_in(PHONE), await office.log_in("+8613800000012")
    one = await issued(office, me.person, permit=Permit(TOKEN, "zone-1", "resident"))
    path = f"{LICENCES}/{one.licence}"

    assert (await other("GET", path))[0] == (await other("POST", path + "/revocation", {"reason": "holder_asked"}))[0] == 404
    assert (await me("POST", path + "/revocation", {"reason": "issued_in_error"}))[0] == 403
    assert (await me("GET", path))[1]["claims"] == {"name": "张三"}
    status, after = await me("POST", path + "/revocation", {"reason": "holder_asked"})

    assert (status, after["state"], after["revoked"]["code"]) == (200, "revoked", "holder_asked")
    assert [one.permit for one in await facts_of(office, PermitEnded)] == [one.licence]
    assert (await me("POST", path + "/presentation"))[0] == 409


async def test_parking_licence_tells_its_permit_and_its_end(office: House) -> None:
    me = await office.log_in(PHONE)
    one = await issued(office, me.person, permit=Permit(TOKEN, "zone-1", "resident"))
    now = office.clock.city()
    await office.database.run(lambda tx: revoke(tx, one.licence, reason="moved_away", now=now))

    grant, end = await facts_of(office, PermitGranted, PermitEnded)
    assert (grant.permit, grant.plate_token, grant.zone, grant.permit_kind) == (one.licence, TOKEN, "zone-1", "resident")
    assert (grant.names, grant.valid_from, grant.valid_to) == (Names("居住证", "Residence permit"), one.valid_from, one.valid_to)
    assert (end.permit, end.plate_token, end.ended_at) == (one.licence, TOKEN, now)


async def test_plate_that_passes_to_another_holder_takes_its_permit_with_it(office: House) -> None:
    me, other = await office.log_in(PHONE), await office.log_in("+8613800000012")
    await me.bind(PLATE)
    [proved] = await facts_of(office, PlateProved)
    one = await issued(office, me.person, permit=Permit(proved.plate_token, "z", "resident"))
    plain = await issued(office, me.person)
    await follow(office, HoldersFollower())
    assert await facts_of(office, LicenceRevoked) == [], "her own proof changes nothing"

    await other.bind(PLATE)
    await follow(office, HoldersFollower())
    again = await issued(office, other.person, permit=Permit(proved.plate_token, "z", "resident"))
    await follow(office, HoldersFollower())

    [fact] = await facts_of(office, LicenceRevoked)
    assert (fact.licence, fact.reason) == (one.licence, "plate_passed")
    states = {one["id"]: one["state"] for one in (await me("GET", LICENCES))[1]["items"]}
    assert states == {str(one.licence): "revoked", str(plain.licence): "valid"}
    assert (await other("GET", LICENCES))[1]["items"][0]["id"] == str(again.licence)


async def test_licences_end_with_their_holder(office: House) -> None:
    me, other = await office.log_in(PHONE), await office.log_in("+8613800000012")
    one = await issued(office, me.person, permit=Permit(TOKEN, "z", "resident"))
    theirs = await issued(office, other.person)
    async with office.database.transaction() as tx:
        tx.tell(PersonErased(person=uuid.UUID(me.person)), at=office.clock.city())
    for _ in range(2):
        await follow(office, HoldersFollower())

    [revoked], [ended] = await facts_of(office, LicenceRevoked), await facts_of(office, PermitEnded)
    assert (revoked.licence, revoked.reason, ended.permit) == (one.licence, "holder_left", one.licence)
    assert [row["state"] for row in (await other("GET", LICENCES))[1]["items"] if row["id"] == str(theirs.licence)] == ["valid"]


async def test_what_a_licence_says_of_its_holder_is_nowhere_in_clear(office: House) -> None:
    me = await office.log_in(PHONE)
    one = await issued(office, me.person)
    text = await shown(me, one.licence)
    await verdict(office, text)

    kept = await everything_kept(office)
    assert str(one.licence) in kept
    assert "张三" not in kept and text not in kept and text.split(".")[2] not in kept
    assert text not in str(office.urls)
