from pylog.streams.node cimport Node
from pylog.streams.serde cimport Serde


cdef class SourceNode(Node):
    cdef readonly object timestamp_extractor   # None: the default one
    cdef readonly tuple topics           # names, for errors
    cdef object wanted_key_serde
    cdef object wanted_value_serde
    cdef readonly Serde key_serde        # once it is open
    cdef readonly Serde value_serde
