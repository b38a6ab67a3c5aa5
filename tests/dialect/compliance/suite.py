"""SQLAlchemy's own tests of dialects; run by ../test_compliance.py in a process of its own, as
SQLAlchemy's pytest plugin takes over every run it is in."""

from sqlalchemy.testing.suite import *  # noqa: F403
