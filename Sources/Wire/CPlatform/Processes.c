#define _GNU_SOURCE
#include "CPlatform.h"

#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

int weir_child_start(char *const arguments[], char *const variables[], int output) {
    pid_t parent = getpid();
    pid_t child = fork();
    if (child < 0) return -errno;
    if (child > 0) return child;
    // Only calls that are safe between fork and exec of a process with threads.
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    // The parent may have ended before that was asked for.
    if (getppid() != parent) _exit(127);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    if (dup2(output, 1) < 0 || dup2(output, 2) < 0) _exit(127);
    execve("/proc/self/exe", arguments, variables);
    _exit(127);
}

int weir_child_signal(int child, int number) { return kill(child, number) < 0 ? -errno : 0; }

int weir_child_end(int child, int wait, int *outcome) {
    int status;
    pid_t r;
    do {
        r = waitpid(child, &status, wait ? 0 : WNOHANG);
    } while (r < 0 && errno == EINTR);
    if (r < 0) return -errno;
    if (r == 0) return 0;
    *outcome = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
    return 1;
}
