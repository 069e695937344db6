/* SPDX-License-Identifier: Apache-2.0 */
/* rocks_known.c — which options travel, and how far their values go. */
#include "rocks_known.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stored_options.h"

struct rocks_limit {
    const char *part; /* of a value in braces; NULL: the whole value, or the end of a list */
    double min;
    double max;
};

#define NO_MORE_PARTS \
    {                 \
        NULL, 0, 0    \
    }
#define KIB 1024.0
#define MIB (1024 * KIB)

/* Levels are arrays in every version of a family. Each is ten times as large as the one before it
 * (max_bytes_for_level_multiplier), so 64 are more than any disk needs; RocksDB's default is 7. */
static const struct rocks_limit level_count[] = {{NULL, 1, 64}};
static const struct rocks_limit level[] = {{NULL, 0, 64}};
/* A part of the memtable: RocksDB itself uses at most 0.25. */
static const struct rocks_limit memtable_part[] = {{NULL, 0, 1}};
/* One file each, so a small size makes as many files as there are records. Default: 256 MiB. */
static const struct rocks_limit blob_file[] = {{NULL, 64 * KIB, 16 * MIB *MIB}};
/* RocksDB refuses others when it opens the family (ValidateOptions). */
static const struct rocks_limit part_of_files[] = {{NULL, 0, 1}};
/* An index entry for each block, held in memory; blocks are read and unpacked as a whole.
 * Defaults: 4 KiB. */
static const struct rocks_limit block[] = {{NULL, 64, 16 * MIB}};
/* A percentage; RocksDB takes others for 0. */
static const struct rocks_limit percentage[] = {{NULL, 0, 100}};
/* Records that a look-up reads one by one. Defaults: 16, and 1 for the index. */
static const struct rocks_limit interval[] = {{NULL, 1, 1024}};
/* Records for each bucket of a block's hash table. Default: 0.75. */
static const struct rocks_limit bucket_use[] = {{NULL, 0.05, 1}};
/* A dictionary is allocated whole, for each table: zstd's own default is 110 KiB, and it advises
 * to train one from a hundred times its size. As many threads as asked for write each table. */
static const struct rocks_limit compression_parts[] = {
    {"max_dict_bytes", 0, MIB},
    {"zstd_max_train_bytes", 0, 100 * MIB},
    {"parallel_threads", 0, 64},
    NO_MORE_PARTS,
};

/* Of the options without limits, those with numbers are bounded by RocksDB (bits of a filter: 100
 * for each key; format_version), by the text's own length (compression_per_level), or are only
 * compared with (min_blob_size, the length of a prefix). */
static const struct rocks_known known_options[] = {
    {"compression", ROCKS_OPTION_FAMILY, NULL},
    {"compression_opts", ROCKS_OPTION_FAMILY, compression_parts},
    {"compression_per_level", ROCKS_OPTION_FAMILY, NULL},
    {"bottommost_compression", ROCKS_OPTION_FAMILY, NULL},
    {"bottommost_compression_opts", ROCKS_OPTION_FAMILY, compression_parts},
    {"comparator", ROCKS_OPTION_FAMILY, NULL},
    {"merge_operator", ROCKS_OPTION_FAMILY, NULL},
    {"prefix_extractor", ROCKS_OPTION_FAMILY, NULL},
    {"num_levels", ROCKS_OPTION_FAMILY, level_count},
    {"compaction_style", ROCKS_OPTION_FAMILY, NULL},
    {"optimize_filters_for_hits", ROCKS_OPTION_FAMILY, NULL},
    {"memtable_prefix_bloom_size_ratio", ROCKS_OPTION_FAMILY, memtable_part},
    {"memtable_whole_key_filtering", ROCKS_OPTION_FAMILY, NULL},
    {"enable_blob_files", ROCKS_OPTION_FAMILY, NULL},
    {"min_blob_size", ROCKS_OPTION_FAMILY, NULL},
    {"blob_file_size", ROCKS_OPTION_FAMILY, blob_file},
    {"blob_compression_type", ROCKS_OPTION_FAMILY, NULL},
    {"blob_file_starting_level", ROCKS_OPTION_FAMILY, level},
    {"enable_blob_garbage_collection", ROCKS_OPTION_FAMILY, NULL},
    {"blob_garbage_collection_age_cutoff", ROCKS_OPTION_FAMILY, part_of_files},
    {"blob_garbage_collection_force_threshold", ROCKS_OPTION_FAMILY, part_of_files},
    {"table_factory", ROCKS_OPTION_REPORTED, NULL},
    {"compaction_filter", ROCKS_OPTION_REPORTED, NULL},
    {"compaction_filter_factory", ROCKS_OPTION_REPORTED, NULL},
    {"block_size", ROCKS_OPTION_TABLE, block},
    {"block_size_deviation", ROCKS_OPTION_TABLE, percentage},
    {"block_restart_interval", ROCKS_OPTION_TABLE, interval},
    {"block_align", ROCKS_OPTION_TABLE, NULL},
    {"index_block_restart_interval", ROCKS_OPTION_TABLE, interval},
    {"index_type", ROCKS_OPTION_TABLE, NULL},
    {"index_shortening", ROCKS_OPTION_TABLE, NULL},
    {"data_block_index_type", ROCKS_OPTION_TABLE, NULL},
    {"data_block_hash_table_util_ratio", ROCKS_OPTION_TABLE, bucket_use},
    {"metadata_block_size", ROCKS_OPTION_TABLE, block},
    {"partition_filters", ROCKS_OPTION_TABLE, NULL},
    {"filter_policy", ROCKS_OPTION_TABLE, NULL},
    {"whole_key_filtering", ROCKS_OPTION_TABLE, NULL},
    {"optimize_filters_for_memory", ROCKS_OPTION_TABLE, NULL},
    {"format_version", ROCKS_OPTION_TABLE, NULL},
    {"checksum", ROCKS_OPTION_TABLE, NULL},
    {"enable_index_compression", ROCKS_OPTION_TABLE, NULL},
    {"cache_index_and_filter_blocks", ROCKS_OPTION_TABLE, NULL},
};

enum { KNOWN_COUNT = sizeof(known_options) / sizeof(*known_options) };

const struct rocks_known *rocks_known_at(size_t index)
{
    return index < KNOWN_COUNT ? &known_options[index] : NULL;
}

bool rocks_known_read(const struct family_option *from, struct rocks_option *option)
{
    char name[ROCKS_OPTION_NAME_BYTES_MAX];
    size_t prefix = strlen(ROCKS_TABLE_PREFIX);
    if (from->name.size >= sizeof(name) || from->value.size >= sizeof(option->value)) {
        return false;
    }
    (void)snprintf(name, sizeof(name), "%.*s", (int)from->name.size, (const char *)from->name.data);
    bool table = strncmp(name, ROCKS_TABLE_PREFIX, prefix) == 0;
    const char *bare = table ? name + prefix : name;
    option->known = NULL;
    for (size_t i = 0; i < KNOWN_COUNT && option->known == NULL; i++) {
        bool is_table = known_options[i].kind == ROCKS_OPTION_TABLE;
        bool same = is_table == table && strcmp(known_options[i].name, bare) == 0;
        option->known = same ? &known_options[i] : NULL;
    }
    /* The stored text has escapes, which the entry to RocksDB's parser does not accept. */
    stored_options_unescape((const char *)from->value.data, from->value.size, option->value,
                            sizeof(option->value));
    return option->known != NULL;
}

/* --- limits ----------------------------------------------------------------------------------- */

enum fit { FIT_YES, FIT_NO_NUMBER, FIT_NO };

/* RocksDB's parser also takes a sign, "4k", and whatever follows a number. */
static enum fit fit_number(const char *text, size_t size, const struct rocks_limit *limit)
{
    char digits[ROCKS_OPTION_VALUE_BYTES_MAX];
    char *end = NULL;
    (void)snprintf(digits, sizeof(digits), "%.*s", (int)size, text);
    if (size == 0 || strspn(digits, "0123456789.") != strlen(digits)) {
        return FIT_NO_NUMBER;
    }
    double number = strtod(digits, &end);
    return *end != '\0'                                   ? FIT_NO_NUMBER
           : number >= limit->min && number <= limit->max ? FIT_YES
                                                          : FIT_NO;
}

/* A value of the form "{name=value;name=value;}"; RocksDB's parser also takes more braces, so they
 * are none. `*worst` is the limit that it exceeds. */
static enum fit fit_parts(const char *value, const struct rocks_limit *limits,
                          const struct rocks_limit **worst)
{
    enum fit fit = value[0] == '{' && strchr(value + 1, '{') == NULL ? FIT_YES : FIT_NO_NUMBER;
    const char *at = value + 1;
    while (fit == FIT_YES && *at != '\0' && *at != '}') {
        size_t size = strcspn(at, ";}");
        size_t name_size = strcspn(at, "=;}");
        for (const struct rocks_limit *limit = limits; limit->part != NULL; limit++) {
            bool same = strlen(limit->part) == name_size && memcmp(at, limit->part, name_size) == 0;
            if (same && fit == FIT_YES) {
                *worst = limit;
                fit = name_size == size
                          ? FIT_NO_NUMBER
                          : fit_number(at + name_size + 1, size - name_size - 1, limit);
            }
        }
        at += size + (at[size] == ';' ? 1 : 0);
    }
    return fit;
}

static enum fit fit_option(const struct rocks_option *option, const struct rocks_limit **worst)
{
    const struct rocks_limit *limits = option->known->limits;
    *worst = limits;
    return limits == NULL           ? FIT_YES
           : limits[0].part != NULL ? fit_parts(option->value, limits, worst)
                                    : fit_number(option->value, strlen(option->value), limits);
}

bool rocks_known_fits(const struct rocks_option *option)
{
    const struct rocks_limit *worst = NULL;
    return fit_option(option, &worst) == FIT_YES;
}

/* --- the whole text --------------------------------------------------------------------------- */

static enum haul_status refuse(const char *family, const struct rocks_option *option,
                               const struct rocks_limit *limit, struct haul_error *error)
{
    const char *part = limit->part == NULL ? "" : limit->part;
    haul_error_set(error, HAUL_UNSUPPORTED, NULL, 0,
                   "column family '%s' of the source has %s=%.64s, and the target makes families "
                   "with%s%s %.15g to %.15g",
                   family, option->known->name, option->value, part[0] == '\0' ? "" : " ", part,
                   limit->min, limit->max);
    haul_error_hint(error, "create the column family on the target beforehand, with options that "
                           "suit it, and send again");
    return HAUL_UNSUPPORTED;
}

static enum haul_status refuse_twice(const char *family, const struct rocks_option *option,
                                     struct haul_error *error)
{
    haul_error_set(error, HAUL_UNSUPPORTED, NULL, 0,
                   "the options of the source's column family '%s' have %s twice", family,
                   option->known->name);
    haul_error_hint(error, "create the column family on the target beforehand, and send again");
    return HAUL_UNSUPPORTED;
}

enum haul_status rocks_known_check(const char *family, const char *options,
                                   struct haul_error *error)
{
    bool seen[KNOWN_COUNT] = {false};
    struct family_option each;
    struct rocks_option option;
    while (family_options_next(&options, &each)) {
        const struct rocks_limit *worst = NULL;
        if (!rocks_known_read(&each, &option)) {
            continue;
        }
        size_t index = (size_t)(option.known - known_options);
        if (seen[index]) {
            return refuse_twice(family, &option, error);
        }
        seen[index] = true;
        if (fit_option(&option, &worst) == FIT_NO) {
            return refuse(family, &option, worst, error);
        }
    }
    return HAUL_OK;
}
