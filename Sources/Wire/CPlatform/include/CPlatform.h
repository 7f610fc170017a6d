// System calls and instructions that Swift's Glibc module lacks. Every function is a thin,
// blocking wrapper: it returns what the call returned, or -errno.
#ifndef WEIR_CPLATFORM_H
#define WEIR_CPLATFORM_H

#include <stddef.h>
#include <stdint.h>

#include "CPlatformFiles.h"
#include "CPlatformSockets.h"
#include "CPlatformThreads.h"

// CRC-32C (Castagnoli) of `length` bytes, continuing from `crc` (0 to begin).
// The standard check value of "123456789" is 0xE3069283.
uint32_t weir_crc32c(uint32_t crc, const void *bytes, size_t length);

// The first `byte` in `count` bytes, or NULL.
const void *weir_find_byte(const void *bytes, int byte, size_t count);

// What an errno means, in English; the text is static.
const char *weir_error_text(int code);

// epoll. `data` travels with the events unchanged.
typedef struct {
    uint32_t events;
    uint64_t data;
} weir_epoll_event;

enum {
    WEIR_EPOLL_IN = 0x001,
    WEIR_EPOLL_OUT = 0x004,
    WEIR_EPOLL_ERR = 0x008,
    WEIR_EPOLL_HUP = 0x010,
    WEIR_EPOLL_RDHUP = 0x2000,
};

int weir_epoll_create(void);
int weir_epoll_add(int epoll, int descriptor, uint32_t events, uint64_t data);
int weir_epoll_modify(int epoll, int descriptor, uint32_t events, uint64_t data);
int weir_epoll_remove(int epoll, int descriptor);
// Returns the number of events, or -errno (an interrupted wait returns 0 events).
int weir_epoll_wait(int epoll, weir_epoll_event *events, int capacity, int timeout_milliseconds);

int weir_eventfd_create(void);
int weir_eventfd_signal(int descriptor);
int weir_eventfd_drain(int descriptor);

// A non-blocking, close-on-exec connection from a listening socket.
int weir_accept(int listener);

// File system.
int weir_fallocate(int descriptor, int64_t offset, int64_t length);
int weir_fdatasync(int descriptor);
int weir_fsync(int descriptor);
// Sequential read-ahead is of no use for random page reads.
int weir_advise_random(int descriptor);
// Free bytes available to this process on the file system that holds `path`, or -errno.
int64_t weir_free_bytes(const char *path);
// Its size in bytes, and its type by the numbers of statfs(2), or -errno.
int64_t weir_total_bytes(const char *path);
int64_t weir_file_system_type(const char *path);
// 1 when somebody keeps the clock of the machine right (NTP, PTP), 0 when nobody does, or -errno.
int weir_clock_is_disciplined(void);

// Monotonic and wall-clock nanoseconds.
int64_t weir_monotonic_nanoseconds(void);
int64_t weir_wall_nanoseconds(void);
// Resident memory of this process in bytes; CPU time of this process in nanoseconds.
int64_t weir_resident_bytes(void);
int64_t weir_cpu_nanoseconds(void);
// Blocks of up to 8 MiB are reused instead of being given back and taken anew page by page: batches
// and pages are of that size, and come and go all the time.
void weir_keep_freed_memory(void);

#endif
