"""HQL: from text to rows. Read session.py first."""
