"""The value of a small matrix game, by the simplex method.

    table[j, k] >= 0:   max over mixtures of columns k of min over rows j
                      = min over mixtures of rows j of max over columns k

The rows' linear program (von Neumann; Dantzig 1951): with all entries raised above 0, maximise
sum(y) with table.T @ y <= 1, y >= 0; then y / sum(y) is the rows' mixture, and the prices of the
constraints are the columns'. Bland's rule keeps it from going round in circles.
"""

from __future__ import annotations

from hartonomous.kernels.geometry.compiling import inner

#: rows of a table, and columns of the tableau that goes with it: rows, 4 prices, right side, and
#: which column is basic in the row
MOST = 8
COLUMNS = MOST + 6
_RAISE, _NOTHING, _PIVOTS = 1.0, 1e-15, 64


@inner
def play(table, rows, columns, tableau, mix):  # type: ignore[no-untyped-def]
    """An upper bound of the value of table[:rows, :columns], up to 4 columns: what the rows'
    mixture, written to mix[0], holds the columns to, which is the value within rounding. mix[1]
    becomes the columns' mixture."""
    right = rows + columns
    for k in range(columns + 1):
        for c in range(right + 1):
            tableau[k, c] = 0.0
    for k in range(columns):
        for j in range(rows):
            tableau[k, j] = table[j, k] + _RAISE
        tableau[k, rows + k] = tableau[k, right] = 1.0
        tableau[k, right + 1] = rows + k
    for j in range(rows):
        tableau[columns, j] = -1.0
    for _ in range(_PIVOTS):
        if not _pivot(tableau, columns, right):
            break
    _read(tableau, rows, columns, right, mix)
    value = 0.0
    for k in range(columns):
        held = 0.0
        for j in range(rows):
            held += mix[0, j] * table[j, k]
        value = max(value, held)
    return value


@inner
def _pivot(tableau, columns, right):  # type: ignore[no-untyped-def]
    """One exchange; False at the optimum."""
    enter = 0
    while enter < right and tableau[columns, enter] >= -_NOTHING:
        enter += 1
    if enter == right:
        return False
    leave, least = -1, 0.0
    for k in range(columns):
        if tableau[k, enter] > _NOTHING:
            ratio = tableau[k, right] / tableau[k, enter]
            if leave < 0 or ratio < least:
                leave, least = k, ratio
    if leave < 0:
        return False
    divisor = tableau[leave, enter]
    tableau[leave, right + 1] = enter
    for c in range(right + 1):
        tableau[leave, c] /= divisor
    for k in range(columns + 1):
        factor = tableau[k, enter]
        if k != leave and factor != 0.0:
            for c in range(right + 1):
                tableau[k, c] -= factor * tableau[leave, c]
    return True


@inner
def _read(tableau, rows, columns, right, mix):  # type: ignore[no-untyped-def]
    """The two mixtures from the last tableau."""
    for j in range(rows):
        mix[0, j] = 0.0
    total = 0.0
    for k in range(columns):
        basic = int(tableau[k, right + 1])
        if basic < rows:
            mix[0, basic] = max(tableau[k, right], 0.0)
            total += mix[0, basic]
    prices = 0.0
    for k in range(columns):
        mix[1, k] = max(tableau[columns, rows + k], 0.0)
        prices += mix[1, k]
    for j in range(rows):
        mix[0, j] = mix[0, j] / total if total > 0.0 else 1.0 / rows
    for k in range(columns):
        mix[1, k] = mix[1, k] / prices if prices > 0.0 else 1.0 / columns
