/* SPDX-License-Identifier: Apache-2.0 */
/* target_job.c — performs what the target's session asks for.
 *
 *   loop: control channel <-> target_session <-> actions; slow calls go to the call worker */
#include "target_job.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control_channel.h"
#include "migration_thread.h"
#include "target_answer.h"
#include "target_calls.h"
#include "target_copy.h"
#include "target_done.h"
#include "target_session.h"

struct target_job {
    struct target_job_options options;
    struct control_channel *channel; /* NULL: lost */
    struct link_address local;
    struct target_session *session;
    struct target_copy copy;
    struct target_calls calls;
    bool prepared_waits; /* PREPARED comes when the positions are recorded */
    bool keeping;        /* KEPT comes when all is flushed, and the positions are recorded */
    bool was_known;      /* the records had the job before */
    uint64_t looked_ns;  /* when the next two were looked at */
    uint64_t activity;   /* of links, appliers and calls */
    bool idle;           /* all that came is applied */
    uint64_t damaged_blocks;
    bool damage_noted; /* where the source is told of it when it comes back */
    bool ended;
    uint64_t words_until_ns; /* ended: the last words are waited for until then */
    struct message accepted;
    uint8_t token[LINK_TOKEN_BYTES];
    uint8_t session_id[LINK_SESSION_BYTES];
};

static uint64_t now_ns(const struct target_job *job)
{
    return clock_now_ns(job->options.clock);
}

static void feed(struct target_job *job, struct target_event *event)
{
    target_session_event(job->session, event, now_ns(job));
    target_calls_end_stale(&job->calls);
}

static void feed_error(struct target_job *job, enum target_event_type type,
                       const struct haul_error *error)
{
    struct target_event event = {.type = type, .error = *error};
    feed(job, &event);
}

/* An attempt counts once, and not at all when nothing of it has arrived. */
static void note_damage(struct target_job *job)
{
    struct target_slot *slot = job->options.slot;
    if (slot->holder == job && !job->damage_noted) {
        target_damages_add(&slot->damages, target_session_hello(job->session)->job.bytes);
        job->damage_noted = true;
    }
}

/* A bit was turned over on its way: the source sends the block again. */
static void feed_damaged(struct target_job *job, const struct haul_error *error)
{
    job->damaged_blocks++;
    note_damage(job);
    feed_error(job, TARGET_EVENT_DAMAGED, error);
}

/* --- the job's records ------------------------------------------------------------------------ */

static void on_looked_up(struct target_job *job, const struct haul_error *error)
{
    job->copy.links.config.epoch = job->calls.record.epoch;
    job->was_known = job->calls.record.phase != JOB_UNKNOWN;
    memcpy(job->options.identity, job->calls.record.name, HAUL_IDENTITY_BYTES_MAX);
    struct target_event event = {.type = TARGET_EVENT_LOOKED_UP,
                                 .error = *error,
                                 .phase = job->calls.record.phase,
                                 .returned = job->calls.record.returned,
                                 .new_version = job->calls.prepared_version,
                                 .epoch = job->calls.record.epoch,
                                 .identity = job->calls.record.name,
                                 .version = job->calls.version};
    target_done_tell(&job->calls.record, &event);
    feed(job, &event);
}

/* --- plan ------------------------------------------------------------------------------------- */

static void on_checked(struct target_job *job, const struct haul_error *error)
{
    if (error->status == HAUL_OK) {
        target_copy_count_finished(&job->copy);
    }
    struct target_event event = {.type = TARGET_EVENT_CHECKED,
                                 .error = *error,
                                 .accepted = &job->accepted,
                                 .plan = &job->calls.record.plan};
    target_done_explain(&job->calls.record, &event);
    if (error->status == HAUL_OK &&
        target_answer_accepted(&job->calls.record, &job->accepted) != HAUL_OK) {
        haul_error_set(&event.error, HAUL_NO_MEMORY, NULL, 0, "no memory for the job");
    }
    if (event.error.status == HAUL_OK) {
        option_report_put(&job->calls.differences, &job->accepted.as.plan_accepted);
        job->accepted.as.plan_accepted.damaged_attempts = target_damages_of(
            &job->options.slot->damages, target_session_hello(job->session)->job.bytes);
    }
    feed(job, &event);
}

static void start_copy(struct target_job *job)
{
    struct haul_error error = {0};
    const haul_control_Hello *hello = target_session_hello(job->session);
    enum haul_status status = target_copy_start(&job->copy, hello->job.bytes, now_ns(job), &error);
    if (status != HAUL_OK) {
        error.status = status;
        feed_error(job, TARGET_EVENT_FAILED, &error);
    }
}

/* --- positions -------------------------------------------------------------------------------- */

/* One call at a time; what becomes durable meanwhile goes with the next. */
static void record_positions(struct target_job *job)
{
    if (position_queue_take(&job->copy.positions)) {
        target_calls_submit(&job->calls, TARGET_CALL_POSITIONS);
    }
}

static void check_kept(struct target_job *job)
{
    if (job->keeping && job->copy.flushes_missing == 0 &&
        !position_queue_is_busy(&job->copy.positions)) {
        job->keeping = false;
        target_copy_leave(&job->copy, &job->options.slot->left);
        struct target_event event = {.type = TARGET_EVENT_KEPT};
        feed(job, &event);
    }
}

/* Everything that the appliers have, as far as it is whole. */
static void keep(struct target_job *job)
{
    job->keeping = true;
    if (job->copy.flushes_missing == 0) {
        target_copy_flush(&job->copy);
    }
}

/* PREPARED stands behind every position that it relies on. */
static void record_prepared(struct target_job *job)
{
    /* This receiver has had the database open since, whoever commits. */
    memcpy(job->options.slot->left.job, job->calls.record.job, HAUL_JOB_BYTES);
    record_positions(job);
    job->prepared_waits = position_queue_is_busy(&job->copy.positions);
    if (!job->prepared_waits) {
        target_calls_submit(&job->calls, TARGET_CALL_RECORD);
    }
}

static void on_positions_recorded(struct target_job *job, const struct haul_error *error)
{
    target_copy_recorded(&job->copy);
    if (error->status != HAUL_OK) {
        feed_error(job, TARGET_EVENT_FAILED, error);
    } else if (!job->copy.started) {
        return; /* stopped: the records may be cleared by now */
    } else if (job->prepared_waits) {
        record_prepared(job);
    } else {
        record_positions(job);
        check_kept(job);
    }
}

/* --- news of the appliers --------------------------------------------------------------------- */

static void report_digests(struct target_job *job)
{
    bool quiet = target_copy_is_quiet(&job->copy, target_session_prepare(job->session));
    struct target_event event = {.type = TARGET_EVENT_FLUSHED,
                                 .digests = quiet ? job->copy.digests : NULL};
    feed(job, &event);
}

static void on_flushed(struct target_job *job)
{
    if (job->keeping) {
        check_kept(job);
    } else if (!target_copy_is_quiet(&job->copy, target_session_prepare(job->session)) ||
               target_copy_take_digests(&job->copy, target_session_prepare(job->session))) {
        report_digests(job);
    } else {
        target_calls_submit(&job->calls, TARGET_CALL_DIGEST);
    }
}

static void on_news(struct target_job *job, enum target_copy_news news,
                    const struct haul_error *error)
{
    struct target_event applied = {.type = TARGET_EVENT_APPLIED,
                                   .delta_batches = job->copy.delta_batches};
    switch (news) {
    case TARGET_COPY_NOTHING:
    case TARGET_COPY_WORKED:
        return;
    case TARGET_COPY_DELTA:
        feed(job, &applied);
        return;
    case TARGET_COPY_DURABLE:
        record_positions(job);
        return;
    case TARGET_COPY_FLUSHED:
        on_flushed(job);
        return;
    case TARGET_COPY_FAILED:
        if (error->status == HAUL_CORRUPT && target_copy_crc_errors(&job->copy) > 0) {
            feed_damaged(job, error);
        } else {
            feed_error(job, TARGET_EVENT_FAILED, error);
        }
        return;
    }
}

/* --- the slot --------------------------------------------------------------------------------- */

static bool is_slot_free(const struct target_job *job)
{
    const struct target_job *holder = job->options.slot->holder;
    return holder == NULL || holder == job;
}

static bool take_slot(struct target_job *job)
{
    if (is_slot_free(job)) {
        job->options.slot->holder = job;
    }
    return job->options.slot->holder == job;
}

static void set_busy(struct haul_error *error)
{
    haul_error_set(error, HAUL_BUSY, NULL, 0, "another job runs on this receiver");
    haul_error_hint(error, "try again when it has ended, or raise --retry");
}

/* A call that changes something, or reads the records: `otherwise` is fed when another job runs. */
static void submit_or_refuse(struct target_job *job, enum target_call number, bool may,
                             enum target_event_type otherwise)
{
    if (may) {
        target_calls_submit(&job->calls, number);
        return;
    }
    struct haul_error error = {0};
    set_busy(&error);
    feed_error(job, otherwise, &error);
}

static void take_plan(struct target_job *job, const struct message *message)
{
    struct haul_error error = {0};
    error.status = plan_from_message(&job->calls.incoming_plan, message, &error);
    if (error.status == HAUL_OK) {
        error.status = target_done_note_plan(&job->calls.record, &message->as.plan, &error);
    }
    if (error.status != HAUL_OK) {
        plan_fini(&job->calls.incoming_plan);
        feed_error(job, TARGET_EVENT_CHECKED, &error);
        return;
    }
    bool may = take_slot(job);
    if (may) {
        job->calls.record.left = job->options.slot->left;
        job->options.slot->left.known = false;
    }
    submit_or_refuse(job, TARGET_CALL_CHECK, may, TARGET_EVENT_CHECKED);
}

/* --- messages --------------------------------------------------------------------------------- */

static void send_message(struct target_job *job, struct message *message)
{
    uint8_t *bytes = NULL;
    size_t size = 0;
    enum haul_status status = message_encode(message, &bytes, &size);
    if (status == HAUL_OK && job->channel != NULL) {
        status = control_channel_send(job->channel, (uint16_t)message->type, bytes, size);
    }
    if (status != HAUL_OK && status != HAUL_CLOSED) {
        struct haul_error error = {0};
        haul_error_set(&error, status, NULL, 0, "cannot send %s", message_name(message->type));
        feed_error(job, TARGET_EVENT_FAILED, &error);
    }
    free(bytes);
    message_release(message);
}

/* --- comparing -------------------------------------------------------------------------------- */

/* The next read, when none is under way. */
static void verify_on(struct target_job *job)
{
    bool compares = target_session_state(job->session) == TARGET_VERIFYING;
    bool reads = job->calls.calls[TARGET_CALL_VERIFY].under_way;
    if (compares && !reads && target_verify_begin(&job->calls.verify)) {
        target_calls_submit(&job->calls, TARGET_CALL_VERIFY);
    }
}

static void take_verify(struct target_job *job, const struct message *message)
{
    struct haul_error error = {0};
    if (!is_slot_free(job)) {
        target_job_refuse_busy(job);
    } else if (target_verify_take(&job->calls.verify, message, &error) != HAUL_OK) {
        feed_error(job, TARGET_EVENT_FAILED, &error);
    } else {
        verify_on(job);
    }
}

static void on_verify_read(struct target_job *job, const struct haul_error *error)
{
    struct message answer;
    if (error->status != HAUL_OK) {
        feed_error(job, TARGET_EVENT_FAILED, error);
    } else if (target_verify_answer(&job->calls.verify, &answer)) {
        send_message(job, &answer);
    }
    verify_on(job);
}

/* --- actions ---------------------------------------------------------------------------------- */

static void perform(struct target_job *job, struct target_action *action)
{
    switch (action->type) {
    case TARGET_ACTION_SEND:
        send_message(job, &action->message);
        return;
    case TARGET_ACTION_VERIFY:
        take_verify(job, &action->message);
        return;
    case TARGET_ACTION_LOOK_UP:
        submit_or_refuse(job, TARGET_CALL_LOOK_UP, is_slot_free(job), TARGET_EVENT_LOOKED_UP);
        return;
    case TARGET_ACTION_CHECK:
        take_plan(job, &action->message);
        return;
    case TARGET_ACTION_START:
        start_copy(job);
        return;
    case TARGET_ACTION_FLUSH:
        target_copy_flush(&job->copy);
        return;
    case TARGET_ACTION_RECORD:
        record_prepared(job);
        return;
    case TARGET_ACTION_OWN:
        job->calls.record.left = job->options.slot->left;
        target_done_note(&job->calls.record, &action->message);
        submit_or_refuse(job, TARGET_CALL_OWN, take_slot(job), TARGET_EVENT_OWNED);
        return;
    case TARGET_ACTION_KEEP:
        keep(job);
        return;
    case TARGET_ACTION_STOP:
        if (target_copy_stop(&job->copy)) {
            target_calls_submit(&job->calls, TARGET_CALL_STOP);
        }
        return;
    case TARGET_ACTION_CLEAR:
        submit_or_refuse(job, TARGET_CALL_CLEAR, take_slot(job), TARGET_EVENT_CLEARED);
        return;
    case TARGET_ACTION_END:
        job->ended = true;
        job->words_until_ns =
            clock_deadline_ns(job->options.clock, job->options.target->link.peer_timeout_ms);
        return;
    }
}

/* Before the next event: an action may borrow what the event brought. */
static void perform_all(struct target_job *job)
{
    struct target_action action;
    while (target_session_action(job->session, &action)) {
        perform(job, &action);
    }
}

/* --- polling ---------------------------------------------------------------------------------- */

static void on_control_message(struct target_job *job, const struct control_event *event)
{
    struct message message;
    struct haul_error error = {0};
    if (message_decode(event->message_type, event->body, &message, &error) != HAUL_OK) {
        feed_error(job, TARGET_EVENT_FAILED, &error);
        return;
    }
    if (message.type == MESSAGE_HELLO) {
        control_channel_trust(job->channel);
        control_channel_note_peer_timeout(job->channel, message.as.hello.peer_timeout_ms);
    }
    if (message.type == MESSAGE_ABORT && !target_job_has_calls(job) &&
        target_record_note_over(&job->calls.record, message_slice(message.as.abort.jobs), &error) !=
            HAUL_OK) {
        feed_error(job, TARGET_EVENT_FAILED, &error);
    } else if (message.type == MESSAGE_LINK) {
        receiver_links_describe(&job->copy.links, &message.as.link);
    } else {
        struct target_event session_event = {.type = TARGET_EVENT_MESSAGE, .message = &message};
        target_calls_note_stop(&job->calls, &message);
        feed(job, &session_event);
        perform_all(job);
    }
    message_release(&message);
}

static bool poll_channel(struct target_job *job)
{
    struct control_event event;
    bool any = false;
    while (job->channel != NULL && control_channel_poll(job->channel, &event)) {
        any = true;
        if (event.type == CONTROL_MESSAGE) {
            on_control_message(job, &event);
        } else if (event.type == CONTROL_CLOSED) {
            poll_group_remove_control(job->options.group, job->channel);
            control_channel_destroy(job->channel);
            job->channel = NULL;
            if (event.error.status == HAUL_CORRUPT) {
                note_damage(job);
            }
            feed_error(job, TARGET_EVENT_CHANNEL_DOWN, &event.error);
        }
    }
    return any;
}

static bool poll_links(struct target_job *job)
{
    struct haul_error failed = {0};
    bool any = target_copy_poll_links(&job->copy, &failed);
    bool violated = failed.status == HAUL_PROTOCOL || failed.status == HAUL_FENCED ||
                    failed.status == HAUL_VERSION;
    if (failed.status == HAUL_CORRUPT && job->copy.started) {
        feed_damaged(job, &failed);
    } else if (violated && job->copy.started) {
        feed_error(job, TARGET_EVENT_FAILED, &failed);
    } else if (failed.status != HAUL_OK) {
        /* The source notices, too, and comes back or gives up. */
        haul_log(job->options.target->log, HAUL_LOG_WARNING, "a data link broke: %s", failed.text);
    }
    struct message message;
    while (receiver_links_next_message(&job->copy.links, &message)) {
        send_message(job, &message);
        any = true;
    }
    return any;
}

static void on_owned(struct target_job *job, const struct haul_error *error)
{
    struct target_event event = {.type = TARGET_EVENT_OWNED, .error = *error};
    event.refused = job->calls.record.refused;
    event.warning = job->calls.record.warning;
    feed(job, &event);
}

static void on_stopped(struct target_job *job, const struct haul_error *error)
{
    (void)error;
    target_copy_stopped(&job->copy);
}

void target_job_returned(const struct call *call)
{
    struct target_job *job = target_calls_job(call);
    static const enum target_event_type events[TARGET_CALL_COUNT] = {
        [TARGET_CALL_CLEAR] = TARGET_EVENT_CLEARED,
        [TARGET_CALL_RECORD] = TARGET_EVENT_RECORDED,
        [TARGET_CALL_DIGEST] = TARGET_EVENT_FAILED,
    };
    static void (*const on[TARGET_CALL_COUNT])(struct target_job *, const struct haul_error *) = {
        [TARGET_CALL_CHECK] = on_checked,      [TARGET_CALL_OWN] = on_owned,
        [TARGET_CALL_LOOK_UP] = on_looked_up,  [TARGET_CALL_POSITIONS] = on_positions_recorded,
        [TARGET_CALL_VERIFY] = on_verify_read, [TARGET_CALL_STOP] = on_stopped};
    enum target_call number = target_calls_number(&job->calls, call);
    if (on[number] != NULL) {
        on[number](job, &call->error);
    } else if (number == TARGET_CALL_DIGEST && call->error.status == HAUL_OK) {
        report_digests(job);
    } else if (number != TARGET_CALL_NOTE_LOST) { /* which nobody waits for */
        struct target_event event = {.type = events[number],
                                     .error = call->error,
                                     .owned_job = target_record_owned_job(&job->calls.record)};
        feed(job, &event);
    }
    perform_all(job);
}

static bool poll_appliers(struct target_job *job)
{
    struct haul_error error = {0};
    enum target_copy_news news;
    bool any = false;
    while ((news = target_copy_next(&job->copy, &error)) != TARGET_COPY_NOTHING) {
        on_news(job, news, &error);
        perform_all(job);
        any = true;
    }
    return any;
}

/* Not with each turn of the loop: a deadline of seconds is all that depends on it. */
static void note_activity(struct target_job *job)
{
    enum { INTERVAL_MS = 10 };
    uint64_t now = now_ns(job);
    if (now - job->looked_ns < (uint64_t)INTERVAL_MS * NS_PER_MS) {
        return;
    }
    job->looked_ns = now;
    job->activity =
        target_copy_activity(&job->copy, &job->idle) + target_calls_activity(&job->calls);
}

bool target_job_poll(struct target_job *job)
{
    struct haul_error full = {0};
    if (target_session_state(job->session) == TARGET_RECEIVING &&
        target_copy_check_space(&job->copy, now_ns(job), &full) != HAUL_OK) {
        feed_error(job, TARGET_EVENT_STOP, &full);
    }
    bool any = poll_channel(job);
    any = poll_links(job) || any;
    any = poll_appliers(job) || any;
    note_activity(job);
    struct target_event tick = {
        .type = TARGET_EVENT_TICK, .activity = job->activity, .idle = job->idle};
    feed(job, &tick);
    perform_all(job);
    struct message progress;
    if (target_copy_progress(&job->copy, now_ns(job), &progress)) {
        send_message(job, &progress);
    }
    return any;
}

uint64_t target_job_deadline_ns(const struct target_job *job)
{
    uint64_t deadline = target_session_deadline_ns(job->session);
    uint64_t progress = target_copy_progress_ns(&job->copy);
    return deadline < progress ? deadline : progress;
}

/* The operator asks for an end, and may have asked before. */
static void hurry_clear(struct target_job *job)
{
    if (target_session_state(job->session) == TARGET_CLEARING) {
        target_calls_end(&job->calls, TARGET_CALL_CLEAR);
    }
}

void target_job_stop(struct target_job *job)
{
    hurry_clear(job);
    struct haul_error error = {0};
    haul_error_set(&error, HAUL_STOPPED, NULL, 0, "stopped; what has arrived is kept");
    feed_error(job, TARGET_EVENT_STOP, &error);
}

void target_job_cancel(struct target_job *job)
{
    hurry_clear(job);
    struct haul_error error = {0};
    haul_error_set(&error, HAUL_CANCELLED, NULL, 0, "cancelled by the target's operator");
    feed_error(job, TARGET_EVENT_CANCEL, &error);
}

void target_job_end_calls(struct target_job *job)
{
    target_calls_end_all(&job->calls);
}

bool target_job_has_calls(const struct target_job *job)
{
    return target_calls_any(&job->calls);
}

bool target_job_is_ending(const struct target_job *job)
{
    return job->ended;
}

bool target_job_has_ended(const struct target_job *job)
{
    /* The last words are on their way as long as the channel has bytes of them; but a peer that
     * does not read does not keep us. */
    bool said = job->channel == NULL || control_channel_pending_bytes(job->channel) == 0 ||
                now_ns(job) >= job->words_until_ns;
    return job->ended && !target_job_has_calls(job) && said;
}

bool target_job_is_resumable(const struct target_job *job)
{
    return target_session_is_resumable(job->session);
}

void target_job_address(const struct target_job *job, struct link_address *local)
{
    *local = job->local;
}

const struct link_address *target_job_peer(const struct target_job *job)
{
    return &job->options.peer;
}

const haul_control_Hello *target_job_hello(const struct target_job *job)
{
    return target_session_hello(job->session);
}

bool target_job_is_silent(const struct target_job *job)
{
    return target_session_state(job->session) == TARGET_WAITING;
}

bool target_job_compared(const struct target_job *job, uint64_t *records)
{
    *records = job->calls.verify.records;
    return target_session_hello(job->session)->verify;
}

bool target_job_was_real(const struct target_job *job)
{
    bool accepted = job->copy.started_ns > 0;
    return target_session_outcome(job->session)->status == HAUL_OK ||
           (accepted && (job->copy.links.any_bound || job->was_known));
}

void target_job_refuse_busy(struct target_job *job)
{
    struct haul_error error = {0};
    set_busy(&error);
    feed_error(job, TARGET_EVENT_BUSY, &error);
    perform_all(job);
}

/* --- admitting links -------------------------------------------------------------------------- */

enum haul_status target_job_admits(const struct target_job *job, const struct link_ticket *ticket)
{
    bool known = memcmp(ticket->session, job->session_id, LINK_SESSION_BYTES) == 0 &&
                 memcmp(ticket->token, job->token, LINK_TOKEN_BYTES) == 0;
    if (!known || !job->copy.started) {
        return HAUL_AUTH;
    }
    return link_index_place(ticket->index) < HAUL_LINK_COUNT_MAX ? HAUL_OK : HAUL_BUSY;
}

void target_job_admit(struct target_job *job, struct tcp_listener *tcp, struct listener *verbs,
                      struct link_incoming *incoming)
{
    receiver_links_admit(&job->copy.links, tcp, verbs, incoming);
}

/* --- reporting -------------------------------------------------------------------------------- */

void target_job_progress(const struct target_job *job, struct haul_progress *progress)
{
    target_copy_figures(&job->copy, now_ns(job), progress);
    progress->phase = target_state_phase(target_session_state(job->session));
}

struct option_report *target_job_differences(struct target_job *job)
{
    return &job->calls.differences;
}

void target_job_result(const struct target_job *job, struct haul_result *result)
{
    result->error = *target_session_outcome(job->session);
    result->status = result->error.status;
    target_job_progress(job, &result->progress);
    memcpy(result->job, target_session_hello(job->session)->job.bytes, HAUL_JOB_BYTES);
    result->verified = result->status == HAUL_OK;
    target_copy_result(&job->copy, result);
    (void)snprintf(result->warning, sizeof(result->warning), "%s",
                   result->status == HAUL_OK ? job->calls.record.warning : "");
    result->crc_errors = job->damaged_blocks;
    result->link.crc_errors = job->damaged_blocks;
    (void)snprintf(result->fallback_reason, sizeof(result->fallback_reason), "%s",
                   job->options.rdma_refusal);
}

/* --- life ------------------------------------------------------------------------------------- */

static enum haul_status create_session(struct target_job *job, struct haul_error *error)
{
    const struct haul_target_options *target = job->options.target;
    struct target_session_options options = {
        .version = {.version = target->config_version, .authoritative = target->keep_versions},
        .peer_timeout_ms = target->link.peer_timeout_ms,
        .secret = target->secret,
        .answers_verify = target->answers_verify,
    };
    if (migration_random(job->token, sizeof(job->token)) != HAUL_OK ||
        migration_random(job->session_id, sizeof(job->session_id)) != HAUL_OK) {
        return haul_error_set(error, HAUL_IO, "getrandom", 0, "no random number for a token");
    }
    struct target_greeting greeting = {
        .target = target,
        .identity = job->options.identity,
        .token = job->token,
        .session_id = job->session_id,
        .rdma_offered = job->options.rdma_offered,
        .rdma_refusal = job->options.rdma_refusal,
        .version = options.version,
    };
    target_answer_welcome(&greeting, &options.welcome);
    enum haul_status status = target_session_create(&options, now_ns(job), &job->session);
    return status == HAUL_OK ? status
                             : haul_error_set(error, status, NULL, 0, "no memory for a session");
}

enum haul_status target_job_create(const struct target_job_options *options, int fd,
                                   struct target_job **out, struct haul_error *error)
{
    struct target_job *job = calloc(1, sizeof(*job));
    if (job == NULL) {
        (void)close(fd);
        return haul_error_set(error, HAUL_NO_MEMORY, "calloc", 0, "no memory for a job");
    }
    job->options = *options;
    target_calls_init(&job->calls, job, options->target, options->worker);
    job->calls.copy = &job->copy;
    memcpy(job->calls.record.name, options->identity, HAUL_IDENTITY_BYTES_MAX);
    link_address_format(&options->peer, job->calls.record.peer_address);
    struct link_config config = {
        .options = options->target->link, .clock = options->clock, .log = options->target->log};
    target_copy_init(&job->copy, options->target, &job->calls.record, options->group, &config);
    enum haul_status status = control_channel_adopt(fd, &config, &job->channel, error);
    if (status == HAUL_OK) {
        control_channel_local(job->channel, &job->local);
        status = poll_group_add_control(options->group, job->channel);
    }
    if (status == HAUL_OK) {
        status = create_session(job, error);
        job->calls.session = job->session;
    }
    if (status != HAUL_OK) {
        target_job_destroy(job);
        return status;
    }
    *out = job;
    return HAUL_OK;
}

void target_job_destroy(struct target_job *job)
{
    if (job == NULL) {
        return;
    }
    if (target_copy_stop(&job->copy)) {
        target_copy_join(&job->copy);
    }
    if (!is_slot_free(job)) {
        job->calls.record.staging[0] = '\0'; /* what lies there is the running job's */
    } else if (job->options.slot->holder == job) {
        job->options.slot->holder = NULL;
    }
    if (job->channel != NULL) {
        poll_group_remove_control(job->options.group, job->channel);
        control_channel_destroy(job->channel);
    }
    target_session_destroy(job->session);
    message_release(&job->accepted);
    target_copy_fini(&job->copy);
    target_calls_fini(&job->calls);
    free(job);
}
