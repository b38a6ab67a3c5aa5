"""Geometry kernels: a core swept by a ball, in three dimensions, over structures of arrays.

`layout.Shapes` is what every one takes and gives. Kernels marked `@entry` or `@inner` are Python
that numba compiles where a call is large enough (compiling.py). Modules named `*_compiled` import
numba, so their users import them in the call that needs them.
"""
