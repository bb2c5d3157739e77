/* shared.h: the mapped page that all processes on one partition share (`.state`).
 *
 *   0x0000  magic "pylogst\0", version, byte_order, boot_id, device, inode, phase
 *   0x0040  lock          who appends: slot_generation << 32 | slot + 1, 0 when free; needs_repair
 *   0x0080  lock_waiters  hint: a killed waiter leaves it too high, which only costs a wake
 *   0x00c0  seq           its lowest bit names the valid commit record; the word that publishes
 *   0x0100  commit[2]     192 bytes each: where the log ends, and what the next writer must know
 *   0x0280  flush_lock, durable_offset, durable position, io_error
 *   0x02c0  wake          futex that followers sleep on, and the hint that somebody sleeps
 *   0x0300  flush_wake    futex of those who wait for a flush; flush_waiters
 *   0x0400  slot_generation[768]
 *   0x1000  slot[768]     16 bytes each: pid and start time, for messages only, never trusted
 *
 * One cache line a writer. Native-endian and disposable: bound to one boot and one inode, rebuilt
 * from the log otherwise. Beyond the page, byte 2^30 + slot of the file is locked (OFD) by the
 * process that owns the slot: that lock is its proof of life, for no process id is ever trusted.
 *
 * A writer takes `lock`, writes the log with pwrite, fills commit[(seq + 1) & 1] and stores seq + 1
 * (release): that store is the moment the records exist. A reader copies commit[seq & 1] and
 * accepts it only when seq is unchanged: seq + 1 is not enough, the next writer may already be
 * filling that record. A lock is taken from an owner only when its slot is unlocked (it died) or
 * has a newer generation (the slot was reused): a stopped process keeps its lock, since it could
 * go on writing. Source: Aeron LogBufferDescriptor, LMDB lock table (ideas). */
#ifndef LOGCORE_SHARED_H
#define LOGCORE_SHARED_H

#include <limits.h>
#include <linux/futex.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>

#include "crc32c.h"
#include "file.h"

#define PL_STATE_MAGIC "pylogst"

enum {
    PL_STATE_SIZE = 16384,
    PL_STATE_VERSION = 2,
    PL_BYTE_ORDER_MARK = 0x01020304,
    PL_SLOT_COUNT = 768,
    PL_BOOT_ID_SIZE = 16,

    PL_PHASE_EMPTY = 0,
    PL_PHASE_RECOVERING = 1,
    PL_PHASE_READY = 2,
    PL_PHASE_POISONED = 3,

    PL_LOCK_STOLEN = 1,
};
#define PL_SLOT_LOCK_BYTE ((int64_t)1 << 30)
#define PL_FIRST_OPENER_BYTE (PL_SLOT_LOCK_BYTE - 1)
#define PL_MAINTENANCE_BYTE (PL_SLOT_LOCK_BYTE - 2)
#define PL_CLEANING_BYTE (PL_SLOT_LOCK_BYTE - 3)
#define PL_LOCK_SLICE_NS 2000000

/* What one append leaves for readers and for the next writer. */
struct pl_commit {
    int64_t segment_base_offset;     /* names the active segment */
    int64_t end_position;            /* bytes of the active .log that are in the log */
    int64_t log_end_offset;
    int64_t log_start_offset;
    int64_t offset_index_size;       /* bytes of the active .index */
    int64_t time_index_size;
    int64_t unindexed_bytes;         /* since the last index entry */
    int64_t max_timestamp_ms;        /* in the active segment, -1 none */
    int64_t max_timestamp_offset;    /* last offset of the batch that holds it */
    int64_t time_index_last_ms;      /* timestamp of the last .timeindex entry, -1 none */
    int64_t first_timestamp_ms;      /* max timestamp of the segment's first batch, -1 none */
    int64_t segment_created_ms;
    int64_t segment_list_generation; /* + 1 when a segment comes or goes */
    int64_t last_stable_offset;      /* records below it belong to no open transaction */
    int64_t leader_epoch;
    int64_t first_unstable_offset;   /* of the oldest open transaction, -1 none */
    int64_t producer_batch_count;    /* batches with a producer id so far: + 1 with each append */
    int64_t reserved[6];
    uint64_t crc;                    /* CRC-32C of all above: checked by the first opener */
};
_Static_assert(sizeof(struct pl_commit) == 192, "a commit record takes three cache lines");

struct pl_slot {
    int64_t process_id;
    int64_t start_time_ms;
};

struct pl_state {
    char magic[8];
    uint32_t version;
    uint32_t byte_order;
    uint8_t boot_id[PL_BOOT_ID_SIZE];
    uint64_t device;
    uint64_t inode;
    _Atomic uint32_t phase;

    _Alignas(64) _Atomic uint64_t lock;
    uint32_t needs_repair; /* a writer died or failed: files may reach beyond the end; under lock */
    _Alignas(64) _Atomic uint32_t lock_waiters;
    _Alignas(64) _Atomic uint64_t seq;
    _Alignas(64) struct pl_commit commit[2];

    _Alignas(64) _Atomic uint64_t flush_lock;
    _Atomic int64_t durable_offset;
    int64_t durable_segment_base_offset; /* this and the next: written under flush_lock */
    int64_t durable_position;
    int64_t synced_segment_base_offset;  /* newest segment whose directory entry is synced */
    _Atomic uint32_t io_error;           /* errno of the flush that poisoned the partition */
    uint32_t io_error_slot;

    _Alignas(64) _Atomic uint32_t wake;
    _Atomic uint32_t sleepers;
    _Alignas(64) _Atomic uint32_t flush_wake;
    _Atomic uint32_t flush_waiters;

    _Alignas(1024) _Atomic uint32_t slot_generation[PL_SLOT_COUNT];
    _Alignas(4096) struct pl_slot slot[PL_SLOT_COUNT];
};
_Static_assert(sizeof(struct pl_state) == PL_STATE_SIZE, "the page is 16 KiB");
_Static_assert(offsetof(struct pl_state, lock) == 0x40, "lock");
_Static_assert(offsetof(struct pl_state, lock_waiters) == 0x80, "lock_waiters");
_Static_assert(offsetof(struct pl_state, seq) == 0xc0, "seq");
_Static_assert(offsetof(struct pl_state, commit) == 0x100, "commit");
_Static_assert(offsetof(struct pl_state, flush_lock) == 0x280, "flush_lock");
_Static_assert(offsetof(struct pl_state, wake) == 0x2c0, "wake");
_Static_assert(offsetof(struct pl_state, flush_wake) == 0x300, "flush_wake");
_Static_assert(offsetof(struct pl_state, slot_generation) == 0x400, "slot_generation");
_Static_assert(offsetof(struct pl_state, slot) == 0x1000, "slot");

/* ---- futex ---- */

static inline int pl_futex_wait(_Atomic uint32_t *word, uint32_t seen, int64_t timeout_ns)
{
    struct timespec timeout = {.tv_sec = timeout_ns / 1000000000,
                               .tv_nsec = timeout_ns % 1000000000};
    if (syscall(SYS_futex, word, FUTEX_WAIT, seen, &timeout, NULL, 0) == 0)
        return 0;
    return -errno;
}

static inline void pl_futex_wake(_Atomic uint32_t *word, int count)
{
    syscall(SYS_futex, word, FUTEX_WAKE, count, NULL, NULL, 0);
}

static inline void pl_pause(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

/* A word and a count of those who may sleep on it: the caller changes something that sleepers look
 * at (seq_cst), then calls this. It costs a load when nobody sleeps. */
static inline void pl_wake_sleepers(_Atomic uint32_t *word, _Atomic uint32_t *sleepers)
{
    atomic_thread_fence(memory_order_seq_cst);
    if (atomic_load_explicit(sleepers, memory_order_relaxed) != 0) {
        atomic_fetch_add_explicit(word, 1, memory_order_seq_cst);
        pl_futex_wake(word, INT_MAX);
    }
}

/* ---- commit record ---- */

static inline uint64_t pl_commit_crc(const struct pl_commit *commit)
{
    return pl_crc32c(0, commit, offsetof(struct pl_commit, crc));
}

/* Copy the valid commit record; returns its seq. The writer never waits for this. */
static inline uint64_t pl_read_commit(struct pl_state *state, struct pl_commit *commit)
{
    for (;;) {
        uint64_t seq = atomic_load_explicit(&state->seq, memory_order_acquire);
        memcpy(commit, &state->commit[seq & 1], sizeof *commit);
        atomic_thread_fence(memory_order_acquire);
        if (atomic_load_explicit(&state->seq, memory_order_relaxed) == seq)
            return seq;
    }
}

/* Only with the lock held. The store of seq is the moment that the records exist. */
static inline void pl_publish_commit(struct pl_state *state, struct pl_commit *commit)
{
    uint64_t next = atomic_load_explicit(&state->seq, memory_order_relaxed) + 1;
    commit->crc = pl_commit_crc(commit);
    /* A reader may still copy this record, from before the last publish: what is stored here must
     * not be seen before that publish is. */
    atomic_thread_fence(memory_order_release);
    memcpy(&state->commit[next & 1], commit, sizeof *commit);
    atomic_store_explicit(&state->seq, next, memory_order_release);
}

static inline uint64_t pl_load_seq(struct pl_state *state)
{
    return atomic_load_explicit(&state->seq, memory_order_acquire);
}

static inline uint32_t pl_load_phase(struct pl_state *state)
{
    return atomic_load_explicit(&state->phase, memory_order_acquire);
}

static inline void pl_store_phase(struct pl_state *state, uint32_t phase)
{
    atomic_store_explicit(&state->phase, phase, memory_order_release);
}

static inline int64_t pl_load_durable_offset(struct pl_state *state)
{
    return atomic_load_explicit(&state->durable_offset, memory_order_acquire);
}

static inline void pl_store_durable_offset(struct pl_state *state, int64_t offset)
{
    atomic_store_explicit(&state->durable_offset, offset, memory_order_release);
}

static inline uint32_t pl_load_io_error(struct pl_state *state)
{
    return atomic_load_explicit(&state->io_error, memory_order_acquire);
}

/* ---- slots and locks ---- */

/* Claim a free slot: its byte is locked until the descriptor is gone, and its generation is new, so
 * that a lock word of the slot's dead owner is not taken for ours. Returns the word that stands for
 * us in a lock, or 0 when all slots are taken. */
static inline uint64_t pl_claim_slot(struct pl_state *state, int fd)
{
    for (uint32_t slot = 0; slot < PL_SLOT_COUNT; slot++) {
        if (pl_ofd_lock(fd, F_WRLCK, PL_SLOT_LOCK_BYTE + slot, 0) != 0)
            continue;
        uint32_t generation =
            atomic_fetch_add_explicit(&state->slot_generation[slot], 1, memory_order_seq_cst) + 1;
        state->slot[slot].process_id = getpid();
        state->slot[slot].start_time_ms = pl_wall_clock_ms();
        return (uint64_t)generation << 32 | (slot + 1);
    }
    return 0;
}

static inline int pl_owner_is_alive(struct pl_state *state, int fd, uint64_t owner, uint64_t self)
{
    uint32_t slot = (uint32_t)owner - 1;
    if (owner == self)
        return 1; /* another thread of this process */
    if (slot >= PL_SLOT_COUNT)
        return 0;
    if (atomic_load_explicit(&state->slot_generation[slot], memory_order_seq_cst) != owner >> 32)
        return 0;
    return pl_ofd_is_held(fd, PL_SLOT_LOCK_BYTE + slot) != 0;
}

/* Take a lock word. Returns 0, PL_LOCK_STOLEN when its owner had died (what it guards may be half
 * done), or -ETIMEDOUT with the living owner in *owner. */
static inline int pl_lock(struct pl_state *state, _Atomic uint64_t *word,
                          _Atomic uint32_t *waiters, int fd, uint64_t self, int64_t timeout_ns,
                          uint64_t *owner)
{
    for (int spin = 0; spin < 200; spin++) {
        uint64_t free_word = 0;
        if (atomic_compare_exchange_strong_explicit(word, &free_word, self, memory_order_acquire,
                                                    memory_order_relaxed))
            return 0;
        pl_pause();
    }
    int64_t deadline_ns = pl_clock_ns() + timeout_ns;
    int status = -ETIMEDOUT;
    atomic_fetch_add_explicit(waiters, 1, memory_order_seq_cst);
    for (;;) {
        uint64_t seen = 0;
        if (atomic_compare_exchange_strong_explicit(word, &seen, self, memory_order_acquire,
                                                    memory_order_relaxed)) {
            status = 0;
            break;
        }
        *owner = seen;
        int woken = pl_futex_wait((_Atomic uint32_t *)word, (uint32_t)seen, PL_LOCK_SLICE_NS);
        /* After -EINTR too: under a timer signal no wait may ever last to its timeout. */
        if ((woken == -ETIMEDOUT || woken == -EINTR) && !pl_owner_is_alive(state, fd, seen, self)) {
            if (atomic_compare_exchange_strong_explicit(word, &seen, self, memory_order_acquire,
                                                        memory_order_relaxed)) {
                status = PL_LOCK_STOLEN;
                break;
            }
        }
        if (pl_clock_ns() >= deadline_ns)
            break;
    }
    atomic_fetch_sub_explicit(waiters, 1, memory_order_relaxed);
    return status;
}

static inline void pl_unlock(_Atomic uint64_t *word, _Atomic uint32_t *waiters)
{
    atomic_store_explicit(word, 0, memory_order_seq_cst);
    if (atomic_load_explicit(waiters, memory_order_seq_cst) != 0)
        pl_futex_wake((_Atomic uint32_t *)word, 1);
}

static inline int pl_lock_writer(struct pl_state *state, int fd, uint64_t self, int64_t timeout_ns,
                                 uint64_t *owner)
{
    int status = pl_lock(state, &state->lock, &state->lock_waiters, fd, self, timeout_ns, owner);
    if (status == PL_LOCK_STOLEN)
        state->needs_repair = 1;
    return status;
}

static inline void pl_unlock_writer(struct pl_state *state)
{
    pl_unlock(&state->lock, &state->lock_waiters);
}

/* Followers after a publish. */
static inline void pl_wake_followers(struct pl_state *state)
{
    pl_wake_sleepers(&state->wake, &state->sleepers);
}

/* Sleep until the log was published past `seen_seq`, or the time is over: 1 or 0. `spin_ns` is
 * spent looking before sleeping. */
static inline int pl_wait_for_publish(struct pl_state *state, uint64_t seen_seq, int64_t spin_ns,
                                      int64_t timeout_ns)
{
    int64_t start_ns = pl_clock_ns(), now_ns = start_ns;
    do {
        for (int i = 0; i < 32; i++) {
            if (pl_load_seq(state) != seen_seq)
                return 1;
            pl_pause();
        }
        now_ns = pl_clock_ns();
    } while (now_ns - start_ns < spin_ns);
    int published = 0;
    atomic_fetch_add_explicit(&state->sleepers, 1, memory_order_seq_cst);
    for (;;) {
        uint32_t seen = atomic_load_explicit(&state->wake, memory_order_seq_cst);
        if (atomic_load_explicit(&state->seq, memory_order_seq_cst) != seen_seq) {
            published = 1;
            break;
        }
        int64_t left_ns = timeout_ns - (now_ns - start_ns);
        if (left_ns <= 0)
            break;
        if (pl_futex_wait(&state->wake, seen, left_ns) == -EINTR)
            break; /* the caller looks at its signals */
        now_ns = pl_clock_ns();
    }
    atomic_fetch_sub_explicit(&state->sleepers, 1, memory_order_relaxed);
    return published;
}

/* ---- group flush: one fdatasync serves all who wait ---- */

/* 1 when we are the leader (flush_lock is ours), 0 when `offset` is durable, -EINTR after a slice
 * of waiting, -EIO when the partition is poisoned. */
static inline int pl_join_flush(struct pl_state *state, int fd, uint64_t self, int64_t offset,
                                int64_t slice_ns)
{
    int64_t deadline_ns = pl_clock_ns() + slice_ns;
    int status;
    atomic_fetch_add_explicit(&state->flush_waiters, 1, memory_order_seq_cst);
    for (;;) {
        uint32_t seen = atomic_load_explicit(&state->flush_wake, memory_order_seq_cst);
        if (pl_load_io_error(state)) {
            status = -EIO;
            break;
        }
        if (pl_load_durable_offset(state) >= offset) {
            status = 0;
            break;
        }
        uint64_t owner = 0;
        if (atomic_compare_exchange_strong_explicit(&state->flush_lock, &owner, self,
                                                    memory_order_acquire, memory_order_relaxed)) {
            status = 1;
            break;
        }
        int woken = pl_futex_wait(&state->flush_wake, seen, PL_LOCK_SLICE_NS);
        if ((woken == -ETIMEDOUT || woken == -EINTR)
            && !pl_owner_is_alive(state, fd, owner, self)
            && atomic_compare_exchange_strong_explicit(&state->flush_lock, &owner, self,
                                                       memory_order_acquire,
                                                       memory_order_relaxed)) {
            status = 1;
            break;
        }
        if (pl_clock_ns() >= deadline_ns) {
            status = -EINTR;
            break;
        }
    }
    atomic_fetch_sub_explicit(&state->flush_waiters, 1, memory_order_relaxed);
    return status;
}

/* Release flush_lock after durable_offset or io_error was stored. */
static inline void pl_leave_flush(struct pl_state *state)
{
    atomic_store_explicit(&state->flush_lock, 0, memory_order_seq_cst);
    pl_wake_sleepers(&state->flush_wake, &state->flush_waiters);
}

/* The first error stays: a later fdatasync may return 0 for bytes that are gone. */
static inline void pl_poison(struct pl_state *state, int error, uint64_t self)
{
    uint32_t none = 0;
    if (atomic_compare_exchange_strong_explicit(&state->io_error, &none, (uint32_t)error,
                                                memory_order_release, memory_order_relaxed))
        state->io_error_slot = (uint32_t)self - 1;
    pl_store_phase(state, PL_PHASE_POISONED);
}

/* ---- the bell of a folder: "something was appended in some partition" ----
 *
 * Followers of several partitions sleep on one word. `rings` rises with each publish, so that a
 * follower that looked at its partitions after loading it cannot miss one. */

struct pl_bell {
    _Atomic uint32_t rings;
    _Atomic uint32_t sleepers;
};

static inline uint32_t pl_bell_load(struct pl_bell *bell)
{
    return atomic_load_explicit(&bell->rings, memory_order_seq_cst);
}

static inline void pl_bell_ring(struct pl_bell *bell)
{
    atomic_fetch_add_explicit(&bell->rings, 1, memory_order_seq_cst);
    if (atomic_load_explicit(&bell->sleepers, memory_order_seq_cst) != 0)
        pl_futex_wake(&bell->rings, INT_MAX);
}

/* 1 when it rang since `seen` was loaded, 0 after the timeout, -EINTR. */
static inline int pl_bell_wait(struct pl_bell *bell, uint32_t seen, int64_t timeout_ns)
{
    atomic_fetch_add_explicit(&bell->sleepers, 1, memory_order_seq_cst);
    int status = pl_futex_wait(&bell->rings, seen, timeout_ns);
    atomic_fetch_sub_explicit(&bell->sleepers, 1, memory_order_relaxed);
    return status == -ETIMEDOUT ? 0 : status == -EINTR ? -EINTR : 1;
}

#endif
