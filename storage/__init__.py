"""Storage: what is kept, and how it is found again. Read database.py first."""
