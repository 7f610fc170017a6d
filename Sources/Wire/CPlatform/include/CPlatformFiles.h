// Files below a directory descriptor. Paths are relative to it. Results are as in CPlatform.h:
// what the call returned, or -errno.
#ifndef WEIR_CPLATFORM_FILES_H
#define WEIR_CPLATFORM_FILES_H

#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

typedef struct {
    int64_t size;
    int64_t modified_milliseconds;
    int32_t is_directory;
    int32_t is_file;
} weir_file_facts;

// Creates the directory `path` (mode 0750) if it is missing; not its parents.
int weir_make_directory(const char *path);
// A descriptor of the directory `path`, for the calls below.
int weir_open_directory(const char *path);
int weir_open_directory_at(int directory, const char *path);
// Opens a file for reading and writing; `create` = it must not exist (mode 0640).
int weir_open_at(int directory, const char *path, int create);
// Opens an existing file for reading alone.
int weir_open_read_at(int directory, const char *path);
// Opens or creates the file and takes the exclusive lock on it: -EWOULDBLOCK when another process
// has it. The lock lives as long as the descriptor.
int weir_open_locked_at(int directory, const char *path);
int weir_close(int descriptor);
int weir_facts_at(int directory, const char *path, weir_file_facts *facts);
int64_t weir_file_size(int descriptor);
int weir_make_directory_at(int directory, const char *path);
int weir_unlink_at(int directory, const char *path);
int weir_remove_directory_at(int directory, const char *path);
int weir_rename_at(int directory, const char *source, const char *target);
int weir_link_at(int directory, const char *source, const char *target);
int weir_truncate(int descriptor, int64_t size);
int64_t weir_free_bytes_at(int directory);
int64_t weir_total_bytes_at(int directory);

// One attempt each; a short count is not an error. Interrupted calls are repeated.
int64_t weir_read_at(int descriptor, void *bytes, size_t count, int64_t position);
int64_t weir_write_at(int descriptor, const struct iovec *pieces, int count, int64_t position);
// A read-only view of `count` bytes from `position`, or NULL. Pages are read when they are touched.
// `weir_unmap` takes what `weir_map` gave.
void *weir_map(int descriptor, int64_t position, size_t count);
void weir_unmap(void *base, size_t count);
int64_t weir_read(int descriptor, void *bytes, size_t count);
int64_t weir_write(int descriptor, const void *bytes, size_t count);

// Calls `visit` with each name in the directory behind `name` in the order of bytes, but "." and
// "..", in no order.
int weir_list_at(
    int directory, const char *path, const char *name, void *context,
    void (*visit)(void *context, const char *name));

// Fills `bytes` with random bytes of the system.
int weir_random_bytes(void *bytes, size_t count);

// Descriptors this process may open; raised to the hard limit.
int64_t weir_raise_descriptor_limit(void);
int weir_is_terminal(int descriptor);
// Columns of the terminal behind `descriptor`, or -errno.
int weir_terminal_columns(int descriptor);

#endif
