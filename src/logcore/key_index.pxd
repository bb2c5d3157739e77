from logcore.batch_file cimport BatchFile


cdef bint pass_transaction(BatchFile source, object transactions) except -1
