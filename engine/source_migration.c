/* SPDX-License-Identifier: Apache-2.0 */
/* source_migration.c — the giving end: one loop thread that performs what the session asks for.
 *
 *   readers --filled blocks--> outbox --> sender_links --> target
 *      ^ tasks                                    |
 *      |                                          v DONE: blocks go back to the pool
 *   loop thread: control channel <-> source_session <-> actions, results, ticks
 *
 * The session decides, this file does: it never looks at the session's state but to report it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "assertion.h"
#include "call_worker.h"
#include "log_tail.h"
#include "migration_thread.h"
#include "reader_pool.h"
#include "sender_links.h"
#include "source_session.h"
#include "version_record.h"

enum {
    LINK_COUNT_DEFAULT = 1,
    FREEZE_MAX_MS_DEFAULT = 500,
    LAG_BYTES_MAX_DEFAULT = 1 << 20,
    /* Sub-ranges are about so large: a reader each, and a few files each on the target. */
    STREAM_BYTES = 256 << 20,
    PROGRESS_INTERVAL_MS = 100,
};

enum call_tag { CALL_FREEZE = 1, CALL_DECIDE = 2 };

struct source_migration {
    struct haul_migration base;
    struct haul_source_options options; /* resolved */
    const struct haul_clock *clock;
    struct plan plan;
    struct haul_snapshot *snapshot;
    uint64_t snapshot_sequence;
    bool wal_pinned;
    struct outbox outbox;
    struct log_tail *tail;
    struct reader_pool *readers;
    struct call_worker *worker;
    struct poll_group *group;
    struct control_channel *channel;
    struct sender_links links;
    struct source_session *session;
    struct link_address address;
    uint64_t recorded_version; /* beside the database, when the job began */
    uint64_t started_ns;
    uint64_t published_ns;
    uint64_t bytes_expected;
    /* The copy: streams of metadata families first. */
    uint32_t next_stream;
    uint32_t copied_streams;
    uint32_t running_tasks;
    bool copying;
    bool copied_reported;
    struct digest *stream_digests;
    struct digest *family_digests;
    uint32_t digests_missing; /* families still being scanned */
    uint64_t snapshot_records;
    bool links_up_reported;
    bool links_down_reported;
    bool cancel_reported;
    bool ended;
};

static uint64_t now_ns(const struct source_migration *source)
{
    return clock_now_ns(source->clock);
}

static void feed(struct source_migration *source, struct source_event *event)
{
    source_session_event(source->session, event, now_ns(source));
}

static void feed_error(struct source_migration *source, enum source_event_type type,
                       const struct haul_error *error)
{
    struct source_event event = {.type = type, .error = *error};
    feed(source, &event);
}

/* --- copying ---------------------------------------------------------------------------------- */

/* Start as many streams as readers; those behind the metadata wait until the target has it. */
static void start_streams(struct source_migration *source)
{
    bool metadata_done = source->plan.families[0].metadata == false ||
                         source_session_progress(source->session)->metadata_complete;
    while (source->copying && source->next_stream < source->plan.stream_count &&
           source->running_tasks < source->options.reader_count) {
        const struct plan_stream *stream = &source->plan.streams[source->next_stream];
        if (!source->plan.families[stream->family].metadata && !metadata_done) {
            return;
        }
        struct reader_task task = {.type = READER_COPY, .index = source->next_stream};
        enum haul_status status = reader_pool_submit(source->readers, &task);
        haul_assert(status == HAUL_OK);
        source->next_stream++;
        source->running_tasks++;
    }
}

static void check_copied(struct source_migration *source)
{
    if (source->copying && !source->copied_reported &&
        source->copied_streams == source->plan.stream_count &&
        sender_links_is_idle(&source->links)) {
        source->copied_reported = true;
        struct source_event event = {.type = SOURCE_EVENT_COPIED};
        feed(source, &event);
    }
}

static void on_copied(struct source_migration *source, const struct reader_result *result)
{
    source->running_tasks--;
    if (result->error.status != HAUL_OK) {
        feed_error(source, SOURCE_EVENT_FAILED, &result->error);
        return;
    }
    source->stream_digests[result->index] = result->digest;
    source->snapshot_records += result->digest.count;
    source->copied_streams++;
    haul_log(source->options.log, HAUL_LOG_DEBUG, "stream %u copied: %llu records in %llu batches",
             result->index, (unsigned long long)result->digest.count,
             (unsigned long long)result->batches);
}

/* --- digests ---------------------------------------------------------------------------------- */

static void report_digests(struct source_migration *source)
{
    if (source->digests_missing == 0) {
        struct source_event event = {.type = SOURCE_EVENT_DIGESTED,
                                     .digests = source->family_digests};
        feed(source, &event);
    }
}

/* What was copied plus what the log has changed; a family whose ledger gave up is scanned. */
static void start_digest(struct source_migration *source)
{
    source->digests_missing = 0;
    for (uint32_t family = 0; family < source->plan.family_count; family++) {
        struct digest *digest = &source->family_digests[family];
        memset(digest, 0, sizeof(*digest));
        for (size_t i = 0; i < source->plan.stream_count; i++) {
            if (source->plan.streams[i].family == family) {
                digest_join(digest, &source->stream_digests[i]);
            }
        }
        if (log_tail_join_digest(source->tail, family, digest) != HAUL_OK) {
            struct reader_task task = {.type = READER_DIGEST, .index = family};
            enum haul_status status = reader_pool_submit(source->readers, &task);
            haul_assert(status == HAUL_OK);
            source->digests_missing++;
        }
    }
    report_digests(source);
}

static void on_digest(struct source_migration *source, const struct reader_result *result)
{
    if (result->error.status != HAUL_OK) {
        feed_error(source, SOURCE_EVENT_FAILED, &result->error);
        return;
    }
    source->family_digests[result->index] = result->digest;
    source->digests_missing--;
    report_digests(source);
}

/* --- calls that may take their time ------------------------------------------------------------ */

static void call_freeze(void *context, struct haul_error *error)
{
    struct source_migration *source = context;
    const struct haul_hooks *hooks = &source->options.hooks;
    if (hooks->freeze != NULL) {
        error->status = hooks->freeze(hooks->context, source->options.freeze_max_ms, error);
    }
}

/* The decision: the config version moves from old to new, if it still is the old one. */
static void call_decide(void *context, struct haul_error *error)
{
    struct source_migration *source = context;
    struct version_swap swap = {.outcome = VERSION_RELEASED,
                                .job = source->base.result.job,
                                .plan = &source->plan,
                                .expected = source->recorded_version,
                                .next = source->plan.new_version,
                                .epoch = source->outbox.epoch};
    error->status =
        version_record_swap(source->options.store, &source->options.hooks, &swap, error);
}

static void submit_call(struct source_migration *source, enum call_tag tag,
                        void (*run)(void *context, struct haul_error *error))
{
    struct call call = {.tag = (uint32_t)tag, .run = run, .context = source};
    call_worker_submit(source->worker, &call);
}

static void on_call(struct source_migration *source, const struct call_result *result)
{
    feed_error(source, result->tag == CALL_FREEZE ? SOURCE_EVENT_FROZEN : SOURCE_EVENT_DECIDED,
               &result->error);
}

static void on_result(struct source_migration *source, const struct reader_result *result)
{
    struct source_event event = {.error = result->error,
                                 .bytes = result->bytes,
                                 .sequence = result->sequence,
                                 .batches = result->batches};
    switch (result->type) {
    case READER_COPY:
        on_copied(source, result);
        return;
    case READER_DIGEST:
        on_digest(source, result);
        return;
    case READER_ROUND:
        event.type = result->error.status == HAUL_OK ? SOURCE_EVENT_ROUND_DONE
                                                     : SOURCE_EVENT_FAILED;
        feed(source, &event);
        return;
    }
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

static void open_links(struct source_migration *source)
{
    const haul_control_Welcome *welcome = source_session_welcome(source->session);
    struct link_ticket ticket = {.version_min = 0};
    memcpy(ticket.session, welcome->session.bytes, LINK_SESSION_BYTES);
    memcpy(ticket.token, welcome->token.bytes, LINK_TOKEN_BYTES);
    sender_links_open(&source->links, &ticket, welcome->rdma_offered, welcome->rdma_refusal);
}

static void stop_work(struct source_migration *source)
{
    source->copying = false;
    reader_pool_stop(source->readers);
    outbox_close(&source->outbox);
    sender_links_close(&source->links);
}

static void perform(struct source_migration *source, struct source_action *action)
{
    const struct haul_hooks *hooks = &source->options.hooks;
    struct reader_task round = {.type = READER_ROUND};
    switch (action->type) {
    case SOURCE_ACTION_SEND:
        send_message(source, &action->message);
        return;
    case SOURCE_ACTION_OPEN_LINKS:
        open_links(source);
        return;
    case SOURCE_ACTION_START_COPY:
        source->copying = true;
        return;
    case SOURCE_ACTION_ROUND:
        haul_assert(reader_pool_submit(source->readers, &round) == HAUL_OK);
        return;
    case SOURCE_ACTION_FREEZE:
        submit_call(source, CALL_FREEZE, call_freeze);
        return;
    case SOURCE_ACTION_UNFREEZE:
        if (hooks->unfreeze != NULL) {
            hooks->unfreeze(hooks->context);
        }
        return;
    case SOURCE_ACTION_DIGEST:
        start_digest(source);
        return;
    case SOURCE_ACTION_DECIDE:
        submit_call(source, CALL_DECIDE, call_decide);
        return;
    case SOURCE_ACTION_RELEASE:
        if (hooks->release != NULL) {
            hooks->release(hooks->context, source->plan.new_version);
        }
        return;
    case SOURCE_ACTION_STOP:
        stop_work(source);
        return;
    case SOURCE_ACTION_END:
        source->ended = true;
        return;
    }
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
    if (message.type == MESSAGE_LINK) {
        sender_links_describe(&source->links, &message.as.link);
    } else {
        struct source_event session_event = {.type = SOURCE_EVENT_MESSAGE, .message = &message};
        feed(source, &session_event);
    }
    message_release(&message);
}

static bool poll_channel(struct source_migration *source)
{
    struct control_event event;
    bool any = false;
    while (source->channel != NULL && control_channel_poll(source->channel, &event)) {
        any = true;
        if (event.type == CONTROL_CONNECTED) {
            control_channel_trust(source->channel);
            struct source_event up = {.type = SOURCE_EVENT_CHANNEL_UP};
            feed(source, &up);
        } else if (event.type == CONTROL_MESSAGE) {
            on_control_message(source, &event);
        } else {
            poll_group_remove_control(source->group, source->channel);
            control_channel_destroy(source->channel);
            source->channel = NULL;
            feed_error(source, SOURCE_EVENT_CHANNEL_DOWN, &event.error);
        }
    }
    return any;
}

static bool poll_links(struct source_migration *source)
{
    bool any = sender_links_poll(&source->links);
    struct message message;
    while (sender_links_next_message(&source->links, &message)) {
        send_message(source, &message);
        any = true;
    }
    if (source->links.state == SENDER_LINKS_UP && !source->links_up_reported) {
        source->links_up_reported = true;
        struct source_event event = {.type = SOURCE_EVENT_LINKS_UP};
        feed(source, &event);
    }
    if (source->links.state == SENDER_LINKS_DOWN && !source->links_down_reported) {
        source->links_down_reported = true;
        feed_error(source, SOURCE_EVENT_FAILED, &source->links.error);
    }
    return any;
}

static bool poll_readers(struct source_migration *source)
{
    struct reader_result result;
    bool any = false;
    while (reader_pool_result(source->readers, &result) == HAUL_OK) {
        on_result(source, &result);
        any = true;
    }
    struct call_result call;
    while (call_worker_result(source->worker, &call) == HAUL_OK) {
        on_call(source, &call);
        any = true;
    }
    start_streams(source);
    check_copied(source);
    return any;
}

static bool poll_session(struct source_migration *source)
{
    if (migration_is_cancelled(&source->base) && !source->cancel_reported) {
        source->cancel_reported = true;
        poll_group_remove_fd(source->group, source->base.cancel_fd);
        struct source_event event = {.type = SOURCE_EVENT_CANCEL};
        haul_error_set(&event.error, HAUL_CANCELLED, NULL, 0, "cancelled by the operator");
        feed(source, &event);
    }
    struct source_event tick = {.type = SOURCE_EVENT_TICK};
    feed(source, &tick);
    struct source_action action;
    bool any = false;
    while (source_session_action(source->session, &action)) {
        perform(source, &action);
        any = true;
    }
    return any;
}

static enum haul_phase phase_of(enum source_state state)
{
    switch (state) {
    case SOURCE_CONNECTING:
    case SOURCE_GREETING:
        return HAUL_PHASE_CONNECTING;
    case SOURCE_PLANNING:
    case SOURCE_LINKING:
        return HAUL_PHASE_PLANNING;
    case SOURCE_COPYING:
        return HAUL_PHASE_COPYING;
    case SOURCE_CATCHING_UP:
        return HAUL_PHASE_CATCHING_UP;
    case SOURCE_FREEZING:
    case SOURCE_DRAINING:
    case SOURCE_PREPARING:
    case SOURCE_DECIDING:
        return HAUL_PHASE_FROZEN;
    case SOURCE_COMMITTING:
        return HAUL_PHASE_COMMITTING;
    case SOURCE_ABORTING:
        return HAUL_PHASE_ABORTING;
    case SOURCE_ENDED:
        return HAUL_PHASE_ENDED;
    }
    return HAUL_PHASE_ENDED;
}

static void fill_progress(struct source_migration *source, struct haul_progress *progress)
{
    struct source_session_figures figures;
    struct haul_link_stats stats;
    source_session_figures(source->session, &figures);
    sender_links_stats(&source->links, &stats);
    *progress = (struct haul_progress){
        .phase = phase_of(source_session_state(source->session)),
        .transport = source->links.transport,
        .records = source->links.submitted_records,
        .bytes = source->links.submitted_bytes,
        .bytes_expected = source->bytes_expected,
        .wire_bytes = stats.bytes_sent,
        .lag_bytes = figures.lag_bytes,
        .rounds = figures.rounds,
        .seconds = (double)(now_ns(source) - source->started_ns) / (double)NS_PER_S,
    };
}

static void publish(struct source_migration *source)
{
    uint64_t now = now_ns(source);
    if (now - source->published_ns >= (uint64_t)PROGRESS_INTERVAL_MS * NS_PER_MS) {
        source->published_ns = now;
        struct haul_progress progress;
        fill_progress(source, &progress);
        migration_publish(&source->base, &progress);
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
    sender_links_stats(&source->links, &result->link);
    result->verified = figures.verified;
    result->lag_bytes_at_freeze = figures.lag_bytes_at_freeze;
    result->old_version = source->plan.old_version;
    result->new_version = source->plan.new_version;
    result->lane = (enum haul_lane)source_session_accepted(source->session)->lane;
    if (figures.freeze_ended_ns > figures.freeze_started_ns) {
        result->write_pause_ms =
            (double)(figures.freeze_ended_ns - figures.freeze_started_ns) / NS_PER_MS;
    }
    (void)snprintf(result->fallback_reason, sizeof(result->fallback_reason), "%s",
                   source->links.fallback_reason);
    result->family_count = source->plan.family_count;
    uint64_t bytes = 0;
    for (size_t i = 0; i < source->plan.family_count; i++) {
        struct haul_family_result *family = &result->families[i];
        (void)snprintf(family->name, sizeof(family->name), "%s",
                       source->plan.families[i].family.name);
        family->records = source->family_digests[i].count;
        family->bytes = source->family_digests[i].bytes;
        digest_format(&source->family_digests[i], family->digest);
        bytes += family->bytes;
    }
    if (result->status == HAUL_OK) {
        result->progress.bytes = bytes;
    }
}

static void run_source(struct haul_migration *migration)
{
    struct source_migration *source = (struct source_migration *)migration;
    while (!source->ended) {
        bool any = poll_channel(source);
        any = poll_links(source) || any;
        any = poll_readers(source) || any;
        any = poll_session(source) || any;
        publish(source);
        uint64_t deadline = source_session_deadline_ns(source->session);
        uint64_t tick = now_ns(source) + (uint64_t)PROGRESS_INTERVAL_MS * NS_PER_MS;
        uint64_t rate = sender_links_deadline_ns(&source->links);
        tick = rate < tick ? rate : tick;
        (void)poll_group_wait(source->group, any || source->ended,
                              deadline < tick ? deadline : tick);
    }
    fill_result(source);
}

/* --- setting up ------------------------------------------------------------------------------- */

static void destroy_source(struct haul_migration *migration)
{
    struct source_migration *source = (struct source_migration *)migration;
    const struct haul_store_ops *ops = source->options.store->ops;
    if (source->readers != NULL) {
        stop_work(source);
    }
    reader_pool_destroy(source->readers);
    call_worker_destroy(source->worker);
    log_tail_destroy(source->tail);
    sender_links_fini(&source->links);
    if (source->channel != NULL) {
        poll_group_remove_control(source->group, source->channel);
        control_channel_destroy(source->channel);
    }
    source_session_destroy(source->session);
    poll_group_destroy(source->group);
    outbox_fini(&source->outbox);
    if (source->snapshot != NULL) {
        ops->snapshot_close(source->options.store, source->snapshot);
    }
    if (source->wal_pinned) {
        ops->wal_unpin(source->options.store);
    }
    plan_fini(&source->plan);
    free(source->stream_digests);
    free(source->family_digests);
    migration_fini(&source->base);
    free(source);
}

static uint64_t or_default(uint64_t value, uint64_t otherwise)
{
    return value == 0 ? otherwise : value;
}

static enum haul_status resolve_options(struct source_migration *source,
                                        const struct haul_source_options *given,
                                        struct haul_error *error)
{
    struct haul_source_options *options = &source->options;
    *options = *given;
    struct haul_link_options *link = &options->link;
    link->slot_count = (uint32_t)or_default(link->slot_count, HAUL_SLOT_COUNT_DEFAULT);
    link->slot_size_bytes =
        (uint32_t)or_default(link->slot_size_bytes, HAUL_SLOT_SIZE_BYTES_DEFAULT);
    link->peer_timeout_ms =
        (uint32_t)or_default(link->peer_timeout_ms, HAUL_PEER_TIMEOUT_MS_DEFAULT);
    options->link_count = (uint32_t)or_default(options->link_count, LINK_COUNT_DEFAULT);
    options->reader_count = (uint32_t)or_default(options->reader_count, 1);
    options->freeze_max_ms = (uint32_t)or_default(options->freeze_max_ms, FREEZE_MAX_MS_DEFAULT);
    options->lag_bytes_max = or_default(options->lag_bytes_max, LAG_BYTES_MAX_DEFAULT);
    options->batch_size_bytes_min = (uint32_t)or_default(options->batch_size_bytes_min,
                                                         HAUL_BATCH_SIZE_BYTES_MIN_DEFAULT);
    options->batch_size_bytes_max = (uint32_t)or_default(options->batch_size_bytes_max,
                                                         HAUL_BATCH_SIZE_BYTES_MAX_DEFAULT);
    if (options->link_count > SENDER_LINK_COUNT_MAX || options->reader_count > READER_COUNT_MAX ||
        options->batch_size_bytes_min > options->batch_size_bytes_max) {
        return haul_error_set(error, HAUL_INVALID, NULL, 0,
                              "at most %d links and %d readers, and batch sizes min <= max",
                              SENDER_LINK_COUNT_MAX, READER_COUNT_MAX);
    }
    return link_address_parse(options->to, &source->address, error);
}

/* The view that is copied, and the plan over it. */
static enum haul_status take_view(struct source_migration *source, struct haul_error *error)
{
    struct haul_store *store = source->options.store;
    enum haul_status status = HAUL_OK;
    if ((store->ops->features(store) & HAUL_STORE_WAL) != 0) {
        status = store->ops->wal_pin(store, error);
        source->wal_pinned = status == HAUL_OK;
    }
    if (status == HAUL_OK) {
        status = store->ops->snapshot_open(store, &source->snapshot, &source->snapshot_sequence,
                                           error);
    }
    if (status == HAUL_OK) {
        status = plan_make(&source->plan, store, &source->options, STREAM_BYTES, error);
    }
    if (status != HAUL_OK) {
        return status;
    }
    for (size_t i = 0; i < source->plan.stream_count; i++) {
        source->bytes_expected += source->plan.streams[i].bytes;
    }
    source->stream_digests = calloc(source->plan.stream_count, sizeof(struct digest));
    source->family_digests = calloc(source->plan.family_count, sizeof(struct digest));
    if (source->stream_digests == NULL || source->family_digests == NULL) {
        return haul_error_set(error, HAUL_NO_MEMORY, "calloc", 0, "no memory for the digests");
    }
    return HAUL_OK;
}

static enum haul_status create_readers(struct source_migration *source, struct haul_error *error)
{
    const struct haul_source_options *options = &source->options;
    enum haul_status status =
        outbox_init(&source->outbox, options->link.slot_count * options->link_count,
                    options->link.slot_size_bytes, 1, error);
    struct log_tail_options tail = {.store = options->store,
                                    .plan = &source->plan,
                                    .outbox = &source->outbox,
                                    .sequence = source->snapshot_sequence,
                                    .snapshot = source->snapshot,
                                    .hooks = &source->options.hooks};
    if (status == HAUL_OK) {
        status = log_tail_create(&tail, &source->tail, error);
    }
    struct reader_pool_options readers = {.store = options->store,
                                          .snapshot = source->snapshot,
                                          .plan = &source->plan,
                                          .outbox = &source->outbox,
                                          .tail = source->tail,
                                          .thread_count = options->reader_count,
                                          .task_count_max = HAUL_FAMILY_COUNT_MAX + 64};
    if (status == HAUL_OK) {
        status = reader_pool_create(&readers, &source->readers, error);
    }
    return status == HAUL_OK ? call_worker_create(&source->worker, error) : status;
}

static enum haul_status create_session(struct source_migration *source, bool version_known,
                                       struct haul_error *error)
{
    struct haul_store *store = source->options.store;
    struct source_session_options options = {
        .plan = &source->plan,
        .source = source->options,
        .epoch = 1,
        .identity = store->ops->identity(store),
        .config_version_known = version_known,
        .peer_timeout_ms = source->options.link.peer_timeout_ms,
    };
    static const uint8_t none[HAUL_JOB_BYTES];
    memcpy(options.job, source->options.job, HAUL_JOB_BYTES);
    if (memcmp(options.job, none, HAUL_JOB_BYTES) == 0 &&
        migration_random(options.job, HAUL_JOB_BYTES) != HAUL_OK) {
        return haul_error_set(error, HAUL_IO, "getrandom", 0, "no random number for the job");
    }
    memcpy(source->base.result.job, options.job, HAUL_JOB_BYTES);
    enum haul_status status = source_session_create(&options, &source->session);
    return status == HAUL_OK
               ? status
               : haul_error_set(error, status, NULL, 0, "no memory for the session");
}

static enum haul_status create_paths(struct source_migration *source, struct haul_error *error)
{
    const struct haul_source_options *options = &source->options;
    enum haul_status status =
        poll_group_create(options->link.spin_us, source->clock, &source->group);
    if (status != HAUL_OK) {
        return haul_error_set(error, status, NULL, 0, "cannot create the loop");
    }
    struct sender_links_options links = {
        .address = source->address,
        .mode = options->mode,
        .config = {.options = options->link,
                   .epoch = source->outbox.epoch,
                   .clock = source->clock,
                   .log = options->log},
        .link_count = options->link_count,
        .batch_bytes_min = options->batch_size_bytes_min,
        .batch_bytes_max = options->batch_size_bytes_max,
        .rate_bytes_per_second = options->rate_bytes_per_second,
        .clock = source->clock,
        .group = source->group,
        .log = options->log,
    };
    status = sender_links_init(&source->links, &links, &source->outbox);
    if (status != HAUL_OK) {
        return haul_error_set(error, status, NULL, 0, "no memory for the links");
    }
    struct link_ticket ticket = {.version_min = 0};
    memcpy(ticket.session, source->base.result.job, LINK_SESSION_BYTES);
    status = control_channel_connect(&source->address, &ticket, &links.config, &source->channel,
                                     error);
    if (status == HAUL_OK) {
        status = poll_group_add_control(source->group, source->channel);
    }
    if (status == HAUL_OK) {
        status = poll_group_add_fd(source->group, source->base.cancel_fd);
    }
    if (status == HAUL_OK) {
        status = poll_group_add_fd(source->group, reader_pool_fd(source->readers));
    }
    if (status == HAUL_OK) {
        status = poll_group_add_fd(source->group, call_worker_fd(source->worker));
    }
    if (status == HAUL_OK) {
        status = poll_group_add_fd(source->group, mailbox_fd(source->outbox.filled));
    }
    return status;
}

static enum haul_status set_up(struct source_migration *source,
                               const struct haul_source_options *options,
                               struct haul_error *error)
{
    bool version_known = false;
    uint64_t version = 0;
    enum haul_status status = resolve_options(source, options, error);
    if (status == HAUL_OK) {
        status = migration_init(&source->base, error);
    }
    if (status == HAUL_OK) {
        status = version_record_get(options->store, &options->hooks, &version, &version_known,
                                    error);
    }
    source->recorded_version = version;
    if (status == HAUL_OK && options->keep_versions) {
        version = options->config_version;
        version_known = true;
    }
    if (status == HAUL_OK) {
        status = take_view(source, error);
    }
    source->plan.old_version = version;
    source->plan.new_version = version + 1;
    if (status == HAUL_OK) {
        status = create_readers(source, error);
    }
    if (status == HAUL_OK) {
        status = create_session(source, version_known, error);
    }
    return status == HAUL_OK ? create_paths(source, error) : status;
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
    source->clock = &clock_monotonic;
    source->options.store = options->store;
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
