/* write_paths.c: what the ways to append to a file cost, one way a run.
 *
 *   write_paths cost  FILE pwrite|mmap BATCH_BYTES COUNT       ns of processor time a batch
 *   write_paths sync  FILE grow|reserve|zeros BATCH_BYTES COUNT   median us of write + fdatasync
 *   write_paths full  FILE pwrite|mmap                         fill the file system, a MiB at a time
 *
 * grow: the file ends at its last byte. reserve: fallocate with KEEP_SIZE, blocks ahead of the end.
 * zeros: the whole file was written with zeros and synced before. write_paths.py runs them all. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static int64_t now_ns(clockid_t clock)
{
    struct timespec at;
    clock_gettime(clock, &at);
    return (int64_t)at.tv_sec * 1000000000 + at.tv_nsec;
}

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static int compare(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static int open_new(const char *path)
{
    unlink(path);
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        die(path);
    return fd;
}

static void cost(const char *path, int maps, size_t size, long count)
{
    int fd = open_new(path);
    char *batch = malloc(size), *map = NULL;
    memset(batch, 'x', size);
    if (maps) {
        if (ftruncate(fd, (off_t)(size * count)) != 0)
            die("ftruncate");
        map = mmap(NULL, size * count, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (map == MAP_FAILED)
            die("mmap");
    }
    int64_t start = now_ns(CLOCK_PROCESS_CPUTIME_ID);
    for (long i = 0; i < count; i++) {
        if (maps)
            memcpy(map + size * i, batch, size);
        else if (pwrite(fd, batch, size, (off_t)(size * i)) != (ssize_t)size)
            die("pwrite");
    }
    printf("%.1f\n", (double)(now_ns(CLOCK_PROCESS_CPUTIME_ID) - start) / count);
    unlink(path);
}

static void sync_each(const char *path, const char *way, size_t size, long count)
{
    int fd = open_new(path);
    char *batch = malloc(size);
    int64_t *took = malloc(sizeof *took * count);
    memset(batch, 'x', size);
    if (strcmp(way, "reserve") == 0
        && fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, (off_t)(size * count)) != 0)
        die("fallocate");
    if (strcmp(way, "zeros") == 0) {
        char *zeros = calloc(1, size);
        for (long i = 0; i < count; i++)
            if (pwrite(fd, zeros, size, (off_t)(size * i)) != (ssize_t)size)
                die("pwrite");
    }
    if (fsync(fd) != 0)
        die("fsync");
    for (long i = 0; i < count; i++) {
        int64_t start = now_ns(CLOCK_MONOTONIC);
        if (pwrite(fd, batch, size, (off_t)(size * i)) != (ssize_t)size || fdatasync(fd) != 0)
            die("append");
        took[i] = now_ns(CLOCK_MONOTONIC) - start;
    }
    qsort(took, count, sizeof *took, compare);
    printf("%.1f\n", took[count / 2] / 1000.0);
    unlink(path);
}

static void fill(const char *path, int maps)
{
    enum { SIZE = 1 << 20, COUNT = 64 };
    int fd = open_new(path);
    static char batch[SIZE];
    memset(batch, 'x', SIZE);
    char *map = NULL;
    if (maps) {
        if (ftruncate(fd, (off_t)SIZE * COUNT) != 0)
            die("ftruncate");
        map = mmap(NULL, (size_t)SIZE * COUNT, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (map == MAP_FAILED)
            die("mmap");
    }
    for (long i = 0; i < COUNT; i++) {
        if (maps) {
            memcpy(map + (size_t)SIZE * i, batch, SIZE);
        } else if (pwrite(fd, batch, SIZE, (off_t)SIZE * i) != SIZE) {
            if (pwrite(fd, batch, SIZE, (off_t)SIZE * i + SIZE) < 0)
                printf("%s\n", strerror(errno));
            return;
        }
    }
    printf("never full\n");
}

int main(int count, char **words)
{
    if (count == 6 && strcmp(words[1], "cost") == 0)
        cost(words[2], strcmp(words[3], "mmap") == 0, strtoul(words[4], NULL, 10),
             strtol(words[5], NULL, 10));
    else if (count == 6 && strcmp(words[1], "sync") == 0)
        sync_each(words[2], words[3], strtoul(words[4], NULL, 10), strtol(words[5], NULL, 10));
    else if (count == 4 && strcmp(words[1], "full") == 0)
        fill(words[2], strcmp(words[3], "mmap") == 0);
    else
        return 2;
    return 0;
}
