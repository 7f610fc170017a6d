#define _GNU_SOURCE
#include "CPlatform.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

#define REPEAT(type, call)                           \
    type r;                                          \
    do r = (call);                                   \
    while (r < 0 && errno == EINTR);                 \
    return r < 0 ? -errno : r

_Static_assert(sizeof(struct sockaddr_storage) <= 128, "weir_address holds any address");

int weir_resolve(const char *host, uint16_t port, weir_address *addresses, int capacity) {
    char service[8];
    snprintf(service, sizeof service, "%u", port);
    struct addrinfo hints = {
        .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV, .ai_family = AF_UNSPEC};
    struct addrinfo *found = NULL;
    if (getaddrinfo(host, service, &hints, &found) != 0) return 0;
    int count = 0;
    for (struct addrinfo *a = found; a && count < capacity; a = a->ai_next) {
        if (a->ai_family != AF_INET && a->ai_family != AF_INET6) continue;
        weir_address *to = &addresses[count++];
        memset(to, 0, sizeof *to);
        memcpy(to->bytes, a->ai_addr, a->ai_addrlen);
        to->length = a->ai_addrlen;
        to->family = (uint32_t)a->ai_family;
    }
    freeaddrinfo(found);
    return count;
}

int weir_address_is_ipv6(const weir_address *address) { return address->family == AF_INET6; }

void weir_address_set_port(weir_address *address, uint16_t port) {
    if (address->family == AF_INET6)
        ((struct sockaddr_in6 *)(void *)address->bytes)->sin6_port = htons(port);
    else
        ((struct sockaddr_in *)(void *)address->bytes)->sin_port = htons(port);
}

uint16_t weir_address_port(const weir_address *address) {
    return ntohs(
        address->family == AF_INET6
            ? ((const struct sockaddr_in6 *)(const void *)address->bytes)->sin6_port
            : ((const struct sockaddr_in *)(const void *)address->bytes)->sin_port);
}

void weir_address_text(const weir_address *address, char *text) {
    char host[INET6_ADDRSTRLEN] = "?";
    int is6 = address->family == AF_INET6;
    const void *raw =
        is6 ? (const void *)&((const struct sockaddr_in6 *)(const void *)address->bytes)->sin6_addr
            : (const void *)&((const struct sockaddr_in *)(const void *)address->bytes)->sin_addr;
    inet_ntop(is6 ? AF_INET6 : AF_INET, raw, host, sizeof host);
    snprintf(
        text, WEIR_ADDRESS_TEXT_BYTES, is6 ? "[%s]:%u" : "%s:%u", host, weir_address_port(address));
}

static void set_flag(int descriptor, int level, int name) {
    int one = 1;
    // These tune the socket; one that lacks an option still works.
    (void)setsockopt(descriptor, level, name, &one, sizeof one);
}

int weir_listen(const weir_address *address, int backlog) {
    int descriptor =
        socket((int)address->family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (descriptor < 0) return -errno;
    set_flag(descriptor, SOL_SOCKET, SO_REUSEADDR);
    if (address->family == AF_INET6) set_flag(descriptor, IPPROTO_IPV6, IPV6_V6ONLY);
    if (bind(descriptor, (const struct sockaddr *)(const void *)address->bytes, address->length) < 0 ||
        listen(descriptor, backlog) < 0) {
        int code = errno;
        close(descriptor);
        return -code;
    }
    return descriptor;
}

static void take_name(weir_address *to, const struct sockaddr_storage *from, socklen_t length) {
    memset(to, 0, sizeof *to);
    memcpy(to->bytes, from, length < sizeof *from ? length : sizeof *from);
    to->length = length;
    to->family = from->ss_family;
}

int weir_local_address(int descriptor, weir_address *address) {
    struct sockaddr_storage name;
    socklen_t length = sizeof name;
    if (getsockname(descriptor, (struct sockaddr *)&name, &length) < 0) return -errno;
    take_name(address, &name, length);
    return 0;
}

int weir_accept_from(int listener, weir_address *peer) {
    struct sockaddr_storage name;
    memset(&name, 0, sizeof name);
    socklen_t length = sizeof name;
    int descriptor;
    do descriptor = accept4(
           listener, (struct sockaddr *)&name, &length, SOCK_NONBLOCK | SOCK_CLOEXEC);
    while (descriptor < 0 && errno == EINTR);
    if (descriptor < 0) return -errno;
    take_name(peer, &name, length);
    set_flag(descriptor, IPPROTO_TCP, TCP_NODELAY);
    set_flag(descriptor, SOL_SOCKET, SO_KEEPALIVE);
    return descriptor;
}

int weir_set_nonblocking(int descriptor) {
    int flags = fcntl(descriptor, F_GETFL);
    if (flags < 0) return -errno;
    return fcntl(descriptor, F_SETFL, flags | O_NONBLOCK) < 0 ? -errno : 0;
}

int weir_connect(const weir_address *address, int timeout_milliseconds) {
    int descriptor = socket((int)address->family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (descriptor < 0) return -errno;
    set_flag(descriptor, IPPROTO_TCP, TCP_NODELAY);
    // On Linux the send time limit also bounds connect, which then ends with EINPROGRESS.
    int r = weir_set_timeouts(descriptor, timeout_milliseconds);
    if (r == 0 &&
        connect(descriptor, (const struct sockaddr *)(const void *)address->bytes, address->length) < 0)
        r = errno == EINPROGRESS || errno == EAGAIN ? -ETIMEDOUT : -errno;
    if (r < 0) {
        close(descriptor);
        return r;
    }
    return descriptor;
}

int weir_set_timeouts(int descriptor, int milliseconds) {
    struct timeval t = {.tv_sec = milliseconds / 1000, .tv_usec = milliseconds % 1000 * 1000};
    if (setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof t) < 0) return -errno;
    if (setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &t, sizeof t) < 0) return -errno;
    return 0;
}

int64_t weir_receive(int descriptor, void *bytes, size_t count) {
    REPEAT(int64_t, recv(descriptor, bytes, count, 0));
}

int64_t weir_send(int descriptor, const void *bytes, size_t count) {
    REPEAT(int64_t, send(descriptor, bytes, count, MSG_NOSIGNAL));
}

int64_t weir_send_pieces(int descriptor, const struct iovec *pieces, int count, int more) {
    struct msghdr message = {.msg_iov = (struct iovec *)pieces, .msg_iovlen = (size_t)count};
    REPEAT(int64_t, sendmsg(descriptor, &message, MSG_NOSIGNAL | (more ? MSG_MORE : 0)));
}

int64_t weir_send_file(int descriptor, int file, int64_t position, size_t count) {
    off_t at = position;
    REPEAT(int64_t, sendfile(descriptor, file, &at, count));
}

int weir_shutdown_writes(int descriptor) {
    return shutdown(descriptor, SHUT_WR) < 0 ? -errno : 0;
}

int weir_poll(int descriptor, int events, int other, int timeout_milliseconds) {
    struct pollfd p[2] = {
        {.fd = descriptor, .events = (short)events}, {.fd = other, .events = POLLIN}};
    int n = poll(p, other < 0 ? 1 : 2, timeout_milliseconds);
    if (n < 0) return errno == EINTR ? 0 : -errno;
    return (p[0].revents ? 1 : 0) | (other >= 0 && p[1].revents ? 2 : 0);
}
