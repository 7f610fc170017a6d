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
// The numbers of the processors that the process may run on, lowest first, at most `room` of them.
// Returns how many.
int weir_processor_numbers(int *numbers, int room);
// From now on the thread runs on these processors only. Returns 0 or -errno.
int weir_thread_restrict(int64_t thread, const int *numbers, int count);

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

// Processes: more of this program, as children of the thread that starts them.

// Runs this program again with these arguments and variables, both ended by NULL, its outputs going to
// `output`. It gets a process group of its own, and is killed when the thread that started it ends,
// however that happens. Returns its number, or -errno.
int weir_child_start(char *const arguments[], char *const variables[], int output);
int weir_child_signal(int child, int number);
// 1 when it has ended: `outcome` is its exit code, or the negative number of the signal that ended it.
// 0 when it runs and nobody wants to wait.
int weir_child_end(int child, int wait, int *outcome);

#endif
