/* SPDX-License-Identifier: Apache-2.0 */
/* test_verify_remote.c — a comparison with the database behind a target, which is a socket in this
 * process: what is requested, how answers are used, and what is repeated. */
#include <string.h>
#include <time.h>

#include "connected_peer.h"
#include "few_descriptors.h"
#include "haul/verify.h"
#include "rocks_fixture.h"
#include "target_verify.h"

enum { RECORDS = 300, VALUE_BYTES = 20, PEER_TIMEOUT_MS = 1000, RETRY_MS = 400 };

/* How the target reacts to the n-th request of type `misbehaves_at`. */
enum misdeed { BEHAVES, HANGS_UP, SAYS_GARBAGE, REFUSES, REPEATS_LIST, SAYS_NOTHING, COUNTS_ON };

static struct rocks_fixture ours;
static struct rocks_fixture theirs;
static struct target_verify verify;
static struct call_steps steps;
static struct haul_verify_options what;
static struct haul_verify_remote_options options;
static struct haul_verify_remote_result result;
static struct haul_error error;
static unsigned heard[MESSAGE_VERIFY_PIECES + 1]; /* by type */
static haul_control_Hello hello;
static enum misdeed misdeed;
static enum message_type misbehaves_at;
static unsigned misbehaves_from; /* it behaves this many times first */
static unsigned misbehaves_for;  /* then misbehaves this many times */
static enum haul_status refusal;
static unsigned stops_behind; /* NEXT: the operator stops after this many; 0: never */
static unsigned told;         /* on_progress */
static uint64_t told_records;

/* --- the target ------------------------------------------------------------------------------- */

static void say_welcome(void)
{
    struct message said;
    message_init(&said, MESSAGE_WELCOME);
    said.as.welcome.wire_version = MESSAGE_WIRE_VERSION;
    said.as.welcome.verify = true;
    said.as.welcome.peer_timeout_ms = PEER_TIMEOUT_MS;
    said.as.welcome.target_identity.size = 1;
    said.as.welcome.target_identity.bytes[0] = 't';
    control_peer_say(&peer, &said);
}

static void answer(const struct message *message)
{
    struct message said;
    check_or_stop(target_verify_take(&verify, message, &error) == HAUL_OK);
    while (target_verify_begin(&verify)) {
        call_steps_begin(&steps);
        const struct haul_target_options taken = {.store = theirs.store};
        check_status(target_verify_read(&verify, &taken, &steps.steps, &error), HAUL_OK);
        if (target_verify_answer(&verify, &said)) {
            control_peer_say(&peer, &said);
        }
    }
}

/* One more record, and no end. */
static void count_on(uint32_t scan)
{
    const struct timespec pause = {.tv_nsec = 2 * NS_PER_MS};
    struct message said;
    message_init(&said, MESSAGE_VERIFY_PIECES);
    said.as.verify_pieces.scan = scan;
    said.as.verify_pieces.pieces_count = 1;
    said.as.verify_pieces.pieces = calloc(1, sizeof(*said.as.verify_pieces.pieces));
    check_or_stop(said.as.verify_pieces.pieces != NULL);
    said.as.verify_pieces.pieces[0].records = 1;
    said.as.verify_pieces.pieces[0].bytes = 1;
    (void)nanosleep(&pause, NULL);
    control_peer_say(&peer, &said);
}

static void misbehave(const struct message *message)
{
    struct message said;
    switch (misdeed) {
    case HANGS_UP:
        control_peer_close(&peer);
        target_verify_fini(&verify);
        memset(&verify, 0, sizeof(verify));
        return;
    case SAYS_GARBAGE:
        check_status(control_channel_send(peer.channel, 9999, "x", 1), HAUL_OK);
        return;
    case REFUSES:
        message_init(&said, MESSAGE_REFUSED);
        said.as.refused.status = (uint32_t)refusal;
        memcpy(said.as.refused.text, "not now", sizeof("not now"));
        control_peer_say(&peer, &said);
        return;
    case COUNTS_ON:
        count_on(message->as.verify_next.scan);
        return;
    case REPEATS_LIST:
        message_init(&said, MESSAGE_VERIFY_LIST);
        answer(&said);
        return;
    case BEHAVES:
    case SAYS_NOTHING:
        return;
    }
}

static void connected_peer_take(struct message *message)
{
    unsigned count = heard[message->type]++;
    if (message->type == MESSAGE_VERIFY_SCAN && misdeed == COUNTS_ON &&
        message->as.verify_scan.single) {
        misdeed = BEHAVES; /* the closer look */
    }
    bool bad = misdeed != BEHAVES && message->type == misbehaves_at && count >= misbehaves_from &&
               count < misbehaves_from + misbehaves_for;
    if (message->type == MESSAGE_HELLO) {
        hello = message->as.hello;
    }
    if (bad) {
        misbehave(message);
    }
    if (bad && misdeed != REPEATS_LIST) {
        return;
    }
    if (message->type == MESSAGE_HELLO) {
        say_welcome();
    } else if (message->type != MESSAGE_STOP) {
        answer(message);
    }
}

/* --- fixture ---------------------------------------------------------------------------------- */

static bool is_cancelled(void *context)
{
    (void)context;
    return stops_behind > 0 && heard[MESSAGE_VERIFY_NEXT] >= stops_behind;
}

static void on_progress(void *context, uint64_t records, uint64_t bytes)
{
    (void)context;
    check(bytes >= records);
    check(records >= told_records);
    told++;
    told_records = records;
}

static void begin(void)
{
    rocks_fixture_open(&ours);
    rocks_fixture_open(&theirs);
    rocks_fixture_fill(&ours, 0, "k", RECORDS, VALUE_BYTES);
    rocks_fixture_fill(&theirs, 0, "k", RECORDS, VALUE_BYTES);
    connected_peer_begin();
    memset(heard, 0, sizeof(heard));
    memset(&verify, 0, sizeof(verify));
    memset(&error, 0, sizeof(error));
    misdeed = BEHAVES;
    misbehaves_at = 0;
    misbehaves_from = stops_behind = told = 0;
    misbehaves_for = 1;
    told_records = 0;
    what = (struct haul_verify_options){.is_cancelled = is_cancelled, .on_progress = on_progress};
    options = (struct haul_verify_remote_options){.to = "127.0.0.1:7",
                                                  .peer_timeout_ms = PEER_TIMEOUT_MS,
                                                  .retry_max_ms = RETRY_MS,
                                                  .what = &what};
}

static enum haul_status run(void)
{
    return haul_verify_remote(ours.store, &options, &result, &error);
}

/* Each family of one database, and the same of the other. */
static void check_same(size_t count)
{
    check_equal(result.our_count, count);
    check_equal(result.their_count, count);
    for (size_t i = 0; i < count; i++) {
        check_text(result.ours[i].name, result.theirs[i].name);
        check_text(result.ours[i].digest, result.theirs[i].digest);
        check_equal(result.ours[i].records, result.theirs[i].records);
        check(result.ours[i].digest[0] != '\0');
    }
    check(!result.has_difference);
}

static void finish(void)
{
    free((void *)(uintptr_t)result.difference.key.data);
    memset(&result, 0, sizeof(result));
    control_peer_close(&peer);
    target_verify_fini(&verify);
    rocks_fixture_close(&ours);
    rocks_fixture_close(&theirs);
}

static void misbehaving(enum misdeed how, enum message_type at, unsigned from)
{
    begin();
    misdeed = how;
    misbehaves_at = at;
    misbehaves_from = from;
}

/* --- comparing -------------------------------------------------------------------------------- */

static void test_haul_verify_remote__equal__all_families_counted(void)
{
    begin();
    uint32_t a = rocks_fixture_family(&ours, "more");
    uint32_t b = rocks_fixture_family(&theirs, "more");
    rocks_fixture_fill(&ours, a, "m", 5, VALUE_BYTES);
    rocks_fixture_fill(&theirs, b, "m", 5, VALUE_BYTES);
    check_status(run(), HAUL_OK);
    check_same(2);
    check_equal(result.ours[0].records, RECORDS);
    check_equal(result.ours[1].records, 5);
    check_equal(result.retries, 0);
    check(hello.verify);
    check_equal(heard[MESSAGE_VERIFY_LIST], 1);
    check_equal(heard[MESSAGE_VERIFY_SCAN], 2);
    check(told > 0);
    finish();
}

static void test_haul_verify_remote__ranges__these_only(void)
{
    const struct haul_range ranges[] = {
        {.start = text_slice("k00000010"), .end = text_slice("k00000020")},
        {.start = text_slice("k00000100"), .end = {NULL, 0}}};
    begin();
    rocks_fixture_delete(&theirs, 0, text_slice("k00000050"));
    what.ranges = ranges;
    what.range_count = 2;
    check_status(run(), HAUL_OK);
    check_same(1);
    check_equal(result.ours[0].records, 10 + RECORDS - 100);
    finish();
}

static void test_haul_verify_remote__differ__first_key_named(void)
{
    begin();
    rocks_fixture_delete(&theirs, 0, text_slice("k00000123"));
    rocks_fixture_delete(&ours, 0, text_slice("k00000200"));
    check_status(run(), HAUL_OK);
    check(result.has_difference);
    check(result.difference.in_a && !result.difference.in_b);
    check_equal(result.difference.key.size, 9);
    check(memcmp(result.difference.key.data, "k00000123", 9) == 0);
    check_equal(result.ours[0].records, RECORDS - 1);
    check_equal(result.theirs[0].records, RECORDS - 1);
    check(strcmp(result.ours[0].digest, result.theirs[0].digest) != 0);
    finish();
}

static void test_haul_verify_remote__family_of_one_side__counted_there(void)
{
    begin();
    rocks_fixture_fill(&ours, rocks_fixture_family(&ours, "here"), "h", 3, VALUE_BYTES);
    rocks_fixture_fill(&theirs, rocks_fixture_family(&theirs, "there"), "t", 4, VALUE_BYTES);
    check_status(run(), HAUL_OK);
    check_equal(result.our_count, 2);
    check_equal(result.their_count, 2);
    check_text(result.ours[1].name, "here");
    check_equal(result.ours[1].records, 3);
    check_text(result.theirs[1].name, "there");
    check_equal(result.theirs[1].records, 4);
    check(result.has_difference && result.difference.in_a);
    finish();
}

static void test_haul_verify_remote__named_families__these_or_not_found(void)
{
    static const char *const names[] = {"here"};
    begin();
    (void)rocks_fixture_family(&ours, "here");
    what.families = names;
    what.family_count = 1;
    check_error(run(), HAUL_NOT_FOUND, error);
    check(strstr(error.text, "'here' on the target") != NULL);
    (void)rocks_fixture_family(&theirs, "here");
    target_verify_fini(&verify);
    memset(&verify, 0, sizeof(verify));
    check_status(run(), HAUL_OK);
    check_same(1);
    check_text(result.ours[0].name, "here");
    finish();
}

/* --- the path --------------------------------------------------------------------------------- */

static void test_haul_verify_remote__hangs_up_anywhere__comes_back(void)
{
    static const enum message_type places[] = {MESSAGE_HELLO, MESSAGE_VERIFY_LIST,
                                               MESSAGE_VERIFY_SCAN, MESSAGE_VERIFY_NEXT};
    for (size_t i = 0; i < CHECK_COUNT(places); i++) {
        misbehaving(HANGS_UP, places[i], 0);
        check_status(run(), HAUL_OK);
        check_same(1);
        check_equal(result.ours[0].records, RECORDS);
        check_equal(result.retries, 1);
        check_equal(connects, 2);
        finish();
    }
}

static void test_haul_verify_remote__busy__tried_again(void)
{
    misbehaving(REFUSES, MESSAGE_HELLO, 0);
    refusal = HAUL_BUSY;
    check_status(run(), HAUL_OK);
    check_same(1);
    check_equal(result.retries, 1);
    finish();
}

/* What may be otherwise a moment later is tried again; nothing else is. */
static void test_haul_verify_remote__connecting_fails_once__by_its_status(void)
{
    begin();
    for (int i = HAUL_OK + 1; i < HAUL_STATUS_COUNT; i++) {
        enum haul_status failure = (enum haul_status)i;
        bool again = failure == HAUL_CLOSED || failure == HAUL_TIMEOUT || failure == HAUL_REFUSED ||
                     failure == HAUL_UNREACHABLE || failure == HAUL_BUSY;
        connects = 0;
        told_records = 0;
        failing_connects = 1;
        connect_failure = failure;
        target_verify_fini(&verify);
        memset(&verify, 0, sizeof(verify));
        check_status(run(), again ? HAUL_OK : failure);
        check_equal(result.retries, again);
        check_equal(connects, again ? 2 : 1);
    }
    finish();
}

static void test_haul_verify_remote__no_way_there__unreachable_in_the_end(void)
{
    begin();
    failing_connects = UINT32_MAX;
    check_error(run(), HAUL_UNREACHABLE, error);
    check(result.retries > 0);
    check_equal(connects, 1 + result.retries);
    finish();
}

/* It is not enough that the peer is alive: it owes an answer. */
static void test_haul_verify_remote__no_answer__not_for_ever(void)
{
    misbehaving(SAYS_NOTHING, MESSAGE_HELLO, 0);
    misbehaves_for = UINT32_MAX;
    options.peer_timeout_ms = 200;
    check_error(run(), HAUL_TIMEOUT, error);
    finish();
}

/* The databases differ, and ours is read: haul does not wait to count the rest of the other. */
static void test_haul_verify_remote__they_count_on_and_on__cut_without_a_digest(void)
{
    misbehaving(COUNTS_ON, MESSAGE_VERIFY_NEXT, 0);
    misbehaves_for = UINT32_MAX;
    options.peer_timeout_ms = HAUL_PEER_TIMEOUT_MS_MIN;
    rocks_fixture_delete(&theirs, 0, text_slice("k00000007"));
    check_status(run(), HAUL_OK);
    check_text(result.theirs[0].digest, "");
    check(result.theirs[0].records > 1);
    check(result.ours[0].digest[0] != '\0');
    check_equal(result.ours[0].records, RECORDS);
    check(result.has_difference);
    check(memcmp(result.difference.key.data, "k00000007", 9) == 0);
    finish();
}

/* --- what ends it ----------------------------------------------------------------------------- */

static void test_haul_verify_remote__answers_that_do_not_do__status_at_once(void)
{
    static const struct {
        enum misdeed misdeed;
        enum message_type at;
        enum haul_status status;
    } cases[] = {{REFUSES, MESSAGE_HELLO, HAUL_AUTH},
                 {SAYS_GARBAGE, MESSAGE_HELLO, HAUL_PROTOCOL},
                 {SAYS_GARBAGE, MESSAGE_VERIFY_NEXT, HAUL_PROTOCOL},
                 {REPEATS_LIST, MESSAGE_VERIFY_SCAN, HAUL_PROTOCOL}};
    for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
        misbehaving(cases[i].misdeed, cases[i].at, 0);
        refusal = HAUL_AUTH;
        check_error(run(), cases[i].status, error);
        check_equal(result.retries, 0);
        check_equal(connects, 1);
        finish();
    }
}

/* The call number `failing_open` of ours, from 1, that opens a scan or lists families. */
static struct haul_store_ops failing_ops;
static const struct haul_store_ops *real_ops;
static unsigned opens;
static unsigned failing_open;

static enum haul_status open_or_fail(struct haul_store *store, const struct haul_snapshot *snapshot,
                                     uint32_t family_id, struct haul_slice start,
                                     struct haul_slice end, struct haul_scan **scan,
                                     struct haul_error *failed)
{
    return ++opens == failing_open
               ? haul_error_set(failed, HAUL_IO, "open", 0, "the disk is broken")
               : real_ops->scan_open(store, snapshot, family_id, start, end, scan, failed);
}

static enum haul_status list_or_fail(struct haul_store *store, struct haul_family *families,
                                     size_t capacity, size_t *count, struct haul_error *failed)
{
    return ++opens == failing_open
               ? haul_error_set(failed, HAUL_IO, "list", 0, "the disk is broken")
               : real_ops->families(store, families, capacity, count, failed);
}

/* The databases differ, so that ours is opened a second time for the closer look. */
static void test_haul_verify_remote__nth_call_of_our_database_fails__its_error(void)
{
    begin();
    rocks_fixture_delete(&theirs, 0, text_slice("k00000123"));
    real_ops = ours.store->ops;
    failing_ops = *real_ops;
    failing_ops.scan_open = open_or_fail;
    failing_ops.families = list_or_fail;
    ours.store->ops = &failing_ops;
    enum haul_status status = HAUL_IO;
    for (failing_open = 1; status == HAUL_IO && failing_open < 20; failing_open++) {
        opens = 0;
        told_records = 0;
        memset(&error, 0, sizeof(error));
        target_verify_fini(&verify);
        memset(&verify, 0, sizeof(verify));
        status = run();
        check(status == HAUL_OK || (error.status == HAUL_IO && error.text[0] != '\0'));
    }
    check_status(status, HAUL_OK);
    check(failing_open > 5);
    ours.store->ops = real_ops;
    finish();
}

static void test_haul_verify_remote__operator_stops__stopped(void)
{
    begin();
    stops_behind = 1;
    check_error(run(), HAUL_STOPPED, error);
    finish();
}

static void test_haul_verify_remote__secret_is_too_long__invalid(void)
{
    static const uint8_t secret[HAUL_SECRET_BYTES_MAX + 1] = {1};
    begin();
    options.secret = slice_of(secret, HAUL_SECRET_BYTES_MAX);
    check_status(run(), HAUL_OK);
    check_equal(hello.secret.size, HAUL_SECRET_BYTES_MAX);
    options.secret = slice_of(secret, sizeof(secret));
    connects = 0;
    check_error(run(), HAUL_INVALID, error);
    check_equal(connects, 0);
    finish();
}

static void test_haul_verify_remote__few_descriptors__limit(void)
{
    for (unsigned spare = 0; spare < 3; spare++) {
        begin();
        few_descriptors_begin(spare);
        check_error(run(), HAUL_LIMIT, error);
        few_descriptors_end();
        finish();
    }
}

static const struct check_test tests[] = {
    CHECK_TEST(test_haul_verify_remote__equal__all_families_counted),
    CHECK_TEST(test_haul_verify_remote__ranges__these_only),
    CHECK_TEST(test_haul_verify_remote__differ__first_key_named),
    CHECK_TEST(test_haul_verify_remote__family_of_one_side__counted_there),
    CHECK_TEST(test_haul_verify_remote__named_families__these_or_not_found),
    CHECK_TEST(test_haul_verify_remote__hangs_up_anywhere__comes_back),
    CHECK_TEST(test_haul_verify_remote__busy__tried_again),
    CHECK_TEST(test_haul_verify_remote__connecting_fails_once__by_its_status),
    CHECK_TEST(test_haul_verify_remote__no_way_there__unreachable_in_the_end),
    CHECK_TEST(test_haul_verify_remote__no_answer__not_for_ever),
    CHECK_TEST(test_haul_verify_remote__they_count_on_and_on__cut_without_a_digest),
    CHECK_TEST(test_haul_verify_remote__answers_that_do_not_do__status_at_once),
    CHECK_TEST(test_haul_verify_remote__nth_call_of_our_database_fails__its_error),
    CHECK_TEST(test_haul_verify_remote__operator_stops__stopped),
    CHECK_TEST(test_haul_verify_remote__secret_is_too_long__invalid),
    CHECK_TEST(test_haul_verify_remote__few_descriptors__limit),
};
CHECK_MAIN("verify_remote", tests)
