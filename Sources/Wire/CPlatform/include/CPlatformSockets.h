// Stream sockets. Results are as in CPlatform.h: what the call returned, or -errno.
#ifndef WEIR_CPLATFORM_SOCKETS_H
#define WEIR_CPLATFORM_SOCKETS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

// A socket address of any family.
typedef struct {
    uint32_t length;
    uint32_t family;
    _Alignas(8) unsigned char bytes[128];
} weir_address;

enum { WEIR_ADDRESS_TEXT_BYTES = 80 };

// Resolves a host name or numeric address. Returns how many addresses were written; 0 = unknown
// host. `host` NULL = the wildcard addresses.
int weir_resolve(const char *host, uint16_t port, weir_address *addresses, int capacity);
int weir_address_is_ipv6(const weir_address *address);
void weir_address_set_port(weir_address *address, uint16_t port);
uint16_t weir_address_port(const weir_address *address);
// Writes `1.2.3.4:5` or `[::1]:5`, zero-terminated, into `text` of WEIR_ADDRESS_TEXT_BYTES.
void weir_address_text(const weir_address *address, char *text);

// A non-blocking, close-on-exec listening socket (SO_REUSEADDR; IPv6 sockets take IPv6 only).
int weir_listen(const weir_address *address, int backlog);
// The local address of a socket.
int weir_local_address(int descriptor, weir_address *address);
// A non-blocking, close-on-exec connection with TCP_NODELAY and keep-alive, and who it is.
int weir_accept_from(int listener, weir_address *peer);
// A blocking, close-on-exec connection with TCP_NODELAY, or -ETIMEDOUT, -ECONNREFUSED, ….
int weir_connect(const weir_address *address, int timeout_milliseconds);
// Reads and writes no longer wait. 0 or a negative errno.
int weir_set_nonblocking(int descriptor);
// Time limits of blocking reads and writes; 0 = none. They then end with -EAGAIN.
int weir_set_timeouts(int descriptor, int milliseconds);

// One attempt each, without a signal when the peer is gone; interrupted calls are repeated.
int64_t weir_receive(int descriptor, void *bytes, size_t count);
int64_t weir_send(int descriptor, const void *bytes, size_t count);
// `more`: further bytes follow at once, so a last, partly filled packet may wait for them.
int64_t weir_send_pieces(int descriptor, const struct iovec *pieces, int count, int more);
// Sends bytes of a file without bringing them into this process; 0 = the file ends before.
int64_t weir_send_file(int descriptor, int file, int64_t position, size_t count);
int weir_shutdown_writes(int descriptor);

// Waits until `descriptor` (or `other`, if not negative) has the events (WEIR_EPOLL_IN, _OUT; the
// numbers are poll's). Returns a mask: 1 = descriptor, 2 = other; 0 = time is up; -1 ms = forever.
int weir_poll(int descriptor, int events, int other, int timeout_milliseconds);

#endif
