"""The compiled side of team.py: how threads share the chunks of a job. Importing it imports numba.

The board is int64[BOARD] that all threads see; words that are written often have a cache line each:

    CLAIM   chunks of the job << 20 | the next that nobody has taken
    DONE    chunks finished
    REST    not 0: a thread without work goes to sleep at once
    JOB     the job, written before CLAIM, read by whoever holds a chunk of it:
            parts, count, batch, x, x16, scales, out, length, rows

A thread takes a chunk by adding 1 to CLAIM, which tells it at the same moment how many there are;
so a thread that is late takes a chunk of whatever job is there now, or none. A job is over when
DONE has reached the number of chunks, and only then may another be written: whoever holds a chunk
finds the job unchanged. The thread that gives a job works too, and waits only for chunks that
others have begun: a job needs nobody else to be awake.

A part is int64[PART] (KERNEL … IS_INT16): rows of one matrix, cut into chunks of CHUNK_ROWS.
"""

from __future__ import annotations

from typing import Final

import numba
import numpy as np
from numba.core import types as nt

from hartonomous.kernels.atomics_compiled import add, call, load, store
from hartonomous.kernels.options import OPTIONS

CLAIM: Final = 0
DONE: Final = 8
REST: Final = 16
JOB: Final = 24
BOARD: Final = 40

#: the columns of a part
KERNEL, DATA, ROWS, CHUNK_ROWS, FIRST_CHUNK, FIRST_ROW, IS_INT16 = range(7)
PART: Final = 7

#: bits of CLAIM for a chunk's number; a job has at most half as many
_BITS: Final = 20
CHUNKS_MAX: Final = 1 << (_BITS - 1)
#: looks at the board between two offers of the processor to others
_LOOKS: Final = 64
#: such offers before a thread without work goes to sleep: about half a millisecond
_OFFERS: Final = 1000

_yield = nt.ExternalFunction("sched_yield", nt.int32())


@numba.njit(**OPTIONS)
def _run_chunk(board, chunk):  # type: ignore[no-untyped-def]
    job = board + 8 * JOB
    part, count, batch = load(job), load(job + 8), load(job + 16)
    x, x16, scales = load(job + 24), load(job + 32), load(job + 40)
    out, length, rows = load(job + 48), load(job + 56), load(job + 64)
    for _ in range(count - 1):
        following = part + 8 * PART
        if load(following + 8 * FIRST_CHUNK) > chunk:
            break
        part = following
    step = load(part + 8 * CHUNK_ROWS)
    first = (chunk - load(part + 8 * FIRST_CHUNK)) * step
    last = min(load(part + 8 * ROWS), first + step)
    kernel, data = load(part + 8 * KERNEL), load(part + 8 * DATA)
    place = out + 4 * load(part + 8 * FIRST_ROW)
    factors, width = x, 4
    if load(part + 8 * IS_INT16):
        factors, width = x16, 2
    for b in range(batch):
        given, scale = factors + width * length * b, scales + 8 * (length // 32) * b
        call(kernel, data, given, scale, place + 4 * rows * b, length, first, last)


@numba.njit(**OPTIONS)
def _work(board):  # type: ignore[no-untyped-def]
    """Takes chunks until there are none."""
    claim, mask = board + 8 * CLAIM, (1 << _BITS) - 1
    while True:
        word = load(claim)
        if word & mask >= word >> _BITS:
            return
        word = add(claim, 1)
        if word & mask >= word >> _BITS:
            return
        _run_chunk(board, word & mask)
        add(board + 8 * DONE, 1)


@numba.njit("void(int64)", **OPTIONS)
def serve(board):  # type: ignore[no-untyped-def]
    """What a worker does while it is awake: chunks, and then looking out for more a little."""
    claim, rest, mask = board + 8 * CLAIM, board + 8 * REST, (1 << _BITS) - 1
    looks = 0
    while looks < _LOOKS * _OFFERS:
        word = load(claim)
        if word & mask < word >> _BITS:
            _work(board)
            looks = 0
        elif load(rest):
            return
        looks += 1
        if looks % _LOOKS == 0:
            _yield()


@numba.njit(**OPTIONS)
def write(board, parts, batch, x, x16, scales, out, length, rows):  # type: ignore[no-untyped-def]
    """Writes a job; addresses and numbers are int64, board and parts arrays."""
    board[JOB], board[JOB + 1], board[JOB + 2] = parts.ctypes.data, len(parts), batch
    board[JOB + 3], board[JOB + 4], board[JOB + 5] = x, x16, scales
    board[JOB + 6], board[JOB + 7], board[JOB + 8] = out, length, rows


@numba.njit(**OPTIONS)
def give(board, chunks, rest):  # type: ignore[no-untyped-def]
    """Runs the job that is written on the board at that address, whose last one is over. `rest`:
    no other comes soon."""
    done = board + 8 * DONE
    store(board + 8 * REST, 0)
    store(done, 0)
    store(board + 8 * CLAIM, chunks << _BITS)
    _work(board)
    looks = 0
    while load(done) < chunks:
        looks += 1
        if looks % _LOOKS == 0:
            _yield()
    store(board + 8 * REST, rest)


def new_board() -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.zeros(BOARD, np.int64)
