/* SPDX-License-Identifier: Apache-2.0 */
/* target_migration.c — the taking end: listeners, and one job at a time behind them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "assertion.h"
#include "migration_thread.h"
#include "poll_group.h"
#include "target_job.h"
#include "tcp_listener.h"

enum {
    TABLE_SIZE_BYTES_DEFAULT = 64 << 20,
    APPLIER_COUNT_MAX = 16,
    LOOP_INTERVAL_MS = 100,
    RESUME_WAIT_MS_DEFAULT = 10000,
};

struct target_migration {
    struct haul_migration base;
    struct haul_target_options options; /* resolved */
    const struct haul_clock *clock;
    struct poll_group *group;
    struct tcp_listener *tcp;
    struct listener *verbs; /* NULL: no RDMA, for `rdma_refusal` */
    char rdma_refusal[HAUL_REASON_BYTES_MAX];
    struct target_job *job;         /* NULL: none */
    uint64_t resume_until_ns;       /* once: wait so long for a lost source; 0: there is none */
    enum migration_request request; /* what the job was told of */
    bool ended;
};

/* --- incoming --------------------------------------------------------------------------------- */

/* Does the RDMA listener have a device right now? */
static bool offers_rdma(struct target_migration *target)
{
    struct haul_error reason = {0};
    bool open = target->verbs != NULL && listener_is_open(target->verbs, &reason);
    if (target->verbs != NULL && !open) {
        haul_error_format(&reason, target->rdma_refusal, sizeof(target->rdma_refusal));
    }
    return open;
}

static void take_control(struct target_migration *target, struct link_incoming *incoming)
{
    char peer[LINK_ADDRESS_TEXT_BYTES_MAX];
    link_address_format(&incoming->peer, peer);
    if (target->job != NULL || target->request != MIGRATION_GOES_ON) {
        haul_log(target->options.log, HAUL_LOG_WARNING, "%s turned away: a job is running", peer);
        tcp_listener_reject(target->tcp, incoming, HAUL_BUSY);
        return;
    }
    struct target_job_options options = {
        .target = &target->options,
        .clock = target->clock,
        .group = target->group,
        .rdma_offered = offers_rdma(target),
        .rdma_refusal = target->rdma_refusal,
    };
    struct haul_error error = {0};
    int fd = tcp_listener_take(target->tcp, incoming);
    if (target_job_create(&options, fd, &target->job, &error) != HAUL_OK) {
        char line[HAUL_LOG_LINE_BYTES_MAX];
        haul_error_format(&error, line, sizeof(line));
        haul_log(target->options.log, HAUL_LOG_ERROR, "%s: %s", peer, line);
        return;
    }
    struct link_address local;
    target_job_address(target->job, &local);
    migration_place_near(&target->base, &local, target->options.log);
    target->resume_until_ns = 0;
    haul_log(target->options.log, HAUL_LOG_INFO, "control connection from %s", peer);
}

static enum haul_status admits(const struct target_migration *target,
                               const struct link_incoming *incoming)
{
    return target->job == NULL ? HAUL_AUTH : target_job_admits(target->job, &incoming->ticket);
}

static bool poll_tcp(struct target_migration *target)
{
    enum tcp_purpose purpose;
    struct link_incoming incoming;
    bool any = false;
    if (!poll_group_take_ready(target->group, tcp_listener_fd(target->tcp))) {
        return false;
    }
    while (tcp_listener_poll(target->tcp, &purpose, &incoming) == HAUL_OK) {
        any = true;
        enum haul_status status = admits(target, &incoming);
        if (purpose == TCP_CONTROL) {
            take_control(target, &incoming);
        } else if (status != HAUL_OK) {
            tcp_listener_reject(target->tcp, &incoming, status);
        } else {
            target_job_admit(target->job, target->tcp, NULL, &incoming);
        }
    }
    return any;
}

/* An event has arrived, or it is time to look for a device that went away. */
static bool verbs_has_work(struct target_migration *target)
{
    uint64_t deadline = listener_deadline_ns(target->verbs);
    bool ready = poll_group_take_ready(target->group, listener_fd(target->verbs));
    return ready || (deadline != CLOCK_NEVER && clock_now_ns(target->clock) >= deadline);
}

static bool poll_verbs(struct target_migration *target)
{
    struct link_incoming incoming;
    bool any = false;
    if (target->verbs == NULL || !verbs_has_work(target)) {
        return false;
    }
    while (listener_poll(target->verbs, &incoming) == HAUL_OK) {
        any = true;
        enum haul_status status = admits(target, &incoming);
        if (status != HAUL_OK) {
            listener_reject(target->verbs, &incoming, status);
        } else {
            target_job_admit(target->job, NULL, target->verbs, &incoming);
        }
    }
    return any;
}

/* --- the loop --------------------------------------------------------------------------------- */

/* A job is over: keep its result; the end of the migration too, when that is all there was to do.
 */
static void end_job(struct target_migration *target)
{
    struct haul_result *result = &target->base.result;
    bool accepted = target_job_was_accepted(target->job);
    bool resumable = accepted && target_job_is_resumable(target->job);
    memset(result, 0, sizeof(*result));
    target_job_result(target->job, result);
    if (result->progress.transport == HAUL_TRANSPORT_VERBS) {
        result->fallback_reason[0] = '\0';
    }
    char line[HAUL_LOG_LINE_BYTES_MAX] = "committed";
    if (result->status != HAUL_OK) {
        haul_error_format(&result->error, line, sizeof(line));
    }
    haul_log(target->options.log, result->status == HAUL_OK ? HAUL_LOG_INFO : HAUL_LOG_WARNING,
             "job ended: %s", line);
    migration_report_options(&target->base, target_job_differences(target->job));
    target_job_destroy(target->job);
    target->job = NULL;
    target->ended = target->request != MIGRATION_GOES_ON;
    if (target->options.once && resumable) {
        target->resume_until_ns = clock_deadline_ns(target->clock, target->options.resume_wait_ms);
    } else if (target->options.once && (accepted || result->status == HAUL_OK)) {
        target->ended = true;
    }
}

/* No job runs: the result is that of a job whose source was lost, or that there was none. */
static void end_listening(struct target_migration *target)
{
    struct haul_result *result = &target->base.result;
    bool waits = target->resume_until_ns != 0;
    enum haul_status status = target->request == MIGRATION_STOPS ? HAUL_STOPPED : HAUL_CANCELLED;
    target->ended = true;
    result->status = haul_error_set(&result->error, status, NULL, 0, "%s while %s",
                                    status == HAUL_STOPPED ? "stopped" : "cancelled",
                                    waits ? "waiting for the source to come back; what it has "
                                            "sent is kept"
                                          : "listening");
}

static void check_request(struct target_migration *target)
{
    if (poll_group_take_ready(target->group, target->base.request_fd)) {
        migration_drain_request(&target->base);
    }
    enum migration_request request = migration_requested(&target->base);
    if (request == target->request) {
        return;
    }
    target->request = request;
    if (target->job == NULL) {
        end_listening(target);
    } else if (request == MIGRATION_STOPS) {
        target_job_stop(target->job);
    } else {
        target_job_cancel(target->job);
    }
}

static void publish(struct target_migration *target)
{
    struct haul_progress progress = {.phase = HAUL_PHASE_LISTENING};
    if (target->job != NULL) {
        target_job_progress(target->job, &progress);
    }
    migration_publish(&target->base, &progress);
}

static uint64_t next_deadline(const struct target_migration *target)
{
    uint64_t deadline = clock_deadline_ns(target->clock, LOOP_INTERVAL_MS);
    uint64_t tcp = tcp_listener_deadline_ns(target->tcp);
    deadline = tcp < deadline ? tcp : deadline;
    if (target->verbs != NULL) {
        uint64_t verbs = listener_deadline_ns(target->verbs);
        deadline = verbs < deadline ? verbs : deadline;
    }
    if (target->job != NULL) {
        uint64_t job = target_job_deadline_ns(target->job);
        deadline = job < deadline ? job : deadline;
    }
    return deadline;
}

static void run_target(struct haul_migration *migration)
{
    struct target_migration *target = (struct target_migration *)migration;
    uint64_t published_ns = 0;
    while (!target->ended) {
        bool any = poll_tcp(target);
        any = poll_verbs(target) || any;
        if (target->job != NULL) {
            any = target_job_poll(target->job) || any;
            if (target_job_has_ended(target->job)) {
                end_job(target);
            }
        }
        check_request(target);
        bool waits = target->job == NULL && target->resume_until_ns != 0;
        target->ended =
            target->ended || (waits && clock_now_ns(target->clock) >= target->resume_until_ns);
        uint64_t now = clock_now_ns(target->clock);
        if (now - published_ns >= (uint64_t)LOOP_INTERVAL_MS * NS_PER_MS) {
            published_ns = now;
            publish(target);
        }
        (void)poll_group_wait(target->group, any || target->ended, next_deadline(target));
    }
}

/* --- setting up ------------------------------------------------------------------------------- */

static void destroy_target(struct haul_migration *migration)
{
    struct target_migration *target = (struct target_migration *)migration;
    target_job_destroy(target->job);
    if (target->verbs != NULL) {
        listener_destroy(target->verbs);
    }
    if (target->tcp != NULL) {
        tcp_listener_destroy(target->tcp);
    }
    poll_group_destroy(target->group);
    migration_fini(&target->base);
    free(target);
}

static uint64_t or_default(uint64_t value, uint64_t otherwise)
{
    return value == 0 ? otherwise : value;
}

static enum haul_status resolve_options(struct target_migration *target,
                                        const struct haul_target_options *given,
                                        struct haul_error *error)
{
    struct haul_target_options *options = &target->options;
    *options = *given;
    struct haul_link_options *link = &options->link;
    link->slot_count = (uint32_t)or_default(link->slot_count, HAUL_SLOT_COUNT_DEFAULT);
    link->slot_size_bytes =
        (uint32_t)or_default(link->slot_size_bytes, HAUL_SLOT_SIZE_BYTES_DEFAULT);
    link->peer_timeout_ms =
        (uint32_t)or_default(link->peer_timeout_ms, HAUL_PEER_TIMEOUT_MS_DEFAULT);
    options->applier_count = (uint32_t)or_default(options->applier_count, 1);
    options->resume_wait_ms = (uint32_t)or_default(options->resume_wait_ms, RESUME_WAIT_MS_DEFAULT);
    options->table_size_bytes = or_default(options->table_size_bytes, TABLE_SIZE_BYTES_DEFAULT);
    if (options->applier_count > APPLIER_COUNT_MAX) {
        return haul_error_set(error, HAUL_INVALID, NULL, 0, "at most %d appliers",
                              APPLIER_COUNT_MAX);
    }
    if (options->secret.size > HAUL_SECRET_BYTES_MAX) {
        return haul_error_set(error, HAUL_INVALID, NULL, 0, "a secret has at most %d bytes",
                              HAUL_SECRET_BYTES_MAX);
    }
    return HAUL_OK;
}

/* RDMA is listened for on the same address and port number; its port space is another one. */
static enum haul_status listen_verbs(struct target_migration *target,
                                     const struct link_address *address,
                                     const struct link_config *config, struct haul_error *error)
{
    if (target->options.mode == HAUL_MODE_TCP) {
        (void)snprintf(target->rdma_refusal, sizeof(target->rdma_refusal),
                       "the target runs with --transport tcp");
        return HAUL_OK;
    }
    struct haul_error reason = {0};
    enum haul_status status =
        listener_create(HAUL_TRANSPORT_VERBS, address, config, &target->verbs, &reason);
    if (status == HAUL_OK) {
        return poll_group_add_fd(target->group, listener_fd(target->verbs));
    }
    target->verbs = NULL;
    if (target->options.mode == HAUL_MODE_RDMA) {
        if (error != NULL) {
            *error = reason;
        }
        return status;
    }
    haul_error_format(&reason, target->rdma_refusal, sizeof(target->rdma_refusal));
    haul_log(target->options.log, HAUL_LOG_WARNING, "no RDMA here, TCP only: %s",
             target->rdma_refusal);
    return HAUL_OK;
}

static enum haul_status listen_all(struct target_migration *target, struct haul_error *error)
{
    struct link_config config = {
        .options = target->options.link, .clock = target->clock, .log = target->options.log};
    char any[32];
    (void)snprintf(any, sizeof(any), "[::]:%d", HAUL_PORT_DEFAULT);
    struct link_address address;
    enum haul_status status = link_address_parse(
        target->options.listen == NULL ? any : target->options.listen, &address, error);
    if (status == HAUL_OK) {
        status = tcp_listener_create(&address, &config, &target->tcp, error);
    }
    if (status != HAUL_OK) {
        return status;
    }
    tcp_listener_address(target->tcp, &address);
    link_address_format(&address, target->base.address);
    status = poll_group_add_fd(target->group, tcp_listener_fd(target->tcp));
    if (status == HAUL_OK) {
        status = poll_group_add_fd(target->group, target->base.request_fd);
    }
    return status == HAUL_OK ? listen_verbs(target, &address, &config, error) : status;
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
    target->base.cpu_list = options->cpu_list;
    target->clock = &clock_monotonic;
    enum haul_status status = resolve_options(target, options, error);
    if (status == HAUL_OK) {
        status = migration_init(&target->base, error);
    }
    if (status == HAUL_OK) {
        status =
            poll_group_create(link_spin_us(&target->options.link), target->clock, &target->group);
    }
    if (status == HAUL_OK) {
        status = listen_all(target, error);
    }
    if (status == HAUL_OK) {
        status = migration_start(&target->base, error);
    }
    if (status != HAUL_OK) {
        destroy_target(&target->base);
        return status;
    }
    *migration = &target->base;
    return HAUL_OK;
}
