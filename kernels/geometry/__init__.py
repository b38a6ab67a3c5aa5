"""Geometry kernels: a core swept by a ball, in three dimensions, over structures of arrays.

`layout.Shapes` is what every one takes and gives. Modules named `*_compiled` import numba, so their
users import them in the call that needs them.
"""
