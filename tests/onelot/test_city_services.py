"""The services in a whole running city: a matter is a folder and nothing else, and rights end where they are judged."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from services.catalog.new_matter import new_matter
from services.catalog.publish_matter import files_of, publish_matter
from services.identity.grant_role import grant_role, revoke_role
from tests.onelot.town import Town

CASES = "/api/v1/services/cases"


async def eventually(look: Callable[[], Awaitable[Any]], what: str) -> Any:
    for _ in range(200):
        if found := await look():
            return found
        await asyncio.sleep(0.05)
    raise AssertionError(f"never: {what}")


async def published(town: Town, folder: Path) -> str:
    """A third matter: the folder of `onelot matter new`, made its own by changing texts alone."""
    new_matter(folder)
    head = folder / "matter.yaml"
    text = head.read_text().replace("居住证申领", "养犬登记").replace("Residence permit", "Dog licence")
    head.write_text(text.replace("level: L3", "level: L2"))
    matter, _, fresh = await publish_matter(town.run.city.database, files_of(folder), now=town.run.city.clock.city())
    assert fresh
    return matter.code


async def test_third_matter_is_a_folder_and_nothing_else(running_city: Town, tmp_path: Path) -> None:
    town = running_city
    code = await published(town, tmp_path / "dog_licence")

    async def listed() -> bool:
        page = await town.ask("GET", "/api/v1/services/matters", query={"q": "yangquan"})
        return [row["code"] for row in page.body["items"]] == [code]

    await eventually(listed, "the running city picks the matter up")
    case = (await town.ask("POST", CASES, who="anna", body={"matter": code})).body
    assert case["missing"] == ["/reason"] and case["name"]["en"] == "Dog licence"
    await town.ask("PATCH", f"{CASES}/{case['id']}", who="anna", body={"form": {"reason": "job"}})
    assert (await town.ask("POST", f"{CASES}/{case['id']}/submit", who="anna")).body["state"] == "submitted"

    async def in_inbox() -> bool:
        page = await town.ask("GET", "/api/v1/services/inbox", who="clerk")
        return case["id"] in [row["id"] for row in page.body["items"]]

    await eventually(in_inbox, "the clerk finds it")
    decided = await town.ask("POST", f"{CASES}/{case['id']}/decision", who="clerk", body={"decision": "approve", "reason": "a good dog"})
    assert decided.status == 200 and decided.body["state"] == "approved" and decided.body["licence"]


async def test_lane_frozen_at_start(running_city: Town) -> None:
    """Who may decide is judged at the act: a clerk who left sees nothing within a second, one who came sees all."""
    town, city = running_city, running_city.run.city
    case = (await town.ask("POST", CASES, who="anna", body={"matter": "resident_parking"})).body["id"]
    await town.owner("UPDATE services.case_file SET state = 'in_review', staff_waits = true, due_at = now() WHERE id = $1", case)
    came = "+8613900000017"
    await town.log_in("newcomer", came)
    assert (await town.ask("GET", f"{CASES}/{case}", who="newcomer")).status == 404

    await grant_role(city.database, city.keys, phone=came, role="staff", scope="police", now=city.clock.wall())
    await eventually(lambda: seen(town, case), "the newcomer sees it")
    await revoke_role(city.database, city.keys, phone=came, role="staff", scope="police", now=city.clock.wall())

    await asyncio.sleep(1)
    assert (await town.ask("GET", f"{CASES}/{case}", who="newcomer")).status == 404
    assert (await town.ask("GET", "/api/v1/services/inbox", who="newcomer")).status == 403
    refused = await town.ask("POST", f"{CASES}/{case}/decision", who="newcomer", body={"decision": "approve", "reason": "x"})
    assert refused.status == 403


async def seen(town: Town, case: str) -> bool:
    return (await town.ask("GET", f"{CASES}/{case}", who="newcomer")).status == 200


async def test_read_by_staff_is_a_line_that_the_applicant_sees(running_city: Town) -> None:
    town = running_city
    case = (await town.ask("POST", CASES, who="anna", body={"matter": "resident_parking"})).body["id"]
    await town.owner("UPDATE services.case_file SET state = 'in_review', staff_waits = true, due_at = now() WHERE id = $1", case)

    async def lines() -> list[dict[str, Any]]:
        page = await town.ask("GET", "/api/v1/me/accesses", who="anna", query={"limit": "500"})
        return [row for row in page.body["items"] if row["case"] == case]

    before = await lines()
    await town.ask("GET", f"{CASES}/{case}", who="clerk")
    after = await lines()

    assert len(after) == len(before) + 1
    assert "police.name" in after[0]["fields"] and after[0]["purpose"] == "resident_parking"


async def test_level_that_is_too_low_is_told_what_to_prove(running_city: Town) -> None:
    answer = await running_city.ask("POST", CASES, who="anna", body={"matter": "residence_permit"})

    assert (answer.status, answer.body["needs"]) == (403, "L3")


async def test_admin_is_no_second_clerk(running_city: Town) -> None:
    """administrator-is-not-a-second-person: the highest right decides no case and reads none."""
    town = running_city
    case = (await town.ask("POST", CASES, who="anna", body={"matter": "resident_parking"})).body["id"]
    await town.owner("UPDATE services.case_file SET state = 'in_review', staff_waits = true, due_at = now() WHERE id = $1", case)

    assert (await town.ask("GET", f"{CASES}/{case}", who="admin")).status == 404
    assert (await town.ask("POST", f"{CASES}/{case}/decision", who="admin", body={"decision": "approve", "reason": "x"})).status == 404
    assert (await town.ask("GET", "/api/v1/services/inbox", who="admin")).body["items"] == []


async def test_case_goes_from_hand_to_hand_among_staff_of_one_agency(running_city: Town) -> None:
    town, city = running_city, running_city.run.city
    case = (await town.ask("POST", CASES, who="anna", body={"matter": "resident_parking"})).body["id"]
    await town.owner("UPDATE services.case_file SET state = 'in_review', staff_waits = true, due_at = now() WHERE id = $1", case)
    second = "+8613900000018"
    await town.log_in("second", second)
    await grant_role(city.database, city.keys, phone=second, role="staff", scope="police", now=city.clock.wall())
    await eventually(lambda: is_staff(town), "the second clerk is one")
    there = {row["me"]: row for row in (await town.ask("GET", "/api/v1/services/colleagues", who="clerk")).body["items"]}
    assert there[False]["name"] == "+86139****0018", "who has proved no name is known by her number, masked"

    taken = await town.ask("POST", f"{CASES}/{case}/claim", who="clerk")
    assert taken.body["clerk"]["mine"] and await in_hand(town, case, "second") == (False, False)
    for act, body in (("release", None), ("decision", {"decision": "approve", "reason": "x"})):
        assert (await town.ask("POST", f"{CASES}/{case}/{act}", who="second", body=body)).status == 409, act
    anna = (await town.ask("GET", "/api/v1/me", who="anna")).body["id"]
    for stranger in (anna, "00000000-0000-7000-8000-000000000000"):
        assert (await town.ask("POST", f"{CASES}/{case}/assign", who="clerk", body={"to": stranger})).status == 422
    given = await town.ask("POST", f"{CASES}/{case}/assign", who="clerk", body={"to": there[False]["id"]})
    assert given.status == 200 and await in_hand(town, case, "second") == (True, False)
    mine = await town.ask("GET", f"{CASES}/{case}", who="anna")
    assert mine.body["clerk"] is None, "the applicant deals with the agency"

    await revoke_role(city.database, city.keys, phone=second, role="staff", scope="police", now=city.clock.wall())
    assert await in_hand(town, case, "clerk") == (False, True), "who left keeps nothing in hand"
    assert (await town.ask("POST", f"{CASES}/{case}/release", who="clerk")).body["clerk"] is None


async def is_staff(town: Town) -> bool:
    return (await town.ask("GET", "/api/v1/services/inbox", who="second")).status == 200


async def in_hand(town: Town, case: str, who: str) -> tuple[bool, bool]:
    """Whether the inbox says that the case is one's own, and whether whoever had it has left."""
    rows = (await town.ask("GET", "/api/v1/services/inbox", who=who, query={"limit": "500"})).body["items"]
    clerk = next(row["clerk"] for row in rows if row["id"] == case)
    return clerk["mine"], clerk["left"]


async def test_what_was_decided_is_found_again(running_city: Town) -> None:
    town = running_city
    for number in range(3):
        case = (await town.ask("POST", CASES, who="anna", body={"matter": "resident_parking"})).body["id"]
        await town.owner(
            "UPDATE services.case_file SET state = 'rejected', decided_at = now() + make_interval(secs => $2) WHERE id = $1", case, number
        )  # fmt: skip

    seen, cursor = [], None
    while True:
        query = {"which": "decided", "limit": "2"} | ({"cursor": cursor} if cursor else {})
        page = (await town.ask("GET", "/api/v1/services/inbox", who="clerk", query=query)).body
        seen, cursor = seen + [row["id"] for row in page["items"]], page["next_cursor"]
        if cursor is None:
            break

    assert seen[0] == case and len(seen) == len(set(seen)) >= 3
    assert case not in [row["id"] for row in (await town.ask("GET", "/api/v1/services/inbox", who="clerk")).body["items"]]


async def test_life_events_lead_to_the_matters_that_belong_to_them(running_city: Town) -> None:
    events = (await running_city.ask("GET", "/api/v1/services/life-events")).body["items"]
    assert {"move", "car"} <= {one["code"] for one in events} and "school" not in {one["code"] for one in events}

    for one in events:
        found = (await running_city.ask("GET", "/api/v1/services/matters", query={"event": one["code"]})).body["items"]
        assert len(found) == one["matters"] > 0
    nothing = await running_city.ask("GET", "/api/v1/services/matters", query={"event": "nonsense"})
    assert nothing.body["items"] == []
