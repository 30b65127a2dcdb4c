"""Replay a case's steps through its diagram with SpiffWorkflow: nothing of the engine is ever stored, so nothing of it is read again."""

import functools
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar

from lxml import etree
from SpiffWorkflow.bpmn import BpmnWorkflow
from SpiffWorkflow.bpmn.parser import BpmnParser
from SpiffWorkflow.bpmn.parser.TaskParser import TaskParser
from SpiffWorkflow.bpmn.parser.util import full_tag
from SpiffWorkflow.bpmn.specs.defaults import ManualTask
from SpiffWorkflow.util.task import TaskState

from services.flow import environment
from services.flow.errors import FlowRefused, NotWaiting
from services.flow.model import RULES, Diagram, Position, Step, Waiting
from services.flow.read_flow import read_flow

STEPS_MAX = 200  # Supplements asked and given; a case beyond it is for people, not for machines.
_LONG_AGO = datetime(1970, 1, 2, tzinfo=UTC).isoformat()


class _Parser(BpmnParser):  # type: ignore[misc]  # SpiffWorkflow is untyped
    """Rules are a task that somebody else does: the engine waits for their outcome as it waits for a person's."""

    OVERRIDE_PARSER_CLASSES: ClassVar = {full_tag("businessRuleTask"): (TaskParser, ManualTask)}


@functools.lru_cache(maxsize=256)
def _specs(text: str) -> tuple[Diagram, Any]:
    diagram, faults = read_flow(text)
    if faults:
        raise FlowRefused("; ".join(message for _, message in faults[:3]))
    parser = _Parser()
    parser.add_bpmn_xml(etree.fromstring(text.encode()), filename="flow.bpmn")
    return diagram, parser.get_spec(parser.get_process_ids()[0])


def walk(text: str, steps: Sequence[Step]) -> Position:
    """Where a case stands after these steps. Raises NotWaiting for a step that nobody waited for, FlowRefused for no flow of ours."""
    if len(steps) > STEPS_MAX:
        raise NotWaiting(f"a case has at most {STEPS_MAX} steps")
    return _walked(text, tuple(steps))


@functools.lru_cache(maxsize=4096)
def _walked(text: str, steps: tuple[Step, ...]) -> Position:
    """Most cases of a matter take the same few ways: each is walked once."""
    diagram, spec = _specs(text)
    workflow = BpmnWorkflow(spec, script_engine=environment.engine())
    workflow.do_engine_steps()
    for step in steps:
        _take(workflow, diagram, step)
    return _position(workflow, diagram)


def _take(workflow: Any, diagram: Diagram, step: Step) -> None:
    node = diagram.nodes.get(step.task)
    timer = node is not None and node.kind in ("timer", "boundary")
    state = TaskState.WAITING if timer else TaskState.READY
    task = next((task for task in workflow.get_tasks(state=state) if task.task_spec.name == step.task), None)
    if node is None or task is None:
        raise NotWaiting(f"the case does not wait for {step.task!r}")
    if timer:
        task._set_internal_data(event_value=_LONG_AGO)  # Its time is kept by us, in city time; the engine is only told that it came.
        workflow.refresh_timers()
    else:
        task.data["outcome" if node.kind == RULES else "decision"] = step.word
        task.run()
    workflow.do_engine_steps()


def _position(workflow: Any, diagram: Diagram) -> Position:
    ready = [
        diagram.nodes[task.task_spec.name] for task in workflow.get_tasks(state=TaskState.READY) if task.task_spec.name in diagram.nodes
    ]
    timing = {task.task_spec.name for task in workflow.get_tasks(state=TaskState.WAITING)}
    waiting = [Waiting(node, tuple(one for one in diagram.watching(node.id) if one.id in timing)) for node in ready]
    waiting += [Waiting(node, (node,)) for name in sorted(timing) if (node := diagram.nodes.get(name)) and node.kind == "timer"]
    ended = [task for task in workflow.get_tasks(state=TaskState.COMPLETED) if _is_end(task, diagram)] if workflow.is_completed() else []
    return Position(tuple(waiting), diagram.nodes[ended[-1].task_spec.name] if ended else None)


def _is_end(task: Any, diagram: Diagram) -> bool:
    node = diagram.nodes.get(task.task_spec.name)
    return node is not None and node.kind == "end"
