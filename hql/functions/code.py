"""Functions of code: where a definition that is given as text would lie among CodeAtoms."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from hartonomous.hql.errors import BindFault, ExecutionFault
from hartonomous.hql.functions.base import Function
from hartonomous.hql.functions.resolve import P, exactly, resolver, scalar
from hartonomous.hql.types import GEOMETRY, NVARCHAR, Type

if TYPE_CHECKING:
    import pyarrow as pa

#: languages that are read, as CodeAtoms.Language has them
LANGUAGES: Final = ("python",)
_PARAMETERS: Final = (P("code", exactly(NVARCHAR)), P("language", exactly(NVARCHAR), optional=True))
_arguments = resolver("fn_AstSignature", _PARAMETERS, GEOMETRY)


def _resolve(types: Sequence[Type], constants: Sequence[Any]) -> tuple[Type, tuple[Type, ...]]:
    resolved = _arguments(types, constants)
    if len(types) == 2 and constants[1] not in LANGUAGES:
        raise BindFault(
            "fn_AstSignature: the language is the constant name of one",
            code="ARGUMENTS",
            hint="there are: " + ", ".join(LANGUAGES),
        )
    return resolved


def ast_signature(codes: Any, language: Any = None) -> pa.Array:
    """The kernel of fn_AstSignature: an array of texts or one text. BAD_VALUE for a text that is
    not one definition."""
    import pyarrow as pa

    from hartonomous.hql.functions.geometry_kernels import as_array, valid_rows, with_nulls
    from hartonomous.hql.modalities.python_signature import signatures

    codes = as_array(codes)
    if codes.null_count == len(codes):
        return pa.nulls(len(codes), GEOMETRY.arrow)
    distinct = codes.drop_null().dictionary_encode()
    points = signatures([_definition(code) for code in distinct.dictionary.to_pylist()])
    return with_nulls(points.take(distinct.indices), valid_rows(codes))


def _definition(code: str) -> Any:
    """The one definition that a text is; indentation around it does not matter."""
    import ast

    from hartonomous.hql.modalities.base import Unreadable
    from hartonomous.hql.modalities.python_parts import SOURCE_BYTES_MAX, parse
    from hartonomous.hql.modalities.python_tree import DEFINITIONS, find_definitions

    if len(code) > SOURCE_BYTES_MAX:
        raise _fault(f"{len(code):,} characters; at most {SOURCE_BYTES_MAX:,} of code are read")
    code = code.lstrip("\r\n")
    is_indented = code[:1] in (" ", "\t")
    try:
        # indented lines are a block; to cut them would change texts that go over several lines
        body = parse(f"if 1:\n{code}" if is_indented else code).body
    except Unreadable as fault:
        raise _fault(fault.message) from None
    if is_indented and len(body) == 1 and isinstance(body[0], ast.If):
        body = body[0].body
    if len(body) != 1 or not isinstance(body[0], DEFINITIONS):
        raise _fault("not one definition")
    return find_definitions(ast.Module(body, []))[0]


def _fault(message: str) -> ExecutionFault:
    return ExecutionFault(
        f"fn_AstSignature: {message}",
        code="BAD_VALUE",
        hint="give the text of one function or class",
    )


_SIGNATURE = scalar(
    "fn_AstSignature",
    _PARAMETERS,
    GEOMETRY,
    None,
    "The SpatialSignature of a function or class that is given as text (in 'python'): where it "
    "lies among CodeAtoms. Equal points are equal trees but for the names of locals, layout, "
    "comments and docstrings; within 2 there are alike ones.",
    "fn_AstSignature('def f(x): return x + 1')",
    resolve=_resolve,
    kernel=ast_signature,
    batch_rows=256,
)

CODE: tuple[Function, ...] = (_SIGNATURE,)
