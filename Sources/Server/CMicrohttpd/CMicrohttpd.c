#define _GNU_SOURCE
#include "CMicrohttpd.h"

#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

struct weir_http_server {
    struct MHD_Daemon *daemon;
    weir_http_handler handler;
    void *context;
    size_t body_limit;
    uint16_t port;
    atomic_uint open_requests;
};

struct weir_http_request {
    weir_http_server *server;
    struct MHD_Connection *connection;
    char *method;
    char *path;
    char *body;
    size_t count;
    size_t capacity;
    int too_large;
    int handed_over;
    struct MHD_Response *response;
    unsigned status;
    weir_http_stream *stream;
};

// An answer whose body comes while it is sent. Two hold it: the request, until it is completed, and
// who feeds it, until weir_http_stream_release.
struct weir_http_stream {
    pthread_mutex_t lock;
    weir_http_server *server;
    struct MHD_Connection *connection;
    struct MHD_Response *response;
    weir_http_wants wants;
    weir_http_gone gone;
    void *context;
    char *data;
    size_t start;
    size_t count;
    size_t capacity;
    int holders;
    int asked;
    int suspended;
    int finished;
    int failed;
    int is_gone;
    char *trailer_name;
    char *trailer_value;
};

// Fewer bytes than these waiting: more are asked for.
enum { STREAM_LOW = 256 << 10 };

static void release_stream(weir_http_stream *stream) {
    pthread_mutex_lock(&stream->lock);
    int left = --stream->holders;
    pthread_mutex_unlock(&stream->lock);
    if (left > 0) return;
    pthread_mutex_destroy(&stream->lock);
    free(stream->data);
    free(stream->trailer_name);
    free(stream->trailer_value);
    free(stream);
}

void weir_http_stream_release(weir_http_stream *stream) { release_stream(stream); }

static enum MHD_Result queue_text(
    struct MHD_Connection *connection, unsigned status, const char *text) {
    struct MHD_Response *response = MHD_create_response_from_buffer(
        strlen(text), (void *)text, MHD_RESPMEM_PERSISTENT);
    if (!response) return MHD_NO;
    MHD_add_response_header(response, "Content-Type", "application/problem+json");
    enum MHD_Result queued = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return queued;
}

static int append_body(weir_http_request *request, const char *data, size_t count) {
    if (request->too_large) return 0;
    if (count > request->server->body_limit - request->count) {
        request->too_large = 1;
        free(request->body);
        request->body = NULL;
        request->count = request->capacity = 0;
        return 0;
    }
    if (request->count + count > request->capacity) {
        size_t capacity = request->capacity ? request->capacity * 2 : 4096;
        while (capacity < request->count + count) capacity *= 2;
        char *larger = realloc(request->body, capacity);
        if (!larger) return -1;
        request->body = larger;
        request->capacity = capacity;
    }
    memcpy(request->body + request->count, data, count);
    request->count += count;
    return 0;
}

// Called by libmicrohttpd when the connection can take more.
static ssize_t read_stream(void *context, uint64_t position, char *buffer, size_t room) {
    (void)position;
    weir_http_stream *stream = context;
    pthread_mutex_lock(&stream->lock);
    ssize_t given = 0;
    int asks = 0;
    if (stream->count > 0) {
        given = (ssize_t)(stream->count < room ? stream->count : room);
        memcpy(buffer, stream->data + stream->start, (size_t)given);
        stream->start += (size_t)given;
        stream->count -= (size_t)given;
        if (stream->count == 0) stream->start = 0;
    } else if (stream->finished) {
        given = stream->failed ? MHD_CONTENT_READER_END_WITH_ERROR
                               : MHD_CONTENT_READER_END_OF_STREAM;
        if (!stream->failed && stream->trailer_name) {
            MHD_add_response_footer(
                stream->response, stream->trailer_name, stream->trailer_value);
        }
    } else {
        // Nothing to send: the connection rests until it is fed.
        stream->suspended = 1;
        MHD_suspend_connection(stream->connection);
    }
    if (!stream->finished && !stream->asked && stream->count < STREAM_LOW) {
        stream->asked = 1;
        asks = 1;
    }
    pthread_mutex_unlock(&stream->lock);
    if (asks) stream->wants(stream->context);
    return given;
}

static void wake_stream(weir_http_stream *stream) {
    if (!stream->suspended) return;
    stream->suspended = 0;
    MHD_resume_connection(stream->connection);
}

int weir_http_stream_feed(weir_http_stream *stream, const void *bytes, size_t count) {
    pthread_mutex_lock(&stream->lock);
    int outcome = -1;
    if (!stream->is_gone && !stream->finished) {
        if (stream->start > 0) {
            memmove(stream->data, stream->data + stream->start, stream->count);
            stream->start = 0;
        }
        size_t needed = stream->count + count;
        if (needed > stream->capacity) {
            char *larger = realloc(stream->data, needed);
            if (larger) {
                stream->data = larger;
                stream->capacity = needed;
            }
        }
        if (needed <= stream->capacity) {
            if (count > 0) memcpy(stream->data + stream->count, bytes, count);
            stream->count = needed;
            stream->asked = 0;
            outcome = 0;
        }
        wake_stream(stream);
    }
    pthread_mutex_unlock(&stream->lock);
    return outcome;
}

void weir_http_stream_finish(
    weir_http_stream *stream, int failed, const char *trailer_name, const char *trailer_value) {
    pthread_mutex_lock(&stream->lock);
    if (!stream->is_gone && !stream->finished) {
        stream->finished = 1;
        stream->failed = failed;
        if (trailer_name && trailer_value) {
            stream->trailer_name = strdup(trailer_name);
            stream->trailer_value = strdup(trailer_value);
        }
        wake_stream(stream);
    }
    pthread_mutex_unlock(&stream->lock);
}

static enum MHD_Result on_access(
    void *context, struct MHD_Connection *connection, const char *url, const char *method,
    const char *version, const char *upload, size_t *upload_size, void **state) {
    (void)version;
    weir_http_server *server = context;
    weir_http_request *request = *state;
    if (!request) {
        request = calloc(1, sizeof *request);
        if (!request) return MHD_NO;
        request->server = server;
        request->connection = connection;
        request->method = strdup(method);
        request->path = strdup(url);
        if (!request->method || !request->path) {
            free(request->method);
            free(request->path);
            free(request);
            return MHD_NO;
        }
        *state = request;
        return MHD_YES;
    }
    if (*upload_size > 0) {
        if (append_body(request, upload, *upload_size) < 0) return MHD_NO;
        *upload_size = 0;
        return MHD_YES;
    }
    if (request->too_large) {
        return queue_text(
            connection, 413,
            "{\"type\":\"/errors/http.body_too_large\",\"title\":\"Request body too large\","
            "\"status\":413,\"detail\":\"the body is larger than this server accepts\"}");
    }
    if (!request->handed_over) {
        request->handed_over = 1;
        atomic_fetch_add(&server->open_requests, 1);
        MHD_suspend_connection(connection);
        server->handler(server->context, request);
        return MHD_YES;
    }
    if (!request->response) return MHD_NO;
    enum MHD_Result queued = MHD_queue_response(connection, request->status, request->response);
    MHD_destroy_response(request->response);
    request->response = NULL;
    return queued;
}

static void on_completed(
    void *context, struct MHD_Connection *connection, void **state,
    enum MHD_RequestTerminationCode code) {
    (void)context;
    (void)connection;
    (void)code;
    weir_http_request *request = *state;
    if (!request) return;
    if (request->response) MHD_destroy_response(request->response);
    if (request->stream) {
        weir_http_stream *stream = request->stream;
        pthread_mutex_lock(&stream->lock);
        stream->is_gone = 1;
        pthread_mutex_unlock(&stream->lock);
        atomic_fetch_sub(&stream->server->open_requests, 1);
        stream->gone(stream->context);
        release_stream(stream);
    }
    free(request->method);
    free(request->path);
    free(request->body);
    free(request);
    *state = NULL;
}

weir_http_server *weir_http_start(
    const char *address, uint16_t port, unsigned threads, size_t body_limit,
    unsigned connection_limit, weir_http_handler handler, void *context, int *error) {
    weir_http_server *server = calloc(1, sizeof *server);
    if (!server) {
        *error = ENOMEM;
        return NULL;
    }
    server->handler = handler;
    server->context = context;
    server->body_limit = body_limit;
    struct sockaddr_in socket_address = {.sin_family = AF_INET, .sin_port = htons(port)};
    if (inet_pton(AF_INET, address, &socket_address.sin_addr) != 1) {
        free(server);
        *error = EINVAL;
        return NULL;
    }
    errno = 0;
    server->daemon = MHD_start_daemon(
        MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME, port, NULL, NULL, on_access,
        server, MHD_OPTION_SOCK_ADDR, &socket_address, MHD_OPTION_NOTIFY_COMPLETED, on_completed,
        server, MHD_OPTION_CONNECTION_LIMIT, connection_limit, MHD_OPTION_CONNECTION_TIMEOUT,
        (unsigned)120, MHD_OPTION_THREAD_POOL_SIZE, threads, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        (size_t)65536, MHD_OPTION_END);
    if (!server->daemon) {
        *error = errno ? errno : EADDRINUSE;
        free(server);
        return NULL;
    }
    const union MHD_DaemonInfo *info =
        MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_BIND_PORT);
    server->port = info ? info->port : port;
    return server;
}

uint16_t weir_http_port(const weir_http_server *server) { return server->port; }

unsigned weir_http_stop(weir_http_server *server, unsigned milliseconds) {
    MHD_quiesce_daemon(server->daemon);
    const struct timespec step = {.tv_nsec = 5000000};
    for (unsigned waited = 0; waited < milliseconds; waited += 5) {
        if (atomic_load(&server->open_requests) == 0) break;
        nanosleep(&step, NULL);
    }
    unsigned open = atomic_load(&server->open_requests);
    // A suspended connection must not meet a stopping daemon: with open requests the threads are
    // left to the end of the process.
    if (open > 0) return open;
    MHD_stop_daemon(server->daemon);
    free(server);
    return 0;
}

const char *weir_http_method(const weir_http_request *request) { return request->method; }
const char *weir_http_path(const weir_http_request *request) { return request->path; }

const char *weir_http_header(const weir_http_request *request, const char *name) {
    return MHD_lookup_connection_value(request->connection, MHD_HEADER_KIND, name);
}

const void *weir_http_body(const weir_http_request *request, size_t *count) {
    *count = request->count;
    return request->body;
}

struct collected {
    weir_http_pair *pairs;
    size_t capacity;
    size_t count;
};

static enum MHD_Result collect(
    void *context, enum MHD_ValueKind kind, const char *key, const char *value) {
    (void)kind;
    struct collected *into = context;
    if (into->count == into->capacity) return MHD_NO;
    into->pairs[into->count].name = key;
    into->pairs[into->count].value = value;
    into->count++;
    return MHD_YES;
}

size_t weir_http_query(
    const weir_http_request *request, weir_http_pair *pairs, size_t capacity) {
    struct collected into = {.pairs = pairs, .capacity = capacity, .count = 0};
    MHD_get_connection_values(request->connection, MHD_GET_ARGUMENT_KIND, collect, &into);
    return into.count;
}

void weir_http_respond(
    weir_http_request *request, unsigned status, const void *body, size_t count,
    const weir_http_pair *headers, size_t header_count) {
    struct MHD_Response *response =
        MHD_create_response_from_buffer(count, (void *)body, MHD_RESPMEM_MUST_COPY);
    if (response) {
        for (size_t i = 0; i < header_count; i++) {
            MHD_add_response_header(response, headers[i].name, headers[i].value);
        }
    }
    // Without memory for an answer the connection is closed: see on_access.
    request->response = response;
    request->status = status;
    weir_http_server *server = request->server;
    MHD_resume_connection(request->connection);
    atomic_fetch_sub(&server->open_requests, 1);
}

weir_http_stream *weir_http_respond_stream(
    weir_http_request *request, unsigned status, const weir_http_pair *headers,
    size_t header_count, weir_http_wants wants, weir_http_gone gone, void *context) {
    weir_http_stream *stream = calloc(1, sizeof *stream);
    if (!stream) return NULL;
    struct MHD_Response *response = MHD_create_response_from_callback(
        MHD_SIZE_UNKNOWN, 64 << 10, read_stream, stream, NULL);
    if (!response) {
        free(stream);
        return NULL;
    }
    pthread_mutex_init(&stream->lock, NULL);
    stream->server = request->server;
    stream->connection = request->connection;
    stream->response = response;
    stream->wants = wants;
    stream->gone = gone;
    stream->context = context;
    stream->holders = 2;
    // The first piece comes without being asked for.
    stream->asked = 1;
    for (size_t i = 0; i < header_count; i++) {
        MHD_add_response_header(response, headers[i].name, headers[i].value);
    }
    request->response = response;
    request->status = status;
    request->stream = stream;
    MHD_resume_connection(request->connection);
    return stream;
}

int weir_http_is_gone(const weir_http_request *request) {
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(request->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    if (!info) return 0;
    char byte;
    ssize_t n = recv(info->connect_fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    if (n == 0) return 1;
    return n < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR;
}
