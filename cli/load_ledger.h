/* SPDX-License-Identifier: Apache-2.0 */
/* load_ledger.h — records what a load writer has written, so that a check can name a lost write
 * later.
 *
 * The file is a sequence of 24-byte records: u64 version, u32 key number, u16 kind, u16 flags, u32
 * check over these, u32 zero, little-endian. An intent precedes each write to the store, an
 * acknowledgement follows it. The database that owns the key must have the last synced and
 * acknowledged write, or one that was intended later. A process that dies leaves at most a torn
 * tail. Thread: one may add while another syncs. */
#ifndef HAUL_LOAD_LEDGER_H
#define HAUL_LOAD_LEDGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "haul/status.h"
#include "haul/store.h"

struct load_ledger {
    int fd;
    uint64_t version; /* the last version written, including intents */
};

struct load_entry {
    uint64_t version; /* begins at 1; each write adds one */
    uint32_t key;
    bool is_delete;
    bool acknowledged;
};

/* Open or create; continues after the last complete record. Errors: IO, NO_SPACE, CORRUPT (not a
 * ledger, or damaged before its end; the file is not changed). */
enum haul_status load_ledger_open(struct load_ledger *ledger, const char *path,
                                  struct haul_error *error) HAUL_MUST_CHECK;
enum haul_status load_ledger_add(struct load_ledger *ledger, const struct load_entry *entry,
                                 struct haul_error *error) HAUL_MUST_CHECK;
/* Errors: IO. */
enum haul_status load_ledger_sync(struct load_ledger *ledger,
                                  struct haul_error *error) HAUL_MUST_CHECK;
void load_ledger_close(struct load_ledger *ledger);

/* Call `take` for every complete record. Errors: NOT_FOUND, IO, CORRUPT (as above, or no record at
 * all), and what `take` returns. */
enum haul_status load_ledger_read(const char *path,
                                  enum haul_status (*take)(void *context,
                                                           const struct load_entry *entry),
                                  void *context, struct haul_error *error) HAUL_MUST_CHECK;

#endif
