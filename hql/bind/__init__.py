"""Names and types: syntax trees to logical plans."""
