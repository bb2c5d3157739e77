"""The DSL: streams and tables, and the graph that their operators make, which becomes a topology.

    builder                 StreamsBuilder
    kstream, kstream_*      KStream; its operators in groups
    ktable, ktable_*        KTable, likewise; global_ktable
    grouped, grouped_table  KGroupedStream, KGroupedTable; windowed, session_windowed, cogrouped
    branched                a stream that is being split
    *_steps                 what joins put into the graph
    graph, graph_*          the graph: nodes, optimisations, and how it is written out
    naming                  names that are given and names that are made
    materialized            options of a store; store_factories makes the stores of operators

What programs use is in `pylog.streams`.
"""
