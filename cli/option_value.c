/* SPDX-License-Identifier: Apache-2.0 */
/* option_value.c — parses numbers, sizes, durations and names of the command line. */
#include "option_value.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "haul/migration.h"
#include "haul/transport.h"

enum { UNIT_COUNT_MAX = 16 };

struct unit {
    const char *suffix;
    double factor;
};

static const struct unit size_units[UNIT_COUNT_MAX] = {
    {"", 1},
    {"K", 1024.0},
    {"M", 1024.0 * 1024},
    {"G", 1024.0 * 1024 * 1024},
    {"T", 1024.0 * 1024 * 1024 * 1024},
    {"KiB", 1024.0},
    {"MiB", 1024.0 * 1024},
    {"GiB", 1024.0 * 1024 * 1024},
    {"kB", 1e3},
    {"MB", 1e6},
    {"GB", 1e9},
    {"kbit", 125},
    {"mbit", 125e3},
    {"gbit", 125e6},
};

/* In milliseconds. */
static const struct unit duration_units[UNIT_COUNT_MAX] = {
    {"", 1000}, {"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000},
};

static const struct unit no_units[UNIT_COUNT_MAX] = {{"", 1}};

static enum haul_status bad_value(const struct option_rule *rule, const char *text,
                                  struct haul_error *error)
{
    return haul_error_set(error, HAUL_INVALID, NULL, 0, "invalid value '%s' for %s%s", text,
                          rule->name == NULL ? "" : "--",
                          rule->name == NULL ? rule->value_name : rule->name);
}

/* Parse `text` as number and unit within the rule's range. False: malformed or out of range. */
static bool parse_number(const struct option_rule *rule, const char *text, const struct unit *units,
                         uint64_t *value)
{
    if (text[0] < '0' || text[0] > '9') {
        return false; /* no sign, no space, no "inf" */
    }
    char *end = NULL;
    errno = 0;
    uint64_t whole = strtoull(text, &end, 10);
    bool has_fraction = errno == 0 && *end == '.' && units != no_units;
    double number = has_fraction ? strtod(text, &end) : (double)whole;
    for (size_t i = 0; errno == 0 && i < UNIT_COUNT_MAX && units[i].suffix != NULL; i++) {
        if (strcmp(end, units[i].suffix) == 0) {
            double scaled = number * units[i].factor;
            bool exact = !has_fraction && units[i].factor == 1;
            if (!exact && !(scaled < 0x1p64)) {
                return false; /* converting a value beyond uint64_t is undefined */
            }
            *value = exact ? whole : (uint64_t)scaled;
            return *value >= rule->min && *value <= rule->max;
        }
    }
    return false;
}

static void size_format(uint64_t bytes, char text[32])
{
    static const char suffixes[] = "\0KMGT";
    size_t unit = 0;
    while (bytes >= 1024 && bytes % 1024 == 0 && suffixes[unit + 1] != '\0') {
        bytes /= 1024;
        unit++;
    }
    (void)snprintf(text, 32, "%" PRIu64 "%.1s", bytes, &suffixes[unit]);
}

enum haul_status option_flag(const struct option_rule *rule, const char *text, void *target,
                             struct haul_error *error)
{
    (void)rule;
    (void)text;
    (void)error;
    *(bool *)target = true;
    return HAUL_OK;
}

enum haul_status option_count(const struct option_rule *rule, const char *text, void *target,
                              struct haul_error *error)
{
    (void)rule;
    (void)text;
    (void)error;
    *(unsigned *)target += 1;
    return HAUL_OK;
}

enum haul_status option_text(const struct option_rule *rule, const char *text, void *target,
                             struct haul_error *error)
{
    if (text[0] == '\0') {
        return bad_value(rule, text, error);
    }
    *(const char **)target = text;
    return HAUL_OK;
}

enum haul_status option_names(const struct option_rule *rule, const char *text, void *target,
                              struct haul_error *error)
{
    struct name_list *list = target;
    if (text[0] == '\0' || strlen(text) >= HAUL_NAME_BYTES_MAX ||
        list->count == HAUL_FAMILY_COUNT_MAX) {
        bad_value(rule, text, error);
        haul_error_hint(error, "names of 1 to %d bytes, at most %d names", HAUL_NAME_BYTES_MAX - 1,
                        HAUL_FAMILY_COUNT_MAX);
        return HAUL_INVALID;
    }
    list->names[list->count++] = text;
    return HAUL_OK;
}

enum haul_status option_u64(const struct option_rule *rule, const char *text, void *target,
                            struct haul_error *error)
{
    uint64_t value = 0;
    if (!parse_number(rule, text, no_units, &value)) {
        bad_value(rule, text, error);
        haul_error_hint(error, "a number from %" PRIu64 " to %" PRIu64, rule->min, rule->max);
        return HAUL_INVALID;
    }
    *(uint64_t *)target = value;
    return HAUL_OK;
}

enum haul_status option_u32(const struct option_rule *rule, const char *text, void *target,
                            struct haul_error *error)
{
    uint64_t value = 0;
    enum haul_status status = option_u64(rule, text, &value, error);
    if (status == HAUL_OK) {
        *(uint32_t *)target = (uint32_t)value;
    }
    return status;
}

enum haul_status option_size_u64(const struct option_rule *rule, const char *text, void *target,
                                 struct haul_error *error)
{
    uint64_t value = 0;
    if (!parse_number(rule, text, size_units, &value)) {
        char min[32];
        char max[32];
        size_format(rule->min, min);
        size_format(rule->max, max);
        bad_value(rule, text, error);
        haul_error_hint(error, "bytes from %s to %s, with K, M or G (powers of 1024), MB or mbit",
                        min, max);
        return HAUL_INVALID;
    }
    *(uint64_t *)target = value;
    return HAUL_OK;
}

enum haul_status option_size_u32(const struct option_rule *rule, const char *text, void *target,
                                 struct haul_error *error)
{
    uint64_t value = 0;
    enum haul_status status = option_size_u64(rule, text, &value, error);
    if (status == HAUL_OK) {
        *(uint32_t *)target = (uint32_t)value;
    }
    return status;
}

enum haul_status option_duration(const struct option_rule *rule, const char *text, void *target,
                                 struct haul_error *error)
{
    uint64_t value = 0;
    if (!parse_number(rule, text, duration_units, &value)) {
        bad_value(rule, text, error);
        haul_error_hint(error, "a time from %" PRIu64 "ms to %" PRIu64 "s: 500ms, 5s, 2m",
                        rule->min, rule->max / 1000);
        return HAUL_INVALID;
    }
    *(uint32_t *)target = (uint32_t)value;
    return HAUL_OK;
}

enum haul_status option_transports(const struct option_rule *rule, const char *text, void *target,
                                   struct haul_error *error)
{
    if (haul_transport_list_parse(text, target) != HAUL_OK) {
        bad_value(rule, text, error);
        haul_error_hint(error, "auto, rdma, tcp, or both separated by a comma");
        return HAUL_INVALID;
    }
    return HAUL_OK;
}

enum haul_status option_verify(const struct option_rule *rule, const char *text, void *target,
                               struct haul_error *error)
{
    bool reads = strcmp(text, "read") == 0;
    if (!reads && strcmp(text, "count") != 0) {
        bad_value(rule, text, error);
        haul_error_hint(error, "count or read");
        return HAUL_INVALID;
    }
    *(bool *)target = reads;
    return HAUL_OK;
}

enum haul_status option_lane(const struct option_rule *rule, const char *text, void *target,
                             struct haul_error *error)
{
    if (haul_lane_parse(text, target) == HAUL_OK) {
        return HAUL_OK;
    }
    bad_value(rule, text, error);
    haul_error_hint(error, "auto, ingest or writebatch");
    return HAUL_INVALID;
}

enum haul_status option_wire(const struct option_rule *rule, const char *text, void *target,
                             struct haul_error *error)
{
    if (haul_wire_parse(text, target) == HAUL_OK) {
        return HAUL_OK;
    }
    bad_value(rule, text, error);
    haul_error_hint(error, "auto, secure, auth or none");
    return HAUL_INVALID;
}

enum haul_status option_compression(const struct option_rule *rule, const char *text, void *target,
                                    struct haul_error *error)
{
    static const char *const names[] = {
        [HAUL_COMPRESSION_AUTO] = "auto",
        [HAUL_COMPRESSION_OFF] = "off",
        [HAUL_COMPRESSION_ON] = "on",
    };
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(text, names[i]) == 0) {
            *(enum haul_compression *)target = (enum haul_compression)i;
            return HAUL_OK;
        }
    }
    bad_value(rule, text, error);
    haul_error_hint(error, "auto, off or on");
    return HAUL_INVALID;
}
