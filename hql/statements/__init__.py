"""Statements. Adding one = grammar/statements/NAME.lark, NAME.py here, a line in STATEMENTS."""
