"""Changes: what changes rows, and what defines tables and views. Read dml.py first."""
