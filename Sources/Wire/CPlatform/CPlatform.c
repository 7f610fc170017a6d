#define _GNU_SOURCE
#include "CPlatform.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#if defined(__x86_64__)
#include <nmmintrin.h>

__attribute__((target("sse4.2"))) static uint32_t crc32c_hardware(
    uint32_t crc, const uint8_t *p, size_t n) {
    uint64_t c = crc;
    while (n >= 8) {
        uint64_t word;
        memcpy(&word, p, 8);
        c = _mm_crc32_u64(c, word);
        p += 8;
        n -= 8;
    }
    while (n--) c = _mm_crc32_u8((uint32_t)c, *p++);
    return (uint32_t)c;
}
#endif

static uint32_t crc32c_table[256];

__attribute__((constructor)) static void crc32c_fill_table(void) {
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t c = i;
        for (int k = 0; k < 8; k++) c = c & 1 ? (c >> 1) ^ 0x82F63B78u : c >> 1;
        crc32c_table[i] = c;
    }
}

uint32_t weir_crc32c(uint32_t crc, const void *bytes, size_t length) {
    const uint8_t *p = bytes;
    uint32_t c = ~crc;
#if defined(__x86_64__)
    if (__builtin_cpu_supports("sse4.2")) return ~crc32c_hardware(c, p, length);
#endif
    while (length--) c = crc32c_table[(c ^ *p++) & 0xFF] ^ (c >> 8);
    return ~c;
}

const void *weir_find_byte(const void *bytes, int byte, size_t count) {
    return memchr(bytes, byte, count);
}

const char *weir_error_text(int code) {
    const char *text = strerrordesc_np(code);
    return text ? text : "unknown error";
}

static int result(int r) { return r < 0 ? -errno : r; }

int weir_epoll_create(void) { return result(epoll_create1(EPOLL_CLOEXEC)); }

static int epoll_change(int epoll, int op, int descriptor, uint32_t events, uint64_t data) {
    struct epoll_event e = {.events = events, .data.u64 = data};
    return result(epoll_ctl(epoll, op, descriptor, &e));
}

int weir_epoll_add(int epoll, int descriptor, uint32_t events, uint64_t data) {
    return epoll_change(epoll, EPOLL_CTL_ADD, descriptor, events, data);
}

int weir_epoll_modify(int epoll, int descriptor, uint32_t events, uint64_t data) {
    return epoll_change(epoll, EPOLL_CTL_MOD, descriptor, events, data);
}

int weir_epoll_remove(int epoll, int descriptor) {
    return epoll_change(epoll, EPOLL_CTL_DEL, descriptor, 0, 0);
}

int weir_epoll_wait(int epoll, weir_epoll_event *events, int capacity, int timeout_milliseconds) {
    struct epoll_event raw[256];
    if (capacity > 256) capacity = 256;
    int n = epoll_wait(epoll, raw, capacity, timeout_milliseconds);
    if (n < 0) return errno == EINTR ? 0 : -errno;
    for (int i = 0; i < n; i++) {
        events[i].events = raw[i].events;
        events[i].data = raw[i].data.u64;
    }
    return n;
}

int weir_eventfd_create(void) { return result(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)); }

int weir_eventfd_signal(int descriptor) {
    uint64_t one = 1;
    return result((int)write(descriptor, &one, sizeof one));
}

int weir_eventfd_drain(int descriptor) {
    uint64_t count;
    return result((int)read(descriptor, &count, sizeof count));
}

int weir_accept(int listener) {
    return result(accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC));
}

int weir_fallocate(int descriptor, int64_t offset, int64_t length) {
    return result(fallocate(descriptor, 0, offset, length));
}

int weir_fdatasync(int descriptor) { return result(fdatasync(descriptor)); }
int weir_fsync(int descriptor) { return result(fsync(descriptor)); }

int weir_advise_random(int descriptor) {
    return -posix_fadvise(descriptor, 0, 0, POSIX_FADV_RANDOM);
}

int64_t weir_free_bytes(const char *path) {
    struct statvfs s;
    if (statvfs(path, &s) < 0) return -errno;
    return (int64_t)s.f_bavail * (int64_t)s.f_frsize;
}

static int64_t nanoseconds(clockid_t clock) {
    struct timespec t;
    clock_gettime(clock, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

int64_t weir_monotonic_nanoseconds(void) { return nanoseconds(CLOCK_MONOTONIC); }
int64_t weir_wall_nanoseconds(void) { return nanoseconds(CLOCK_REALTIME); }
int64_t weir_cpu_nanoseconds(void) { return nanoseconds(CLOCK_PROCESS_CPUTIME_ID); }

int64_t weir_resident_bytes(void) {
    FILE *f = fopen("/proc/self/statm", "r");
    if (!f) return -errno;
    long long total = 0, resident = 0;
    int n = fscanf(f, "%lld %lld", &total, &resident);
    fclose(f);
    return n == 2 ? resident * (int64_t)sysconf(_SC_PAGESIZE) : -1;
}

void weir_trim_heap(void) { malloc_trim(0); }
