"""Models as rows: formats, architectures, tokenizers, inference. docs: HQL.md section 6."""
