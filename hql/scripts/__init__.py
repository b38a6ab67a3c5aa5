"""Scripts: texts that hold variables and steer what runs: blocks, loops, routines, TRY and CATCH.

A `Frame` is one running text, a `Script` runs statements of it, `Status` is what a session says of
itself (@@ROWCOUNT and its kin). hql/statements has a class for each statement.
"""
