// libmicrohttpd behind a narrow door: whole requests in, whole answers out, from any thread.
//
// libmicrohttpd's own interface is made of variadic calls and macros that Swift can't see, and it
// hands out a request in pieces. Here a request is handed over when its body is complete; its
// connection is suspended until `weir_http_respond` was called, so that no thread waits.
#ifndef WEIR_CMICROHTTPD_H
#define WEIR_CMICROHTTPD_H

#include <stddef.h>
#include <stdint.h>

typedef struct weir_http_server weir_http_server;
typedef struct weir_http_request weir_http_request;

// Called on a thread of the server with a complete request. The request stays valid until it was
// answered, which must happen exactly once.
typedef void (*weir_http_handler)(void *context, weir_http_request *request);

typedef struct {
    const char *name;
    const char *value;
} weir_http_pair;

// Listens on `address` (dotted IPv4) and `port` (0 = chosen by the system). NULL on failure with
// errno in `error`. Bodies beyond `body_limit` are answered with 413 and never handed over.
weir_http_server *weir_http_start(
    const char *address, uint16_t port, unsigned threads, size_t body_limit,
    unsigned connection_limit, weir_http_handler handler, void *context, int *error);

uint16_t weir_http_port(const weir_http_server *server);

// Stops accepting, waits up to `milliseconds` for open requests to be answered, then ends.
// Returns the number of requests that were still open.
unsigned weir_http_stop(weir_http_server *server, unsigned milliseconds);

const char *weir_http_method(const weir_http_request *request);
// The path, percent-decoded, without the query.
const char *weir_http_path(const weir_http_request *request);
// NULL when there is no such header.
const char *weir_http_header(const weir_http_request *request, const char *name);
const void *weir_http_body(const weir_http_request *request, size_t *count);
// Writes up to `capacity` query parameters (value NULL = given without '='), returns how many.
size_t weir_http_query(
    const weir_http_request *request, weir_http_pair *pairs, size_t capacity);

// Answers; `body` is copied. The request must not be used afterwards.
void weir_http_respond(
    weir_http_request *request, unsigned status, const void *body, size_t count,
    const weir_http_pair *headers, size_t header_count);

#endif
