/* SPDX-License-Identifier: Apache-2.0 */
/* log_file.h — the record format of RocksDB's write-ahead logs and manifests, read without RocksDB
 * and without trusting it: the reader searches for records after damage.
 *
 *   a file is blocks of 32 KiB; a block is fragments; no fragment crosses a block
 *   fragment: u32 CRC | u16 size | u8 type | [u32 log number] | payload
 *   types 1 whole, 2 first, 3 middle, 4 last; 5 to 8 the same in a recycled file, with log number
 *   type 9 announces compressed payloads; 10, 11, 130, 131 carry facts of later releases
 *   CRC: masked CRC-32C of type, log number and payload
 *
 * A recycled file ends where a fragment has another log number: what follows is older
 * content.
 *
 * Thread: any, one for each reader. */
#ifndef HAUL_LOG_FILE_H
#define HAUL_LOG_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "haul/slice.h"
#include "haul/status.h"

struct log_file;

/* Errors: NOT_FOUND, IO, NO_MEMORY. */
enum haul_status log_file_open(const char *path, struct log_file **file,
                               struct haul_error *error) HAUL_MUST_CHECK;
void log_file_close(struct log_file *file);

/* The next record, which belongs to the reader until the next call. Damage is reported once, where
 * it begins; a further call continues at the next readable block.
 * Errors: NOT_FOUND (the end, or a torn last record), CORRUPT (damage), VERSION (a fragment of a
 * type that only a later release of RocksDB knows), IO, NO_MEMORY. */
enum haul_status log_file_next(struct log_file *file, struct haul_slice *record,
                               struct haul_error *error) HAUL_MUST_CHECK;

/* Are its payloads compressed? log_unpack.h reads them. Known once a record was read. */
bool log_file_is_compressed(const struct log_file *file);

/* Where the last record, or the last damage, begins. */
uint64_t log_file_offset(const struct log_file *file);

/* Judged by its first block, is the file of another format: another program's, or encrypted? A
 * damaged file has a sound fragment somewhere; one that is empty, full of zeros or unreadable is
 * not foreign either. */
bool log_file_is_foreign(const char *path);

/* Did the file end within a record? Known after NOT_FOUND. */
bool log_file_is_torn(const struct log_file *file);

#endif
