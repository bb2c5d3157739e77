/* file.h: the system calls of a log, each returning 0 (or a size) and -errno.
 *
 * Writes go on after EINTR and short counts; a write that makes no progress is ENOSPC. Files are
 * opened relative to the partition's folder, never through a symbolic link, close-on-exec.
 * Liveness locks are OFD locks: they belong to the open file, so the kernel drops them when the
 * last copy of the descriptor is gone, however the process ends. Source: fcntl(2), open(2). */
#ifndef LOGCORE_FILE_H
#define LOGCORE_FILE_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#ifndef F_OFD_GETLK
#define F_OFD_GETLK 36
#define F_OFD_SETLK 37
#define F_OFD_SETLKW 38
#endif

static inline int pl_pwrite_all(int fd, const void *data, size_t size, int64_t position)
{
    const uint8_t *p = (const uint8_t *)data;
    while (size > 0) {
        ssize_t written = pwrite(fd, p, size, (off_t)position);
        if (written < 0) {
            if (errno == EINTR)
                continue;
            return -errno;
        }
        if (written == 0)
            return -ENOSPC;
        p += written;
        position += written;
        size -= (size_t)written;
    }
    return 0;
}

static inline int64_t pl_pread(int fd, void *data, size_t size, int64_t position)
{
    size_t done = 0;
    while (done < size) {
        ssize_t count = pread(fd, (uint8_t *)data + done, size - done, (off_t)(position + done));
        if (count < 0) {
            if (errno == EINTR)
                continue;
            return -errno;
        }
        if (count == 0)
            break;
        done += (size_t)count;
    }
    return (int64_t)done;
}

static inline int pl_truncate(int fd, int64_t size)
{
    int status;
    do
        status = ftruncate(fd, (off_t)size);
    while (status < 0 && errno == EINTR);
    return status < 0 ? -errno : 0;
}

/* Never tried again: after a failure the next call says yes for bytes that are gone. */
static inline int pl_fdatasync(int fd)
{
    return fdatasync(fd) < 0 ? -errno : 0;
}

static inline int pl_fsync(int fd)
{
    return fsync(fd) < 0 ? -errno : 0;
}

static inline int64_t pl_file_size(int fd)
{
    struct stat info;
    return fstat(fd, &info) < 0 ? -errno : (int64_t)info.st_size;
}

enum { PL_SEGMENT_NAME_SIZE = 40 };

/* Kafka's name of a segment's file: 20 digits and a suffix such as ".log". */
static inline void pl_segment_name(char *name, int64_t base_offset, const char *suffix)
{
    snprintf(name, PL_SEGMENT_NAME_SIZE, "%020lld%s", (long long)base_offset, suffix);
}

static inline int pl_open_at(int directory_fd, const char *name, int flags, int mode)
{
    int fd;
    do
        fd = openat(directory_fd, name, flags | O_CLOEXEC | O_NOFOLLOW, mode);
    while (fd < 0 && errno == EINTR);
    return fd < 0 ? -errno : fd;
}

/* A name that is not there is gone already. */
static inline int pl_unlink_at(int directory_fd, const char *name)
{
    return unlinkat(directory_fd, name, 0) == 0 || errno == ENOENT ? 0 : -errno;
}

/* type F_RDLCK, F_WRLCK or F_UNLCK on one byte; -EAGAIN when somebody else holds it. */
static inline int pl_ofd_lock(int fd, int type, int64_t byte, int wait)
{
    struct flock lock = {.l_type = (short)type, .l_whence = SEEK_SET, .l_start = (off_t)byte,
                         .l_len = 1, .l_pid = 0};
    if (fcntl(fd, wait ? F_OFD_SETLKW : F_OFD_SETLK, &lock) == 0)
        return 0;
    return errno == EACCES ? -EAGAIN : -errno;
}

/* 1 when another open file holds a lock on the byte, 0 when none does, or -errno. */
static inline int pl_ofd_is_held(int fd, int64_t byte)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = (off_t)byte,
                         .l_len = 1, .l_pid = 0};
    if (fcntl(fd, F_OFD_GETLK, &lock) < 0)
        return -errno;
    return lock.l_type != F_UNLCK;
}

static inline int64_t pl_clock_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static inline int64_t pl_wall_clock_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* The kernel's last tick (1 to 4 ms old): a third of the price, for one stamp a record. */
static inline int64_t pl_wall_clock_coarse_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME_COARSE, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Name of a network file system by its magic number, or NULL. Locks and mappings are not shared
 * between machines there. Source: statfs(2). */
static inline const char *pl_network_file_system(int64_t magic)
{
    switch ((uint32_t)magic) {
    case 0x6969: return "nfs";
    case 0x517b: return "smb";
    case 0xff534d42: return "cifs";
    case 0xfe534d42: return "smb2";
    case 0x01021997: return "9p";
    case 0x73757245: return "coda";
    case 0x5346414f: return "afs";
    case 0x00c36400: return "ceph";
    case 0x0bd00bd0: return "lustre";
    case 0x47504653: return "gpfs";
    case 0x65735546: return "fuse";
    default: return NULL;
    }
}

static inline int64_t pl_file_system_magic(int fd)
{
    struct statfs info;
    return fstatfs(fd, &info) < 0 ? -(int64_t)errno : (int64_t)(uint32_t)info.f_type;
}

#endif
