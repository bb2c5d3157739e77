"""KTable, a table that a stream of changes keeps up to date."""

from pylog.streams.dsl.ktable_joins import TableJoinOperators
from pylog.streams.dsl.ktable_operators import TableOperators


class KTable(TableOperators, TableJoinOperators):
    """The last value of each key. Made by `StreamsBuilder.table`, `to_table` and aggregations.

    Each operator gives another table, which changes when this one does. A value of None deletes its
    key. A table is kept in a store if it is the result of an aggregation, if it was given a name
    with `materialized`, or if a join or the like has to look its values up; else its changes only
    pass by, and a change does not say what the value was before.
    """
