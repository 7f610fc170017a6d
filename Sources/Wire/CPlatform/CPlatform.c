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
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/timex.h>
#include <time.h>
#include <unistd.h>

#if defined(__x86_64__)
#include <immintrin.h>

__attribute__((target("sse4.2"))) static uint32_t crc32c_words(
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

// Long inputs are folded: 128 bits that stand D bits before others may be replaced by the product
// of each of their halves with x^D modulo the polynomial, added to those others. Four registers of
// 512 bits go over the input side by side; what is left of them in the end, 128 bits, has the
// checksum of everything. The factors of a distance are {for the low half, for the high half} in
// the reflected order of bits that this checksum uses.
static uint64_t fold_2048[2], fold_512[2], fold_128[2];
static int can_fold;

// x^n modulo the polynomial, as a factor of a product without carries.
static uint64_t power_of_x(unsigned n) {
    uint32_t r = 0x80000000u;
    while (n--) r = r & 1 ? (r >> 1) ^ 0x82F63B78u : r >> 1;
    return (uint64_t)r << 1;
}

static void set_fold(uint64_t fold[2], unsigned distance) {
    fold[0] = power_of_x(distance + 32);
    fold[1] = power_of_x(distance - 32);
}

__attribute__((constructor)) static void prepare_folds(void) {
    set_fold(fold_2048, 2048);
    set_fold(fold_512, 512);
    set_fold(fold_128, 128);
    __builtin_cpu_init();
    can_fold = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
               __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("vpclmulqdq") &&
               __builtin_cpu_supports("pclmul") && __builtin_cpu_supports("sse4.2");
}

#define WITH_FOLDING __attribute__((target("sse4.2,pclmul,avx512f,avx512vl,avx512dq,vpclmulqdq")))

WITH_FOLDING static inline __m512i fold_wide(__m512i x, __m512i factors, __m512i next) {
    __m512i low = _mm512_clmulepi64_epi128(x, factors, 0x00);
    __m512i high = _mm512_clmulepi64_epi128(x, factors, 0x11);
    return _mm512_ternarylogic_epi64(low, high, next, 0x96);
}

WITH_FOLDING static inline __m128i fold_narrow(__m128i x, __m128i factors, __m128i next) {
    __m128i low = _mm_clmulepi64_si128(x, factors, 0x00);
    __m128i high = _mm_clmulepi64_si128(x, factors, 0x11);
    return _mm_xor_si128(_mm_xor_si128(low, high), next);
}

// Needs 256 bytes at least.
WITH_FOLDING static uint32_t crc32c_folded(uint32_t crc, const uint8_t *p, size_t n) {
    __m512i a = _mm512_loadu_si512(p), b = _mm512_loadu_si512(p + 64);
    __m512i c = _mm512_loadu_si512(p + 128), d = _mm512_loadu_si512(p + 192);
    a = _mm512_xor_si512(a, _mm512_zextsi128_si512(_mm_cvtsi32_si128((int)crc)));
    p += 256;
    n -= 256;
    __m512i factors = _mm512_broadcast_i32x4(_mm_loadu_si128((const __m128i *)fold_2048));
    while (n >= 256) {
        a = fold_wide(a, factors, _mm512_loadu_si512(p));
        b = fold_wide(b, factors, _mm512_loadu_si512(p + 64));
        c = fold_wide(c, factors, _mm512_loadu_si512(p + 128));
        d = fold_wide(d, factors, _mm512_loadu_si512(p + 192));
        p += 256;
        n -= 256;
    }
    factors = _mm512_broadcast_i32x4(_mm_loadu_si128((const __m128i *)fold_512));
    d = fold_wide(fold_wide(fold_wide(a, factors, b), factors, c), factors, d);
    __m128i narrow = _mm_loadu_si128((const __m128i *)fold_128);
    __m128i x = fold_narrow(
        _mm512_extracti32x4_epi32(d, 0), narrow, _mm512_extracti32x4_epi32(d, 1));
    x = fold_narrow(x, narrow, _mm512_extracti32x4_epi32(d, 2));
    x = fold_narrow(x, narrow, _mm512_extracti32x4_epi32(d, 3));
    uint64_t rest = _mm_crc32_u64(0, (uint64_t)_mm_extract_epi64(x, 0));
    rest = _mm_crc32_u64(rest, (uint64_t)_mm_extract_epi64(x, 1));
    return crc32c_words((uint32_t)rest, p, n);
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
    if (length >= 512 && can_fold) return ~crc32c_folded(c, p, length);
    if (__builtin_cpu_supports("sse4.2")) return ~crc32c_words(c, p, length);
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

int64_t weir_total_bytes(const char *path) {
    struct statvfs s;
    if (statvfs(path, &s) < 0) return -errno;
    return (int64_t)s.f_blocks * (int64_t)s.f_frsize;
}

int64_t weir_file_system_type(const char *path) {
    struct statfs s;
    if (statfs(path, &s) < 0) return -errno;
    return (int64_t)(uint32_t)s.f_type;
}

int weir_clock_is_disciplined(void) {
    struct timex t = {.modes = 0};
    int state = adjtimex(&t);
    if (state < 0) return -errno;
    return state != TIME_ERROR && !(t.status & STA_UNSYNC);
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

void weir_keep_freed_memory(void) {
    mallopt(M_MMAP_THRESHOLD, 8 << 20);
    mallopt(M_TOP_PAD, 4 << 20);
    mallopt(M_TRIM_THRESHOLD, 64 << 20);
}
