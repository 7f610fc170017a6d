// Decompression of a snappy block, by its format description (format_description.txt of snappy):
//
// | part | content |
// |---|---|
// | preamble | varint: bytes of the original |
// | element | tag byte, lowest two bits: 0 literal, 1 copy, 2 copy, 3 copy |
// | literal | length − 1 in the upper six bits, or 60 … 63 for one to four bytes that follow; bytes |
// | copy 1 | length − 4 in three bits, offset in the upper three and a byte |
// | copy 2, 3 | length − 1 in the upper six bits, offset in two or four bytes, little-endian |
//
// The library calls memcpy for every literal, which is most of the time for pages of identifiers:
// a literal of a few dozen bytes between each two copies. Here 16 bytes are moved at a time as long
// as both ends are far enough away (benchmark: parquet-decode, event_id).
#include "CCodecs.h"

#include <string.h>

// The most that one step may move beyond what it should: literals and copies of up to 64 bytes.
enum { MARGIN = 64 };

static inline void move16(uint8_t *to, const uint8_t *from) {
    uint64_t words[2];
    memcpy(words, from, 16);
    memcpy(to, words, 16);
}

int64_t weir_snappy_decompress(
    const void *input, size_t length, void *output, size_t capacity) {
    const uint8_t *from = input, *const from_end = from + length;
    uint8_t *to = output, *const to_start = to, *const to_end = to + capacity;

    uint64_t size = 0;
    for (int shift = 0;; shift += 7) {
        if (from == from_end || shift > 28) return WEIR_CODEC_CORRUPT;
        uint8_t byte = *from++;
        size |= (uint64_t)(byte & 0x7F) << shift;
        if (byte < 0x80) break;
    }
    if (size > capacity) return WEIR_CODEC_NO_SPACE;
    if (size < capacity) return WEIR_CODEC_CORRUPT;

    while (from < from_end) {
        const uint8_t tag = *from++;
        if ((tag & 3) == 0) {
            size_t count = (size_t)(tag >> 2) + 1;
            if (count <= 60) {
                if (from_end - from >= MARGIN && to_end - to >= MARGIN) {
                    move16(to, from);
                    if (count > 16) {
                        move16(to + 16, from + 16);
                        if (count > 32) {
                            move16(to + 32, from + 32);
                            move16(to + 48, from + 48);
                        }
                    }
                    from += count;
                    to += count;
                    continue;
                }
            } else {
                const size_t bytes = count - 60;
                if ((size_t)(from_end - from) < bytes) return WEIR_CODEC_TRUNCATED;
                count = 0;
                for (size_t i = 0; i < bytes; i++) count |= (size_t)from[i] << (8 * i);
                count += 1;
                from += bytes;
            }
            if (count > (size_t)(from_end - from)) return WEIR_CODEC_TRUNCATED;
            if (count > (size_t)(to_end - to)) return WEIR_CODEC_CORRUPT;
            memcpy(to, from, count);
            from += count;
            to += count;
            continue;
        }
        // The three kinds of copies follow each other in no order that could be guessed, so they are
        // told apart without branches.
        const unsigned kind = tag & 3, isNear = kind == 1;
        const size_t bytes = (0x4210 >> (4 * kind)) & 15;
        uint32_t raw = 0;
        if (from_end - from >= 4) {
            memcpy(&raw, from, 4);
            raw &= (uint32_t)(0xFFFFFFFFull >> (32 - 8 * bytes));
        } else {
            if ((size_t)(from_end - from) < bytes) return WEIR_CODEC_TRUNCATED;
            for (size_t i = 0; i < bytes; i++) raw |= (uint32_t)from[i] << (8 * i);
        }
        from += bytes;
        const size_t offset = raw | (isNear ? (size_t)(tag >> 5) << 8 : 0);
        const size_t count = (isNear ? (tag >> 2) & 7 : tag >> 2) + (isNear ? 4u : 1u);
        if (offset == 0 || offset > (size_t)(to - to_start) || count > (size_t)(to_end - to))
            return WEIR_CODEC_CORRUPT;
        const uint8_t *back = to - offset;
        if (offset >= 16 && to_end - to >= MARGIN) {
            move16(to, back);
            if (count > 16) {
                move16(to + 16, back + 16);
                if (count > 32) {
                    move16(to + 32, back + 32);
                    move16(to + 48, back + 48);
                }
            }
        } else if (offset >= 8 && to_end - to >= MARGIN) {
            for (size_t i = 0; i < count; i += 8) {
                uint64_t word;
                memcpy(&word, back + i, 8);
                memcpy(to + i, &word, 8);
            }
        } else {
            // Source and target overlap: the bytes repeat.
            for (size_t i = 0; i < count; i++) to[i] = back[i];
        }
        to += count;
    }
    return to == to_end ? (int64_t)capacity : WEIR_CODEC_TRUNCATED;
}
