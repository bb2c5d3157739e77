from pylog.streams.record cimport Record


cpdef Record record_of_flush(Record record)
