"""The incremental log against the definition of RFC 6962, written down plainly."""

from __future__ import annotations

import hashlib

from hypothesis import given, settings
from hypothesis import strategies as st

from hartonomous.storage.merkle import (
    EMPTY_ROOT,
    Log,
    Tree,
    inclusion_proof,
    leaf_hash,
    root_of,
    verify_inclusion,
)


def root(leaves: list[bytes]) -> bytes:
    """MTH of RFC 6962, section 2.1, over leaf hashes."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    k = 1
    while 2 * k < len(leaves):
        k *= 2
    return hashlib.sha256(b"\x01" + root(leaves[:k]) + root(leaves[k:])).digest()


def leaves_of(n: int) -> list[bytes]:
    return [leaf_hash(str(i).encode()) for i in range(n)]


def test_roots_of_all_sizes() -> None:
    log = Log()
    assert log.root == EMPTY_ROOT == root([])
    for n, leaf in enumerate(leaves_of(70), 1):
        log = log.append(leaf)
        assert log.size == n and log.root == root(leaves_of(n)) == root_of(leaves_of(n))
        assert len(log.peaks) == n.bit_count()
        assert Log.from_list(log.to_list()) == log


@settings(max_examples=50)
@given(st.lists(st.integers(0, 40), max_size=6))
def test_appending_in_any_portions_is_the_same(portions: list[int]) -> None:
    leaves = leaves_of(sum(portions))
    log, start = Log(), 0
    for portion in portions:
        log = log.extend(leaves[start : start + portion])
        start += portion
    assert log == Log().extend(leaves)


@settings(max_examples=100)
@given(st.data())
def test_proofs_prove_and_nothing_else_does(data: st.DataObject) -> None:
    n = data.draw(st.integers(1, 70))
    index = data.draw(st.integers(0, n - 1))
    leaves = leaves_of(n)
    proof, whole = inclusion_proof(leaves, index), root(leaves)
    assert verify_inclusion(leaves[index], index, n, proof, whole)
    assert not verify_inclusion(leaf_hash(b"other"), index, n, proof, whole)
    assert not verify_inclusion(leaves[index], index, n, [*proof, whole], whole)
    assert not verify_inclusion(leaves[index], n, n, proof, whole)
    other = data.draw(st.integers(0, n - 1))
    if other != index:
        assert not verify_inclusion(leaves[index], other, n, proof, whole)
    if proof:
        assert not verify_inclusion(leaves[index], index, n, proof[:-1], whole)
        place = data.draw(st.integers(0, len(proof) - 1))
        altered = [*proof[:place], leaf_hash(proof[place]), *proof[place + 1 :]]
        assert not verify_inclusion(leaves[index], index, n, altered, whole)


@settings(max_examples=50)
@given(st.integers(1, 40), st.lists(st.integers(0, 39), max_size=8))
def test_a_tree_with_replaced_leaves(n: int, places: list[int]) -> None:
    leaves = leaves_of(n)
    tree = Tree(leaves)
    assert tree.root == root(leaves)
    for number, place in enumerate(places):
        leaves[place % n] = leaf_hash(b"new %d" % number)
        tree.replace(place % n, leaves[place % n])
        assert tree.root == root(leaves)
    assert Tree().root == EMPTY_ROOT and len(tree) == n
