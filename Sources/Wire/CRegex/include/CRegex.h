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

enum {
    weir_regex_ignore_case = 1,
    // `.` matches a line's end, too.
    weir_regex_dot_newline = 2,
    // Of several matches at one place the longest, as POSIX has it, not the first alternative.
    weir_regex_longest = 4,
};

// Compiles a pattern of RE2's dialect that may use `memory` bytes, with `options` of those above. NULL when it is wrong or too
// large: then `message` holds the reason, cut to `capacity` and ended by a zero.
weir_regex *weir_regex_open(
    const char *pattern, size_t length, int64_t memory, int options, char *message,
    size_t capacity);
// 1 when the pattern matches the whole text, else 0. May be called by many threads at once.
int weir_regex_matches(const weir_regex *regex, const char *text, size_t length);
// How many groups the pattern captures.
int weir_regex_groups(const weir_regex *regex);
// The first match that begins at or behind `start`. 1 when there is one: then `ranges` has begin and
// end of the match and of its groups, `count` pairs in all, -1 where a group took no part.
int weir_regex_find(
    const weir_regex *regex, const char *text, size_t length, size_t start, int64_t *ranges,
    int count);
void weir_regex_close(weir_regex *regex);

#ifdef __cplusplus
}
#endif

#endif
