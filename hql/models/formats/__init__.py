"""Model files: what is read from a safetensors folder or a GGUF, and how it is written again.

`opening.open_source(path)` gives a SourceModel, `writing.write_safetensors` and
`writing.write_gguf` write one. Nothing in a file is ever executed, and nothing that a file says of
itself is believed before it is checked against the file's size.
"""
