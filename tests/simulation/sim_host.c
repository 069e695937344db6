/* SPDX-License-Identifier: Apache-2.0 */
/* sim_host.c — the processes `haul send` and `haul recv` of a host, with hooks as an embedder would
 * bring them. */
#include "sim_host.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "assertion.h"
#include "clock.h"
#include "journal.h"
#include "journal_directory.h"
#include "ownership.h"
#include "sim_descriptor.h"
#include "sim_report.h"
#include "sim_table.h"
#include "sim_verbs.h"

enum { WAIT_MS = 1 << 30, RANGE_COUNT_MAX = 2, FREEZE_PATIENT_MS = 10000, FREEZE_SLOW_MS = 6000 };

static const char *const directories[SIM_HOST_COUNT] = {"/a/haul", "/b/haul"};
static const char *const families[] = {"default", "alpha", "beta"};
static const char address[] = "10.0.0.1:7447";

/* --- ranges ----------------------------------------------------------------------------------- */

const struct haul_range *sim_ranges(void)
{
    static const struct haul_range ranges[RANGE_COUNT_MAX] = {
        {.start = {.data = (const uint8_t *)"c", .size = 1},
         .end = {.data = (const uint8_t *)"h", .size = 1}},
        {.start = {.data = (const uint8_t *)"m", .size = 1},
         .end = {.data = (const uint8_t *)"q", .size = 1}},
    };
    return ranges;
}

bool sim_in_range(const struct sim_options *options, struct haul_slice key)
{
    bool inside = false;
    for (uint32_t i = 0; i < options->range_count; i++) {
        const struct haul_range *range = &sim_ranges()[i];
        inside =
            inside || (slice_compare(range->start, key) <= 0 && slice_compare(key, range->end) < 0);
    }
    return inside;
}

/* --- records ---------------------------------------------------------------------------------- */

/* What a journal says. False: it cannot be read. */
static bool read_journal(struct sim_host *host, const struct journal_entry *entry,
                         enum journal_claim *claim, enum journal_phase *phase)
{
    struct journal_config config = {.directory = directories[host->number],
                                    .role = entry->role,
                                    .calls = &host->disk.calls,
                                    .read_only = true};
    memcpy(config.job_id, entry->job_id, sizeof(config.job_id));
    struct journal *journal = NULL;
    struct haul_error error;
    if (journal_open(&config, &journal, &error) != HAUL_OK) {
        return false;
    }
    *claim = journal_state_claim(journal_state(journal));
    *phase = journal_state(journal)->phase;
    journal_close(journal);
    return true;
}

/* The later of the two stands for more. */
static enum journal_claim join(const struct sim_host *host, enum journal_claim a,
                               enum journal_claim b)
{
    enum journal_claim strongest = host->number == SIM_SOURCE ? JOURNAL_YIELDS : JOURNAL_SERVES;
    if (a == strongest || b == strongest) {
        return strongest;
    }
    return a == JOURNAL_IN_DOUBT ? a : b;
}

static enum journal_claim claim_of_ownership(struct sim_host *host, enum journal_claim otherwise)
{
    struct ownership ownership;
    struct haul_error error;
    if (ownership_read(&host->disk.calls, directories[host->number], &ownership, &error) !=
        HAUL_OK) {
        return JOURNAL_IN_DOUBT;
    }
    enum journal_claim claim = otherwise;
    for (size_t i = 0; i < ownership.entry_count; i++) {
        claim = ownership.entries[i].state == OWNERSHIP_RELEASED   ? JOURNAL_YIELDS
                : ownership.entries[i].state == OWNERSHIP_IMPORTED ? JOURNAL_SERVES
                                                                   : claim;
    }
    ownership_fini(&ownership);
    return claim;
}

enum journal_claim sim_host_look(struct sim_host *host, uint32_t *open_jobs)
{
    struct journal_entry *entries = NULL;
    size_t count = 0;
    struct haul_error error;
    sim_heap_select(NULL); /* the simulation looks, whoever runs */
    host->disk.looking = true;
    *open_jobs = 0;
    enum journal_claim claim =
        claim_of_ownership(host, host->number == SIM_SOURCE ? JOURNAL_SERVES : JOURNAL_YIELDS);
    enum haul_status status = journal_directory_list(&host->disk.calls, directories[host->number],
                                                     &entries, &count, &error);
    haul_assert(status == HAUL_OK);
    for (size_t i = 0; i < count; i++) {
        enum journal_claim one = JOURNAL_IN_DOUBT;
        enum journal_phase phase = JOURNAL_PHASE_NEW;
        (void)read_journal(host, &entries[i], &one, &phase);
        *open_jobs += phase != JOURNAL_PHASE_DONE && phase != JOURNAL_PHASE_ABORTED;
        claim = join(host, one, claim);
    }
    free(entries);
    host->disk.looking = false;
    struct sim_process *process = sim_process_current();
    sim_heap_select(process == NULL ? NULL : &process->heap);
    return claim;
}

enum journal_claim sim_host_claim(struct sim_host *host)
{
    uint32_t ignored;
    return sim_host_look(host, &ignored);
}

/* --- hooks ------------------------------------------------------------------------------------ */

static enum haul_status hook_freeze(void *context, uint32_t deadline_ms, struct haul_error *error)
{
    struct sim_host *host = context;
    host->freezing = true;
    host->accepts = false;
    sim_say("the source freezes at %llu", (unsigned long long)host->store.sequence);
    /* Some owners do not keep to the deadline. */
    uint32_t slow_ms = sim_random_below(host->random, 6) == 0 ? FREEZE_SLOW_MS : 0;
    sim_sleep((uint64_t)NS_PER_MS * sim_random_below(host->random, deadline_ms / 2 + 1 + slow_ms));
    if (sim_random_chance(host->random, host->options->freeze_fail_parts)) {
        return haul_error_set(error, HAUL_TIMEOUT, "freeze", 0, "writers did not come to rest");
    }
    return HAUL_OK;
}

static void hook_unfreeze(void *context)
{
    struct sim_host *host = context;
    if (sim_host_claim(host) == JOURNAL_YIELDS) {
        sim_fail("I4", "the source thaws after its decision to commit");
    }
    sim_say("the source thaws");
    host->accepts = true;
}

static void hook_release(void *context, uint64_t new_version)
{
    (void)new_version;
    struct sim_host *host = context;
    host->accepts = false;
    if (sim_host_claim(host) != JOURNAL_YIELDS) {
        sim_fail("I4", "the source releases without a record of the decision");
    }
    host->on_release(host->context);
}

static enum haul_status hook_reserve(void *context, const struct haul_reservation *wanted,
                                     struct haul_error *error)
{
    const struct sim_host *host = context;
    (void)error;
    haul_assert(wanted->range_count == host->options->range_count &&
                wanted->family_count == host->options->family_count);
    return HAUL_OK;
}

static enum haul_status hook_own(void *context, uint64_t new_version, struct haul_error *error)
{
    struct sim_host *host = context;
    (void)new_version;
    (void)error;
    host->on_own(host->context);
    host->accepts = true;
    return HAUL_OK;
}

/* --- processes -------------------------------------------------------------------------------- */

static void note_end(struct sim_host *host, enum haul_status status, const struct haul_error *error)
{
    host->finished = true;
    host->outcome = status;
    (void)snprintf(host->text, sizeof(host->text), "%s", error->text);
    sim_say("%s ends: %s %s", host->process->name, haul_status_name(status), error->text);
}

static void fill_source_options(struct sim_host *host, struct haul_source_options *source)
{
    const struct sim_options *options = host->options;
    *source = (struct haul_source_options){
        .store = &host->store.base,
        .to = address,
        .mode = options->mode,
        .link = options->link,
        .link_count = options->link_count,
        .families = families,
        .family_count = options->family_count,
        .metadata_families = families,
        .metadata_family_count = options->metadata ? 1 : 0,
        .ranges = sim_ranges(),
        .range_count = options->range_count,
        .reader_count = options->reader_count,
        .batch_size_bytes_min = options->batch_bytes_min,
        .batch_size_bytes_max = options->batch_bytes_max,
        .rate_bytes_per_second = options->rate_bytes_per_second,
        .compression = options->compression,
        .lane = options->lane,
        .overwrite = options->target_dirty || host->overwrite,
        .freeze_max_ms = host->patient ? FREEZE_PATIENT_MS : options->freeze_max_ms,
        .retry_max_ms = options->retry_max_ms,
        .resume = host->attempt == SIM_RESUME,
        .resolve = host->attempt == SIM_RESOLVE,
        .lag_bytes_max = options->lag_bytes_max,
        .log = sim_verbose ? &sim_log_source : NULL,
        .hooks = {.context = host,
                  .freeze = hook_freeze,
                  .unfreeze = hook_unfreeze,
                  .release = hook_release},
    };
}

static void run_source(void *argument)
{
    struct sim_host *host = argument;
    struct haul_source_options options;
    struct haul_migration *migration = NULL;
    struct haul_error error = {0};
    fill_source_options(host, &options);
    host->accepts = sim_host_claim(host) == JOURNAL_SERVES;
    enum haul_status status = haul_source_start(&options, &migration, &error);
    if (status != HAUL_OK) {
        note_end(host, status, &error);
        return;
    }
    host->migration = migration;
    host->accepts = host->freezing ? host->accepts : sim_host_claim(host) == JOURNAL_SERVES;
    struct haul_result result;
    status = haul_migration_wait(migration, WAIT_MS, &result);
    host->migration = NULL;
    haul_migration_destroy(migration);
    note_end(host, status, &result.error);
    host->commits += status == HAUL_OK;
    if (status == HAUL_OK && !result.verified) {
        sim_fail("I6", "the source reports success of something that was not verified");
    }
}

static void run_target(void *argument)
{
    struct sim_host *host = argument;
    const struct sim_options *options = host->options;
    struct haul_target_options target = {
        .store = &host->store.base,
        .listen = address,
        .mode = options->mode,
        .link = options->link,
        .once = options->once,
        .resume_wait_ms = 5000,
        .applier_count = options->applier_count,
        .lane = HAUL_LANE_AUTO,
        .table_size_bytes = options->table_bytes,
        .log = sim_verbose ? &sim_log_target : NULL,
        .hooks = {.context = host,
                  .reserve = options->reserve_hook ? hook_reserve : NULL,
                  .own = hook_own},
    };
    struct haul_migration *migration = NULL;
    struct haul_error error = {0};
    host->accepts = sim_host_claim(host) == JOURNAL_SERVES;
    if (host->accepts) {
        host->on_own(host->context);
    }
    enum haul_status status = haul_target_start(&target, &migration, &error);
    if (status != HAUL_OK) {
        note_end(host, status, &error);
        return;
    }
    host->migration = migration;
    struct haul_result result;
    status = haul_migration_wait(migration, WAIT_MS, &result);
    host->migration = NULL;
    haul_migration_destroy(migration);
    note_end(host, status, &result.error);
}

/* The process has ended by itself: nothing of it may be left (I7). */
static void on_exit_process(void *context)
{
    struct sim_host *host = context;
    struct sim_process *process = host->process;
    if (process->heap.count > 0) {
        sim_fail("I7", "%s left %llu blocks of memory behind", process->name,
                 (unsigned long long)process->heap.count);
    }
    if (sim_descriptor_count(process) > 0 || process->thread_count != 1) {
        sim_fail("I7", "%s left %u descriptors and %u threads behind", process->name,
                 sim_descriptor_count(process), process->thread_count - 1);
    }
    if (sim_verbs_count(process) > 0) {
        sim_fail("I7", "%s left %u objects of the RDMA card behind", process->name,
                 sim_verbs_count(process));
    }
    bool alone = true;
    for (int i = 0; i < SIM_PROCESS_COUNT; i++) {
        const struct sim_process *other = &sim_kernel.processes[i];
        alone = alone && (!other->alive || other == process || other->host != host->number);
    }
    if (!alone) {
        /* handles are counted for both */
    } else if (sim_store_handles(&host->store) > 0 || sim_disk_open_count(&host->disk) > 0) {
        sim_fail("I7", "%s left %u handles of the database and %u files open", process->name,
                 sim_store_handles(&host->store), sim_disk_open_count(&host->disk));
    }
    for (int i = 0; i < SIM_PROCESS_COUNT; i++) {
        struct sim_process *other = &sim_kernel.processes[i];
        if (other->alive && other != process && other->host == host->number) {
            sim_process_kill(other);
        }
    }
    host->process = NULL;
    host->accepts = false;
    sim_store_kill(&host->store);
    sim_disk_kill(&host->disk);
}

void sim_host_init(struct sim_host *host, int number, const struct sim_options *options,
                   struct sim_random *random)
{
    static const char *const paths[SIM_HOST_COUNT] = {"/a", "/b"};
    static const char *const identities[SIM_HOST_COUNT] = {"database a", "database b"};
    memset(host, 0, sizeof(*host));
    host->number = number;
    host->options = options;
    host->random = random;
    sim_disk_init(&host->disk, random, paths[number]);
    struct sim_store_options store = {
        .disk = &host->disk,
        .random = random,
        .path = paths[number],
        .identity = identities[number],
        .record_bytes = options->record_bytes,
        .features = number == SIM_SOURCE ? HAUL_STORE_WAL : options->target_features,
    };
    sim_store_init(&host->store, &store);
    host->store.is_source = number == SIM_SOURCE;
    host->store.stall_parts = options->stall_parts;
}

void sim_host_start(struct sim_host *host, enum sim_attempt attempt)
{
    static const char *const names[] = {"send", "resume", "resolve"};
    bool source = host->number == SIM_SOURCE;
    host->attempt = attempt;
    host->finished = false;
    host->freezing = false;
    host->migration = NULL;
    host->attempts++;
    if (!source) {
        sim_table_serve(&host->store);
    }
    host->process = sim_process_start(source ? names[attempt] : "recv", host->number,
                                      source ? run_source : run_target, host);
    host->process->on_exit = on_exit_process;
    host->process->on_exit_context = host;
    sim_say("%s starts", host->process->name);
}

/* --- a second job ----------------------------------------------------------------------------- */

static enum haul_status refuse_freeze(void *context, uint32_t deadline_ms, struct haul_error *error)
{
    (void)context;
    (void)deadline_ms;
    return haul_error_set(error, HAUL_TIMEOUT, "freeze", 0, "not for a second job");
}

static void run_second(void *argument)
{
    struct sim_host *host = argument;
    struct haul_source_options options;
    struct haul_migration *migration = NULL;
    struct haul_error error = {0};
    fill_source_options(host, &options);
    options.resume = false;
    options.resolve = false;
    options.hooks = (struct haul_hooks){.context = host, .freeze = refuse_freeze};
    enum haul_status status = haul_source_start(&options, &migration, &error);
    sim_say("a second job: %s %s", haul_status_name(status), error.text);
    if (status == HAUL_OK) {
        struct haul_result result;
        haul_migration_cancel(migration);
        (void)!haul_migration_wait(migration, WAIT_MS, &result);
        haul_migration_destroy(migration);
    }
}

void sim_host_start_second(struct sim_host *host)
{
    (void)sim_process_start("second send", host->number, run_second, host);
}

/* --- the end of a process --------------------------------------------------------------------- */

static void kill_all(struct sim_host *host)
{
    for (int i = 0; i < SIM_PROCESS_COUNT; i++) {
        struct sim_process *process = &sim_kernel.processes[i];
        if (process->alive && process->host == host->number) {
            sim_process_kill(process);
        }
    }
    host->process = NULL;
    host->migration = NULL;
    host->accepts = false;
    host->finished = false;
}

void sim_host_kill(struct sim_host *host)
{
    sim_say("%s is killed", host->process->name);
    kill_all(host);
    sim_disk_kill(&host->disk);
    sim_store_kill(&host->store);
}

void sim_host_power_failure(struct sim_host *host)
{
    sim_say("the power of %s fails", host->process->name);
    sim_network_power_failure(host->number);
    sim_verbs_power_failure(host->number);
    kill_all(host);
    sim_disk_power_failure(&host->disk);
    sim_store_power_failure(&host->store);
}
