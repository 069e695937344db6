/* SPDX-License-Identifier: Apache-2.0 */
/* target_job.c — performs what the target's session asks for.
 *
 *   links --blocks--> applier threads --notes--> loop: slots given back, progress, session events
 *   loop: control channel <-> target_session <-> actions; slow calls go to the call worker */
#include "target_job.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "applier.h"
#include "assertion.h"
#include "call_worker.h"
#include "control_channel.h"
#include "migration_thread.h"
#include "position_queue.h"
#include "receiver_links.h"
#include "target_answer.h"
#include "target_plan.h"
#include "target_record.h"
#include "target_session.h"
#include "version_record.h"

enum {
    JOB_TEXT_BYTES = 2 * HAUL_JOB_BYTES + 1,
    PROGRESS_INTERVAL_MS = 50,
    LINK_COUNT_MAX = 16,
};

enum call_tag {
    CALL_CHECK = 1,
    CALL_OWN = 2,
    CALL_CLEAR = 3,
    CALL_RECORD = 4,
    CALL_DIGEST = 5,
    CALL_LOOK_UP = 6,
    CALL_POSITIONS = 7,
};

struct target_job {
    struct target_job_options options;
    struct control_channel *channel;
    struct target_session *session;
    struct receiver_links links;
    struct applier *applier;
    struct call_worker *worker;
    struct target_record record; /* the call worker's while a call runs */
    struct plan incoming_plan;   /* on its way to the check */
    uint64_t prepared_version;   /* of the records, when the source came back */
    struct position_queue positions;
    bool prepared_waits; /* PREPARED comes when the positions are recorded */
    bool was_known;      /* the records had the job before */
    bool started;        /* the plan was accepted, blocks may come */
    bool ended;
    struct message accepted;
    uint8_t token[LINK_TOKEN_BYTES];
    uint8_t session_id[LINK_SESSION_BYTES];
    /* What the appliers have reported. */
    uint32_t flushes_missing;
    uint64_t records;
    uint64_t bytes;
    uint64_t bytes_expected;
    uint32_t finished_streams;
    uint32_t finished_metadata_streams;
    uint32_t metadata_streams;
    uint64_t delta_batches;
    bool progress_due;
    uint64_t progress_sent_ns;
    uint64_t started_ns;
    uint64_t started_sequence; /* of the store, when the ranges were checked */
    struct digest digests[HAUL_FAMILY_COUNT_MAX];
    bool scan_wanted[HAUL_FAMILY_COUNT_MAX]; /* the accumulated digest was not to be had */
};

static uint64_t now_ns(const struct target_job *job)
{
    return clock_now_ns(job->options.clock);
}

static void feed(struct target_job *job, struct target_event *event)
{
    target_session_event(job->session, event, now_ns(job));
}

static void feed_error(struct target_job *job, enum target_event_type type,
                       const struct haul_error *error)
{
    struct target_event event = {.type = type, .error = *error};
    feed(job, &event);
}

/* --- slow calls ------------------------------------------------------------------------------- */

static void call_look_up(void *context, struct haul_error *error)
{
    struct target_job *job = context;
    error->status = target_record_look_up(&job->record, target_session_hello(job->session),
                                          &job->prepared_version, error);
}

static void call_check(void *context, struct haul_error *error)
{
    struct target_job *job = context;
    error->status = target_record_check(&job->record, &job->incoming_plan, error);
    memset(&job->incoming_plan, 0, sizeof(job->incoming_plan));
}

static void call_positions(void *context, struct haul_error *error)
{
    struct target_job *job = context;
    error->status = target_record_positions(&job->record, job->positions.taken,
                                            job->positions.taken_count, error);
}

static void call_digest(void *context, struct haul_error *error)
{
    struct target_job *job = context;
    const struct plan *plan = &job->record.plan;
    error->status = HAUL_OK;
    for (uint32_t i = 0; i < plan->family_count && error->status == HAUL_OK; i++) {
        if (job->scan_wanted[i]) {
            error->status =
                target_plan_digest(job->options.target->store, plan, i, &job->digests[i], error);
        }
    }
}

static void call_record(void *context, struct haul_error *error)
{
    struct target_job *job = context;
    error->status = target_record_prepare(&job->record, target_session_prepare(job->session),
                                          job->digests, error);
}

static void call_own(void *context, struct haul_error *error)
{
    struct target_job *job = context;
    uint64_t new_version = target_session_prepare(job->session)->new_version;
    error->status = target_record_own(&job->record, new_version, error);
}

static void call_clear(void *context, struct haul_error *error)
{
    struct target_job *job = context;
    error->status = target_record_clear(&job->record, target_session_outcome(job->session), error);
}

static void submit_call(struct target_job *job, enum call_tag tag,
                        void (*run)(void *context, struct haul_error *error))
{
    struct call call = {.tag = (uint32_t)tag, .run = run, .context = job};
    call_worker_submit(job->worker, &call);
}

/* --- the job's records ------------------------------------------------------------------------ */

static void on_looked_up(struct target_job *job, const struct haul_error *error)
{
    job->links.config.epoch = job->record.epoch;
    job->was_known = job->record.phase != JOB_UNKNOWN;
    struct target_event event = {.type = TARGET_EVENT_LOOKED_UP,
                                 .error = *error,
                                 .phase = job->record.phase,
                                 .new_version = job->prepared_version,
                                 .epoch = job->record.epoch};
    feed(job, &event);
}

/* --- plan ------------------------------------------------------------------------------------- */

static void take_plan(struct target_job *job, const struct message *message)
{
    struct haul_error error = {0};
    error.status = plan_from_message(&job->incoming_plan, message, &error);
    if (error.status != HAUL_OK) {
        feed_error(job, TARGET_EVENT_CHECKED, &error);
        return;
    }
    submit_call(job, CALL_CHECK, call_check);
}

/* What the records say is done already. */
static void count_finished(struct target_job *job)
{
    const struct plan *plan = &job->record.plan;
    for (size_t i = 0; i < plan->stream_count; i++) {
        bool metadata = plan->families[plan->streams[i].family].metadata;
        bool finished = job->record.positions != NULL && job->record.positions[i].finished;
        job->metadata_streams += metadata;
        job->finished_streams += finished;
        job->finished_metadata_streams += finished && metadata;
        job->bytes_expected += plan->streams[i].bytes;
    }
    job->delta_batches = job->record.delta_next_batch;
    job->progress_due = true;
}

static void on_checked(struct target_job *job, const struct haul_error *error)
{
    if (error->status == HAUL_OK) {
        count_finished(job);
    }
    struct target_event event = {
        .type = TARGET_EVENT_CHECKED, .error = *error, .accepted = &job->accepted};
    if (error->status == HAUL_OK &&
        target_answer_accepted(&job->record, &job->accepted) != HAUL_OK) {
        haul_error_set(&event.error, HAUL_NO_MEMORY, NULL, 0, "no memory for the job");
    }
    feed(job, &event);
}

static void start_appliers(struct target_job *job)
{
    const struct haul_target_options *target = job->options.target;
    const haul_control_Hello *hello = target_session_hello(job->session);
    char text[JOB_TEXT_BYTES];
    for (size_t i = 0; i < HAUL_JOB_BYTES; i++) {
        (void)snprintf(text + 2 * i, 3, "%02x", hello->job.bytes[i]);
    }
    struct applier_options options = {
        .store = target->store,
        .plan = &job->record.plan,
        .lane = job->record.lane,
        .thread_count = target->applier_count,
        .slot_size_bytes = job->links.config.options.slot_size_bytes,
        .block_count_max = job->links.config.options.slot_count * RECEIVER_LINK_COUNT_MAX,
        .table_size_bytes = target->table_size_bytes,
        .staging_directory = job->record.staging,
        .job = text,
        .positions = job->record.positions,
        .base_digests = job->record.base_digests,
        .delta_next_batch = job->record.delta_next_batch,
        .log = target->log,
    };
    struct haul_error error = {0};
    enum haul_status status = applier_create(&options, &job->applier, &error);
    if (status == HAUL_OK) {
        status = poll_group_add_fd(job->options.group, applier_fd(job->applier));
    }
    if (status != HAUL_OK) {
        error.status = status;
        feed_error(job, TARGET_EVENT_FAILED, &error);
        return;
    }
    job->started = true;
    job->started_sequence = job->record.resumed ? target->store->ops->sequence(target->store)
                                                : job->record.checked_sequence;
    job->started_ns = now_ns(job);
}

/* --- positions -------------------------------------------------------------------------------- */

/* One call at a time; what becomes durable meanwhile goes with the next. */
static void record_positions(struct target_job *job)
{
    if (position_queue_take(&job->positions)) {
        submit_call(job, CALL_POSITIONS, call_positions);
    }
}

/* PREPARED stands behind every position that it relies on. */
static void record_prepared(struct target_job *job)
{
    record_positions(job);
    job->prepared_waits = position_queue_is_busy(&job->positions);
    if (!job->prepared_waits) {
        submit_call(job, CALL_RECORD, call_record);
    }
}

static void on_positions_recorded(struct target_job *job, const struct haul_error *error)
{
    position_queue_done(&job->positions);
    job->progress_due = true;
    job->progress_sent_ns = 0; /* the source may be waiting for this */
    if (error->status != HAUL_OK) {
        feed_error(job, TARGET_EVENT_FAILED, error);
    } else if (!job->started) {
        return; /* stopped: the records may be cleared by now */
    } else if (job->prepared_waits) {
        record_prepared(job);
    } else {
        record_positions(job);
    }
}

/* --- notes of the appliers -------------------------------------------------------------------- */

static void on_applied(struct target_job *job, const struct applier_note *note)
{
    receiver_links_on_applied(&job->links, note->link);
    job->records += note->records;
    job->bytes += note->bytes;
    job->progress_due = true;
    if (note->stream == PLAN_DELTA_STREAM) {
        job->delta_batches++;
        struct target_event event = {.type = TARGET_EVENT_APPLIED,
                                     .delta_batches = job->delta_batches};
        feed(job, &event);
    } else if (note->stream_finished) {
        job->finished_streams++;
        bool metadata =
            job->record.plan.families[job->record.plan.streams[note->stream].family].metadata;
        job->finished_metadata_streams += metadata;
        job->progress_sent_ns = 0; /* the source may be waiting for this one */
    }
}

/* Has nothing come since the Prepare? What did belongs to another one, and the appliers may be
 * changing what the digests are taken from. */
static bool is_quiet(const struct target_job *job)
{
    const haul_control_Prepare *prepare = target_session_prepare(job->session);
    return job->delta_batches == prepare->delta_batches &&
           receiver_links_unapplied(&job->links) == 0;
}

static void report_digests(struct target_job *job)
{
    struct target_event event = {.type = TARGET_EVENT_FLUSHED,
                                 .digests = is_quiet(job) ? job->digests : NULL};
    feed(job, &event);
}

/* Has anybody else written to the store meanwhile? Then what was accumulated may be wrong, unless
 * the embedder keeps others off the ranges. */
static bool has_foreign_writes(const struct target_job *job)
{
    struct haul_store *store = job->options.target->store;
    uint64_t taken = store->ops->sequence(store) - job->started_sequence;
    uint64_t ours = applier_written_records(job->applier);
    bool foreign = job->options.target->hooks.reserve == NULL && taken != ours;
    if (foreign) {
        haul_log(job->options.target->log, HAUL_LOG_INFO,
                 "others write to this database (%" PRIu64 " records): the range is scanned",
                 taken - ours);
    }
    return foreign;
}

static void on_flushed(struct target_job *job)
{
    haul_assert(job->flushes_missing > 0);
    if (--job->flushes_missing > 0) {
        return;
    }
    bool complete = true;
    if (!is_quiet(job)) {
        report_digests(job);
        return;
    }
    bool foreign = has_foreign_writes(job);
    for (uint32_t i = 0; i < job->record.plan.family_count; i++) {
        job->scan_wanted[i] =
            foreign || applier_family_digest(job->applier, i, &job->digests[i]) != HAUL_OK;
        complete = complete && !job->scan_wanted[i];
    }
    if (complete) {
        report_digests(job);
    } else {
        submit_call(job, CALL_DIGEST, call_digest);
    }
}

static void on_note(struct target_job *job, struct applier_note *note)
{
    switch (note->type) {
    case APPLIER_FREED:
        receiver_links_on_freed(&job->links, note->link, note->block);
        return;
    case APPLIER_APPLIED:
        on_applied(job, note);
        return;
    case APPLIER_DURABLE:
        position_queue_add(&job->positions, note->positions, note->position_count);
        record_positions(job);
        return;
    case APPLIER_FLUSHED:
        on_flushed(job);
        return;
    case APPLIER_FAILED:
        feed_error(job, TARGET_EVENT_FAILED, &note->error);
        return;
    }
}

/* --- actions ---------------------------------------------------------------------------------- */

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

static void stop_work(struct target_job *job)
{
    job->started = false;
    if (job->applier != NULL) {
        poll_group_remove_fd(job->options.group, applier_fd(job->applier));
        applier_destroy(job->applier);
        job->applier = NULL;
    }
    receiver_links_forget_lent(&job->links);
    receiver_links_close(&job->links);
}

static void perform(struct target_job *job, struct target_action *action)
{
    switch (action->type) {
    case TARGET_ACTION_SEND:
        send_message(job, &action->message);
        return;
    case TARGET_ACTION_LOOK_UP:
        submit_call(job, CALL_LOOK_UP, call_look_up);
        return;
    case TARGET_ACTION_CHECK:
        take_plan(job, &action->message);
        return;
    case TARGET_ACTION_START:
        start_appliers(job);
        return;
    case TARGET_ACTION_FLUSH:
        job->flushes_missing = applier_thread_count(job->applier);
        applier_flush(job->applier);
        return;
    case TARGET_ACTION_RECORD:
        record_prepared(job);
        return;
    case TARGET_ACTION_OWN:
        submit_call(job, CALL_OWN, call_own);
        return;
    case TARGET_ACTION_STOP:
        stop_work(job);
        return;
    case TARGET_ACTION_CLEAR:
        submit_call(job, CALL_CLEAR, call_clear);
        return;
    case TARGET_ACTION_END:
        job->ended = true;
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
    if (message.type == MESSAGE_LINK) {
        receiver_links_describe(&job->links, &message.as.link);
    } else {
        struct target_event session_event = {.type = TARGET_EVENT_MESSAGE, .message = &message};
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
            feed_error(job, TARGET_EVENT_CHANNEL_DOWN, &event.error);
        }
    }
    return any;
}

static bool poll_links(struct target_job *job)
{
    struct haul_error failed = {0};
    bool any = receiver_links_poll(&job->links, job->started ? job->applier : NULL, &failed);
    bool violated = failed.status == HAUL_PROTOCOL || failed.status == HAUL_CORRUPT ||
                    failed.status == HAUL_FENCED || failed.status == HAUL_VERSION;
    if (violated && job->started) {
        feed_error(job, TARGET_EVENT_FAILED, &failed);
    } else if (failed.status != HAUL_OK) {
        /* The source notices, too, and comes back or gives up. */
        haul_log(job->options.target->log, HAUL_LOG_WARNING, "a data link broke: %s", failed.text);
    }
    struct message message;
    while (receiver_links_next_message(&job->links, &message)) {
        send_message(job, &message);
        any = true;
    }
    return any;
}

static bool poll_workers(struct target_job *job)
{
    struct applier_note note;
    bool any = false;
    while (job->applier != NULL && applier_note(job->applier, &note) == HAUL_OK) {
        on_note(job, &note);
        perform_all(job);
        any = true;
    }
    struct call_result result;
    while (call_worker_result(job->worker, &result) == HAUL_OK) {
        static const enum target_event_type events[] = {
            [CALL_OWN] = TARGET_EVENT_OWNED,
            [CALL_CLEAR] = TARGET_EVENT_CLEARED,
            [CALL_RECORD] = TARGET_EVENT_RECORDED,
            [CALL_DIGEST] = TARGET_EVENT_FAILED,
        };
        if (result.tag == CALL_CHECK) {
            on_checked(job, &result.error);
        } else if (result.tag == CALL_LOOK_UP) {
            on_looked_up(job, &result.error);
        } else if (result.tag == CALL_POSITIONS) {
            on_positions_recorded(job, &result.error);
        } else if (result.tag == CALL_DIGEST && result.error.status == HAUL_OK) {
            report_digests(job);
        } else {
            feed_error(job, events[result.tag], &result.error);
        }
        any = true;
    }
    return any;
}

static void send_progress(struct target_job *job)
{
    uint64_t now = now_ns(job);
    uint64_t interval = (uint64_t)PROGRESS_INTERVAL_MS * NS_PER_MS;
    if (!job->progress_due || !job->started || now - job->progress_sent_ns < interval) {
        return;
    }
    struct message message;
    message_init(&message, MESSAGE_PROGRESS);
    message.as.progress = (haul_control_Progress){
        .applied_records = job->records,
        .applied_bytes = job->bytes,
        /* Deltas come behind it: a resume has to know that all streams lie under them. */
        .snapshot_complete = job->finished_streams == job->record.plan.stream_count &&
                             !position_queue_is_busy(&job->positions),
        .metadata_complete = job->finished_metadata_streams == job->metadata_streams,
        .delta_applied_batches = job->delta_batches,
    };
    job->progress_due = false;
    job->progress_sent_ns = now;
    send_message(job, &message);
}

bool target_job_poll(struct target_job *job)
{
    bool any = poll_channel(job);
    any = poll_links(job) || any;
    any = poll_workers(job) || any;
    struct target_event tick = {.type = TARGET_EVENT_TICK};
    feed(job, &tick);
    perform_all(job);
    send_progress(job);
    return any;
}

uint64_t target_job_deadline_ns(const struct target_job *job)
{
    uint64_t deadline = target_session_deadline_ns(job->session);
    uint64_t progress = job->progress_due && job->started
                            ? job->progress_sent_ns + (uint64_t)PROGRESS_INTERVAL_MS * NS_PER_MS
                            : CLOCK_NEVER;
    return deadline < progress ? deadline : progress;
}

void target_job_cancel(struct target_job *job)
{
    struct haul_error error = {0};
    haul_error_set(&error, HAUL_CANCELLED, NULL, 0, "cancelled by the target's operator");
    feed_error(job, TARGET_EVENT_CANCEL, &error);
}

bool target_job_has_ended(const struct target_job *job)
{
    /* The last words are on their way as long as the channel has bytes of them. */
    return job->ended && (job->channel == NULL || control_channel_pending_bytes(job->channel) == 0);
}

bool target_job_is_resumable(const struct target_job *job)
{
    enum haul_status outcome = target_session_outcome(job->session)->status;
    return outcome == HAUL_CLOSED || outcome == HAUL_IN_DOUBT;
}

void target_job_address(const struct target_job *job, struct link_address *local)
{
    control_channel_local(job->channel, local);
}

bool target_job_was_accepted(const struct target_job *job)
{
    return job->started_ns > 0 || job->was_known;
}

/* --- admitting links -------------------------------------------------------------------------- */

enum haul_status target_job_admits(const struct target_job *job, const struct link_ticket *ticket)
{
    bool known = memcmp(ticket->session, job->session_id, LINK_SESSION_BYTES) == 0 &&
                 memcmp(ticket->token, job->token, LINK_TOKEN_BYTES) == 0;
    if (!known || !job->started) {
        return HAUL_AUTH;
    }
    return link_index_place(ticket->index) < LINK_COUNT_MAX ? HAUL_OK : HAUL_BUSY;
}

void target_job_admit(struct target_job *job, struct tcp_listener *tcp, struct listener *verbs,
                      struct link_incoming *incoming)
{
    receiver_links_admit(&job->links, tcp, verbs, incoming);
}

/* --- reporting -------------------------------------------------------------------------------- */

void target_job_progress(const struct target_job *job, struct haul_progress *progress)
{
    struct haul_link_stats stats;
    receiver_links_stats(&job->links, &stats);
    *progress = (struct haul_progress){
        .phase = target_state_phase(target_session_state(job->session)),
        .transport = job->links.transport,
        .records = job->records,
        .bytes = job->bytes,
        .wire_bytes = stats.bytes_received,
        .bytes_expected = job->bytes_expected,
    };
    if (job->started_ns > 0) {
        progress->seconds = (double)(now_ns(job) - job->started_ns) / (double)NS_PER_S;
    }
}

void target_job_result(const struct target_job *job, struct haul_result *result)
{
    result->error = *target_session_outcome(job->session);
    result->status = result->error.status;
    target_job_progress(job, &result->progress);
    receiver_links_stats(&job->links, &result->link);
    memcpy(result->job, target_session_hello(job->session)->job.bytes, HAUL_JOB_BYTES);
    result->verified = result->status == HAUL_OK;
    result->lane = job->record.lane;
    result->old_version = job->record.plan.old_version;
    result->new_version = job->record.plan.new_version;
    if (job->options.rdma_refusal[0] != '\0') {
        (void)snprintf(result->fallback_reason, sizeof(result->fallback_reason), "%s",
                       job->options.rdma_refusal);
    }
    result->family_count = job->record.plan.family_count;
    for (size_t i = 0; i < job->record.plan.family_count; i++) {
        struct haul_family_result *family = &result->families[i];
        (void)snprintf(family->name, sizeof(family->name), "%s",
                       job->record.plan.families[i].family.name);
        family->records = job->digests[i].count;
        family->bytes = job->digests[i].bytes;
        digest_format(&job->digests[i], family->digest);
    }
}

/* --- life ------------------------------------------------------------------------------------- */

static enum haul_status create_session(struct target_job *job, struct haul_error *error)
{
    const struct haul_target_options *target = job->options.target;
    uint64_t version = 0;
    bool known = false;
    enum haul_status status =
        version_record_get(target->store, &target->hooks, &version, &known, error);
    if (status != HAUL_OK) {
        return status;
    }
    job->record.recorded_version = version;
    struct target_session_options options = {
        .config_version = target->keep_versions ? target->config_version : version,
        .config_version_known = known || target->keep_versions,
        .peer_timeout_ms = target->link.peer_timeout_ms,
        .secret = target->secret,
    };
    if (migration_random(job->token, sizeof(job->token)) != HAUL_OK ||
        migration_random(job->session_id, sizeof(job->session_id)) != HAUL_OK) {
        return haul_error_set(error, HAUL_IO, "getrandom", 0, "no random number for a token");
    }
    struct target_greeting greeting = {
        .target = target,
        .token = job->token,
        .session_id = job->session_id,
        .rdma_offered = job->options.rdma_offered,
        .rdma_refusal = job->options.rdma_refusal,
        .config_version = options.config_version,
        .config_version_known = options.config_version_known,
    };
    target_answer_welcome(&greeting, &options.welcome);
    status = target_session_create(&options, now_ns(job), &job->session);
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
    target_record_init(&job->record, options->target);
    struct link_config config = {
        .options = options->target->link, .clock = options->clock, .log = options->target->log};
    receiver_links_init(&job->links, options->group, &config, options->target->log);
    enum haul_status status = control_channel_adopt(fd, &config, &job->channel, error);
    if (status == HAUL_OK) {
        status = poll_group_add_control(options->group, job->channel);
    }
    if (status == HAUL_OK) {
        status = create_session(job, error);
    }
    if (status == HAUL_OK) {
        status = call_worker_create(&job->worker, error);
    }
    if (status == HAUL_OK) {
        status = poll_group_add_fd(options->group, call_worker_fd(job->worker));
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
    stop_work(job);
    receiver_links_fini(&job->links);
    if (job->worker != NULL) {
        poll_group_remove_fd(job->options.group, call_worker_fd(job->worker));
        call_worker_destroy(job->worker);
    }
    if (job->channel != NULL) {
        poll_group_remove_control(job->options.group, job->channel);
        control_channel_destroy(job->channel);
    }
    target_session_destroy(job->session);
    message_release(&job->accepted);
    plan_fini(&job->incoming_plan);
    position_queue_fini(&job->positions);
    target_record_fini(&job->record);
    free(job);
}
