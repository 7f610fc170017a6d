#define _GNU_SOURCE
#include "CPlatform.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define REPEAT(type, call)                           \
    type r;                                          \
    do r = (call);                                   \
    while (r < 0 && errno == EINTR);                 \
    return r < 0 ? -errno : r

static int result(int r) { return r < 0 ? -errno : r; }

int weir_make_directory(const char *path) {
    int r = mkdir(path, 0750);
    return r < 0 && errno != EEXIST ? -errno : 0;
}

int weir_open_directory(const char *path) { return weir_open_directory_at(AT_FDCWD, path); }

int weir_open_directory_at(int directory, const char *path) {
    REPEAT(int, openat(directory, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

int weir_open_at(int directory, const char *path, int create) {
    int flags = O_RDWR | O_CLOEXEC | (create ? O_CREAT | O_EXCL : 0);
    REPEAT(int, openat(directory, path, flags, 0640));
}

int weir_open_read_at(int directory, const char *path) {
    REPEAT(int, openat(directory, path, O_RDONLY | O_CLOEXEC));
}

int weir_open_locked_at(int directory, const char *path) {
    int descriptor = openat(directory, path, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
    if (descriptor < 0) return -errno;
    if (flock(descriptor, LOCK_EX | LOCK_NB) < 0) {
        int code = errno;
        close(descriptor);
        return -code;
    }
    char text[32];
    int length = snprintf(text, sizeof text, "%d\n", (int)getpid());
    // Whose lock it is, for people; nobody decides by it, so a failure does not matter.
    if (ftruncate(descriptor, 0) < 0 || pwrite(descriptor, text, (size_t)length, 0) < 0) errno = 0;
    return descriptor;
}

int weir_close(int descriptor) { return result(close(descriptor)); }

int weir_facts_at(int directory, const char *path, weir_file_facts *facts) {
    struct stat s;
    if (fstatat(directory, path, &s, 0) < 0) return -errno;
    facts->size = s.st_size;
    facts->modified_milliseconds =
        (int64_t)s.st_mtim.tv_sec * 1000 + s.st_mtim.tv_nsec / 1000000;
    facts->is_directory = S_ISDIR(s.st_mode);
    facts->is_file = S_ISREG(s.st_mode);
    return 0;
}

int64_t weir_file_size(int descriptor) {
    struct stat s;
    return fstat(descriptor, &s) < 0 ? -errno : s.st_size;
}

int weir_make_directory_at(int directory, const char *path) {
    return result(mkdirat(directory, path, 0750));
}

int weir_unlink_at(int directory, const char *path) {
    return result(unlinkat(directory, path, 0));
}

int weir_remove_directory_at(int directory, const char *path) {
    return result(unlinkat(directory, path, AT_REMOVEDIR));
}

int weir_rename_at(int directory, const char *source, const char *target) {
    return result(renameat(directory, source, directory, target));
}

int weir_link_at(int directory, const char *source, const char *target) {
    return result(linkat(directory, source, directory, target, 0));
}

int weir_truncate(int descriptor, int64_t size) { REPEAT(int, ftruncate(descriptor, size)); }

int64_t weir_free_bytes_at(int directory) {
    struct statvfs s;
    if (fstatvfs(directory, &s) < 0) return -errno;
    return (int64_t)s.f_bavail * (int64_t)s.f_frsize;
}

int64_t weir_total_bytes_at(int directory) {
    struct statvfs s;
    if (fstatvfs(directory, &s) < 0) return -errno;
    return (int64_t)s.f_blocks * (int64_t)s.f_frsize;
}

int64_t weir_read_at(int descriptor, void *bytes, size_t count, int64_t position) {
    REPEAT(int64_t, pread(descriptor, bytes, count, position));
}

int64_t weir_write_at(int descriptor, const struct iovec *pieces, int count, int64_t position) {
    REPEAT(int64_t, pwritev(descriptor, pieces, count, position));
}

void *weir_map(int descriptor, int64_t position, size_t count) {
    size_t before = (size_t)position & ((size_t)sysconf(_SC_PAGESIZE) - 1);
    void *base = mmap(
        NULL, count + before, PROT_READ, MAP_SHARED, descriptor, position - (int64_t)before);
    return base == MAP_FAILED ? NULL : (char *)base + before;
}

void weir_unmap(void *base, size_t count) {
    size_t before = (uintptr_t)base & ((size_t)sysconf(_SC_PAGESIZE) - 1);
    munmap((char *)base - before, count + before);
}

int64_t weir_read(int descriptor, void *bytes, size_t count) {
    REPEAT(int64_t, read(descriptor, bytes, count));
}

int64_t weir_write(int descriptor, const void *bytes, size_t count) {
    REPEAT(int64_t, write(descriptor, bytes, count));
}

int weir_list_at(
    int directory, const char *path, const char *name, void *context,
    void (*visit)(void *context, const char *name)) {
    int descriptor = weir_open_directory_at(directory, path);
    if (descriptor < 0) return descriptor;
    DIR *stream = fdopendir(descriptor);
    if (!stream) {
        int code = errno;
        close(descriptor);
        return -code;
    }
    int code = 0;
    for (;;) {
        errno = 0;
        struct dirent *entry = readdir(stream);
        if (!entry) {
            code = errno;
            break;
        }
        if (strcmp(entry->d_name, name) > 0 && strcmp(entry->d_name, ".") != 0 &&
            strcmp(entry->d_name, "..") != 0)
            visit(context, entry->d_name);
    }
    closedir(stream);
    return -code;
}

int weir_random_bytes(void *bytes, size_t count) {
    unsigned char *at = bytes;
    while (count > 0) {
        ssize_t n = getrandom(at, count, 0);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return -errno;
        at += n;
        count -= (size_t)n;
    }
    return 0;
}

int64_t weir_raise_descriptor_limit(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0) return -errno;
    if (limit.rlim_cur < limit.rlim_max) {
        struct rlimit raised = {.rlim_cur = limit.rlim_max, .rlim_max = limit.rlim_max};
        if (setrlimit(RLIMIT_NOFILE, &raised) == 0) limit = raised;
    }
    return limit.rlim_cur == RLIM_INFINITY ? INT64_MAX : (int64_t)limit.rlim_cur;
}

int weir_is_terminal(int descriptor) { return isatty(descriptor); }

int weir_terminal_columns(int descriptor) {
    struct winsize size;
    if (ioctl(descriptor, TIOCGWINSZ, &size) < 0) return -errno;
    return size.ws_col;
}
