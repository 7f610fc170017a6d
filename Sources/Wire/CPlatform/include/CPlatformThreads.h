// Threads and signals. Results are as in CPlatform.h: what the call returned, or -errno.
#ifndef WEIR_CPLATFORM_THREADS_H
#define WEIR_CPLATFORM_THREADS_H

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

// Starts a thread with `stack_bytes` of stack, all signals blocked, named `name` (15 bytes), its
// priority lowered by `nice`.
int weir_thread_start(
    pthread_t *thread, const char *name, size_t stack_bytes, int nice, void (*body)(void *),
    void *context);
int weir_thread_join(pthread_t thread);
int64_t weir_thread_id(void);
int weir_processors(void);

// A condition variable on the monotonic clock. `deadline_nanoseconds` of that clock, or INT64_MAX.
// Returns 0, or -ETIMEDOUT.
int weir_condition_init(pthread_cond_t *condition);
int weir_condition_wait(
    pthread_cond_t *condition, pthread_mutex_t *mutex, int64_t deadline_nanoseconds);

void weir_ignore_broken_pipes(void);
// Blocks SIGINT and SIGTERM, and SIGHUP if wanted, in this and later threads and delivers them
// through a descriptor.
int weir_signal_descriptor(int with_hangup);
// The number of the next delivered signal, or -errno (-EAGAIN = none).
int weir_next_signal(int descriptor);
void weir_sleep_nanoseconds(int64_t nanoseconds);

#endif
