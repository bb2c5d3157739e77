/* guard.h: reading a mapping that may lose its pages.
 *
 * When another process shortens a mapped file, or the disk cannot deliver a page, a load raises
 * SIGBUS and the process dies. Between pl_guard_enter and pl_guard_leave the signal comes back as
 * a return value instead. The code between must be plain C that owns nothing: no Python object, no
 * lock, no allocation. Other SIGBUS (a fault outside the guard) goes to the handler that was there
 * before. faulthandler and pytest replace handlers, so pl_guard_arm() is called before each use.
 *
 *   if (pl_guard_enter() == 0) { ...loads...; pl_guard_leave(); } else { ...lost pages... } */
#ifndef LOGCORE_GUARD_H
#define LOGCORE_GUARD_H

#include <setjmp.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>

static __thread sigjmp_buf pl_guard_jump;
static __thread volatile sig_atomic_t pl_guard_is_set;
static struct sigaction pl_guard_previous;

static void pl_guard_handler(int signal_number, siginfo_t *info, void *context)
{
    if (pl_guard_is_set) {
        pl_guard_is_set = 0;
        siglongjmp(pl_guard_jump, 1);
    }
    if (pl_guard_previous.sa_flags & SA_SIGINFO) {
        pl_guard_previous.sa_sigaction(signal_number, info, context);
    } else if (pl_guard_previous.sa_handler == SIG_DFL || pl_guard_previous.sa_handler == SIG_IGN) {
        signal(SIGBUS, SIG_DFL); /* the load is tried again, and ends the process as it should */
    } else {
        pl_guard_previous.sa_handler(signal_number);
    }
}

static inline void pl_guard_arm(void)
{
    struct sigaction current;
    sigaction(SIGBUS, NULL, &current);
    if ((current.sa_flags & SA_SIGINFO) && current.sa_sigaction == pl_guard_handler)
        return;
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_sigaction = pl_guard_handler;
    action.sa_flags = SA_SIGINFO | SA_NODEFER | SA_ONSTACK;
    sigemptyset(&action.sa_mask);
    pl_guard_previous = current;
    sigaction(SIGBUS, &action, NULL);
}

/* A macro: sigsetjmp must run in the frame that stays alive until pl_guard_leave. */
#define pl_guard_enter() (sigsetjmp(pl_guard_jump, 0) ? 1 : ((pl_guard_is_set = 1), 0))
#define pl_guard_leave() ((void)(pl_guard_is_set = 0))

/* memcpy out of a mapping: 0, or -1 when its pages are gone. */
static __attribute__((noinline)) int pl_guarded_copy(void *target, const void *source, size_t size)
{
    pl_guard_arm();
    if (pl_guard_enter())
        return -1;
    memcpy(target, source, size);
    __asm__ volatile("" ::: "memory"); /* the loads stay inside the guard */
    pl_guard_leave();
    return 0;
}

/* Run `body(argument)` under the guard: 0, or -1 when pages are gone. */
static __attribute__((noinline)) int pl_guarded_call(void (*body)(void *), void *argument)
{
    pl_guard_arm();
    if (pl_guard_enter())
        return -1;
    body(argument);
    __asm__ volatile("" ::: "memory");
    pl_guard_leave();
    return 0;
}

#endif
