"""Sessions: plain DML on SessionEvents and SessionPaths, and the paths that follow the events."""
