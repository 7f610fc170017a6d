#include "CRegex.h"

#include <re2/re2.h>

#include <cstdio>
#include <exception>
#include <memory>

struct weir_regex {
    re2::RE2 compiled;
    weir_regex(re2::StringPiece pattern, const re2::RE2::Options &options)
        : compiled(pattern, options) {}
};

extern "C" weir_regex *weir_regex_open(
    const char *pattern, size_t length, int64_t memory, char *message, size_t capacity) {
    try {
        re2::RE2::Options options;
        options.set_log_errors(false);
        options.set_max_mem(memory);
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

extern "C" void weir_regex_close(weir_regex *regex) { delete regex; }
