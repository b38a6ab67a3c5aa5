"""Models as rows: formats, architectures, tokenizers, inference. Read model.py first: what a model
is, how one is added to a database and found in it. docs: HQL.md section 6."""
