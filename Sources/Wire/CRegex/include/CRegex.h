// RE2's regular expressions as plain functions: time linear in the text, memory bounded.
//
// Nothing here throws, prints, or keeps a pointer to the caller's text.
#ifndef WEIR_CREGEX_H
#define WEIR_CREGEX_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct weir_regex weir_regex;

// Compiles a pattern of RE2's dialect that may use `memory` bytes. NULL when it is wrong or too
// large: then `message` holds the reason, cut to `capacity` and ended by a zero.
weir_regex *weir_regex_open(
    const char *pattern, size_t length, int64_t memory, char *message, size_t capacity);
// 1 when the pattern matches the whole text, else 0. May be called by many threads at once.
int weir_regex_matches(const weir_regex *regex, const char *text, size_t length);
void weir_regex_close(weir_regex *regex);

#ifdef __cplusplus
}
#endif

#endif
