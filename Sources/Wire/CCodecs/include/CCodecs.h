// zlib, snappy, lz4, zstd and brotli as plain functions over memory that the caller owns.
//
// Every function returns a size (0 or more) or one of the negative codes below. None of them
// writes behind `capacity`, keeps a pointer after it returned, or prints.
#ifndef WEIR_CCODECS_H
#define WEIR_CCODECS_H

#include <stddef.h>
#include <stdint.h>

enum {
    WEIR_CODEC_CORRUPT = -1,    // the input breaks its format
    WEIR_CODEC_NO_SPACE = -2,   // the output does not fit into `capacity`
    WEIR_CODEC_NO_MEMORY = -3,  // the library could not allocate
    WEIR_CODEC_TRUNCATED = -4,  // the input ends too early
    WEIR_CODEC_UNKNOWN = -5,    // the input does not say how large its output is
};

// CRC-32 (IEEE, as in gzip and Parquet pages), continuing from `crc` (0 to begin).
uint32_t weir_crc32(uint32_t crc, const void *bytes, size_t length);

// Whole-buffer compression. `bound` says how much capacity is always enough.
int64_t weir_gzip_bound(size_t length);
int64_t weir_gzip_compress(
    const void *input, size_t length, void *output, size_t capacity, int level);

int64_t weir_snappy_bound(size_t length);
int64_t weir_snappy_compress(const void *input, size_t length, void *output, size_t capacity);

int64_t weir_lz4_frame_bound(size_t length);
int64_t weir_lz4_frame_compress(
    const void *input, size_t length, void *output, size_t capacity, int level);

int64_t weir_lz4_block_bound(size_t length);
int64_t weir_lz4_block_compress(
    const void *input, size_t length, void *output, size_t capacity);

int64_t weir_zstd_bound(size_t length);
int64_t weir_zstd_compress(
    const void *input, size_t length, void *output, size_t capacity, int level);

// Whole-buffer decompression of formats that say or need the output's size.
int64_t weir_snappy_size(const void *input, size_t length);
int64_t weir_snappy_decompress(
    const void *input, size_t length, void *output, size_t capacity);
int64_t weir_lz4_block_decompress(
    const void *input, size_t length, void *output, size_t capacity);
int64_t weir_brotli_decompress(
    const void *input, size_t length, void *output, size_t capacity);
// The size that a single zstd frame declares; UNKNOWN when it declares none or when several
// frames follow each other.
int64_t weir_zstd_size(const void *input, size_t length);
int64_t weir_zstd_decompress(
    const void *input, size_t length, void *output, size_t capacity);
// The content size that an lz4 frame header declares, or UNKNOWN.
int64_t weir_lz4_frame_size(const void *input, size_t length);

// Streaming decompression of gzip (or zlib), lz4 frames and zstd, several members one after the
// other included. One step reads from the input and writes to the output as far as both go.
typedef enum { WEIR_STREAM_GZIP = 1, WEIR_STREAM_LZ4 = 3, WEIR_STREAM_ZSTD = 4 } weir_stream_kind;
typedef struct weir_stream weir_stream;

// `window_limit` bounds what zstd may allocate for its window. Returns NULL without memory.
weir_stream *weir_stream_open(weir_stream_kind kind, size_t window_limit);
// Returns the bytes written; `*position` moves over the input that was read; `*at_boundary` is 1
// when a member just ended and nothing of another was read.
int64_t weir_stream_step(
    weir_stream *stream, const void *input, size_t length, size_t *position, void *output,
    size_t capacity, int *at_boundary);
void weir_stream_close(weir_stream *stream);

#endif
