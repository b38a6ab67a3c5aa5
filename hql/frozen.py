"""`@frozen` for the syntax tree, statements and plans; see storage/frozen.py."""

from hartonomous.storage.frozen import frozen as frozen
