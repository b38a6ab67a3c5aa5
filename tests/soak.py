"""How long the longest tests run: `HQL_SOAK=10 make slow` draws ten times as much, and takes
hours. Without it they fit into CI's time."""

from __future__ import annotations

import os

TIMES = int(os.environ.get("HQL_SOAK", "1"))
