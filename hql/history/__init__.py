"""History: moments of the past in queries, branches, tags, and what differs, merges, reverts."""
