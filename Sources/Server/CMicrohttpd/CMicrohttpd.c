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
};

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
