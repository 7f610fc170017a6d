#include "CCurl.h"

#include <curl/curl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { HEADER_BYTES_MAX = 64 * 1024 };

struct buffer {
    char *bytes;
    size_t size;
    size_t capacity;
    size_t limit;
    int failure;
};

struct weir_curl {
    CURL *handle;
    struct buffer body;
    // Header lines, each with its final zero.
    struct buffer headers;
    long status;
    char error[CURL_ERROR_SIZE];
};

static pthread_once_t once = PTHREAD_ONCE_INIT;

static void prepare(void) { curl_global_init(CURL_GLOBAL_DEFAULT); }

static int append(struct buffer *buffer, const char *bytes, size_t count) {
    if (count > buffer->limit - buffer->size) {
        buffer->failure = WEIR_CURL_TOO_LARGE;
        return 0;
    }
    if (count > buffer->capacity - buffer->size) {
        size_t wanted = buffer->capacity ? buffer->capacity : 4096;
        while (wanted - buffer->size < count) wanted *= 2;
        char *grown = realloc(buffer->bytes, wanted);
        if (!grown) {
            buffer->failure = WEIR_CURL_NO_MEMORY;
            return 0;
        }
        buffer->bytes = grown;
        buffer->capacity = wanted;
    }
    memcpy(buffer->bytes + buffer->size, bytes, count);
    buffer->size += count;
    return 1;
}

static void empty(struct buffer *buffer, size_t limit) {
    // What a large answer needed is not kept for small ones.
    if (buffer->capacity > (1 << 20)) {
        free(buffer->bytes);
        buffer->bytes = NULL;
        buffer->capacity = 0;
    }
    buffer->size = 0;
    buffer->limit = limit;
    buffer->failure = WEIR_CURL_OK;
}

static size_t take_body(char *bytes, size_t size, size_t count, void *context) {
    weir_curl *curl = context;
    return append(&curl->body, bytes, size * count) ? size * count : 0;
}

static size_t take_header(char *bytes, size_t size, size_t count, void *context) {
    weir_curl *curl = context;
    size_t length = size * count;
    // A status line begins another answer: what came before was `100 Continue`.
    if (length >= 5 && !memcmp(bytes, "HTTP/", 5)) curl->headers.size = 0;
    size_t shown = length;
    while (shown && (bytes[shown - 1] == '\n' || bytes[shown - 1] == '\r')) shown--;
    if (!append(&curl->headers, bytes, shown) || !append(&curl->headers, "", 1)) return 0;
    return length;
}

weir_curl *weir_curl_create(void) {
    pthread_once(&once, prepare);
    weir_curl *curl = calloc(1, sizeof *curl);
    if (!curl) return NULL;
    curl->handle = curl_easy_init();
    if (!curl->handle) {
        free(curl);
        return NULL;
    }
    return curl;
}

void weir_curl_free(weir_curl *curl) {
    if (!curl) return;
    curl_easy_cleanup(curl->handle);
    free(curl->body.bytes);
    free(curl->headers.bytes);
    free(curl);
}

int weir_curl_perform(weir_curl *curl, const weir_curl_request *request) {
    CURL *handle = curl->handle;
    // Forgets the options of the request before; connections stay.
    curl_easy_reset(handle);
    empty(&curl->body, request->answer_limit);
    empty(&curl->headers, HEADER_BYTES_MAX);
    curl->status = 0;
    curl->error[0] = 0;

    struct curl_slist *lines = NULL;
    for (size_t index = 0; index < request->header_count; index++) {
        struct curl_slist *longer = curl_slist_append(lines, request->headers[index]);
        if (!longer) {
            curl_slist_free_all(lines);
            return WEIR_CURL_NO_MEMORY;
        }
        lines = longer;
    }
    curl_easy_setopt(handle, CURLOPT_URL, request->url);
    curl_easy_setopt(handle, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(handle, CURLOPT_HTTPHEADER, lines);
    curl_easy_setopt(handle, CURLOPT_ERRORBUFFER, curl->error);
    curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(handle, CURLOPT_CONNECTTIMEOUT_MS, request->connect_milliseconds);
    curl_easy_setopt(handle, CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl_easy_setopt(handle, CURLOPT_LOW_SPEED_TIME, request->stalled_seconds);
    curl_easy_setopt(handle, CURLOPT_TCP_NODELAY, 1L);
    curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt(handle, CURLOPT_WRITEDATA, curl);
    curl_easy_setopt(handle, CURLOPT_HEADERFUNCTION, take_header);
    curl_easy_setopt(handle, CURLOPT_HEADERDATA, curl);
    // What is in a proxy variable was not meant for signed requests to a named endpoint.
    curl_easy_setopt(handle, CURLOPT_NOPROXY, "*");
    // The path is what was signed: it must not be tidied up.
    curl_easy_setopt(handle, CURLOPT_PATH_AS_IS, 1L);
    if (request->authorities) {
        curl_easy_setopt(handle, CURLOPT_CAINFO, request->authorities);
    }
    if (!strcmp(request->method, "HEAD")) {
        curl_easy_setopt(handle, CURLOPT_NOBODY, 1L);
    } else if (!strcmp(request->method, "PUT") || !strcmp(request->method, "POST")) {
        curl_easy_setopt(handle, CURLOPT_POST, 1L);
        curl_easy_setopt(handle, CURLOPT_CUSTOMREQUEST, request->method);
        curl_easy_setopt(handle, CURLOPT_POSTFIELDS, request->body ? request->body : "");
        curl_easy_setopt(handle, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body_size);
    } else {
        curl_easy_setopt(handle, CURLOPT_CUSTOMREQUEST, request->method);
    }
    CURLcode code = curl_easy_perform(handle);
    curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &curl->status);
    curl_slist_free_all(lines);
    if (curl->body.failure) return curl->body.failure;
    if (curl->headers.failure) return curl->headers.failure;
    if (code != CURLE_OK && !curl->error[0]) {
        strncpy(curl->error, curl_easy_strerror(code), sizeof curl->error - 1);
    }
    return (int)code;
}

long weir_curl_status(const weir_curl *curl) { return curl->status; }
const void *weir_curl_body(const weir_curl *curl) { return curl->body.bytes; }
size_t weir_curl_body_size(const weir_curl *curl) { return curl->body.size; }
const char *weir_curl_error(const weir_curl *curl) { return curl->error; }

const char *weir_curl_header(const weir_curl *curl, const char *name) {
    size_t length = strlen(name);
    const char *line = curl->headers.bytes;
    const char *end = line ? line + curl->headers.size : NULL;
    while (line && line < end) {
        if (!strncasecmp(line, name, length) && line[length] == ':') {
            line += length + 1;
            while (*line == ' ' || *line == '\t') line++;
            return line;
        }
        line += strlen(line) + 1;
    }
    return NULL;
}
