"""Access methods: ways to find rows by key."""
