/* SPDX-License-Identifier: Apache-2.0 */
/* target_migration.c — the target: listeners, callers, and the jobs that they become. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "acceptor.h"
#include "assertion.h"
#include "awaited_job.h"
#include "call_steps.h"
#include "call_worker.h"
#include "hook_gate.h"
#include "instance.h"
#include "log_limit.h"
#include "migration_thread.h"
#include "poll_group.h"
#include "sized_options.h"
#include "staging.h"
#include "target_callers.h"
#include "target_commit.h"
#include "target_driver.h"
#include "target_jobs.h"
#include "target_journal.h"
#include "target_left_over.h"
#include "target_permit.h"
#include "wire_mode.h"

enum {
    LOOP_INTERVAL_MS = 100,
};

struct target_migration {
    struct haul_migration base;
    struct haul_target_options options;     /* resolved */
    char identity[HAUL_IDENTITY_BYTES_MAX]; /* as peers know the database */
    const struct haul_clock *clock;
    struct poll_group *group;
    struct acceptor *acceptor;
    haul_control_TransportOffer offers[HAUL_TRANSPORT_LIST_MAX]; /* for the last caller */
    struct hook_gate gate;
    bool has_gate;
    struct call_worker *worker;  /* of callers */
    struct target_places places; /* held by jobs, or by callers that become some */
    struct target_jobs jobs;
    struct target_callers callers;
    struct log_limit refusals;
    struct haul_job_progress figures[HAUL_TARGET_JOBS_MAX]; /* of the jobs, for others */
    struct haul_result job_result;                          /* of the job that ended last */
    bool keeps_result;   /* the receiver ends, and a job has ended otherwise than requested */
    uint64_t crc_errors; /* of the awaited job, over all attempts */
    struct awaited_job awaited; /* `once` */
    struct call give_up_call;   /* of the awaited job */
    struct call_steps give_up_steps;
    struct call finish_call;        /* of jobs left at COMMITTED */
    enum migration_request request; /* as passed on to the jobs */
    bool ended;
};

/* --- incoming --------------------------------------------------------------------------------- */

/* List the transports that can accept links now. Returns their number. */
static size_t list_offers(struct target_migration *target)
{
    const struct haul_transport_list every = {{HAUL_TRANSPORT_NONE}};
    const struct haul_transport_list list = transport_list_resolve(&every);
    size_t count = transport_list_count(&list);
    for (size_t i = 0; i < count; i++) {
        target->offers[i].transport = (uint32_t)list.items[i];
        (void)acceptor_offers(target->acceptor, list.items[i], target->offers[i].refusal);
    }
    return count;
}

/* Log a refusal. Any peer can cause refusals at will, so the log is limited. */
static void log_refusal(struct target_migration *target, const struct link_address *address,
                        const char *why)
{
    char peer[LINK_ADDRESS_TEXT_BYTES_MAX];
    uint64_t unsaid = 0;
    if (!log_limit_allows(&target->refusals, clock_now_ns(target->clock), &unsaid)) {
        return;
    }
    link_address_format(address, peer);
    haul_log(target->options.log, HAUL_LOG_WARNING, "%s refused: %s", peer, why);
    if (unsaid > 0) {
        haul_log(target->options.log, HAUL_LOG_WARNING,
                 "and %" PRIu64 " more since the last such line", unsaid);
    }
}

static void take_control(struct target_migration *target, struct acceptor_arrival *arrival)
{
    const struct link_address *peer = &arrival->incoming.peer;
    if (target->request != MIGRATION_GOES_ON || !target_callers_make_room(&target->callers, peer)) {
        log_refusal(target, peer, "too many connections, or the receiver is ending");
        listener_reject(arrival->listener, &arrival->incoming, HAUL_BUSY);
        return;
    }
    struct target_driver_options options = {
        .target = &target->options,
        .identity = target->identity,
        .clock = target->clock,
        .group = target->group,
        .worker = target->worker,
        .places = &target->places,
        .peer = *peer,
        .offers = target->offers,
        .offer_count = list_offers(target),
    };
    struct haul_error error = {0};
    struct target_driver *caller = NULL;
    struct tls_socket socket = acceptor_take(arrival);
    if (target_driver_create(&options, socket, &caller, &error) != HAUL_OK) {
        char line[HAUL_LOG_LINE_BYTES_MAX / 2];
        haul_error_format(&error, line, sizeof(line));
        log_refusal(target, &options.peer, line);
        return;
    }
    target_callers_add(&target->callers, caller);
}

static void take_link(struct target_migration *target, struct acceptor_arrival *arrival)
{
    target_jobs_admit(&target->jobs, arrival->listener, &arrival->incoming);
}

static bool poll_arrivals(struct target_migration *target)
{
    struct acceptor_arrival arrival;
    int count = 0;
    while (count < ACCEPTOR_ARRIVALS_PER_TURN_MAX &&
           acceptor_poll(target->acceptor, &arrival) == HAUL_OK) {
        (arrival.incoming.control ? take_control : take_link)(target, &arrival);
        count++;
    }
    return count > 0;
}

/* --- operators ------------------------------------------------------------------------------- */

/* The result of a request when no job runs. */
static void end_listening(struct target_migration *target, const char *what)
{
    struct haul_result *result = &target->base.result;
    bool stops = target->request == MIGRATION_STOPS;
    target->ended = true;
    result->status = haul_error_set(&result->error, stops ? HAUL_STOPPED : HAUL_CANCELLED, NULL, 0,
                                    "%s while %s", stops ? "stopped" : "cancelled", what);
}

static void call_give_up(void *context, struct haul_error *error)
{
    struct target_migration *target = context;
    const struct haul_target_options *options = &target->options;
    error->status = target_left_over_give_up(options->store, target->awaited.hello.job.bytes,
                                             &options->hooks, &target->give_up_steps.steps, error);
}

/* Runs before the target answers the first Hello: no job runs. */
static void call_finish(void *context, struct haul_error *error)
{
    struct target_migration *target = context;
    const struct haul_target_options *options = &target->options;
    char staging[STAGING_PATH_BYTES_MAX];
    if (staging_name(options->store, staging, error) == HAUL_OK) {
        staging_remove(staging, options->log);
    }
    error->status = target_commit_finish_all(options->store, &options->hooks, error);
}

/* The next plan retries what is not finished now. */
static void on_finished(const struct target_migration *target)
{
    const struct haul_error *error = &target->finish_call.error;
    if (error->status != HAUL_OK) {
        haul_log(target->options.log, HAUL_LOG_WARNING, "a committed job is not finished yet: %s",
                 error->text);
    }
}

/* The awaited job was discarded, or discarding it failed. */
static void on_given_up(struct target_migration *target)
{
    const struct haul_error *error = &target->give_up_call.error;
    if (error->status == HAUL_OK || error->status == HAUL_NOT_FOUND) {
        end_listening(target, "waiting for the source to come back; what it had sent is removed");
        return;
    }
    target->base.result.error = *error;
    target->base.result.status = error->status;
    target->ended = true;
}

static void check_cancels(struct target_migration *target)
{
    uint8_t job[HAUL_JOB_BYTES];
    while (migration_take_cancel(&target->base, job)) {
        target_jobs_cancel(&target->jobs, job);
    }
}

static void check_request(struct target_migration *target)
{
    if (poll_group_take_ready(target->group, target->base.request_fd)) {
        migration_drain_request(&target->base);
        check_cancels(target);
    }
    enum migration_request request = migration_requested(&target->base);
    if (request == target->request || target->ended || target_jobs_all_end(&target->jobs)) {
        return; /* while the last jobs end, a later round decides what follows */
    }
    target->request = request;
    bool stops = request == MIGRATION_STOPS;
    for (size_t i = 0; i < target->callers.count; i++) {
        target_driver_stop(target->callers.callers[i]);
    }
    if (target->jobs.count > 0) {
        target_jobs_end(&target->jobs, request);
    } else if (!target->awaited.waits) {
        end_listening(target, "listening");
    } else if (stops) {
        end_listening(target, "waiting for the source to come back; what it has sent is kept");
    } else if (!target->give_up_call.under_way) {
        call_steps_begin(&target->give_up_steps);
        call_worker_submit(target->worker, &target->give_up_call);
    }
}

/* --- the loop --------------------------------------------------------------------------------- */

static void format_outcome(const struct haul_result *result, char *line, size_t line_size_bytes)
{
    if (result->status == HAUL_OK) {
        (void)snprintf(line, line_size_bytes, "committed");
    } else {
        haul_error_format(&result->error, line, line_size_bytes);
    }
}

/* `once`: a job that counts is over. Keep its result; the migration ends, unless the job's source
 * may come back. */
static void note_result(struct target_migration *target, const struct target_driver *driver,
                        const struct haul_result *result)
{
    const haul_control_Hello *hello = target_driver_hello(driver);
    if (!target->options.once || !target_driver_was_real(driver) ||
        !awaited_job_is(&target->awaited, hello)) {
        return;
    }
    target->crc_errors += result->crc_errors;
    target->base.result = *result;
    target->base.result.crc_errors = target->crc_errors;
    if (!target_driver_is_resumable(driver)) {
        awaited_job_end(&target->awaited);
        target->ended = true;
        return;
    }
    uint64_t wait_ms = awaited_job_begin(&target->awaited, hello, target->options.resume_wait_ms,
                                         clock_now_ns(target->clock));
    haul_log(target->options.log, HAUL_LOG_WARNING,
             "waiting for its source to come back, for up to %" PRIu64 " s",
             (wait_ms + 999) / 1000);
}

static void fill_result(const struct target_driver *driver, struct haul_result *result)
{
    memset(result, 0, sizeof(*result));
    target_driver_result(driver, result);
}

/* Unless the migration ends and keeps the result of this job. */
static void tell_ended(const struct target_migration *target, const struct haul_result *result)
{
    const struct haul_hooks *hooks = &target->options.hooks;
    bool kept = target->ended && memcmp(target->base.result.job, result->job, HAUL_JOB_BYTES) == 0;
    if (hooks->job_ended != NULL && !kept && !target->awaited.waits) {
        hooks->job_ended(hooks->context, result);
    }
}

/* The receiver ends, and a job has ended. The first that did not end as requested, such as one that
 * was decided, has the result of the receiver; otherwise the last has it. */
static void keep_result(struct target_migration *target, const struct haul_result *result)
{
    bool as_requested = result->status == HAUL_STOPPED || result->status == HAUL_CANCELLED;
    if (!target->keeps_result) {
        target->base.result = *result;
    }
    target->keeps_result = target->keeps_result || !as_requested;
    target->ended = target->jobs.count == 0;
}

/* A job is over: another one may begin. */
static void end_job(struct target_migration *target, struct target_driver *driver)
{
    struct haul_result *result = &target->job_result;
    char line[HAUL_LOG_LINE_BYTES_MAX / 2];
    fill_result(driver, result);
    format_outcome(result, line, sizeof(line));
    haul_log(target->options.log, result->status == HAUL_OK ? HAUL_LOG_INFO : HAUL_LOG_WARNING,
             "job ended: %s", line);
    note_result(target, driver, result);
    migration_report_options(&target->base, target_driver_differences(driver));
    result->option_differences = target->base.result.option_differences;
    result->option_difference_count = target->base.result.option_difference_count;
    if (target->request != MIGRATION_GOES_ON) {
        keep_result(target, result);
    }
    if (target_driver_was_real(driver)) {
        tell_ended(target, result);
    }
    target_driver_destroy(driver);
}

/* The caller never became the job; but it may have learned here that its job is committed. */
static void end_caller(struct target_migration *target, struct target_driver *caller)
{
    struct haul_result *result = &target->job_result;
    char line[HAUL_LOG_LINE_BYTES_MAX / 2];
    fill_result(caller, result);
    format_outcome(result, line, sizeof(line));
    uint64_t records = 0;
    if (target_driver_compared(caller, &records) && result->status == HAUL_CLOSED) {
        char peer[LINK_ADDRESS_TEXT_BYTES_MAX];
        link_address_format(target_driver_peer(caller), peer);
        haul_log(target->options.log, HAUL_LOG_INFO,
                 "%s has compared its records with %" PRIu64 " of ours", peer, records);
    } else if (result->status != HAUL_OK) {
        log_refusal(target, target_driver_peer(caller), line);
    }
    note_result(target, caller, result);
    if (target_driver_was_real(caller)) {
        tell_ended(target, result);
    }
    target_driver_destroy(caller);
}

/* A caller has taken a place. If it was the last, all others must wait; comparisons must in any
 * case. */
static void begin_job(struct target_migration *target, struct target_driver *caller)
{
    bool full = target_places_others(&target->places, NULL) == target->places.count;
    uint64_t ignored;
    char peer[LINK_ADDRESS_TEXT_BYTES_MAX];
    struct link_address local;
    link_address_format(target_driver_peer(caller), peer);
    target_driver_address(caller, &local);
    migration_place_near(&target->base, &local, target->options.log);
    haul_log(target->options.log, HAUL_LOG_INFO, "a job begins, from %s", peer);
    target_jobs_add(&target->jobs, caller);
    for (size_t i = 0; i < target->callers.count; i++) {
        struct target_driver *other = target->callers.callers[i];
        if ((full && !target_places_holds(&target->places, other)) ||
            target_driver_compared(other, &ignored)) {
            target_driver_refuse_busy(other);
        }
    }
}

static void on_returned(struct target_migration *target, const struct call *call)
{
    if (call == &target->give_up_call) {
        on_given_up(target);
    } else if (call == &target->finish_call) {
        on_finished(target);
    } else {
        target_driver_returned(call);
    }
}

/* The calls of one worker. True: some have returned. */
static bool take_returned(struct target_migration *target, struct call_worker *worker)
{
    bool any = false;
    const struct call *call;
    while (worker != NULL && (call = call_worker_result(worker)) != NULL) {
        on_returned(target, call);
        any = true;
    }
    return any;
}

static bool poll_calls(struct target_migration *target)
{
    bool any = take_returned(target, target->worker);
    for (uint32_t i = 0; i < target->places.count; i++) {
        any = take_returned(target, target->places.places[i].worker) || any;
    }
    return any;
}

static bool poll_jobs(struct target_migration *target)
{
    bool any = target_callers_poll(&target->callers);
    any = poll_calls(target) || any;
    for (size_t i = target->callers.count; i-- > 0;) {
        struct target_driver *caller = target->callers.callers[i];
        if (target_places_holds(&target->places, caller)) {
            target_callers_remove(&target->callers, i);
            begin_job(target, caller);
        } else if (target_driver_has_ended(caller)) {
            target_callers_remove(&target->callers, i);
            end_caller(target, caller);
        }
    }
    any = target_jobs_poll(&target->jobs) || any;
    for (size_t i = target->jobs.count; i-- > 0;) {
        if (target_driver_has_ended(target->jobs.drivers[i])) {
            end_job(target, target_jobs_take(&target->jobs, i));
        }
    }
    return any;
}

static void publish(struct target_migration *target)
{
    struct haul_progress progress = {
        .phase = HAUL_PHASE_LISTENING,
        .trust = wire_mode_trust(target->options.keys, target->options.insecure)};
    size_t count = target->jobs.count;
    target_jobs_figures(&target->jobs, target->figures);
    target_jobs_sum(target->figures, count, &progress);
    migration_publish_jobs(&target->base, &progress, target->figures, count);
}

static uint64_t next_deadline(const struct target_migration *target)
{
    uint64_t deadline = clock_deadline_ns(target->clock, LOOP_INTERVAL_MS);
    uint64_t arrivals = acceptor_deadline_ns(target->acceptor);
    deadline = arrivals < deadline ? arrivals : deadline;
    uint64_t callers = target_callers_deadline_ns(&target->callers);
    deadline = callers < deadline ? callers : deadline;
    uint64_t jobs = target_jobs_deadline_ns(&target->jobs);
    return jobs < deadline ? jobs : deadline;
}

/* The source that `once` waits for has not come back; one that is just sending Hello still may. */
static void check_awaited(struct target_migration *target)
{
    bool busy = target->jobs.count > 0 || target->give_up_call.under_way;
    for (size_t i = 0; i < target->callers.count && !busy; i++) {
        const struct target_driver *caller = target->callers.callers[i];
        busy = !target_driver_is_silent(caller) &&
               awaited_job_is(&target->awaited, target_driver_hello(caller));
    }
    if (!busy && awaited_job_is_over(&target->awaited, clock_now_ns(target->clock))) {
        target->ended = true;
    }
}

static void run_target(struct haul_migration *migration)
{
    struct target_migration *target = (struct target_migration *)migration;
    uint64_t published_ns = 0;
    while (!target->ended) {
        bool any = poll_arrivals(target);
        any = poll_jobs(target) || any;
        check_request(target);
        check_awaited(target);
        uint64_t now = clock_now_ns(target->clock);
        if (now - published_ns >= (uint64_t)LOOP_INTERVAL_MS * NS_PER_MS) {
            published_ns = now;
            publish(target);
        }
        (void)poll_group_wait(target->group, any || target->ended, next_deadline(target));
    }
}

/* --- setting up ------------------------------------------------------------------------------- */

/* Nobody waits for their results. */
static void end_calls(struct target_migration *target)
{
    call_steps_end(&target->give_up_steps);
    for (size_t i = 0; i < target->callers.count; i++) {
        target_driver_end_calls(target->callers.callers[i]);
    }
    target_jobs_end_calls(&target->jobs);
}

/* After this the calls of its jobs have returned. */
static void destroy_worker(struct target_migration *target, struct call_worker *worker)
{
    if (worker != NULL) {
        poll_group_remove_fd(target->group, call_worker_fd(worker));
        call_worker_destroy(worker);
    }
}

static void destroy_target(struct haul_migration *migration)
{
    struct target_migration *target = (struct target_migration *)migration;
    end_calls(target);
    destroy_worker(target, target->worker);
    for (uint32_t i = 0; i < target->places.count; i++) {
        destroy_worker(target, target->places.places[i].worker);
    }
    target_callers_fini(&target->callers);
    target_jobs_fini(&target->jobs);
    target_places_fini(&target->places);
    if (target->has_gate) {
        hook_gate_fini(&target->gate);
    }
    acceptor_destroy(target->acceptor);
    poll_group_destroy(target->group);
    migration_fini(&target->base);
    free(target);
}

static uint64_t or_default(uint64_t value, uint64_t otherwise)
{
    return value == 0 ? otherwise : value;
}

static enum haul_status resolve_jobs(struct haul_target_options *options, struct haul_error *error)
{
    options->jobs_max = (uint32_t)or_default(options->jobs_max, 1);
    if (options->jobs_max > HAUL_TARGET_JOBS_MAX) {
        return haul_error_set(error, HAUL_INVALID, NULL, 0, "at most %d jobs at once",
                              HAUL_TARGET_JOBS_MAX);
    }
    bool unnamed = options->hooks.own != NULL && options->hooks.own_job == NULL;
    if (options->jobs_max > 1 && (options->once || unnamed)) {
        return haul_error_set(error, HAUL_INVALID, NULL, 0, "several jobs at once, %s",
                              options->once ? "but `once` takes a single one"
                                            : "but the hook `own` does not name its job");
    }
    return HAUL_OK;
}

static enum haul_status resolve_options(struct target_migration *target,
                                        const struct haul_target_options *given,
                                        struct haul_error *error)
{
    struct haul_target_options *options = &target->options;
    enum haul_status status =
        sized_options_take(options, sizeof(*options),
                           SIZED_OPTIONS_END(struct haul_target_options, log), given, error);
    if (status != HAUL_OK) {
        return status;
    }
    struct haul_link_options *link = &options->link;
    link->slot_count = (uint32_t)or_default(link->slot_count, HAUL_SLOT_COUNT_DEFAULT);
    link->slot_size_bytes =
        (uint32_t)or_default(link->slot_size_bytes, HAUL_SLOT_SIZE_BYTES_DEFAULT);
    link->peer_timeout_ms =
        (uint32_t)or_default(link->peer_timeout_ms, HAUL_PEER_TIMEOUT_MS_DEFAULT);
    options->applier_count = (uint32_t)or_default(options->applier_count, 1);
    options->table_size_bytes =
        or_default(options->table_size_bytes, HAUL_TABLE_SIZE_BYTES_DEFAULT);
    if (options->applier_count > HAUL_APPLIER_COUNT_MAX) {
        return haul_error_set(error, HAUL_INVALID, NULL, 0, "at most %d appliers",
                              HAUL_APPLIER_COUNT_MAX);
    }
    if (options->secret.size > HAUL_SECRET_BYTES_MAX) {
        return haul_error_set(error, HAUL_INVALID, NULL, 0, "a secret has at most %d bytes",
                              HAUL_SECRET_BYTES_MAX);
    }
    status = resolve_jobs(options, error);
    if (status == HAUL_OK) {
        status = target_permit_check_options(options, error);
    }
    if (status != HAUL_OK) {
        return status;
    }
    struct link_config checked;
    status = link_config_resolve(&(struct link_config){.options = *link}, &checked, error);
    return status == HAUL_OK ? wire_mode_resolve(options->keys != NULL, &options->wire, error)
                             : status;
}

static enum haul_status listen_all(struct target_migration *target, struct haul_error *error)
{
    const struct acceptor_options options = {
        .listen = target->options.listen,
        .port = HAUL_PORT_DEFAULT,
        .loopback_only = target->options.keys == NULL && !target->options.insecure,
        .transports = target->options.transports,
        .config = {.options = target->options.link,
                   .clock = target->clock,
                   .log = target->options.log,
                   .keys = target->options.keys},
        .group = target->group,
    };
    struct link_address address;
    wire_mode_warn(target->options.keys, target->options.insecure, target->options.log);
    enum haul_status status = acceptor_create(&options, &target->acceptor, error);
    if (status == HAUL_OK) {
        acceptor_address(target->acceptor, &address);
        link_address_format(&address, target->base.address);
        status = poll_group_add_fd(target->group, target->base.request_fd);
    }
    return status;
}

static enum haul_status create_worker(struct target_migration *target, struct call_worker **worker,
                                      struct haul_error *error)
{
    enum haul_status status = call_worker_create(worker, error);
    return status == HAUL_OK ? poll_group_add_fd(target->group, call_worker_fd(*worker)) : status;
}

/* One of callers, and one of each place; a single job needs no second one. */
static enum haul_status create_workers(struct target_migration *target, struct haul_error *error)
{
    enum haul_status status = create_worker(target, &target->worker, error);
    target->places.count = target->options.jobs_max;
    for (uint32_t i = 0; i < target->places.count && target->places.count > 1 && status == HAUL_OK;
         i++) {
        status = create_worker(target, &target->places.places[i].worker, error);
    }
    return status;
}

enum haul_status haul_target_start(const struct haul_target_options *options,
                                   struct haul_migration **migration, struct haul_error *error)
{
    struct target_migration *target = calloc(1, sizeof(*target));
    if (target == NULL) {
        return haul_error_set(error, HAUL_NO_MEMORY, "calloc", 0, "no memory for a migration");
    }
    target->base.run = run_target;
    target->base.destroy = destroy_target;
    target->clock = &clock_monotonic;
    target->give_up_call = (struct call){.run = call_give_up, .context = target};
    target->finish_call = (struct call){.run = call_finish, .context = target};
    enum haul_status status = resolve_options(target, options, error);
    if (status == HAUL_OK) {
        hook_gate_init(&target->gate, &target->options.hooks);
        target->has_gate = true;
    }
    target->base.cpu_list = target->options.cpu_list;
    if (status == HAUL_OK) {
        status = migration_init(&target->base, error);
    }
    if (status == HAUL_OK) {
        status =
            poll_group_create(link_spin_us(&target->options.link), target->clock, &target->group);
    }
    if (status == HAUL_OK) {
        status = create_workers(target, error);
    }
    if (status == HAUL_OK) {
        status = listen_all(target, error);
    }
    if (status == HAUL_OK) {
        status = instance_begin(target->options.store, target->identity, error);
    }
    if (status == HAUL_OK) {
        call_worker_submit(target->worker, &target->finish_call);
        status = migration_start(&target->base, error);
    }
    if (status != HAUL_OK) {
        destroy_target(&target->base);
        return status;
    }
    *migration = &target->base;
    return HAUL_OK;
}
