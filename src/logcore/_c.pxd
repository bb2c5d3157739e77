"""Every C function and struct of logcore/c, declared once for all Cython modules."""

from libc.stdint cimport int8_t, int16_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t


cdef extern from "c/bytes.h" nogil:
    void pl_store_u16(uint8_t *p, uint16_t value)
    uint32_t pl_load_u32(const uint8_t *p)
    int32_t pl_load_i32(const uint8_t *p)
    int64_t pl_load_i64(const uint8_t *p)
    void pl_store_u16(uint8_t *p, uint16_t value)
    void pl_store_u32(uint8_t *p, uint32_t value)
    void pl_store_u64(uint8_t *p, uint64_t value)


cdef extern from "c/varint.h" nogil:
    enum:
        PL_VARINT_MAX_BYTES
    const uint8_t *pl_get_varint(const uint8_t *p, const uint8_t *end, int32_t *value)
    const uint8_t *pl_get_varlong(const uint8_t *p, const uint8_t *end, int64_t *value)
    uint8_t *pl_put_varlong(uint8_t *p, int64_t value)
    size_t pl_varlong_size(int64_t value)


cdef extern from "c/crc32c.h" nogil:
    void pl_crc32c_init()
    uint32_t pl_crc32c(uint32_t crc, const void *data, size_t size)
    uint32_t pl_crc32c_table(uint32_t crc, const uint8_t *data, size_t size)


cdef extern from "c/batch.h" nogil:
    enum:
        PL_BASE_OFFSET_AT
        PL_BATCH_LENGTH_AT
        PL_LEADER_EPOCH_AT
        PL_MAGIC_AT
        PL_CRC_AT
        PL_ATTRIBUTES_AT
        PL_BASE_TIMESTAMP_AT
        PL_MAX_TIMESTAMP_AT
        PL_RECORD_COUNT_AT
        PL_BATCH_HEADER_SIZE
        PL_BATCH_PREFIX_SIZE
        PL_MIN_BATCH_LENGTH
        PL_CODEC_MASK
        PL_LOG_APPEND_TIME_BIT
        PL_TRANSACTIONAL_BIT
        PL_CONTROL_BIT
        PL_DELETE_HORIZON_BIT
        PL_RESERVED_BITS

    enum pl_batch_status:
        PL_BATCH_OK
        PL_BATCH_INCOMPLETE
        PL_BATCH_BAD_LENGTH
        PL_BATCH_BAD_MAGIC
        PL_BATCH_BAD_CRC
        PL_BATCH_BAD_CODEC
        PL_BATCH_BAD_COUNT

    struct pl_batch:
        int64_t base_offset
        int64_t base_timestamp_ms
        int64_t max_timestamp_ms
        int64_t producer_id
        int32_t batch_length
        int32_t leader_epoch
        int32_t last_offset_delta
        int32_t base_sequence
        int32_t record_count
        uint32_t crc
        int16_t attributes
        int16_t producer_epoch
        int8_t magic

    struct pl_record:
        int64_t timestamp_delta_ms
        const uint8_t *key
        const uint8_t *value
        const uint8_t *headers
        int32_t offset_delta
        int32_t key_size
        int32_t value_size
        int32_t header_count

    size_t pl_batch_size(const uint8_t *p)
    void pl_load_batch(const uint8_t *p, pl_batch *batch)
    pl_batch_status pl_check_batch_header(const uint8_t *p, size_t available, pl_batch *batch)
    pl_batch_status pl_check_batch(const uint8_t *p, size_t available, pl_batch *batch)
    uint32_t pl_batch_crc(const uint8_t *p, size_t size)
    void pl_seal_batch(uint8_t *p, size_t size, int16_t attributes, int32_t record_count,
                       int64_t base_timestamp_ms, int64_t max_timestamp_ms)
    void pl_seal_producer_batch(uint8_t *p, size_t size, int16_t attributes, int32_t record_count,
                                int64_t base_timestamp_ms, int64_t max_timestamp_ms,
                                int64_t producer_id, int16_t producer_epoch, int32_t base_sequence)
    void pl_stamp_log_append_time(uint8_t *p, size_t size, int64_t now_ms)
    size_t pl_record_bound(int64_t key_size, int64_t value_size, size_t headers_size)
    uint8_t *pl_put_record(uint8_t *p, int64_t timestamp_delta_ms, int32_t offset_delta,
                           const uint8_t *key, int32_t key_size, const uint8_t *value,
                           int32_t value_size, const uint8_t *headers, size_t headers_size,
                           int32_t header_count)
    bint pl_check_records(const uint8_t *p, const uint8_t *end, int32_t record_count)
    const uint8_t *pl_get_record(const uint8_t *p, const uint8_t *end, pl_record *record)
    const uint8_t *pl_get_header(const uint8_t *p, const uint8_t *end, const uint8_t **key,
                                 int32_t *key_size, const uint8_t **value, int32_t *value_size)
    int64_t pl_record_timestamp(const pl_batch *batch, const pl_record *record)


cdef extern from "c/producers.h" nogil:
    enum:
        PL_PRODUCER_BATCHES
        PL_PRODUCER_OK
        PL_PRODUCER_DUPLICATE
        PL_PRODUCER_OUT_OF_ORDER
        PL_PRODUCER_OLD_EPOCH
        PL_PRODUCER_NOT_TRANSACTIONAL
        PL_PRODUCER_COORDINATOR_FENCED

    struct pl_producer_batch:
        int64_t last_offset
        int64_t timestamp_ms
        int32_t last_sequence
        int32_t offset_delta

    struct pl_producer:
        int64_t producer_id
        int64_t last_timestamp_ms
        int64_t transaction_first_offset
        int32_t coordinator_epoch
        int16_t epoch
        int16_t batch_count
        pl_producer_batch batch[5]

    struct pl_producers:
        pl_producer *table
        size_t capacity
        size_t count
        size_t open_transactions

    void pl_producers_free(pl_producers *producers)
    int pl_producers_reserve(pl_producers *producers)
    pl_producer *pl_find_producer(const pl_producers *producers, int64_t producer_id)
    pl_producer *pl_put_producer(pl_producers *producers, int64_t producer_id)
    int pl_check_producer(const pl_producers *producers, const pl_batch *batch,
                          int64_t *base_offset)
    int pl_check_marker(const pl_producers *producers, const pl_batch *batch,
                        int32_t coordinator_epoch)
    void pl_note_batch(pl_producers *producers, const pl_batch *batch, int64_t seen_ms)
    int64_t pl_note_marker(pl_producers *producers, const pl_batch *batch,
                           int32_t coordinator_epoch, int64_t seen_ms)
    int64_t pl_first_unstable_offset(const pl_producers *producers, int64_t producer_id)
    int pl_expire_producers(pl_producers *producers, int64_t least_timestamp_ms)


cdef extern from "c/index.h" nogil:
    enum:
        PL_OFFSET_ENTRY_SIZE
        PL_TIME_ENTRY_SIZE
        PL_TXN_ENTRY_SIZE
    void pl_put_txn_entry(uint8_t *p, int64_t producer_id, int64_t first_offset,
                          int64_t last_offset, int64_t last_stable_offset)
    int64_t pl_txn_entry_last_offset(const uint8_t *p)
    void pl_put_offset_entry(uint8_t *p, uint32_t relative_offset, uint32_t position)
    void pl_put_time_entry(uint8_t *p, int64_t timestamp_ms, uint32_t relative_offset)
    int64_t pl_offset_lower_bound(const uint8_t *entries, int64_t count, int64_t target)
    int64_t pl_time_lower_bound(const uint8_t *entries, int64_t count, int64_t target)


cdef extern from "c/xxh64.h" nogil:
    uint64_t pl_xxh64(const void *data, size_t size, uint64_t seed)


cdef extern from "c/key_map.h" nogil:
    struct pl_key_map:
        uint64_t *slots
        uint64_t slot_mask
        uint8_t *entries
        uint64_t entries_size
        uint64_t entries_capacity
        uint64_t count
        uint64_t seed
    uint64_t pl_key_entry_size(uint32_t key_size)
    uint64_t pl_key_hash(const pl_key_map *map, const uint8_t *key, uint32_t size)
    void pl_key_prefetch_slot(const pl_key_map *map, uint64_t hash)
    void pl_key_prefetch_entry(const pl_key_map *map, uint64_t hash)
    uint8_t *pl_key_find(const pl_key_map *map, const uint8_t *key, uint32_t size, uint64_t hash,
                         uint64_t *place)
    int64_t pl_key_get(const pl_key_map *map, const uint8_t *key, uint32_t size, uint64_t hash)
    void pl_key_insert(pl_key_map *map, const uint8_t *key, uint32_t size, uint64_t hash,
                       uint64_t place, int64_t offset)
    void pl_key_rehash(pl_key_map *map, uint64_t *slots, uint64_t slot_count)


cdef extern from "c/file.h" nogil:
    enum:
        PL_SEGMENT_NAME_SIZE
    int pl_pwrite_all(int fd, const void *data, size_t size, int64_t position)
    int64_t pl_pread(int fd, void *data, size_t size, int64_t position)
    int pl_truncate(int fd, int64_t size)
    int pl_unlink_at(int directory_fd, const char *name)
    int pl_fdatasync(int fd)
    int pl_fsync(int fd)
    int64_t pl_file_size(int fd)
    void pl_segment_name(char *name, int64_t base_offset, const char *suffix)
    int pl_open_at(int directory_fd, const char *name, int flags, int mode)
    int pl_ofd_lock(int fd, int lock_type, int64_t byte, int wait)
    int pl_ofd_is_held(int fd, int64_t byte)
    int64_t pl_clock_ns()
    int64_t pl_wall_clock_ms()
    int64_t pl_wall_clock_coarse_ms()
    const char *pl_network_file_system(int64_t magic)
    int64_t pl_file_system_magic(int fd)


cdef extern from "c/guard.h" nogil:
    int pl_guarded_copy(void *target, const void *source, size_t size)
    int pl_guarded_call(void (*body)(void *) noexcept nogil, void *argument)


cdef extern from "c/fork.h" nogil:
    uint32_t pl_fork_count
    void pl_fork_init()
    int32_t pl_fork_register(int fd)
    void pl_fork_forget(int32_t place)


cdef extern from "c/shared.h" nogil:
    enum:
        PL_STATE_SIZE
        PL_STATE_VERSION
        PL_BYTE_ORDER_MARK
        PL_PHASE_EMPTY
        PL_PHASE_RECOVERING
        PL_PHASE_READY
        PL_PHASE_POISONED
        PL_LOCK_STOLEN
        PL_BOOT_ID_SIZE
        PL_SLOT_COUNT
    const char *PL_STATE_MAGIC
    int64_t PL_FIRST_OPENER_BYTE
    int64_t PL_MAINTENANCE_BYTE
    int64_t PL_CLEANING_BYTE

    struct pl_commit:
        int64_t segment_base_offset
        int64_t end_position
        int64_t log_end_offset
        int64_t log_start_offset
        int64_t offset_index_size
        int64_t time_index_size
        int64_t unindexed_bytes
        int64_t max_timestamp_ms
        int64_t max_timestamp_offset
        int64_t time_index_last_ms
        int64_t first_timestamp_ms
        int64_t segment_created_ms
        int64_t segment_list_generation
        int64_t last_stable_offset
        int64_t leader_epoch
        int64_t first_unstable_offset
        int64_t producer_batch_count
        uint64_t crc

    struct pl_slot:
        int64_t process_id
        int64_t start_time_ms

    struct pl_state:
        char magic[8]
        uint32_t version
        uint32_t byte_order
        uint8_t boot_id[16]
        uint64_t device
        uint64_t inode
        pl_commit commit[2]
        uint32_t needs_repair
        int64_t durable_segment_base_offset
        int64_t durable_position
        int64_t synced_segment_base_offset
        uint32_t io_error_slot
        pl_slot slot[768]

    uint64_t pl_commit_crc(const pl_commit *commit)
    uint64_t pl_read_commit(pl_state *state, pl_commit *commit)
    void pl_publish_commit(pl_state *state, pl_commit *commit)
    uint64_t pl_load_seq(pl_state *state)
    uint32_t pl_load_phase(pl_state *state)
    void pl_store_phase(pl_state *state, uint32_t phase)
    int64_t pl_load_durable_offset(pl_state *state)
    void pl_store_durable_offset(pl_state *state, int64_t offset)
    uint32_t pl_load_io_error(pl_state *state)
    uint64_t pl_claim_slot(pl_state *state, int fd)
    int pl_lock_writer(pl_state *state, int fd, uint64_t self, int64_t timeout_ns, uint64_t *owner)
    void pl_unlock_writer(pl_state *state)
    void pl_wake_followers(pl_state *state)
    int pl_wait_for_publish(pl_state *state, uint64_t seen_seq, int64_t spin_ns, int64_t timeout_ns)
    int pl_join_flush(pl_state *state, int fd, uint64_t self, int64_t offset, int64_t slice_ns)
    void pl_leave_flush(pl_state *state)
    void pl_poison(pl_state *state, int error, uint64_t self)

    struct pl_bell:
        pass
    uint32_t pl_bell_load(pl_bell *bell)
    void pl_bell_ring(pl_bell *bell)
    int pl_bell_wait(pl_bell *bell, uint32_t seen, int64_t timeout_ns)
