#include "CCodecs.h"

#include <brotli/decode.h>
#include <limits.h>
#include <lz4.h>
#include <lz4frame.h>
#include <lz4hc.h>
#include <pthread.h>
#include <snappy-c.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

uint32_t weir_crc32(uint32_t crc, const void *bytes, size_t length) {
    return bytes == NULL ? crc : (uint32_t)crc32_z(crc, bytes, length);
}

// gzip

int64_t weir_gzip_bound(size_t length) {
    // deflateBound() without a stream assumes the worst settings, plus the gzip header and trailer.
    return (int64_t)(compressBound(length) + 32);
}

int64_t weir_gzip_compress(
    const void *input, size_t length, void *output, size_t capacity, int level) {
    if (length > UINT_MAX || capacity > UINT_MAX) return WEIR_CODEC_NO_SPACE;
    z_stream z;
    memset(&z, 0, sizeof z);
    if (deflateInit2(&z, level, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK)
        return WEIR_CODEC_NO_MEMORY;
    z.next_in = (Bytef *)(uintptr_t)input;
    z.avail_in = (uInt)length;
    z.next_out = output;
    z.avail_out = (uInt)capacity;
    int result = deflate(&z, Z_FINISH);
    int64_t written = (int64_t)(capacity - z.avail_out);
    deflateEnd(&z);
    return result == Z_STREAM_END ? written : WEIR_CODEC_NO_SPACE;
}

// snappy

int64_t weir_snappy_bound(size_t length) { return (int64_t)snappy_max_compressed_length(length); }

int64_t weir_snappy_compress(const void *input, size_t length, void *output, size_t capacity) {
    size_t written = capacity;
    return snappy_compress(input, length, output, &written) == SNAPPY_OK ? (int64_t)written
                                                                         : WEIR_CODEC_NO_SPACE;
}

int64_t weir_snappy_size(const void *input, size_t length) {
    size_t size = 0;
    if (snappy_uncompressed_length(input, length, &size) != SNAPPY_OK) return WEIR_CODEC_CORRUPT;
    return (int64_t)size;
}

int64_t weir_snappy_decompress(
    const void *input, size_t length, void *output, size_t capacity) {
    size_t written = capacity;
    switch (snappy_uncompress(input, length, output, &written)) {
    case SNAPPY_OK: return (int64_t)written;
    case SNAPPY_BUFFER_TOO_SMALL: return WEIR_CODEC_NO_SPACE;
    default: return WEIR_CODEC_CORRUPT;
    }
}

// lz4

// Independent blocks, because readers in Java refuse linked ones.
static LZ4F_preferences_t lz4_preferences(size_t length, int level) {
    LZ4F_preferences_t preferences;
    memset(&preferences, 0, sizeof preferences);
    preferences.frameInfo.blockMode = LZ4F_blockIndependent;
    preferences.frameInfo.blockSizeID = LZ4F_max64KB;
    preferences.frameInfo.contentSize = length;
    preferences.compressionLevel = level;
    return preferences;
}

int64_t weir_lz4_frame_bound(size_t length) {
    LZ4F_preferences_t preferences = lz4_preferences(length, 0);
    return (int64_t)LZ4F_compressFrameBound(length, &preferences);
}

int64_t weir_lz4_frame_compress(
    const void *input, size_t length, void *output, size_t capacity, int level) {
    LZ4F_preferences_t preferences = lz4_preferences(length, level);
    size_t written = LZ4F_compressFrame(output, capacity, input, length, &preferences);
    return LZ4F_isError(written) ? WEIR_CODEC_NO_SPACE : (int64_t)written;
}

int64_t weir_lz4_frame_size(const void *input, size_t length) {
    const uint8_t *bytes = input;
    // Magic 04 22 4D 18, then the flags; bit 3 announces eight bytes of content size.
    if (length < 15 || bytes[0] != 0x04 || bytes[1] != 0x22 || bytes[2] != 0x4D || bytes[3] != 0x18)
        return WEIR_CODEC_UNKNOWN;
    if ((bytes[4] & 0x08) == 0) return WEIR_CODEC_UNKNOWN;
    uint64_t size = 0;
    for (int i = 7; i >= 0; i--) size = size << 8 | bytes[6 + i];
    return size > INT64_MAX ? INT64_MAX : (int64_t)size;
}

int64_t weir_lz4_block_bound(size_t length) {
    return length > LZ4_MAX_INPUT_SIZE ? WEIR_CODEC_NO_SPACE : LZ4_compressBound((int)length);
}

int64_t weir_lz4_block_compress(
    const void *input, size_t length, void *output, size_t capacity) {
    if (length > LZ4_MAX_INPUT_SIZE || capacity > INT_MAX) return WEIR_CODEC_NO_SPACE;
    int written = LZ4_compress_default(input, output, (int)length, (int)capacity);
    return written <= 0 ? WEIR_CODEC_NO_SPACE : written;
}

int64_t weir_lz4_block_decompress(
    const void *input, size_t length, void *output, size_t capacity) {
    if (length > INT_MAX || capacity > INT_MAX) return WEIR_CODEC_NO_SPACE;
    int written = LZ4_decompress_safe(input, output, (int)length, (int)capacity);
    return written < 0 ? WEIR_CODEC_CORRUPT : written;
}

// brotli

int64_t weir_brotli_decompress(
    const void *input, size_t length, void *output, size_t capacity) {
    size_t written = capacity;
    BrotliDecoderResult result = BrotliDecoderDecompress(length, input, &written, output);
    return result == BROTLI_DECODER_RESULT_SUCCESS ? (int64_t)written : WEIR_CODEC_CORRUPT;
}

// zstd: contexts are a megabyte and slow to make, so each thread keeps one of each until it ends.

static pthread_once_t keys_once = PTHREAD_ONCE_INIT;
static pthread_key_t compressor_key, decompressor_key;

static void free_compressor(void *context) { ZSTD_freeCCtx(context); }
static void free_decompressor(void *context) { ZSTD_freeDCtx(context); }

static void make_keys(void) {
    pthread_key_create(&compressor_key, free_compressor);
    pthread_key_create(&decompressor_key, free_decompressor);
}

static ZSTD_CCtx *compressor(void) {
    pthread_once(&keys_once, make_keys);
    ZSTD_CCtx *context = pthread_getspecific(compressor_key);
    if (context == NULL) {
        context = ZSTD_createCCtx();
        pthread_setspecific(compressor_key, context);
    }
    return context;
}

static ZSTD_DCtx *decompressor(void) {
    pthread_once(&keys_once, make_keys);
    ZSTD_DCtx *context = pthread_getspecific(decompressor_key);
    if (context == NULL) {
        context = ZSTD_createDCtx();
        pthread_setspecific(decompressor_key, context);
    }
    return context;
}

int64_t weir_zstd_bound(size_t length) { return (int64_t)ZSTD_compressBound(length); }

int64_t weir_zstd_compress(
    const void *input, size_t length, void *output, size_t capacity, int level) {
    ZSTD_CCtx *context = compressor();
    if (context == NULL) return WEIR_CODEC_NO_MEMORY;
    size_t written = ZSTD_compressCCtx(context, output, capacity, input, length, level);
    return ZSTD_isError(written) ? WEIR_CODEC_NO_SPACE : (int64_t)written;
}

int64_t weir_zstd_size(const void *input, size_t length) {
    unsigned long long size = ZSTD_getFrameContentSize(input, length);
    if (size == ZSTD_CONTENTSIZE_ERROR) return WEIR_CODEC_CORRUPT;
    if (size == ZSTD_CONTENTSIZE_UNKNOWN) return WEIR_CODEC_UNKNOWN;
    size_t frame = ZSTD_findFrameCompressedSize(input, length);
    if (ZSTD_isError(frame)) return WEIR_CODEC_CORRUPT;
    if (frame != length) return WEIR_CODEC_UNKNOWN;
    return size > INT64_MAX ? INT64_MAX : (int64_t)size;
}

int64_t weir_zstd_decompress(
    const void *input, size_t length, void *output, size_t capacity) {
    ZSTD_DCtx *context = decompressor();
    if (context == NULL) return WEIR_CODEC_NO_MEMORY;
    size_t written = ZSTD_decompressDCtx(context, output, capacity, input, length);
    return ZSTD_isError(written) ? WEIR_CODEC_CORRUPT : (int64_t)written;
}

// Streams

struct weir_stream {
    weir_stream_kind kind;
    z_stream z;
    LZ4F_dctx *lz4;
    ZSTD_DStream *zstd;
    int member_ended;
};

weir_stream *weir_stream_open(weir_stream_kind kind, size_t window_limit) {
    weir_stream *stream = calloc(1, sizeof *stream);
    if (stream == NULL) return NULL;
    stream->kind = kind;
    int opened = 0;
    switch (kind) {
    case WEIR_STREAM_GZIP:
        opened = inflateInit2(&stream->z, 15 + 32) == Z_OK;
        break;
    case WEIR_STREAM_LZ4:
        opened = !LZ4F_isError(LZ4F_createDecompressionContext(&stream->lz4, LZ4F_VERSION));
        break;
    case WEIR_STREAM_ZSTD:
        stream->zstd = ZSTD_createDStream();
        if (stream->zstd != NULL) {
            int log = 23;
            while (log < 27 && ((size_t)1 << log) < window_limit) log++;
            opened = !ZSTD_isError(
                ZSTD_DCtx_setParameter(stream->zstd, ZSTD_d_windowLogMax, log));
        }
        break;
    }
    if (opened) return stream;
    if (stream->zstd != NULL) ZSTD_freeDStream(stream->zstd);
    free(stream);
    return NULL;
}

static int64_t step_gzip(
    weir_stream *stream, const uint8_t *input, size_t length, size_t *position, void *output,
    size_t capacity, int *at_boundary) {
    if (stream->member_ended) {
        if (inflateReset(&stream->z) != Z_OK) return WEIR_CODEC_CORRUPT;
        stream->member_ended = 0;
    }
    size_t available = length - *position;
    uInt offered = available > UINT_MAX ? UINT_MAX : (uInt)available;
    uInt room = capacity > UINT_MAX ? UINT_MAX : (uInt)capacity;
    stream->z.next_in = (Bytef *)(uintptr_t)(input + *position);
    stream->z.avail_in = offered;
    stream->z.next_out = output;
    stream->z.avail_out = room;
    int result = inflate(&stream->z, Z_NO_FLUSH);
    *position += offered - stream->z.avail_in;
    if (result == Z_STREAM_END) {
        stream->member_ended = 1;
        *at_boundary = 1;
    } else if (result != Z_OK && result != Z_BUF_ERROR) {
        return result == Z_MEM_ERROR ? WEIR_CODEC_NO_MEMORY : WEIR_CODEC_CORRUPT;
    }
    return (int64_t)(room - stream->z.avail_out);
}

int64_t weir_stream_step(
    weir_stream *stream, const void *input, size_t length, size_t *position, void *output,
    size_t capacity, int *at_boundary) {
    const uint8_t *bytes = input;
    *at_boundary = 0;
    switch (stream->kind) {
    case WEIR_STREAM_GZIP:
        return step_gzip(stream, bytes, length, position, output, capacity, at_boundary);
    case WEIR_STREAM_LZ4: {
        size_t read = length - *position, written = capacity;
        size_t hint = LZ4F_decompress(
            stream->lz4, output, &written, bytes + *position, &read, NULL);
        if (LZ4F_isError(hint)) return WEIR_CODEC_CORRUPT;
        *position += read;
        *at_boundary = hint == 0;
        return (int64_t)written;
    }
    case WEIR_STREAM_ZSTD: {
        ZSTD_inBuffer in = {bytes, length, *position};
        ZSTD_outBuffer out = {output, capacity, 0};
        size_t hint = ZSTD_decompressStream(stream->zstd, &out, &in);
        if (ZSTD_isError(hint)) return WEIR_CODEC_CORRUPT;
        *position = in.pos;
        *at_boundary = hint == 0;
        return (int64_t)out.pos;
    }
    }
    return WEIR_CODEC_CORRUPT;
}

void weir_stream_close(weir_stream *stream) {
    if (stream == NULL) return;
    switch (stream->kind) {
    case WEIR_STREAM_GZIP: inflateEnd(&stream->z); break;
    case WEIR_STREAM_LZ4: LZ4F_freeDecompressionContext(stream->lz4); break;
    case WEIR_STREAM_ZSTD: ZSTD_freeDStream(stream->zstd); break;
    }
    free(stream);
}
