"""Flows: a diagram can neither import, read nor call; what cannot be proved to end is not published; cases are replayed."""

import re
from pathlib import Path
from typing import Any

import pytest
from lxml import etree
from SpiffWorkflow.bpmn import BpmnWorkflow
from SpiffWorkflow.bpmn.parser import BpmnParser
from SpiffWorkflow.bpmn.script_engine import PythonScriptEngine

from services.catalog.publish_matter import BUILT_IN
from services.flow import environment, run_flow
from services.flow.errors import FlowRefused, Forbidden, NotWaiting
from services.flow.model import Step
from services.flow.read_flow import duration_s, read_flow

HEAD = (
    '<definitions xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL" xmlns:zz="urn:onelot:matter" id="d" targetNamespace="t">'
    '<process id="p" isExecutable="true">'
)
STAFF = 'zz:role="staff" zz:state="in_review" zz:decisions="approve reject supplement"'
ENDS = '<endEvent id="good" zz:state="approved"/>'
REVIEWED = (BUILT_IN / "residence_permit/flow.bpmn").read_text()
BY_RULE = (BUILT_IN / "resident_parking/flow.bpmn").read_text()


def diagram(*parts: str, **arrows: str) -> str:
    flows = "".join(
        f'<sequenceFlow id="{name}" sourceRef="{way.split(">")[0]}" targetRef="{way.split(">")[1]}"/>' for name, way in arrows.items()
    )
    return HEAD + "\n".join(parts) + flows + "</process></definitions>"


def faults(text: str) -> str:
    return "\n".join(message for _, message in read_flow(text)[1])


def test_straight_flow_ends() -> None:
    text = diagram('<startEvent id="s"/>', '<businessRuleTask id="r"/>', ENDS, a="s>r", b="r>good")

    assert faults(text) == ""
    assert run_flow.walk(text, [Step("r", "yes")]).state == "approved"


# A diagram can neither import, read nor call

PAYLOADS = ("__import__('os').system('touch {file}')", "open('{file}', 'w')", "[].__class__.__base__.__subclasses__()", "import os")


@pytest.mark.parametrize("payload", PAYLOADS)
def test_subset_refuses_whatever_could_run(payload: str, tmp_path: Path) -> None:
    said = payload.format(file=tmp_path / "made").replace("'", "&apos;")
    start, end = '<startEvent id="s"/>', ENDS
    condition = f'<sequenceFlow id="c" sourceRef="x" targetRef="good"><conditionExpression>{said}</conditionExpression></sequenceFlow>'
    each = f"<multiInstanceLoopCharacteristics><completionCondition>{said}</completionCondition></multiInstanceLoopCharacteristics>"
    waits = f"<timerEventDefinition><timeDuration>{said}</timeDuration></timerEventDefinition>"
    for part in (
        f'<scriptTask id="x"><script>{said}</script></scriptTask>',
        f'<intermediateCatchEvent id="x">{waits}</intermediateCatchEvent>',
        f'<userTask id="x" {STAFF}>{each}</userTask>',
        f'<userTask id="x" {STAFF}><extensionElements><preScript>{said}</preScript></extensionElements></userTask>',
        '<serviceTask id="x"/>',
    ):
        assert faults(diagram(start, part, end, a="s>x", b="x>good")), part
    assert faults(diagram(start, '<exclusiveGateway id="x" default="d"/>', end, condition, a="s>x", d="x>good"))


def test_correlation_expressions_are_refused_with_the_diagram() -> None:
    text = diagram('<startEvent id="s"/>', ENDS, a="s>good").replace(
        "</definitions>", '<message id="m"/><correlationProperty id="c"><correlationPropertyRetrievalExpression messageRef="m">'
        "<messagePath>__import__('os').popen('id')</messagePath></correlationPropertyRetrievalExpression></correlationProperty></definitions>",
    )  # fmt: skip

    with pytest.raises(FlowRefused, match="one process and its drawing, not message"):
        read_flow(text)


class _Anything(BpmnParser):  # type: ignore[misc]
    """The library's own parser, without our subset in front of it."""


def raw_run(body: str, *, engine: Any) -> BpmnWorkflow:
    text = HEAD + body + "</process></definitions>"
    parser = _Anything()
    parser.add_bpmn_xml(etree.fromstring(text.encode()))
    workflow = BpmnWorkflow(parser.get_spec("p"), script_engine=engine)
    workflow.do_engine_steps()
    workflow.refresh_timers()
    return workflow


def through(middle: str) -> str:
    """Start, what is tried, end."""
    arrows = '<sequenceFlow id="a" sourceRef="s" targetRef="x"/><sequenceFlow id="b" sourceRef="x" targetRef="e"/>'
    return f'<startEvent id="s"/>{middle}<endEvent id="e"/>{arrows}'


WAIT = "<timerEventDefinition><timeDuration>{code}</timeDuration></timerEventDefinition>"
SCRIPT = through('<scriptTask id="x"><script>{code}</script></scriptTask>')
TIMER = through(f'<intermediateCatchEvent id="x">{WAIT}</intermediateCatchEvent>')
CONDITION = through(
    '<exclusiveGateway id="x" default="b"/>'
    '<sequenceFlow id="c" sourceRef="x" targetRef="e"><conditionExpression>{code}</conditionExpression></sequenceFlow>'
)


@pytest.mark.parametrize("body", [SCRIPT, CONDITION, TIMER], ids=["script", "condition", "timer"])
def test_environment_runs_no_python_even_behind_the_subset(body: str, tmp_path: Path) -> None:
    """The second wall, tried alone: the library's own engine runs the same text and leaves a file."""
    for name, engine in (("theirs", PythonScriptEngine()), ("ours", environment.engine())):
        code = f"__import__('pathlib').Path('{tmp_path / name}').touch() or 'PT1H'".replace("'", "&apos;")
        try:
            raw_run(body.format(code=code), engine=engine)
        except Exception as error:
            assert name == "ours", error

    assert [file.name for file in tmp_path.iterdir()] == ["theirs"]


@pytest.mark.parametrize("payload", [*PAYLOADS, "1", "outcome + decision + nobody", "[outcome]", "x" * 300])
def test_messages_and_completion_conditions_ask_an_environment_that_knows_words_only(payload: str, tmp_path: Path) -> None:
    """They ask the environment and not the engine: this is the hole that overriding the engine alone leaves."""
    asked = environment.engine().environment

    with pytest.raises(Forbidden):
        asked.evaluate(payload.format(file=tmp_path / "made"), {"outcome": "yes"})
    for act in (lambda: asked.execute("x = 1", {}), lambda: asked.call_service({}, operation_name="mail")):
        with pytest.raises(Forbidden):
            act()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "text",
    [
        '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/hostname">]>' + diagram('<startEvent id="s"/>', ENDS, a="s>good"),
        '<!DOCTYPE x>' + diagram('<startEvent id="s"/>', ENDS, a="s>good"),
        "<definitions/>",
        "no xml",
        "<x>" * 300_000,
    ],
    ids=["entity", "doctype", "another", "text", "large"],
)  # fmt: skip
def test_what_is_no_diagram_is_refused_whole(text: str) -> None:
    with pytest.raises(FlowRefused):
        read_flow(text)


# Soundness

FORKED = (
    '<startEvent id="s"/>', '<parallelGateway id="fork"/>', f'<userTask id="one" {STAFF}/>', f'<userTask id="two" {STAFF}/>',
    '<parallelGateway id="joined"/>', ENDS,
)  # fmt: skip
WAYS = {"a": "s>fork", "b": "fork>one", "c": "fork>two", "d": "one>joined", "e": "two>joined", "f": "joined>good"}


def test_fork_and_join_are_sound() -> None:
    assert faults(diagram(*FORKED, **WAYS)) == ""


def test_join_waits_for_ever_after_an_interrupting_timer_on_one_branch() -> None:
    waits = "<timerEventDefinition><timeDuration>'P1D'</timeDuration></timerEventDefinition>"
    timer = f'<boundaryEvent id="late" attachedToRef="one">{waits}</boundaryEvent>'
    gone = '<endEvent id="gone" zz:state="withdrawn"/>'

    assert "'joined' may wait for ever" in faults(diagram(*FORKED, timer, gone, **WAYS, g="late>gone"))


@pytest.mark.parametrize(
    ("parts", "arrows", "message"),
    [
        ([f'<userTask id="lost" {STAFF}/>'], {"b": "lost>good"}, "'lost' cannot be reached"),
        ([f'<userTask id="dead" {STAFF}/>'], {"b": "s>dead"}, "'dead' cannot be left"),
        (['<inclusiveGateway id="or"/>'], {"b": "or>good"}, "'inclusiveGateway' is outside of the subset"),
        (['<userTask id="t" zz:role="king"/>'], {"b": "t>good"}, "'t' says who acts"),
        (['<endEvent id="bad"/>'], {"b": "s>bad"}, "'bad' says how the case ended"),
        ([f'<userTask id="t" {STAFF} zz:colour="red"/>'], {"b": "t>good"}, "nobody reads zz:colour"),
        ([], {"b": "s>nowhere"}, "which is not there"),
    ],
)
def test_unsound_flow_is_refused_by_its_node(parts: list[str], arrows: dict[str, str], message: str) -> None:
    assert message in faults(diagram('<startEvent id="s"/>', ENDS, *parts, a="s>good", **arrows))


def test_inclusive_join_waits_for_the_dead() -> None:
    """What the engine cannot decide soundly cannot be published: the construct is refused by its line and name."""
    text = diagram('<startEvent id="s"/>', '\n<inclusiveGateway id="either"/>', ENDS, a="s>either", b="either>good")

    [(line, message)] = read_flow(text)[1][:1]
    assert line == 3 and "inclusiveGateway" in message


def test_nothing_to_check_for_each() -> None:
    """A step for each item of a list is refused, so that none can hang on an empty one."""
    each = f'<userTask id="t" {STAFF}><multiInstanceLoopCharacteristics/></userTask>'

    assert "'multiInstanceLoopCharacteristics' is outside of the subset" in faults(
        diagram('<startEvent id="s"/>', each, ENDS, a="s>t", b="t>good")
    )


def test_choice_without_a_default_is_refused() -> None:
    assert "needs a default" in faults(BY_RULE.replace('id="ruled" default="unclear"', 'id="ruled"'))
    assert "needs a condition" in faults(re.sub('<conditionExpression>outcome == "no".*?</conditionExpression>', "", BY_RULE))


def test_automatic_no_leaves_a_way_to_a_person() -> None:
    assert "rejected with no person to ask" in faults(
        BY_RULE.replace('sourceRef="ruled" targetRef="appeal"', 'sourceRef="ruled" targetRef="final"')
    )


@pytest.mark.parametrize(
    ("text", "seconds"), [("P30D", 2_592_000), ("PT12H", 43_200), ("P1DT1M", 86_460), ("P", None), ("PT0M", None), ("1 day", None)]
)
def test_durations_are_read_strictly(text: str, seconds: int | None) -> None:
    assert duration_s(text) == seconds


# Replay


@pytest.mark.parametrize(
    ("text", "steps", "state", "waits"),
    [
        (REVIEWED, [], "submitted", ["rules"]),
        (REVIEWED, [("rules", "no")], "in_review", ["review"]),
        (REVIEWED, [("rules", "yes"), ("review", "supplement")], "supplement", ["supplement"]),
        (REVIEWED, [("rules", "yes"), ("review", "supplement"), ("supplement", "")], "submitted", ["rules"]),
        (REVIEWED, [("rules", "yes"), ("review", "supplement"), ("lapsed", "")], "withdrawn", []),
        (REVIEWED, [("rules", "yes"), ("review", "reject")], "rejected", []),
        (BY_RULE, [("rules", "yes")], "approved", []),
        (BY_RULE, [("rules", "no")], "rejected", ["appeal"]),
        (BY_RULE, [("rules", "no"), ("appeal", "")], "in_review", ["review"]),
        (BY_RULE, [("rules", "no"), ("unasked", "")], "rejected", []),
        (BY_RULE, [("rules", "unknown")], "in_review", ["review"]),
    ],
)
def test_case_stands_where_its_steps_led(text: str, steps: list[tuple[str, str]], state: str, waits: list[str]) -> None:
    position = run_flow.walk(text, [Step(*step) for step in steps])

    assert (position.state, [one.node.id for one in position.waiting]) == (state, waits)
    assert run_flow.walk(text, [Step(*step) for step in steps]) == position


@pytest.mark.parametrize("step", [("review", "approve"), ("lapsed", ""), ("nowhere", ""), ("applied", "")])
def test_step_that_nobody_waits_for_is_refused(step: tuple[str, str]) -> None:
    with pytest.raises(NotWaiting):
        run_flow.walk(REVIEWED, [Step(*step)])
    with pytest.raises(NotWaiting):
        run_flow.walk(REVIEWED, [Step("rules", "yes"), Step("review", "approve"), Step("review", "reject")])


def test_timers_are_ours_and_no_case_moves_by_being_looked_at() -> None:
    position = run_flow.walk(REVIEWED, [Step("rules", "yes"), Step("review", "supplement")])

    assert [(timer.id, timer.duration) for timer in position.waiting[0].timers] == [("lapsed", "P30D")]
    assert position.waiting[0].node.pauses
