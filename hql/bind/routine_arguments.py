"""Which argument of a call a routine's parameter gets: of EXEC and of functions alike."""

from __future__ import annotations

from collections.abc import Sequence

from hartonomous.hql import ast
from hartonomous.hql.bind.context import fault, nearest
from hartonomous.hql.scripts.routines import Routine
from hartonomous.storage.catalog import fold


def place_arguments(
    routine: Routine, names: Sequence[str | None], spans: Sequence[ast.Span]
) -> dict[str, int]:
    """Folded parameter → which argument it gets; `names` are those that the arguments came with.
    ARGUMENTS for too many, unknown names, and what is given twice."""
    places: dict[str, int] = {}
    for number, (name, span) in enumerate(zip(names, spans, strict=True)):
        if name is None:
            if number >= len(routine.parameters):
                raise wrong_count(routine, len(names), span)
            if any(n is not None for n in names[:number]):
                message = f"{routine.title}: an argument without a name follows one with a name"
                raise fault(span, message, "ARGUMENTS", "name all that follow, too")
            key = fold(routine.parameters[number].name)
        else:
            key = fold(name)
            if routine.find_parameter(name) is None:
                known = [f"@{p.name}" for p in routine.parameters]
                hint = nearest(f"@{name}", known) or "there are: " + (", ".join(known) or "none")
                message = f"{routine.title} has no parameter @{name}"
                raise fault(span, message, "ARGUMENTS", hint)
            if key in places:
                raise fault(span, f"{routine.title}: @{name} is given twice", "ARGUMENTS")
        places[key] = number
    return places


def wrong_count(routine: Routine, given: int, span: ast.Span) -> Exception:
    """ARGUMENTS for a call with too many or too few."""
    shown = ", ".join(
        f"[@{p.name} {p.type}]" if p.default is not None else f"@{p.name} {p.type}"
        for p in routine.parameters
    )
    plural = "" if given == 1 else "s"
    message = f"{routine.title} takes ({shown}), not {given} argument{plural}"
    return fault(span, message, "ARGUMENTS")
