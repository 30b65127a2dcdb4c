"""Evidence: a file is what its content says, loses what its camera added, is sealed, and is forgotten when it was not handed in."""

import hashlib
import struct
import urllib.parse
import uuid
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from foundation import postgres, sql
from foundation.caller import Caller
from foundation.errors import Conflict, Invalid, NotFound, Problem, TooBig, TooMany, WrongType
from foundation.http import Call
from foundation.seal import Keys
from services.cases import forget_old as cases
from services.cases import views
from services.cases.keep_file import UNNAMED_TIMES_MAX, keep_file
from services.cases.model import Opened
from services.evidence import clean_file, forget_old, model, store
from services.evidence.model import Damaged
from services.identity import personal
from services.identity.store import mark_erased
from tests.papers import DEVICE, FRAME, GPS, SCAN, XMP, chunk, exif, jpeg, pdf, png, segment
from tests.services.conftest import Hands
from tests.services.office import Counter, open_counter

FIELD = "/study/proof"
ROWS = sql.Query("rows", "SELECT id, about_sealed, content_sealed, submitted FROM services.evidence_file ORDER BY at, id")
STUDY = {"reason": "study", "study": {"place": {"place": "p1"}}}


@pytest.fixture
async def counter(opened_database: postgres.Database, keys: Keys) -> Counter:
    return await open_counter(opened_database, keys, Hands())


# What a file is


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (pdf(), "pdf"), (jpeg(), "jpeg"), (png(), "png"), (b"", None), (b"%PDF", None), (b"<svg onload=alert(1)>", None),
        (b"MZ\x90\x00", None), (b"GIF89a", None), (b" %PDF-1.4", None), (b"<html>%PDF-1.4", None), (b"\xff\xd8", None),
    ],
)  # fmt: skip
def test_kind_is_told_by_the_content_alone(content: bytes, kind: str | None) -> None:
    assert model.kind_of(content) == kind


@pytest.mark.parametrize("order", ["<", ">"])
def test_photo_keeps_how_it_is_turned_and_nothing_else_of_its_camera(order: str) -> None:
    hidden = segment(0xFE, b"a word " + GPS) + segment(0xED, b"Photoshop " + GPS) + segment(0xE2, b"MPF\x00" + GPS)

    clean = clean_file.cleaned("jpeg", jpeg(exif(6, order), XMP, hidden, end=b"a film " + GPS))

    assert GPS not in clean and DEVICE not in clean and b"a film" not in clean
    assert struct.pack(">HHIH", 0x0112, 3, 1, 6) in clean and clean.count(b"Exif") == 1
    assert FRAME in clean and SCAN in clean and clean_file.cleaned("jpeg", clean) == clean


def test_upright_photo_and_one_with_broken_exif_keep_none() -> None:
    for block in (exif(1), exif(9), segment(0xE1, b"Exif\x00\x00MM\x00*\xff\xff\xff\xff" + GPS), segment(0xE1, b"Exif\x00\x00")):
        clean = clean_file.cleaned("jpeg", jpeg(block))
        assert b"Exif" not in clean and clean == jpeg()


def test_colour_profile_stays_and_text_goes() -> None:
    profile = segment(0xE2, b"ICC_PROFILE\x00\x01\x01abc")
    assert profile in clean_file.cleaned("jpeg", jpeg(profile))

    spoken = chunk(b"tEXt", b"Author\x00" + DEVICE) + chunk(b"eXIf", GPS) + chunk(b"gAMA", bytes(4)) + chunk(b"teSt", GPS)
    assert clean_file.cleaned("png", png(more=spoken, end=GPS)) == png(more=chunk(b"gAMA", bytes(4)))


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        ("pdf", b"%PDF-1.4 and no more"), ("jpeg", jpeg()[:-2]), ("jpeg", b"\xff\xd8\xff\xd9"), ("jpeg", jpeg()[:30]),
        ("jpeg", b"\xff\xd8" + SCAN + b"\xff\xd9"), ("jpeg", b"\xff\xd8\xff\xe0\x00\x01"), ("jpeg", b"\xff\xd8" + b"\xff" * 9),
        ("png", png()[:-5]), ("png", png()[:8]), ("png", png().replace(b"IDAT", b"IDAX")), ("png", png(wide=20_000, high=20_000)),
        ("jpeg", jpeg().replace(struct.pack(">HH", 2, 2), struct.pack(">HH", 65_000, 65_000))), ("png", png(wide=0)),
    ],
)  # fmt: skip
def test_what_is_cut_short_damaged_or_a_giant_is_refused(kind: Any, content: bytes) -> None:
    with pytest.raises(Damaged):
        clean_file.cleaned(kind, content)


@given(
    st.sampled_from([b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"%PDF-", jpeg()[:40], png()[:33], jpeg(), png(), pdf(), b""]),
    st.binary(max_size=300),
)
@example(b"\xff\xd8\xff", b"\xe1")
def test_any_bytes_are_a_clean_file_or_a_refusal_and_never_a_crash(begin: bytes, rest: bytes) -> None:
    content = begin + rest
    kind = model.kind_of(content)
    if kind is None:
        return
    try:
        clean = clean_file.cleaned(kind, content)
    except Damaged:
        return
    assert model.kind_of(clean) == kind and len(clean) <= len(content) + 36
    assert clean_file.cleaned(kind, clean) == clean, "cleaning again changes nothing"


@given(st.binary(max_size=200), st.integers(0, 400), st.integers(1, 255))
def test_nothing_hides_in_a_photo_whatever_lies_around_it(noise: bytes, place: int, turn: int) -> None:
    """A bit is turned somewhere, and somebody's secret stands in every segment that may be dropped."""
    content = bytearray(jpeg(exif(), XMP, segment(0xFE, noise + GPS), end=noise + GPS))
    content[place % len(content)] ^= turn
    try:
        clean = clean_file.cleaned("jpeg", bytes(content)) if model.kind_of(bytes(content)) == "jpeg" else b""
    except Damaged:
        return
    assert clean.count(GPS) <= 1, "only where the turned bit made a table out of it"


@pytest.mark.parametrize(
    ("said", "name"),
    [
        ("attachment; filename*=UTF-8''%E7%A7%9F%E8%B5%81%E5%90%88%E5%90%8C.pdf", "租赁合同.pdf"),
        ('attachment; filename="lease.pdf"', "lease.pdf"),
        ("attachment; filename*=UTF-8''C%3A%5CUsers%5Cme%5Clease.pdf", "lease.pdf"),
        ("attachment; filename*=UTF-8''..%2F..%2Fetc%2Fpasswd", "passwd"),
        ("attachment; filename*=UTF-8''a%0D%0Ab%E2%80%AEfdp.exe", "abfdp.exe"),
        ("attachment; filename*=UTF-8''%FF%FE", "\ufffd\ufffd"), ("", ""), ("attachment", ""), ('filename="' + "x" * 300 + '"', "x" * 100),
    ],
)  # fmt: skip
def test_name_is_what_people_read_and_no_way_on_a_disk(said: str, name: str) -> None:
    assert model.name_in(said) == name


def test_file_is_called_by_what_it_is() -> None:
    assert model.disposition_of("run me.exe", "jpeg") == "attachment; filename=\"run me.exe.jpg\"; filename*=UTF-8''run%20me.exe.jpg"
    assert model.disposition_of('a"b.PDF', "pdf").startswith('attachment; filename="a_b.pdf"')
    assert model.disposition_of("", "png").startswith('attachment; filename="file.png"')


# Kept for a case


def call(counter: Counter, content: bytes, *, name: str = "证明.png", key: str | None = None, person: uuid.UUID | None = None) -> Call:
    async def read(most: int) -> bytes:
        if len(content) > most:
            raise TooBig
        return content

    headers = {"Content-Disposition": f"attachment; filename*=UTF-8''{urllib.parse.quote(name)}"} | (
        {"Idempotency-Key": key} if key else {}
    )
    who = Caller(person or counter.person, uuid.uuid4(), "L3")
    return Call({}, None, None, who, headers, b"", "127.0.0.1", "POST /api/v1/services/cases/x/files", read)


async def kept(counter: Counter, found: Opened, content: bytes, field: str = FIELD, **how: Any) -> str:
    reply = await keep_file(counter.office, call(counter, content, **how), case=found.case.id, field=field)
    return str(reply.body) if isinstance(reply.body, str) else bytes(reply.body).decode().strip('"')  # type: ignore[call-overload]


async def studying(counter: Counter) -> Opened:
    return await counter.save(await counter.begin("residence_permit"), STUDY)


def files(*ids: str) -> dict[str, Any]:
    return {"study": {"proof": list(ids)}}


async def rows(counter: Counter) -> list[Any]:
    return list(await counter.database.fetch(ROWS))


async def test_file_is_sealed_by_its_owners_key_and_says_nothing_in_its_row(counter: Counter) -> None:
    found = await studying(counter)
    file = uuid.UUID(await kept(counter, found, pdf("张三的租约"), name="张三的租约.pdf"))

    [row] = await rows(counter)
    for column in ("about_sealed", "content_sealed"):
        assert "张三".encode() not in row[column] and b"%PDF" not in row[column]
    assert found.key.unseal_bytes(row["content_sealed"], store.place_of(store.CONTENT, file)) == pdf("张三的租约")
    [view] = views.file_views(await counter.look(found.case.id))
    assert (view.name, view.type, view.bytes) == ("张三的租约.pdf", "application/pdf", len(pdf("张三的租约")))
    assert view.sha256 == hashlib.sha256(pdf("张三的租约")).hexdigest() and view.field == FIELD


async def test_same_content_again_is_the_same_file_with_a_key_or_without(counter: Counter) -> None:
    found = await studying(counter)
    first = await kept(counter, found, png(), key="k")

    assert [await kept(counter, found, png(more=chunk(b"tEXt", GPS))), await kept(counter, found, png(), key="k")] == [first, first]
    assert len(await rows(counter)) == 1
    with pytest.raises(Conflict):
        await kept(counter, found, png(wide=3), key="k")


@pytest.mark.parametrize(
    ("content", "problem", "code"),
    [
        (b"", Invalid, "empty"), (b"<html>", WrongType, "wrong_type"), (b"%PDF-1.4", Invalid, "damaged"),
        (pdf() + b"x" * 5_000_000, TooBig, "too_large"),
    ],
)  # fmt: skip
async def test_file_that_will_not_do_is_refused_by_its_question(
    counter: Counter, content: bytes, problem: type[Problem], code: str
) -> None:
    found = await studying(counter)

    with pytest.raises(problem) as refused:
        await kept(counter, found, content)

    assert [(one.pointer, one.code) for one in refused.value.errors] == [(FIELD, code)]
    assert await rows(counter) == []


async def test_question_that_is_not_asked_takes_no_file(counter: Counter) -> None:
    found = await counter.save(await counter.begin("residence_permit"), {"reason": "job"})

    for field in (FIELD, "/reason", "/study/place", "/nothing"):
        with pytest.raises(Invalid) as refused:
            await kept(counter, found, png(), field)
        assert [(one.pointer, one.code) for one in refused.value.errors] == [("?field", "unknown_field")]


async def test_stranger_hands_nothing_over(counter: Counter) -> None:
    found = await studying(counter)

    for case in (found, dataclass_of(found)):
        with pytest.raises(NotFound):
            await kept(counter, case, png(), person=uuid.uuid4())


def dataclass_of(found: Opened) -> Any:
    """A case that never was."""
    return type("Nobody's", (), {"case": type("Case", (), {"id": uuid.uuid4()})})


async def test_form_names_only_files_of_its_own_question_each_once(counter: Counter) -> None:
    one, two = await studying(counter), await studying(counter)
    mine, other = await kept(counter, one, png()), await kept(counter, two, png())

    for named, place, code in (([other], 0, "unknown_file"), ([mine, str(uuid.uuid4())], 1, "unknown_file"), ([mine, mine], 1, "twice")):
        with pytest.raises(Invalid) as refused:
            await counter.save(one, files(*named))
        assert [(fault.pointer, fault.code) for fault in refused.value.errors] == [(f"{FIELD}/{place}", code)]
    for rubbish in (["rubbish"], "rubbish", [7], [None], {"0": mine}):
        with pytest.raises(Invalid):
            await counter.save(one, {"study": {"proof": rubbish}})
    assert (await counter.save(one, files(mine))).draft.form["study"]["proof"] == [mine]


async def test_as_many_as_may_be_and_no_more(counter: Counter) -> None:
    found = await studying(counter)
    ids = [await kept(counter, found, png(wide=number + 2)) for number in range(3)]
    await counter.save(found, files(*ids))

    with pytest.raises(Invalid) as refused:
        await kept(counter, found, png(wide=9))

    assert [(one.pointer, one.code) for one in refused.value.errors] == [(FIELD, "too_many")]
    assert await kept(counter, found, png(wide=2)) == ids[0], "what is there already may be sent again"


async def test_uploads_that_nobody_names_make_way_for_newer_ones(counter: Counter) -> None:
    found = await studying(counter)
    most = 3 * UNNAMED_TIMES_MAX

    ids = [await kept(counter, found, png(wide=number + 2)) for number in range(most + 2)]

    assert {str(row["id"]) for row in await rows(counter)} == set(ids[2:])


async def test_file_taken_out_of_the_form_is_gone_and_so_is_one_whose_question_closed(counter: Counter) -> None:
    found = await studying(counter)
    first, second, third = [await kept(counter, found, png(wide=number + 2)) for number in range(3)]
    found = await counter.save(found, files(first, second))

    found = await counter.save(found, files(second))
    assert {str(row["id"]) for row in await rows(counter)} == {second, third}, "the third may be on its way into the form"
    await counter.save(found, {"reason": "job"})
    assert {str(row["id"]) for row in await rows(counter)} == {third}


async def test_what_is_handed_in_stays_and_the_rest_is_forgotten(counter: Counter) -> None:
    found = await studying(counter)
    named, left = await kept(counter, found, png()), await kept(counter, found, pdf())
    await counter.submit(await counter.save(found, files(named)))

    assert [(str(row["id"]), row["submitted"]) for row in await rows(counter)] == [(named, True)]
    with pytest.raises(Conflict):
        await kept(counter, found, png(wide=5))
    assert left not in str([one.id for one in views.file_views(await counter.look(found.case.id), staff=True)])


async def test_form_without_its_file_or_place_is_not_handed_in(counter: Counter) -> None:
    found = await counter.save(await counter.begin("residence_permit"), {"reason": "study"})

    with pytest.raises(Invalid) as refused:
        await counter.submit(found)

    assert [one.pointer for one in refused.value.errors] == ["/study/place", "/study/proof"]


async def test_supplement_takes_a_better_file_and_keeps_what_was_seen_before(counter: Counter) -> None:
    """edit-after-submit-empties-required: also with one required file removed."""
    found = await studying(counter)
    first = await kept(counter, found, png())
    found = await counter.decide(await counter.submit(await counter.save(found, files(first))), "supplement", "a sharper one")

    with pytest.raises(Invalid) as refused:
        await counter.supplement(found, files())
    assert [one.pointer for one in refused.value.errors] == [FIELD]
    better, unused = await kept(counter, found, png(wide=7)), await kept(counter, found, pdf())
    found = await counter.supplement(found, files(better))

    assert {(str(row["id"]), row["submitted"]) for row in await rows(counter)} == {(first, True), (better, True)} and unused
    assert [str(one.id) for one in views.file_views(found, staff=True)] == [better]


async def test_withdrawn_draft_leaves_no_file_behind(counter: Counter) -> None:
    found = await studying(counter)
    await counter.save(found, files(await kept(counter, found, png())))

    await counter.withdraw(found)

    assert await rows(counter) == []


async def test_draft_left_lying_takes_its_files_along_and_a_handed_in_one_stays(counter: Counter) -> None:
    left, sent = await studying(counter), await studying(counter)
    await kept(counter, left, png())
    named = await kept(counter, sent, png())
    sent = await counter.decide(await counter.submit(await counter.save(sent, files(named))), "supplement", "more")
    await kept(counter, sent, pdf())

    for forget in (cases.forget_old, forget_old.forget_old):
        await forget(counter.database, counter.clock.city() + timedelta(days=31))

    assert [str(row["id"]) for row in await rows(counter)] == [named]


async def test_files_of_an_erased_person_open_no_more_and_are_gone_within_the_hour(counter: Counter) -> None:
    found = await studying(counter)
    await kept(counter, found, png())
    now = counter.clock.wall()
    async with counter.database.transaction() as tx:
        await mark_erased(tx, counter.person, b"nobody" + bytes(10), now)
        await personal.drop_key(tx, counter.person, now)
    with pytest.raises(NotFound):
        await counter.look(found.case.id)

    await forget_old.forget_old(counter.database, counter.clock.city())

    assert await rows(counter) == []


async def test_one_person_fills_no_disk_in_a_day(counter: Counter, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model, "DAY_BYTES_MAX", 100)
    found = await studying(counter)
    await kept(counter, found, pdf("x" * 100))

    with pytest.raises(TooMany):
        await kept(counter, found, png())
    counter.clock.move(hours=25)
    await kept(counter, found, png())


# A place


async def test_place_is_written_as_the_citys_list_has_it_whatever_was_sent(counter: Counter) -> None:
    found = await counter.save(await counter.begin("residence_permit"), {"reason": "study"})

    found = await counter.save(found, {"study": {"place": {"place": "p1", "name": {"zh": "别处", "en": "Elsewhere"}, "lon": 0, "lat": 0}}})

    assert found.draft.form["study"]["place"] == {
        "place": "p1", "name": {"zh": "郑州东站", "en": "Zhengzhou East Railway Station"}, "lon": 113.7695, "lat": 34.76,
    }  # fmt: skip
    again = await counter.save(found, {"study": {"place": {"place": "p2"}}})
    assert again.draft.form["study"]["place"]["name"]["zh"] == "奥体中心"
    point = await counter.save(again, {"study": {"place": {"place": None, "name": None, "lon": 113.6254321987, "lat": 34.7}}})
    assert point.draft.form["study"]["place"] == {"lon": 113.625432, "lat": 34.7}


@pytest.mark.parametrize(
    ("place", "code"),
    [
        ({"place": "p99999"}, "unknown_place"), ({"place": 7}, "unknown_place"), ({"place": ["p1"]}, "unknown_place"),
        ({"lon": 2.35, "lat": 48.85}, "outside_city"), ({"lon": 113.6}, "place"), ({"lon": True, "lat": 34.7}, "place"),
        ({"lon": 113.6, "lat": 34.7, "name": {"zh": "我家"}}, "place"), ({"street": "x"}, "place"),
        ({"lon": "113.6", "lat": "34.7"}, "place"),
    ],
)  # fmt: skip
async def test_place_that_the_city_does_not_know_is_refused_by_its_question(counter: Counter, place: Any, code: str) -> None:
    found = await counter.save(await counter.begin("residence_permit"), {"reason": "study"})

    with pytest.raises(Invalid) as refused:
        await counter.save(found, {"study": {"place": place}})

    assert [(one.pointer, one.code) for one in refused.value.errors] == [("/study/place", code)]


async def test_half_a_change_of_a_place_is_not_guessed(counter: Counter) -> None:
    found = await studying(counter)

    with pytest.raises(Invalid) as refused:
        await counter.save(found, {"study": {"place": {"lon": 113.6}}})

    assert [(one.pointer, one.code) for one in refused.value.errors] == [("/study/place", "place")]


async def test_supplement_that_is_being_written_takes_files_and_staff_see_what_was_handed_in(counter: Counter) -> None:
    found = await studying(counter)
    first = await kept(counter, found, png())
    found = await counter.decide(await counter.submit(await counter.save(found, files(first))), "supplement", "a sharper one")
    better = await kept(counter, found, png(wide=7))
    await counter.save(found, files(better))

    now = await counter.look(found.case.id)

    assert [str(one.id) for one in views.file_views(now, staff=True)] == [first]
    assert {str(one.id) for one in views.file_views(now)} == {first, better}, "what was handed in is not gone by taking it out"
    await counter.save(now, files(first))
    assert [str(row["id"]) for row in await rows(counter)] == [first], "what was not handed in is"
