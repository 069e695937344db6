/* SPDX-License-Identifier: Apache-2.0 */
/* option_table.h — the options of a command as a table: one source for parsing and for help. */
#ifndef HAUL_OPTION_TABLE_H
#define HAUL_OPTION_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "haul/status.h"

struct option_rule {
    const char *name; /* without the dashes; NULL: the one value that stands by itself, last in
                             * the table */
    int letter;       /* 0: none */
    const char *value_name; /* NULL: the option takes no value */
    const char *help;       /* one line; may hold newlines */
    const char *group;      /* heading of the group that begins here; NULL: same group */
    /* Store `text` (NULL for a flag) at `target`. Errors: INVALID, with a hint. */
    enum haul_status (*parse)(const struct option_rule *rule, const char *text, void *target,
                              struct haul_error *error);
    size_t offset; /* offset of `target` in the options struct */
    uint64_t min;
    uint64_t max;
};

/* The destination of an option: parser and offset. */
#define OPTION_AT(parser, type, member) .parse = (parser), .offset = offsetof(type, member)

/* Parse all of `argv` (argv[0] is skipped; nothing but options is accepted, and the value that
 * stands by itself, if the table has one). `options` holds
 * the defaults. Sets `*help` on -h or --help, and then ignores the rest.
 * Errors: INVALID, NO_MEMORY. */
enum haul_status option_table_parse(const struct option_rule *rules, size_t rule_count, int argc,
                                    char **argv, void *options, bool *help,
                                    struct haul_error *error) HAUL_MUST_CHECK;

/* Print the options part of a help page on stdout. */
void option_table_print(const struct option_rule *rules, size_t rule_count);

#endif
