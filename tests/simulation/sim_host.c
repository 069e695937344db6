/* SPDX-License-Identifier: Apache-2.0 */
/* sim_host.c — the life of a machine, and which writes its embedder accepts. */
#include "sim_host.h"

#include <stdio.h>
#include <string.h>

#include "assertion.h"
#include "sim_command.h"
#include "sim_memory.h"
#include "sim_network.h"
#include "sim_records.h"
#include "sim_report.h"
#include "sim_truth.h"
#include "sim_verbs.h"

/* --- families --------------------------------------------------------------------------------- */

bool sim_host_find_family(const struct sim_host *host, uint32_t family, uint32_t *id)
{
    for (size_t i = 0; i < host->store.family_count; i++) {
        if (strcmp(host->store.families[i].name, sim_family_name(family)) == 0) {
            *id = host->store.families[i].id;
            return true;
        }
    }
    return false;
}

uint32_t sim_host_family_of(const struct sim_host *host, uint32_t id)
{
    for (size_t i = 0; i < host->store.family_count; i++) {
        if (host->store.families[i].id == id) {
            return sim_family_number(host->store.families[i].name);
        }
    }
    return SIM_FAMILY_COUNT;
}

/* --- what it accepts -------------------------------------------------------------------------- */

/* How a job's journal changes what the record or the register claims. */
static uint32_t apply_job(const struct sim_host *host, const struct sim_job_record *job,
                          uint32_t claims)
{
    bool noted = host->own_register.in_use && sim_register_has(&host->own_register, job->id);
    if (!job->readable) {
        return job->role == JOURNAL_SOURCE ? claims & ~job->cells : claims;
    }
    if (job->role == JOURNAL_SOURCE) {
        bool in_doubt = job->phase == JOURNAL_PHASE_FROZEN && !job->committed;
        bool gone = job->committed && host->own_register.in_use && !noted;
        return in_doubt || gone ? claims & ~job->cells : claims;
    }
    bool mine = job->committed && !host->own_register.in_use;
    return mine ? claims | job->cells : claims;
}

uint32_t sim_host_claims(struct sim_host *host)
{
    const struct sim_records *records = sim_records_of(host);
    if (!records->readable || host->copied) {
        return 0;
    }
    uint32_t claims = host->own_register.in_use
                          ? host->own_register.owned
                          : (host->base & ~records->released) | records->imported;
    for (uint32_t i = 0; i < records->job_count; i++) {
        claims = apply_job(host, &records->jobs[i], claims);
    }
    return claims;
}

void sim_host_refresh(struct sim_host *host)
{
    uint32_t claims = host->up ? sim_host_claims(host) & ~sim_commands_frozen(host) : 0;
    sim_truth_check_owner(host->truth, host, claims & ~host->accepts, "accepts writes");
    host->accepts = claims;
}

/* --- life ------------------------------------------------------------------------------------- */

static void check_write(void *context, uint32_t family_id, struct haul_slice begin,
                        struct haul_slice end, bool is_key)
{
    const struct sim_host *host = context;
    sim_truth_check_write(host->truth, host, family_id, begin, end, is_key);
}

void sim_host_init(struct sim_host *host, int number, const struct sim_options *options,
                   struct sim_random *random, struct sim_truth *truth)
{
    memset(host, 0, sizeof(*host));
    host->number = number;
    host->options = options;
    host->random = random;
    host->truth = truth;
    host->used = true;
    host->name[0] = (char)('a' + number);
    (void)snprintf(host->path, sizeof(host->path), "/%s", host->name);
    (void)snprintf(host->directory, sizeof(host->directory), "/%s/haul", host->name);
    (void)snprintf(host->address, sizeof(host->address), "10.0.0.%d:7447", number + 1);
    (void)snprintf(host->identity, sizeof(host->identity), "database %s", host->name);
    sim_disk_init(&host->disk, random, host->path);
    struct sim_store_options store = {
        .disk = &host->disk,
        .random = random,
        .path = host->path,
        .identity = host->identity,
        .record_bytes = options->record_bytes,
        .features = options->features[number],
    };
    sim_store_init(&host->store, &store);
    host->store.stall_parts = options->stall_parts;
    host->store.watch = check_write;
    host->store.watch_context = host;
}

void sim_host_start(struct sim_host *host)
{
    haul_assert(!host->lost);
    sim_say("%s is up", host->name);
    host->up = true;
    host->restart_ns = 0;
    (void)sim_truth_note_owned(host->truth, host, 0);
    sim_host_refresh(host);
}

void sim_host_reopen(struct sim_host *host)
{
    sim_disk_kill(&host->disk);
    sim_store_kill(&host->store);
    host->restart_ns = 0;
}

static void stop(struct sim_host *host)
{
    host->up = false;
    host->accepts = 0;
    host->restart_ns = 0;
    sim_commands_kill(host);
}

void sim_host_kill(struct sim_host *host)
{
    sim_say("%s is killed", host->name);
    stop(host);
    sim_host_reopen(host);
}

void sim_host_power_failure(struct sim_host *host)
{
    sim_say("the power of %s fails", host->name);
    sim_network_power_failure(host->number);
    sim_verbs_power_failure(host->number);
    stop(host);
    sim_disk_power_failure(&host->disk);
    sim_store_power_failure(&host->store);
}

void sim_host_copy(struct sim_host *host, const struct sim_host *from)
{
    struct sim_store_state state;
    sim_host_kill(host);
    sim_say("%s goes on with a copy of %s", host->name, from->name);
    sim_store_save(&from->store, &state);
    sim_store_restore(&host->store, &state);
    sim_disk_copy(&host->disk, host->path, &from->disk, from->path);
    memcpy(host->identity, from->identity, sizeof(host->identity));
    host->base = 0;
    host->kept = NULL;
    host->copied = true;
    host->copied_unmarked = sim_disk_state(&host->disk, host->directory, "instance") == 0;
    host->moved = false;
    host->was_reset = false;
    host->forgot = true; /* the jobs of the host before */
}

static void add_families(struct sim_store *store, const struct sim_store_state *state)
{
    for (size_t i = 0; i < state->family_count; i++) {
        if (!sim_store_has_family(store, state->families[i].id)) {
            sim_store_add_family(store, state->families[i].id, state->families[i].name);
        }
    }
}

bool sim_host_set_back(struct sim_host *host)
{
    bool first = host->kept == NULL;
    if (first) {
        host->kept = sim_host_alloc(sizeof(*host->kept));
    } else {
        sim_host_kill(host);
        sim_say("%s is set back from %llu to %llu", host->name,
                (unsigned long long)host->store.sequence, (unsigned long long)host->kept->sequence);
        struct sim_store_state now;
        sim_store_save(&host->store, &now);
        sim_store_restore(&host->store, host->kept);
        add_families(&host->store, &now); /* otherwise there would be nothing to hand over */
        host->was_reset = true;
    }
    if (first) {
        sim_store_save(&host->store, host->kept);
    }
    return !first;
}

void sim_host_lose(struct sim_host *host)
{
    sim_host_power_failure(host);
    sim_say("%s is lost", host->name);
    host->lost = true;
}
