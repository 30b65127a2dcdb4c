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
