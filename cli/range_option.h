/* SPDX-License-Identifier: Apache-2.0 */
/* range_option.h — key ranges from the command line. */
#ifndef HAUL_RANGE_OPTION_H
#define HAUL_RANGE_OPTION_H

#include <stddef.h>

#include "haul/migration.h"
#include "option_value.h"

/* Ranges in the order given, each with memory of its own. Zeroed is empty. */
struct range_list {
    struct haul_range *ranges;
    size_t count;
};

/* struct range_list: "START:END", keys as text or 0x... hexadecimal; "\:" is a colon in text;
 * either may be empty. */
OPTION_PARSER(option_range);
/* struct range_list: all keys that begin with the text or 0x... prefix. */
OPTION_PARSER(option_prefix);

void range_list_fini(struct range_list *list);

#endif
