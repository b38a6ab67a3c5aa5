"""Syntax: text to trees, trees to text. Read parse.py first."""
