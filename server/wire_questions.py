"""What a client may ask of its session beside statements (frame `ask`): one function each.

A function gets the session, its frames by number, and the frame that asks; it runs on an engine
thread and gives what msgpack can pack.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from hartonomous.hql.errors import TransactionFault
from hartonomous.server.wire import Frame, take
from hartonomous.server.wire_names import names
from hartonomous.server.wire_values import encode

if TYPE_CHECKING:
    from hartonomous.hql.scripts.frame import Frame as ScriptFrame
    from hartonomous.hql.session import Session

Frames = Mapping[int, "ScriptFrame"]
Question = Callable[["Session", Frames, Frame], Any]


def procedure(session: Session, frames: Frames, asked: Frame) -> list[list[Any]] | None:
    """The parameters of a procedure, [name, type, is OUTPUT] each; None if there is none."""
    found = session.find_procedure(take(asked, "name", str))
    return None if found is None else [[p.name, p.type, p.is_output] for p in found]


def values(session: Session, frames: Frames, asked: Frame) -> dict[str, Any]:
    """The values of a frame's variables, by folded name."""
    number = take(asked, "frame", int)
    frame = frames.get(number)
    if frame is None:
        raise TransactionFault(f"there is no frame {number}")
    parameters = frame.parameters
    names = [name for name in take(asked, "names", list) if name in parameters.variables]
    return {name: encode(name, parameters.raw[name]) for name in names}


def reset(session: Session, frames: Frames, asked: Frame) -> bool:
    """Whether the session is as a new one, after its open results were closed."""
    return not frames and session.reset()


QUESTIONS: dict[str, Question] = {
    "names": names,
    "procedure": procedure,
    "reset": reset,
    "values": values,
}
