"""Help: what statements, functions, types, tables and commands are, from one source for HELP, `\\h`
and docs/."""
