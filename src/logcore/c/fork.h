/* fork.h: a child must not keep its parent's proof of life.
 *
 * The lock on a slot's byte belongs to the open file, which fork() shares: while a child holds a
 * copy of the descriptor, a parent that was killed looks alive. So every state file that is open
 * stands in a table, and a pthread_atfork handler closes them all in the child (close is safe
 * there) and counts up: handles compare the count and open anew. A mapping is a reference to the
 * open file too, so the page is mapped by another one (shared.pyx). One module includes this file.
 * Source: fcntl(2), pthread_atfork(3). */
#ifndef LOGCORE_FORK_H
#define LOGCORE_FORK_H

#include <pthread.h>
#include <stdint.h>
#include <unistd.h>

enum { PL_FORK_TABLE_SIZE = 65536 };
static int32_t pl_fork_table[PL_FORK_TABLE_SIZE]; /* fd + 1, or 0: a free place */
static int32_t pl_fork_next_place;
static volatile uint32_t pl_fork_count;

static void pl_fork_close_files(void)
{
    for (int i = 0; i < PL_FORK_TABLE_SIZE; i++)
        if (pl_fork_table[i]) {
            close(pl_fork_table[i] - 1);
            pl_fork_table[i] = 0;
        }
    pl_fork_count++;
}

static inline void pl_fork_init(void) { pthread_atfork(NULL, NULL, pl_fork_close_files); }

/* Place of `fd` in the table, or -1 when it is full. With the GIL held. */
static inline int32_t pl_fork_register(int fd)
{
    for (int i = 0; i < PL_FORK_TABLE_SIZE; i++) {
        int32_t place = (pl_fork_next_place + i) % PL_FORK_TABLE_SIZE;
        if (pl_fork_table[place] == 0) {
            pl_fork_table[place] = fd + 1;
            pl_fork_next_place = place + 1;
            return place;
        }
    }
    return -1;
}

static inline void pl_fork_forget(int32_t place)
{
    if (place >= 0)
        pl_fork_table[place] = 0;
}

#endif
