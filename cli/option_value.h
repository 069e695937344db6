/* SPDX-License-Identifier: Apache-2.0 */
/* option_value.h — parsers for the values of options; each fits struct option_rule.parse. */
#ifndef HAUL_OPTION_VALUE_H
#define HAUL_OPTION_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "haul/store.h"
#include "option_table.h"

/* Names given by repeating an option; borrowed from argv. */
struct name_list {
    const char *names[HAUL_FAMILY_COUNT_MAX];
    size_t count;
};

/* Each line names the type that `target` points to. Ranges are the rule's `min` and `max`. */
#define OPTION_PARSER(name)                                                               \
    enum haul_status name(const struct option_rule *rule, const char *text, void *target, \
                          struct haul_error *error)

OPTION_PARSER(option_flag);        /* bool: set */
OPTION_PARSER(option_count);       /* unsigned: counted up */
OPTION_PARSER(option_text);        /* const char *: borrowed from argv */
OPTION_PARSER(option_names);       /* struct name_list: appended */
OPTION_PARSER(option_u32);         /* uint32_t: decimal */
OPTION_PARSER(option_u64);         /* uint64_t: decimal */
OPTION_PARSER(option_size_u32);    /* uint32_t: bytes, with K, M, G (powers of 1024), MB, mbit... */
OPTION_PARSER(option_size_u64);    /* uint64_t: likewise */
OPTION_PARSER(option_duration);    /* uint32_t: milliseconds, from 500ms, 5s, 2m; seconds if bare */
OPTION_PARSER(option_verify);      /* bool: "count" or "read" */
OPTION_PARSER(option_transports);  /* struct haul_transport_list */
OPTION_PARSER(option_compression); /* enum haul_compression */
OPTION_PARSER(option_lane);        /* enum haul_lane */
OPTION_PARSER(option_wire);        /* enum haul_wire */

#endif
