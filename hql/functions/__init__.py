"""Functions: one registry, one file per family."""
