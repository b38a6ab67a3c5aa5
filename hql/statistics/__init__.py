"""Statistics: what the planner knows of the rows of tables, and what ways to them cost.

`kept.statistics_of(view, database)` gives a table's statistics, made when something first asks and
kept in memory for as long as they hold; `cost` has the constants by which ways are compared.
"""
