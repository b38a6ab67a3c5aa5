"""INGEST: files and rows become atoms. Read pipeline.py first."""
