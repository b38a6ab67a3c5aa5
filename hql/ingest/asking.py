"""What an INGEST asks for: which sources, and by which modality each is read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from hartonomous.hql import ast
from hartonomous.hql.changes.targets import place, split_name
from hartonomous.hql.errors import BindFault, FileFault, NotSupported, ParameterFault
from hartonomous.hql.ingest.reading import Choice
from hartonomous.hql.ingest.sources import Request, file_requests, row_requests
from hartonomous.hql.ingest.walk import find_files
from hartonomous.hql.modalities import LATER, MODALITIES
from hartonomous.hql.modalities.base import Modality
from hartonomous.hql.result import Result
from hartonomous.hql.security.files import followed
from hartonomous.hql.system_schema import find_stored
from hartonomous.storage.errors import ReadOnly

if TYPE_CHECKING:
    from hartonomous.hql.context import Context
    from hartonomous.hql.spaces.space import Space
    from hartonomous.hql.statements.ingest import Ingest


def check(statement: Ingest, context: Context) -> None:
    """Raises what is wrong with the statement before anything is read."""
    if statement.kind in LATER:
        raise place(NotSupported(f"not supported yet: INGEST … AS {statement.kind}"), statement)
    if statement.kind is not None and statement.kind not in MODALITIES:
        known = ", ".join([*MODALITIES, *LATER])
        raise place(
            BindFault(f"INGEST knows no modality {statement.kind}", hint=f"AS {known}"), statement
        )
    if statement.into is not None:
        stored = find_stored(*split_name(statement.into))
        if stored is None or stored.name != "Atoms":
            raise place(BindFault("INGEST fills Atoms, and no other table"), statement.into)
    if context.session.read_only:
        raise place(ReadOnly("the database was opened read-only"), statement)


def space_of(statement: Ingest, context: Context) -> Space | None:
    """The space that IN SPACE names; None for the default one."""
    if statement.space is None:
        return None
    from hartonomous.hql.atoms.derived import check_space
    from hartonomous.hql.spaces import find_space

    try:
        space = find_space(context.catalog, statement.space.text)
        check_space(space)
    except BindFault as fault:
        raise place(fault, statement.space) from None
    return space


def requests_of(
    statement: Ingest, context: Context
) -> tuple[Iterator[Request], int | None, Result | None]:
    """What is to be read, how many there are if that is known, and what is to be closed."""
    if statement.query is not None:
        rows = context.query(_texts(statement.query, context))
        return row_requests(rows, _name(statement.query)), None, rows
    assert statement.path is not None
    try:
        paths = find_files(_path(statement.path, context))
    except FileFault as fault:
        raise place(fault, statement.path) from None
    access = context.session.files
    if access is not None:  # of a folder, what links lead out of it is left out
        real = [followed(p) for p in paths]
        within = [r is not None and access.holds(r) for r in real]
        paths = [p for p, is_within in zip(paths, within, strict=True) if is_within]
    return file_requests(paths, access), len(paths), None


def _path(node: ast.Expression, context: Context) -> str:
    from hartonomous.hql.copying.copying import path_of

    path = path_of(node, context)
    if not path or "\0" in path:
        raise place(ParameterFault("the path says nothing"), node)
    return path


def _texts(query: ast.Query, context: Context) -> ast.Query:
    """The query's key and text, both as text. BIND if it has other columns."""
    from hartonomous.hql.syntax import trees
    from hartonomous.hql.types import NVARCHAR

    fields = context.bind(query).plan.fields
    if len(fields) != 2:
        message = f"INGEST takes a key and a text, and the query has {len(fields)} columns"
        raise place(BindFault(message, hint="INGEST (SELECT id, body FROM t)"), query)
    names = ast.Identifier("key"), ast.Identifier("text")
    items = [trees.item(trees.cast(ast.ColumnName((n,)), NVARCHAR), n.text) for n in names]
    return trees.select(items, ast.Derived(query, ast.Identifier("given"), names))


def _name(query: ast.Query) -> str:
    """What the URIs of a query's rows begin with: its first table's name."""
    from hartonomous.hql.syntax.trees import walk

    for node in walk(query):
        if isinstance(node, ast.TableName):
            return node.name.last
        if isinstance(node, ast.VariableTable):
            return f"@{node.name}"
    return "query"


def chooser(statement: Ingest) -> Choice:
    """By the ending of a file's name, among the modalities of AS, or of all. Without a known
    ending it is plain text; with AS CODE, which text is not, it is left out."""
    kinds = [statement.kind] if statement.kind is not None else list(MODALITIES)
    modalities = [m for kind in kinds for m in MODALITIES[kind]]
    by_ending: dict[str, Modality] = {}
    for modality in modalities:
        for ending in modality.extensions:
            by_ending.setdefault(ending, modality)
    otherwise = MODALITIES["TEXT"][0] if "TEXT" in kinds else None
    if statement.query is not None:
        return lambda request: modalities[0]

    def choose(request: Request) -> Modality | None:
        assert request.path is not None
        return by_ending.get(request.path.suffix.lower(), otherwise)

    return choose
