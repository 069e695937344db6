/* SPDX-License-Identifier: Apache-2.0 */
/* load_writer.c — a thread that writes, and one that syncs the ledger behind it. */
#include "load_writer.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "latency_histogram.h"
#include "load_ledger.h"
#include "load_record.h"

enum { SYNC_INTERVAL_MS = 10, DELETE_EVERY = 10, NS_PER_MS = 1000000 };
#define NS_PER_S UINT64_C(1000000000)
#define KEY_STEP UINT64_C(2654435761) /* spreads the writes over the keys */

struct load_writer {
    struct load_options options;
    struct haul_store *store;
    uint32_t family_id;
    struct load_ledger ledger;
    pthread_t thread;
    pthread_t syncer;
    pthread_mutex_t lock; /* held for each write; all below is behind it */
    pthread_cond_t changed;
    bool frozen;
    bool moved;
    bool stop;
    bool marked;
    uint64_t started_ns;
    uint64_t last_ack_ns;
    uint64_t longest_gap_ns;
    uint64_t ended_ns;
    struct latency_histogram before;
    struct latency_histogram during;
    struct haul_error error;
};

static uint64_t now_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

static void wait_until(uint64_t time_ns)
{
    struct timespec until = {.tv_sec = (time_t)(time_ns / NS_PER_S),
                             .tv_nsec = (long)(time_ns % NS_PER_S)};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == EINTR) {
        /* a signal; go on waiting */
    }
}

/* --- one write -------------------------------------------------------------------------------- */

static uint8_t *put_varint(uint8_t *at, uint64_t value)
{
    for (; value >= 0x80; value >>= 7) {
        *at++ = (uint8_t)(value | 0x80);
    }
    *at++ = (uint8_t)value;
    return at;
}

static uint8_t *put_bytes(uint8_t *at, struct haul_slice bytes)
{
    at = put_varint(at, bytes.size);
    memcpy(at, bytes.data, bytes.size);
    return at + bytes.size;
}

/* A write batch of one record, as docs/PROTOCOL.md has it. */
static size_t make_batch(const struct load_writer *writer, const struct load_entry *entry,
                         uint8_t *batch)
{
    enum { HEAD_BYTES = 12, TAG_PUT = 0x05, TAG_DELETE = 0x04 };
    char key[LOAD_KEY_BYTES_MAX + 16];
    static const uint8_t head[HEAD_BYTES] = {[8] = 1}; /* one record */
    memcpy(batch, head, HEAD_BYTES);
    uint8_t *at = batch + HEAD_BYTES;
    *at++ = entry->is_delete ? TAG_DELETE : TAG_PUT;
    at = put_varint(at, writer->family_id);
    at = put_bytes(at, load_record_key(writer->options.prefix, entry->key, key, sizeof(key)));
    if (!entry->is_delete) {
        at = put_varint(at, writer->options.value_bytes);
        load_record_fill(entry->version, entry->key, at, writer->options.value_bytes);
        at += writer->options.value_bytes;
    }
    return (size_t)(at - batch);
}

static enum haul_status write_entry(struct load_writer *writer, struct load_entry *entry,
                                    uint8_t *batch)
{
    bool has_ledger = writer->options.ledger != NULL;
    unsigned flags = writer->options.sync ? HAUL_WRITE_SYNC : 0;
    size_t size = make_batch(writer, entry, batch);
    enum haul_status status = HAUL_OK;
    if (has_ledger) {
        status = load_ledger_add(&writer->ledger, entry, &writer->error);
    }
    if (status == HAUL_OK) {
        struct haul_slice bytes = {batch, size};
        status = writer->store->ops->write(writer->store, bytes, flags, &writer->error);
    }
    entry->acknowledged = true;
    if (status == HAUL_OK && has_ledger) {
        status = load_ledger_add(&writer->ledger, entry, &writer->error);
    }
    return status;
}

static void note_write(struct load_writer *writer, uint64_t begun_ns, bool waited)
{
    uint64_t now = now_ns();
    uint64_t gap = now - writer->last_ack_ns;
    if (!waited) {
        latency_histogram_add(writer->marked ? &writer->during : &writer->before, now - begun_ns);
    }
    if (writer->marked && gap > writer->longest_gap_ns) {
        writer->longest_gap_ns = gap;
    }
    writer->last_ack_ns = now;
}

/* --- threads ---------------------------------------------------------------------------------- */

/* Behind the lock. False: it is over. */
static bool may_write(struct load_writer *writer, bool *waited)
{
    while (writer->frozen && !writer->moved && !writer->stop) {
        *waited = true;
        (void)pthread_cond_wait(&writer->changed, &writer->lock);
    }
    return !writer->moved && !writer->stop;
}

static void *write_on(void *argument)
{
    struct load_writer *writer = argument;
    uint8_t *batch = malloc(writer->options.value_bytes + LOAD_KEY_BYTES_MAX + 64);
    uint64_t first = writer->ledger.version + 1;
    enum haul_status status = batch == NULL ? HAUL_NO_MEMORY : HAUL_OK;
    bool more = status == HAUL_OK;
    for (uint64_t i = 0; more; i++) {
        uint64_t version = first + i;
        struct load_entry entry = {
            .version = version,
            .key = (uint32_t)(version * KEY_STEP % writer->options.key_count),
            .is_delete = version % DELETE_EVERY == 0,
        };
        if (writer->options.rate > 0) {
            wait_until(writer->started_ns + i * NS_PER_S / writer->options.rate);
        }
        bool waited = false;
        uint64_t begun_ns = now_ns();
        (void)pthread_mutex_lock(&writer->lock);
        more = may_write(writer, &waited);
        if (more) {
            status = write_entry(writer, &entry, batch);
            writer->error.status = status;
            writer->ledger.version = version;
            note_write(writer, begun_ns, waited);
            more = status == HAUL_OK;
        }
        (void)pthread_mutex_unlock(&writer->lock);
    }
    free(batch);
    return NULL;
}

static void *sync_on(void *argument)
{
    struct load_writer *writer = argument;
    bool more = true;
    while (more) {
        struct haul_error error = {.status = HAUL_OK};
        wait_until(now_ns() + (uint64_t)SYNC_INTERVAL_MS * NS_PER_MS);
        (void)!load_ledger_sync(&writer->ledger, &error); /* the last sync tells */
        (void)pthread_mutex_lock(&writer->lock);
        more = !writer->stop;
        (void)pthread_mutex_unlock(&writer->lock);
    }
    return NULL;
}

/* --- hooks ------------------------------------------------------------------------------------ */

static enum haul_status freeze(void *context, uint32_t deadline_ms, struct haul_error *error)
{
    struct load_writer *writer = context;
    (void)deadline_ms; /* a write is short */
    (void)error;
    (void)pthread_mutex_lock(&writer->lock); /* none is under way now */
    writer->frozen = true;
    (void)pthread_mutex_unlock(&writer->lock);
    return HAUL_OK;
}

static void change(struct load_writer *writer, bool *flag, bool value)
{
    (void)pthread_mutex_lock(&writer->lock);
    *flag = value;
    (void)pthread_cond_broadcast(&writer->changed);
    (void)pthread_mutex_unlock(&writer->lock);
}

static void unfreeze(void *context)
{
    struct load_writer *writer = context;
    change(writer, &writer->frozen, false);
}

/* The writer's clients would be sent to the new owner now: the gap ends here. */
static void release(void *context, uint64_t new_version)
{
    struct load_writer *writer = context;
    (void)new_version;
    (void)pthread_mutex_lock(&writer->lock);
    uint64_t gap = now_ns() - writer->last_ack_ns;
    writer->longest_gap_ns = gap > writer->longest_gap_ns ? gap : writer->longest_gap_ns;
    (void)pthread_mutex_unlock(&writer->lock);
    change(writer, &writer->moved, true);
}

void load_writer_hook(struct load_writer *writer, struct haul_hooks *hooks)
{
    hooks->context = writer;
    hooks->freeze = freeze;
    hooks->unfreeze = unfreeze;
    hooks->release = release;
}

void load_writer_mark(struct load_writer *writer)
{
    change(writer, &writer->marked, true);
}

/* --- life ------------------------------------------------------------------------------------- */

static enum haul_status start_threads(struct load_writer *writer, struct haul_error *error)
{
    writer->started_ns = now_ns();
    writer->last_ack_ns = writer->started_ns;
    (void)pthread_mutex_init(&writer->lock, NULL);
    (void)pthread_cond_init(&writer->changed, NULL);
    if (pthread_create(&writer->thread, NULL, write_on, writer) != 0) {
        return haul_error_set(error, HAUL_LIMIT, "pthread_create", 0, "cannot start the load");
    }
    if (writer->options.ledger != NULL &&
        pthread_create(&writer->syncer, NULL, sync_on, writer) != 0) {
        change(writer, &writer->stop, true);
        (void)pthread_join(writer->thread, NULL);
        return haul_error_set(error, HAUL_LIMIT, "pthread_create", 0, "cannot start the load");
    }
    return HAUL_OK;
}

enum haul_status load_writer_start(const struct load_options *given, struct haul_store *store,
                                   const struct haul_range *ranges, size_t range_count,
                                   struct load_writer **out, struct haul_error *error)
{
    struct load_writer *writer = calloc(1, sizeof(*writer));
    if (writer == NULL) {
        return haul_error_set(error, HAUL_NO_MEMORY, "calloc", 0, "no memory for the load");
    }
    writer->store = store;
    writer->ledger.fd = -1;
    load_options_resolve(given, &writer->options);
    const struct load_options *options = &writer->options;
    enum haul_status status = load_options_check(options, ranges, range_count, error);
    if (status == HAUL_OK) {
        status = load_options_family(options, store, &writer->family_id, error);
    }
    if (status == HAUL_OK && options->ledger != NULL) {
        status = load_ledger_open(&writer->ledger, options->ledger, error);
    }
    if (status == HAUL_OK) {
        status = start_threads(writer, error);
    }
    if (status != HAUL_OK) {
        load_ledger_close(&writer->ledger);
        free(writer);
        return status;
    }
    *out = writer;
    return HAUL_OK;
}

uint32_t load_writer_lead_ms(const struct load_writer *writer)
{
    uint64_t end_ns = writer->started_ns + (uint64_t)writer->options.lead_ms * NS_PER_MS;
    uint64_t now = now_ns();
    return now >= end_ns ? 0 : (uint32_t)((end_ns - now + NS_PER_MS - 1) / NS_PER_MS);
}

static struct load_latencies latencies_of(const struct latency_histogram *histogram)
{
    enum { NS_PER_US = 1000 };
    return (struct load_latencies){
        .writes = histogram->total,
        .p50_us = (double)latency_histogram_at(histogram, 0.50) / NS_PER_US,
        .p99_us = (double)latency_histogram_at(histogram, 0.99) / NS_PER_US,
        .max_us = (double)histogram->max_ns / NS_PER_US,
    };
}

void load_writer_stop(struct load_writer *writer, struct load_result *result)
{
    bool has_ledger = writer->options.ledger != NULL;
    change(writer, &writer->stop, true);
    (void)pthread_join(writer->thread, NULL);
    if (has_ledger) {
        (void)pthread_join(writer->syncer, NULL);
        if (writer->error.status == HAUL_OK) {
            writer->error.status = load_ledger_sync(&writer->ledger, &writer->error);
        }
    }
    *result = (struct load_result){
        .version = writer->ledger.version,
        .seconds = (double)(writer->last_ack_ns - writer->started_ns) / (double)NS_PER_S,
        .before = latencies_of(&writer->before),
        .during = latencies_of(&writer->during),
        .longest_gap_ms = (double)writer->longest_gap_ns / NS_PER_MS,
        .error = writer->error,
    };
    load_ledger_close(&writer->ledger);
    (void)pthread_cond_destroy(&writer->changed);
    (void)pthread_mutex_destroy(&writer->lock);
    free(writer);
}
