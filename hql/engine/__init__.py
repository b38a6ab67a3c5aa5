"""The relational engine: the fragments it is given as text, its values and errors as ours."""
