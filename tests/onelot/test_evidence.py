"""Files over HTTP in a whole running city: from the phone to the desk and nowhere else, whatever is sent."""

import asyncio
import random
from collections.abc import AsyncIterator
from typing import Any

import pytest

from onelot.uploads import OF_ONE_PERSON_MAX
from tests.onelot.town import CASES, PROOF, Answer, Town
from tests.papers import DEVICE, GPS, XMP, exif, jpeg, pdf, png

PLACE = {"place": "p1"}


async def begun(town: Town) -> str:
    """Anna applies to the third matter, by reason of her studies."""
    case = (await town.ask("POST", CASES, who="anna", body={"matter": "study_grant"})).body["id"]
    saved = await town.ask("PATCH", f"{CASES}/{case}", who="anna", body={"form": {"reason": "study", "study": {"place": PLACE}}})
    assert saved.status == 200, saved.text
    return str(case)


async def handed(town: Town, case: str, content: bytes, *, who: str = "anna", **headers: str) -> Answer:
    return await town.ask("POST", f"{CASES}/{case}/files", who=who, query={"field": PROOF}, raw=content, **headers)


async def read(town: Town, path: str, who: str) -> tuple[int, bytes, Any]:
    headers = {"Authorization": f"Bearer {town.people[who].token}"}
    async with town.http.get(town.url + path, headers=headers) as answer:
        return answer.status, await answer.read(), answer.headers


async def dropped(town: Town, case: str) -> None:
    """Drafts are bounded: what a test began it takes back."""
    await town.ask("POST", f"{CASES}/{case}/withdraw", who="anna")


@pytest.fixture
async def case(running_city: Town) -> AsyncIterator[str]:
    begin = await begun(running_city)
    yield begin
    await dropped(running_city, begin)


async def test_photo_goes_from_the_phone_to_the_desk_and_every_look_is_a_line(running_city: Town, case: str) -> None:
    town = running_city
    named = {"Content_Disposition": "attachment; filename*=UTF-8''%E5%AD%A6%E7%94%9F%E8%AF%81.jpg"}
    file = (await handed(town, case, jpeg(exif(6), XMP), **named)).body
    path = f"{CASES}/{case}/files/{file['id']}"
    form = {"form": {"study": {"proof": [file["id"]]}}}
    assert (await town.ask("PATCH", f"{CASES}/{case}", who="anna", body=form)).body["missing"] == []
    assert (await read(town, path, "clerk"))[0] == 404, "a draft is nobody's business"
    assert (await town.ask("POST", f"{CASES}/{case}/submit", who="anna")).status == 200

    desk = (await town.ask("GET", f"{CASES}/{case}", who="clerk")).body
    status, content, headers = await read(town, path, "clerk")

    assert [(one["id"], one["name"], one["field"]) for one in desk["files"]] == [(file["id"], "学生证.jpg", PROOF)]
    assert desk["form"]["study"]["place"]["name"]["zh"] == "郑州东站"
    assert status == 200 and content == (await read(town, path, "anna"))[1] and len(content) == file["bytes"]
    assert GPS not in content and DEVICE not in content
    assert headers["Content-Disposition"].startswith("attachment;") and headers["Content-Type"] == "image/jpeg"
    assert headers["X-Content-Type-Options"] == "nosniff" and headers["Cache-Control"] == "no-store"
    assert headers["Content-Security-Policy"].startswith("sandbox; default-src 'none'")
    lines = (await town.ask("GET", "/api/v1/me/accesses", who="anna", query={"limit": "500"})).body["items"]
    looks = [row for row in lines if row["case"] == case and row["fields"] == [PROOF]]
    assert [(row["who"]["en"].endswith("(staff)"), row["purpose"]) for row in looks] == [(True, "study_grant")]


async def test_download_without_question(running_city: Town) -> None:
    """Permission is asked for the thing itself: nobody but its owner reads the file of a draft, and nobody learns that it is there."""
    town = running_city
    path = f"{CASES}/{town.ids['filed']}/files/{town.ids['file']}"
    other = f"{CASES}/{town.ids['case']}/files/{town.ids['file']}"

    assert (await read(town, path, "anna"))[0] == 200
    for who in ("ben", "clerk", "planner", "admin", "operator"):
        assert (await read(town, path, who))[0] == 404, who
    assert (await read(town, other, "anna"))[0] == 404, "it is a file of another case"
    assert (await town.ask("GET", path)).status == 401


@pytest.mark.parametrize(
    ("content", "status", "code"),
    [
        (b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>", 415, "wrong_type"),
        (b"", 422, "empty"),
        (png()[:-9], 422, "damaged"),
        (pdf() + b"x" * 5_000_000, 413, "too_large"),
    ],
    ids=["drawing", "empty", "damaged", "large"],
)
async def test_what_will_not_do_is_told_by_its_question_whatever_it_is_called(
    running_city: Town, case: str, content: bytes, status: int, code: str
) -> None:
    named = {"Content_Type": "image/png", "Content_Disposition": 'attachment; filename="innocent.png"'}
    answer = await handed(running_city, case, content, **named)

    assert (answer.status, answer.kind) == (status, "application/problem+json")
    assert [(one["pointer"], one["code"]) for one in answer.body["errors"]] == [(PROOF, code)]
    assert (await running_city.ask("GET", f"{CASES}/{case}", who="anna")).body["files"] == []


async def test_any_bytes_are_answered_and_never_by_a_failure_of_ours(running_city: Town, case: str) -> None:
    dice = random.Random(7)
    for _ in range(60):
        begin = dice.choice([b"", b"%PDF-1.4", b"\xff\xd8\xff", png()[:33], jpeg()[:40], jpeg(exif()), pdf()])
        content = bytearray(begin + dice.randbytes(dice.choice([0, 1, 40, 3000])) + dice.choice([b"", b"%%EOF", b"\xff\xd9"]))
        if content:
            content[dice.randrange(len(content))] ^= dice.choice([0, 0, 0, 64])
        answer = await handed(running_city, case, bytes(content))
        assert answer.status in (201, 415, 422), (bytes(content)[:60], answer.text)
        assert answer.status == 201 or answer.pointers == [PROOF]


async def test_body_without_a_length_is_counted_while_it_comes(running_city: Town, case: str) -> None:
    async def endless() -> AsyncIterator[bytes]:
        yield b"%PDF-1.4"
        for _ in range(200):
            yield b"x" * 65_536

    url, headers = f"{running_city.url}{CASES}/{case}/files", {"Authorization": f"Bearer {running_city.people['anna'].token}"}
    async with running_city.http.post(url, params={"field": PROOF}, data=endless(), headers=headers) as answer:
        assert answer.status == 413 and (await answer.json())["errors"][0]["pointer"] == PROOF


async def test_upload_that_is_cut_off_leaves_nothing(running_city: Town, case: str) -> None:
    host, port = running_city.url.removeprefix("http://").split(":")
    _, writer = await asyncio.open_connection(host, int(port))
    token = running_city.people["anna"].token
    head = f"POST {CASES}/{case}/files?field={PROOF} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nContent-Length: 100\r\n\r\n"
    writer.write(head.encode() + pdf()[:50])
    await writer.drain()
    writer.close()

    assert (await handed(running_city, case, pdf("whole"))).status == 201
    [there] = (await running_city.ask("GET", f"{CASES}/{case}", who="anna")).body["files"]
    assert there["bytes"] == len(pdf("whole"))


async def test_one_person_sends_a_few_files_at_once_and_is_told_to_wait_with_more(running_city: Town, case: str) -> None:
    """The first ones hang in the air; the city goes on, for her and for everybody."""
    go_on = asyncio.Event()

    async def slow(number: int) -> AsyncIterator[bytes]:
        yield b"%PDF-1.4"
        await go_on.wait()
        yield pdf(str(number))[8:]

    async def send(number: int) -> int:
        url, headers = f"{running_city.url}{CASES}/{case}/files", {"Authorization": f"Bearer {running_city.people['anna'].token}"}
        while True:  # Until it has a place: who asks below takes one for a moment, too.
            async with running_city.http.post(url, params={"field": PROOF}, data=slow(number), headers=headers) as answer:
                if answer.status != 429:
                    return answer.status

    sent = [asyncio.create_task(send(number)) for number in range(OF_ONE_PERSON_MAX)]
    refused = await told_to_wait(running_city, case)
    go_on.set()

    assert int(refused.headers["Retry-After"]) > 0
    assert await asyncio.gather(*sent) == [201] * OF_ONE_PERSON_MAX
    assert (await handed(running_city, case, pdf("after"))).status == 201, "the places are free again"


async def told_to_wait(town: Town, case: str) -> Answer:
    """As soon as the places are taken."""
    for _ in range(200):
        answer = await handed(town, case, b"")
        if answer.status == 429:
            return answer
        await asyncio.sleep(0.01)
    raise AssertionError("nobody was ever told to wait")


async def test_same_key_and_content_is_one_file_and_other_content_a_conflict(running_city: Town, case: str) -> None:
    first = await handed(running_city, case, png(), Idempotency_Key="evidence-1")
    again = await handed(running_city, case, png(), Idempotency_Key="evidence-1")
    other = await handed(running_city, case, pdf(), Idempotency_Key="evidence-1")

    assert (first.status, again.status, other.status) == (201, 201, 409) and first.body == again.body


async def test_document_for_machines_says_how_a_file_is_handed_over(running_city: Town) -> None:
    said = (await running_city.ask("GET", "/openapi.json")).body["paths"][CASES + "/{id}/files"]["post"]

    assert {"application/octet-stream", "application/pdf", "image/jpeg", "image/png"} == set(said["requestBody"]["content"])
    assert {"id", "field", "Idempotency-Key", "Content-Disposition"} == {one["name"] for one in said["parameters"]}


async def test_name_of_a_file_is_in_no_log_and_no_address(running_city: Town, case: str) -> None:
    await handed(running_city, case, pdf("named"), Content_Disposition='attachment; filename="zhang-san-lease.pdf"')

    assert [line for line in running_city.log if "zhang-san" in line] == []
    assert [url for url in running_city.asked if "zhang-san" in url] == []
