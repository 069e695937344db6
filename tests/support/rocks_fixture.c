/* SPDX-License-Identifier: Apache-2.0 */
/* rocks_fixture.c — temporary databases. */
#include "rocks_fixture.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "assertion.h"
#include "haul/verify.h"
#include "raw_batch.h"

static void open_store(struct rocks_fixture *fixture)
{
    struct haul_rocks_options options = {.create_if_missing = true};
    struct haul_error error = {0};
    if (haul_rocks_store_open(fixture->path, &options, &fixture->store, &error) != HAUL_OK) {
        char line[512];
        haul_error_format(&error, line, sizeof(line));
        (void)fprintf(stderr, "fixture: %s\n", line);
        abort();
    }
}

void rocks_fixture_make_directory(struct rocks_fixture *fixture)
{
    const char *base = getenv("TMPDIR");
    (void)snprintf(fixture->path, sizeof(fixture->path), "%s/haul-test-XXXXXX",
                   base == NULL ? "/tmp" : base);
    const char *made = mkdtemp(fixture->path);
    haul_assert(made != NULL);
    fixture->store = NULL;
}

void rocks_fixture_open(struct rocks_fixture *fixture)
{
    rocks_fixture_make_directory(fixture);
    open_store(fixture);
}

void rocks_fixture_reopen(struct rocks_fixture *fixture)
{
    fixture->store->ops->close(fixture->store);
    open_store(fixture);
}

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *walk)
{
    (void)status;
    (void)type;
    (void)walk;
    return remove(path);
}

void rocks_fixture_close(struct rocks_fixture *fixture)
{
    if (fixture->store != NULL) {
        fixture->store->ops->close(fixture->store);
        fixture->store = NULL;
    }
    (void)nftw(fixture->path, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

uint32_t rocks_fixture_family(struct rocks_fixture *fixture, const char *name)
{
    struct haul_family family;
    struct haul_error error = {0};
    enum haul_status status =
        fixture->store->ops->family_create(fixture->store, name, &family, &error);
    haul_assert(status == HAUL_OK);
    return family.id;
}

static void write_batch(struct rocks_fixture *fixture, struct raw_batch_writer *writer)
{
    struct haul_error error = {0};
    size_t size = raw_batch_finish(writer);
    enum haul_status status =
        fixture->store->ops->write(fixture->store, slice_of(writer->begin, size), 0, &error);
    haul_assert(status == HAUL_OK);
}

void rocks_fixture_put(struct rocks_fixture *fixture, uint32_t family_id, struct haul_slice key,
                       struct haul_slice value)
{
    size_t capacity = RAW_BATCH_HEADER_BYTES + raw_batch_put_size(family_id, key.size, value.size);
    uint8_t *memory = malloc(capacity);
    haul_assert(memory != NULL);
    struct raw_batch_writer writer;
    raw_batch_begin(&writer, memory, capacity);
    bool fits = raw_batch_put(&writer, family_id, key, value);
    haul_assert(fits);
    write_batch(fixture, &writer);
    free(memory);
}

void rocks_fixture_put_entity(struct rocks_fixture *fixture, uint32_t family_id,
                              struct haul_slice key, const char *name, const char *value)
{
    uint8_t memory[1024];
    uint8_t entity[256];
    /* The format's version, the number of columns, names with the sizes of values; then values. */
    int size = snprintf((char *)entity, sizeof(entity), "%c%c%c%s%c%s", 1, 1, (int)strlen(name),
                        name, (int)strlen(value), value);
    struct raw_batch_writer writer;
    raw_batch_begin(&writer, memory, sizeof(memory));
    bool fits = raw_batch_put(&writer, family_id, key, slice_of(entity, (size_t)size));
    haul_assert(fits);
    memory[RAW_BATCH_HEADER_BYTES] = family_id == 0 ? RAW_PUT_ENTITY : RAW_FAMILY_PUT_ENTITY;
    write_batch(fixture, &writer);
}

void rocks_fixture_delete(struct rocks_fixture *fixture, uint32_t family_id, struct haul_slice key)
{
    uint8_t memory[1024];
    struct raw_batch_writer writer;
    raw_batch_begin(&writer, memory, sizeof(memory));
    bool fits = raw_batch_delete(&writer, family_id, key);
    haul_assert(fits);
    write_batch(fixture, &writer);
}

void rocks_fixture_fill(struct rocks_fixture *fixture, uint32_t family_id, const char *prefix,
                        uint32_t count, size_t value_size)
{
    enum { BATCH_BYTES = 1 << 20 };
    uint8_t *memory = malloc(BATCH_BYTES + value_size);
    uint8_t *value = malloc(value_size + 1);
    size_t key_capacity = strlen(prefix) + 16;
    char *key = malloc(key_capacity);
    haul_assert(memory != NULL && value != NULL && key != NULL);
    struct raw_batch_writer writer;
    raw_batch_begin(&writer, memory, BATCH_BYTES + value_size);
    uint64_t random = 88172645463325252U;
    for (uint32_t i = 0; i < count; i++) {
        for (size_t j = 0; j < value_size; j++) {
            random = random * 6364136223846793005U + 1442695040888963407U;
            value[j] = (uint8_t)(random >> 56);
        }
        (void)snprintf(key, key_capacity, "%s%08u", prefix, i);
        while (!raw_batch_put(&writer, family_id, text_slice(key), slice_of(value, value_size))) {
            write_batch(fixture, &writer);
            raw_batch_begin(&writer, memory, BATCH_BYTES + value_size);
        }
    }
    write_batch(fixture, &writer);
    free(key);
    free(value);
    free(memory);
}

static size_t scan(struct rocks_fixture *fixture, const struct haul_verify_options *options,
                   struct haul_family_result **results)
{
    size_t count = 0;
    struct haul_error error = {0};
    *results = calloc(HAUL_FAMILY_COUNT_MAX, sizeof(**results));
    haul_assert(*results != NULL);
    enum haul_status status = haul_verify_scan(fixture->store, options, *results, &count, &error);
    haul_assert(status == HAUL_OK);
    return count;
}

size_t rocks_fixture_differences(struct rocks_fixture *a, struct rocks_fixture *b,
                                 const struct haul_range *ranges, size_t range_count)
{
    struct haul_verify_options options = {.ranges = ranges, .range_count = range_count};
    struct haul_family_result *a_results;
    struct haul_family_result *b_results;
    size_t a_count = scan(a, &options, &a_results);
    size_t b_count = scan(b, &options, &b_results);
    size_t differences = haul_verify_differences(a_results, a_count, b_results, b_count, NULL);
    free(a_results);
    free(b_results);
    return differences;
}

uint64_t rocks_fixture_count(struct rocks_fixture *fixture, const char *family)
{
    struct haul_verify_options options = {.families = &family, .family_count = 1};
    struct haul_family_result *results;
    (void)scan(fixture, &options, &results);
    uint64_t records = results[0].records;
    free(results);
    return records;
}
