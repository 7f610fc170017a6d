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

// An answer in pieces, chunk by chunk, as long as the client takes them.
typedef struct weir_http_stream weir_http_stream;

// Called when more bytes are wanted: once, until the stream was fed again. Must not block.
typedef void (*weir_http_wants)(void *context);
// Called once, when the answer was sent or the client has gone. Nothing is called afterwards.
typedef void (*weir_http_gone)(void *context);

// Begins an answer in pieces in place of weir_http_respond. The caller feeds the first piece without
// being asked, and releases the stream when `gone` was called and it feeds no more. NULL without
// memory; the request is then still to be answered.
weir_http_stream *weir_http_respond_stream(
    weir_http_request *request, unsigned status, const weir_http_pair *headers,
    size_t header_count, weir_http_wants wants, weir_http_gone gone, void *context);

// Copies a piece. Not 0: nobody takes it.
int weir_http_stream_feed(weir_http_stream *stream, const void *bytes, size_t count);

// Nothing more comes. With `failed` the connection is cut, so that the client sees that the answer
// is not whole; else a trailer may follow.
void weir_http_stream_finish(
    weir_http_stream *stream, int failed, const char *trailer_name, const char *trailer_value);
void weir_http_stream_release(weir_http_stream *stream);

// Whether the client has closed the connection. For requests that were not answered yet, and for
// streams before `gone`.
int weir_http_is_gone(const weir_http_request *request);

#endif
