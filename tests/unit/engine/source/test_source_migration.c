/* SPDX-License-Identifier: Apache-2.0 */
/* test_source_migration.c — the loop of a source. Its target is a socket in this process, which
 * answers whenever the loop waits. There are no data links: the job comes as far as its accepted
 * plan. */
#include <netinet/in.h>
#include <string.h>

#include "connected_peer.h"
#include "few_descriptors.h"
#include "haul/job.h"
#include "haul/migration.h"
#include "journal.h"
#include "migration_thread.h"
#include "rocks_fixture.h"
#include "sender_links.h"
#include "source_journal.h"
#include "source_session.h"

enum { PEER_TIMEOUT_MS = 5000, RETRY_MS = 500, CHANGED_RATE = 12345 };

/* What the target does on a message. */
enum answer { ANSWER_AS_IT_SHOULD, ANSWER_NOTHING, ANSWER_REFUSED, ANSWER_GARBAGE, ANSWER_HANG_UP };

static struct rocks_fixture fixture;
static struct haul_migration *migration;
static struct haul_error error;
static enum answer on_hello;
static enum answer on_plan;
static unsigned heard[MESSAGE_VERIFY_PIECES + 1]; /* by type */
static haul_control_Hello hello;
static haul_control_Plan plan;        /* only its numbers */
static enum message_type stop_behind; /* the operator stops when this arrives; 0: never */
static enum message_type cancel_behind;
static unsigned events[SOURCE_EVENT_TICK + 1];
static unsigned opened_links;
static unsigned warnings;
static unsigned releases;
static uint64_t released_version;
static bool resolves;
static bool two_addresses;  /* has the target's host, with the ports 7 and 8 */
static unsigned links_port; /* where the data links go */
static const struct sender_links *opened;
static enum message_type rate_behind; /* the program changes the rate when this arrives */
static unsigned trusted;              /* connections */
static unsigned noted;                /* the target's timeouts */
static bool options_differ;           /* the target reports one */
static uint32_t job_phase;            /* the target's, of the job */
static haul_control_Commit commit;    /* only its numbers */

/* --- the target ------------------------------------------------------------------------------- */

static void say_welcome(void)
{
    struct message said;
    message_init(&said, MESSAGE_WELCOME);
    said.as.welcome.wire_version = MESSAGE_WIRE_VERSION;
    said.as.welcome.journal_version = JOURNAL_FORMAT_VERSION;
    said.as.welcome.slot_count = 8;
    said.as.welcome.slot_size_bytes = HAUL_SLOT_SIZE_BYTES_DEFAULT;
    said.as.welcome.peer_timeout_ms = PEER_TIMEOUT_MS;
    said.as.welcome.job_phase = job_phase;
    said.as.welcome.session.size = LINK_SESSION_BYTES;
    said.as.welcome.token.size = LINK_TOKEN_BYTES;
    memset(said.as.welcome.token.bytes, 7, LINK_TOKEN_BYTES);
    said.as.welcome.target_identity.size = 8;
    memcpy(said.as.welcome.target_identity.bytes, "target/1", 8);
    control_peer_say(&peer, &said);
}

static void say_accepted(void)
{
    struct message said;
    message_init(&said, MESSAGE_PLAN_ACCEPTED);
    said.as.plan_accepted.lane = HAUL_LANE_WRITE_BATCH;
    said.as.plan_accepted.family_ids_count = 1;
    said.as.plan_accepted.family_ids = calloc(1, sizeof(uint32_t));
    check_or_stop(said.as.plan_accepted.family_ids != NULL);
    if (options_differ) {
        haul_control_OptionDifference *differs = calloc(1, sizeof(*differs));
        check_or_stop(differs != NULL);
        *differs = (haul_control_OptionDifference){.name = "ttl", .source = "1", .target = "2"};
        said.as.plan_accepted.option_differences = differs;
        said.as.plan_accepted.option_differences_count = 1;
        said.as.plan_accepted.option_difference_count = 3;
    }
    control_peer_say(&peer, &said);
}

static void answer(enum answer how, void (*properly)(void))
{
    struct message said;
    switch (how) {
    case ANSWER_AS_IT_SHOULD:
        properly();
        return;
    case ANSWER_NOTHING:
        return;
    case ANSWER_REFUSED:
        message_init(&said, MESSAGE_REFUSED);
        said.as.refused.status = HAUL_MISMATCH;
        memcpy(said.as.refused.text, "not here", sizeof("not here"));
        control_peer_say(&peer, &said);
        return;
    case ANSWER_GARBAGE:
        check_status(control_channel_send(peer.channel, 9999, "x", 1), HAUL_OK);
        return;
    case ANSWER_HANG_UP:
        control_peer_close(&peer);
        return;
    }
}

static void say_aborted(void)
{
    struct message said;
    message_init(&said, MESSAGE_ABORTED);
    control_peer_say(&peer, &said);
}

static void say_committed(void)
{
    struct message said;
    message_init(&said, MESSAGE_COMMITTED);
    said.as.committed.new_version = commit.new_version;
    control_peer_say(&peer, &said);
}

static void connected_peer_take(struct message *message)
{
    heard[message->type]++;
    if (message->type == MESSAGE_HELLO) {
        hello = message->as.hello;
        answer(on_hello, say_welcome);
    } else if (message->type == MESSAGE_PLAN) {
        plan = message->as.plan;
        answer(on_plan, say_accepted);
    } else if (message->type == MESSAGE_ABORT) {
        say_aborted();
    } else if (message->type == MESSAGE_COMMIT) {
        commit = message->as.commit;
        say_committed();
    }
    if (message->type == stop_behind) {
        haul_migration_stop(migration);
    } else if (message->type == cancel_behind) {
        haul_migration_cancel(migration);
    } else if (message->type == rate_behind) {
        haul_migration_rate(migration, CHANGED_RATE);
    }
}

/* --- what is not the loop's ------------------------------------------------------------------- */

enum haul_status __wrap_migration_start(struct haul_migration *started, struct haul_error *failed);
enum haul_status __wrap_migration_start(struct haul_migration *started, struct haul_error *failed)
{
    (void)started;
    (void)failed;
    return HAUL_OK; /* the test runs it */
}

enum haul_status __real_link_addresses_parse(const char *text, struct link_addresses *addresses,
                                             struct haul_error *failed);
enum haul_status __wrap_link_addresses_parse(const char *text, struct link_addresses *addresses,
                                             struct haul_error *failed);
enum haul_status __wrap_link_addresses_parse(const char *text, struct link_addresses *addresses,
                                             struct haul_error *failed)
{
    enum haul_status status = __real_link_addresses_parse(text, addresses, failed);
    if (two_addresses) {
        struct link_address *second = &addresses->items[addresses->count++];
        *second = addresses->items[0];
        ((struct sockaddr_in *)&second->storage)->sin_port = htons(8);
    }
    return status;
}

void __real_control_channel_trust(struct control_channel *channel);
void __wrap_control_channel_trust(struct control_channel *channel);
void __wrap_control_channel_trust(struct control_channel *channel)
{
    trusted += channel != peer.channel;
    __real_control_channel_trust(channel);
}

void __real_control_channel_note_peer_timeout(struct control_channel *channel, uint32_t timeout_ms);
void __wrap_control_channel_note_peer_timeout(struct control_channel *channel, uint32_t timeout_ms);
void __wrap_control_channel_note_peer_timeout(struct control_channel *channel, uint32_t timeout_ms)
{
    noted += channel != peer.channel && timeout_ms == PEER_TIMEOUT_MS;
    __real_control_channel_note_peer_timeout(channel, timeout_ms);
}

void __wrap_sender_links_open(struct sender_links *links, const struct link_ticket *ticket,
                              const struct attempt_keys *keys,
                              const haul_control_TransportOffer *offers, size_t offer_count);
void __wrap_sender_links_open(struct sender_links *links, const struct link_ticket *ticket,
                              const struct attempt_keys *keys,
                              const haul_control_TransportOffer *offers, size_t offer_count)
{
    opened = links;
    links_port = ntohs(((const struct sockaddr_in *)&links->options.address.storage)->sin_port);
    (void)offers;
    check(!keys->derived);
    check_equal(offer_count, 0);
    check_equal(ticket->token[0], 7);
    check_equal(ticket->token[LINK_TOKEN_BYTES - 1], 7);
    opened_links++;
    haul_migration_stop(migration); /* it goes no further without them */
}

void __real_source_session_event(struct source_session *session, const struct source_event *event,
                                 uint64_t now_ns);
void __wrap_source_session_event(struct source_session *session, const struct source_event *event,
                                 uint64_t now_ns);
void __wrap_source_session_event(struct source_session *session, const struct source_event *event,
                                 uint64_t now_ns)
{
    events[event->type]++;
    __real_source_session_event(session, event, now_ns);
}

static void write_log(void *context, enum haul_log_level level, const char *line)
{
    (void)context;
    (void)line;
    warnings += level == HAUL_LOG_WARNING;
}

static const struct haul_log log_of_test = {.write = write_log, .level_max = HAUL_LOG_WARNING};

static void hook_release(void *context, uint64_t new_version)
{
    (void)context;
    releases++;
    released_version = new_version;
}

/* --- fixture ---------------------------------------------------------------------------------- */

static void begin(void)
{
    rocks_fixture_open(&fixture);
    memset(heard, 0, sizeof(heard));
    memset(events, 0, sizeof(events));
    memset(&error, 0, sizeof(error));
    connected_peer_begin();
    opened_links = warnings = releases = 0;
    released_version = 0;
    resolves = two_addresses = options_differ = false;
    links_port = trusted = noted = 0;
    job_phase = 0;
    on_hello = on_plan = ANSWER_AS_IT_SHOULD;
    stop_behind = cancel_behind = rate_behind = 0;
    opened = NULL;
    migration = NULL;
}

static const char cpu_list[] = "0";

static enum haul_status start(void)
{
    static const struct haul_range range = {.start = {(const uint8_t *)"k", 1},
                                            .end = {(const uint8_t *)"l", 1}};
    struct haul_source_options options = {.store = fixture.store,
                                          .to = "127.0.0.1:7",
                                          .ranges = &range,
                                          .range_count = 1,
                                          .lane = HAUL_LANE_WRITE_BATCH,
                                          .resolve = resolves,
                                          .hooks = {.release = hook_release},
                                          .retry_max_ms = RETRY_MS,
                                          .link = {.peer_timeout_ms = PEER_TIMEOUT_MS},
                                          .cpu_list = cpu_list,
                                          .log = &log_of_test};
    return haul_source_start(&options, &migration, &error);
}

static const struct haul_result *run(void)
{
    check_or_stop(start() == HAUL_OK);
    migration->run(migration);
    return &migration->result;
}

static size_t job_count(void)
{
    struct haul_job *jobs = NULL;
    size_t count = 99;
    check_status(haul_jobs_list(fixture.path, &jobs, &count, &error), HAUL_OK);
    free(jobs);
    return count;
}

static void finish(void)
{
    haul_migration_destroy(migration);
    control_peer_close(&peer);
    rocks_fixture_close(&fixture);
}

/* --- starting --------------------------------------------------------------------------------- */

static void test_haul_source_start__no_way_to_the_target__unreachable_and_nothing_left(void)
{
    begin();
    failing_connects = 1;
    check_error(start(), HAUL_UNREACHABLE, error);
    check(migration == NULL);
    check_equal(job_count(), 0);
    finish();
}

/* Whatever cannot be opened any more, up to the connection. */
static void test_haul_source_start__few_descriptors__told_and_nothing_left(void)
{
    enum { SPARE_MAX = 60 };
    enum haul_status status = HAUL_LIMIT;
    unsigned spare = 0;
    begin();
    failing_connects = UINT32_MAX;
    for (; status != HAUL_UNREACHABLE && spare < SPARE_MAX; spare++) {
        memset(&error, 0, sizeof(error));
        few_descriptors_begin(spare);
        status = start();
        few_descriptors_end();
        check(status != HAUL_OK && status == error.status && error.text[0] != '\0');
        check(migration == NULL);
        check_equal(job_count(), 0);
    }
    check_status(status, HAUL_UNREACHABLE);
    check(spare > 5);
    failing_connects = 0;
    check_or_stop(start() == HAUL_OK);
    check_text(migration->cpu_list, cpu_list);
    finish();
}

static void test_run_source__target_has_other_options__reported(void)
{
    begin();
    options_differ = true;
    const struct haul_result *result = run();
    check_equal(result->option_difference_count, 1);
    check_or_stop(result->option_differences != NULL);
    check_text(result->option_differences[0].name, "ttl");
    check_text(result->option_differences[0].target, "2");
    check(warnings > 0);
    finish();
}

static void test_run_source__connected__says_hello_of_this_database(void)
{
    begin();
    on_hello = ANSWER_REFUSED;
    const struct haul_result *result = run();
    check_equal(heard[MESSAGE_HELLO], 1);
    check_equal(hello.wire_version, MESSAGE_WIRE_VERSION);
    check_equal(hello.journal_version, JOURNAL_FORMAT_VERSION);
    check_equal(hello.epoch, 1);
    check_equal(hello.peer_timeout_ms, PEER_TIMEOUT_MS);
    check_equal(hello.retry_ms, RETRY_MS);
    check(memcmp(hello.job.bytes, result->job, HAUL_JOB_BYTES) == 0);
    check(hello.source_identity.size > 0);
    finish();
}

/* --- answers ---------------------------------------------------------------------------------- */

static void test_run_source__target_refuses__as_it_says_and_nothing_left(void)
{
    for (int greeted = 0; greeted < 2; greeted++) {
        begin();
        *(greeted ? &on_plan : &on_hello) = ANSWER_REFUSED;
        const struct haul_result *result = run();
        check_status(result->status, HAUL_MISMATCH);
        check(strstr(result->error.text, "not here") != NULL);
        check_equal(heard[MESSAGE_PLAN], greeted);
        check_equal(opened_links, 0);
        check_equal(job_count(), 0);
        check(!result->verified);
        finish();
    }
}

static void test_run_source__body_that_is_no_message__protocol(void)
{
    begin();
    on_hello = ANSWER_GARBAGE;
    const struct haul_result *result = run();
    check_status(result->status, HAUL_PROTOCOL);
    check_equal(events[SOURCE_EVENT_FAILED], 1);
    check_equal(job_count(), 0);
    finish();
}

static void test_run_source__plan_is_accepted__links_are_opened_once(void)
{
    begin();
    const struct haul_result *result = run();
    check_equal(heard[MESSAGE_PLAN], 1);
    check_equal(plan.new_version, 1);
    check_equal(opened_links, 1);
    check_status(result->status, HAUL_STOPPED);
    check_text(result->error.text, "stopped; the target keeps what has arrived");
    finish();
}

/* --- the operator ----------------------------------------------------------------------------- */

/* Requested once and reported to the session once, however many turns there are until the end. */
static void test_run_source__rate_is_changed__the_links_take_it(void)
{
    static const enum message_type moments[] = {MESSAGE_HELLO, MESSAGE_PLAN};
    for (size_t i = 0; i < 2; i++) {
        begin();
        rate_behind = moments[i];
        (void)run();
        check_or_stop(opened != NULL);
        check_equal(opened->options.rate_bytes_per_second, CHANGED_RATE);
        finish();
    }
}

static void test_run_source__stop__told_once_and_kept(void)
{
    begin();
    on_plan = ANSWER_NOTHING;
    stop_behind = MESSAGE_PLAN;
    const struct haul_result *result = run();
    check_status(result->status, HAUL_STOPPED);
    check_text(result->error.text, "stopped; the target keeps what has arrived");
    check_equal(events[SOURCE_EVENT_STOP], 1);
    check_equal(events[SOURCE_EVENT_CANCEL], 0);
    check_equal(heard[MESSAGE_ABORT], 0);
    finish();
}

static void test_run_source__cancel__told_once_and_nothing_left(void)
{
    begin();
    on_plan = ANSWER_NOTHING;
    cancel_behind = MESSAGE_PLAN;
    const struct haul_result *result = run();
    check_status(result->status, HAUL_CANCELLED);
    check_equal(events[SOURCE_EVENT_CANCEL], 1);
    check_equal(events[SOURCE_EVENT_STOP], 0);
    check_equal(heard[MESSAGE_ABORT], 1);
    check_equal(job_count(), 0);
    finish();
}

/* --- a job that was decided ------------------------------------------------------------------- */

/* Its process died after the decision, and may not have informed the embedder. */
static void leave_decided(void)
{
    static const struct haul_range range = {.start = {(const uint8_t *)"k", 1},
                                            .end = {(const uint8_t *)"l", 1}};
    const struct haul_source_options options = {.store = fixture.store,
                                                .to = "127.0.0.1:7",
                                                .ranges = &range,
                                                .range_count = 1,
                                                .lane = HAUL_LANE_WRITE_BATCH};
    struct source_journal journal;
    struct plan decided;
    check_or_stop(plan_make(&decided, fixture.store, &options, 0, &error) == HAUL_OK);
    decided.new_version = 5;
    source_journal_init(&journal, &options);
    memset(journal.job, 3, sizeof(journal.job));
    journal.moved = (struct digest){.count = 11, .bytes = 222};
    check_status(source_journal_begin(&journal, &decided, 0, &error), HAUL_OK);
    check_status(source_journal_bind(&journal, "target/1", &decided, &error), HAUL_OK);
    check_status(source_journal_frozen(&journal, &error), HAUL_OK);
    check_status(source_journal_decide(&journal, &decided, 1000, &error), HAUL_OK);
    source_journal_fini(&journal);
    plan_fini(&decided);
}

static void test_run_source__resolve__released_again(void)
{
    begin();
    leave_decided();
    resolves = true;
    on_hello = ANSWER_GARBAGE;
    (void)run();
    check_equal(releases, 1);
    check_equal(released_version, 5);
    check_equal(heard[MESSAGE_HELLO], 1);
    check_equal(job_count(), 1);
    finish();
}

/* The earlier process has moved what this one confirms. */
static void test_run_source__resolve__target_owns_and_figures_are_the_jobs(void)
{
    begin();
    leave_decided();
    resolves = true;
    job_phase = JOB_PREPARED;
    const struct haul_result *result = run();
    check_status(result->status, HAUL_OK);
    check_equal(heard[MESSAGE_COMMIT], 1);
    check_equal(commit.new_version, 5);
    check_equal(commit.records, 11);
    check_equal(commit.bytes, 222);
    check_equal(result->progress.records, 11);
    check_equal(result->progress.bytes, 222);
    check_equal(result->new_version, 5);
    check_equal(result->link_count, 0);
    check_equal(job_count(), 0);
    finish();
}

/* --- the path --------------------------------------------------------------------------------- */

static void test_run_source__target_hangs_up__comes_back_and_warns_once(void)
{
    begin();
    on_plan = ANSWER_HANG_UP;
    const struct haul_result *result = run();
    check(connects >= 2);
    check_equal(heard[MESSAGE_HELLO], connects);
    check_status(result->status, HAUL_CLOSED);
    check_equal(result->retries, connects - 1);
    check_equal(warnings, 1);
    finish();
}

/* From then on the peer may send long messages, and its own timeouts apply. */
static void test_run_source__target_answers__trusted_and_its_timeout_noted(void)
{
    begin();
    (void)run();
    check_equal(trusted, 1);
    check_equal(noted, 1);
    finish();
    begin();
    on_hello = ANSWER_NOTHING;
    stop_behind = MESSAGE_HELLO;
    const struct haul_result *result = run();
    check_text(result->error.text, "stopped before anything was sent");
    check_text(result->error.hint, "run the same command to begin again");
    check_equal(trusted, 1);
    check_equal(noted, 0);
    finish();
}

/* Data links go to the address that answered, not to the first of the target's addresses. */
static void test_run_source__first_address_fails__links_go_to_the_second(void)
{
    for (unsigned fails = 0; fails < 2; fails++) {
        begin();
        two_addresses = true;
        failing_connects = fails;
        (void)run();
        check_equal(opened_links, 1);
        check_equal(links_port, fails == 0 ? 7 : 8);
        finish();
    }
}

/* If no address has answered yet, the next one is tried; after an answer, the session decides. */
static void test_run_source__target_hangs_up_and_has_two_addresses__session_hears_of_each_loss(void)
{
    for (int fails = 0; fails < 2; fails++) {
        begin();
        two_addresses = true;
        on_plan = ANSWER_HANG_UP;
        failing_connects = (unsigned)fails;
        const struct haul_result *result = run();
        unsigned answered = connects - (unsigned)fails;
        check(answered >= 2);
        check_equal(heard[MESSAGE_HELLO], answered);
        check_equal(events[SOURCE_EVENT_CHANNEL_UP], answered);
        check_equal(events[SOURCE_EVENT_CHANNEL_DOWN], answered);
        check_status(result->status, HAUL_CLOSED);
        check_equal(result->retries, answered - 1);
        finish();
    }
}

static const struct check_test tests[] = {
    CHECK_TEST(test_haul_source_start__no_way_to_the_target__unreachable_and_nothing_left),
    CHECK_TEST(test_haul_source_start__few_descriptors__told_and_nothing_left),
    CHECK_TEST(test_run_source__target_has_other_options__reported),
    CHECK_TEST(test_run_source__connected__says_hello_of_this_database),
    CHECK_TEST(test_run_source__target_refuses__as_it_says_and_nothing_left),
    CHECK_TEST(test_run_source__body_that_is_no_message__protocol),
    CHECK_TEST(test_run_source__plan_is_accepted__links_are_opened_once),
    CHECK_TEST(test_run_source__rate_is_changed__the_links_take_it),
    CHECK_TEST(test_run_source__stop__told_once_and_kept),
    CHECK_TEST(test_run_source__cancel__told_once_and_nothing_left),
    CHECK_TEST(test_run_source__resolve__released_again),
    CHECK_TEST(test_run_source__resolve__target_owns_and_figures_are_the_jobs),
    CHECK_TEST(test_run_source__target_hangs_up__comes_back_and_warns_once),
    CHECK_TEST(test_run_source__target_answers__trusted_and_its_timeout_noted),
    CHECK_TEST(test_run_source__first_address_fails__links_go_to_the_second),
    CHECK_TEST(test_run_source__target_hangs_up_and_has_two_addresses__session_hears_of_each_loss),
};
CHECK_MAIN("source_migration", tests)
