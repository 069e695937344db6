/* SPDX-License-Identifier: Apache-2.0 */
/* rocks_known.h — the options of column families that travel between databases, and the limits of
 * those whose value decides about memory, files or time. RocksDB has no limit for most of them: a
 * family of 10^9 levels takes all memory, then and at every later open.
 *
 * Pure. Thread: any. */
#ifndef HAUL_ROCKS_KNOWN_H
#define HAUL_ROCKS_KNOWN_H

#include <stdbool.h>
#include <stddef.h>

#include "family_options.h"
#include "haul/status.h"

/* Before the name of a table option. */
#define ROCKS_TABLE_PREFIX "table."

enum {
    ROCKS_OPTION_NAME_BYTES_MAX = 64,
    ROCKS_OPTION_VALUE_BYTES_MAX = 512,
};

enum rocks_option_kind {
    ROCKS_OPTION_FAMILY,
    ROCKS_OPTION_TABLE,
    ROCKS_OPTION_REPORTED, /* only compared: the owner's code, or not for a new family */
};

struct rocks_known {
    const char *name; /* without ROCKS_TABLE_PREFIX */
    enum rocks_option_kind kind;
    const struct rocks_limit *limits; /* NULL: no value of it costs anything */
};

/* The option at `index`; NULL: there are no more. */
const struct rocks_known *rocks_known_at(size_t index);

/* An option with its escapes removed. */
struct rocks_option {
    const struct rocks_known *known;
    char value[ROCKS_OPTION_VALUE_BYTES_MAX];
};

/* False: not one that travels, or too long. */
bool rocks_known_read(const struct family_option *from, struct rocks_option *option);

/* Is every number that has a limit a plain one, and within it? */
bool rocks_known_fits(const struct rocks_option *option);

/* Would a family made with these options stay within the limits? `options` may be NULL. A value
 * that is no number at all is left to RocksDB's parser, and not taken over. Errors: UNSUPPORTED
 * (names option and limit; or an option is set twice). */
enum haul_status rocks_known_check(const char *family, const char *options,
                                   struct haul_error *error) HAUL_MUST_CHECK;

#endif
