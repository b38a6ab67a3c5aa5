"""Architectures. Adding one = NAME.py here and a line in ARCHITECTURES."""
