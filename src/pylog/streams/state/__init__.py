"""Stores: what a task remembers, in memory or on disk.

    stores              suppliers and builders, by Kafka's names
    suppliers           what makes the innermost layer of a store
    store_builders      what puts the layers together
    key_value_store, window_store, session_store, versioned_store: what a program sees (store)
    caching_*           the layer that merges updates (caching, caching_merge); cache is its memory
    change_logging      the layer that writes changelogs; formats has their bytes
    table_*             the innermost layers, upon tables (segments, retention); memory_window
    table, disk_table   sorted maps of bytes: a dict (sorted_keys), and LMDB with a dict in front
    disk                the folder of a store on disk (long_keys)

Layers speak bytes: bytes_store has their faces, cursor what goes through them.
"""
