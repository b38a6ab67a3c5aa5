"""Rules: rewrites of the logical plan, in the order of RULES."""
