// libcurl behind a narrow door: one whole HTTP request in, one whole answer out, bounded in size and
// time. Redirects are not followed: a signed request is meant for one host.
#ifndef WEIR_CCURL_H
#define WEIR_CCURL_H

#include <stddef.h>
#include <stdint.h>

// A connection that is kept open between requests. May be used by one thread at a time.
typedef struct weir_curl weir_curl;

typedef struct {
    const char *method;
    const char *url;  // with its query, encoded
    // Lines as `Name: value`, `header_count` of them.
    const char *const *headers;
    size_t header_count;
    // Sent as the body when the method is PUT or POST.
    const void *body;
    size_t body_size;
    // An answer with a longer body fails with WEIR_CURL_TOO_LARGE.
    size_t answer_limit;
    long connect_milliseconds;
    // The request fails when less than one byte a second moved for so long.
    long stalled_seconds;
    // A file of authorities to trust; NULL for those of the system.
    const char *authorities;
} weir_curl_request;

enum {
    WEIR_CURL_OK = 0,
    WEIR_CURL_TOO_LARGE = -1,
    WEIR_CURL_NO_MEMORY = -2,
    // Any other: libcurl's code, which is positive.
};

// NULL when there is no memory.
weir_curl *weir_curl_create(void);
void weir_curl_free(weir_curl *curl);

// Sends a request and waits for all of its answer. 0, or one of the codes above; what was received
// before a failure is dropped.
int weir_curl_perform(weir_curl *curl, const weir_curl_request *request);

// Of the last answer.
long weir_curl_status(const weir_curl *curl);
const void *weir_curl_body(const weir_curl *curl);
size_t weir_curl_body_size(const weir_curl *curl);
// The value of a header, whose name is compared without regard to case; NULL when it is missing.
const char *weir_curl_header(const weir_curl *curl, const char *name);
// Why the last request failed, in words.
const char *weir_curl_error(const weir_curl *curl);

#endif
