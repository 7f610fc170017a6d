#define _GNU_SOURCE
#include "CPlatform.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

struct start {
    void (*body)(void *);
    void *context;
    char name[16];
    int nice;
};

static void *thread_main(void *raw) {
    struct start s = *(struct start *)raw;
    free(raw);
    pthread_setname_np(pthread_self(), s.name);
    // On Linux the niceness belongs to the thread. Without the right to change it work goes on.
    if (s.nice != 0) (void)setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), s.nice);
    s.body(s.context);
    return NULL;
}

int weir_thread_start(
    pthread_t *thread, const char *name, size_t stack_bytes, int nice, void (*body)(void *),
    void *context) {
    struct start *s = malloc(sizeof *s);
    if (!s) return -ENOMEM;
    s->body = body;
    s->context = context;
    s->nice = nice;
    strncpy(s->name, name, sizeof s->name - 1);
    s->name[sizeof s->name - 1] = 0;
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, stack_bytes);
    // Signals go to the descriptor of weir_signal_descriptor, never to a working thread; faults
    // of the thread itself stay with it.
    sigset_t all, before;
    sigfillset(&all);
    const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS};
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) sigdelset(&all, faults[i]);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int r = pthread_create(thread, &attributes, thread_main, s);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    if (r != 0) free(s);
    return -r;
}

int weir_thread_join(pthread_t thread) { return -pthread_join(thread, NULL); }
int64_t weir_thread_id(void) { return syscall(SYS_gettid); }

int weir_processors(void) {
    // Those that the process may run on: a container often has fewer than the machine.
    cpu_set_t own;
    if (sched_getaffinity(0, sizeof own, &own) == 0) return CPU_COUNT(&own);
    long n = sysconf(_SC_NPROCESSORS_ONLN);
    return n < 1 ? 1 : (int)n;
}

int weir_processor_numbers(int *numbers, int room) {
    cpu_set_t own;
    if (sched_getaffinity(0, sizeof own, &own) != 0) return -errno;
    int count = 0;
    for (int n = 0; n < CPU_SETSIZE && count < room; n++) {
        if (CPU_ISSET(n, &own)) numbers[count++] = n;
    }
    return count;
}

int weir_thread_restrict(int64_t thread, const int *numbers, int count) {
    cpu_set_t set;
    CPU_ZERO(&set);
    for (int i = 0; i < count; i++) {
        if (numbers[i] >= 0 && numbers[i] < CPU_SETSIZE) CPU_SET(numbers[i], &set);
    }
    return sched_setaffinity((pid_t)thread, sizeof set, &set) == 0 ? 0 : -errno;
}

int weir_condition_init(pthread_cond_t *condition) {
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    int r = pthread_cond_init(condition, &attributes);
    pthread_condattr_destroy(&attributes);
    return -r;
}

int weir_condition_wait(
    pthread_cond_t *condition, pthread_mutex_t *mutex, int64_t deadline_nanoseconds) {
    if (deadline_nanoseconds == INT64_MAX) return -pthread_cond_wait(condition, mutex);
    if (deadline_nanoseconds < 0) deadline_nanoseconds = 0;
    struct timespec t = {
        .tv_sec = deadline_nanoseconds / 1000000000, .tv_nsec = deadline_nanoseconds % 1000000000};
    return -pthread_cond_timedwait(condition, mutex, &t);
}

void weir_ignore_broken_pipes(void) { signal(SIGPIPE, SIG_IGN); }

int weir_signal_descriptor(int with_hangup) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    if (with_hangup) sigaddset(&set, SIGHUP);
    int r = pthread_sigmask(SIG_BLOCK, &set, NULL);
    if (r != 0) return -r;
    int descriptor = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    return descriptor < 0 ? -errno : descriptor;
}

int weir_next_signal(int descriptor) {
    struct signalfd_siginfo info;
    ssize_t n = read(descriptor, &info, sizeof info);
    return n < 0 ? -errno : (int)info.ssi_signo;
}

void weir_sleep_nanoseconds(int64_t nanoseconds) {
    if (nanoseconds <= 0) return;
    struct timespec t = {
        .tv_sec = nanoseconds / 1000000000, .tv_nsec = nanoseconds % 1000000000};
    while (clock_nanosleep(CLOCK_MONOTONIC, 0, &t, &t) == EINTR) {
    }
}
