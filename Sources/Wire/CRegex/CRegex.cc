#include "CRegex.h"

#include <re2/re2.h>

#include <cstdio>
#include <exception>
#include <memory>
#include <vector>

struct weir_regex {
    re2::RE2 compiled;
    weir_regex(re2::StringPiece pattern, const re2::RE2::Options &options)
        : compiled(pattern, options) {}
};

extern "C" weir_regex *weir_regex_open(
    const char *pattern, size_t length, int64_t memory, int flags, char *message,
    size_t capacity) {
    try {
        re2::RE2::Options options;
        options.set_log_errors(false);
        options.set_max_mem(memory);
        options.set_case_sensitive(!(flags & weir_regex_ignore_case));
        options.set_dot_nl(flags & weir_regex_dot_newline);
        options.set_longest_match(flags & weir_regex_longest);
        auto regex =
            std::make_unique<weir_regex>(re2::StringPiece(pattern, length), options);
        if (regex->compiled.ok()) return regex.release();
        std::snprintf(message, capacity, "%s", regex->compiled.error().c_str());
    } catch (const std::exception &) {
        // Only the allocator throws in here.
        std::snprintf(message, capacity, "out of memory");
    }
    return nullptr;
}

extern "C" int weir_regex_matches(const weir_regex *regex, const char *text, size_t length) {
    try {
        return re2::RE2::FullMatch(re2::StringPiece(text, length), regex->compiled) ? 1 : 0;
    } catch (const std::exception &) {
        return 0;
    }
}

extern "C" int weir_regex_groups(const weir_regex *regex) {
    return regex->compiled.NumberOfCapturingGroups();
}

extern "C" int weir_regex_find(
    const weir_regex *regex, const char *text, size_t length, size_t start, int64_t *ranges,
    int count) {
    try {
        // An empty text must not be a null pointer: groups without a part in the match are.
        const char *base = text ? text : "";
        std::vector<re2::StringPiece> groups(count);
        if (!regex->compiled.Match(
                re2::StringPiece(base, length), start, length, re2::RE2::UNANCHORED,
                groups.data(), count))
            return 0;
        for (int index = 0; index < count; index++) {
            const auto &group = groups[index];
            ranges[2 * index] = group.data() ? group.data() - base : -1;
            ranges[2 * index + 1] = group.data() ? group.data() - base + group.size() : -1;
        }
        return 1;
    } catch (const std::exception &) {
        return 0;
    }
}

extern "C" void weir_regex_close(weir_regex *regex) { delete regex; }
