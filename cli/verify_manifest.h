/* SPDX-License-Identifier: Apache-2.0 */
/* verify_manifest.h — what `haul verify` has read of a database, in a file for another host: count
 * and digest of each column family, and of pieces of about 64 records, which locate the first
 * difference.
 *
 *   haul-manifest 1
 *   select HEX                   a column family that was chosen; none: all
 *   range HEX:HEX                likewise
 *   family HEX                   the pieces of one, in its order:
 *   piece RECORDS DIGEST HEX       with its last key
 *   total RECORDS BYTES DIGEST HEX     of the family of that name
 *   end
 *
 * Numbers are decimal, names and keys hexadecimal, "-" for an empty one. Thread: one. */
#ifndef HAUL_VERIFY_MANIFEST_H
#define HAUL_VERIFY_MANIFEST_H

#include <stdbool.h>
#include <stdio.h>

#include "haul/verify.h"
#include "option_value.h"
#include "range_option.h"

/* --- writing ---------------------------------------------------------------------------------- */

struct manifest_writer {
    FILE *file;
    const char *path;
    char *name; /* of a regular file, until it is complete; NULL: another kind */
    char *temporary;
    char family[HAUL_NAME_BYTES_MAX];
};

/* A regular file appears, and replaces an older one, only when it is complete. Errors: IO,
 * NO_SPACE, NOT_FOUND (no such directory, or a directory), NO_MEMORY. */
enum haul_status manifest_create(struct manifest_writer *writer, const char *path,
                                 const struct haul_verify_options *selected,
                                 struct haul_error *error);
enum haul_status manifest_add(struct manifest_writer *writer, const struct haul_verify_piece *piece,
                              struct haul_error *error);
/* Closes and frees; without `families` no file appears. */
enum haul_status manifest_finish(struct manifest_writer *writer,
                                 const struct haul_family_result *families, size_t count,
                                 struct haul_error *error);

/* --- reading ---------------------------------------------------------------------------------- */

struct manifest_reader {
    FILE *file;
    char *line;
    size_t line_capacity;
    struct name_list selected; /* names are the reader's */
    struct range_list ranges;
    size_t family_count; /* with pieces */
    struct {
        char name[HAUL_NAME_BYTES_MAX];
        long place; /* start of its first piece */
    } families[HAUL_FAMILY_COUNT_MAX];
    struct haul_family_result totals[HAUL_FAMILY_COUNT_MAX];
    size_t total_count;
    /* For the comparison: */
    char family[HAUL_NAME_BYTES_MAX]; /* the family that is being compared */
    bool in_step;                     /* no difference in this family so far */
    bool differs;                     /* a difference was found; the first one: */
    char first_family[HAUL_NAME_BYTES_MAX];
    struct haul_range between; /* after `start`, up to and including `end`; malloc'ed */
    struct haul_slice last_key;
};

/* Read everything but the pieces. Close it even if this fails. Errors: NOT_FOUND, IO, CORRUPT (an
 * incomplete manifest, or data after its end), VERSION. */
enum haul_status manifest_open(struct manifest_reader *reader, const char *path,
                               struct haul_error *error);
/* Compare a piece of the database with the next one of the manifest. */
enum haul_status manifest_compare(struct manifest_reader *reader,
                                  const struct haul_verify_piece *piece, struct haul_error *error);
void manifest_close(struct manifest_reader *reader);

#endif
