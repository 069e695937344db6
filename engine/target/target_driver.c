/* SPDX-License-Identifier: Apache-2.0 */
/* target_driver.c — performs the actions of the target's session.
 *
 *   loop: peer channel <-> target_session <-> actions; slow calls go to the call worker */
#include "target_driver.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "link_admission.h"
#include "migration_thread.h"
#include "peer_channel.h"
#include "target_answer.h"
#include "target_calls.h"
#include "target_copy.h"
#include "target_done.h"
#include "target_session.h"
#include "transport_offers.h"
#include "wire_mode.h"

struct target_driver {
    struct target_driver_options options;
    struct peer_channel peer;
    struct link_address local;
    struct target_session *session;
    struct target_copy copy;
    struct target_calls calls;
    bool prepared_waits; /* record PREPARED once the positions are recorded */
    bool keeping;        /* send KEPT once all is flushed and the positions are recorded */
    bool was_known;      /* the journal existed before */
    uint64_t looked_ns;  /* when the next two were computed */
    uint64_t activity;   /* of links, appliers and calls */
    bool idle;           /* everything that arrived is applied */
    uint64_t damaged_blocks;
    struct source_proof abort_proof;
    bool told_to_end;  /* an Abort has come */
    bool damage_noted; /* the source will get the count when it comes back */
    bool ended;
    uint64_t words_until_ns; /* ended: wait for the last messages until then */
    struct message accepted;
    struct link_admission admission;
};

static uint64_t now_ns(const struct target_driver *driver)
{
    return clock_now_ns(driver->options.clock);
}

static const uint8_t *job_of(const struct target_driver *driver)
{
    return target_session_hello(driver->session)->job.bytes;
}

static void feed(struct target_driver *driver, struct target_event *event)
{
    target_session_event(driver->session, event, now_ns(driver));
    target_calls_end_stale(&driver->calls);
}

static void feed_error(struct target_driver *driver, enum target_event_type type,
                       const struct haul_error *error)
{
    struct target_event event = {.type = type, .error = *error};
    feed(driver, &event);
}

/* An attempt counts once, and only when some of its data has arrived. */
static void note_damage(struct target_driver *driver)
{
    struct target_places *places = driver->options.places;
    if (target_places_holds(places, driver) && !driver->damage_noted) {
        target_damages_add(&places->damages, job_of(driver));
        driver->damage_noted = true;
    }
}

/* A bit flipped on the way: the source sends the block again. */
static void feed_damaged(struct target_driver *driver, const struct haul_error *error)
{
    driver->damaged_blocks++;
    note_damage(driver);
    feed_error(driver, TARGET_EVENT_DAMAGED, error);
}

/* --- the job's records ------------------------------------------------------------------------ */

static void on_looked_up(struct target_driver *driver, const struct haul_error *error)
{
    driver->copy.links.config.epoch = driver->calls.journal.epoch;
    driver->was_known = driver->calls.journal.knowledge != JOB_UNKNOWN;
    memcpy(driver->options.identity, driver->calls.journal.name, HAUL_IDENTITY_BYTES_MAX);
    struct target_event event = {.type = TARGET_EVENT_LOOKED_UP,
                                 .error = *error,
                                 .new_version = driver->calls.prepared_version,
                                 .version = driver->calls.version};
    target_done_tell(&driver->calls.journal, &event);
    feed(driver, &event);
}

/* --- plan ------------------------------------------------------------------------------------- */

static void on_checked(struct target_driver *driver, const struct haul_error *error)
{
    if (error->status == HAUL_OK) {
        target_copy_count_finished(&driver->copy);
        target_calls_move(&driver->calls, target_places_worker(driver->options.places, driver));
    }
    struct target_event event = {.type = TARGET_EVENT_CHECKED,
                                 .error = *error,
                                 .accepted = &driver->accepted,
                                 .plan = &driver->calls.journal.plan};
    target_done_explain(&driver->calls.journal, &event);
    if (error->status == HAUL_OK &&
        target_answer_accepted(&driver->calls.journal, &driver->accepted) != HAUL_OK) {
        haul_error_set(&event.error, HAUL_NO_MEMORY, NULL, 0, "no memory for the job");
    }
    if (event.error.status == HAUL_OK) {
        option_report_put(&driver->calls.differences, &driver->accepted.as.plan_accepted);
        driver->accepted.as.plan_accepted.damaged_attempts =
            target_damages_of(&driver->options.places->damages, job_of(driver));
    }
    feed(driver, &event);
}

static void start_copy(struct target_driver *driver)
{
    struct haul_error error = {0};
    target_copy_share(&driver->copy, target_places_others(driver->options.places, driver) + 1);
    enum haul_status status =
        link_admission_open(&driver->admission, driver->peer.channel, driver->calls.journal.epoch,
                            target_session_wire(driver->session), &error);
    if (status == HAUL_OK) {
        status = target_copy_start(&driver->copy, job_of(driver), &driver->admission.keys.block,
                                   now_ns(driver), &error);
    }
    if (status != HAUL_OK) {
        error.status = status;
        feed_error(driver, TARGET_EVENT_FAILED, &error);
    }
}

/* --- positions -------------------------------------------------------------------------------- */

/* One call at a time; positions that become durable meanwhile go with the next. */
static void record_positions(struct target_driver *driver)
{
    if (position_queue_take(&driver->copy.positions)) {
        target_calls_submit(&driver->calls, TARGET_CALL_POSITIONS);
    }
}

static void check_kept(struct target_driver *driver)
{
    if (driver->keeping && driver->copy.flushes_missing == 0 &&
        !position_queue_is_busy(&driver->copy.positions)) {
        driver->keeping = false;
        target_copy_leave(&driver->copy,
                          target_lefts_of(&driver->options.places->lefts, job_of(driver)));
        struct target_event event = {.type = TARGET_EVENT_KEPT};
        feed(driver, &event);
    }
}

/* Keep all complete batches that the appliers have. */
static void keep(struct target_driver *driver)
{
    driver->keeping = true;
    if (driver->copy.flushes_missing == 0) {
        target_copy_flush(&driver->copy);
    }
}

/* PREPARED must follow every position that it relies on. */
static void record_prepared(struct target_driver *driver)
{
    /* This receiver keeps the database open from here on, whoever commits. */
    (void)target_lefts_of(&driver->options.places->lefts, driver->calls.journal.job);
    record_positions(driver);
    driver->prepared_waits = position_queue_is_busy(&driver->copy.positions);
    if (!driver->prepared_waits) {
        target_calls_submit(&driver->calls, TARGET_CALL_RECORD);
    }
}

static void on_positions_recorded(struct target_driver *driver, const struct haul_error *error)
{
    target_copy_recorded(&driver->copy);
    if (error->status != HAUL_OK) {
        feed_error(driver, TARGET_EVENT_FAILED, error);
    } else if (!driver->copy.started) {
        return; /* stopped: the journal may be cleared by now */
    } else if (driver->prepared_waits) {
        record_prepared(driver);
    } else {
        record_positions(driver);
        check_kept(driver);
    }
}

/* --- news of the appliers --------------------------------------------------------------------- */

static void report_digests(struct target_driver *driver)
{
    bool quiet = target_copy_is_quiet(&driver->copy, target_session_prepare(driver->session));
    struct target_event event = {.type = TARGET_EVENT_FLUSHED,
                                 .digests = quiet ? driver->copy.digests : NULL};
    feed(driver, &event);
}

static void on_flushed(struct target_driver *driver)
{
    if (driver->keeping) {
        check_kept(driver);
    } else if (!target_copy_is_quiet(&driver->copy, target_session_prepare(driver->session)) ||
               target_copy_take_digests(&driver->copy, target_session_prepare(driver->session))) {
        report_digests(driver);
    } else {
        target_calls_submit(&driver->calls, TARGET_CALL_DIGEST);
    }
}

static void on_news(struct target_driver *driver, enum target_copy_news news,
                    const struct haul_error *error)
{
    struct target_event applied = {.type = TARGET_EVENT_APPLIED,
                                   .delta_batches = driver->copy.delta_batches};
    switch (news) {
    case TARGET_COPY_NOTHING:
    case TARGET_COPY_WORKED:
        return;
    case TARGET_COPY_DELTA:
        feed(driver, &applied);
        return;
    case TARGET_COPY_DURABLE:
        record_positions(driver);
        return;
    case TARGET_COPY_FLUSHED:
        on_flushed(driver);
        return;
    case TARGET_COPY_FAILED:
        if (error->status == HAUL_CORRUPT && target_copy_crc_errors(&driver->copy) > 0) {
            feed_damaged(driver, error);
        } else {
            feed_error(driver, TARGET_EVENT_FAILED, error);
        }
        return;
    }
}

/* --- its place -------------------------------------------------------------------------------- */

/* Take a place, and submit a call that changes something. Without a place: feed `otherwise`. */
static bool submit_in_place(struct target_driver *driver, enum target_call number,
                            const struct message *plan, enum target_event_type otherwise)
{
    struct target_places *places = driver->options.places;
    struct haul_error error = {0};
    error.status = target_places_take(places, driver, job_of(driver), plan, &error);
    if (error.status != HAUL_OK) {
        feed_error(driver, otherwise, &error);
        return false;
    }
    target_places_brief(places, driver, &driver->calls.journal);
    target_calls_submit(&driver->calls, number);
    return true;
}

static void look_up(struct target_driver *driver)
{
    struct haul_error error = {0};
    error.status = target_places_check(driver->options.places, driver, job_of(driver), &error);
    if (error.status == HAUL_OK) {
        target_calls_submit(&driver->calls, TARGET_CALL_LOOK_UP);
    } else {
        feed_error(driver, TARGET_EVENT_LOOKED_UP, &error);
    }
}

static void take_plan(struct target_driver *driver, const struct message *message)
{
    struct haul_error error = {0};
    if (target_calls_take_plan(&driver->calls, message, &error) != HAUL_OK) {
        feed_error(driver, TARGET_EVENT_CHECKED, &error);
    } else if (submit_in_place(driver, TARGET_CALL_CHECK, message, TARGET_EVENT_CHECKED)) {
        target_lefts_of(&driver->options.places->lefts, job_of(driver))->known = false;
    }
}

/* --- messages --------------------------------------------------------------------------------- */

static void send_message(struct target_driver *driver, struct message *message)
{
    struct haul_error error = {0};
    enum haul_status status = peer_channel_send(&driver->peer, message, &error);
    if (status != HAUL_OK && status != HAUL_CLOSED) {
        feed_error(driver, TARGET_EVENT_FAILED, &error);
    }
}

/* --- comparing -------------------------------------------------------------------------------- */

/* Start the next read when none is under way. */
static void verify_on(struct target_driver *driver)
{
    bool compares = target_session_state(driver->session) == TARGET_VERIFYING;
    bool reads = driver->calls.calls[TARGET_CALL_VERIFY].under_way;
    if (compares && !reads && target_verify_begin(&driver->calls.verify)) {
        target_calls_submit(&driver->calls, TARGET_CALL_VERIFY);
    }
}

static void take_verify(struct target_driver *driver, const struct message *message)
{
    struct haul_error error = {0};
    if (target_places_others(driver->options.places, driver) > 0) {
        target_driver_refuse_busy(driver);
    } else if (target_verify_take(&driver->calls.verify, message, &error) != HAUL_OK) {
        feed_error(driver, TARGET_EVENT_FAILED, &error);
    } else {
        verify_on(driver);
    }
}

static void on_verify_read(struct target_driver *driver, const struct haul_error *error)
{
    struct message answer;
    if (error->status != HAUL_OK) {
        feed_error(driver, TARGET_EVENT_FAILED, error);
    } else if (target_verify_answer(&driver->calls.verify, &answer)) {
        send_message(driver, &answer);
    }
    verify_on(driver);
}

/* --- actions ---------------------------------------------------------------------------------- */

static void perform(struct target_driver *driver, struct target_action *action)
{
    switch (action->type) {
    case TARGET_ACTION_SEND:
        send_message(driver, &action->message);
        return;
    case TARGET_ACTION_VERIFY:
        take_verify(driver, &action->message);
        return;
    case TARGET_ACTION_LOOK_UP:
        look_up(driver);
        return;
    case TARGET_ACTION_CHECK:
        take_plan(driver, &action->message);
        return;
    case TARGET_ACTION_START:
        start_copy(driver);
        return;
    case TARGET_ACTION_FLUSH:
        target_copy_flush(&driver->copy);
        return;
    case TARGET_ACTION_RECORD:
        record_prepared(driver);
        return;
    case TARGET_ACTION_OWN:
        target_done_note(&driver->calls.journal, &action->message);
        (void)submit_in_place(driver, TARGET_CALL_OWN, NULL, TARGET_EVENT_OWNED);
        return;
    case TARGET_ACTION_KEEP:
        keep(driver);
        return;
    case TARGET_ACTION_STOP:
        if (target_copy_stop(&driver->copy)) {
            target_calls_submit(&driver->calls, TARGET_CALL_STOP);
        }
        return;
    case TARGET_ACTION_CLEAR:
        target_calls_take_abort(&driver->calls);
        (void)submit_in_place(driver, TARGET_CALL_CLEAR, NULL, TARGET_EVENT_CLEARED);
        return;
    case TARGET_ACTION_END:
        driver->ended = true;
        driver->words_until_ns =
            clock_deadline_ns(driver->options.clock, driver->options.target->link.peer_timeout_ms);
        return;
    }
}

/* Before the next event: an action may borrow from the event. */
static void perform_all(struct target_driver *driver)
{
    struct target_action action;
    while (target_session_action(driver->session, &action)) {
        perform(driver, &action);
    }
}

/* --- polling ---------------------------------------------------------------------------------- */

static void on_control_message(struct target_driver *driver, const struct control_event *event)
{
    struct message message;
    struct haul_error error = {0};
    if (message_decode(event->message_type, event->body, &message, &error) != HAUL_OK) {
        feed_error(driver, TARGET_EVENT_FAILED, &error);
        return;
    }
    if (message.type == MESSAGE_HELLO) {
        control_channel_trust(driver->peer.channel);
        control_channel_note_peer_timeout(driver->peer.channel, message.as.hello.peer_timeout_ms);
    }
    if (target_calls_note_abort(&driver->calls, &message, &error) != HAUL_OK) {
        feed_error(driver, TARGET_EVENT_FAILED, &error);
    } else if (message.type == MESSAGE_LINK) {
        receiver_links_describe(&driver->copy.links, &message.as.link);
    } else {
        struct target_event session_event = {.type = TARGET_EVENT_MESSAGE, .message = &message};
        target_calls_note_stop(&driver->calls, &message);
        feed(driver, &session_event);
        perform_all(driver);
    }
    message_release(&message);
}

static bool poll_channel(struct target_driver *driver)
{
    struct control_event event;
    bool any = false;
    while (peer_channel_next(&driver->peer, &event)) {
        any = true;
        if (event.type == CONTROL_MESSAGE) {
            on_control_message(driver, &event);
        } else if (event.type == CONTROL_CLOSED) {
            peer_channel_close(&driver->peer);
            if (event.error.status == HAUL_CORRUPT) {
                note_damage(driver);
            }
            feed_error(driver, TARGET_EVENT_CHANNEL_DOWN, &event.error);
        }
    }
    return any;
}

static bool poll_links(struct target_driver *driver)
{
    struct haul_error failed = {0};
    bool any = target_copy_poll_links(&driver->copy, &failed);
    if (failed.status == HAUL_CORRUPT && driver->copy.started) {
        feed_damaged(driver, &failed);
    } else if (target_copy_is_violation(&failed) && driver->copy.started) {
        feed_error(driver, TARGET_EVENT_FAILED, &failed);
    } else if (failed.status != HAUL_OK) {
        /* The source notices it too, and comes back or gives up. */
        haul_log(driver->options.target->log, HAUL_LOG_WARNING, "a data link broke: %s",
                 failed.text);
    }
    struct message message;
    while (receiver_links_next_message(&driver->copy.links, &message)) {
        send_message(driver, &message);
        any = true;
    }
    return any;
}

static void on_owned(struct target_driver *driver, const struct haul_error *error)
{
    struct target_event event = {.type = TARGET_EVENT_OWNED,
                                 .error = *error,
                                 .refused = driver->calls.journal.refused,
                                 .warning = driver->calls.journal.warning};
    feed(driver, &event);
}

static void on_stopped(struct target_driver *driver, const struct haul_error *error)
{
    (void)error;
    target_copy_stopped(&driver->copy);
}

void target_driver_returned(const struct call *call)
{
    struct target_driver *driver = target_calls_driver(call);
    static const enum target_event_type events[TARGET_CALL_COUNT] = {
        [TARGET_CALL_CLEAR] = TARGET_EVENT_CLEARED,
        [TARGET_CALL_RECORD] = TARGET_EVENT_RECORDED,
        [TARGET_CALL_DIGEST] = TARGET_EVENT_FAILED,
    };
    static void (*const on[TARGET_CALL_COUNT])(struct target_driver *,
                                               const struct haul_error *) = {
        [TARGET_CALL_CHECK] = on_checked,      [TARGET_CALL_OWN] = on_owned,
        [TARGET_CALL_LOOK_UP] = on_looked_up,  [TARGET_CALL_POSITIONS] = on_positions_recorded,
        [TARGET_CALL_VERIFY] = on_verify_read, [TARGET_CALL_STOP] = on_stopped};
    enum target_call number = target_calls_number(&driver->calls, call);
    if (on[number] != NULL) {
        on[number](driver, &call->error);
    } else if (number == TARGET_CALL_DIGEST && call->error.status == HAUL_OK) {
        report_digests(driver);
    } else if (number != TARGET_CALL_NOTE_LOST) { /* nobody waits for this one */
        struct target_event event = {.type = events[number],
                                     .error = call->error,
                                     .owned_job = target_journal_owned_job(&driver->calls.journal)};
        feed(driver, &event);
    }
    perform_all(driver);
}

static bool poll_appliers(struct target_driver *driver)
{
    struct haul_error error = {0};
    enum target_copy_news news;
    bool any = false;
    while ((news = target_copy_next(&driver->copy, &error)) != TARGET_COPY_NOTHING) {
        on_news(driver, news, &error);
        perform_all(driver);
        any = true;
    }
    return any;
}

/* Not on each turn of the loop: only a deadline of seconds depends on it. */
static void note_activity(struct target_driver *driver)
{
    enum { INTERVAL_MS = 10 };
    uint64_t now = now_ns(driver);
    if (now - driver->looked_ns < (uint64_t)INTERVAL_MS * NS_PER_MS) {
        return;
    }
    driver->looked_ns = now;
    driver->activity = target_copy_activity(&driver->copy, &driver->idle) +
                       target_calls_activity(&driver->calls, &driver->options.places->steps);
}

bool target_driver_poll(struct target_driver *driver)
{
    struct haul_error full = {0};
    if (target_session_state(driver->session) == TARGET_RECEIVING &&
        target_copy_check_space(&driver->copy, now_ns(driver), &full) != HAUL_OK) {
        feed_error(driver, TARGET_EVENT_STOP, &full);
    }
    bool any = poll_channel(driver);
    any = poll_links(driver) || any;
    any = poll_appliers(driver) || any;
    note_activity(driver);
    struct target_event tick = {
        .type = TARGET_EVENT_TICK, .activity = driver->activity, .idle = driver->idle};
    feed(driver, &tick);
    perform_all(driver);
    struct message progress;
    if (target_copy_progress(&driver->copy, now_ns(driver), &progress)) {
        send_message(driver, &progress);
    }
    return any;
}

uint64_t target_driver_deadline_ns(const struct target_driver *driver)
{
    uint64_t deadline = target_session_deadline_ns(driver->session);
    uint64_t progress = target_copy_progress_ns(&driver->copy);
    return deadline < progress ? deadline : progress;
}

/* The operator requests an end, perhaps again. */
static void end_by_operator(struct target_driver *driver, enum target_event_type type,
                            enum haul_status status, const char *text)
{
    struct haul_error error = {0};
    if (target_session_state(driver->session) == TARGET_CLEARING) {
        target_calls_end(&driver->calls, TARGET_CALL_CLEAR);
    }
    haul_error_set(&error, status, NULL, 0, "%s", text);
    feed_error(driver, type, &error);
}

void target_driver_stop(struct target_driver *driver)
{
    end_by_operator(driver, TARGET_EVENT_STOP, HAUL_STOPPED, "stopped; what has arrived is kept");
}

void target_driver_cancel(struct target_driver *driver)
{
    end_by_operator(driver, TARGET_EVENT_CANCEL, HAUL_CANCELLED,
                    "cancelled by the target's operator");
}

void target_driver_end_calls(struct target_driver *driver)
{
    target_calls_end_all(&driver->calls);
}

bool target_driver_has_calls(const struct target_driver *driver)
{
    return target_calls_any(&driver->calls);
}

bool target_driver_is_ending(const struct target_driver *driver)
{
    return driver->ended;
}

bool target_driver_has_ended(const struct target_driver *driver)
{
    /* The last messages are unsent as long as the channel holds bytes; but do not wait for a peer
     * that does not read. */
    bool said = driver->peer.channel == NULL ||
                control_channel_pending_bytes(driver->peer.channel) == 0 ||
                now_ns(driver) >= driver->words_until_ns;
    return driver->ended && !target_driver_has_calls(driver) && said;
}

bool target_driver_is_resumable(const struct target_driver *driver)
{
    return target_session_is_resumable(driver->session);
}

void target_driver_address(const struct target_driver *driver, struct link_address *local)
{
    *local = driver->local;
}

const struct link_address *target_driver_peer(const struct target_driver *driver)
{
    return &driver->options.peer;
}

const haul_control_Hello *target_driver_hello(const struct target_driver *driver)
{
    return target_session_hello(driver->session);
}

bool target_driver_is_silent(const struct target_driver *driver)
{
    return target_session_state(driver->session) == TARGET_WAITING;
}

bool target_driver_compared(const struct target_driver *driver, uint64_t *records)
{
    *records = driver->calls.verify.records;
    return target_session_hello(driver->session)->verify;
}

bool target_driver_was_real(const struct target_driver *driver)
{
    return target_session_outcome(driver->session)->status == HAUL_OK ||
           (driver->copy.started_ns > 0 && (driver->copy.links.any_bound || driver->was_known));
}

void target_driver_refuse_busy(struct target_driver *driver)
{
    struct haul_error error = {0};
    target_places_explain_full(driver->options.places, &error);
    feed_error(driver, TARGET_EVENT_BUSY, &error);
    perform_all(driver);
}

/* --- admitting links -------------------------------------------------------------------------- */

bool target_driver_has_session(const struct target_driver *driver, const struct link_ticket *ticket)
{
    return memcmp(driver->admission.session, ticket->session, LINK_SESSION_BYTES) == 0;
}

enum haul_status target_driver_admits(struct target_driver *driver, enum haul_transport transport,
                                      const struct link_ticket *ticket, struct frame_key *frames)
{
    return driver->copy.started ? link_admission_take(&driver->admission, transport, ticket, frames)
                                : HAUL_AUTH;
}

void target_driver_admit(struct target_driver *driver, struct listener *listener,
                         struct link_incoming *incoming)
{
    struct frame_key frames = {.used = false};
    enum haul_status status =
        target_driver_admits(driver, listener_transport(listener), &incoming->ticket, &frames);
    if (status != HAUL_OK) {
        listener_reject(listener, incoming, status);
    } else {
        receiver_links_admit(&driver->copy.links, listener, incoming, &frames);
    }
}

/* --- reporting -------------------------------------------------------------------------------- */

void target_driver_progress(const struct target_driver *driver, struct haul_progress *progress)
{
    target_copy_figures(&driver->copy, now_ns(driver), progress);
    progress->phase = target_state_phase(target_session_state(driver->session));
    progress->wire =
        driver->copy.started_ns > 0 ? target_session_wire(driver->session) : HAUL_WIRE_AUTO;
    progress->trust =
        wire_mode_trust(driver->options.target->keys, driver->options.target->insecure);
}

struct option_report *target_driver_differences(struct target_driver *driver)
{
    return &driver->calls.differences;
}

void target_driver_result(const struct target_driver *driver, struct haul_result *result)
{
    result->error = *target_session_outcome(driver->session);
    result->status = result->error.status;
    target_driver_progress(driver, &result->progress);
    memcpy(result->job, target_session_hello(driver->session)->job.bytes, HAUL_JOB_BYTES);
    result->verified = result->status == HAUL_OK;
    target_copy_result(&driver->copy, result);
    (void)snprintf(result->warning, sizeof(result->warning), "%s",
                   result->status == HAUL_OK ? driver->calls.journal.warning : "");
    result->crc_errors = driver->damaged_blocks;
    result->link.crc_errors = driver->damaged_blocks;
    const char *refusal =
        transport_offers_refusal(driver->options.offers, driver->options.offer_count,
                                 &driver->options.target->transports, result->progress.transport);
    (void)snprintf(result->fallback_reason, sizeof(result->fallback_reason), "%s", refusal);
}

/* --- life ------------------------------------------------------------------------------------- */

static enum haul_status create_session(struct target_driver *driver, struct haul_error *error)
{
    struct target_session_options options;
    if (link_admission_init(&driver->admission) != HAUL_OK) {
        return haul_error_set(error, HAUL_IO, "getrandom", 0, "no random number for a token");
    }
    const struct target_greeting greeting = {
        .target = driver->options.target,
        .identity = driver->options.identity,
        .token = driver->admission.token,
        .session_id = driver->admission.session,
        .offers = driver->options.offers,
        .offer_count = driver->options.offer_count,
    };
    target_answer_session(&greeting, &options);
    enum haul_status status = target_session_create(&options, now_ns(driver), &driver->session);
    return status == HAUL_OK ? status
                             : haul_error_set(error, status, NULL, 0, "no memory for a session");
}

enum haul_status target_driver_create(const struct target_driver_options *options,
                                      struct tls_socket socket, struct target_driver **out,
                                      struct haul_error *error)
{
    struct target_driver *driver = calloc(1, sizeof(*driver));
    if (driver == NULL) {
        tls_socket_close(&socket);
        return haul_error_set(error, HAUL_NO_MEMORY, "calloc", 0, "no memory for a job");
    }
    driver->options = *options;
    target_calls_init(&driver->calls, driver, options->target, options->worker);
    driver->calls.copy = &driver->copy;
    memcpy(driver->calls.journal.name, options->identity, HAUL_IDENTITY_BYTES_MAX);
    link_address_format(&options->peer, driver->calls.journal.peer_address);
    struct link_config config = {
        .options = options->target->link, .clock = options->clock, .log = options->target->log};
    target_copy_init(&driver->copy, options->target, &driver->calls.journal, options->group,
                     &config);
    driver->peer.group = options->group;
    enum haul_status status = peer_channel_adopt(&driver->peer, socket, &config, error);
    if (status == HAUL_OK) {
        control_channel_local(driver->peer.channel, &driver->local);
        status = create_session(driver, error);
        driver->calls.session = driver->session;
    }
    if (status != HAUL_OK) {
        target_driver_destroy(driver);
        return status;
    }
    *out = driver;
    return HAUL_OK;
}

/* Staging files of jobs that run stay. */
static void leave_place(struct target_driver *driver)
{
    struct target_places *places = driver->options.places;
    struct target_journal *journal = &driver->calls.journal;
    journal->beside_others = target_places_others(places, driver) > 0;
    if (target_places_runs(places, driver, journal->job)) {
        journal->staging[0] = '\0';
    }
    target_places_leave(places, driver);
}

void target_driver_destroy(struct target_driver *driver)
{
    if (driver == NULL) {
        return;
    }
    if (target_copy_stop(&driver->copy)) {
        target_copy_join(&driver->copy);
    }
    leave_place(driver);
    peer_channel_close(&driver->peer);
    attempt_keys_wipe(&driver->admission.keys);
    target_session_destroy(driver->session);
    message_release(&driver->accepted);
    target_copy_fini(&driver->copy);
    target_calls_fini(&driver->calls);
    free(driver);
}
