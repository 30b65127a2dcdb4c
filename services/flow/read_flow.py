"""Read a BPMN file strictly: no DOCTYPE, no element and no attribute outside of the subset, every fault by its line."""

import re
from collections.abc import Iterator
from typing import Any

from cel_expr_python import cel
from lxml import etree

from services.flow import environment, model
from services.flow.errors import FlowRefused, Forbidden
from services.flow.model import Arrow, Diagram, Kind, Node

BPMN = "http://www.omg.org/spec/BPMN/20100524/MODEL"
OURS = "urn:onelot:matter"
BYTES_MAX = 200_000
DECISIONS = ("approve", "reject", "supplement")
STATES = {"staff": ("in_review",), "applicant": ("supplement", "rejected")}
WHO = 'zz:role="staff" zz:state="in_review", or zz:role="applicant" zz:state="supplement" or "rejected"'
ENDS = ("approved", "rejected", "withdrawn")
KINDS: dict[str, Kind] = {
    "startEvent": "start",
    "endEvent": "end",
    "businessRuleTask": "rules",
    "userTask": "person",
    "exclusiveGateway": "choice",
    "parallelGateway": "fork",
    "intermediateCatchEvent": "timer",
    "boundaryEvent": "boundary",
}
_INSIDE = {"incoming", "outgoing", "documentation", "timerEventDefinition", "timeDuration", "conditionExpression"}
_DURATION = re.compile(r"P(?:(\d{1,4})D)?(?:T(?:(\d{1,3})H)?(?:(\d{1,3})M)?)?")
Faults = list[tuple[int, str]]


def read_flow(text: str) -> tuple[Diagram, Faults]:
    """The diagram and everything that is wrong with it. Raises FlowRefused when it is no diagram at all."""
    process = _process(text)
    faults: Faults = []
    nodes: dict[str, Node] = {}
    arrows: list[Arrow] = []
    for element in process:
        name = _name(element, faults)
        if name == "sequenceFlow":
            arrows.append(_arrow(element))
        elif name in KINDS:
            node = _node(element, KINDS[name], faults)
            if node.id in nodes:
                faults.append((node.line, f"the id {node.id!r} stands here twice"))
            nodes[node.id] = node
        elif name not in ("documentation", ""):
            faults.append((element.sourceline, f"{name!r} is outside of the subset ({', '.join(KINDS)}): nobody could prove what it does"))
    diagram = Diagram(nodes, arrows)
    faults += _links(diagram)
    if not faults:
        faults += [*_choices(diagram), *_ends(diagram), *model.unsound(diagram)]
    return diagram, sorted(faults)


def duration_s(text: str) -> int | None:
    """Seconds of `P30D`, `PT12H`; None for what is no such text, or nothing."""
    found = _DURATION.fullmatch(text)
    days, hours, minutes = (int(part or 0) for part in found.groups()) if found else (0, 0, 0)
    return ((days * 24 + hours) * 60 + minutes) * 60 or None


def _process(text: str) -> Any:  # lxml's element
    if len(text.encode()) > BYTES_MAX:
        raise FlowRefused(f"a diagram has at most {BYTES_MAX} bytes")
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, remove_comments=True, remove_pis=True
    )
    try:
        root = etree.fromstring(text.encode(), parser)
    except etree.XMLSyntaxError as error:
        raise FlowRefused(f"not XML: {error}") from None
    if root.getroottree().docinfo.doctype:
        raise FlowRefused("a diagram has no DOCTYPE")
    if root.tag != f"{{{BPMN}}}definitions":
        raise FlowRefused("a diagram begins with <definitions> of BPMN 2.0")
    outside = [_local(one) for one in root if one.tag.startswith(f"{{{BPMN}}}") and _local(one) != "process"]
    processes = root.findall(f"{{{BPMN}}}process")
    if outside or len(processes) != 1:
        raise FlowRefused(f"a diagram holds one process and its drawing{', not ' + outside[0] if outside else ''}")
    return processes[0]


def _local(element: Any) -> str:
    return str(element.tag).rpartition("}")[2]


def _name(element: Any, faults: Faults) -> str:
    """The element's name, its insides looked through."""
    if not str(element.tag).startswith(f"{{{BPMN}}}"):
        faults.append((element.sourceline, f"{_local(element)!r} is not BPMN"))
        return ""
    for inside in element.iterdescendants():
        if not str(inside.tag).startswith(f"{{{BPMN}}}") or _local(inside) not in _INSIDE:
            faults.append((inside.sourceline, f"{_local(inside)!r} is outside of the subset: nobody could prove what it does"))
    return _local(element)


def _arrow(element: Any) -> Arrow:
    condition = element.findtext(f"{{{BPMN}}}conditionExpression")
    return Arrow(
        str(element.get("id")), str(element.get("sourceRef")), str(element.get("targetRef")),
        condition.strip() if condition is not None else None, element.sourceline,
    )  # fmt: skip


def _node(element: Any, kind: Kind, faults: Faults) -> Node:
    said = {name.rpartition("}")[2]: value for name, value in element.attrib.items() if name.startswith(f"{{{OURS}}}")}
    line, name = element.sourceline, str(element.get("id"))
    known = {"person": {"role", "state", "decisions", "clock"}, "end": {"state"}}.get(kind, set())
    for word in said.keys() - known:
        faults.append((line, f"nobody reads zz:{word} of {name!r}"))
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,39}", name):
        faults.append((line, f"an id is small letters, figures and _, not {name!r}"))
    role, state = said.get("role"), said.get("state", "")
    if kind == "person" and (role not in STATES or state not in STATES[role]):
        faults.append((line, f"{name!r} says who acts and what the applicant reads: {WHO}"))
    if kind == "end" and state not in ENDS:
        faults.append((line, f"{name!r} says how the case ended: zz:state is one of {', '.join(ENDS)}"))
    decisions = tuple(said.get("decisions", "").split())
    if kind == "person" and ((role == "staff") != bool(decisions) or set(decisions) - set(DECISIONS)):
        faults.append((line, f"{name!r}: zz:decisions of a staff task are some of {' '.join(DECISIONS)}, others have none"))
    return Node(
        name, kind, line, "staff" if role == "staff" else "applicant" if role == "applicant" else None, state, decisions,
        said.get("clock") == "pause", element.get("default"), element.get("attachedToRef"), _duration(element, kind, faults),
    )  # fmt: skip


def _duration(element: Any, kind: Kind, faults: Faults) -> str | None:
    text = element.findtext(f"{{{BPMN}}}timerEventDefinition/{{{BPMN}}}timeDuration")
    if kind not in ("timer", "boundary"):
        return None
    if element.get("cancelActivity", "true") != "true":
        faults.append((element.sourceline, f"{element.get('id')!r}: a timer that does not interrupt is outside of the subset"))
    bare = (text or "").strip().strip("'\"")
    if duration_s(bare) is None:
        faults.append((element.sourceline, f"{element.get('id')!r} waits for a time like 'P30D' or 'PT12H', in quotes"))
    return bare


def _links(diagram: Diagram) -> Iterator[tuple[int, str]]:
    for arrow in diagram.arrows:
        for end in (arrow.source, arrow.target):
            if end not in diagram.nodes:
                yield arrow.line, f"{arrow.id!r} leads from or to {end!r}, which is not there"
        if arrow.target in diagram.nodes and diagram.nodes[arrow.target].kind == "boundary":
            yield arrow.line, f"{arrow.id!r} leads into a timer that only its task can start"
    for node in diagram.nodes.values():
        watched = diagram.nodes.get(node.attached or "")
        if node.kind == "boundary" and (watched is None or watched.kind != "person"):
            yield node.line, f"{node.id!r} watches {node.attached!r}, which is no task of a person"


def _choices(diagram: Diagram) -> Iterator[tuple[int, str]]:
    """A choice always has an answer: conditions over words, and a default for everything else."""
    for arrow in diagram.arrows:
        chooses = diagram.nodes[arrow.source].kind == "choice" and len(diagram.after(arrow.source)) > 1
        is_default = diagram.nodes[arrow.source].default == arrow.id
        if arrow.condition is not None and (not chooses or is_default):
            yield arrow.line, f"{arrow.id!r} has a condition that nobody asks"
        elif chooses and not is_default and arrow.condition is None:
            yield arrow.line, f"{arrow.id!r} needs a condition, or is the gateway's default"
        elif arrow.condition is not None:
            yield from _condition(arrow)
    for node in diagram.nodes.values():
        if node.kind == "choice" and len(diagram.after(node.id)) > 1 and node.default not in {arrow.id for arrow in diagram.after(node.id)}:
            yield node.line, f'{node.id!r} needs a default: name one of its arrows in default="…"'


def _condition(arrow: Arrow) -> Iterator[tuple[int, str]]:
    assert arrow.condition is not None
    try:
        if environment.compiled(arrow.condition).return_type() != cel.Type.BOOL:
            yield arrow.line, f"{arrow.condition!r} is not true or false"
    except Forbidden as error:
        yield arrow.line, f"{arrow.condition!r}: {error}"


def _ends(diagram: Diagram) -> Iterator[tuple[int, str]]:
    """An automatic no must leave a way to a person (PIPL, art. 24)."""
    for node in diagram.nodes.values():
        if node.kind == "rules" and model.reaches_unseen(diagram, node.id, "rejected"):
            yield node.line, f"after {node.id!r} a case may be rejected with no person to ask: lead the no to an applicant's task first"
