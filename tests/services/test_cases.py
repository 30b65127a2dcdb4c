"""Cases: what an applicant, a clerk, the rules and the time may do to one, and what leaves from it once."""

import asyncio
import contextlib
import dataclasses
import random
import uuid
from datetime import datetime, timedelta

import msgspec
import pytest

from foundation import ids, journal, postgres, sql
from foundation.clock import CITY_ZONE
from foundation.errors import Conflict, Invalid, NotAllowed, NotFound
from foundation.seal import Keys
from parking.tariffs.calendar import official
from services.cases import model, store, views, watch_timers
from services.cases.follow import EffectsFollower, StepsFollower, plate_in
from services.cases.forget_old import forget_old
from services.cases.move_case import decide_case
from services.catalog import draft
from services.catalog.publish_matter import BUILT_IN, files_of, publish_matter
from services.flow import run_flow
from services.flow.model import Step
from services.identity import people, personal
from tests.services.conftest import Hands
from tests.services.office import STAFF, Counter, open_counter


@pytest.fixture
async def counter(opened_database: postgres.Database, keys: Keys) -> Counter:
    return await open_counter(opened_database, keys, Hands())


def pointers(refused: pytest.ExceptionInfo[Invalid]) -> list[str]:
    return [one.pointer for one in refused.value.errors]


# Drafts


async def test_draft_begins_with_what_is_known_locked_where_the_source_is_the_truth(counter: Counter) -> None:
    found = await counter.begin("residence_permit")

    origins = draft.provenance(found.matter, found.draft)
    assert found.draft.form["applicant"]["name"] == counter.departments.says["police.name"]
    assert {pointer: (one.source, one.locked) for pointer, one in origins.items()} == {
        "/applicant/name": ("police", True), "/applicant/id_no": ("police", True), "/residence/address": ("housing", True),
    }  # fmt: skip
    assert draft.missing(found.matter, found.draft) == ["/reason"] and draft.pledged(found.matter, found.draft) == []


async def test_only_what_this_form_needs_is_asked_once_for_the_case(counter: Counter) -> None:
    found = await counter.begin("residence_permit")

    [(case, purpose, elements)] = counter.departments.asked
    assert (case, purpose) == (found.case.id, "residence_permit")
    assert sorted(elements) == ["housing.address", "housing.since", "police.id_no", "police.name"]


async def test_same_key_is_one_case_and_asks_nobody_again(counter: Counter) -> None:
    first = await counter.begin("residence_permit", key="k")
    second, third = await asyncio.gather(counter.begin("residence_permit", key="k"), counter.begin("residence_permit", key="k"))

    assert first.case.id == second.case.id == third.case.id
    assert len(counter.departments.asked) == 1


async def test_locked_value_sent_back_changed_is_refused_and_nothing_of_the_patch_is_kept(counter: Counter) -> None:
    found = await counter.begin("residence_permit")

    for patch in ({"applicant": {"name": "别人"}, "reason": "job"}, {"applicant": None, "reason": "job"}):
        with pytest.raises(Invalid) as refused:
            await counter.save(found, patch)
        assert "/applicant/name" in pointers(refused)
    same = await counter.save(found, {"applicant": {"name": found.draft.form["applicant"]["name"]}})
    assert same.draft.form == found.draft.form


async def test_stale_tab_overwrites_draft(counter: Counter) -> None:
    """Two tabs on one draft: what only one of them answered is merged; what both did is told to the later, with both values."""
    counter.departments.down = {"housing"}  # Then the address is hers to say.
    seven = await counter.begin("residence_permit")
    eight = await counter.save(seven, {"reason": "job"}, if_match=seven.case.etag)

    nine = await counter.save(seven, {"residence": {"address": "农业路"}}, if_match=seven.case.etag)
    assert (nine.draft.form["reason"], nine.draft.form["residence"]) == ("job", {"address": "农业路"})
    assert nine.case.revision == eight.case.revision + 1
    for late in ({"reason": "home"}, {"reason": None}, {"reason": "home", "residence": {"address": "农业路"}}):
        with pytest.raises(Conflict) as told:
            await counter.save(seven, late, if_match=seven.case.etag)
        assert [one.pointer for one in told.value.errors] == ["/reason"]
        assert (told.value.more["current"], told.value.more["etag"]) == (nine.draft.form, nine.case.etag)
    assert (await counter.look(nine.case.id)).draft.form == nine.draft.form, "a refused save changes nothing"
    assert (await counter.save(nine, {"reason": "home"}, if_match=nine.case.etag)).draft.form["reason"] == "home"


async def test_late_save_that_says_nothing_or_shows_no_mark_of_ours_is_told(counter: Counter) -> None:
    seven = await counter.begin("residence_permit")
    eight = await counter.save(seven, {"reason": "job"})

    for patch, mark in (({}, seven.case.etag), ({"reason": "home"}, '"stale"'), ({"reason": "home"}, '"99"'), ({"reason": "home"}, "7")):
        with pytest.raises(Conflict) as told:
            await counter.save(seven, patch, if_match=mark)
        assert (told.value.errors, told.value.more["etag"]) == ((), eight.case.etag)
    assert (await counter.save(seven, {"reason": "job"}, if_match=seven.case.etag)).draft.form["reason"] == "job", "both say the same"


async def test_late_answer_to_a_question_that_is_asked_no_more_is_not_lost_in_silence(counter: Counter) -> None:
    files = files_of(BUILT_IN / "residence_permit")
    schema = msgspec.json.decode(files["form.schema.json"])
    schema["properties"]["school"] = {"type": "string", "maxLength": 40, "x-label": {"zh": "学校", "en": "School"}, "x-basis": "条例"}
    schema["x-ask"][0]["ask"].append("/school")
    await publish_matter(counter.database, files | {"form.schema.json": msgspec.json.encode(schema).decode()}, now=counter.clock.city())
    await counter.office.shelf.catch_up()
    studies = await counter.save(await counter.begin("residence_permit"), {"reason": "study"})
    await counter.save(studies, {"reason": "job"}, if_match=studies.case.etag)

    with pytest.raises(Conflict) as told:
        await counter.save(studies, {"school": "郑州大学"}, if_match=studies.case.etag)

    assert [one.pointer for one in told.value.errors] == ["/school"]


@pytest.mark.parametrize("seed", range(3))
async def test_no_answer_of_any_tab_is_lost_in_silence(counter: Counter, seed: int) -> None:
    """Whatever three tabs save over whatever they last saw: an answer that was taken stands until somebody who saw it gives another."""
    counter.departments.down = {"housing"}
    dice = random.Random(seed)
    first = await counter.begin("residence_permit")
    seen = dict.fromkeys("abc", first)
    stands: dict[str, str] = {}
    for number in range(25):
        tab, field = dice.choice("abc"), dice.choice(["reason", "address"])
        value = dice.choice(["job", "home", "study"]) if field == "reason" else f"{number} 号"
        patch = {"reason": value} if field == "reason" else {"residence": {"address": value}}
        try:
            await counter.save(first, patch, if_match=seen[tab].case.etag)
        except Conflict:
            seen[tab] = await counter.look(first.case.id)
            continue
        old = seen[tab].draft.form
        known = old.get("reason") if field == "reason" else old.get("residence", {}).get("address")
        assert stands.get(field) in (None, known, value)
        stands[field] = value
        if dice.random() < 0.5:
            seen[tab] = await counter.look(first.case.id)
    form = (await counter.look(first.case.id)).draft.form
    assert {"reason": form.get("reason"), "address": form.get("residence", {}).get("address")} == {"reason": None, "address": None} | stands


async def test_supplement_is_kept_before_it_is_sent_and_the_application_stays_as_it_was(counter: Counter) -> None:
    found = await counter.decide(await counter.reviewed(), "supplement")
    handed_in = found.draft.form

    saved = await counter.save(found, {"reason": "home"}, if_match=found.case.etag)

    mine = views.case_view(counter.office, await counter.look(found.case.id), [])
    theirs = views.case_view(counter.office, await counter.look(found.case.id), [], staff=True)
    assert (mine.state, mine.form["reason"], theirs.form["reason"]) == ("supplement", "home", handed_in["reason"])
    with pytest.raises(Conflict):
        await counter.save(found, {"reason": "study"}, if_match=found.case.etag)
    with pytest.raises(Invalid):
        await counter.save(saved, {"applicant": {"name": "别人"}})
    found = await counter.supplement(found, {})
    assert (found.case.state, found.draft.form, found.draft.beside) == ("in_review", handed_in | {"reason": "home"}, None)


async def test_supplement_that_was_not_sent_goes_when_its_time_is_over(counter: Counter) -> None:
    found = await counter.decide(await counter.reviewed(), "supplement")
    await counter.save(found, {"reason": "study"})
    counter.clock.move(days=31)
    await watch_timers.serve_due(counter.office)

    found = await counter.look(found.case.id)
    assert (found.case.state, found.draft.form["reason"], found.draft.beside) == ("withdrawn", "job", None)


async def test_two_tabs_at_once_leave_one_winner(counter: Counter) -> None:
    found = await counter.begin("residence_permit")

    saved = await asyncio.gather(
        *[counter.save(found, {"reason": reason}, if_match=found.case.etag) for reason in ("job", "home", "study")],
        return_exceptions=True,
    )

    assert sorted(type(one).__name__ for one in saved) == ["Conflict", "Conflict", "Opened"]


async def test_one_of_two_cars_has_to_be_chosen_and_no_other(counter: Counter) -> None:
    counter.departments.says["police.plates"] = [{"plate": "豫A12345", "colour": "blue"}, {"plate": "豫AD12345", "colour": "green"}]
    found = await counter.begin("resident_parking")
    assert draft.missing(found.matter, found.draft) == ["/vehicle/plate"]

    with pytest.raises(Invalid) as refused:
        await counter.save(found, {"vehicle": {"plate": "豫A99999"}})

    assert pointers(refused) == ["/vehicle/plate"]
    chosen = await counter.save(found, {"vehicle": {"plate": "豫AD12345"}})
    assert plate_in(chosen.matter, chosen.draft, "vehicle.plate").colour == "green"


async def test_department_is_asked_for_a_question_only_once_it_is_asked(counter: Counter) -> None:
    """closed-locked-field-blocks: not asking the person also means not asking the department, and not requiring."""
    files = files_of(BUILT_IN / "residence_permit")
    schema = msgspec.json.decode(files["form.schema.json"])
    schema["x-ask"] = [{"if": {"/reason": ["home", "study"]}, "ask": ["/residence"]}, {"if": {"/reason": "study"}, "ask": ["/study"]}]
    rules = files["rules.yaml"].replace("when: present(residence.address)", "when: present(residence.address) || reason == 'job'")
    tests = files["tests/rules.yaml"].replace("{reason: job}", "{reason: home}")
    changed = {"form.schema.json": msgspec.json.encode(schema).decode(), "rules.yaml": rules, "tests/rules.yaml": tests}
    await publish_matter(counter.database, files | changed, now=counter.clock.city())
    await counter.office.shelf.catch_up()

    found = await counter.begin("residence_permit")
    assert "residence" not in found.draft.form and "housing.address" not in found.draft.memory
    found = await counter.save(found, {"reason": "home"})
    assert found.draft.form["residence"]["address"] == counter.departments.says["housing.address"]
    for reason, there in (("job", False), ("study", True), ("job", False)):
        found = await counter.save(found, {"reason": reason})
        assert ("residence" in found.draft.form) == there
    assert len(counter.departments.asked) == 2
    found = await counter.submit(found)
    assert found.case.state == "in_review" and {one.verdict for one in found.draft.reasons} == {"yes"}


@pytest.mark.parametrize("seed", range(4))
async def test_where_a_case_stands_follows_from_its_facts_alone(counter: Counter, seed: int) -> None:
    """Whatever people and time do, in any order: the steps that the journal tells lead to the state that the row has."""
    dice = random.Random(seed)
    counter.departments.down = {"housing"} if seed % 2 else set()
    found = await counter.submit(await counter.begin("resident_parking")) if seed > 1 else await counter.reviewed()

    for _ in range(6):
        acts = (
            lambda: counter.decide(found, dice.choice(["approve", "reject", "supplement", "supplement"])),
            lambda: counter.supplement(found, {}), lambda: counter.appeal(found), lambda: counter.submit(found),
        )  # fmt: skip
        with contextlib.suppress(Conflict):
            await dice.choice(acts)()
        if dice.random() < 0.2:
            counter.clock.move(days=31)
            await watch_timers.serve_due(counter.office)

    row = (await counter.look(found.case.id)).case
    told = [one for one in await counter.facts("case_moved") if one.case == row.id]  # type: ignore[attr-defined]
    assert run_flow.walk(found.matter.flow, [Step(one.task, one.word) for one in told]).state == row.state  # type: ignore[attr-defined]
    decided = [one.decision for one in await counter.facts("case_decided") if one.case == row.id]  # type: ignore[attr-defined]
    assert (decided[-1:] == [row.state]) == (row.state in model.DECIDED) and decided.count("approved") <= 1


async def test_drafts_of_a_person_are_bounded(counter: Counter) -> None:
    for _ in range(model.DRAFTS_MAX):
        await counter.begin("resident_parking")

    with pytest.raises(Conflict):
        await counter.begin("resident_parking")


async def test_draft_left_lying_is_forgotten_and_nothing_else(counter: Counter) -> None:
    found, kept = await counter.begin("resident_parking"), await counter.reviewed()

    await forget_old(counter.database, counter.clock.city() + timedelta(days=31))

    assert await store.load_case(counter.database, found.case.id) is None
    assert await store.load_case(counter.database, kept.case.id) is not None


# Handing in


async def test_unfinished_one_is_refused_with_all_its_gaps(counter: Counter) -> None:
    counter.departments.says["housing.address"] = None
    found = await counter.begin("residence_permit")

    with pytest.raises(Invalid) as refused:
        await counter.submit(found)

    assert sorted(pointers(refused)) == sorted(draft.missing(found.matter, found.draft)) == ["/reason", "/residence/address"]


async def test_silent_department_holds_nothing_up_and_is_asked_again_later(counter: Counter) -> None:
    counter.departments.down = {"housing"}
    found = await counter.begin("residence_permit")
    assert draft.pledged(found.matter, found.draft) == ["/residence/address"]
    await counter.save(found, {"reason": "job"})
    found = await counter.submit(found)
    assert (found.case.state, {one.verdict for one in found.draft.reasons}) == ("in_review", {"unknown"})

    counter.departments.down = set()
    counter.clock.move(minutes=2)
    assert await watch_timers.serve_due(counter.office) == 1

    found = await counter.look(found.case.id)
    assert [(one.pointer, one.held) for one in found.draft.checks] == [("/residence/address", True)]
    assert found.draft.form["residence"]["address"] == counter.departments.says["housing.address"]
    assert {one.verdict for one in found.draft.reasons} == {"yes"} and draft.pledged(found.matter, found.draft) == []
    assert await watch_timers.serve_due(counter.office) == 0
    [told] = await counter.facts("pledge_checked")
    assert told.held is True  # type: ignore[attr-defined]


async def test_pledge_that_does_not_hold_is_shown_beside_what_was_said(counter: Counter) -> None:
    counter.departments.down = {"housing"}
    found = await counter.begin("residence_permit")
    await counter.save(found, {"reason": "job", "residence": {"address": "我自己说的地址"}})
    found = await counter.submit(found)
    counter.departments.down = set()
    counter.clock.move(minutes=2)
    await watch_timers.serve_due(counter.office)

    found = await counter.look(found.case.id)
    assert found.draft.form["residence"]["address"] == "我自己说的地址"
    assert [(one.pointer, one.held) for one in found.draft.checks] == [("/residence/address", False)]


async def test_department_that_stays_silent_is_asked_ever_more_seldom(counter: Counter) -> None:
    counter.departments.down = {"housing"}
    found = await counter.begin("residence_permit")
    await counter.save(found, {"reason": "job"})
    await counter.submit(found)

    rounds = 0
    for _ in range(30):
        counter.clock.move(minutes=1)
        rounds += await watch_timers.serve_due(counter.office)

    assert 3 <= rounds <= 5


async def test_answer_older_than_the_matter_allows_is_asked_again_before_anything_is_decided(counter: Counter) -> None:
    found = await counter.begin("resident_parking")
    counter.clock.move(hours=25)
    counter.departments.says["police.plates"] = [{"plate": "豫A77777", "colour": "blue"}]

    with pytest.raises(Invalid) as refused:
        await counter.submit(found)

    assert pointers(refused) == ["/vehicle/plate"], "the car is hers no more"


async def test_edit_after_submit_empties_required(counter: Counter) -> None:
    """What was handed in changes only through a door that judges all of it."""
    found = await counter.reviewed()

    with pytest.raises(Conflict):
        await counter.save(found, {"reason": None})
    found = await counter.decide(found, "supplement")
    with pytest.raises(Invalid) as refused:
        await counter.supplement(found, {"reason": None})
    assert pointers(refused) == ["/reason"]
    assert (await counter.look(found.case.id)).draft.form == found.draft.form


# Decided by rule


async def test_resident_is_granted_a_permit_by_nobody(counter: Counter) -> None:
    found = await counter.submit(await counter.begin("resident_parking"))

    assert found.case.state == "approved" and [made.made_by for made in found.steps] == ["rule"]
    [permit] = await counter.facts("permit_granted")
    plate = counter.departments.says["police.plates"][0]
    assert permit.zone == counter.departments.says["housing.zone"]  # type: ignore[attr-defined]
    assert permit.plate_token == counter.office.keys.token("plate", plate["plate"], plate["colour"])  # type: ignore[attr-defined]


async def test_automatic_no_is_looked_at_by_a_person_when_asked(counter: Counter) -> None:
    counter.departments.says["housing.zone"] = None
    found = await counter.submit(await counter.begin("resident_parking"))
    assert found.case.state == "rejected" and [one.rule for one in found.draft.reasons if one.verdict == "no"] == ["JMT-01"]
    assert views.acts_of(found, staff=False) == ["review"]

    found = await counter.appeal(found)

    assert (found.case.state, found.case.staff_waits, found.case.decided_at) == ("in_review", True, None)
    with pytest.raises(Conflict):
        await counter.appeal(found)
    found = await counter.decide(found, "approve")
    assert found.case.state == "approved" and await counter.facts("licence_issued")
    assert [one.decision for one in await counter.facts("case_decided")] == ["rejected", "approved"]  # type: ignore[attr-defined]


async def test_automatic_no_that_nobody_questions_stands(counter: Counter) -> None:
    counter.departments.says["housing.zone"] = None
    found = await counter.submit(await counter.begin("resident_parking"))

    counter.clock.move(days=61)
    assert await watch_timers.serve_due(counter.office) == 1

    found = await counter.look(found.case.id)
    assert (found.case.state, views.acts_of(found, staff=False)) == ("rejected", [])
    assert len(await counter.facts("case_decided")) == 1


async def test_silent_department_is_never_a_no(counter: Counter) -> None:
    counter.departments.down = {"housing"}

    found = await counter.submit(await counter.begin("resident_parking"))

    assert found.case.state == "in_review"


# Decided by people


async def test_review_with_a_supplement_and_the_clock_stopped_meanwhile(counter: Counter) -> None:
    found = await counter.reviewed()
    due = found.case.due_at
    found = await counter.decide(found, "supplement", "Please say again why.")
    assert (found.case.state, found.case.staff_waits) == ("supplement", False) and found.case.paused_at is not None
    left = views.promise_view(counter.office, found.case).working_days_left

    counter.clock.move(days=20)
    assert views.promise_view(counter.office, found.case).working_days_left == left
    found = await counter.supplement(found, {"reason": "home"})

    assert (found.case.state, found.case.paused_at) == ("in_review", None)
    assert found.case.due_at is not None and due is not None and found.case.due_at > due
    assert views.promise_view(counter.office, found.case).working_days_left == max(1, left or 0)


async def test_supplement_that_never_comes_sends_the_case_back(counter: Counter) -> None:
    found = await counter.decide(await counter.reviewed(), "supplement")

    counter.clock.move(days=31)
    await watch_timers.serve_due(counter.office)

    assert (await counter.look(found.case.id)).case.state == "withdrawn"


async def test_timer_and_answer_in_the_same_moment_make_one_step(counter: Counter) -> None:
    found = await counter.decide(await counter.reviewed(), "supplement")
    counter.clock.move(days=31)

    serve = watch_timers.serve_due
    done = await asyncio.gather(serve(counter.office), serve(counter.office), counter.supplement(found, {}), return_exceptions=True)

    found = await counter.look(found.case.id)
    assert [made.task for made in found.steps][:3] in (["rules", "review", "lapsed"], ["rules", "review", "supplement"])
    assert not [one for one in done if isinstance(one, Exception) and not isinstance(one, Conflict)]


async def test_what_is_decided_is_decided(counter: Counter) -> None:
    found = await counter.decide(await counter.reviewed(), "approve")

    for again in ("reject", "approve", "supplement"):
        with pytest.raises(Conflict):
            await counter.decide(found, again)
    with pytest.raises(Conflict):
        await counter.withdraw(found)
    assert (await counter.look(found.case.id)).case.state == "approved"


async def test_two_clerks_at_once_decide_once(counter: Counter) -> None:
    found = await counter.reviewed()

    await asyncio.gather(*[counter.decide(found, word) for word in ("approve", "reject", "approve")], return_exceptions=True)

    assert len(await counter.facts("case_decided")) == 1


async def test_staff_of_another_agency_and_the_applicant_do_not_decide(counter: Counter) -> None:
    found = await counter.reviewed()

    with pytest.raises(NotFound):
        await counter.decide(found, "approve", agency="housing")
    with pytest.raises(NotAllowed):
        await decide_case(
            counter.office, staff=counter.person, agencies=frozenset({"police"}), case=found.case.id, decision="approve", reason=""
        )  # fmt: skip
    with pytest.raises(NotFound):
        await counter.decide(await counter.begin("residence_permit"), "approve")


async def test_withdrawn_case_takes_no_step_any_more(counter: Counter) -> None:
    found = await counter.reviewed()
    await counter.withdraw(found)

    with pytest.raises(Conflict):
        await counter.decide(found, "approve")
    await counter.follow()
    assert (await counter.look(found.case.id)).case.state == "withdrawn"


# What leaves, once


async def test_effects_leave_once_however_often_the_facts_are_told(counter: Counter) -> None:
    found = await counter.decide(await counter.reviewed(), "approve")
    async with counter.database.snapshot() as tx:
        entries = await journal.read(tx, "fact", 0, postgres.BEGINNING)
    mine = [entry for entry in entries if entry.kind in EffectsFollower.kinds]
    steps = [entry for entry in entries if entry.kind in StepsFollower.kinds]

    for _ in range(3):
        await counter.database.run(lambda tx: EffectsFollower(counter.office).apply(tx, mine))
        await counter.database.run(lambda tx: StepsFollower(counter.office).apply(tx, steps))

    letters = await store.letters_of(counter.database, found.case.id)
    assert sorted(row["kind"] for row in letters) == ["approved", "submitted"]
    assert len(await counter.facts("licence_issued")) == 1 and len((await counter.look(found.case.id)).steps) == 2


async def test_letters_say_in_both_languages_who_what_and_why(counter: Counter) -> None:
    found = await counter.decide(await counter.reviewed(), "reject", "The lease has ended.")

    letters = await store.letters_of(counter.database, found.case.id)
    shown = {one.kind: one for one in views.case_view(counter.office, found, letters).letters}
    refusal = shown["rejected"]
    for text in (refusal.body.zh, refusal.body.en):
        assert counter.departments.says["police.name"] in text and "The lease has ended." in text and "{" not in text


async def test_running_case_keeps_the_version_it_began_with(counter: Counter) -> None:
    found = await counter.begin("residence_permit")
    from_shelf = counter.office.shelf.live("residence_permit")
    assert from_shelf is not None

    assert (await counter.office.versions.get(counter.database, found.case.matter, found.case.version)) == from_shelf[1]
    assert found.case.version == from_shelf[0]


# Who sees what


async def test_facts_and_rows_hold_nothing_of_the_person_in_clear(counter: Counter) -> None:
    found = await counter.decide(await counter.reviewed(), "supplement", "家住农业路的请说明")
    await counter.supplement(found, {"reason": "home"})
    secrets = [
        counter.departments.says["police.name"],
        counter.departments.says["police.id_no"],
        counter.departments.says["housing.address"],
        "家住农业路",
    ]

    async with counter.database.snapshot() as tx:
        bodies = [entry.body for entry in await journal.read(tx, "fact", 0, postgres.BEGINNING)]
        row = await store.load_case(tx, found.case.id)

    assert [secret for secret in secrets for text in (*bodies, repr(row)) if secret in text] == []


async def test_staff_see_masks_where_the_schema_says_personal(counter: Counter) -> None:
    found = await counter.reviewed()

    view = views.case_view(counter.office, found, [], staff=True)

    name, number = counter.departments.says["police.name"], counter.departments.says["police.id_no"]
    assert view.form["applicant"]["name"] == name[0] + "*"
    assert number not in repr(view) and view.form["applicant"]["id_no"][-4:] == number[-4:]


async def test_erased_applicant_takes_her_cases_with_her(counter: Counter) -> None:
    found = await counter.reviewed()
    await counter.database.run(lambda tx: personal.drop_key(tx, counter.person, counter.clock.wall()))

    with pytest.raises(NotFound):
        await counter.look(found.case.id)
    counter.clock.move(days=400)
    await watch_timers.serve_due(counter.office)
    await counter.follow()
    assert await journal.stuck(counter.database) == []


async def test_strangers_case_is_like_one_that_never_was(counter: Counter) -> None:
    found = await counter.begin("residence_permit")
    stranger = await counter.database.run(lambda tx: people.find_or_make(tx, counter.office.keys, "+8613800000012", counter.clock.wall()))
    other = Counter(counter.office, counter.departments, counter.lines, counter.clock, stranger)

    for act in (other.withdraw, other.submit, lambda case: other.save(case, {})):
        with pytest.raises(NotFound) as hers:
            await act(found)
        absent = dataclasses.replace(found, case=dataclasses.replace(found.case, id=uuid.uuid4()))
        with pytest.raises(NotFound) as nothing:
            await act(absent)
        assert hers.value.body() == nothing.value.body()


# The promise


def test_sunday_that_is_a_workday() -> None:
    """Parking and services count by the same table of official days: Sunday the 20th of September 2026 is worked."""
    start = datetime(2026, 9, 17, 10, 0, tzinfo=CITY_ZONE)

    due = model.due_after(start, 3, official())

    assert due.isoformat() == "2026-09-22T00:00:00+08:00", "the 18th, the 20th and the 21st"
    assert model.days_left(start, due, official()) == 3
    assert model.due_resumed(due, start, datetime(2026, 10, 1, 9, 0, tzinfo=CITY_ZONE), official()).date().isoformat() == "2026-10-11"


async def test_missed_promise_is_told_to_the_applicant_once(counter: Counter) -> None:
    found = await counter.reviewed()

    counter.clock.move(days=20)
    for _ in range(2):
        await watch_timers.serve_due(counter.office)
        await counter.follow()

    letters = await store.letters_of(counter.database, found.case.id)
    assert sorted(row["kind"] for row in letters) == ["late", "submitted"]
    assert views.promise_view(counter.office, (await counter.look(found.case.id)).case).late


async def test_promise_is_not_missed_while_the_applicant_is_asked(counter: Counter) -> None:
    found = await counter.decide(await counter.reviewed(), "supplement")

    counter.clock.move(days=20)
    await watch_timers.serve_due(counter.office)
    await counter.supplement(found, {})
    await watch_timers.serve_due(counter.office)

    assert await counter.facts("promise_missed") == []


async def test_rows_of_one_transaction_vanish(counter: Counter) -> None:
    """Two hundred and fifty cases of one instant: each list turns each of them over once, whatever comes and goes between two pages."""
    first, now = await counter.begin("residence_permit"), counter.clock.city()
    made = [dataclasses.replace(first.case, id=ids.new_id()) for _ in range(250)]

    async def work(tx: postgres.Transaction) -> None:
        for case in made:
            await store.add_case(tx, case)
            waiting = dataclasses.replace(case, state="in_review", submitted_at=now, due_at=now, decided_at=now, staff_waits=True)
            await store.save_case(tx, waiting)

    await counter.database.run(work)
    wanted = {case.id for case in made}
    for turn, place in (
        (lambda after: store.inbox_of(counter.database, ["police"], after, 100), lambda case: (case.due_at, case.id)),
        (lambda after: store.decided_of(counter.database, ["police"], after, 100), lambda case: (case.decided_at, case.id)),
        (lambda after: store.cases_of(counter.database, counter.person, after, 100), lambda case: case.id),
    ):
        seen: list[uuid.UUID] = []
        after = None
        while page := await turn(after):
            seen += [case.id for case in page]
            after = place(page[-1])
            await counter.begin("resident_parking")
            await counter.database.fetch(
                sql.Query("gone", "DELETE FROM services.case_file WHERE state = 'draft' AND matter = 'resident_parking' RETURNING id")
            )
        mine = [one for one in seen if one in wanted]
        assert len(mine) == len(set(mine)) == 250


async def test_inbox_lists_by_the_promise_and_pages_without_loss(counter: Counter) -> None:
    made = [await counter.reviewed() for _ in range(7)]

    seen: list[uuid.UUID] = []
    after = None
    while page := await store.inbox_of(counter.database, ["police"], after, 3):
        seen += [case.id for case in page]
        after = (page[-1].due_at, page[-1].id)  # type: ignore[assignment]

    assert seen == sorted((one.case.id for one in made), key=lambda case: seen.index(case)) and set(seen) == {one.case.id for one in made}
    assert await store.inbox_of(counter.database, ["housing"], None, 10) == []
    assert STAFF not in {one.case.person for one in made}
