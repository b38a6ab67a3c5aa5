"""Copying: files in and out of tables. Read copying.py first."""
