/* SPDX-License-Identifier: Apache-2.0 */
/* source_migration.c — the giving end: one loop thread that performs what the session asks for.
 *
 *   readers --filled blocks--> outbox --> sender_links --> target        (source_copy.h)
 *   loop thread: control channel <-> source_session <-> actions, results, ticks
 *   call worker: freeze hook, records, decision                          (source_calls.h)
 *
 * The session decides, this file does: it never looks at the session's state but to report it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "assertion.h"
#include "migration_thread.h"
#include "payload_codec.h"
#include "pinned_disk.h"
#include "planted_bug.h"
#include "source_calls.h"
#include "source_copy.h"
#include "source_done.h"
#include "source_job.h"
#include "source_session.h"

enum { PROGRESS_INTERVAL_MS = 100 };

struct source_migration {
    struct haul_migration base;
    const struct haul_clock *clock;
    struct source_job job;
    struct source_copy copy;
    bool has_copy; /* not when a decided job is only resolved */
    struct source_calls calls;
    struct poll_group *group;
    struct control_channel *channel;
    struct source_session *session;
    uint64_t started_ns;
    uint64_t published_ns;
    uint64_t activity; /* of readers and links, as published */
    bool answered;     /* the channel was up */
    struct pinned_disk pinned;
    bool stops_for_disk;
    bool was_accepted;
    char loss_text[HAUL_ERROR_TEXT_BYTES_MAX]; /* as last logged */
    enum migration_request request;            /* what the session was told of */
    bool ended;
    uint64_t ended_ns;
    bool late_call_is_told;
};

static uint64_t now_ns(const struct source_migration *source)
{
    return clock_now_ns(source->clock);
}

/* Tell an operator what is waited for, once for each reason. */
static void note_loss(struct source_migration *source)
{
    const struct haul_error *loss = source_session_loss(source->session);
    if (source_session_state(source->session) != SOURCE_RETRYING ||
        strcmp(loss->text, source->loss_text) == 0) {
        return;
    }
    (void)snprintf(source->loss_text, sizeof(source->loss_text), "%s", loss->text);
    char line[HAUL_LOG_LINE_BYTES_MAX / 2];
    haul_error_format(loss, line, sizeof(line));
    haul_log(source->job.options.log, HAUL_LOG_WARNING, "%s; trying again for up to %u s", line,
             (source->job.options.retry_max_ms + 999) / 1000);
}

static void feed(struct source_migration *source, struct source_event *event)
{
    source_session_event(source->session, event, now_ns(source));
    note_loss(source);
}

static void feed_error(struct source_migration *source, enum source_event_type type,
                       const struct haul_error *error)
{
    struct source_event event = {.type = type, .error = *error};
    feed(source, &event);
}

/* --- actions ---------------------------------------------------------------------------------- */

static void send_message(struct source_migration *source, struct message *message)
{
    uint8_t *bytes = NULL;
    size_t size = 0;
    enum haul_status status = message_encode(message, &bytes, &size);
    if (status == HAUL_OK && source->channel != NULL) {
        status = control_channel_send(source->channel, (uint16_t)message->type, bytes, size);
    }
    if (status != HAUL_OK && status != HAUL_CLOSED) {
        struct haul_error error = {0};
        haul_error_set(&error, status, NULL, 0, "cannot send %s", message_name(message->type));
        feed_error(source, SOURCE_EVENT_FAILED, &error);
    }
    free(bytes);
    message_release(message);
}

static const struct link_address *address_of(const struct source_migration *source)
{
    return &source->job.addresses.items[source->job.addresses.at];
}

static enum haul_status connect_channel(struct source_migration *source, struct haul_error *error)
{
    struct link_config config = {.options = source->job.options.link,
                                 .clock = source->clock,
                                 .log = source->job.options.log};
    struct link_ticket ticket = {.version_min = 0};
    memcpy(ticket.session, source->base.result.job, LINK_SESSION_BYTES);
    enum haul_status status =
        control_channel_connect(address_of(source), &ticket, &config, &source->channel, error);
    if (status != HAUL_OK) {
        source->channel = NULL;
        return status;
    }
    return poll_group_add_control(source->group, source->channel);
}

/* To the first address of the target from which there is an answer, or may come one. */
static enum haul_status open_channel(struct source_migration *source, struct haul_error *error)
{
    enum haul_status status;
    do {
        status = connect_channel(source, error);
    } while (status != HAUL_OK && link_addresses_next(&source->job.addresses));
    return status;
}

static void close_channel(struct source_migration *source)
{
    if (source->channel != NULL) {
        poll_group_remove_control(source->group, source->channel);
        control_channel_destroy(source->channel);
        source->channel = NULL;
    }
    source->answered = false;
}

static void connect_again(struct source_migration *source)
{
    struct haul_error error = {0};
    enum haul_status status = source->has_copy ? source_copy_open(&source->copy, &error) : HAUL_OK;
    if (status == HAUL_OK) {
        status = open_channel(source, &error);
    }
    if (status != HAUL_OK) {
        error.status = status;
        feed_error(source, SOURCE_EVENT_CHANNEL_DOWN, &error);
    }
}

static void disconnect(struct source_migration *source)
{
    close_channel(source);
    if (source->has_copy) {
        source_copy_close(&source->copy);
    }
}

/* Once: later attempts of the job are told the same. */
static void report_options(struct source_migration *source)
{
    struct option_report report = {.items = NULL};
    if (source->base.options.total == 0) {
        option_report_take(&report, source_session_accepted(source->session));
        option_report_log(&report, source->job.options.log);
        migration_report_options(&source->base, &report);
    }
}

static void open_links(struct source_migration *source)
{
    const haul_control_Welcome *welcome = source_session_welcome(source->session);
    struct link_ticket ticket = {.version_min = 0};
    memcpy(ticket.session, welcome->session.bytes, LINK_SESSION_BYTES);
    memcpy(ticket.token, welcome->token.bytes, LINK_TOKEN_BYTES);
    source_copy_note_distance(&source->copy, control_channel_round_trip_us(source->channel));
    source_copy_note_compression(&source->copy, (welcome->compression & PAYLOAD_ZSTD) != 0);
    sender_links_open(&source->copy.links, &ticket, welcome->rdma_offered, welcome->rdma_refusal);
}

static void start_copy(struct source_migration *source)
{
    struct haul_error error = {0};
    if (source_copy_start(&source->copy, source_session_accepted(source->session), &error) !=
        HAUL_OK) {
        feed_error(source, SOURCE_EVENT_FAILED, &error);
    }
}

static void release(struct source_migration *source)
{
    const struct haul_hooks *hooks = &source->job.options.hooks;
    if (hooks->release != NULL) {
        hooks->release(hooks->context, source->job.plan.new_version);
    }
    source_calls_released(&source->calls);
}

static void perform(struct source_migration *source, struct source_action *action)
{
    switch (action->type) {
    case SOURCE_ACTION_SEND:
        send_message(source, &action->message);
        return;
    case SOURCE_ACTION_CONNECT:
        connect_again(source);
        return;
    case SOURCE_ACTION_DISCONNECT:
        disconnect(source);
        return;
    case SOURCE_ACTION_BIND:
        source_calls_bind(&source->calls, source_session_welcome(source->session));
        return;
    case SOURCE_ACTION_OPEN_LINKS: /* the plan is accepted: what it supersedes is gone there */
        source_calls_accepted(&source->calls);
        report_options(source);
        open_links(source);
        return;
    case SOURCE_ACTION_START_COPY:
        start_copy(source);
        return;
    case SOURCE_ACTION_ROUND:
        source_copy_round(&source->copy);
        return;
    case SOURCE_ACTION_FREEZE:
        source_copy_freeze(&source->copy, true);
        source_calls_freeze(&source->calls);
        return;
    case SOURCE_ACTION_UNFREEZE:
        if (source->has_copy) {
            source_copy_freeze(&source->copy, false);
        }
        source_calls_unfreeze(&source->calls);
        return;
    case SOURCE_ACTION_DIGEST:
        source_copy_digest(&source->copy);
        return;
    case SOURCE_ACTION_DECIDE:
        source_calls_decide(&source->calls, action->until_ns);
        return;
    case SOURCE_ACTION_RELEASE:
        release(source);
        return;
    case SOURCE_ACTION_STOP:
        if (source->has_copy) {
            source_copy_stop(&source->copy);
        }
        return;
    case SOURCE_ACTION_END:
        source->ended = true;
        source->ended_ns = now_ns(source);
        return;
    }
}

static bool perform_all(struct source_migration *source)
{
    struct source_action action;
    bool any = false;
    while (source_session_action(source->session, &action)) {
        perform(source, &action);
        any = true;
    }
    return any;
}

/* --- the loop --------------------------------------------------------------------------------- */

static void on_control_message(struct source_migration *source, const struct control_event *event)
{
    struct message message;
    struct haul_error error = {0};
    if (message_decode(event->message_type, event->body, &message, &error) != HAUL_OK) {
        feed_error(source, SOURCE_EVENT_FAILED, &error);
        return;
    }
    if (message.type == MESSAGE_WELCOME) {
        source->was_accepted = true;
        control_channel_note_peer_timeout(source->channel, message.as.welcome.peer_timeout_ms);
    }
    if (message.type == MESSAGE_LINK && source->has_copy) {
        sender_links_describe(&source->copy.links, &message.as.link);
    } else {
        struct source_event session_event = {.type = SOURCE_EVENT_MESSAGE, .message = &message};
        feed(source, &session_event);
    }
    message_release(&message);
}

/* A host may have addresses on which nobody listens. */
static void on_channel_down(struct source_migration *source, struct haul_error *error)
{
    bool answered = source->answered;
    close_channel(source);
    if (!answered && link_addresses_next(&source->job.addresses) &&
        open_channel(source, error) == HAUL_OK) {
        return;
    }
    feed_error(source, SOURCE_EVENT_CHANNEL_DOWN, error);
}

static bool poll_channel(struct source_migration *source)
{
    struct control_event event;
    bool any = false;
    while (source->channel != NULL && control_channel_poll(source->channel, &event)) {
        any = true;
        if (event.type == CONTROL_CONNECTED) {
            control_channel_trust(source->channel);
            link_addresses_found(&source->job.addresses);
            source->copy.links.options.address = *address_of(source);
            source->answered = true;
            struct link_address local;
            control_channel_local(source->channel, &local);
            migration_place_near(&source->base, &local, source->job.options.log);
            struct source_event up = {.type = SOURCE_EVENT_CHANNEL_UP};
            feed(source, &up);
        } else if (event.type == CONTROL_MESSAGE) {
            on_control_message(source, &event);
        } else {
            on_channel_down(source, &event.error);
        }
        (void)perform_all(source);
    }
    return any;
}

static bool poll_copy(struct source_migration *source)
{
    if (!source->has_copy) {
        return false;
    }
    bool metadata = source_session_progress(source->session)->metadata_complete;
    bool any = source_copy_poll(&source->copy, metadata);
    struct message message;
    while (sender_links_next_message(&source->copy.links, &message)) {
        send_message(source, &message);
        any = true;
    }
    struct source_event event;
    while (source_copy_event(&source->copy, &event)) {
        if (event.type == SOURCE_EVENT_LINKS_DOWN) {
            (void)poll_channel(source); /* what the target said before is the reason */
        }
        feed(source, &event);
        (void)perform_all(source);
        any = true;
    }
    return any;
}

static bool poll_calls(struct source_migration *source)
{
    struct source_event event;
    enum source_calls_news news;
    bool any = false;
    while ((news = source_calls_next(&source->calls, &event)) != SOURCE_CALLS_NOTHING) {
        if (news == SOURCE_CALLS_EVENT) {
            feed(source, &event);
        }
        (void)perform_all(source);
        any = true;
    }
    return any;
}

/* The target has taken the job on: something may have arrived, and there is a job to go on with. */
static bool may_have_arrived(const struct source_migration *source)
{
    return source->was_accepted || source->job.record.continued;
}

static void explain_stop(const struct source_migration *source, struct haul_error *error)
{
    if (source->job.options.resolve) {
        haul_error_set(error, HAUL_STOPPED, NULL, 0, "stopped");
        haul_error_hint(error, "the same command asks again");
    } else if (may_have_arrived(source)) {
        haul_error_set(error, HAUL_STOPPED, NULL, 0, "stopped; the target keeps what has arrived");
    } else {
        haul_error_set(error, HAUL_STOPPED, NULL, 0, "stopped before anything was sent");
        haul_error_hint(error, "the same command begins anew");
    }
}

static void check_request(struct source_migration *source)
{
    if (poll_group_take_ready(source->group, source->base.request_fd)) {
        migration_drain_request(&source->base);
    }
    enum migration_request request = migration_requested(&source->base);
    if (request == source->request) {
        return;
    }
    source->request = request;
    struct source_event event = {.type = request == MIGRATION_STOPS ? SOURCE_EVENT_STOP
                                                                    : SOURCE_EVENT_CANCEL};
    if (request == MIGRATION_STOPS) {
        explain_stop(source, &event.error);
    } else {
        haul_error_set(&event.error, HAUL_CANCELLED, NULL, 0, "cancelled by the operator");
    }
    feed(source, &event);
}

static bool poll_session(struct source_migration *source)
{
    check_request(source);
    struct source_event tick = {.type = SOURCE_EVENT_TICK, .activity = source->activity};
    feed(source, &tick);
    return perform_all(source);
}

static uint64_t next_deadline(const struct source_migration *source)
{
    uint64_t deadline = clock_deadline_ns(source->clock, PROGRESS_INTERVAL_MS);
    uint64_t session = source_session_deadline_ns(source->session);
    deadline = session < deadline ? session : deadline;
    if (source->has_copy) {
        uint64_t rate = sender_links_deadline_ns(&source->copy.links);
        deadline = rate < deadline ? rate : deadline;
    }
    return deadline;
}

/* --- reporting -------------------------------------------------------------------------------- */

static void fill_progress(struct source_migration *source, struct haul_progress *progress)
{
    struct source_session_figures figures;
    struct haul_link_stats stats = {0};
    source_session_figures(source->session, &figures);
    if (source->has_copy) {
        sender_links_stats(&source->copy.links, &stats);
    }
    *progress = (struct haul_progress){
        .phase = source_state_phase(source_session_state(source->session)),
        .transport = source->copy.links.transport,
        .records = source->copy.links.submitted_records,
        .bytes = source->copy.links.submitted_bytes,
        .bytes_expected = source->job.bytes_expected,
        .wire_bytes = stats.bytes_sent,
        .lag_bytes = source->has_copy ? source_copy_lag_bytes(&source->copy) : figures.lag_bytes,
        .durable_records = source_session_progress(source->session)->durable_records,
        .durable_bytes = source_session_progress(source->session)->durable_bytes,
        .pinned_log_bytes = source->pinned.log_bytes,
        .pinned_table_bytes = source->pinned.table_bytes,
        .rounds = figures.rounds,
        .seconds = (double)(now_ns(source) - source->started_ns) / (double)NS_PER_S,
    };
}

/* A source whose disk is filled by its own log serves nobody. */
static void check_pinned(struct source_migration *source)
{
    if (source->copy.frozen) {
        return;
    }
    source->pinned.bytes_max = source->job.options.pinned_bytes_max;
    pinned_disk_measure(&source->pinned, source->job.options.store, source->clock);
    if (!pinned_disk_is_over(&source->pinned) || source->stops_for_disk ||
        source_session_is_decided(source->session)) {
        return;
    }
    source->stops_for_disk = true;
    struct source_event event = {.type = SOURCE_EVENT_STOP};
    pinned_disk_explain(&source->pinned, &event.error);
    feed(source, &event);
}

static void publish(struct source_migration *source)
{
    uint64_t now = now_ns(source);
    if (now - source->published_ns >= (uint64_t)PROGRESS_INTERVAL_MS * NS_PER_MS) {
        source->published_ns = now;
        source->activity = source->has_copy ? source_copy_activity(&source->copy) : 0;
        check_pinned(source);
        struct haul_progress progress;
        fill_progress(source, &progress);
        migration_publish(&source->base, &progress);
    }
}

static void fill_families(struct source_migration *source, struct haul_result *result)
{
    result->family_count = source->job.plan.family_count;
    for (size_t i = 0; i < source->job.plan.family_count; i++) {
        const struct digest none = {0};
        const struct digest *digest = source->has_copy ? &source->copy.family_digests[i] : &none;
        struct haul_family_result *family = &result->families[i];
        (void)snprintf(family->name, sizeof(family->name), "%s",
                       source->job.plan.families[i].family.name);
        family->records = digest->count;
        family->bytes = digest->bytes;
        digest_format(digest, family->digest);
    }
    if (result->status == HAUL_OK && source->has_copy) {
        struct digest total = source_copy_total(&source->copy);
        result->progress.bytes = total.bytes;
        result->progress.records = total.count;
    }
}

/* This database was set back, and what was written to it since then is nowhere else; or the target
 * says what it has seen. */
static void note_warning(struct source_migration *source, const char *theirs,
                         struct haul_result *result)
{
    bool ends_well = result->status == HAUL_OK;
    bool yielded = source->job.record.yielded;
    result->yielded_count = ends_well && (yielded || source->job.record.answered) ? 1 : 0;
    const char *warning =
        yielded
            ? "this database was set back to before it gave the ranges away: what was written here "
              "since is not at the receiver; compare with `haul verify --to` before `haul drop`"
        : source->job.record.has_lost ? SOURCE_DONE_LOST /* which was logged */
                                      : theirs;
    if (ends_well && warning[0] != '\0') {
        (void)snprintf(result->warning, sizeof(result->warning), "%s", warning);
    }
    if (result->warning[0] != '\0' && !source->job.record.has_lost) {
        haul_log(source->job.options.log, HAUL_LOG_WARNING, "%s", warning);
    }
}

/* `resolve` may have come to another job than it began with, or to none: one that is done was named
 * only to ask what the target waits for. */
static void note_job(const struct source_record *record, struct haul_result *result)
{
    bool none = record->answers && !record->answered && result->status != HAUL_OK;
    memcpy(result->job, record->job, HAUL_JOB_BYTES);
    if (none) {
        memset(result->job, 0, HAUL_JOB_BYTES);
    }
}

static void fill_result(struct source_migration *source)
{
    struct haul_result *result = &source->base.result;
    struct source_session_figures figures;
    source_session_figures(source->session, &figures);
    result->error = *source_session_outcome(source->session);
    result->status = result->error.status;
    fill_progress(source, &result->progress);
    if (source->has_copy) {
        sender_links_stats(&source->copy.links, &result->link);
    }
    bool asked_in_vain = source->job.options.resolve && result->status != HAUL_OK;
    result->verified = figures.verified && !source->job.record.yielded && !asked_in_vain;
    result->lag_bytes_at_freeze = figures.lag_bytes_at_freeze;
    result->old_version = source->job.plan.old_version;
    result->new_version = source->job.plan.new_version;
    const struct source_record *record = &source->job.record;
    note_job(record, result);
    result->told_count = record->only_tells && result->status == HAUL_OK
                             ? (uint32_t)record->earlier.told_count + record->came_back
                             : 0;
    note_warning(source, figures.warning, result);
    result->lane = (enum haul_lane)source_session_accepted(source->session)->lane;
    result->retries = figures.retries;
    result->crc_errors = figures.crc_errors;
    result->link.crc_errors = figures.crc_errors;
    result->link_count = source->has_copy ? source->copy.links.active_count : 0;
    result->resumed = figures.retries > 0 || source->job.record.continued;
    if (figures.freeze_ended_ns > figures.freeze_started_ns) {
        result->write_pause_ms =
            (double)(figures.freeze_ended_ns - figures.freeze_started_ns) / NS_PER_MS;
    }
    (void)snprintf(result->fallback_reason, sizeof(result->fallback_reason), "%s",
                   source->copy.links.fallback_reason);
    fill_families(source, result);
}

/* Writers are not left frozen: the unfreeze of a freeze that still runs comes behind it. And what
 * is being written is not left either. */
static bool is_over(const struct source_migration *source)
{
    return source->ended && source_calls_waited_for(&source->calls) == NULL;
}

enum { LATE_CALL_MS = 1000 };

/* An embedder that never returns from its hook, or a disk that hangs: a job that seems to hang. */
static void tell_late_call(struct source_migration *source)
{
    bool late = source->ended && !is_over(source) &&
                now_ns(source) - source->ended_ns >= (uint64_t)LATE_CALL_MS * NS_PER_MS;
    if (late && !source->late_call_is_told) {
        source->late_call_is_told = true;
        haul_log(source->job.options.log, HAUL_LOG_WARNING,
                 "the job has ended, and only waits for %s",
                 source_calls_waited_for(&source->calls));
    }
}

static void run_source(struct haul_migration *migration)
{
    struct source_migration *source = (struct source_migration *)migration;
    if (source->job.options.resolve && !source->job.record.only_tells) {
        release(source); /* the process that decided may not have come so far */
    }
    while (!is_over(source)) {
        bool any = poll_channel(source);
        any = poll_copy(source) || any;
        any = poll_calls(source) || any;
        any = poll_session(source) || any;
        publish(source);
        tell_late_call(source);
        (void)poll_group_wait(source->group, any || is_over(source), next_deadline(source));
    }
    fill_result(source);
    /* Calls that still wait are run by this; then the records are ours. */
    poll_group_remove_fd(source->group, call_worker_fd(source->calls.worker));
    source_calls_destroy(&source->calls);
    struct source_session_figures figures;
    source_session_figures(source->session, &figures);
    struct source_ending ending = {.outcome = &source->base.result.error,
                                   .was_accepted = may_have_arrived(source),
                                   .kept = figures.kept,
                                   .peer_knows = figures.peer_knows,
                                   .owned_job = figures.was_owned ? figures.owned_job : NULL,
                                   .lost = &figures.lost};
    source_record_end(&source->job.record, &ending);
    source->base.result.status = source->base.result.error.status;
}

/* --- setting up ------------------------------------------------------------------------------- */

static void destroy_source(struct haul_migration *migration)
{
    struct source_migration *source = (struct source_migration *)migration;
    if (source->calls.worker != NULL) {
        poll_group_remove_fd(source->group, call_worker_fd(source->calls.worker));
        source_calls_destroy(&source->calls);
    }
    if (source->has_copy) {
        source_copy_fini(&source->copy);
    }
    close_channel(source);
    source_session_destroy(source->session);
    poll_group_destroy(source->group);
    source_job_fini(&source->job);
    migration_fini(&source->base);
    free(source);
}

static enum haul_status create_copy(struct source_migration *source, struct haul_error *error)
{
    struct source_job *job = &source->job;
    struct source_copy_options copy = {.store = job->options.store,
                                       .source = &job->options,
                                       .plan = &job->plan,
                                       .snapshot = job->snapshot,
                                       .snapshot_sequence = job->snapshot_sequence,
                                       .log_sequence = job->log_sequence,
                                       /* Continued: none may have come since the database was
                                        * opened, for the job's first view is older. */
                                       .foreign_ingests =
                                           job->record.continued ? 0 : job->foreign_ingests,
                                       .adopted = job->record.continued,
                                       .epoch = job->record.epoch,
                                       .address = job->addresses.items[0],
                                       .chooses_links = job->chooses_links,
                                       .chooses_readers = job->chooses_readers,
                                       .clock = source->clock,
                                       .group = source->group};
    source->has_copy = true;
    return source_copy_init(&source->copy, &copy, error);
}

static enum haul_status create_session(struct source_migration *source, struct haul_error *error)
{
    struct source_session_options options = {
        .plan = &source->job.plan,
        .source = source->job.options,
        .epoch = source->job.record.epoch,
        .identity = source->job.identity,
        .version = source->job.version,
        .peer_timeout_ms = source->job.options.link.peer_timeout_ms,
        .retry_max_ms = source->job.options.retry_max_ms,
        .moved_records = source->job.record.moved.count,
        .moved_bytes = source->job.record.moved.bytes,
        .frozen_sequence = source_done_frozen_at(&source->job.record),
        .continued = source->job.record.continued,
        .decided = source->job.options.resolve && !source->job.record.only_tells,
        .only_tells = source->job.record.only_tells,
        .asks = source->job.record.asks,
    };
    memcpy(options.job, source->job.record.job, HAUL_JOB_BYTES);
    memcpy(source->base.result.job, source->job.record.job, HAUL_JOB_BYTES);
    enum haul_status status = source_session_create(&options, &source->session);
    return status == HAUL_OK ? status
                             : haul_error_set(error, status, NULL, 0, "no memory for the session");
}

static enum haul_status create_loop(struct source_migration *source, struct haul_error *error)
{
    enum haul_status status =
        poll_group_create(link_spin_us(&source->job.options.link), source->clock, &source->group);
    if (status != HAUL_OK) {
        return haul_error_set(error, status, NULL, 0, "cannot create the loop");
    }
    status = poll_group_add_fd(source->group, source->base.request_fd);
    if (status == HAUL_OK) {
        status =
            source_calls_create(&source->calls, &source->job, &source->copy, source->clock, error);
    }
    return status == HAUL_OK
               ? poll_group_add_fd(source->group, call_worker_fd(source->calls.worker))
               : status;
}

static enum haul_status set_up(struct source_migration *source,
                               const struct haul_source_options *options, struct haul_error *error)
{
    enum haul_status status = source_job_init(&source->job, options, error);
    if (status == HAUL_OK) {
        status = migration_init(&source->base, error);
    }
    if (status == HAUL_OK) {
        status = create_loop(source, error);
    }
    if (status == HAUL_OK) {
        status = source_job_begin(&source->job, error);
    }
    if (status == HAUL_OK && !options->resolve) {
        status = create_copy(source, error);
    }
    if (status == HAUL_OK) {
        status = create_session(source, error);
    }
    if (status == HAUL_OK) {
        status = open_channel(source, error);
    }
    if (status != HAUL_OK) {
        struct haul_error outcome = *error;
        outcome.status = status;
        struct source_ending ending = {.outcome = &outcome,
                                       .was_accepted = source->job.record.continued};
        source_record_end(&source->job.record, &ending);
    }
    return status;
}

enum haul_status haul_source_start(const struct haul_source_options *options,
                                   struct haul_migration **migration, struct haul_error *error)
{
    struct source_migration *source = calloc(1, sizeof(*source));
    if (source == NULL) {
        return haul_error_set(error, HAUL_NO_MEMORY, "calloc", 0, "no memory for a migration");
    }
    source->base.run = run_source;
    source->base.destroy = destroy_source;
    source->base.cpu_list = options->cpu_list;
    source->clock = &clock_monotonic;
    source->started_ns = now_ns(source);
    enum haul_status status = set_up(source, options, error);
    if (status == HAUL_OK) {
        status = migration_start(&source->base, error);
    }
    if (status != HAUL_OK) {
        destroy_source(&source->base);
        return status;
    }
    *migration = &source->base;
    return HAUL_OK;
}
