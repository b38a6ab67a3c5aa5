"""Chat templates: messages to the prompt that a model was trained on.

A template is a Jinja text from a file nobody vouches for. It runs in jinja2's immutable sandbox,
narrowed until it can reach nothing but its variables, and metered (chat_meter.py): work, time,
the size of every value and of the output are bounded. Variables and filters are those that Hugging
Face's apply_chat_template gives.
"""

from __future__ import annotations

import datetime
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from threading import Lock
from typing import TYPE_CHECKING, Any, Final

from hartonomous.hql.models.tokenizers.base import model_input
from hartonomous.storage.errors import Error

if TYPE_CHECKING:
    from jinja2 import Template

    from hartonomous.hql.models.chat_sandbox import Sandbox

#: characters of a template, of what it writes, seconds it may take, compiled ones that are kept
TEMPLATE_MAX: Final = 1 << 17
OUTPUT_MAX: Final = 1 << 24
SECONDS_MAX: Final = 5.0
KEPT_MAX: Final = 16
#: how deep lists and maps of messages go
DEPTH_MAX: Final = 32
#: characters of what a template or the library says when it fails
MESSAGE_MAX: Final = 300

_sandbox: Sandbox | None = None
_templates: OrderedDict[str, Template] = OrderedDict()
_lock = Lock()


def render(
    template: str,
    variables: Mapping[str, Any],
    *,
    now: datetime.datetime | None = None,
    seconds: float = SECONDS_MAX,
) -> str:
    """The prompt. `variables` are plain values: messages, add_generation_prompt, bos_token …;
    `now` is what strftime_now shows, the clock's by default. ExecutionFault MODEL_INPUT if the
    template is wrong, refuses the messages, or exceeds a bound."""
    from hartonomous.hql.models.chat_meter import metered
    from hartonomous.hql.models.chat_sandbox import output

    if len(template) > TEMPLATE_MAX:
        raise model_input(f"the model's chat template has more than {TEMPLATE_MAX:,} characters")
    given = {"tools": None, "documents": None}
    given |= {name: plain(value) for name, value in variables.items()}

    def strftime_now(form: str) -> str:
        if len(form) > 100 or any(c.isdigit() for c in form):
            raise model_input("the model's chat template asks for the time in an odd form")
        return (now or datetime.datetime.now()).strftime(form)

    try:
        with metered(seconds, given):
            found = _compiled(template)
            return output(found, {**given, "strftime_now": strftime_now}, OUTPUT_MAX)
    except Error:
        raise
    except MemoryError as error:
        raise model_input("the model's chat template needs too much memory") from error
    except Exception as error:  # whatever a template can raise: Jinja's errors and Python's own
        said = str(error)[:MESSAGE_MAX] or type(error).__name__
        raise model_input(f"the model's chat template failed: {said}") from error


def _compiled(template: str) -> Template:
    global _sandbox
    from hartonomous.hql.models.chat_sandbox import Sandbox

    with _lock:
        if template in _templates:
            _templates.move_to_end(template)
            return _templates[template]
        if _sandbox is None:
            _sandbox = Sandbox()
    found = _sandbox.from_string(template)
    with _lock:
        _templates[template] = found
        while len(_templates) > KEPT_MAX:
            _templates.popitem(last=False)
    return found


def plain(value: Any, depth: int = DEPTH_MAX) -> Any:
    """A copy made of maps, lists, texts and numbers, so that a template meets nothing else."""
    if value is None or isinstance(value, (str, bool, int, float)):
        return value
    if depth == 0:
        raise model_input(f"messages are nested more than {DEPTH_MAX} deep")
    if isinstance(value, Mapping):
        return {str(key): plain(item, depth - 1) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, (bytes, bytearray)):
        return [plain(item, depth - 1) for item in value]
    raise model_input(f"messages hold texts, numbers, lists and maps, not {type(value).__name__}")
