"""What a flow believes: nodes and arrows, the steps of a case, and whether every case can end. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["start", "end", "rules", "person", "choice", "fork", "timer", "boundary"]
Role = Literal["staff", "applicant"]
MARKINGS_MAX = 10_000
RULES, PERSON, TIMER = "rules", "person", "timer"


@dataclass(frozen=True, slots=True)
class Arrow:
    id: str
    source: str
    target: str
    condition: str | None
    line: int


@dataclass(frozen=True, slots=True)
class Node:
    """`state` is what the applicant reads while the case waits here, or how it ended."""

    id: str
    kind: Kind
    line: int
    role: Role | None = None
    state: str = ""
    decisions: tuple[str, ...] = ()
    pauses: bool = False  # The promise's clock stands still meanwhile.
    default: str | None = None  # The arrow of a choice that is taken when no other fits.
    attached: str | None = None  # The task that a boundary timer watches.
    duration: str | None = None


@dataclass(frozen=True, slots=True)
class Diagram:
    """A parsed flow."""

    nodes: Mapping[str, Node]
    arrows: Sequence[Arrow]

    def after(self, node: str) -> list[Arrow]:
        return [arrow for arrow in self.arrows if arrow.source == node]

    def before(self, node: str) -> list[Arrow]:
        return [arrow for arrow in self.arrows if arrow.target == node]

    def watching(self, node: str) -> list[Node]:
        return [one for one in self.nodes.values() if one.attached == node]


@dataclass(frozen=True, slots=True)
class Step:
    """What happened at a task: how the rules came out, what somebody decided, or that its time was over."""

    task: str
    word: str = ""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A task that waits, and the timers that watch it."""

    node: Node
    timers: tuple[Node, ...] = ()


@dataclass(frozen=True, slots=True)
class Position:
    """Where a case stands: at tasks, or at its end."""

    waiting: tuple[Waiting, ...]
    end: Node | None

    @property
    def state(self) -> str:
        """What people are told."""
        return self.end.state if self.end else next((one.node.state for one in self.waiting if one.node.state), "submitted")


# Soundness: every marking that tokens can reach is looked at.

Marking = frozenset[str]  # Arrows and waiting nodes that hold a token; a second token on one of them is a fault of its own.


@dataclass(slots=True)
class _Search:
    diagram: Diagram
    reached: set[str] = field(default_factory=set)
    crowded: set[str] = field(default_factory=set)
    moves: dict[Marking, set[Marking]] = field(default_factory=dict)


def unsound(diagram: Diagram) -> list[tuple[int, str]]:
    """Faults by line: what cannot be reached or left, a join that waits for ever, a token that doubles."""
    faults = list(_unlinked(diagram))
    if faults:
        return faults
    search = _Search(diagram)
    _explore(search)
    if len(search.moves) >= MARKINGS_MAX:
        return [(1, f"the flow has over {MARKINGS_MAX} situations; nobody can prove that")]
    faults += [(node.line, f"{node.id!r} cannot be reached") for node in diagram.nodes.values() if node.id not in search.reached]
    for name in sorted(search.crowded):
        node = diagram.nodes[name]
        faults.append((node.line, f"{name!r} may be entered a second time before it was left"))
    return faults + list(_stuck(search))


def _unlinked(diagram: Diagram) -> Iterator[tuple[int, str]]:
    starts = [node for node in diagram.nodes.values() if node.kind == "start"]
    if len(starts) != 1:
        yield 1, f"a flow has one start event, not {len(starts)}"
    for node in diagram.nodes.values():
        if node.kind not in ("start", "boundary") and not diagram.before(node.id):
            yield node.line, f"{node.id!r} cannot be reached"
        if node.kind != "end" and not diagram.after(node.id):
            yield node.line, f"{node.id!r} cannot be left"
        if node.kind in ("start", "rules", "person", "timer", "boundary") and len(diagram.after(node.id)) > 1:
            yield node.line, f"{node.id!r} goes to several places at once; put a gateway behind it"


def _explore(search: _Search) -> None:
    start = next(node for node in search.diagram.nodes.values() if node.kind == "start")
    search.reached.add(start.id)
    first = frozenset(arrow.id for arrow in search.diagram.after(start.id))
    todo = [first]
    while todo and len(search.moves) < MARKINGS_MAX:
        marking = todo.pop()
        if marking not in search.moves:
            search.moves[marking] = set(_moves(search, marking))
            todo += search.moves[marking]


def _moves(search: _Search, marking: Marking) -> Iterator[Marking]:
    for node in search.diagram.nodes.values():
        before = {arrow.id for arrow in search.diagram.before(node.id)}
        if node.kind == "fork":
            if before and before <= marking:
                yield from _fire(search, node, marking - before, [frozenset(arrow.id for arrow in search.diagram.after(node.id))])
        else:
            for arrow in before & marking:
                yield from _fire(search, node, marking - {arrow}, _outcomes(search, node))


def _outcomes(search: _Search, node: Node) -> list[frozenset[str]]:
    """The sets of arrows of which one gets tokens when this node is left."""
    choices = [frozenset({arrow.id}) for arrow in search.diagram.after(node.id)]
    for timer in search.diagram.watching(node.id):
        search.reached.add(timer.id)
        choices += [frozenset({arrow.id}) for arrow in search.diagram.after(timer.id)]
    return choices or [frozenset()]


def _fire(search: _Search, node: Node, rest: Marking, outcomes: Sequence[frozenset[str]]) -> Iterator[Marking]:
    search.reached.add(node.id)
    for outcome in outcomes:
        doubled = rest & outcome
        if doubled:
            search.crowded |= {arrow.target for arrow in search.diagram.arrows if arrow.id in doubled}
        yield rest | outcome


def _stuck(search: _Search) -> Iterator[tuple[int, str]]:
    """Situations from which no end can be reached, told by the joins that hold them, or by where their tokens lie."""
    good = {marking for marking in search.moves if not marking}
    back: dict[Marking, set[Marking]] = {}
    for marking, others in search.moves.items():
        for other in others:
            back.setdefault(other, set()).add(marking)
    todo = list(good)
    while todo:
        for marking in back.get(todo.pop(), set()) - good:
            good.add(marking)
            todo.append(marking)
    arrows = {arrow.id: arrow for arrow in search.diagram.arrows}
    dead = [marking for marking, others in search.moves.items() if marking not in good and not others - {marking}]
    held = {arrows[name].target for marking in dead for name in marking}
    for name in sorted(held):
        yield search.diagram.nodes[name].line, f"{name!r} may wait for ever: what it waits for was ended or went elsewhere"
    if not dead and len(good) < len(search.moves):
        loops = {arrows[name].target for marking in search.moves.keys() - good for name in marking}
        for name in sorted(loops):
            yield search.diagram.nodes[name].line, f"{name!r} cannot be left for an end"


def reaches_unseen(diagram: Diagram, start: str, end_state: str) -> bool:
    """Whether a case can end so from there without any person having had it before her."""
    seen: set[str] = set()
    todo = [start]
    while todo:
        node = diagram.nodes[todo.pop()]
        if node.id in seen or (node.kind == "person" and node.id != start):
            continue
        seen.add(node.id)
        if node.kind == "end" and node.state == end_state:
            return True
        todo += [arrow.target for arrow in diagram.after(node.id)]
    return False
