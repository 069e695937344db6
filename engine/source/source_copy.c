/* SPDX-License-Identifier: Apache-2.0 */
/* source_copy.c — passes streams to readers, blocks to links, results to the session. */
#include "source_copy.h"

#include <stdlib.h>
#include <string.h>

#include "assertion.h"
#include "planted_bug.h"

enum {
    NEAR_ROUND_TRIP_US = 1000,
    FAR_ROUND_TRIP_US = 5000,
    FOLLOW_RECORDS_MIN = 10000, /* read the log ahead for the digests after this many records */
};

/* --- life ------------------------------------------------------------------------------------- */

static enum haul_status create_tail(struct source_copy *copy, struct haul_error *error)
{
    struct log_tail_options tail = {.store = copy->options.store,
                                    .plan = copy->options.plan,
                                    .outbox = &copy->outbox,
                                    .sequence = copy->options.log_sequence,
                                    .adopted = copy->options.adopted,
                                    .foreign_ingests = copy->options.foreign_ingests,
                                    .hooks = &copy->options.source->hooks};
    return log_tail_create(&tail, &copy->tail, error);
}

static enum haul_status create_follower(struct source_copy *copy, struct haul_error *error)
{
    struct log_digest_options follower = {.store = copy->options.store,
                                          .plan = copy->options.plan,
                                          .snapshot = copy->options.snapshot,
                                          .sequence = copy->options.snapshot_sequence};
    return log_digest_create(&follower, &copy->follower, error);
}

static enum haul_status init_links(struct source_copy *copy, struct haul_error *error)
{
    const struct haul_source_options *source = copy->options.source;
    struct sender_links_options links = {
        .address = copy->options.address,
        .transports = source->transports,
        .config = {.options = source->link,
                   .epoch = copy->options.epoch,
                   .clock = copy->options.clock,
                   .log = source->log},
        .link_count = source->link_count,
        .batch_bytes_min = source->batch_size_bytes_min,
        .batch_bytes_max = source->batch_size_bytes_max,
        .rate_bytes_per_second = source->rate_bytes_per_second,
        .rate = source->rate,
        .clock = copy->options.clock,
        .group = copy->options.group,
        .log = source->log,
    };
    enum haul_status status = sender_links_init(&copy->links, &links, &copy->outbox);
    return status == HAUL_OK ? status
                             : haul_error_set(error, status, NULL, 0, "no memory for the links");
}

enum haul_status source_copy_init(struct source_copy *copy,
                                  const struct source_copy_options *options,
                                  struct haul_error *error)
{
    memset(copy, 0, sizeof(*copy));
    copy->options = *options;
    copy->reader_count = options->source->reader_count;
    size_t streams = options->plan->stream_count;
    copy->histories = calloc(streams, sizeof(*copy->histories));
    copy->stream_digests = calloc(streams, sizeof(*copy->stream_digests));
    copy->stream_done = calloc(streams, sizeof(*copy->stream_done));
    copy->family_digests = calloc(options->plan->family_count, sizeof(*copy->family_digests));
    if (copy->histories == NULL || copy->stream_digests == NULL || copy->stream_done == NULL ||
        copy->family_digests == NULL) {
        return haul_error_set(error, HAUL_NO_MEMORY, "calloc", 0, "no memory for the copy");
    }
    enum haul_status status = source_copy_open(copy, error);
    if (status == HAUL_OK) {
        status = create_tail(copy, error);
    }
    if (status == HAUL_OK) {
        status = create_follower(copy, error);
    }
    return status == HAUL_OK ? init_links(copy, error) : status;
}

void source_copy_note_distance(struct source_copy *copy, uint32_t round_trip_us)
{
    const struct haul_source_options *source = copy->options.source;
    uint32_t links = source->link_count;
    if (copy->options.chooses_links && round_trip_us < FAR_ROUND_TRIP_US) {
        links = 1;
    }
    copy->links.is_far = round_trip_us >= FAR_ROUND_TRIP_US;
    copy->links.is_near = copy->options.chooses_window && round_trip_us < NEAR_ROUND_TRIP_US;
    sender_links_use(&copy->links, links);
    /* A stream uses one link: fewer readers than links would leave some idle. */
    bool more = copy->options.chooses_readers && links > source->reader_count;
    copy->reader_count = more ? links : source->reader_count;
}

void source_copy_note_compression(struct source_copy *copy, bool offered, bool target_reports)
{
    static const enum pack_state states[] = {
        [HAUL_COMPRESSION_AUTO] = PACK_WATCHING,
        [HAUL_COMPRESSION_OFF] = PACK_OFF,
        [HAUL_COMPRESSION_ON] = PACK_ALWAYS,
    };
    sender_links_pack(&copy->links, offered ? states[copy->options.source->compression] : PACK_OFF,
                      copy->reader_count, target_reports);
}

void source_copy_note_log_data(struct source_copy *copy, bool taken)
{
    const struct haul_source_options *source = copy->options.source;
    if (source->log_data && !taken) {
        haul_log(source->log, HAUL_LOG_WARNING,
                 "the target is of an earlier release and takes no LogData: none is sent");
    }
    log_tail_send_log_data(copy->tail, source->log_data && taken);
}

static enum haul_status start_readers(struct source_copy *copy, struct haul_error *error)
{
    struct reader_pool_options readers = {
        .store = copy->options.store,
        .snapshot = HAUL_PLANTED_BUG(SNAPSHOT_RELEASED) ? NULL : copy->options.snapshot,
        .plan = copy->options.plan,
        .outbox = &copy->outbox,
        .histories = copy->histories,
        .tail = copy->tail,
        .follower = copy->follower,
        .thread_count = copy->reader_count + 1, /* one for the log */
        .task_count_max = HAUL_FAMILY_COUNT_MAX + 64};
    enum haul_status status = reader_pool_create(&readers, &copy->readers, error);
    if (status == HAUL_OK) {
        status = poll_group_add_fd(copy->options.group, reader_pool_fd(copy->readers));
    }
    return status;
}

enum haul_status source_copy_open(struct source_copy *copy, struct haul_error *error)
{
    const struct haul_link_options *link = &copy->options.source->link;
    enum haul_status status =
        outbox_init(&copy->outbox, link->slot_count * copy->options.source->link_count,
                    link->slot_size_bytes, copy->options.epoch, error);
    copy->outbox.digest_key = &copy->options.plan->digest_key;
    if (status == HAUL_OK) {
        status = poll_group_add_fd(copy->options.group, mailbox_fd(copy->outbox.filled));
    }
    return status;
}

static void close_readers(struct source_copy *copy)
{
    if (copy->readers != NULL) {
        poll_group_remove_fd(copy->options.group, reader_pool_fd(copy->readers));
        reader_pool_destroy(copy->readers);
        copy->readers = NULL;
    }
}

void source_copy_close(struct source_copy *copy)
{
    source_copy_stop(copy);
    close_readers(copy);
    sender_links_reset(&copy->links);
    log_tail_pause(copy->tail);
    poll_group_remove_fd(copy->options.group, mailbox_fd(copy->outbox.filled));
    outbox_fini(&copy->outbox);
    copy->running_tasks = 0;
    copy->tasks = 0;
    copy->rounding = false;
    copy->following = false;
    copy->round_waiting = false;
    copy->follow_failed = false;
    copy->digests_ready = false;
    copy->links_reported = false;
}

void source_copy_stop(struct source_copy *copy)
{
    copy->copying = false;
    if (copy->readers != NULL) {
        reader_pool_stop(copy->readers);
    }
    if (copy->outbox.pool != NULL) {
        /* A closed mailbox stays readable for ever. */
        poll_group_remove_fd(copy->options.group, mailbox_fd(copy->outbox.filled));
        outbox_close(&copy->outbox);
    }
    sender_links_close(&copy->links);
}

void source_copy_fini(struct source_copy *copy)
{
    if (copy->outbox.pool != NULL) {
        source_copy_stop(copy);
        close_readers(copy);
    }
    sender_links_fini(&copy->links);
    log_tail_destroy(copy->tail);
    log_digest_destroy(copy->follower);
    if (copy->outbox.pool != NULL) {
        poll_group_remove_fd(copy->options.group, mailbox_fd(copy->outbox.filled));
        outbox_fini(&copy->outbox);
    }
    for (size_t i = 0; copy->histories != NULL && i < copy->options.plan->stream_count; i++) {
        batch_history_fini(&copy->histories[i]);
    }
    free(copy->histories);
    free(copy->stream_digests);
    free(copy->stream_done);
    free(copy->family_digests);
    memset(copy, 0, sizeof(*copy));
}

/* --- streams ---------------------------------------------------------------------------------- */

static const haul_control_StreamPosition *position_of(const struct source_copy *copy, uint32_t id)
{
    for (size_t i = 0; i < copy->accepted->positions_count; i++) {
        if (copy->accepted->positions[i].stream == id) {
            return &copy->accepted->positions[i];
        }
    }
    return NULL;
}

/* Does the target have a part of the stream that only an earlier process knows? */
static bool is_unknown(const struct source_copy *copy, uint32_t id)
{
    const haul_control_StreamPosition *position = position_of(copy, id);
    return copy->options.adopted && position != NULL &&
           position->next_batch > copy->histories[id].count;
}

/* Can the stream continue after the position's key? */
static bool is_inside(const struct source_copy *copy, const haul_control_StreamPosition *position)
{
    const struct plan_stream *stream = &copy->options.plan->streams[position->stream];
    return position->next_batch == 0 || position->finished ||
           key_range_contains(&stream->range, message_slice(position->last_key));
}

/* Set one stream to the target's position. */
static enum haul_status restore_stream(struct source_copy *copy, uint32_t id,
                                       struct haul_error *error)
{
    const haul_control_StreamPosition *position = position_of(copy, id);
    uint64_t next_batch = position == NULL ? 0 : position->next_batch;
    struct batch_history *history = &copy->histories[id];
    copy->stream_done[id] = false;
    if (position != NULL && !is_inside(copy, position)) {
        return haul_error_set(error, HAUL_PROTOCOL, NULL, 0,
                              "the target's position is outside stream %u", id);
    }
    if (is_unknown(copy, id)) {
        return HAUL_OK; /* start_streams requests the scan */
    }
    if (next_batch == 0) { /* the target may have lost what an earlier process sent */
        batch_history_fini(history);
    }
    if (next_batch < history->base_count || next_batch > history->count) {
        return haul_error_set(error, HAUL_PROTOCOL, NULL, 0,
                              "the target claims a part of stream %u that was never sent", id);
    }
    copy->stream_done[id] = position != NULL && position->finished;
    if (copy->stream_done[id]) {
        copy->stream_digests[id] = batch_history_at(history, next_batch);
        copy->done_streams++;
    } else {
        batch_history_truncate(history, next_batch);
    }
    return HAUL_OK;
}

enum haul_status source_copy_start(struct source_copy *copy,
                                   const haul_control_PlanAccepted *accepted,
                                   struct haul_error *error)
{
    copy->accepted = accepted;
    copy->next_stream = 0;
    copy->done_streams = 0;
    copy->running_tasks = 0;
    copy->copied_reported = false;
    if (accepted->begun_anew[0] != '\0') {
        haul_log(copy->options.source->log, HAUL_LOG_WARNING,
                 "the job is copied from the start: %s", accepted->begun_anew);
    }
    enum haul_status status = HAUL_OK;
    for (uint32_t i = 0; i < copy->options.plan->stream_count && status == HAUL_OK; i++) {
        status = restore_stream(copy, i, error);
    }
    if (status == HAUL_OK) {
        status = log_tail_rewind(copy->tail, accepted->delta_next_batch, error);
    }
    if (status == HAUL_OK && copy->readers == NULL) {
        status = start_readers(copy, error);
    }
    copy->copying = status == HAUL_OK;
    return status;
}

static void submit(struct source_copy *copy, const struct reader_task *task)
{
    enum haul_status status = reader_pool_submit(copy->readers, task);
    haul_assert(status == HAUL_OK);
    copy->tasks++;
}

/* Start a stream for each free reader. Streams after the metadata wait until the target has
 * that. */
static void start_streams(struct source_copy *copy, bool metadata_complete)
{
    const struct plan *plan = copy->options.plan;
    bool open = !plan->families[0].metadata || metadata_complete;
    while (copy->copying && copy->next_stream < plan->stream_count &&
           copy->running_tasks < copy->reader_count) {
        uint32_t id = copy->next_stream;
        if (!plan->families[plan->streams[id].family].metadata && !open) {
            return;
        }
        copy->next_stream++;
        if (copy->stream_done[id]) {
            continue;
        }
        const haul_control_StreamPosition *position = position_of(copy, id);
        struct reader_task task = {.type = READER_COPY, .index = id};
        if (position != NULL) {
            task.next_batch = position->next_batch;
            task.start_after = message_slice(position->last_key);
            task.rescan = is_unknown(copy, id);
            task.finished = position->finished;
        }
        submit(copy, &task);
        copy->running_tasks++;
    }
}

void source_copy_round(struct source_copy *copy)
{
    struct reader_task task = {.type = READER_ROUND};
    copy->round_waiting = copy->following;
    if (!copy->following) {
        copy->rounding = true;
        submit(copy, &task);
    }
}

void source_copy_freeze(struct source_copy *copy, bool frozen)
{
    copy->frozen = frozen;
    log_digest_hurry(copy->follower, frozen);
}

/* Stay near the end of the log, so that little is left to read while writes are frozen. */
static void follow(struct source_copy *copy)
{
    struct haul_store *store = copy->options.store;
    if (copy->readers == NULL || !copy->copying || copy->frozen || copy->rounding ||
        copy->following || copy->follow_failed) {
        return;
    }
    if (store->ops->sequence(store) - log_digest_sequence(copy->follower) >= FOLLOW_RECORDS_MIN) {
        struct reader_task task = {.type = READER_FOLLOW};
        copy->following = true;
        submit(copy, &task);
    }
}

void source_copy_digest(struct source_copy *copy)
{
    const struct plan *plan = copy->options.plan;
    copy->digests_missing = 0;
    for (uint32_t family = 0; family < plan->family_count; family++) {
        struct digest *digest = &copy->family_digests[family];
        memset(digest, 0, sizeof(*digest));
        for (size_t i = 0; i < plan->stream_count; i++) {
            if (plan->streams[i].family == family) {
                digest_join(digest, &copy->stream_digests[i]);
            }
        }
        if (copy->options.source->read_back ||
            log_digest_join(copy->follower, family, digest) != HAUL_OK) {
            struct reader_task task = {.type = READER_DIGEST, .index = family};
            submit(copy, &task);
            copy->digests_missing++;
        }
    }
    copy->digests_ready = copy->digests_missing == 0;
}

/* --- events ----------------------------------------------------------------------------------- */

bool source_copy_poll(struct source_copy *copy, bool metadata_complete)
{
    if (copy->outbox.pool == NULL) {
        return false;
    }
    bool any = sender_links_poll(&copy->links);
    start_streams(copy, metadata_complete);
    follow(copy);
    return any;
}

uint64_t source_copy_activity(struct source_copy *copy)
{
    uint32_t waiting = copy->outbox.pool == NULL ? 0 : block_pool_waiter_count(copy->outbox.pool);
    uint32_t tasks = copy->tasks - copy->following; /* a FOLLOW runs as long as clients write */
    uint32_t readers = tasks < copy->reader_count ? tasks : copy->reader_count;
    bool works = readers > waiting || sender_links_deadline_ns(&copy->links) != CLOCK_NEVER;
    struct haul_link_stats stats;
    sender_links_stats(&copy->links, &stats);
    copy->activity += works;
    return copy->activity + copy->links.submitted_records + stats.bytes_sent;
}

/* True: the result is an event for the session. */
static bool on_result(struct source_copy *copy, const struct reader_result *result,
                      struct source_event *event)
{
    *event = (struct source_event){.type = SOURCE_EVENT_FAILED, .error = result->error};
    copy->running_tasks -= result->type == READER_COPY;
    copy->tasks--;
    copy->rounding = copy->rounding && result->type != READER_ROUND;
    copy->following = copy->following && result->type != READER_FOLLOW;
    if (result->type == READER_FOLLOW) {
        /* If it matters, the same failure occurs in a round. */
        copy->follow_failed = result->error.status != HAUL_OK;
        if (copy->round_waiting) {
            source_copy_round(copy);
        }
        return false;
    }
    if (result->error.status != HAUL_OK) {
        /* CLOSED: the reader was stopped, for a reason known elsewhere. */
        return result->error.status != HAUL_CLOSED;
    }
    switch (result->type) {
    case READER_COPY:
        copy->stream_digests[result->index] = result->digest;
        copy->stream_done[result->index] = true;
        copy->done_streams++;
        return false;
    case READER_DIGEST:
        copy->family_digests[result->index] = result->digest;
        copy->digests_missing--;
        copy->digests_ready = copy->digests_missing == 0;
        return false;
    case READER_FOLLOW:
        return false;
    case READER_ROUND:
        event->type = SOURCE_EVENT_ROUND_DONE;
        event->bytes = result->bytes;
        event->sequence = result->sequence;
        event->batches = result->batches;
        return true;
    }
    return false;
}

/* Report the state of the links, once. */
static bool link_event(struct source_copy *copy, struct source_event *event)
{
    if (copy->links_reported && copy->links.state != SENDER_LINKS_DOWN) {
        return false;
    }
    if (copy->links.state == SENDER_LINKS_UP) {
        copy->links_reported = true;
        *event = (struct source_event){.type = SOURCE_EVENT_LINKS_UP};
        return true;
    }
    if (copy->links.state == SENDER_LINKS_DOWN) {
        copy->links.state = SENDER_LINKS_CLOSED;
        *event = (struct source_event){.type = SOURCE_EVENT_LINKS_DOWN, .error = copy->links.error};
        return true;
    }
    return false;
}

bool source_copy_event(struct source_copy *copy, struct source_event *event)
{
    struct reader_result result;
    if (link_event(copy, event)) {
        return true;
    }
    while (copy->readers != NULL && reader_pool_result(copy->readers, &result) == HAUL_OK) {
        if (on_result(copy, &result, event)) {
            return true;
        }
    }
    if (copy->digests_ready) {
        copy->digests_ready = false;
        *event =
            (struct source_event){.type = SOURCE_EVENT_DIGESTED, .digests = copy->family_digests};
        return true;
    }
    if (copy->copying && !copy->copied_reported &&
        copy->done_streams == copy->options.plan->stream_count &&
        sender_links_is_idle(&copy->links)) {
        copy->copied_reported = true;
        *event = (struct source_event){.type = SOURCE_EVENT_COPIED};
        return true;
    }
    return false;
}

uint64_t source_copy_lag_bytes(const struct source_copy *copy)
{
    const struct sender_links *links = &copy->links;
    uint64_t records = links->submitted_records;
    uint64_t unread =
        copy->tail == NULL
            ? 0
            : log_tail_lag_bytes(copy->tail, records == 0 ? 0 : links->submitted_bytes / records);
    return unread + links->queued_delta_bytes;
}

struct digest source_copy_total(const struct source_copy *copy)
{
    struct digest total = {0};
    for (size_t i = 0; i < copy->options.plan->family_count; i++) {
        total.count += copy->family_digests[i].count;
        total.bytes += copy->family_digests[i].bytes;
    }
    return total;
}
