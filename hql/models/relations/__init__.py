"""TensorAtoms and TensorAtomCoefficients: the rows of models' tensors as relations of a query.

tables.py        their columns, and the names they are found by
layout.py        the tensors of a snapshot's models, laid end to end; which rows ranges leave
columns.py       the narrow columns of TensorAtoms, kept by model
values.py        Weights and WeightsGeometry, made of their rows' numbers when they are wanted
view.py          TensorAtoms as a scan reads it
coefficients.py  TensorAtomCoefficients: tiles, rows of them, figures per atom
"""
