"""Operators: what runs, pulling Arrow record batches."""
