"""How many different values a column has, estimated from how often values occur in a sample.

Of n sampled rows of N, d values are seen, f1 of them once. Values seen often are surely few, and
set apart first (Haas and Stokes, "Estimating the number of classes in a finite population", JASA
93, 1998: as their Duj2a does). For the others two estimators, each right where the other errs:

    Duj1    d / (1 - (1 - n/N) f1/n)      Haas and Stokes, the first one: values that occur about
                                          equally often
    GEE     sqrt(N/n) f1 + (d - f1)       Charikar, Chaudhuri, Motwani and Narasayya, "Towards
                                          estimation error guarantees for distinct values", PODS
                                          2000: never off by more than about sqrt(N/n)

Which one: by how unequal the frequencies seen are, as in the latter's hybrid. Both are exact for a
sample of all rows.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

#: a value seen more often than this is set apart
OFTEN = 50
#: squared coefficient of variation of the sample's counts above which values are skewed
SKEWED = 1.0


def distinct_values(counts: npt.NDArray[np.int64], rows: float) -> float:
    """`counts` int64[D]: how often each value of the sample occurs in it; `rows`: how many rows of
    the column have a value. At least D, at most `rows`."""
    sampled = int(counts.sum())
    if sampled >= rows:
        return float(len(counts))
    rare = counts[counts <= OFTEN]
    often, seen, left = len(counts) - len(rare), len(rare), int(rare.sum())
    once = int((rare == 1).sum())
    if once == 0:
        return float(len(counts))
    share = left / sampled  # of the rows, those with a rare value
    if float(rare.var()) / float(rare.mean()) ** 2 > SKEWED:
        found = np.sqrt(rows / sampled) * once + (seen - once)
    else:
        found = seen / (1.0 - (1.0 - sampled / rows) * once / left)
    return float(often + min(max(found, seen), rows * share))
