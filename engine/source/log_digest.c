/* SPDX-License-Identifier: Apache-2.0 */
/* log_digest.c — feeds the log to one ledger, and at times to two. */
#include "log_digest.h"

#include <stdlib.h>
#include <string.h>

#include "digest_ledger.h"
#include "ledger_base.h"
#include "log_reader.h"
#include "raw_batch.h"

/* A ledger over a view. */
struct view_ledger {
    struct digest_ledger *ledger; /* NULL: none */
    struct ledger_base base;
    struct haul_snapshot *snapshot; /* NULL: the base's view is the caller's */
    uint64_t begin;                 /* at or before the view: this ledger takes deltas after it */
    uint64_t end;                   /* at or after the view */
};

struct log_digest {
    struct log_digest_options options;
    struct log_reader reader;
    struct view_ledger *current;
    struct view_ledger *successor; /* without a ledger: none */
    struct view_ledger ledgers[2]; /* must not move */
    atomic_bool hurry;
};

/* --- life ------------------------------------------------------------------------------------- */

/* Create a ledger over the view. Errors: NO_MEMORY. */
static enum haul_status open_ledger(struct log_digest *follower, struct view_ledger *view,
                                    const struct haul_snapshot *snapshot)
{
    view->base = (struct ledger_base){.store = follower->options.store, .snapshot = snapshot};
    struct digest_ledger_base base = ledger_base_callbacks(&view->base);
    base.key = &follower->options.plan->digest_key;
    return digest_ledger_create(&base, follower->options.memory_bytes_max, &view->ledger);
}

static void close_ledger(struct log_digest *follower, struct view_ledger *view)
{
    digest_ledger_destroy(view->ledger);
    ledger_base_fini(&view->base);
    if (view->snapshot != NULL) {
        follower->options.store->ops->snapshot_close(follower->options.store, view->snapshot);
    }
    memset(view, 0, sizeof(*view));
}

enum haul_status log_digest_create(const struct log_digest_options *options,
                                   struct log_digest **out, struct haul_error *error)
{
    struct log_digest *follower = calloc(1, sizeof(*follower));
    enum haul_status status = HAUL_NO_MEMORY;
    if (follower != NULL) {
        follower->options = *options;
        follower->current = &follower->ledgers[0];
        follower->successor = &follower->ledgers[1];
        follower->current->begin = options->sequence;
        atomic_init(&follower->hurry, false);
        status =
            log_reader_init(&follower->reader, options->store, options->plan, options->sequence);
        follower->reader.keeps_ids = true;
    }
    if (status == HAUL_OK) {
        status = open_ledger(follower, follower->current, options->snapshot);
    }
    if (status != HAUL_OK) {
        log_digest_destroy(follower);
        return haul_error_set(error, status, "calloc", 0, "no memory for the digest of the log");
    }
    *out = follower;
    return HAUL_OK;
}

void log_digest_destroy(struct log_digest *follower)
{
    if (follower != NULL) {
        close_ledger(follower, &follower->ledgers[0]);
        close_ledger(follower, &follower->ledgers[1]);
        log_reader_fini(&follower->reader);
        free(follower);
    }
}

/* --- following -------------------------------------------------------------------------------- */

static void mark_ahead(struct digest_ledger *ledger, struct haul_slice batch)
{
    struct raw_batch_reader reader;
    struct raw_record record;
    enum haul_status status = raw_batch_open(&reader, batch);
    while (status == HAUL_OK && (status = raw_batch_next(&reader, &record)) == HAUL_OK) {
        digest_ledger_mark_ahead(ledger, record.family_id, record.key);
    }
}

/* A broken ledger reports that when it is read. `merges`: the batch had some. */
static void take_piece(const struct view_ledger *view, const struct log_piece *piece, bool merges)
{
    struct haul_error ignored;
    if (view->ledger != NULL && piece->kept.size > 0) {
        enum haul_status status = digest_ledger_batch(view->ledger, piece->kept, &ignored);
        if (status == HAUL_OK && merges) {
            mark_ahead(view->ledger, piece->kept);
        }
    }
}

/* The end of a reading, and what ends it earlier. */
struct following {
    uint64_t until;
    const atomic_bool *stop;  /* with CLOSED */
    const atomic_bool *leave; /* with OK; NULL: nothing */
};

static enum haul_status follow_to(struct log_digest *follower, const struct following *following,
                                  struct haul_error *error)
{
    struct log_reader *reader = &follower->reader;
    enum haul_status status = HAUL_OK;
    while (status == HAUL_OK && reader->sequence < following->until &&
           (following->leave == NULL || !atomic_load(following->leave))) {
        struct log_piece piece;
        uint64_t merges = reader->merge_count;
        status =
            atomic_load(following->stop) ? HAUL_CLOSED : log_reader_next(reader, &piece, error);
        if (status == HAUL_OK) {
            bool merged = reader->merge_count > merges;
            take_piece(follower->current, &piece, merged);
            if (reader->sequence > follower->successor->begin) {
                take_piece(follower->successor, &piece, merged);
            }
        }
    }
    /* The reader has reached the last sequence number, so it has read more than `until`. */
    return status == HAUL_AGAIN ? HAUL_OK : status;
}

static enum haul_status follow(struct log_digest *follower, const atomic_bool *stop,
                               const atomic_bool *leave, struct haul_error *error)
{
    struct haul_store *store = follower->options.store;
    const struct following following = {
        .until = store->ops->sequence(store), .stop = stop, .leave = leave};
    enum haul_status status = follow_to(follower, &following, error);
    if (status != HAUL_GAP) {
        return status;
    }
    /* The end of the log may exist only in the database's memory so far. */
    status = store->ops->sync(store, error);
    if (status == HAUL_OK) {
        log_reader_seek(&follower->reader, follower->reader.sequence);
        status = follow_to(follower, &following, error);
    }
    return status;
}

enum haul_status log_digest_follow(struct log_digest *follower, const atomic_bool *stop,
                                   struct haul_error *error)
{
    return follow(follower, stop, NULL, error);
}

enum haul_status log_digest_follow_ahead(struct log_digest *follower, const atomic_bool *stop,
                                         struct haul_error *error)
{
    return follow(follower, stop, &follower->hurry, error);
}

/* --- a newer view ----------------------------------------------------------------------------- */

/* A view that cannot be taken now is tried again the next time. */
static void take_view(struct log_digest *follower)
{
    struct haul_error ignored;
    struct haul_store *store = follower->options.store;
    struct view_ledger *view = follower->successor;
    enum haul_status status =
        store->ops->snapshot_open(store, &view->snapshot, &view->begin, &ignored);
    if (status == HAUL_OK) {
        view->end = store->ops->sequence(store);
        status = open_ledger(follower, view, view->snapshot);
    }
    if (status != HAUL_OK) {
        close_ledger(follower, view);
    }
}

static void succeed(struct log_digest *follower)
{
    struct haul_error ignored;
    struct view_ledger *older = follower->current;
    enum haul_status status = digest_ledger_succeed(follower->successor->ledger, older->ledger,
                                                    &follower->hurry, &ignored);
    if (status == HAUL_OK) {
        follower->current = follower->successor;
        follower->successor = older;
    }
    if (status != HAUL_CLOSED) {
        close_ledger(follower, follower->successor);
    }
}

void log_digest_renew(struct log_digest *follower)
{
    const struct digest_ledger *ledger = follower->current->ledger;
    if (atomic_load(&follower->hurry) || digest_ledger_status(ledger) != HAUL_OK) {
        return;
    }
    if (follower->successor->ledger != NULL) {
        if (follower->reader.sequence >= follower->successor->end) {
            succeed(follower);
        }
    } else if (digest_ledger_is_full(ledger)) {
        take_view(follower);
    }
}

void log_digest_hurry(struct log_digest *follower, bool hurry)
{
    atomic_store(&follower->hurry, hurry);
}

/* --- results ---------------------------------------------------------------------------------- */

uint64_t log_digest_sequence(const struct log_digest *follower)
{
    return follower->reader.sequence;
}

enum haul_status log_digest_join(const struct log_digest *follower, uint32_t family,
                                 struct digest *digest)
{
    return digest_ledger_join(follower->current->ledger,
                              follower->options.plan->families[family].family.id, digest);
}
