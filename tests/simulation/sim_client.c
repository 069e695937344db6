/* SPDX-License-Identifier: Apache-2.0 */
/* sim_client.c — writes at random, comparisons record by record. */
#include "sim_client.h"

#include <string.h>

#include "assertion.h"
#include "raw_batch.h"
#include "sim_report.h"

enum {
    FAMILY_COUNT = 3,
    KEY_BYTES_MAX = 8,
    BATCH_BYTES_MAX = 40000,
    HUGE_BYTES = 9000,
    OPERATIONS_MAX = 4,
    FILL_BATCH = 3,
};

/* Ids of the families on each host; on the target they are other ones, and may be missing. */
static const uint32_t family_ids[SIM_HOST_COUNT][FAMILY_COUNT] = {{0, 3, 7}, {0, 5, 0}};
static const char *const family_names[FAMILY_COUNT] = {"default", "alpha", "beta"};

static uint8_t batch_memory[BATCH_BYTES_MAX];
static uint8_t value_memory[HUGE_BYTES];

void sim_client_init(struct sim_client *client, const struct sim_options *options,
                     struct sim_random *random, struct sim_host *hosts)
{
    memset(client, 0, sizeof(*client));
    client->options = options;
    client->random = random;
    client->hosts = hosts;
}

/* The id of a family on a host. False: it is not there (yet). */
static bool find_family(const struct sim_host *host, uint32_t number, uint32_t *id)
{
    for (size_t i = 0; i < host->store.family_count; i++) {
        if (strcmp(host->store.families[i].name, family_names[number]) == 0) {
            *id = host->store.families[i].id;
            return true;
        }
    }
    return false;
}

/* --- writing ---------------------------------------------------------------------------------- */

static struct haul_slice make_key(struct sim_client *client, uint8_t *memory)
{
    static const uint8_t bytes[] = {0x00, '0', '1', '5', '9', 0x80, 0xff};
    struct sim_random *random = client->random;
    size_t size = 1;
    memory[0] = (uint8_t)('a' + sim_random_below(random, 20));
    while (size < KEY_BYTES_MAX && sim_random_below(random, 10) < (size < 3 ? 8 : 3)) {
        memory[size++] = bytes[sim_random_below(random, sizeof(bytes))];
    }
    return slice_of(memory, size);
}

static struct haul_slice make_value(struct sim_client *client)
{
    struct sim_random *random = client->random;
    uint32_t size = sim_random_below(random, client->options->value_bytes_max + 1);
    if (sim_random_chance(random, client->options->huge_parts)) {
        size = HUGE_BYTES;
    }
    if (client->options->dense_values && sim_random_below(random, 2) == 0) {
        sim_random_fill(random, value_memory, size);
        return slice_of(value_memory, size);
    }
    uint64_t number = sim_random_next(random);
    for (uint32_t i = 0; i < size; i++) {
        value_memory[i] = (uint8_t)(number >> (8 * (i % 8)));
    }
    return slice_of(value_memory, size);
}

/* May clients write here, all of [begin, end)? */
static bool may_write(const struct sim_client *client, const struct sim_host *host,
                      struct haul_slice begin, struct haul_slice end)
{
    bool touches = sim_in_range(client->options, begin);
    for (uint32_t i = 0; end.size > 0 && i < client->options->range_count; i++) {
        const struct haul_range *range = &sim_ranges()[i];
        touches = touches ||
                  (slice_compare(begin, range->end) < 0 && slice_compare(range->start, end) < 0);
    }
    return !touches || host->accepts;
}

/* What a write to the target's ranges does to the model. */
static void note_in_model(struct sim_client *client, uint32_t number, struct haul_slice key,
                          const struct haul_slice *value)
{
    struct sim_version about = {.family_id = number, .sequence = ++client->model_sequence};
    if (client->model_valid && sim_in_range(client->options, key)) {
        sim_versions_put(&client->model, &about, key, value);
    }
}

static void note_range_in_model(struct sim_client *client, uint32_t number, struct haul_slice begin,
                                struct haul_slice end)
{
    for (uint32_t i = 0; client->model_valid && i < client->options->range_count; i++) {
        const struct haul_range *range = &sim_ranges()[i];
        struct haul_slice from = slice_compare(begin, range->start) < 0 ? range->start : begin;
        struct haul_slice to = slice_compare(range->end, end) < 0 ? range->end : end;
        struct sim_version about = {.family_id = number, .sequence = ++client->model_sequence};
        if (slice_compare(from, to) < 0) {
            (void)sim_versions_delete_range(&client->model, &about, from, to);
        }
    }
}

static void add_single_delete(struct raw_batch_writer *writer, uint32_t id, struct haul_slice key)
{
    uint8_t *tag = writer->at;
    bool fits = raw_batch_delete(writer, id, key);
    haul_assert(fits);
    *tag = id == 0 ? RAW_SINGLE_DELETE : RAW_FAMILY_SINGLE_DELETE;
}

static void add_operation(struct sim_client *client, struct sim_host *host,
                          struct raw_batch_writer *writer)
{
    uint8_t memory[2][KEY_BYTES_MAX];
    uint32_t number = sim_random_below(client->random, client->options->family_count);
    uint32_t id = 0;
    uint32_t kind = sim_random_below(client->random, 100);
    struct haul_slice key = make_key(client, memory[0]);
    struct haul_slice end = {0};
    bool target = host->number == SIM_TARGET;
    if (!find_family(host, number, &id)) {
        return;
    }
    if (kind >= 90) {
        end = make_key(client, memory[1]);
        if (slice_compare(end, key) < 0) {
            struct haul_slice swapped = key;
            key = end;
            end = swapped;
        }
    }
    if (!may_write(client, host, key, end)) {
        return;
    }
    if (kind < 65) {
        struct haul_slice value = make_value(client);
        bool fits = raw_batch_put(writer, id, key, value);
        if (fits && target) {
            note_in_model(client, number, key, &value);
        }
    } else if (kind < 90) {
        if (kind < 70) {
            add_single_delete(writer, id, key);
        } else if (!raw_batch_delete(writer, id, key)) {
            return;
        }
        if (target) {
            note_in_model(client, number, key, NULL);
        }
    } else if (raw_batch_delete_range(writer, id, key, end) && target) {
        note_range_in_model(client, number, key, end);
    }
}

void sim_client_write(struct sim_client *client)
{
    struct sim_host *host = &client->hosts[sim_random_below(client->random, SIM_HOST_COUNT)];
    if (host->process == NULL || host->store.dead) {
        return;
    }
    struct raw_batch_writer writer;
    raw_batch_begin(&writer, batch_memory, sizeof(batch_memory));
    uint32_t operations = 1 + sim_random_below(client->random, OPERATIONS_MAX);
    for (uint32_t i = 0; i < operations; i++) {
        add_operation(client, host, &writer);
    }
    if (writer.count == 0) {
        return;
    }
    /* What the target has taken over is never lost: its clients wait for the disk. */
    bool sync = host->number == SIM_TARGET || sim_random_below(client->random, 2) == 0;
    struct haul_error error;
    enum haul_status status = host->store.base.ops->write(
        &host->store.base, slice_of(batch_memory, raw_batch_finish(&writer)),
        sync ? HAUL_WRITE_SYNC : 0, &error);
    haul_assert(status == HAUL_OK);
    sim_say("clients write %u records to the %s", writer.count,
            host->number == SIM_SOURCE ? "source" : "target");
    client->writes++;
}

static void fill_host(struct sim_client *client, struct sim_host *host, uint32_t count, bool inside)
{
    uint8_t memory[KEY_BYTES_MAX];
    for (uint32_t i = 0; i < count; i++) {
        struct raw_batch_writer writer;
        raw_batch_begin(&writer, batch_memory, sizeof(batch_memory));
        for (int j = 0; j < FILL_BATCH; j++) {
            uint32_t id = 0;
            uint32_t number = sim_random_below(client->random, client->options->family_count);
            struct haul_slice key = make_key(client, memory);
            struct haul_slice value = make_value(client);
            bool wanted =
                find_family(host, number, &id) && (inside || !sim_in_range(client->options, key));
            if (wanted) {
                bool fits = raw_batch_put(&writer, id, key, value);
                haul_assert(fits);
            }
        }
        struct haul_error error;
        enum haul_status status = host->store.base.ops->write(
            &host->store.base, slice_of(batch_memory, raw_batch_finish(&writer)), HAUL_WRITE_SYNC,
            &error);
        haul_assert(status == HAUL_OK);
    }
}

void sim_client_fill(struct sim_client *client)
{
    const struct sim_options *options = client->options;
    struct sim_host *source = &client->hosts[SIM_SOURCE];
    struct sim_host *target = &client->hosts[SIM_TARGET];
    for (uint32_t i = 0; i < FAMILY_COUNT; i++) {
        sim_store_add_family(&source->store, family_ids[SIM_SOURCE][i], family_names[i]);
    }
    for (uint32_t i = 0; i + 1 < FAMILY_COUNT; i++) {
        sim_store_add_family(&target->store, family_ids[SIM_TARGET][i], family_names[i]);
    }
    fill_host(client, source, options->record_count, true);
    fill_host(client, target, 2, options->target_dirty);
}

/* --- comparing -------------------------------------------------------------------------------- */

/* What lives in the ranges of one family, one record after the other. */
struct walk {
    const struct sim_versions *versions;
    const struct sim_options *options;
    uint64_t sequence;
    uint32_t family_id;
    size_t at;
};

static const struct sim_version *next(struct walk *walk)
{
    while (walk->at < walk->versions->count &&
           walk->versions->at[walk->at].family_id == walk->family_id) {
        const struct sim_version *found =
            sim_versions_newest(walk->versions, walk->at, walk->sequence, &walk->at);
        if (found != NULL && sim_in_range(walk->options, sim_version_key(found))) {
            return found;
        }
    }
    return NULL;
}

static struct walk begin(const struct sim_client *client, const struct sim_versions *versions,
                         uint64_t sequence, uint32_t family_id)
{
    return (struct walk){.versions = versions,
                         .options = client->options,
                         .sequence = sequence,
                         .family_id = family_id,
                         .at = sim_versions_find(versions, family_id, (struct haul_slice){0})};
}

static bool is_same(const struct sim_version *a, const struct sim_version *b)
{
    return slice_compare(sim_version_key(a), sim_version_key(b)) == 0 &&
           slice_compare(sim_version_value(a), sim_version_value(b)) == 0;
}

/* Every version of one key, for whoever looks for the reason. */
static void tell_versions(const char *whose, const struct walk *walk, struct haul_slice key)
{
    size_t at = sim_versions_find(walk->versions, walk->family_id, key);
    while (at < walk->versions->count && walk->versions->at[at].family_id == walk->family_id &&
           slice_compare(sim_version_key(&walk->versions->at[at]), key) == 0) {
        const struct sim_version *version = &walk->versions->at[at++];
        sim_say("%s has version %llu: %s, %u bytes%s", whose, (unsigned long long)version->sequence,
                version->deleted ? "deleted" : "put", version->value_size,
                version->ingested ? ", ingested" : "");
    }
}

static void compare(struct walk *wanted, struct walk *found, const char *when)
{
    for (;;) {
        const struct sim_version *a = next(wanted);
        const struct sim_version *b = next(found);
        if (a == NULL && b == NULL) {
            return;
        }
        bool lost =
            b == NULL || (a != NULL && slice_compare(sim_version_key(a), sim_version_key(b)) < 0);
        if (a == NULL || b == NULL || !is_same(a, b)) {
            const struct sim_version *shown = lost ? a : b;
            tell_versions("the truth", wanted, sim_version_key(shown));
            tell_versions("the target", found, sim_version_key(shown));
            sim_fail(lost ? "I1" : "I2", "%s: key %.*s (%u bytes) of family %u %s", when, 1,
                     (const char *)shown->bytes, shown->key_size, shown->family_id,
                     lost ? "is lost" : "has no business to be there, or another value");
        }
    }
}

void sim_client_check_copy(const struct sim_client *client, const char *when)
{
    const struct sim_host *source = &client->hosts[SIM_SOURCE];
    const struct sim_host *target = &client->hosts[SIM_TARGET];
    const struct sim_versions *there = &target->store.versions;
    for (size_t i = 0; i < there->count; i++) {
        const struct sim_version *version = &there->at[i];
        if (!version->ingested && version->sequence > target->store.log.synced &&
            sim_in_range(client->options, sim_version_key(version))) {
            sim_fail("I1", "%s: what the target has is not durable", when);
        }
    }
    for (uint32_t i = 0; i < client->options->family_count; i++) {
        uint32_t from = 0;
        uint32_t to = 0;
        bool known = find_family(source, i, &from) && find_family(target, i, &to);
        if (!known) {
            sim_fail("I1", "%s: the target lacks a family", when);
        }
        struct walk wanted = begin(client, &source->store.versions, source->store.sequence, from);
        struct walk found = begin(client, there, target->store.sequence, to);
        compare(&wanted, &found, when);
    }
}

void sim_client_hand_over(struct sim_client *client)
{
    const struct sim_host *source = &client->hosts[SIM_SOURCE];
    if (client->model_valid) {
        return;
    }
    client->model_valid = true;
    for (uint32_t i = 0; i < client->options->family_count; i++) {
        uint32_t from = 0;
        (void)find_family(source, i, &from);
        struct walk all = begin(client, &source->store.versions, source->store.sequence, from);
        const struct sim_version *record;
        while ((record = next(&all)) != NULL) {
            struct haul_slice value = sim_version_value(record);
            note_in_model(client, i, sim_version_key(record), &value);
        }
    }
}

void sim_client_check_model(const struct sim_client *client)
{
    const struct sim_host *target = &client->hosts[SIM_TARGET];
    for (uint32_t i = 0; i < client->options->family_count; i++) {
        uint32_t to = 0;
        (void)find_family(target, i, &to);
        struct walk wanted = begin(client, &client->model, client->model_sequence, i);
        struct walk found = begin(client, &target->store.versions, target->store.sequence, to);
        compare(&wanted, &found, "at the end");
    }
}

void sim_client_check_record(const struct sim_client *client, uint32_t family_id,
                             struct haul_slice begin_key, struct haul_slice end)
{
    bool inside = false;
    for (uint32_t i = 0; i < client->options->range_count; i++) {
        const struct haul_range *range = &sim_ranges()[i];
        inside = inside ||
                 (slice_compare(range->start, begin_key) <= 0 &&
                  slice_compare(begin_key, range->end) < 0 && slice_compare(end, range->end) <= 0);
    }
    bool known = false;
    for (uint32_t i = 0; i < client->options->family_count; i++) {
        uint32_t id = 0;
        known = known || (find_family(&client->hosts[SIM_TARGET], i, &id) && id == family_id);
    }
    if (!inside || !known) {
        sim_fail("I2", "the target writes outside of what the job moves");
    }
}
