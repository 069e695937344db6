/* SPDX-License-Identifier: Apache-2.0 */
/* sim_records.c — the product's own readers, called by the simulation. */
#include "sim_records.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "assertion.h"
#include "crc32c.h"
#include "job_journal.h"
#include "journal_directory.h"
#include "ownership_file.h"
#include "plan.h"
#include "sim_kernel.h"

/* --- cells ------------------------------------------------------------------------------------ */

static uint32_t cells_of_plan(const struct plan *plan)
{
    uint32_t cells = 0;
    for (size_t i = 0; i < plan->family_count; i++) {
        uint32_t family = sim_family_number(plan->families[i].family.name);
        for (size_t j = 0; family < SIM_FAMILY_COUNT && j < plan->range_count; j++) {
            cells |= sim_cells_of_range(family, key_range_start(&plan->ranges[j]),
                                        key_range_end(&plan->ranges[j]));
        }
    }
    return cells;
}

static uint32_t cells_of_state(const struct ownership *ownership, enum ownership_state state)
{
    uint32_t cells = 0;
    for (uint32_t family = 0; family < SIM_FAMILY_COUNT; family++) {
        const struct range_map *map = ownership_map(ownership, sim_family_name(family));
        for (size_t i = 0; map != NULL && i < map->count; i++) {
            const struct range_map_part *part = &map->parts[i];
            if (part->mark.state == (uint8_t)state) {
                cells |= sim_cells_of_range(family, key_range_start(&part->range),
                                            key_range_end(&part->range));
            }
        }
    }
    return cells;
}

/* The last result of each host. */
static struct sim_records answers[SIM_HOST_COUNT_MAX];

/* --- reading ---------------------------------------------------------------------------------- */

static void read_file(struct sim_host *host, struct sim_records *records,
                      struct ownership *ownership)
{
    struct haul_error error;
    records->readable =
        ownership_read(&host->disk.calls, host->directory, ownership, &error) == HAUL_OK;
    if (!records->readable) {
        ownership_init(ownership);
    }
    records->version = ownership->config_version;
    records->released = cells_of_state(ownership, OWNERSHIP_RELEASED);
    records->imported = cells_of_state(ownership, OWNERSHIP_IMPORTED);
}

/* Take the cells from the other side's journal, which has the same plan. */
static bool find_cells(const struct sim_job_record *wanted, uint32_t *cells)
{
    for (int i = 0; i < SIM_HOST_COUNT_MAX; i++) {
        for (uint32_t j = 0; j < answers[i].job_count; j++) {
            const struct sim_job_record *job = &answers[i].jobs[j];
            if (job->planned && memcmp(job->id, wanted->id, sizeof(job->id)) == 0) {
                *cells = job->cells;
                return true;
            }
        }
    }
    return false;
}

static void read_state(const struct journal *journal, struct sim_job_record *job)
{
    const struct journal_state *state = journal_state(journal);
    struct haul_error error;
    struct plan plan;
    job->readable = true;
    job->phase = state->phase;
    job->bound = state->peer[0] != '\0';
    job->in_doubt = journal_state_claim(state) == JOURNAL_IN_DOUBT;
    job->decided = state->outcome == JOURNAL_COMMIT;
    job->new_version =
        job->role == JOURNAL_SOURCE ? state->decision.new_version : state->committed.new_version;
    if (job->planned || state->plan_size == 0) {
        return;
    }
    job->planned = find_cells(job, &job->cells);
    if (!job->planned && job_journal_read_plan(journal, &plan, &error) == HAUL_OK) {
        job->planned = true;
        job->cells = cells_of_plan(&plan);
        plan_fini(&plan);
    }
}

/* An unreadable journal keeps what was known of it. */
static void read_journal(struct sim_host *host, struct sim_job_record *job)
{
    struct journal_config config = {.directory = host->directory,
                                    .role = job->role,
                                    .calls = &host->disk.calls,
                                    .read_only = true};
    struct journal *journal = NULL;
    struct haul_error error;
    memcpy(config.job_id, job->id, sizeof(config.job_id));
    if (journal_open(&config, &journal, &error) == HAUL_OK) {
        read_state(journal, job);
        job->foreign = journal_is_copy(journal) || !journal_is_of(journal, host->identity);
        journal_close(journal);
    }
}

/* `ownership` NULL: unchanged since the last call. Most journals have not changed either. */
static void read_job(struct sim_host *host, const struct journal_entry *entry,
                     const struct ownership *ownership, const struct sim_job_record *known,
                     struct sim_job_record *job)
{
    char name[JOURNAL_NAME_BYTES_MAX];
    journal_name_format(entry->role, entry->job_id, name);
    uint64_t state = sim_disk_state(&host->disk, host->directory, name);
    if (known != NULL && known->state == state) {
        *job = *known;
    } else {
        *job = known != NULL ? *known : (struct sim_job_record){.role = entry->role};
        memcpy(job->id, entry->job_id, sizeof(job->id));
        job->state = state;
        job->readable = false;
        job->foreign = false;
        read_journal(host, job);
    }
    job->released = ownership == NULL
                        ? known->released
                        : job->role == JOURNAL_SOURCE &&
                              ownership_moved(ownership, job->id, OWNERSHIP_GAVE) != NULL;
    job->committed = job->decided || job->released;
}

/* The jobs of the last call; each call empties it. */
static struct sim_records before;

static void read_jobs(struct sim_host *host, const struct journal_entry *entries, size_t count,
                      struct sim_records *records)
{
    struct ownership ownership;
    uint64_t state = sim_disk_state(&host->disk, host->directory, "ownership");
    bool changed = state != records->state || records->changes == UINT64_MAX;
    before.job_count = records->job_count;
    memcpy(before.jobs, records->jobs, records->job_count * sizeof(records->jobs[0]));
    for (size_t i = 0; i < count && !changed; i++) {
        changed = sim_records_find(&before, entries[i].role, entries[i].job_id) == NULL;
    }
    if (changed) {
        read_file(host, records, &ownership);
        records->state = state;
    }
    for (size_t i = 0; i < count; i++) {
        read_job(host, &entries[i], changed ? &ownership : NULL,
                 sim_records_find(&before, entries[i].role, entries[i].job_id), &records->jobs[i]);
    }
    records->job_count = (uint32_t)count;
    if (changed) {
        ownership_fini(&ownership);
    }
}

static void read_all(struct sim_host *host, struct sim_records *records)
{
    struct journal_entry *entries = NULL;
    size_t count = 0;
    struct haul_error error;
    sim_heap_select(NULL); /* the simulation reads, whichever process runs */
    host->disk.looking = true;
    enum haul_status status =
        journal_directory_list(&host->disk.calls, host->directory, &entries, &count, &error);
    haul_assert(status == HAUL_OK && count <= SIM_RECORDS_JOB_COUNT);
    read_jobs(host, entries, count, records);
    free(entries);
    host->disk.looking = false;
    struct sim_process *process = sim_process_current();
    sim_heap_select(process == NULL ? NULL : &process->heap);
}

void sim_records_reset(void)
{
    for (int i = 0; i < SIM_HOST_COUNT_MAX; i++) {
        answers[i].changes = UINT64_MAX;
        answers[i].job_count = 0;
    }
}

const struct sim_records *sim_records_of(struct sim_host *host)
{
    struct sim_records *records = &answers[host->number];
    if (records->changes != host->disk.changes) {
        read_all(host, records);
        records->changes = host->disk.changes;
    }
    return records;
}

uint32_t sim_records_open_count(const struct sim_records *records, enum journal_role role)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < records->job_count; i++) {
        const struct sim_job_record *job = &records->jobs[i];
        count += job->role == role && job->phase != JOURNAL_PHASE_DONE &&
                 job->phase != JOURNAL_PHASE_ABORTED;
    }
    return count;
}

const struct sim_job_record *sim_records_decided(const struct sim_records *records)
{
    for (uint32_t i = 0; i < records->job_count; i++) {
        const struct sim_job_record *job = &records->jobs[i];
        if (job->role == JOURNAL_SOURCE && job->committed && job->phase != JOURNAL_PHASE_DONE) {
            return job;
        }
    }
    return NULL;
}

const struct sim_job_record *sim_records_find(const struct sim_records *records,
                                              enum journal_role role,
                                              const uint8_t id[HAUL_JOB_BYTES])
{
    for (uint32_t i = 0; i < records->job_count; i++) {
        const struct sim_job_record *job = &records->jobs[i];
        if (job->role == role && memcmp(job->id, id, HAUL_JOB_BYTES) == 0) {
            return job;
        }
    }
    return NULL;
}

bool sim_records_any_unbound(const struct sim_records *records)
{
    bool any = false;
    for (uint32_t i = 0; i < records->job_count; i++) {
        any = any || (records->jobs[i].role == JOURNAL_SOURCE && !records->jobs[i].bound);
    }
    return any;
}

bool sim_records_any_foreign(const struct sim_records *records)
{
    bool any = false;
    for (uint32_t i = 0; i < records->job_count; i++) {
        any = any || records->jobs[i].foreign;
    }
    return any;
}

/* --- histories -------------------------------------------------------------------------------- */

enum { FILE_BYTES_MAX = 4096 };

static uint8_t *put_bytes(uint8_t *at, const void *data, size_t size)
{
    if (size > 0) {
        memcpy(at, data, size);
    }
    return at + size;
}

static uint8_t *put_entry(uint8_t *at, struct sim_host *host, uint32_t index, uint16_t state)
{
    struct haul_slice start = sim_span_start(index % SIM_SPAN_COUNT);
    struct haul_slice end = sim_span_end(index % SIM_SPAN_COUNT);
    const char *name = sim_family_name(index / SIM_SPAN_COUNT);
    sim_random_fill(host->random, at, HAUL_JOB_BYTES);
    at += HAUL_JOB_BYTES;
    put_u16(at, state);
    put_u16(at + 2, 1);
    put_u32(at + 4, (uint32_t)start.size);
    put_u32(at + 8, (uint32_t)end.size);
    at = put_bytes(at + 12, start.data, start.size);
    at = put_bytes(at, end.data, end.size);
    *at = (uint8_t)strlen(name);
    return put_bytes(at + 1, name, strlen(name));
}

static uint8_t *put_entries(uint8_t *at, struct sim_host *host, uint32_t cells, uint16_t state,
                            uint32_t *count)
{
    for (uint32_t i = 0; i < SIM_CELL_COUNT; i++) {
        if ((cells >> i & 1) != 0) {
            at = put_entry(at, host, i, state);
            (*count)++;
        }
    }
    return at;
}

void sim_records_invent(struct sim_host *host, uint64_t version, uint32_t released,
                        uint32_t imported, uint32_t hidden)
{
    uint8_t bytes[FILE_BYTES_MAX];
    uint32_t count = 0;
    uint8_t *at = bytes + 32;
    at = put_entries(at, host, hidden & imported, OWNERSHIP_RELEASED, &count);
    at = put_entries(at, host, hidden & released, OWNERSHIP_IMPORTED, &count);
    at = put_entries(at, host, released, OWNERSHIP_RELEASED, &count);
    at = put_entries(at, host, imported, OWNERSHIP_IMPORTED, &count);
    memcpy(bytes, "HAULOWNR", 8);
    put_u16(bytes + 8, 1);
    put_u16(bytes + 10, 0);
    put_u32(bytes + 12, count);
    put_u64(bytes + 16, version);
    put_u64(bytes + 24, 1);
    put_u32(at, crc32c(bytes, (size_t)(at - bytes)));
    at += 4;
    sim_disk_put(&host->disk, host->directory, "ownership", slice_of(bytes, (size_t)(at - bytes)));
}
