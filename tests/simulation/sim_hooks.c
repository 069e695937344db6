/* SPDX-License-Identifier: Apache-2.0 */
/* sim_hooks.c — implements every hook. */
#include "sim_hooks.h"

#include <string.h>

#include "assertion.h"
#include "clock.h"
#include "sim_records.h"
#include "sim_report.h"
#include "sim_truth.h"

enum { FREEZE_SLOW_MS = 6000, FREEZE_ALLOWANCE_MS = 50 };

static void sleep_up_to(struct sim_command *command, uint32_t ms_max)
{
    uint64_t began_ns = sim_kernel.now_ns;
    uint32_t slow_ms = command->host->options->hook_slow_ms;
    bool blocks =
        !sim_kernel.calm && slow_ms > 0 && sim_random_below(command->host->random, 10) == 0;
    ms_max += blocks ? slow_ms : 0;
    sim_sleep((uint64_t)NS_PER_MS * sim_random_below(command->host->random, ms_max + 1));
    command->excused_ns += sim_kernel.now_ns - began_ns;
}

/* An embedder's hook may fail for reasons of its own. */
static bool fails(const struct sim_command *command)
{
    return !sim_kernel.calm &&
           sim_random_chance(command->host->random, command->host->options->hook_fail_parts);
}

/* --- source ----------------------------------------------------------------------------------- */

/* The cells that the command may hand over. One that continues an earlier job has its ranges. */
static uint32_t cells_of(struct sim_command *command)
{
    uint32_t cells = command->request.cells;
    if (command->verb == SIM_VERB_SEND) {
        return cells;
    }
    const struct sim_records *records = sim_records_of(command->host);
    for (uint32_t i = 0; i < records->job_count; i++) {
        const struct sim_job_record *job = &records->jobs[i];
        bool open =
            job->role == JOURNAL_SOURCE && !job->committed && job->phase != JOURNAL_PHASE_ABORTED;
        cells |= open ? job->cells : 0;
    }
    return cells;
}

static enum haul_status hook_freeze(void *context, uint32_t deadline_ms, struct haul_error *error)
{
    struct sim_command *command = context;
    struct sim_host *host = command->host;
    if (command->refuses_freezes) {
        return haul_error_set(error, HAUL_TIMEOUT, "freeze", 0, "not for a second job");
    }
    command->frozen = cells_of(command);
    command->frozen_ns = sim_kernel.now_ns;
    command->excused_ns = 0;
    command->slow_before_ns = host->disk.slow_ns + host->store.stalled_ns;
    host->accepts &= ~command->frozen;
    sim_say("%s freezes at %llu", host->name, (unsigned long long)host->store.sequence);
    /* Some owners exceed the deadline. */
    uint32_t slow_ms = sim_random_below(host->random, 6) == 0 ? FREEZE_SLOW_MS : 0;
    sleep_up_to(command, deadline_ms / 2 + slow_ms);
    if (!sim_kernel.calm && sim_random_chance(host->random, host->options->freeze_fail_parts)) {
        return haul_error_set(error, HAUL_TIMEOUT, "freeze", 0, "writers did not come to rest");
    }
    return HAUL_OK;
}

/* No frozen cell may have changed its owner by a decision. */
static void check_thaw(const struct sim_command *command)
{
    const struct sim_records *records = sim_records_of(command->host);
    for (uint32_t i = 0; i < records->job_count; i++) {
        const struct sim_job_record *job = &records->jobs[i];
        bool gone = job->role == JOURNAL_SOURCE && job->committed;
        const struct sim_truth *truth = command->host->truth;
        if (gone && (job->cells & command->frozen & sim_truth_owned(truth, command->host) &
                     ~truth->contested) != 0) {
            sim_fail("I4", "%s thaws after its decision to commit", command->host->name);
        }
    }
}

static void hook_unfreeze(void *context)
{
    struct sim_command *command = context;
    sim_hooks_check_freeze(command);
    check_thaw(command);
    sim_say("%s thaws", command->host->name);
    command->frozen = 0;
    sim_host_refresh(command->host);
}

static void note_in_register(struct sim_host *host, enum journal_role role, uint64_t new_version)
{
    const struct sim_records *records = sim_records_of(host);
    for (uint32_t i = 0; i < records->job_count; i++) {
        const struct sim_job_record *job = &records->jobs[i];
        bool known = sim_register_has(&host->own_register, job->id);
        if (job->role == role && job->committed && !known) {
            sim_register_note(&host->own_register, job->id, job->cells, role == JOURNAL_TARGET);
        }
    }
    if (new_version > host->own_register.version) {
        host->own_register.version = new_version;
    }
}

static void hook_release(void *context, uint64_t new_version)
{
    struct sim_command *command = context;
    struct sim_host *host = command->host;
    const struct sim_records *records = sim_records_of(host);
    if (sim_records_decided(records) == NULL) {
        sim_fail("I4", "%s releases without a record of the decision", host->name);
    }
    sim_hooks_check_freeze(command);
    sim_truth_note_decisions(host->truth, host);
    if (host->own_register.in_use) {
        note_in_register(host, JOURNAL_SOURCE, new_version);
    }
    command->frozen = 0;
    sim_host_refresh(host);
}

static void hook_log_data(void *context, struct haul_slice blob)
{
    (void)context;
    if (slice_compare(blob, slice_of("mark", 4)) != 0) {
        sim_fail("I2", "the log has a blob that nobody has written");
    }
}

/* --- target ----------------------------------------------------------------------------------- */

static uint32_t cells_of_reservation(const struct haul_reservation *wanted)
{
    uint32_t cells = 0;
    for (size_t i = 0; i < wanted->family_count; i++) {
        uint32_t family = sim_family_number(wanted->families[i]);
        for (size_t j = 0; family < SIM_FAMILY_COUNT && j < wanted->range_count; j++) {
            cells |= sim_cells_of_range(family, wanted->ranges[j].start, wanted->ranges[j].end);
        }
    }
    return cells;
}

uint32_t sim_hooks_reserved(const struct sim_command *command)
{
    uint32_t cells = 0;
    for (size_t i = 0; i < HAUL_TARGET_JOBS_MAX; i++) {
        cells |= command->reserved[i].cells;
    }
    return cells;
}

/* The reservation of a job, or a free one, or the first. */
static struct sim_reservation *reservation_of(struct sim_command *command, const uint8_t *job)
{
    struct sim_reservation *found = &command->reserved[0];
    for (size_t i = HAUL_TARGET_JOBS_MAX; i-- > 0;) {
        struct sim_reservation *one = &command->reserved[i];
        bool its = one->cells != 0 && memcmp(one->job, job, HAUL_JOB_BYTES) == 0;
        if (its) {
            return one;
        }
        found = one->cells == 0 ? one : found;
    }
    return found;
}

/* An embedder with one lock for its hooks relies on it. */
static void begin_hook(struct sim_command *command)
{
    if (++command->hooks_running > 1) {
        sim_fail("I5", "two hooks of %s run at the same time", command->host->name);
    }
}

static void end_hook(struct sim_command *command)
{
    command->hooks_running--;
}

/* An embedder refuses ranges that it owns, or whose arrival it was not informed of. */
static enum haul_status reserve(struct sim_command *command, const struct haul_reservation *wanted,
                                struct haul_error *error)
{
    struct sim_host *host = command->host;
    uint32_t cells = cells_of_reservation(wanted);
    sleep_up_to(command, 20);
    uint32_t owned = sim_truth_owned(host->truth, host) & ~host->truth->contested;
    if ((cells & ~host->expected) != 0 || (cells & owned) != 0) {
        sim_say("%s refuses a job", host->name);
        return haul_error_set(error, HAUL_AUTH, "reserve", 0, "not what was agreed");
    }
    if (fails(command)) {
        return haul_error_set(error, HAUL_STORE, "reserve", 0, "the owner cannot tell");
    }
    struct sim_reservation *reservation = reservation_of(command, wanted->job);
    reservation->cells = cells;
    memcpy(reservation->job, wanted->job, HAUL_JOB_BYTES);
    return HAUL_OK;
}

static enum haul_status hook_reserve(void *context, const struct haul_reservation *wanted,
                                     struct haul_error *error)
{
    struct sim_command *command = context;
    begin_hook(command);
    enum haul_status status = reserve(command, wanted, error);
    end_hook(command);
    return status;
}

/* Also covers jobs of earlier processes. */
static void hook_unreserve(void *context, const uint8_t job[HAUL_JOB_BYTES])
{
    struct sim_command *command = context;
    begin_hook(command);
    sleep_up_to(command, 20);
    reservation_of(command, job)->cells = 0;
    end_hook(command);
}

static enum haul_status own(struct sim_command *command, uint64_t new_version,
                            struct haul_error *error)
{
    struct sim_host *host = command->host;
    sleep_up_to(command, 20);
    if (fails(command)) {
        return haul_error_set(error, HAUL_STORE, "own", 0, "the owner cannot take over yet");
    }
    if (sim_truth_note_owned(host->truth, host, new_version) == 0) {
        sim_fail("I4", "%s is told to own, and no record says so", host->name);
    }
    if (host->own_register.in_use) {
        note_in_register(host, JOURNAL_TARGET, new_version);
    }
    sim_host_refresh(host);
    sleep_up_to(command, 20);
    return fails(command) ? haul_error_set(error, HAUL_STORE, "own", 0, "the owner is not sure")
                          : HAUL_OK;
}

static enum haul_status hook_own(void *context, uint64_t new_version, struct haul_error *error)
{
    struct sim_command *command = context;
    begin_hook(command);
    enum haul_status status = own(command, new_version, error);
    end_hook(command);
    return status;
}

static enum haul_status hook_own_job(void *context, const uint8_t job[HAUL_JOB_BYTES],
                                     uint64_t new_version, struct haul_error *error)
{
    const struct sim_command *command = context;
    const struct sim_records *records = sim_records_of(command->host);
    const struct sim_job_record *found = sim_records_find(records, JOURNAL_TARGET, job);
    if (found == NULL || (found->readable && !found->committed)) {
        sim_fail("I4", "%s is told to own by a job that is not committed", command->host->name);
    }
    return hook_own(context, new_version, error);
}

/* Nobody but the operator ends the jobs of a receiver. */
static void hook_job_ended(void *context, const struct haul_result *result)
{
    const struct sim_command *command = context;
    bool its = false;
    for (uint32_t i = 0; i < SIM_CANCELLED_COUNT; i++) {
        its = its || memcmp(command->cancelled_jobs[i], result->job, HAUL_JOB_BYTES) == 0;
    }
    bool cancelled = result->status == HAUL_CANCELLED &&
                     strstr(result->error.text, "cancelled by the target's operator") != NULL;
    if (cancelled && !its && !command->cancels) {
        sim_fail("I6", "%s has cancelled a job of which nobody asked for that",
                 command->host->name);
    }
}

static bool hook_was_owned(void *context, const uint8_t job[HAUL_JOB_BYTES])
{
    const struct sim_command *command = context;
    return sim_register_has(&command->host->own_register, job);
}

static enum haul_status hook_version_get(void *context, uint64_t *version, struct haul_error *error)
{
    const struct sim_command *command = context;
    if (fails(command)) {
        return haul_error_set(error, HAUL_STORE, "version", 0, "the owner does not know");
    }
    /* By the time of the call, the ranges to hand over may be gone. */
    uint32_t owned = command->host->own_register.owned;
    if (command->verb == SIM_VERB_SEND && (command->request.cells & ~owned) != 0) {
        return haul_error_set(error, HAUL_MISMATCH, "version", 0, "not the owner's any more");
    }
    *version = command->host->own_register.version;
    return HAUL_OK;
}

/* --- which of them ---------------------------------------------------------------------------- */

void sim_hooks_of_source(struct sim_command *command, struct haul_hooks *hooks)
{
    *hooks = (struct haul_hooks){
        .context = command,
        .freeze = hook_freeze,
        .unfreeze = command->refuses_freezes ? NULL : hook_unfreeze,
        .release = hook_release,
        .version_get = command->host->own_register.in_use ? hook_version_get : NULL,
        .log_data = hook_log_data,
    };
}

static size_t hook_annotate(void *context, const char *family, struct haul_slice key,
                            struct haul_slice value, uint8_t blob[HAUL_LOG_DATA_BYTES_MAX])
{
    (void)context;
    (void)value;
    if (family[0] == '\0' || key.size % 3 == 0) {
        return 0;
    }
    memcpy(blob, "mark", 4);
    return 4;
}

void sim_hooks_of_target(struct sim_command *command, struct haul_hooks *hooks)
{
    bool reserves = command->host->options->reserve_hook;
    bool registers = command->host->own_register.in_use;
    bool several = command->host->options->jobs_max > 1;
    *hooks = (struct haul_hooks){
        .context = command,
        .reserve = reserves ? hook_reserve : NULL,
        .unreserve = reserves ? hook_unreserve : NULL,
        .own = several ? NULL : hook_own,
        .own_job = several ? hook_own_job : NULL,
        .job_ended = hook_job_ended,
        .was_owned = registers ? hook_was_owned : NULL,
        .version_get = registers ? hook_version_get : NULL,
        .annotate = command->host->options->log_data ? hook_annotate : NULL,
    };
}

/* The time it may have waited for something that another process of its host waits for. */
static uint64_t slow_now_ns(const struct sim_disk *disk, uint64_t since_ns)
{
    uint64_t began_ns = disk->slow_since_ns > since_ns ? disk->slow_since_ns : since_ns;
    return disk->slow_until_ns > sim_kernel.now_ns ? sim_kernel.now_ns - began_ns : 0;
}

/* The same for stopped processes of its host, which may hold what it needs. */
static uint64_t stopped_ns(const struct sim_command *command)
{
    uint64_t longest_ns = 0;
    for (int i = 0; i < SIM_COMMAND_COUNT; i++) {
        const struct sim_command *other = sim_command_at(i);
        bool beside = other->used && other->process != NULL && other != command &&
                      other->host == command->host;
        uint64_t until_ns = beside ? other->process->paused_until_ns : 0;
        until_ns = until_ns < sim_kernel.now_ns ? until_ns : sim_kernel.now_ns;
        bool meets = until_ns > command->frozen_ns + longest_ns;
        longest_ns = meets ? until_ns - command->frozen_ns : longest_ns;
    }
    return longest_ns;
}

/* Time of hooks, slow disks and stopped processes does not count against the product. */
void sim_hooks_check_freeze(const struct sim_command *command)
{
    const struct sim_options *options = command->host->options;
    if (command->frozen == 0) {
        return;
    }
    uint64_t limit_ms = command->patient ? SIM_FREEZE_PATIENT_MS : options->freeze_max_ms;
    uint64_t limit_ns = (limit_ms + FREEZE_ALLOWANCE_MS) * (uint64_t)NS_PER_MS;
    uint64_t excused_ns = command->excused_ns + command->host->disk.slow_ns +
                          command->host->store.stalled_ns - command->slow_before_ns +
                          slow_now_ns(&command->host->disk, command->frozen_ns) +
                          stopped_ns(command);
    uint64_t lasted_ns = sim_kernel.now_ns - command->frozen_ns;
    if (lasted_ns > limit_ns + excused_ns) {
        sim_fail("I9", "%s has been frozen for %llu ms, of which %llu are excused",
                 command->host->name, (unsigned long long)(lasted_ns / NS_PER_MS),
                 (unsigned long long)(excused_ns / NS_PER_MS));
    }
}
