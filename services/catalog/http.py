"""What the catalogue answers: which matters there are, and everything about one."""

from typing import Annotated, Any

import msgspec

from foundation import http
from foundation.errors import NotFound
from foundation.http import Call, Page, Paged, Reply, Route
from services.catalog import model
from services.catalog.elements import ELEMENTS
from services.catalog.life_events import life_events
from services.catalog.model import Matter
from services.catalog.shelf import Shelf
from services.flow.read_flow import read_flow
from services.forms.model import fields_of


class Words(msgspec.Struct, frozen=True):
    zh: str
    en: str


class Promise(msgspec.Struct, frozen=True):
    """Decided within so many working days."""

    working_days: int
    text: Words


class Search(Paged, kw_only=True):
    """`event`: only what belongs to this life event."""

    q: Annotated[str, msgspec.Meta(max_length=100)] = ""
    event: Annotated[str, msgspec.Meta(max_length=40)] = ""


class LifeEventView(msgspec.Struct, frozen=True):
    """What happens to people; `matters`: how many belong to it."""

    code: str
    icon: str
    name: Words
    matters: int


class MatterRow(msgspec.Struct, frozen=True):
    code: str
    name: Words
    agency: str
    level: str
    promise: Promise
    summary: Words


class ElementView(msgspec.Struct, frozen=True):
    """One of the 36 elements; `value` as the matter says it, `null` where there is nothing to say."""

    key: str
    label: Words
    value: Any


class StepView(msgspec.Struct, frozen=True):
    """A task of the flow: `who` is `system`, `staff` or `applicant`."""

    id: str
    name: Words
    who: str


class FetchedView(msgspec.Struct, frozen=True):
    """What is asked from where: into the field `pointer`, or, where that is empty, for the rules alone."""

    pointer: str
    element: str
    source: str
    api: str
    purpose: str
    max_age_s: int
    locked: bool


class MatterView(msgspec.Struct, frozen=True):
    code: str
    version: str
    name: Words
    agency: str
    level: str
    promise: Promise
    summary: Words
    elements: list[ElementView]
    form: dict[str, Any]
    steps: list[StepView]
    fee: Any
    fetched: list[FetchedView]
    licence: Words | None


def routes(shelf: Shelf) -> list[Route]:
    answers = Answers(shelf)
    return [
        Route("GET", "/api/v1/services/matters", answers.get_matters, "What one can apply for", query=Search, answer=Page[MatterRow]),
        Route("GET", "/api/v1/services/life-events", answers.get_life_events, "What happens to people", answer=Page[LifeEventView]),
        Route("GET", "/api/v1/services/matters/{code}", answers.get_matter, "One matter, whole", answer=MatterView),
    ]


class Answers:
    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf

    async def get_matters(self, call: Call) -> Reply:
        query = call.query
        place = http.place_of(query.cursor, http.Text)
        codes = self._shelf.search(query.q) if query.q.strip() else self._shelf.codes()
        if query.event:
            codes = [code for code in codes if self._belongs(code, query.event)]
        if place is not None and place[0] in codes:
            codes = codes[codes.index(place[0]) + 1 :]
        rows = [row_of(found[1]) for code in codes[: query.limit + 1] if (found := self._shelf.live(code))]
        return Reply(http.page_of(rows, query.limit, lambda row: [row.code]))

    def _belongs(self, code: str, event: str) -> bool:
        found = self._shelf.live(code)
        return found is not None and any(one.code == event and one.needs(found[1]) for one in life_events())

    async def get_life_events(self, _: Call) -> Reply:
        """Those to which something belongs."""
        counted = [(one, sum(self._belongs(code, one.code) for code in self._shelf.codes())) for one in life_events()]
        return Reply(Page([LifeEventView(one.code, one.icon, Words(one.zh, one.en), number) for one, number in counted if number]))

    async def get_matter(self, call: Call) -> Reply:
        found = self._shelf.live(call.path["code"])
        if found is None:
            raise NotFound
        return Reply(view_of(*found))


def words(said: dict[str, str]) -> Words:
    return Words(said.get("zh", ""), said.get("en", ""))


def promise_of(matter: Matter) -> Promise:
    days = matter.promise_days
    return Promise(days, Words(f"{days} 个工作日", f"{days} working day{'s' if days > 1 else ''}"))


def row_of(matter: Matter) -> MatterRow:
    return MatterRow(matter.code, words(matter.name), matter.agency, matter.level, promise_of(matter), words(matter.text("summary")))


def view_of(version: str, matter: Matter) -> MatterView:
    return MatterView(
        matter.code, version, words(matter.name), matter.agency, matter.level, promise_of(matter), words(matter.text("summary")),
        elements_of(matter), matter.form, steps_of(matter), _nothing(matter.elements.get("fee")), fetched_of(matter),
        words(matter.certificate.name) if matter.certificate else None,
    )  # fmt: skip


def elements_of(matter: Matter) -> list[ElementView]:
    """All 36; those that follow from the other files are told by these."""
    follows: dict[str, Any] = {
        "material_sources": sorted({matter.sources[one.source].api for one in matter.prefills}),
        "form": [field.pointer for field in fields_of(matter.form)],
        "share_needs": sorted(matter.asked()),
        "process": [step.id for step in steps_of(matter)],
        "result_licence": matter.certificate.class_code if matter.certificate else None,
    }
    return [ElementView(one.key, Words(one.zh, one.en), _nothing(follows.get(one.key, matter.elements.get(one.key)))) for one in ELEMENTS]


def _nothing(value: Any) -> Any:
    return None if value in ("none", []) else value


def steps_of(matter: Matter) -> list[StepView]:
    diagram, _ = read_flow(matter.flow)
    tasks = [node for node in diagram.nodes.values() if node.kind in ("rules", "person")]
    return [StepView(node.id, words(matter.text(f"step.{node.id}")), str(node.role or "system")) for node in tasks]


def fetched_of(matter: Matter) -> list[FetchedView]:
    def view(pointer: str, element: str, source: str, locked: bool) -> FetchedView:
        said: model.Source = matter.sources[source]
        return FetchedView(pointer, element, source, said.api, said.purpose, said.max_age_s, locked)

    fields = [view(one.pointer, one.element, one.source, one.lock) for one in matter.prefills]
    return fields + [view("", one.element, one.source, False) for one in matter.reads]
