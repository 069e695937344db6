/* SPDX-License-Identifier: Apache-2.0 */
/* range_option.h — parses key ranges of the command line, and formats them in the same form. */
#ifndef HAUL_RANGE_OPTION_H
#define HAUL_RANGE_OPTION_H

#include <stddef.h>

#include "haul/migration.h"
#include "option_table.h"
#include "option_value.h"

/* Ranges in the given order, each with its own memory. Zeroed is empty. */
struct range_list {
    struct haul_range *ranges;
    size_t count;
};

/* struct range_list: "START:END", keys as text or 0x... hexadecimal; either may be empty; in text a
 * backslash takes the next character literally ("\:" is a colon, "\0x" is text). */
OPTION_PARSER(option_range);
/* struct range_list: all keys that begin with the text or 0x... prefix. */
OPTION_PARSER(option_prefix);

/* --cf, --range and --prefix, for an options struct with a struct name_list families and a struct
 * range_list ranges. */
#define SELECTION_OPTION_RULES(type)                                                          \
    {.name = "cf",                                                                            \
     .value_name = "NAME",                                                                    \
     .help = "only this column family; may be repeated (default: all)",                       \
     .group = "What",                                                                         \
     OPTION_AT(option_names, type, families)},                                                \
        {.name = "range",                                                                     \
         .value_name = "START:END",                                                           \
         .help = "only keys from START to before END; either may be empty; may be repeated\n" \
                 "(default: everything)",                                                     \
         OPTION_AT(option_range, type, ranges)},                                              \
    {                                                                                         \
        .name = "prefix", .value_name = "P",                                                  \
        .help = "only keys that begin with P; may be repeated",                               \
        OPTION_AT(option_prefix, type, ranges)                                                \
    }

/* How to write keys, for the help text of such a command. */
#define SELECTION_HELP                                                                          \
    "Keys are text, or hexadecimal if they begin with 0x: --prefix 0xab is the byte ab. A\n"    \
    "backslash takes the next character literally: --prefix '\\0xab' for keys that begin with " \
    "the\n"                                                                                     \
    "text 0xab, --range 'user\\:a:user\\:b' for a colon in a key, \\\\ for a backslash.\n"

void range_list_fini(struct range_list *list);

/* A range in the form that option_range parses: "user\::0xff00". Always terminates `text`; a text
 * that does not fit ends with "...". */
void range_option_format(const struct haul_range *range, char *text, size_t text_size_bytes);

#endif
