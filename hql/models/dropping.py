"""DROP MODEL."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hartonomous.hql.changes.targets import place
from hartonomous.hql.errors import BindFault
from hartonomous.hql.models.model import find_entry, spaces_served
from hartonomous.hql.models.options import named
from hartonomous.hql.result import Result
from hartonomous.hql.security.checking import allow
from hartonomous.storage.errors import ConstraintFault

if TYPE_CHECKING:
    from hartonomous.hql.context import Context
    from hartonomous.hql.statements.drop_model import DropModel


def run_drop_model(statement: DropModel, context: Context) -> Result:
    """The entry goes; what it was made of goes when no snapshot has the model any more. A damaged
    model can be dropped. A model that a space needs cannot."""
    try:
        entry = find_entry(context.catalog, named(statement.name, context))
    except BindFault as fault:
        if statement.if_exists:
            return Result()
        raise place(fault, statement.name) from None
    allow(context.rights, context.catalog, entry, ("ALTER",), statement.name)
    served = spaces_served(context.catalog, entry.name)
    if served:
        needed = ConstraintFault(
            f'the model "{entry.name}" encodes for the space "{served[0]}"',
            hint=f"DROP SPACE {served[0]} first",
        )
        raise place(needed, statement.name)
    context.transaction.drop(entry)
    return Result()
