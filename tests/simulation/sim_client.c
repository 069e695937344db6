/* SPDX-License-Identifier: Apache-2.0 */
/* sim_client.c — random writes. */
#include "sim_client.h"

#include <string.h>

#include "assertion.h"
#include "raw_batch.h"
#include "sim_report.h"

enum {
    BATCH_BYTES_MAX = 80000,
    HUGE_BYTES = 9000,
    OPERATIONS_MAX = 4,
    FILL_BATCH = 3,
};

static uint8_t batch_memory[BATCH_BYTES_MAX];
static uint8_t value_memory[HUGE_BYTES];

void sim_client_init(struct sim_client *client, const struct sim_options *options,
                     struct sim_random *random, struct sim_host *hosts)
{
    *client = (struct sim_client){.options = options, .random = random, .hosts = hosts};
}

void sim_client_make_families(struct sim_client *client, struct sim_host *host, bool all)
{
    uint32_t count = all ? SIM_FAMILY_COUNT : SIM_FAMILY_COUNT - 1;
    (void)client;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t id = i == 0 ? 0 : (uint32_t)host->number + 3 * i;
        sim_store_add_family(&host->store, id, sim_family_name(i));
    }
}

/* --- writing ---------------------------------------------------------------------------------- */

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
    for (uint32_t i = 0; i < size; i += 8) {
        put_u64(value_memory + i, number);
    }
    return slice_of(value_memory, size);
}

static void add_single_delete(struct raw_batch_writer *writer, uint32_t id, struct haul_slice key)
{
    uint8_t *tag = writer->at;
    bool fits = raw_batch_delete(writer, id, key);
    haul_assert(fits);
    *tag = id == 0 ? RAW_SINGLE_DELETE : RAW_FAMILY_SINGLE_DELETE;
}

/* From one key to another of any cell of the family, if the host accepts everything between. */
static void add_delete_range(struct sim_client *client, const struct sim_host *host,
                             struct raw_batch_writer *writer, uint32_t family,
                             struct haul_slice key)
{
    static uint8_t memory[SIM_KEY_BYTES_MAX];
    uint32_t here = host->accepts & sim_cells_of_family(family);
    uint32_t cell = sim_cell_pick(client->random, here);
    struct haul_slice end = sim_cell_key(client->random, cell, 0, memory);
    uint32_t id = 0;
    if (slice_compare(end, key) < 0) {
        struct haul_slice swapped = key;
        key = end;
        end = swapped;
    }
    bool known = sim_host_find_family(host, family, &id);
    if (known && end.size > 0 && (sim_cells_of_range(family, key, end) & ~host->accepts) == 0) {
        bool fits = raw_batch_delete_range(writer, id, key, end);
        haul_assert(fits);
    }
}

static void add_operation(struct sim_client *client, const struct sim_host *host,
                          struct raw_batch_writer *writer)
{
    static uint8_t memory[SIM_KEY_BYTES_MAX];
    uint32_t cell = sim_cell_pick(client->random, host->accepts);
    uint32_t family = cell / SIM_SPAN_COUNT;
    uint32_t kind = sim_random_below(client->random, 100);
    uint32_t id = 0;
    struct haul_slice key = sim_cell_key(client->random, cell, client->options->long_parts, memory);
    if (!sim_host_find_family(host, family, &id)) {
        return;
    }
    if (kind < 65) {
        bool fits = raw_batch_put(writer, id, key, make_value(client));
        haul_assert(fits);
    } else if (kind < 70) {
        add_single_delete(writer, id, key);
    } else if (kind < 90) {
        bool fits = raw_batch_delete(writer, id, key);
        haul_assert(fits);
    } else {
        add_delete_range(client, host, writer, family, key);
    }
}

/* Not a record, but data for readers of the log. */
static void add_log_data(struct raw_batch_writer *writer)
{
    static const uint8_t blob[] = {RAW_LOG_DATA, 4, 'm', 'a', 'r', 'k'};
    haul_assert((size_t)(writer->end - writer->at) >= sizeof(blob));
    memcpy(writer->at, blob, sizeof(blob));
    writer->at += sizeof(blob);
}

static struct sim_host *choose_host(struct sim_client *client)
{
    uint32_t count = client->options->host_count;
    uint32_t first = sim_random_below(client->random, count);
    for (uint32_t i = 0; i < count; i++) {
        struct sim_host *host = &client->hosts[(first + i) % count];
        if (host->accepts != 0 && !host->store.dead) {
            return host;
        }
    }
    return NULL;
}

static void write(struct sim_host *host, struct raw_batch_writer *writer, bool sync)
{
    struct haul_error error;
    enum haul_status status = host->store.base.ops->write(
        &host->store.base, slice_of(batch_memory, raw_batch_finish(writer)),
        sync ? HAUL_WRITE_SYNC : 0, &error);
    haul_assert(status == HAUL_OK);
}

void sim_client_write(struct sim_client *client)
{
    struct sim_host *host = choose_host(client);
    if (host == NULL) {
        return;
    }
    struct raw_batch_writer writer;
    raw_batch_begin(&writer, batch_memory, sizeof(batch_memory));
    uint32_t operations = 1 + sim_random_below(client->random, OPERATIONS_MAX);
    for (uint32_t i = 0; i < operations; i++) {
        add_operation(client, host, &writer);
    }
    if (sim_random_below(client->random, 8) == 0) {
        add_log_data(&writer);
    }
    if (writer.count > 0) {
        write(host, &writer, sim_random_below(client->random, 2) == 0);
        sim_say("clients write %u records to %s", writer.count, host->name);
        client->writes++;
    }
}

void sim_client_fill(struct sim_client *client, struct sim_host *host, uint32_t cells,
                     uint32_t count)
{
    static uint8_t memory[SIM_KEY_BYTES_MAX];
    for (uint32_t done = 0; cells != 0 && done < count; done += FILL_BATCH) {
        struct raw_batch_writer writer;
        raw_batch_begin(&writer, batch_memory, sizeof(batch_memory));
        for (int j = 0; j < FILL_BATCH; j++) {
            uint32_t cell = sim_cell_pick(client->random, cells);
            uint32_t id = 0;
            struct haul_slice key =
                sim_cell_key(client->random, cell, client->options->long_parts, memory);
            struct haul_slice value = make_value(client);
            if (sim_host_find_family(host, cell / SIM_SPAN_COUNT, &id)) {
                bool fits = raw_batch_put(&writer, id, key, value);
                haul_assert(fits);
            }
        }
        /* what a database holds before a job may not have been synced */
        write(host, &writer, sim_random_below(client->random, 4) != 0);
    }
}

void sim_client_unfill(struct sim_client *client, struct sim_host *host, uint32_t cells,
                       uint32_t count)
{
    static uint8_t memory[SIM_KEY_BYTES_MAX];
    for (uint32_t i = 0; i < count; i++) {
        struct raw_batch_writer writer;
        uint32_t cell = sim_cell_pick(client->random, cells);
        struct haul_slice key = sim_cell_key(client->random, cell, 0, memory);
        uint32_t id = 0;
        if (!sim_host_find_family(host, cell / SIM_SPAN_COUNT, &id)) {
            continue;
        }
        for (int deletes = 0; deletes < 2; deletes++) {
            raw_batch_begin(&writer, batch_memory, sizeof(batch_memory));
            bool fits = deletes == 1 ? raw_batch_delete(&writer, id, key)
                                     : raw_batch_put(&writer, id, key, key);
            haul_assert(fits);
            write(host, &writer, deletes == 0);
        }
    }
}
