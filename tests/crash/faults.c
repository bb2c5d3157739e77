/* faults.c: an LD_PRELOAD library that makes system calls on one folder fail, or writes them down.
 *
 * $FAULTS_FOLDER is the folder, $FAULTS_CONTROL a file that holds struct control: the test maps it
 * too, and switches faults on and off while the program runs. With $FAULTS_TRACE every call that
 * changes the folder is appended to that file, in order, with its bytes: power_cut.py builds from
 * it what a disk may hold after a power cut. The calls go to the kernel by syscall(2). */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

enum call {
    CALL_WRITE = 1,
    CALL_OPEN = 2,
    CALL_TRUNCATE = 4,
    CALL_SYNC = 8,
    CALL_MMAP = 16,
    CALL_RENAME = 32,
    CALL_UNLINK = 64,
    CALL_MKDIR = 128,
};

/* How a call that is due fails. */
enum way {
    WAY_BEFORE = 0, /* nothing was done */
    WAY_HALF = 1,   /* a write wrote half of its bytes, and the next one fails */
    WAY_KILL_BEFORE = 2,
    WAY_KILL_HALF = 3,
    WAY_KILL_AFTER = 4,
};

struct control {
    uint32_t calls;        /* enum call: those that count */
    int32_t error;
    int64_t countdown;     /* the call that brings it to 0 fails; 0 or less: none */
    int64_t failures_left; /* so many fail from there on */
    int64_t seen;          /* calls that counted */
    int64_t failed;
    int64_t syncs;         /* fdatasync and fsync that reached the kernel */
    uint32_t way;
    uint32_t is_on;
};

static struct control off;
static struct control *control = &off;
static char folder[PATH_MAX];
static size_t folder_size;
static int trace_fd = -1;
static pthread_mutex_t mutex = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;

__attribute__((constructor)) static void begin(void)
{
    const char *path = getenv("FAULTS_FOLDER"), *place = getenv("FAULTS_CONTROL");
    if (path == NULL || place == NULL)
        return;
    snprintf(folder, sizeof folder, "%s", path);
    folder_size = strlen(folder);
    int fd = (int)syscall(SYS_openat, AT_FDCWD, place, O_RDWR | O_CLOEXEC, 0);
    void *page = (void *)syscall(SYS_mmap, NULL, sizeof off, PROT_READ | PROT_WRITE, MAP_SHARED,
                                 fd, 0);
    syscall(SYS_close, fd);
    if (page == MAP_FAILED)
        _exit(99);
    control = page;
    const char *trace = getenv("FAULTS_TRACE");
    if (trace != NULL)
        trace_fd = (int)syscall(SYS_openat, AT_FDCWD, trace,
                                O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

static int is_ours(const char *path)
{
    return folder_size > 0 && strncmp(path, folder, folder_size) == 0
        && (path[folder_size] == '/' || path[folder_size] == 0);
}

/* The path that a descriptor stands for, "" when it is not in the folder. */
static const char *path_of(int fd, char *path)
{
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t size = syscall(SYS_readlinkat, AT_FDCWD, link, path, PATH_MAX - 1);
    path[size < 0 ? 0 : size] = 0;
    return is_ours(path) ? path : (path[0] = 0, path);
}

static const char *path_at(int directory, const char *name, char *path)
{
    char base[PATH_MAX];
    int size = -1;
    if (folder_size > 0 && (name[0] == '/' || directory == AT_FDCWD))
        size = snprintf(path, PATH_MAX, "%s", name);
    else if (folder_size > 0 && path_of(directory, base)[0])
        size = snprintf(path, PATH_MAX, "%s/%s", base, name);
    if (size < 0 || size >= PATH_MAX)
        path[0] = 0;
    return is_ours(path) ? path : (path[0] = 0, path);
}

/* 1 when the call is to fail now. */
static int is_due(enum call call)
{
    int due = 0;
    if (!(control->calls & call) || !control->is_on)
        return 0;
    pthread_mutex_lock(&mutex);
    control->seen++;
    if (control->countdown > 0 && --control->countdown > 0) {
        due = 0;
    } else if (control->countdown == 0 && control->failures_left > 0) {
        control->failures_left--;
        control->failed++;
        due = 1;
    }
    pthread_mutex_unlock(&mutex);
    if (due && control->way == WAY_KILL_BEFORE)
        syscall(SYS_kill, getpid(), 9);
    return due && control->way != WAY_KILL_AFTER;
}

static void after(int64_t failed_before)
{
    if (control->way == WAY_KILL_AFTER && control->failed != failed_before)
        syscall(SYS_kill, getpid(), 9);
}

static long fail(void)
{
    errno = control->error;
    return -1;
}

static void note(char kind, const char *path, const char *other, int64_t position,
                 const void *data, size_t size)
{
    char head[4096 * 2 + 128];
    if (trace_fd < 0)
        return;
    int count = snprintf(head, sizeof head, "%c %zu %zu %lld %zu\n%s%s", kind, strlen(path),
                         strlen(other), (long long)position, size, path, other);
    syscall(SYS_write, trace_fd, head, (size_t)count);
    if (size)
        syscall(SYS_write, trace_fd, data, size);
}

/* What the program says of itself: called through ctypes. */
__attribute__((visibility("default"))) void faults_note(int64_t number)
{
    pthread_mutex_lock(&mutex);
    note('n', "", "", number, "", 0);
    pthread_mutex_unlock(&mutex);
}

/* ---- write ---- */

static ssize_t do_write(int fd, const void *data, size_t size, off_t position, int at)
{
    char path[PATH_MAX];
    int64_t failed = control->failed;
    if (folder_size == 0 || (trace_fd < 0 && !control->is_on) || !path_of(fd, path)[0])
        return at ? syscall(SYS_pwrite64, fd, data, size, position)
                  : syscall(SYS_write, fd, data, size);
    if (is_due(CALL_WRITE)) {
        if ((control->way == WAY_HALF || control->way == WAY_KILL_HALF) && size > 1) {
            ssize_t done = at ? syscall(SYS_pwrite64, fd, data, size / 2, position)
                              : syscall(SYS_write, fd, data, size / 2);
            if (control->way == WAY_KILL_HALF)
                syscall(SYS_kill, getpid(), 9);
            control->failures_left++;
            control->way = WAY_BEFORE;
            return done;
        }
        return fail();
    }
    pthread_mutex_lock(&mutex);
    off_t place = at ? position : lseek(fd, 0, SEEK_CUR);
    ssize_t done = at ? syscall(SYS_pwrite64, fd, data, size, position)
                      : syscall(SYS_write, fd, data, size);
    if (done > 0)
        note('w', path, "", place, data, (size_t)done);
    pthread_mutex_unlock(&mutex);
    after(failed);
    return done;
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t position)
{
    return do_write(fd, data, size, position, 1);
}
ssize_t pwrite64(int fd, const void *data, size_t size, off_t position)
{
    return do_write(fd, data, size, position, 1);
}
ssize_t write(int fd, const void *data, size_t size)
{
    return do_write(fd, data, size, 0, 0);
}

/* ---- open ---- */

static int do_open(int directory, const char *name, int flags, int mode)
{
    char path[PATH_MAX];
    int64_t failed = control->failed;
    struct stat status;
    if (folder_size == 0 || (trace_fd < 0 && !control->is_on) || !path_at(directory, name, path)[0])
        return (int)syscall(SYS_openat, directory, name, flags, mode);
    if (is_due(CALL_OPEN))
        return (int)fail();
    pthread_mutex_lock(&mutex);
    int existed = syscall(SYS_newfstatat, AT_FDCWD, path, &status, 0) == 0;
    int fd = (int)syscall(SYS_openat, directory, name, flags, mode);
    if (fd >= 0 && !existed)
        note('c', path, "", 0, "", 0);
    else if (fd >= 0 && (flags & O_TRUNC))
        note('t', path, "", 0, "", 0);
    pthread_mutex_unlock(&mutex);
    after(failed);
    return fd;
}

#define MODE_OF(flags, last) \
    int mode = 0; \
    if ((flags) & (O_CREAT | O_TMPFILE)) { \
        va_list list; \
        va_start(list, last); \
        mode = va_arg(list, int); \
        va_end(list); \
    }

int open(const char *name, int flags, ...)
{
    MODE_OF(flags, flags)
    return do_open(AT_FDCWD, name, flags, mode);
}
int open64(const char *name, int flags, ...)
{
    MODE_OF(flags, flags)
    return do_open(AT_FDCWD, name, flags, mode);
}
int openat(int directory, const char *name, int flags, ...)
{
    MODE_OF(flags, flags)
    return do_open(directory, name, flags, mode);
}
int openat64(int directory, const char *name, int flags, ...)
{
    MODE_OF(flags, flags)
    return do_open(directory, name, flags, mode);
}

/* ---- truncate ---- */

static int do_truncate(int fd, const char *name, off_t size)
{
    char path[PATH_MAX];
    int64_t failed = control->failed;
    const char *found = fd >= 0 ? path_of(fd, path) : path_at(AT_FDCWD, name, path);
    if (found[0] && is_due(CALL_TRUNCATE))
        return (int)fail();
    pthread_mutex_lock(&mutex);
    int status = fd >= 0 ? (int)syscall(SYS_ftruncate, fd, size)
                         : (int)syscall(SYS_truncate, name, size);
    if (status == 0 && found[0])
        note('t', path, "", size, "", 0);
    pthread_mutex_unlock(&mutex);
    if (found[0])
        after(failed);
    return status;
}

int ftruncate(int fd, off_t size) { return do_truncate(fd, NULL, size); }
int ftruncate64(int fd, off_t size) { return do_truncate(fd, NULL, size); }
int truncate(const char *name, off_t size) { return do_truncate(-1, name, size); }
int truncate64(const char *name, off_t size) { return do_truncate(-1, name, size); }

/* ---- sync ---- */

static int do_sync(long number, int fd)
{
    char path[PATH_MAX];
    int64_t failed = control->failed;
    const char *found = path_of(fd, path);
    if (found[0] && is_due(CALL_SYNC))
        return (int)fail();
    pthread_mutex_lock(&mutex);
    int status = (int)syscall(number, fd);
    if (status == 0 && found[0]) {
        control->syncs++;
        note('s', path, "", 0, "", 0);
    }
    pthread_mutex_unlock(&mutex);
    if (found[0])
        after(failed);
    return status;
}

int fdatasync(int fd) { return do_sync(SYS_fdatasync, fd); }
int fsync(int fd) { return do_sync(SYS_fsync, fd); }

/* ---- mmap ---- */

static void *do_mmap(void *address, size_t size, int protection, int flags, int fd, off_t position)
{
    char path[PATH_MAX];
    int64_t failed = control->failed;
    int found = fd >= 0 && control->is_on && path_of(fd, path)[0];
    if (found && is_due(CALL_MMAP))
        return fail(), MAP_FAILED;
    void *place = (void *)syscall(SYS_mmap, address, size, protection, flags, fd, position);
    if (found)
        after(failed);
    return place;
}

void *mmap(void *address, size_t size, int protection, int flags, int fd, off_t position)
{
    return do_mmap(address, size, protection, flags, fd, position);
}
void *mmap64(void *address, size_t size, int protection, int flags, int fd, off_t position)
{
    return do_mmap(address, size, protection, flags, fd, position);
}

/* ---- names ---- */

static int do_rename(long number, const char *from, const char *to, enum call call, char kind)
{
    char path[PATH_MAX], other[PATH_MAX];
    int64_t failed = control->failed;
    int found = path_at(AT_FDCWD, from, path)[0] && path_at(AT_FDCWD, to, other)[0];
    if (found && is_due(call))
        return (int)fail();
    pthread_mutex_lock(&mutex);
    int status = (int)syscall(number, from, to);
    if (status == 0 && found)
        note(kind, path, other, 0, "", 0);
    pthread_mutex_unlock(&mutex);
    if (found)
        after(failed);
    return status;
}

int rename(const char *from, const char *to)
{
    return do_rename(SYS_rename, from, to, CALL_RENAME, 'r');
}
int link(const char *from, const char *to)
{
    return do_rename(SYS_link, from, to, CALL_RENAME, 'l');
}

static int do_unlink(int directory, const char *name, int flags)
{
    char path[PATH_MAX];
    int64_t failed = control->failed;
    int found = path_at(directory, name, path)[0];
    if (found && is_due(CALL_UNLINK))
        return (int)fail();
    pthread_mutex_lock(&mutex);
    int status = (int)syscall(SYS_unlinkat, directory, name, flags);
    if (status == 0 && found)
        note('u', path, "", 0, "", 0);
    pthread_mutex_unlock(&mutex);
    if (found)
        after(failed);
    return status;
}

int unlink(const char *name) { return do_unlink(AT_FDCWD, name, 0); }
int unlinkat(int directory, const char *name, int flags) { return do_unlink(directory, name, flags); }
int rmdir(const char *name) { return do_unlink(AT_FDCWD, name, AT_REMOVEDIR); }

int mkdir(const char *name, mode_t mode)
{
    char path[PATH_MAX];
    int64_t failed = control->failed;
    int found = path_at(AT_FDCWD, name, path)[0];
    if (found && is_due(CALL_MKDIR))
        return (int)fail();
    pthread_mutex_lock(&mutex);
    int status = (int)syscall(SYS_mkdirat, AT_FDCWD, name, mode);
    if (status == 0 && found)
        note('m', path, "", 0, "", 0);
    pthread_mutex_unlock(&mutex);
    if (found)
        after(failed);
    return status;
}
