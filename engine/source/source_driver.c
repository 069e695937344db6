/* SPDX-License-Identifier: Apache-2.0 */
/* source_driver.c — performs the actions of the source's session.
 *
 *   readers --filled blocks--> outbox --> sender_links --> target        (source_copy.h)
 *   loop: peer channel <-> source_session <-> actions, results, ticks
 *   call worker: freeze hook, records, decision                          (source_calls.h)
 *
 * The session decides, this file acts: it reads the session's state only to report it. */
#include "source_driver.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "family_results.h"
#include "migration_thread.h"
#include "payload_codec.h"
#include "peer_channel.h"
#include "pinned_disk.h"
#include "planted_bug.h"
#include "source_calls.h"
#include "source_copy.h"
#include "source_done.h"
#include "source_session.h"
#include "wire_mode.h"

enum { LATE_CALL_MS = 1000 };

struct source_driver {
    struct source_driver_options options;
    struct peer_channel peer;
    struct source_session *session;
    struct attempt_keys keys; /* of the present connection */
    struct source_copy copy;
    bool has_copy; /* false if a decided job is only resolved */
    struct source_calls calls;
    uint64_t activity; /* of readers and links, at the last check */
    bool answered;     /* the channel was up */
    struct pinned_disk pinned;
    bool stops_for_disk;
    bool was_accepted;
    char loss_text[HAUL_ERROR_TEXT_BYTES_MAX]; /* last one logged */
    bool ended;
    uint64_t ended_ns;
    bool late_call_is_told;
};

static uint64_t now_ns(const struct source_driver *driver)
{
    return clock_now_ns(driver->options.clock);
}

/* Log what the job waits for, once for each reason. */
static void note_loss(struct source_driver *driver)
{
    const struct haul_error *loss = source_session_loss(driver->session);
    if (source_session_state(driver->session) != SOURCE_RETRYING ||
        strcmp(loss->text, driver->loss_text) == 0) {
        return;
    }
    (void)snprintf(driver->loss_text, sizeof(driver->loss_text), "%s", loss->text);
    char line[HAUL_LOG_LINE_BYTES_MAX / 2];
    haul_error_format(loss, line, sizeof(line));
    haul_log(driver->options.intent->options.log, HAUL_LOG_WARNING,
             "%s; trying again for up to %u s", line,
             (driver->options.intent->options.retry_max_ms + 999) / 1000);
}

static void feed(struct source_driver *driver, struct source_event *event)
{
    source_session_event(driver->session, event, now_ns(driver));
    note_loss(driver);
}

static void feed_error(struct source_driver *driver, enum source_event_type type,
                       const struct haul_error *error)
{
    struct source_event event = {.type = type, .error = *error};
    feed(driver, &event);
}

/* --- the channel ------------------------------------------------------------------------------ */

static void send_message(struct source_driver *driver, struct message *message)
{
    struct haul_error error = {0};
    enum haul_status status = peer_channel_send(&driver->peer, message, &error);
    if (status != HAUL_OK && status != HAUL_CLOSED) {
        feed_error(driver, SOURCE_EVENT_FAILED, &error);
    }
}

static const struct link_address *address_of(const struct source_driver *driver)
{
    return &driver->options.intent->addresses.items[driver->options.intent->addresses.at];
}

static enum haul_status connect_channel(struct source_driver *driver, struct haul_error *error)
{
    struct link_config config = {.options = driver->options.intent->options.link,
                                 .clock = driver->options.clock,
                                 .log = driver->options.intent->options.log,
                                 .keys = driver->options.intent->options.keys,
                                 .host = driver->options.intent->addresses.host};
    struct link_ticket ticket = {.version_min = 0};
    memcpy(ticket.session, driver->options.migration->result.job, LINK_SESSION_BYTES);
    return peer_channel_connect(&driver->peer, address_of(driver), &ticket, &config, error);
}

/* Connect to the first address of the target that answers, or may still answer. */
static enum haul_status open_channel(struct source_driver *driver, struct haul_error *error)
{
    enum haul_status status;
    do {
        status = connect_channel(driver, error);
    } while (status != HAUL_OK && link_addresses_next(&driver->options.intent->addresses));
    return status;
}

static void close_channel(struct source_driver *driver)
{
    peer_channel_close(&driver->peer);
    attempt_keys_wipe(&driver->keys);
    driver->answered = false;
}

/* --- actions ---------------------------------------------------------------------------------- */

static void connect_again(struct source_driver *driver)
{
    struct haul_error error = {0};
    if (driver->has_copy && source_copy_open(&driver->copy, &error) != HAUL_OK) {
        feed_error(driver, SOURCE_EVENT_FAILED, &error);
        return;
    }
    enum haul_status status = open_channel(driver, &error);
    if (status != HAUL_OK) {
        error.status = status;
        feed_error(driver, SOURCE_EVENT_CHANNEL_DOWN, &error);
    }
}

static void disconnect(struct source_driver *driver)
{
    close_channel(driver);
    if (driver->has_copy) {
        source_copy_close(&driver->copy);
    }
}

/* Once: later attempts of the job get the same report. */
static void report_options(struct source_driver *driver)
{
    struct option_report report = {.items = NULL};
    if (driver->options.migration->options.total == 0) {
        option_report_take(&report, source_session_accepted(driver->session));
        option_report_log(&report, driver->options.intent->options.log);
        migration_report_options(driver->options.migration, &report);
    }
}

static void open_links(struct source_driver *driver)
{
    const haul_control_Welcome *welcome = source_session_welcome(driver->session);
    struct link_ticket ticket = {.version_min = 0};
    struct haul_error error = {0};
    if (attempt_keys_derive(&driver->keys, driver->peer.channel, welcome->session.bytes,
                            driver->options.intent->journal.epoch, (enum haul_wire)welcome->wire,
                            &error) != HAUL_OK) {
        feed_error(driver, SOURCE_EVENT_FAILED, &error);
        return;
    }
    outbox_seal(&driver->copy.outbox, &driver->keys.block);
    memcpy(ticket.session, welcome->session.bytes, LINK_SESSION_BYTES);
    memcpy(ticket.token, welcome->token.bytes, LINK_TOKEN_BYTES);
    source_copy_note_distance(&driver->copy, control_channel_round_trip_us(driver->peer.channel));
    source_copy_note_compression(&driver->copy, (welcome->compression & PAYLOAD_ZSTD) != 0,
                                 (welcome->features & MESSAGE_FEATURE_STARVED) != 0);
    source_copy_note_log_data(&driver->copy, (welcome->features & MESSAGE_FEATURE_LOG_DATA) != 0);
    sender_links_open(&driver->copy.links, &ticket, &driver->keys, welcome->transports,
                      welcome->transports_count);
}

static void start_copy(struct source_driver *driver)
{
    struct haul_error error = {0};
    if (source_copy_start(&driver->copy, source_session_accepted(driver->session), &error) !=
        HAUL_OK) {
        feed_error(driver, SOURCE_EVENT_FAILED, &error);
    }
}

static void release(struct source_driver *driver)
{
    const struct haul_hooks *hooks = &driver->options.intent->options.hooks;
    if (hooks->release != NULL) {
        hooks->release(hooks->context, driver->options.intent->plan.new_version);
    }
    source_calls_released(&driver->calls);
}

static void perform(struct source_driver *driver, struct source_action *action)
{
    switch (action->type) {
    case SOURCE_ACTION_SEND:
        send_message(driver, &action->message);
        return;
    case SOURCE_ACTION_CONNECT:
        connect_again(driver);
        return;
    case SOURCE_ACTION_DISCONNECT:
        disconnect(driver);
        return;
    case SOURCE_ACTION_BIND:
        source_calls_bind(&driver->calls, source_session_welcome(driver->session));
        return;
    case SOURCE_ACTION_OPEN_LINKS: /* accepted: the target has dropped superseded jobs */
        source_calls_accepted(&driver->calls);
        report_options(driver);
        open_links(driver);
        return;
    case SOURCE_ACTION_START_COPY:
        start_copy(driver);
        return;
    case SOURCE_ACTION_ROUND:
        source_copy_round(&driver->copy);
        return;
    case SOURCE_ACTION_FREEZE:
        source_copy_freeze(&driver->copy, true);
        source_calls_freeze(&driver->calls);
        return;
    case SOURCE_ACTION_UNFREEZE:
        if (driver->has_copy) {
            source_copy_freeze(&driver->copy, false);
        }
        source_calls_unfreeze(&driver->calls);
        return;
    case SOURCE_ACTION_DIGEST:
        source_copy_digest(&driver->copy);
        return;
    case SOURCE_ACTION_DECIDE:
        source_calls_decide(&driver->calls, action->until_ns);
        return;
    case SOURCE_ACTION_RELEASE:
        release(driver);
        return;
    case SOURCE_ACTION_STOP:
        if (driver->has_copy) {
            source_copy_stop(&driver->copy);
        }
        return;
    case SOURCE_ACTION_END:
        driver->ended = true;
        driver->ended_ns = now_ns(driver);
        return;
    }
}

static bool perform_all(struct source_driver *driver)
{
    struct source_action action;
    bool any = false;
    while (source_session_action(driver->session, &action)) {
        perform(driver, &action);
        any = true;
    }
    return any;
}

/* --- polling ---------------------------------------------------------------------------------- */

static void on_control_message(struct source_driver *driver, const struct control_event *event)
{
    struct message message;
    struct haul_error error = {0};
    if (message_decode(event->message_type, event->body, &message, &error) != HAUL_OK) {
        feed_error(driver, SOURCE_EVENT_FAILED, &error);
        return;
    }
    if (message.type == MESSAGE_WELCOME) {
        driver->was_accepted = true;
        control_channel_note_peer_timeout(driver->peer.channel, message.as.welcome.peer_timeout_ms);
    }
    if (message.type == MESSAGE_LINK && driver->has_copy) {
        sender_links_describe(&driver->copy.links, &message.as.link);
    } else {
        struct source_event session_event = {.type = SOURCE_EVENT_MESSAGE, .message = &message};
        feed(driver, &session_event);
    }
    message_release(&message);
}

/* A host may have addresses on which nobody listens. */
static void on_channel_down(struct source_driver *driver, struct haul_error *error)
{
    bool answered = driver->answered;
    close_channel(driver);
    if (!answered && link_addresses_next(&driver->options.intent->addresses) &&
        open_channel(driver, error) == HAUL_OK) {
        return;
    }
    feed_error(driver, SOURCE_EVENT_CHANNEL_DOWN, error);
}

static bool poll_channel(struct source_driver *driver)
{
    struct control_event event;
    bool any = false;
    while (peer_channel_next(&driver->peer, &event)) {
        any = true;
        if (event.type == CONTROL_CONNECTED) {
            control_channel_trust(driver->peer.channel);
            link_addresses_found(&driver->options.intent->addresses);
            driver->copy.links.options.address = *address_of(driver);
            driver->answered = true;
            struct link_address local;
            control_channel_local(driver->peer.channel, &local);
            migration_place_near(driver->options.migration, &local,
                                 driver->options.intent->options.log);
            struct source_event up = {.type = SOURCE_EVENT_CHANNEL_UP};
            feed(driver, &up);
        } else if (event.type == CONTROL_MESSAGE) {
            on_control_message(driver, &event);
        } else {
            on_channel_down(driver, &event.error);
        }
        (void)perform_all(driver);
    }
    return any;
}

static bool poll_copy(struct source_driver *driver)
{
    if (!driver->has_copy) {
        return false;
    }
    const haul_control_Progress *progress = source_session_progress(driver->session);
    sender_links_note_target(&driver->copy.links, progress->starved_us, progress->elapsed_us);
    bool any = source_copy_poll(&driver->copy, progress->metadata_complete);
    struct message message;
    while (sender_links_next_message(&driver->copy.links, &message)) {
        send_message(driver, &message);
        any = true;
    }
    struct source_event event;
    while (source_copy_event(&driver->copy, &event)) {
        if (event.type == SOURCE_EVENT_LINKS_DOWN) {
            (void)poll_channel(driver); /* an earlier message of the target gives the reason */
        }
        feed(driver, &event);
        (void)perform_all(driver);
        any = true;
    }
    return any;
}

static bool poll_calls(struct source_driver *driver)
{
    struct source_event event;
    enum source_calls_news news;
    bool any = false;
    while ((news = source_calls_next(&driver->calls, &event)) != SOURCE_CALLS_NOTHING) {
        if (news == SOURCE_CALLS_EVENT) {
            feed(driver, &event);
        }
        (void)perform_all(driver);
        any = true;
    }
    return any;
}

/* A source whose disk is filled by its own log serves nobody. */
static void check_pinned(struct source_driver *driver)
{
    if (driver->copy.frozen) {
        return;
    }
    driver->pinned.bytes_max = driver->options.intent->options.pinned_bytes_max;
    pinned_disk_measure(&driver->pinned, driver->options.intent->options.store,
                        driver->options.clock);
    if (!pinned_disk_is_over(&driver->pinned) || driver->stops_for_disk ||
        source_session_is_decided(driver->session)) {
        return;
    }
    driver->stops_for_disk = true;
    struct source_event event = {.type = SOURCE_EVENT_STOP};
    pinned_disk_explain(&driver->pinned, &event.error);
    feed(driver, &event);
}

/* The target has accepted the job: data may have arrived, and the job can be continued. */
static bool may_have_arrived(const struct source_driver *driver)
{
    return driver->was_accepted || driver->options.intent->journal.continued;
}

static void explain_stop(const struct source_driver *driver, struct haul_error *error)
{
    if (driver->options.intent->options.resolve) {
        haul_error_set(error, HAUL_STOPPED, NULL, 0, "stopped");
        haul_error_hint(error, "run the same command to ask again");
    } else if (may_have_arrived(driver)) {
        haul_error_set(error, HAUL_STOPPED, NULL, 0, "stopped; the target keeps what has arrived");
    } else {
        haul_error_set(error, HAUL_STOPPED, NULL, 0, "stopped before anything was sent");
        haul_error_hint(error, "run the same command to begin again");
    }
}

void source_driver_request(struct source_driver *driver, enum migration_request request)
{
    struct source_event event = {.type = request == MIGRATION_STOPS ? SOURCE_EVENT_STOP
                                                                    : SOURCE_EVENT_CANCEL};
    if (request == MIGRATION_STOPS) {
        explain_stop(driver, &event.error);
    } else {
        haul_error_set(&event.error, HAUL_CANCELLED, NULL, 0, "cancelled by the operator");
    }
    feed(driver, &event);
}

void source_driver_rate(struct source_driver *driver, uint64_t bytes_per_second)
{
    if (driver->has_copy) {
        sender_links_rate(&driver->copy.links, bytes_per_second);
    }
}

void source_driver_look(struct source_driver *driver)
{
    driver->activity = driver->has_copy ? source_copy_activity(&driver->copy) : 0;
    check_pinned(driver);
}

void source_driver_begin(struct source_driver *driver)
{
    const struct source_intent *intent = driver->options.intent;
    if (intent->options.resolve && !intent->journal.only_tells) {
        release(driver); /* the process that made the decision may not have reached this */
    }
}

bool source_driver_poll(struct source_driver *driver)
{
    bool any = poll_channel(driver);
    any = poll_copy(driver) || any;
    return poll_calls(driver) || any;
}

bool source_driver_tick(struct source_driver *driver)
{
    struct source_event tick = {.type = SOURCE_EVENT_TICK, .activity = driver->activity};
    feed(driver, &tick);
    return perform_all(driver);
}

uint64_t source_driver_deadline_ns(const struct source_driver *driver)
{
    uint64_t deadline = source_session_deadline_ns(driver->session);
    if (driver->has_copy) {
        uint64_t rate = sender_links_deadline_ns(&driver->copy.links);
        deadline = rate < deadline ? rate : deadline;
    }
    return deadline;
}

/* Ended means that writers are not left frozen (the unfreeze of a running freeze comes after it),
 * and that no write is left half done. */
bool source_driver_has_ended(const struct source_driver *driver)
{
    return driver->ended && source_calls_waited_for(&driver->calls) == NULL;
}

void source_driver_log_late_call(struct source_driver *driver)
{
    bool late = driver->ended && !source_driver_has_ended(driver) &&
                now_ns(driver) - driver->ended_ns >= (uint64_t)LATE_CALL_MS * NS_PER_MS;
    if (late && !driver->late_call_is_told) {
        driver->late_call_is_told = true;
        haul_log(driver->options.intent->options.log, HAUL_LOG_WARNING,
                 "the job has ended and waits only for %s",
                 source_calls_waited_for(&driver->calls));
    }
}

/* --- reporting -------------------------------------------------------------------------------- */

void source_driver_progress(const struct source_driver *driver, struct haul_progress *progress)
{
    struct source_session_figures figures;
    struct haul_link_stats stats = {0};
    source_session_figures(driver->session, &figures);
    if (driver->has_copy) {
        sender_links_stats(&driver->copy.links, &stats);
    }
    *progress = (struct haul_progress){
        .phase = source_state_phase(source_session_state(driver->session)),
        .transport = driver->copy.links.transport,
        .records = driver->copy.links.submitted_records,
        .bytes = driver->copy.links.submitted_bytes,
        .bytes_expected = driver->options.intent->bytes_expected,
        .wire_bytes = stats.bytes_sent,
        .lag_bytes = driver->has_copy ? source_copy_lag_bytes(&driver->copy) : figures.lag_bytes,
        .durable_records = source_session_progress(driver->session)->durable_records,
        .durable_bytes = source_session_progress(driver->session)->durable_bytes,
        .pinned_log_bytes = driver->pinned.log_bytes,
        .pinned_table_bytes = driver->pinned.table_bytes,
        .rounds = figures.rounds,
        .wire = (enum haul_wire)source_session_welcome(driver->session)->wire,
        .trust = wire_mode_trust(driver->options.intent->options.keys,
                                 driver->options.intent->options.insecure),
        .seconds = (double)(now_ns(driver) - driver->options.started_ns) / (double)NS_PER_S,
    };
}

/* The warning that this database was set back and that what was written to it since then is nowhere
 * else; otherwise the target's warning. */
static void note_warning(struct source_driver *driver, const char *theirs,
                         struct haul_result *result)
{
    bool ends_well = result->status == HAUL_OK;
    bool yielded = driver->options.intent->journal.yielded;
    result->yielded_count =
        ends_well && (yielded || driver->options.intent->journal.answered) ? 1 : 0;
    const char *warning =
        yielded
            ? "this database was set back to before it gave the ranges away: writes made here "
              "since are not at the receiver; compare with `haul verify --to` before `haul drop`"
        : driver->options.intent->journal.has_lost ? SOURCE_DONE_LOST /* already logged */
                                                   : theirs;
    if (ends_well && warning[0] != '\0') {
        (void)snprintf(result->warning, sizeof(result->warning), "%s", warning);
    }
    if (result->warning[0] != '\0' && !driver->options.intent->journal.has_lost) {
        haul_log(driver->options.intent->options.log, HAUL_LOG_WARNING, "%s", warning);
    }
}

/* `resolve` may have ended with another job than it began with, or with none: it named a finished
 * job only to ask what the target waits for. */
static void note_job(const struct source_journal *journal, struct haul_result *result)
{
    bool none = journal->answers && !journal->answered;
    memcpy(result->job, journal->job, HAUL_JOB_BYTES);
    if (none) {
        memset(result->job, 0, HAUL_JOB_BYTES);
    }
}

static void fill_result(struct source_driver *driver, struct haul_result *result)
{
    struct source_session_figures figures;
    source_session_figures(driver->session, &figures);
    result->error = *source_session_outcome(driver->session);
    if (driver->options.intent->journal.settled && result->error.status == HAUL_NOT_FOUND) {
        memset(&result->error, 0, sizeof(result->error)); /* as it should be */
    }
    result->status = result->error.status;
    source_driver_progress(driver, &result->progress);
    if (driver->has_copy) {
        sender_links_stats(&driver->copy.links, &result->link);
    }
    const struct source_journal *journal = &driver->options.intent->journal;
    bool asked_in_vain =
        driver->options.intent->options.resolve && (result->status != HAUL_OK || journal->settled);
    result->verified = figures.verified && !journal->yielded && !asked_in_vain;
    result->lag_bytes_at_freeze = figures.lag_bytes_at_freeze;
    result->old_version = driver->options.intent->plan.old_version;
    result->new_version = driver->options.intent->plan.new_version;
    note_job(journal, result);
    result->told_count = journal->only_tells && result->status == HAUL_OK
                             ? (uint32_t)journal->earlier.told_count + journal->came_back
                             : 0;
    note_warning(driver, figures.warning, result);
    result->lane = (enum haul_lane)source_session_accepted(driver->session)->lane;
    result->retries = figures.retries;
    result->crc_errors = figures.crc_errors;
    result->link.crc_errors = figures.crc_errors;
    result->link_count = driver->has_copy ? driver->copy.links.active_count : 0;
    result->resumed = figures.resumed || driver->options.intent->journal.continued;
    if (figures.freeze_ended_ns > figures.freeze_started_ns) {
        result->write_pause_ms =
            (double)(figures.freeze_ended_ns - figures.freeze_started_ns) / NS_PER_MS;
    }
    (void)snprintf(result->fallback_reason, sizeof(result->fallback_reason), "%s",
                   driver->copy.links.fallback_reason);
    struct digest total =
        family_results_fill(result, &driver->options.intent->plan,
                            driver->has_copy ? driver->copy.family_digests : NULL);
    bool tells = journal->only_tells && !journal->answered;
    if (!driver->has_copy) {
        total = journal->moved; /* by an earlier process */
    }
    if (result->status == HAUL_OK && !tells) {
        result->progress.bytes = total.bytes;
        result->progress.records = total.count;
    }
}

void source_driver_finish(struct source_driver *driver, struct haul_result *result)
{
    struct source_intent *intent = driver->options.intent;
    fill_result(driver, result);
    /* This runs the calls that still wait; then the records are ours. */
    poll_group_remove_fd(driver->options.group, call_worker_fd(driver->calls.worker));
    source_calls_destroy(&driver->calls);
    struct source_session_figures figures;
    source_session_figures(driver->session, &figures);
    struct source_ending ending = {.outcome = &result->error,
                                   .was_accepted = may_have_arrived(driver),
                                   .kept = figures.kept,
                                   .peer_knows = figures.peer_knows,
                                   .owned_job = figures.was_owned ? figures.owned_job : NULL,
                                   .lost = &figures.lost};
    source_journal_end(&intent->journal, &ending);
    result->status = result->error.status;
}

/* --- life ------------------------------------------------------------------------------------- */

static enum haul_status create_copy(struct source_driver *driver, struct haul_error *error)
{
    struct source_intent *intent = driver->options.intent;
    struct source_copy_options copy = {.store = intent->options.store,
                                       .source = &intent->options,
                                       .plan = &intent->plan,
                                       .snapshot = intent->snapshot,
                                       .snapshot_sequence = intent->snapshot_sequence,
                                       .log_sequence = intent->log_sequence,
                                       /* Continued: no ingestion may have happened since the
                                        * database was opened, because the job's first view is
                                        * older. */
                                       .foreign_ingests =
                                           intent->journal.continued ? 0 : intent->foreign_ingests,
                                       .adopted = intent->journal.continued,
                                       .epoch = intent->journal.epoch,
                                       .address = intent->addresses.items[0],
                                       .chooses_window = intent->chooses_window,
                                       .chooses_links = intent->chooses_links,
                                       .chooses_readers = intent->chooses_readers,
                                       .clock = driver->options.clock,
                                       .group = driver->options.group};
    driver->has_copy = true;
    return source_copy_init(&driver->copy, &copy, error);
}

static enum haul_status create_session(struct source_driver *driver, struct haul_error *error)
{
    struct source_session_options options = {
        .plan = &driver->options.intent->plan,
        .source = driver->options.intent->options,
        .epoch = driver->options.intent->journal.epoch,
        .identity = driver->options.intent->identity,
        .version = driver->options.intent->version,
        .peer_timeout_ms = driver->options.intent->options.link.peer_timeout_ms,
        .retry_max_ms = driver->options.intent->options.retry_max_ms,
        .moved_records = driver->options.intent->journal.moved.count,
        .moved_bytes = driver->options.intent->journal.moved.bytes,
        .frozen_sequence = source_done_frozen_at(&driver->options.intent->journal),
        .continued = driver->options.intent->journal.continued,
        .decided =
            driver->options.intent->options.resolve && !driver->options.intent->journal.only_tells,
        .only_tells = driver->options.intent->journal.only_tells,
        .asks = driver->options.intent->journal.asks,
    };
    memcpy(options.job, driver->options.intent->journal.job, HAUL_JOB_BYTES);
    memcpy(driver->options.migration->result.job, driver->options.intent->journal.job,
           HAUL_JOB_BYTES);
    enum haul_status status = source_session_create(&options, &driver->session);
    return status == HAUL_OK ? status
                             : haul_error_set(error, status, NULL, 0, "no memory for the session");
}

static enum haul_status set_up(struct source_driver *driver, struct haul_error *error)
{
    struct source_intent *intent = driver->options.intent;
    wire_mode_warn(intent->options.keys, intent->options.insecure, intent->options.log);
    enum haul_status status =
        source_calls_create(&driver->calls, intent, &driver->copy, driver->options.clock, error);
    if (status == HAUL_OK) {
        status = poll_group_add_fd(driver->options.group, call_worker_fd(driver->calls.worker));
    }
    if (status == HAUL_OK && !intent->options.resolve) {
        status = create_copy(driver, error);
    }
    if (status == HAUL_OK) {
        status = create_session(driver, error);
    }
    return status == HAUL_OK ? open_channel(driver, error) : status;
}

enum haul_status source_driver_create(const struct source_driver_options *options,
                                      struct source_driver **out, struct haul_error *error)
{
    struct source_driver *driver = calloc(1, sizeof(*driver));
    if (driver == NULL) {
        return haul_error_set(error, HAUL_NO_MEMORY, "calloc", 0, "no memory for a job");
    }
    driver->options = *options;
    driver->peer.group = options->group;
    enum haul_status status = set_up(driver, error);
    if (status != HAUL_OK) {
        source_driver_destroy(driver);
        return status;
    }
    *out = driver;
    return HAUL_OK;
}

void source_driver_destroy(struct source_driver *driver)
{
    if (driver == NULL) {
        return;
    }
    if (driver->calls.worker != NULL) {
        poll_group_remove_fd(driver->options.group, call_worker_fd(driver->calls.worker));
        source_calls_destroy(&driver->calls);
    }
    if (driver->has_copy) {
        source_copy_fini(&driver->copy);
    }
    close_channel(driver);
    source_session_destroy(driver->session);
    free(driver);
}
