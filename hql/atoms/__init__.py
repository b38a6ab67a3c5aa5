"""Atoms: their identity, what is derived from their content, and plain DML on them."""
