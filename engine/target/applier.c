/* SPDX-License-Identifier: Apache-2.0 */
/* applier.c — worker threads around apply_stream; mailboxes in and out. */
#include "applier.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "assertion.h"
#include "mailbox.h"
#include "payload_codec.h"
#include "planted_bug.h"
#include "probe.h"

enum work_type { WORK_BLOCK, WORK_FLUSH };

struct work {
    enum work_type type;
    struct link *link;
    struct block *block;
};

struct applier_thread {
    struct applier *applier;
    uint32_t index;
    bool started;
    bool failed; /* after a failure the thread only returns blocks */
    pthread_t thread;
    struct mailbox *work;
    struct payload_unpacker *unpacker;
    uint8_t *copy; /* private memory for payloads that the peer can write */
};

struct applier {
    struct haul_store *store;
    const struct plan *plan;
    const struct haul_log *log;
    uint32_t slot_size_bytes;
    uint32_t thread_count;
    struct applier_thread threads[HAUL_APPLIER_COUNT_MAX];
    const struct digest *base_digests;
    struct apply_limits limits;
    size_t stream_count; /* of the plan; the delta stream follows them */
    struct apply_stream *streams;
    struct block_key key;
    struct mailbox *notes;
    atomic_uint_fast64_t crc_errors;
    atomic_bool stopping; /* waiting blocks are returned unapplied */
};

/* --- one block -------------------------------------------------------------------------------- */

static struct apply_stream *find_stream(struct applier *applier, uint32_t number)
{
    if (number == PLAN_DELTA_STREAM) {
        return &applier->streams[applier->stream_count];
    }
    return number < applier->stream_count ? &applier->streams[number] : NULL;
}

static void drop_positions(const struct applier_note *note)
{
    for (size_t i = 0; i < note->position_count; i++) {
        stream_position_fini(&note->positions[i]);
    }
    free(note->positions);
}

/* The queue has room by construction: a note for every block, flush and thread, and FREED comes
 * first. */
static void post(struct applier *applier, const struct applier_note *note)
{
    enum haul_status status = mailbox_push_wait(applier->notes, note, CLOCK_NEVER);
    haul_assert(status == HAUL_OK || status == HAUL_CLOSED);
    if (status == HAUL_CLOSED) {
        drop_positions(note); /* nobody reads it */
    }
}

static void post_freed(struct applier_thread *thread, const struct work *work)
{
    PROBE3(block_freed, work->link, work->block->header.stream, work->block->header.batch);
    struct applier_note note = {.type = APPLIER_FREED, .link = work->link, .block = work->block};
    post(thread->applier, &note);
}

static void fail(struct applier_thread *thread, const struct haul_error *error)
{
    struct applier_note note = {.type = APPLIER_FAILED, .error = *error};
    thread->failed = true;
    post(thread->applier, &note);
}

/* A source that has the key sends every block once, and in order. */
static enum haul_status fail_sealed(struct applier_thread *thread, enum haul_status status,
                                    const struct slot_header *header, const char *what,
                                    struct haul_error *error)
{
    if (status == HAUL_CORRUPT) {
        atomic_fetch_add(&thread->applier->crc_errors, 1);
    }
    return haul_error_set(error, status, NULL, 0,
                          "batch %" PRIu64 " of stream %u was %s on its way", header->batch,
                          header->stream, what);
}

/* The payload of a sealed block, opened in memory that the peer cannot write. */
static enum haul_status open_payload(struct applier_thread *thread, const struct block *block,
                                     struct haul_slice *payload, struct haul_error *error)
{
    size_t size = block->header.payload_size_bytes;
    uint8_t *bytes = block_payload(block);
    if (block->peer_writable) {
        bytes = memcpy(thread->copy, bytes, size);
    }
    enum haul_status status = block_open(&thread->applier->key, &block->header, bytes, &size);
    *payload = slice_of(bytes, size);
    return status == HAUL_OK ? status
                             : fail_sealed(thread, status, &block->header, "changed", error);
}

/* The payload in memory that the peer cannot write, checked against the header's CRC or opened. */
static enum haul_status secure_payload(struct applier_thread *thread, const struct block *block,
                                       struct haul_slice *payload, struct haul_error *error)
{
    uint32_t crc = 0;
    if (block_key_seals(&thread->applier->key)) {
        return open_payload(thread, block, payload, error);
    }
    if (block_take_payload(block, thread->copy, payload, &crc) == HAUL_OK) {
        return HAUL_OK;
    }
    atomic_fetch_add(&thread->applier->crc_errors, 1);
    return haul_error_set(
        error, HAUL_CORRUPT, NULL, 0,
        "checksum of batch %" PRIu64 " of stream %u is %08x, its header says %08x",
        block->header.batch, block->header.stream, crc, block->header.payload_crc);
}

/* The payload after decompression. */
static enum haul_status unpack_payload(struct applier_thread *thread,
                                       const struct slot_header *header, struct haul_slice *payload,
                                       struct haul_error *error)
{
    if ((header->flags & SLOT_COMPRESSED) == 0) {
        return HAUL_OK;
    }
    enum haul_status status = HAUL_OK;
    if (thread->unpacker == NULL) {
        status = payload_unpacker_create(thread->applier->slot_size_bytes, &thread->unpacker);
    }
    if (status == HAUL_OK) {
        status = payload_unpack(thread->unpacker, *payload, header->raw_size_bytes, payload);
    }
    return status == HAUL_OK
               ? status
               : haul_error_set(error, status == HAUL_LIMIT ? HAUL_PROTOCOL : status, NULL, 0,
                                "batch %" PRIu64 " of stream %u cannot be decompressed",
                                header->batch, header->stream);
}

/* Make the thread's streams durable and report their positions. One sync of the log covers all of
 * its write-batch streams. Before Prepared (`only` is NULL) the delta stream's thread always syncs
 * the log: an ingested table is durable by itself, but the deletions that made room for it, by this
 * job or the owner, are only in the log. */
static enum haul_status make_durable(struct applier_thread *thread, struct apply_stream *only,
                                     struct haul_error *error)
{
    struct applier *applier = thread->applier;
    struct applier_note note = {.type = APPLIER_DURABLE};
    note.positions = calloc(applier->stream_count + 1, sizeof(*note.positions));
    if (note.positions == NULL) {
        return haul_error_set(error, HAUL_NO_MEMORY, "calloc", 0, "no memory for positions");
    }
    enum haul_status status = HAUL_OK;
    bool sync = only == NULL && applier->stream_count % applier->thread_count == thread->index &&
                !HAUL_PLANTED_BUG(EMPTY_UNSYNCED);
    for (size_t i = thread->index; i <= applier->stream_count; i += applier->thread_count) {
        struct apply_stream *stream = &applier->streams[i];
        bool by_log = stream->lane->ops->syncs_log;
        /* A lane without a sync flushes only its own stream; a sync serves all streams that need
         * one. */
        bool wanted = only == NULL || stream == only || (by_log && only->lane->ops->syncs_log);
        if (!stream->dirty || !wanted || status != HAUL_OK ||
            fragment_assembly_is_open(&stream->fragments)) {
            continue;
        }
        sync = sync || by_log;
        status = apply_stream_flush(stream, error);
        if (status == HAUL_OK) {
            status = apply_stream_position(stream, &note.positions[note.position_count++]);
        }
    }
    if (status == HAUL_OK && sync && !HAUL_PLANTED_BUG(ACK_BEFORE_DURABLE)) {
        status = applier->store->ops->sync(applier->store, error);
    }
    if (status == HAUL_OK && note.position_count > 0) {
        PROBE2(positions_durable, thread->index, note.position_count);
        post(applier, &note);
        return HAUL_OK;
    }
    drop_positions(&note);
    return status;
}

/* What a header may say, whatever its stream. What this release does not know could change what the
 * payload means. */
static enum haul_status check_kind(const struct slot_header *header, struct haul_error *error)
{
    bool known = header->kind == SLOT_KIND_SNAPSHOT || header->kind == SLOT_KIND_DELTA;
    if (known && (header->flags & ~(uint32_t)SLOT_FLAGS) == 0) {
        return HAUL_OK;
    }
    return haul_error_set(error, HAUL_PROTOCOL, NULL, 0,
                          "batch %" PRIu64 " of stream %u has the unknown %s %#x", header->batch,
                          header->stream, known ? "flags" : "kind",
                          known ? header->flags : (uint32_t)header->kind);
}

static enum haul_status apply_block(struct applier_thread *thread, struct work *work,
                                    struct haul_error *error)
{
    /* The slot may be returned and overwritten before we are done: keep the header. A seal covers
     * it, too: nothing in it counts before. */
    struct slot_header header = work->block->header;
    struct haul_slice payload;
    enum haul_status status = secure_payload(thread, work->block, &payload, error);
    if (status == HAUL_OK) {
        status = check_kind(&header, error);
    }
    if (status != HAUL_OK) {
        return status;
    }
    struct apply_stream *stream = find_stream(thread->applier, header.stream);
    bool kind_fits = stream != NULL && (stream->stream == NULL) == (header.kind == SLOT_KIND_DELTA);
    if (!kind_fits) {
        return haul_error_set(error, HAUL_PROTOCOL, NULL, 0, "a batch names the unknown stream %u",
                              header.stream);
    }
    if (block_key_seals(&thread->applier->key) && !apply_stream_awaits(stream, &header)) {
        return fail_sealed(thread, HAUL_CORRUPT, &header, "lost, repeated or exchanged", error);
    }
    PROBE3(block_checked, header.stream, header.batch, payload.size);
    /* Return a fragment's slot only after joining it: the sender relies on that
     * (outbox_reserve). */
    if (payload.data == thread->copy && (header.flags & SLOT_FRAGMENT) == 0) {
        post_freed(thread, work);
        work->block = NULL;
    }
    uint64_t records = 0;
    status = unpack_payload(thread, &header, &payload, error);
    if (status != HAUL_OK) {
        return status;
    }
    status = apply_stream_take(stream, &header, payload, &records, error);
    if (status != HAUL_OK) {
        return status;
    }
    PROBE3(block_applied, header.stream, header.batch, records);
    /* Sync deltas while idle: less is then left to sync during the freeze. */
    bool pauses = stream->stream == NULL && mailbox_count(thread->work) == 0;
    if (apply_stream_wants_flush(stream, pauses)) {
        status = make_durable(thread, stream, error);
    }
    if (status == HAUL_OK) {
        struct applier_note note = {.type = APPLIER_APPLIED,
                                    .link = work->link,
                                    .stream = header.stream,
                                    .records = (uint32_t)records,
                                    .bytes = payload.size,
                                    .stream_finished = stream->finished};
        post(thread->applier, &note);
    }
    return status;
}

/* --- threads ---------------------------------------------------------------------------------- */

static void do_work(struct applier_thread *thread, struct work *work)
{
    struct haul_error error = {0};
    enum haul_status status = HAUL_OK;
    if (work->type == WORK_FLUSH) {
        struct applier_note note = {.type = APPLIER_FLUSHED};
        if (!thread->failed) {
            status = make_durable(thread, NULL, &error);
        }
        if (status == HAUL_OK) {
            post(thread->applier, &note);
        }
    } else if (!thread->failed && !atomic_load(&thread->applier->stopping)) {
        status = apply_block(thread, work, &error);
    }
    if (work->block != NULL) {
        post_freed(thread, work);
    }
    if (status != HAUL_OK) {
        error.status = status;
        fail(thread, &error);
    }
}

static void *run_thread(void *argument)
{
    struct applier_thread *thread = argument;
    struct work work;
    while (mailbox_pop_wait(thread->work, &work, CLOCK_NEVER) == HAUL_OK) {
        do_work(thread, &work);
    }
    return NULL;
}

static enum haul_status start_threads(struct applier *applier, uint32_t block_count_max,
                                      struct haul_error *error)
{
    for (uint32_t i = 0; i < applier->thread_count; i++) {
        struct applier_thread *thread = &applier->threads[i];
        thread->applier = applier;
        thread->index = i;
        thread->copy = malloc(applier->slot_size_bytes);
        enum haul_status status = thread->copy == NULL ? HAUL_NO_MEMORY : HAUL_OK;
        if (status == HAUL_OK) {
            status = mailbox_create(block_count_max + 8, sizeof(struct work), &thread->work);
        }
        if (status == HAUL_OK) {
            int result = pthread_create(&thread->thread, NULL, run_thread, thread);
            thread->started = result == 0;
            status = result == 0 ? HAUL_OK : HAUL_LIMIT;
        }
        if (status != HAUL_OK) {
            return haul_error_set(error, status, "pthread_create", 0,
                                  "cannot start applier %u of %u", i + 1, applier->thread_count);
        }
    }
    return HAUL_OK;
}

/* --- streams ---------------------------------------------------------------------------------- */

static enum haul_status init_streams(struct applier *applier, const struct applier_options *options,
                                     struct haul_error *error)
{
    enum haul_status status = HAUL_OK;
    for (size_t i = 0; i < applier->stream_count && status == HAUL_OK; i++) {
        const struct plan_stream *planned = &applier->plan->streams[i];
        char stem[APPLY_LANE_PATH_BYTES_MAX];
        (void)snprintf(stem, sizeof(stem), "%s/%s-%u", options->staging_directory, options->job,
                       planned->id);
        struct apply_stream_options stream = {
            .store = applier->store,
            .plan = applier->plan,
            .stream = planned,
            .lane = apply_lane_for_stream(options->lane, &applier->plan->families[planned->family],
                                          planned),
            .table_size_bytes = options->table_size_bytes,
            .staging_stem = stem,
            .position = options->positions == NULL || HAUL_PLANTED_BUG(NO_RESUME_POSITION)
                            ? NULL
                            : &options->positions[i],
            .limits = &applier->limits,
            .hooks = options->hooks,
        };
        status = apply_stream_init(&applier->streams[i], &stream, error);
    }
    if (status == HAUL_OK) {
        struct stream_position position = {.next_batch = options->delta_next_batch};
        struct apply_stream_options delta = {.store = applier->store,
                                             .plan = applier->plan,
                                             .lane = apply_lane_table(HAUL_LANE_WRITE_BATCH),
                                             .staging_stem = "",
                                             .position = &position,
                                             .limits = &applier->limits,
                                             .ledger_bytes_max = options->ledger_bytes_max};
        status = apply_stream_init(&applier->streams[applier->stream_count], &delta, error);
    }
    return status;
}

/* --- public ----------------------------------------------------------------------------------- */

enum haul_status applier_create(const struct applier_options *options, struct applier **out,
                                struct haul_error *error)
{
    haul_assert(options->thread_count >= 1 && options->thread_count <= HAUL_APPLIER_COUNT_MAX);
    struct applier *applier = calloc(1, sizeof(*applier));
    if (applier == NULL) {
        return haul_error_set(error, HAUL_NO_MEMORY, "calloc", 0, "no memory for the appliers");
    }
    applier->store = options->store;
    applier->plan = options->plan;
    applier->log = options->log;
    applier->key = options->key;
    applier->base_digests = options->base_digests;
    applier->slot_size_bytes = options->slot_size_bytes;
    applier->thread_count = options->thread_count;
    applier->stream_count = options->plan->stream_count;
    apply_limits_init(&applier->limits);
    enum haul_status status = HAUL_NO_MEMORY;
    applier->streams = calloc(applier->stream_count + 1, sizeof(*applier->streams));
    if (applier->streams != NULL) {
        /* FREED, APPLIED, DURABLE for each block; FLUSHED, DURABLE and FAILED for each thread. */
        size_t notes = 3 * (size_t)options->block_count_max + 8 * HAUL_APPLIER_COUNT_MAX;
        status = mailbox_create(notes, sizeof(struct applier_note), &applier->notes);
    }
    if (status != HAUL_OK) {
        haul_error_set(error, status, NULL, 0, "cannot create the appliers");
        goto fail;
    }
    status = init_streams(applier, options, error);
    if (status == HAUL_OK) {
        status = start_threads(applier, options->block_count_max, error);
    }
    if (status == HAUL_OK) {
        *out = applier;
        return HAUL_OK;
    }
fail:
    applier_destroy(applier);
    return status;
}

static void drop_notes(struct applier *applier)
{
    struct applier_note note;
    while (applier->notes != NULL && mailbox_pop(applier->notes, &note) == HAUL_OK) {
        drop_positions(&note);
    }
}

void applier_stop(struct applier *applier)
{
    atomic_store(&applier->stopping, true);
}

void applier_destroy(struct applier *applier)
{
    if (applier == NULL) {
        return;
    }
    applier_stop(applier);
    if (applier->notes != NULL) {
        mailbox_close(applier->notes);
    }
    for (uint32_t i = 0; i < applier->thread_count; i++) {
        struct applier_thread *thread = &applier->threads[i];
        if (thread->work != NULL) {
            mailbox_close(thread->work);
        }
        if (thread->started) {
            (void)pthread_join(thread->thread, NULL);
        }
        mailbox_destroy(thread->work);
        payload_unpacker_destroy(thread->unpacker);
        free(thread->copy);
    }
    drop_notes(applier);
    mailbox_destroy(applier->notes);
    for (size_t i = 0; applier->streams != NULL && i <= applier->stream_count; i++) {
        apply_stream_fini(&applier->streams[i]);
    }
    free(applier->streams);
    explicit_bzero(&applier->key, sizeof(applier->key));
    free(applier);
}

void applier_take(struct applier *applier, struct link *link, struct block *block)
{
    /* Whichever thread gets an unknown stream number refuses it. The delta stream follows the
     * plan's streams, here as in make_durable. */
    size_t number =
        block->header.stream == PLAN_DELTA_STREAM ? applier->stream_count : block->header.stream;
    struct work work = {.type = WORK_BLOCK, .link = link, .block = block};
    enum haul_status status =
        mailbox_push(applier->threads[number % applier->thread_count].work, &work);
    haul_assert(status == HAUL_OK);
}

void applier_flush(struct applier *applier)
{
    struct work work = {.type = WORK_FLUSH};
    for (uint32_t i = 0; i < applier->thread_count; i++) {
        enum haul_status status = mailbox_push(applier->threads[i].work, &work);
        haul_assert(status == HAUL_OK);
    }
}

enum haul_status applier_note(struct applier *applier, struct applier_note *note)
{
    return mailbox_pop(applier->notes, note);
}

int applier_fd(const struct applier *applier)
{
    return mailbox_fd(applier->notes);
}

uint32_t applier_thread_count(const struct applier *applier)
{
    return applier->thread_count;
}

uint64_t applier_written_records(const struct applier *applier)
{
    uint64_t records = 0;
    for (size_t i = 0; i <= applier->stream_count; i++) {
        records += applier->streams[i].lane->written_records;
    }
    return records;
}

enum haul_status applier_family_digest(const struct applier *applier, uint32_t family,
                                       struct digest *digest)
{
    memset(digest, 0, sizeof(*digest));
    if (applier->base_digests != NULL) {
        *digest = applier->base_digests[family];
    }
    for (size_t i = 0; applier->base_digests == NULL && i < applier->stream_count; i++) {
        if (applier->plan->streams[i].family == family) {
            digest_join(digest, &applier->streams[i].digest);
        }
    }
    return digest_ledger_join(applier->streams[applier->stream_count].ledger,
                              applier->plan->families[family].target_id, digest);
}

uint64_t applier_delta_batches(const struct applier *applier)
{
    return applier->streams[applier->stream_count].next_batch;
}

uint64_t applier_crc_errors(const struct applier *applier)
{
    return atomic_load(&applier->crc_errors);
}
