"""The steps of topologies: those of streams, of tables, and those that join them."""
