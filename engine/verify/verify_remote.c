/* SPDX-License-Identifier: Apache-2.0 */
/* verify_remote.c — a comparison with a database behind a target, family by family. Both sides read
 * at the same time; after a lost connection they continue behind the part that was equal.
 *
 *   call worker: our pieces --\
 *                              verify_compare
 *   target:      its pieces --/ */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "call_worker.h"
#include "clock.h"
#include "haul/verify.h"
#include "instance.h"
#include "key_range.h"
#include "migration_thread.h"
#include "retry_limit.h"
#include "sized_options.h"
#include "stall_watch.h"
#include "verify_answers.h"
#include "verify_compare.h"
#include "verify_peer.h"

enum {
    ASKED_MAX = 4,        /* answers requested in advance */
    WAITING_MAX = 4096,   /* pieces of a side that wait for the other side's */
    MESSAGES_A_TURN = 64, /* other work gets its turn after this many */
    LOOP_INTERVAL_MS = 100,
};

/* One column family, on the sides that have it. */
struct remote_family {
    const struct haul_family *ours;    /* NULL: only theirs */
    const haul_control_Family *theirs; /* NULL: only ours */
};

struct verify_remote {
    struct haul_store *store;
    struct haul_verify_remote_options options; /* resolved */
    struct haul_verify_options what;
    struct haul_verify_remote_result *result;
    struct poll_group *group;
    struct call_worker *worker;
    struct verify_peer peer;
    uint8_t digest_key[DIGEST_KEY_BYTES];
    struct retry_limit retry;
    struct haul_family *families; /* ours */
    size_t family_count;
    struct message theirs; /* VERIFY_FAMILIES */
    /* The running scan. */
    struct verify_compare compare;
    struct remote_family family;
    bool ours_begun; /* `reader` is initialised */
    struct verify_reader reader;
    struct verify_chunk *chunk;
    struct call call;
    struct call_steps steps;
    struct verify_answers answers;
    bool more;         /* messages are left for the next round */
    uint64_t waits_ns; /* since when the target owes an answer */
    uint64_t alone_ns; /* since when only the target's records are being counted; 0: not so */
    bool cut;          /* that counting was cut short */
    uint64_t records;  /* of earlier families, on the larger side */
    uint64_t bytes;
};

static uint64_t now_ns(void)
{
    return clock_now_ns(&clock_monotonic);
}

static enum haul_status no_memory(struct haul_error *error)
{
    return haul_error_set(error, HAUL_NO_MEMORY, "calloc", 0, "no memory to verify");
}

/* An error of the path or a busy target: worth another attempt. */
static bool is_path_status(enum haul_status status)
{
    return status == HAUL_CLOSED || status == HAUL_TIMEOUT || status == HAUL_REFUSED ||
           status == HAUL_UNREACHABLE || status == HAUL_BUSY;
}

/* --- our side --------------------------------------------------------------------------------- */

static void call_read(void *context, struct haul_error *error)
{
    struct verify_remote *remote = context;
    error->status = verify_reader_next(&remote->reader, &remote->steps.steps, remote->chunk, error);
}

/* The reader belongs to the worker while a call is under way: check that first. */
static void read_on(struct verify_remote *remote)
{
    bool wanted = remote->ours_begun && !remote->call.under_way && !remote->reader.ended &&
                  verify_compare_waiting(&remote->compare, VERIFY_OURS) < WAITING_MAX;
    if (wanted) {
        call_steps_begin(&remote->steps);
        call_worker_submit(remote->worker, &remote->call);
    }
}

static enum haul_status poll_ours(struct verify_remote *remote, struct haul_error *error)
{
    if (call_worker_result(remote->worker) == NULL) {
        return HAUL_OK;
    }
    if (remote->call.error.status != HAUL_OK) {
        *error = remote->call.error;
        verify_chunk_clear(remote->chunk);
        return error->status;
    }
    enum haul_status status = verify_compare_put(&remote->compare, VERIFY_OURS, remote->chunk);
    verify_chunk_clear(remote->chunk);
    return status == HAUL_OK ? status : no_memory(error);
}

/* Nobody waits for the result of our read. */
static void end_reading(struct verify_remote *remote)
{
    call_steps_end(&remote->steps);
    while (remote->call.under_way) {
        (void)poll_group_wait(remote->group, call_worker_result(remote->worker) != NULL,
                              clock_deadline_ns(&clock_monotonic, LOOP_INTERVAL_MS));
    }
    if (remote->chunk != NULL) {
        verify_chunk_clear(remote->chunk);
    }
    if (remote->ours_begun) {
        verify_reader_fini(&remote->reader);
    }
    remote->ours_begun = false;
}

/* --- their side ------------------------------------------------------------------------------- */

static enum haul_status ask_on(struct verify_remote *remote, struct haul_error *error)
{
    bool begun = remote->family.theirs != NULL && remote->answers.scan > 0;
    while (begun && remote->answers.asked < ASKED_MAX &&
           !remote->compare.queues[VERIFY_THEIRS].ended &&
           verify_compare_waiting(&remote->compare, VERIFY_THEIRS) < WAITING_MAX) {
        struct message message;
        message_init(&message, MESSAGE_VERIFY_NEXT);
        message.as.verify_next.scan = remote->answers.scan;
        enum haul_status status = verify_peer_send(&remote->peer, &message, error);
        if (status != HAUL_OK) {
            return status;
        }
        remote->waits_ns = remote->answers.asked == 0 ? now_ns() : remote->waits_ns;
        remote->answers.asked++;
    }
    return HAUL_OK;
}

static enum haul_status take_piece(const haul_control_VerifyPiece *from, struct verify_piece *to)
{
    *to = (struct verify_piece){.digest = {.count = from->records,
                                           .bytes = from->bytes,
                                           .low = from->low,
                                           .high = from->high},
                                .range = from->range};
    return from->key == NULL || verify_key_copy(message_slice(from->key), &to->key)
               ? HAUL_OK
               : HAUL_NO_MEMORY;
}

static enum haul_status put_theirs(struct verify_remote *remote,
                                   const haul_control_VerifyPieces *pieces)
{
    enum haul_status status = HAUL_OK;
    struct verify_chunk *chunk = calloc(1, sizeof(*chunk));
    if (chunk == NULL) {
        return HAUL_NO_MEMORY;
    }
    for (size_t i = 0; i < pieces->pieces_count && status == HAUL_OK; i++) {
        status = take_piece(&pieces->pieces[i], &chunk->pieces[chunk->count++]);
    }
    chunk->ended = pieces->ended;
    if (status == HAUL_OK) {
        status = verify_compare_put(&remote->compare, VERIFY_THEIRS, chunk);
    }
    verify_chunk_clear(chunk);
    free(chunk);
    return status;
}

static enum haul_status on_pieces(struct verify_remote *remote,
                                  const haul_control_VerifyPieces *pieces, struct haul_error *error)
{
    enum haul_status status = verify_answers_take(&remote->answers, pieces, error);
    if (status != HAUL_OK) {
        return status == HAUL_AGAIN ? HAUL_OK : status;
    }
    remote->waits_ns = now_ns();
    if (remote->compare.queues[VERIFY_THEIRS].ended) {
        return HAUL_OK; /* requested before the scan's end was known */
    }
    return put_theirs(remote, pieces) == HAUL_OK ? HAUL_OK : no_memory(error);
}

/* Records that another connection need not send again. */
static uint64_t lasting_records(const struct verify_remote *remote)
{
    const struct verify_compare *compare = &remote->compare;
    return remote->records + (compare->parted ? 0 : compare->totals[VERIFY_OURS].count);
}

static enum haul_status on_families(struct verify_remote *remote, struct message *message,
                                    struct haul_error *error)
{
    if (remote->theirs.type == MESSAGE_VERIFY_FAMILIES) {
        return haul_error_set(error, HAUL_PROTOCOL, NULL, 0,
                              "the target lists its column families without a request");
    }
    enum haul_status status = verify_answers_check_list(&message->as.verify_families, error);
    if (status == HAUL_OK) {
        remote->theirs = *message;
        memset(message, 0, sizeof(*message));
    }
    return status;
}

static enum haul_status on_peer_message(struct verify_remote *remote, struct message *message,
                                        struct haul_error *error)
{
    enum haul_status status = HAUL_OK;
    if (message->type == MESSAGE_WELCOME) {
        retry_limit_note_up(&remote->retry, lasting_records(remote), now_ns());
        remote->waits_ns = now_ns();
    } else if (message->type == MESSAGE_VERIFY_FAMILIES) {
        status = on_families(remote, message, error);
    } else if (message->type == MESSAGE_VERIFY_PIECES) {
        status = on_pieces(remote, &message->as.verify_pieces, error);
    }
    message_release(message);
    return status;
}

/* Does the target owe a list or pieces? Signs of life alone do not count for ever. */
static bool is_owed(const struct verify_remote *remote)
{
    return remote->peer.greeted &&
           (remote->theirs.type != MESSAGE_VERIFY_FAMILIES || remote->answers.asked > 0);
}

static uint64_t limit_ns_of(const struct verify_remote *remote)
{
    return STALL_PEER_TIMEOUTS * (uint64_t)remote->options.peer_timeout_ms * NS_PER_MS;
}

static enum haul_status poll_theirs(struct verify_remote *remote, struct haul_error *error)
{
    struct message message;
    enum haul_status status = HAUL_OK;
    int count = 0;
    while (status == HAUL_OK && count++ < MESSAGES_A_TURN) {
        status = verify_peer_poll(&remote->peer, &message, error);
        if (status == HAUL_OK) {
            status = on_peer_message(remote, &message, error);
        }
    }
    remote->more = status == HAUL_OK;
    uint64_t limit_ns = limit_ns_of(remote);
    if (status == HAUL_OK || status == HAUL_AGAIN) {
        status = HAUL_OK;
        if (is_owed(remote) && now_ns() - remote->waits_ns > limit_ns) {
            status = haul_error_set(error, HAUL_TIMEOUT, NULL, 0,
                                    "the target has sent nothing for %" PRIu64 " s",
                                    limit_ns / NS_PER_S);
        }
    }
    return status;
}

/* The databases differ, ours is read, and the target is still counting: its surplus is not worth an
 * unlimited time. */
static void limit_counting(struct verify_remote *remote)
{
    const struct verify_queue *queues = remote->compare.queues;
    if (!remote->compare.parted || !queues[VERIFY_OURS].ended || queues[VERIFY_THEIRS].ended) {
        remote->alone_ns = 0;
    } else if (remote->alone_ns == 0) {
        remote->alone_ns = now_ns();
    } else if (now_ns() - remote->alone_ns > limit_ns_of(remote)) {
        remote->cut = true;
        verify_compare_end_side(&remote->compare, VERIFY_THEIRS);
    }
}

/* --- the loop --------------------------------------------------------------------------------- */

static void tell_progress(const struct verify_remote *remote)
{
    const struct haul_verify_options *what = &remote->what;
    const struct digest *ours = &remote->compare.totals[VERIFY_OURS];
    const struct digest *theirs = &remote->compare.totals[VERIFY_THEIRS];
    const struct digest *larger = ours->count >= theirs->count ? ours : theirs;
    if (what->on_progress != NULL && !remote->compare.single) {
        what->on_progress(what->context, remote->records + larger->count,
                          remote->bytes + larger->bytes);
    }
}

/* One round: handle what has come, and wait for more. */
static enum haul_status turn(struct verify_remote *remote, struct haul_error *error)
{
    const struct haul_verify_options *what = &remote->what;
    if (what->is_cancelled != NULL && what->is_cancelled(what->context)) {
        return haul_error_set(error, HAUL_STOPPED, NULL, 0, "verification stopped");
    }
    enum haul_status status = poll_ours(remote, error);
    if (status == HAUL_OK) {
        status = poll_theirs(remote, error);
    }
    if (status == HAUL_OK) {
        limit_counting(remote);
        read_on(remote);
        status = ask_on(remote, error);
    }
    tell_progress(remote);
    return status;
}

static void wait(struct verify_remote *remote)
{
    (void)poll_group_wait(remote->group, remote->more,
                          clock_deadline_ns(&clock_monotonic, LOOP_INTERVAL_MS));
}

/* Connect, greet, and get the list of families. */
static enum haul_status open_peer(struct verify_remote *remote, struct haul_error *error)
{
    bool asked = false;
    message_release(&remote->theirs);
    enum haul_status status = verify_peer_open(&remote->peer, error);
    while (status == HAUL_OK && remote->theirs.type != MESSAGE_VERIFY_FAMILIES) {
        status = turn(remote, error);
        if (status == HAUL_OK && remote->peer.greeted && !asked) {
            struct message message;
            message_init(&message, MESSAGE_VERIFY_LIST);
            status = verify_peer_send(&remote->peer, &message, error);
            asked = true;
        }
        if (status == HAUL_OK && remote->theirs.type != MESSAGE_VERIFY_FAMILIES) {
            wait(remote);
        }
    }
    return status;
}

/* The path is lost, or the target is busy: is another attempt allowed, and when? A path that lasted
 * long but brought nothing does not renew the limit. OK: connected. */
static enum haul_status come_back(struct verify_remote *remote, enum haul_status status,
                                  struct haul_error *error)
{
    while (is_path_status(status) && retry_limit_allows(&remote->retry, false, now_ns())) {
        uint64_t next_ns = retry_limit_next_ns(&remote->retry, now_ns());
        char line[HAUL_LOG_LINE_BYTES_MAX / 2];
        haul_error_format(error, line, sizeof(line));
        haul_log(
            remote->options.log, remote->result->retries++ == 0 ? HAUL_LOG_WARNING : HAUL_LOG_DEBUG,
            "%s; trying again for up to %u s", line, (remote->options.retry_max_ms + 999) / 1000);
        verify_peer_close(&remote->peer);
        verify_answers_reset(&remote->answers);
        message_release(&remote->theirs);
        status = HAUL_OK;
        while (status == HAUL_OK && now_ns() < next_ns) {
            wait(remote);
            status = turn(remote, error);
        }
        if (status == HAUL_OK) {
            status = open_peer(remote, error);
        }
    }
    return status;
}

/* --- a family --------------------------------------------------------------------------------- */

static size_t range_count_of(const struct verify_remote *remote)
{
    size_t count = remote->what.range_count;
    return count == 0 ? 1 : count;
}

/* Nobody can have chosen records for a key of this run. Empty: a target of an earlier release. */
static struct haul_slice digest_key_of(const struct verify_remote *remote)
{
    bool keyed = (remote->peer.features & MESSAGE_FEATURE_KEYED) != 0;
    return slice_of(remote->digest_key, keyed ? DIGEST_KEY_BYTES : 0);
}

static enum haul_status begin_ours(struct verify_remote *remote, struct haul_error *error)
{
    const struct haul_verify_options *what = &remote->what;
    struct verify_reading reading = {.family = remote->family.ours->name,
                                     .ranges = what->ranges,
                                     .range_count = what->range_count,
                                     .single = remote->compare.single,
                                     .with_keys = true,
                                     .from = &remote->compare.equal,
                                     .digest_key = digest_key_of(remote)};
    enum haul_status status = verify_reader_init(&remote->reader, remote->store, &reading, error);
    remote->ours_begun = status == HAUL_OK;
    return status;
}

static enum haul_status put_ranges(const struct haul_verify_options *what,
                                   haul_control_VerifyScan *scan)
{
    scan->ranges = calloc(what->range_count + 1, sizeof(*scan->ranges));
    for (size_t i = 0; scan->ranges != NULL && i < what->range_count; i++) {
        haul_control_Range *range = &scan->ranges[scan->ranges_count++];
        range->start = message_bytes(what->ranges[i].start);
        range->end = message_bytes(what->ranges[i].end);
        if (range->start == NULL || range->end == NULL) {
            return HAUL_NO_MEMORY;
        }
    }
    return scan->ranges == NULL ? HAUL_NO_MEMORY : HAUL_OK;
}

static enum haul_status begin_theirs(struct verify_remote *remote, struct haul_error *error)
{
    const struct verify_place *place = &remote->compare.equal;
    struct message message;
    message_init(&message, MESSAGE_VERIFY_SCAN);
    haul_control_VerifyScan *scan = &message.as.verify_scan;
    scan->scan = remote->answers.scan + 1;
    (void)snprintf(scan->family, sizeof(scan->family), "%s", remote->family.theirs->name);
    scan->single = remote->compare.single;
    scan->continues = true;
    message_put_bytes(digest_key_of(remote), &scan->digest_key.size, scan->digest_key.bytes,
                      sizeof(scan->digest_key.bytes));
    scan->range = (uint32_t)place->range;
    enum haul_status status = put_ranges(&remote->what, scan);
    if (status == HAUL_OK && place->behind_key) {
        scan->after = message_bytes(place->key);
        status = scan->after == NULL ? HAUL_NO_MEMORY : HAUL_OK;
    }
    if (status != HAUL_OK) {
        message_release(&message);
        return haul_error_set(error, status, NULL, 0,
                              "no memory for the request, or a key of more "
                              "than %d bytes",
                              MESSAGE_BYTES_MAX);
    }
    verify_answers_begin(&remote->answers, scan->single, (uint32_t)range_count_of(remote));
    return verify_peer_send(&remote->peer, &message, error);
}

/* Start both sides at the place up to which they are equal. */
static enum haul_status begin_sides(struct verify_remote *remote, struct haul_error *error)
{
    bool behind_all = remote->compare.equal.range >= range_count_of(remote);
    bool ours = remote->family.ours != NULL && !behind_all;
    bool theirs = remote->family.theirs != NULL && !behind_all;
    enum haul_status status = ours ? begin_ours(remote, error) : HAUL_OK;
    if (status == HAUL_OK && theirs) {
        status = begin_theirs(remote, error);
    }
    if (!ours) {
        verify_compare_end_side(&remote->compare, VERIFY_OURS);
    }
    if (!theirs) {
        remote->family.theirs = NULL;
        verify_compare_end_side(&remote->compare, VERIFY_THEIRS);
    }
    return status;
}

static const haul_control_Family *find_theirs(const struct verify_remote *remote, const char *name)
{
    const haul_control_VerifyFamilies *list = &remote->theirs.as.verify_families;
    for (size_t i = 0; i < list->families_count; i++) {
        if (strcmp(list->families[i].name, name) == 0) {
            return &list->families[i];
        }
    }
    return NULL;
}

/* Finish the comparison that has begun, over as many connections as it takes. */
static enum haul_status compare_family(struct verify_remote *remote, const char *name,
                                       struct haul_error *error)
{
    enum haul_status status = begin_sides(remote, error);
    while (!verify_compare_is_over(&remote->compare)) {
        status = status == HAUL_OK ? turn(remote, error) : status;
        if (status == HAUL_OK && !verify_compare_is_over(&remote->compare)) {
            wait(remote);
        }
        if (status != HAUL_OK) {
            end_reading(remote);
            verify_compare_rewind(&remote->compare);
            status = come_back(remote, status, error);
            if (status != HAUL_OK) {
                return status;
            }
            remote->family.theirs = find_theirs(remote, name);
            status = begin_sides(remote, error);
        }
    }
    end_reading(remote);
    return status;
}

static enum verify_order order_of(const struct remote_family *family)
{
    const char *ours = family->ours == NULL ? family->theirs->comparator : family->ours->comparator;
    const char *theirs = family->theirs == NULL ? ours : family->theirs->comparator;
    if (strcmp(ours, theirs) != 0) {
        return VERIFY_ORDER_UNKNOWN;
    }
    return strcmp(ours, HAUL_COMPARATOR_BYTEWISE) == 0  ? VERIFY_ORDER_ASCENDING
           : strcmp(ours, HAUL_COMPARATOR_REVERSE) == 0 ? VERIFY_ORDER_DESCENDING
                                                        : VERIFY_ORDER_UNKNOWN;
}

static void put_result(struct haul_family_result *result, const char *name,
                       const struct digest *digest)
{
    (void)snprintf(result->name, sizeof(result->name), "%s", name);
    result->records = digest->count;
    result->bytes = digest->bytes;
    digest_format(digest, result->digest);
}

static void note_totals(struct verify_remote *remote, const char *name, bool ours, bool theirs)
{
    struct haul_verify_remote_result *result = remote->result;
    const struct digest *totals = remote->compare.totals;
    const struct digest *larger = totals[VERIFY_OURS].count >= totals[VERIFY_THEIRS].count
                                      ? &totals[VERIFY_OURS]
                                      : &totals[VERIFY_THEIRS];
    if (ours) {
        put_result(&result->ours[result->our_count++], name, &totals[VERIFY_OURS]);
    }
    if (theirs) {
        put_result(&result->theirs[result->their_count], name, &totals[VERIFY_THEIRS]);
        if (remote->cut) {
            result->theirs[result->their_count].digest[0] = '\0';
        }
        result->their_count++;
    }
    remote->records += larger->count;
    remote->bytes += larger->bytes;
}

/* Compare record by record from where the pieces differ. */
static enum haul_status look_closer(struct verify_remote *remote, struct remote_family family,
                                    const char *name, struct haul_error *error)
{
    struct haul_verify_remote_result *result = remote->result;
    verify_compare_begin(&remote->compare, true, remote->compare.order);
    remote->family = family;
    enum haul_status status = compare_family(remote, name, error);
    if (status == HAUL_OK && remote->compare.found) {
        result->has_difference = true;
        result->difference = remote->compare.difference;
        remote->compare.difference.key = (struct haul_slice){NULL, 0};
    }
    return status;
}

static enum haul_status verify_family(struct verify_remote *remote, const struct haul_family *ours,
                                      const haul_control_Family *theirs, bool *differs,
                                      struct haul_error *error)
{
    struct remote_family family = {.ours = ours, .theirs = theirs};
    char name[HAUL_NAME_BYTES_MAX];
    (void)snprintf(name, sizeof(name), "%s", ours != NULL ? ours->name : theirs->name);
    remote->cut = false;
    remote->alone_ns = 0;
    verify_compare_begin(&remote->compare, false, order_of(&family));
    remote->family = family;
    enum haul_status status = compare_family(remote, name, error);
    if (status != HAUL_OK) {
        return status;
    }
    const struct digest *totals = remote->compare.totals;
    bool first = !*differs && !digest_equal(&totals[VERIFY_OURS], &totals[VERIFY_THEIRS]);
    *differs = *differs || first;
    note_totals(remote, name, ours != NULL, theirs != NULL);
    if (first && remote->compare.order != VERIFY_ORDER_UNKNOWN) {
        family.theirs = find_theirs(remote, name); /* a new connection has a new list */
        status = look_closer(remote, family, name, error);
    }
    return status;
}

/* --- all families ----------------------------------------------------------------------------- */

static bool is_wanted(const struct haul_verify_options *what, const char *name)
{
    bool wanted = what->family_count == 0;
    for (size_t i = 0; i < what->family_count; i++) {
        wanted = wanted || strcmp(what->families[i], name) == 0;
    }
    return wanted;
}

static const struct haul_family *find_ours(const struct verify_remote *remote, const char *name)
{
    for (size_t i = 0; i < remote->family_count; i++) {
        if (strcmp(remote->families[i].name, name) == 0) {
            return &remote->families[i];
        }
    }
    return NULL;
}

/* A family that the target does not take may be there all the same: it is no difference. */
static enum haul_status check_taken(const struct verify_remote *remote, struct haul_error *error)
{
    for (size_t i = 0; i < remote->family_count && remote->theirs.as.verify_families.taken_only;
         i++) {
        const char *name = remote->families[i].name;
        if (is_wanted(&remote->what, name) && find_theirs(remote, name) == NULL) {
            haul_error_set(error, HAUL_UNSUPPORTED, NULL, 0,
                           "the receiver does not take column family '%s', or lacks it", name);
            haul_error_hint(error, "select others with `--cf`, or look at its `--only-cf`");
            return HAUL_UNSUPPORTED;
        }
    }
    return HAUL_OK;
}

static enum haul_status check_names(const struct verify_remote *remote, struct haul_error *error)
{
    const struct haul_verify_options *what = &remote->what;
    bool taken_only = remote->theirs.as.verify_families.taken_only;
    for (size_t i = 0; i < what->family_count; i++) {
        const char *name = what->families[i];
        bool ours = find_ours(remote, name) != NULL;
        if (!ours || (!taken_only && find_theirs(remote, name) == NULL)) {
            return haul_error_set(error, HAUL_NOT_FOUND, NULL, 0, "no column family named '%s'%s",
                                  name, ours ? " on the target" : "");
        }
    }
    return taken_only ? check_taken(remote, error) : HAUL_OK;
}

/* Names of families that only the target has; kept in a separate list, because connections come and
 * go. */
static enum haul_status verify_rest(struct verify_remote *remote, bool *differs,
                                    struct haul_error *error)
{
    const haul_control_VerifyFamilies *list = &remote->theirs.as.verify_families;
    size_t count = list->families_count;
    enum haul_status status = HAUL_OK;
    char(*names)[HAUL_NAME_BYTES_MAX] = calloc(count + 1, sizeof(*names));
    if (names == NULL) {
        return no_memory(error);
    }
    for (size_t i = 0; i < count; i++) {
        (void)snprintf(names[i], sizeof(names[i]), "%s", list->families[i].name);
    }
    for (size_t i = 0; i < count && status == HAUL_OK; i++) {
        const haul_control_Family *theirs = find_theirs(remote, names[i]);
        bool only_theirs = theirs != NULL && find_ours(remote, names[i]) == NULL &&
                           remote->result->their_count < HAUL_FAMILY_COUNT_MAX;
        if (only_theirs && is_wanted(&remote->what, names[i])) {
            status = verify_family(remote, NULL, theirs, differs, error);
        }
    }
    free(names);
    return status;
}

static enum haul_status verify_all(struct verify_remote *remote, struct haul_error *error)
{
    bool differs = false;
    enum haul_status status = open_peer(remote, error);
    if (status != HAUL_OK) {
        status = come_back(remote, status, error);
    }
    if (status == HAUL_OK) {
        status = check_names(remote, error);
    }
    for (size_t i = 0; i < remote->family_count && status == HAUL_OK; i++) {
        const struct haul_family *ours = &remote->families[i];
        if (is_wanted(&remote->what, ours->name)) {
            status = verify_family(remote, ours, find_theirs(remote, ours->name), &differs, error);
        }
    }
    return status == HAUL_OK ? verify_rest(remote, &differs, error) : status;
}

/* --- life ------------------------------------------------------------------------------------- */

static enum haul_status resolve_options(struct verify_remote *remote,
                                        const struct haul_verify_remote_options *given,
                                        struct haul_error *error)
{
    struct haul_verify_remote_options *options = &remote->options;
    static const struct haul_verify_options everything = {.size_bytes = sizeof(everything)};
    enum haul_status status =
        sized_options_take(options, sizeof(*options),
                           SIZED_OPTIONS_END(struct haul_verify_remote_options, log), given, error);
    if (status == HAUL_OK) {
        status = sized_options_take(&remote->what, sizeof(remote->what),
                                    SIZED_OPTIONS_END(struct haul_verify_options, context),
                                    options->what == NULL ? &everything : options->what, error);
    }
    if (status != HAUL_OK) {
        return status;
    }
    if (options->peer_timeout_ms == 0) {
        options->peer_timeout_ms = HAUL_PEER_TIMEOUT_MS_DEFAULT;
    }
    if (options->retry_max_ms == 0) {
        options->retry_max_ms = HAUL_RETRY_MAX_MS_DEFAULT;
    }
    if (options->secret.size > HAUL_SECRET_BYTES_MAX) {
        return haul_error_set(error, HAUL_INVALID, NULL, 0, "a secret has at most %d bytes",
                              HAUL_SECRET_BYTES_MAX);
    }
    retry_limit_init(&remote->retry, remote->options.retry_max_ms);
    return migration_random(remote->digest_key, sizeof(remote->digest_key)) == HAUL_OK
               ? HAUL_OK
               : haul_error_set(error, HAUL_IO, "getrandom", 0, "no random numbers");
}

static enum haul_status create(struct verify_remote *remote, struct haul_error *error)
{
    remote->call = (struct call){.run = call_read, .context = remote};
    remote->chunk = calloc(1, sizeof(*remote->chunk));
    remote->families = calloc(HAUL_FAMILY_COUNT_MAX, sizeof(*remote->families));
    if (remote->chunk == NULL || remote->families == NULL) {
        return no_memory(error);
    }
    const struct haul_store_ops *ops = remote->store->ops;
    enum haul_status status = ops->families(remote->store, remote->families, HAUL_FAMILY_COUNT_MAX,
                                            &remote->family_count, error);
    if (status == HAUL_OK && poll_group_create(0, &clock_monotonic, &remote->group) != HAUL_OK) {
        status = haul_error_set(error, HAUL_LIMIT, NULL, 0, "cannot create the loop");
    }
    if (status == HAUL_OK) {
        status = call_worker_create(&remote->worker, error);
    }
    if (status == HAUL_OK) {
        status = poll_group_add_fd(remote->group, call_worker_fd(remote->worker));
    }
    struct verify_peer_options peer = {.peer_timeout_ms = remote->options.peer_timeout_ms,
                                       .secret = remote->options.secret,
                                       .keys = remote->options.keys,
                                       .insecure = remote->options.insecure,
                                       .log = remote->options.log,
                                       .clock = &clock_monotonic,
                                       .group = remote->group};
    instance_name(remote->store, peer.identity);
    return status == HAUL_OK ? verify_peer_init(&remote->peer, &peer, remote->options.to, error)
                             : status;
}

static void destroy(struct verify_remote *remote)
{
    end_reading(remote);
    verify_peer_close(&remote->peer);
    verify_compare_fini(&remote->compare);
    message_release(&remote->theirs);
    if (remote->worker != NULL) {
        poll_group_remove_fd(remote->group, call_worker_fd(remote->worker));
        call_worker_destroy(remote->worker);
    }
    poll_group_destroy(remote->group);
    free(remote->chunk);
    free(remote->families);
    free(remote);
}

enum haul_status haul_verify_remote(struct haul_store *store,
                                    const struct haul_verify_remote_options *options,
                                    struct haul_verify_remote_result *result,
                                    struct haul_error *error)
{
    struct haul_error ignored;
    struct haul_error *why = error == NULL ? &ignored : error;
    struct verify_remote *remote = calloc(1, sizeof(*remote));
    memset(result, 0, sizeof(*result));
    if (remote == NULL) {
        return no_memory(error);
    }
    remote->store = store;
    remote->result = result;
    enum haul_status status = resolve_options(remote, options, why);
    if (status == HAUL_OK) {
        status = create(remote, why);
    }
    if (status == HAUL_OK) {
        status = verify_all(remote, why);
    }
    destroy(remote);
    return status;
}
