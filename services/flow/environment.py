"""What a diagram may say: CEL over two words. This stands in the place of Python, which could import, read and call."""

import functools
from collections.abc import Mapping
from typing import Any

from cel_expr_python import cel
from SpiffWorkflow.bpmn.script_engine import PythonScriptEngine
from SpiffWorkflow.bpmn.script_engine.python_environment import BasePythonScriptEngineEnvironment

from services.flow.errors import Forbidden

WORDS = ("outcome", "decision")  # How the rules came out; what somebody decided. Nothing of a person is ever in a flow.
LENGTH_MAX = 200
_ENV = cel.NewEnv(variables=dict.fromkeys(WORDS, cel.Type.STRING))


class OnlyWords(BasePythonScriptEngineEnvironment):  # type: ignore[misc]  # SpiffWorkflow is untyped
    """Replaces the environment and not only the engine: messages and completion conditions ask it directly."""

    def evaluate(self, expression: Any, context: Mapping[str, Any], external_context: Any = None) -> Any:
        data = {word: str(context.get(word, "")) for word in WORDS}
        return evaluated(str(expression), data)

    def execute(self, script: Any, context: Any, external_context: Any = None) -> Any:
        raise Forbidden("a diagram runs no script")

    def call_service(self, context: Any, **_: Any) -> Any:
        raise Forbidden("a diagram calls no service")


def engine() -> PythonScriptEngine:
    return PythonScriptEngine(environment=OnlyWords())


def evaluated(expression: str, data: Mapping[str, str]) -> bool | str:
    """Raises Forbidden for everything that does not come out as a word, or as true or false."""
    found = compiled(expression).eval(data=dict(data))
    if found.type() not in (cel.Type.BOOL, cel.Type.STRING):
        raise Forbidden(f"{expression[:LENGTH_MAX]!r} has no answer")
    answer: bool | str = found.plain_value()
    return answer


@functools.lru_cache(maxsize=4096)
def compiled(expression: str) -> Any:  # a cel.Expression
    """Raises Forbidden with CEL's own sentence."""
    if len(expression) > LENGTH_MAX:
        raise Forbidden(f"a condition has at most {LENGTH_MAX} characters")
    try:
        found = _ENV.compile(expression)
    except RuntimeError as error:
        raise Forbidden(str(error).replace("INVALID_ARGUMENT: ERROR: <input>:", "").splitlines()[0]) from None
    if found.return_type() not in (cel.Type.BOOL, cel.Type.STRING):
        raise Forbidden("a condition comes out true or false")
    return found
