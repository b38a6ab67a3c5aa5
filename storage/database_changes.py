"""Changes of what belongs to no branch: branches themselves, tags, settings, accounts. Each is a
record of its own in the log, without a commit; none of them takes a sequence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Final, Protocol

from hartonomous.storage.branches import (
    MAIN,
    MAIN_NAME,
    Origin,
    Tag,
    find_line,
    get_line,
    owner_of,
)
from hartonomous.storage.catalog import fold
from hartonomous.storage.commit_log import BEFORE_ALL, CommitPlace
from hartonomous.storage.decoding import decoding
from hartonomous.storage.errors import (
    AlreadyExists,
    ConstraintFault,
    Corruption,
    FormatFault,
    NotFound,
)
from hartonomous.storage.forking import fork_line
from hartonomous.storage.frozen import frozen
from hartonomous.storage.repository import Repository
from hartonomous.storage.state import Snapshot


class Change(Protocol):
    """A change that was checked."""

    kind: ClassVar[str]

    def to_map(self) -> dict[str, Any]:
        """What the log holds of it, without its kind."""

    def apply(self, repository: Repository) -> None:
        """Let it be so."""


@frozen
class MakeBranch:
    """A branch after commit `fork`, made of the rows of branch `source`."""

    kind: ClassVar[str] = "make branch"
    id: int
    name: str
    parent: int
    fork: int
    source: int

    def to_map(self) -> dict[str, Any]:
        names = ("id", "name", "parent", "fork", "source")
        return {name: getattr(self, name) for name in names}

    def apply(self, repository: Repository) -> None:
        origin = Origin(self.id, self.name, self.parent, self.fork)
        source = repository.lines.get(self.source)
        if source is None:
            raise Corruption(f"the log makes a branch of branch {self.source}, which is not there")
        line = fork_line(repository, origin, source)
        repository.lines = {**repository.lines, self.id: line}
        repository.origins = {**repository.origins, self.id: origin}


@frozen
class DropBranch:
    kind: ClassVar[str] = "drop branch"
    id: int

    def to_map(self) -> dict[str, Any]:
        return {"id": self.id}

    def apply(self, repository: Repository) -> None:
        if self.id not in repository.lines:
            raise Corruption(f"the log drops branch {self.id}, which is not there")
        repository.leaving.append(repository.lines[self.id])
        repository.lines = {i: line for i, line in repository.lines.items() if i != self.id}


@frozen
class MakeTag:
    kind: ClassVar[str] = "make tag"
    name: str
    sequence: int
    commit: bytes

    def to_map(self) -> dict[str, Any]:
        return {"name": self.name, "sequence": self.sequence, "commit": self.commit}

    def apply(self, repository: Repository) -> None:
        tag = Tag(self.name, self.sequence, self.commit)
        repository.tags = {**repository.tags, fold(self.name): tag}


@frozen
class DropTag:
    kind: ClassVar[str] = "drop tag"
    name: str

    def to_map(self) -> dict[str, Any]:
        return {"name": self.name}

    def apply(self, repository: Repository) -> None:
        gone = fold(self.name)
        repository.tags = {k: v for k, v in repository.tags.items() if k != gone}


@frozen
class SetSetting:
    kind: ClassVar[str] = "setting"
    name: str
    value: str

    def to_map(self) -> dict[str, Any]:
        return {"name": self.name, "value": self.value}

    def apply(self, repository: Repository) -> None:
        repository.settings = {**repository.settings, self.name: self.value}


@frozen
class SetSecurity:
    """Texts of accounts and what they may, by name; None takes one away. All or none."""

    kind: ClassVar[str] = "security"
    values: Mapping[str, str | None]

    def to_map(self) -> dict[str, Any]:
        return {"values": dict(self.values)}

    def apply(self, repository: Repository) -> None:
        merged = {**repository.security, **self.values}
        repository.security = {name: v for name, v in merged.items() if v is not None}


KINDS: Final[dict[str, type[Change]]] = {
    kind.kind: kind for kind in (MakeBranch, DropBranch, MakeTag, DropTag, SetSetting, SetSecurity)
}


def change_to_map(change: Change) -> dict[str, Any]:
    """Plain values for msgpack."""
    return {"kind": change.kind, **change.to_map()}


def change_from_map(data: Mapping[str, Any]) -> Change:
    """The inverse of change_to_map."""
    fields = {k: v for k, v in data.items() if k != "kind"}
    kind = KINDS.get(data["kind"])
    if kind is None:
        raise FormatFault(f'the log holds a change "{data["kind"]}", which this version knows not')
    with decoding("a change in the log"):
        return kind(**fields)


def branch_from(repository: Repository, name: str, at: Snapshot | None, source: str) -> MakeBranch:
    """A new branch after the commit that `at` shows, or the newest that others see of `source`.
    Raises AlreadyExists, NotFound, HistoryGone."""
    lines = repository.lines.values()
    if find_line(lines, name) is not None:
        raise AlreadyExists(f'branch "{name}" already exists')
    if at is None:
        line = get_line(lines, source)
        fork = line.published.sequence
    else:
        place = repository.commits().find(at.sequence) or BEFORE_ALL
        repository.check_kept(place)
        line, fork = repository.line_holding(place), at.sequence
    parent = owner_of(repository.origins, line.id, fork)
    return MakeBranch(max(repository.origins) + 1, name, parent, fork, line.id)


def branch_to_drop(repository: Repository, name: str) -> DropBranch:
    """Raises NotFound, ConstraintFault for main."""
    line = get_line(repository.lines.values(), name)
    if line.id == MAIN:
        raise ConstraintFault(f'branch "{MAIN_NAME}" is the first one and stays')
    return DropBranch(line.id)


def tag_for(repository: Repository, name: str, place: CommitPlace) -> MakeTag:
    """Raises AlreadyExists."""
    if fold(name) in repository.tags:
        raise AlreadyExists(f'tag "{name}" already exists')
    return MakeTag(name, place.sequence, place.hash)


def tag_to_drop(repository: Repository, name: str) -> DropTag:
    """Raises NotFound."""
    if fold(name) not in repository.tags:
        raise NotFound(f'tag "{name}" does not exist', hint="SHOW TAGS lists them")
    return DropTag(name)
