"""The commits of a database as a table, and what two of them have in common."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from hartonomous.storage.branches import Origin, get_line, limits_of
from hartonomous.storage.commit import HASH_BYTES, NO_COMMIT
from hartonomous.storage.commit_log import CommitPlace
from hartonomous.storage.commit_pack import CommitPack, to_batch

if TYPE_CHECKING:
    from hartonomous.storage.past import Past

COLUMNS = ["sequence", "hash", "parents", "at", "author", "statement", "root", "branch"]
NAMES = ["Sequence", "Hash", "Parent", "At", "Author", "Statement", "Root", "Branch"]


def commits_table(past: Past, branch: str | None) -> pa.Table:
    """Newest first; Parent, the first one, is NULL for the first commit."""
    import pyarrow.compute as pc  # 60 ms that opening a database need not pay

    with past.guard:
        repository = past.repository
        manifest, recent = repository.manifest, list(repository.recent)
        hashes = list(repository.recent_hashes)
        names = {i: origin.name for i, origin in repository.origins.items()}
        ends = {i: line.published.sequence for i, line in repository.lines.items()}
        limits: Mapping[int, int] | None = None
        if branch is not None:
            line = get_line(repository.lines.values(), branch)
            limits = repository.limits(line.id, line.published.sequence)
        objects = repository.objects
    parts = []
    if manifest is not None and objects is not None:
        parts = [CommitPack(objects, m).table(COLUMNS) for m in manifest.commit_packs]
    durable = [i for i, c in enumerate(recent) if c.sequence <= ends.get(c.branch, c.sequence)]
    batch = to_batch([recent[i] for i in durable], [hashes[i] for i in durable])
    parts.append(pa.Table.from_batches([batch]).select(COLUMNS))
    whole = pa.concat_tables([p.replace_schema_metadata(None) for p in parts])
    branches = whole["branch"].to_numpy()
    if limits is not None:
        sequences = whole["sequence"].to_numpy()
        kept = np.zeros(len(whole), np.bool_)
        for number, limit in limits.items():
            kept |= (branches == number) & (sequences <= limit)
        whole, branches = whole.filter(pa.array(kept)), branches[kept]
    first = pc.binary_slice(whole["parents"], 0, HASH_BYTES)
    is_none = pc.or_(pc.equal(pc.binary_length(first), 0), pc.equal(first, NO_COMMIT))
    parent = pc.if_else(is_none, None, first)
    whole = whole.set_column(2, "parents", parent.cast(pa.binary(HASH_BYTES)))
    numbers = sorted(names)
    texts = pa.array([names[n] for n in numbers], pa.string())
    places = pa.array(np.searchsorted(numbers, branches))
    whole = whole.set_column(7, "branch", texts.take(places)).rename_columns(NAMES)
    return whole.take(pa.array(np.arange(len(whole) - 1, -1, -1)))


def common_ancestor(past: Past, a: CommitPlace, b: CommitPlace) -> int:
    """See Past.common_ancestor. A branch is a line, so what a commit descends from is, for each
    branch, all commits up to one."""
    with past.guard:
        origins, commits = past.repository.origins, past.repository.commits()
    pairs = [(place, parent) for place, parents in commits.merges() for parent in parents[1:]]
    named = commits.named({parent for _, parent in pairs})
    merges = [(place, named[parent]) for place, parent in pairs if parent in named]
    mine, theirs = (_ancestors(origins, merges, place) for place in (a, b))
    return max((min(mine[i], theirs[i]) for i in mine.keys() & theirs.keys()), default=0)


def _ancestors(
    origins: Mapping[int, Origin], merges: list[tuple[CommitPlace, CommitPlace]], at: CommitPlace
) -> dict[int, int]:
    """The commit and its ancestors as branch id -> the last of them on that branch."""
    out: dict[int, int] = {}
    waiting = [at]
    while waiting:
        place = waiting.pop()
        for branch, limit in limits_of(origins, place.branch_id, place.sequence).items():
            if limit > out.get(branch, -1):
                since, out[branch] = out.get(branch, -1), limit
                waiting += [
                    merged
                    for merge, merged in merges
                    if merge.branch_id == branch and since < merge.sequence <= limit
                ]
    return out
