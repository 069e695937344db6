/* SPDX-License-Identifier: Apache-2.0 */
/* test_target_driver.c — a job on the target. Its source is a socket in this process: what each
 * message does to the records, and what the source receives. */
#include "target_driver.h"

#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control_peer.h"
#include "haul/job.h"
#include "journal.h"
#include "migration_thread.h"
#include "plan.h"
#include "rocks_fixture.h"
#include "target_copy.h"
#include "target_state.h"

enum { PEER_TIMEOUT_MS = 5000, TURNS_MAX = 4000, TURN_MS = 5 };

static struct rocks_fixture source;
static struct rocks_fixture target;
static struct haul_target_options options;
static char identity[HAUL_IDENTITY_BYTES_MAX];
static struct poll_group *group;
static struct call_worker *worker;
static struct target_places places;
static struct control_peer peer;
static struct target_driver *driver;
static struct message heard;
static haul_control_Welcome welcome;
static struct haul_error error;
static enum haul_status own_status;
static uint32_t own_count;

/* --- what fails ------------------------------------------------------------------------------- */

static bool no_random;
static bool no_copy;
static const struct haul_error *news; /* what the appliers report once; NULL: nothing */
static uint64_t crc_errors;
static unsigned durable_news;  /* this many positions come from the appliers */
static atomic_bool disk_hangs; /* while positions are recorded */
static atomic_uint order_used;
static char order[8];     /* what is recorded: p for positions, P for PREPARED */
static unsigned trusted;  /* connections since the test began */
static unsigned noted;    /* the source's timeouts */
static bool others_write; /* to the range, just before the copy starts */

enum haul_status __real_migration_random(uint8_t *bytes, size_t size_bytes);
enum haul_status __wrap_migration_random(uint8_t *bytes, size_t size_bytes);
enum haul_status __wrap_migration_random(uint8_t *bytes, size_t size_bytes)
{
    return no_random ? HAUL_IO : __real_migration_random(bytes, size_bytes);
}

enum haul_status __real_target_copy_start(struct target_copy *copy, const uint8_t *id,
                                          const struct block_key *key, uint64_t now_ns,
                                          struct haul_error *failed);
enum haul_status __wrap_target_copy_start(struct target_copy *copy, const uint8_t *id,
                                          const struct block_key *key, uint64_t now_ns,
                                          struct haul_error *failed);
enum haul_status __wrap_target_copy_start(struct target_copy *copy, const uint8_t *id,
                                          const struct block_key *key, uint64_t now_ns,
                                          struct haul_error *failed)
{
    if (others_write) {
        rocks_fixture_put(&target, 0, text_slice("k1"), text_slice("somebody's"));
    }
    return no_copy ? haul_error_set(failed, HAUL_LIMIT, NULL, 0, "no threads")
                   : __real_target_copy_start(copy, id, key, now_ns, failed);
}

static void note_recorded(char what)
{
    unsigned at = atomic_fetch_add(&order_used, 1);
    if (at < sizeof(order) - 1) {
        order[at] = what;
    }
}

enum haul_status __wrap_target_journal_positions(struct target_journal *journal,
                                                 const struct stream_position *positions,
                                                 size_t count, struct haul_error *failed);
enum haul_status __wrap_target_journal_positions(struct target_journal *journal,
                                                 const struct stream_position *positions,
                                                 size_t count, struct haul_error *failed)
{
    (void)journal;
    (void)positions;
    (void)failed;
    (void)count;
    note_recorded('p');
    for (int i = 0; i < TURNS_MAX && atomic_load(&disk_hangs); i++) {
        (void)poll(NULL, 0, TURN_MS);
    }
    return HAUL_OK;
}

enum haul_status __real_target_journal_prepare(struct target_journal *journal,
                                               const haul_control_Prepare *prepare,
                                               const struct digest *digests,
                                               struct haul_error *failed);
enum haul_status __wrap_target_journal_prepare(struct target_journal *journal,
                                               const haul_control_Prepare *prepare,
                                               const struct digest *digests,
                                               struct haul_error *failed);
enum haul_status __wrap_target_journal_prepare(struct target_journal *journal,
                                               const haul_control_Prepare *prepare,
                                               const struct digest *digests,
                                               struct haul_error *failed)
{
    note_recorded('P');
    return __real_target_journal_prepare(journal, prepare, digests, failed);
}

enum target_copy_news __real_target_copy_next(struct target_copy *copy, struct haul_error *failed);
enum target_copy_news __wrap_target_copy_next(struct target_copy *copy, struct haul_error *failed);
enum target_copy_news __wrap_target_copy_next(struct target_copy *copy, struct haul_error *failed)
{
    if (durable_news > 0) {
        struct stream_position *position = calloc(1, sizeof(*position));
        check_or_stop(position != NULL);
        position->stream = PLAN_DELTA_STREAM;
        position->resumable = true;
        durable_news--;
        check_status(position_queue_add(&copy->positions, position, 1), HAUL_OK);
        return TARGET_COPY_DURABLE;
    }
    if (news == NULL) {
        return __real_target_copy_next(copy, failed);
    }
    *failed = *news;
    news = NULL;
    return TARGET_COPY_FAILED;
}

uint64_t __wrap_target_copy_crc_errors(const struct target_copy *copy);
uint64_t __wrap_target_copy_crc_errors(const struct target_copy *copy)
{
    (void)copy;
    return crc_errors;
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

static enum haul_status own(void *context, uint64_t new_version, struct haul_error *failed)
{
    (void)context;
    (void)new_version;
    own_count++;
    return own_status == HAUL_OK ? HAUL_OK : haul_error_set(failed, own_status, NULL, 0, "not yet");
}

/* --- fixture ---------------------------------------------------------------------------------- */

static enum haul_status connect_to(struct control_peer *whose, struct target_driver **made)
{
    const struct target_driver_options job_options = {.target = &options,
                                                      .identity = identity,
                                                      .clock = &clock_monotonic,
                                                      .group = group,
                                                      .worker = worker,
                                                      .places = &places};
    memset(&error, 0, sizeof(error));
    return target_driver_create(&job_options, (struct tls_socket){.fd = control_peer_open(whose)},
                                made, &error);
}

static void open_target(void)
{
    rocks_fixture_open(&source);
    rocks_fixture_open(&target);
    options = (struct haul_target_options){
        .store = target.store,
        .applier_count = 1,
        .table_size_bytes = 1 << 20,
        .answers_verify = true,
        .hooks = {.own = own},
        .link = {.slot_count = 8, .slot_size_bytes = 64 << 10, .peer_timeout_ms = PEER_TIMEOUT_MS}};
    memcpy(identity, "target/1", sizeof("target/1"));
    own_status = HAUL_OK;
    own_count = 0;
    places = (struct target_places){.count = 1};
    check_or_stop(poll_group_create(0, &clock_monotonic, &group) == HAUL_OK);
    check_or_stop(call_worker_create(&worker, &error) == HAUL_OK);
    check_or_stop(poll_group_add_fd(group, call_worker_fd(worker)) == HAUL_OK);
}

static void begin(void)
{
    open_target();
    trusted = noted = 0;
    check_or_stop(connect_to(&peer, &driver) == HAUL_OK);
}

static void close_target(void)
{
    poll_group_remove_fd(group, call_worker_fd(worker));
    call_worker_destroy(worker);
    poll_group_destroy(group);
    rocks_fixture_close(&source);
    rocks_fixture_close(&target);
}

/* Of one job, and of the calls of all. */
static void turn(struct target_driver *whose)
{
    struct call *returned;
    bool any = target_driver_poll(whose);
    while ((returned = call_worker_result(worker)) != NULL) {
        target_driver_returned(returned);
        any = true;
    }
    (void)poll_group_wait(group, any, clock_deadline_ns(&clock_monotonic, TURN_MS));
}

static bool hear_of(struct control_peer *whom, struct target_driver *whose)
{
    message_release(&heard);
    for (int i = 0; i < TURNS_MAX; i++) {
        if (control_peer_hear(whom, &heard)) {
            if (heard.type != MESSAGE_WORKING && heard.type != MESSAGE_PROGRESS) {
                return true;
            }
            message_release(&heard);
        }
        if (whom->lost || target_driver_has_ended(whose)) {
            return control_peer_hear(whom, &heard);
        }
        turn(whose);
    }
    return false;
}

static bool hear(enum message_type type)
{
    bool any = hear_of(&peer, driver);
    check(any);
    if (any) {
        check_text(message_name(heard.type), message_name(type));
    }
    return any && heard.type == type;
}

/* The job ends, with this status. */
static void end_with(enum haul_status status)
{
    struct haul_result result = {.status = HAUL_OK};
    for (int i = 0; i < TURNS_MAX && !target_driver_has_ended(driver); i++) {
        turn(driver);
    }
    check(target_driver_has_ended(driver));
    target_driver_result(driver, &result);
    check_status(result.status, status);
}

static void finish(void)
{
    for (int i = 0; i < TURNS_MAX && target_driver_has_calls(driver); i++) {
        turn(driver);
    }
    message_release(&heard);
    target_driver_destroy(driver);
    control_peer_close(&peer);
    check(places.places[0].holder == NULL);
    close_target();
}

static size_t job_count(void)
{
    struct haul_job *jobs = NULL;
    size_t count = 99;
    check_status(haul_jobs_list(target.path, &jobs, &count, &error), HAUL_OK);
    free(jobs);
    return count;
}

/* --- what the source says --------------------------------------------------------------------- */

static void say_hello(struct control_peer *whom, uint8_t number, bool resume)
{
    struct message said;
    message_init(&said, MESSAGE_HELLO);
    said.as.hello.wire_version = MESSAGE_WIRE_VERSION;
    said.as.hello.journal_version = JOURNAL_FORMAT_VERSION;
    said.as.hello.epoch = resume ? 2 : 1;
    said.as.hello.resume = resume;
    said.as.hello.peer_timeout_ms = PEER_TIMEOUT_MS;
    said.as.hello.job.size = HAUL_JOB_BYTES;
    memset(said.as.hello.job.bytes, number, HAUL_JOB_BYTES);
    said.as.hello.source_identity.size = 8;
    memcpy(said.as.hello.source_identity.bytes, "source/1", 8);
    control_peer_say(whom, &said);
}

static void greet(void)
{
    say_hello(&peer, 1, false);
    if (hear(MESSAGE_WELCOME)) {
        welcome = heard.as.welcome;
    }
}

static void say_plan(struct control_peer *whom, const char *from, const char *to)
{
    struct haul_range range = {.start = text_slice(from), .end = text_slice(to)};
    struct haul_source_options source_options = {
        .ranges = &range, .range_count = 1, .lane = HAUL_LANE_WRITE_BATCH};
    struct plan plan;
    struct message said;
    check_or_stop(plan_make(&plan, source.store, &source_options, 0, &error) == HAUL_OK);
    plan.new_version = 1;
    check_or_stop(plan_to_message(&plan, &said) == HAUL_OK);
    control_peer_say(whom, &said);
    plan_fini(&plan);
}

static void begin_receiving(void)
{
    begin();
    greet();
    say_plan(&peer, "k", "l");
    check_or_stop(hear(MESSAGE_PLAN_ACCEPTED));
}

/* Of no records at all, as the empty source has. */
static void say_prepare(uint64_t records)
{
    struct message said;
    message_init(&said, MESSAGE_PREPARE);
    said.as.prepare.new_version = 1;
    said.as.prepare.epoch = 1;
    said.as.prepare.digests_count = 1;
    said.as.prepare.digests = calloc(1, sizeof(*said.as.prepare.digests));
    check_or_stop(said.as.prepare.digests != NULL);
    said.as.prepare.digests[0].count = records;
    control_peer_say(&peer, &said);
}

static void begin_prepared(void)
{
    begin_receiving();
    say_prepare(0);
    check_or_stop(hear(MESSAGE_PREPARED));
}

static void say_commit(void)
{
    struct message said;
    message_init(&said, MESSAGE_COMMIT);
    said.as.commit = (haul_control_Commit){.new_version = 1, .epoch = 1};
    control_peer_say(&peer, &said);
}

static void say_abort(void)
{
    struct message said;
    message_init(&said, MESSAGE_ABORT);
    said.as.abort.status = HAUL_CANCELLED;
    control_peer_say(&peer, &said);
}

/* --- greeting --------------------------------------------------------------------------------- */

static void test_target_driver_create__no_random_numbers__io_and_socket_is_closed(void)
{
    open_target();
    no_random = true;
    check_error(connect_to(&peer, &driver), HAUL_IO, error);
    check_text(error.call, "getrandom");
    no_random = false;
    check(!control_peer_hear(&peer, &heard) && peer.lost);
    control_peer_close(&peer);
    close_target();
}

static void test_target_driver_poll__hello__welcome_of_this_database(void)
{
    static const uint8_t nothing[LINK_TOKEN_BYTES];
    begin();
    check(target_driver_is_silent(driver));
    greet();
    check(!target_driver_is_silent(driver));
    check_equal(welcome.target_identity.size, strlen(identity));
    check(memcmp(welcome.target_identity.bytes, identity, strlen(identity)) == 0);
    check_equal(welcome.slot_count, 8);
    check_equal(welcome.peer_timeout_ms, PEER_TIMEOUT_MS);
    check(memcmp(welcome.token.bytes, nothing, sizeof(nothing)) != 0);
    check(places.places[0].holder == NULL);
    check_equal(job_count(), 0);
    finish();
}

/* A peer that has not sent Hello may not send long messages. */
static void test_target_driver_poll__hello__trusted_and_its_timeout_noted(void)
{
    begin();
    for (int i = 0; i < 3; i++) {
        turn(driver);
    }
    check_equal(trusted + noted, 0);
    greet();
    check_equal(trusted, 1);
    check_equal(noted, 1);
    control_peer_close(&peer);
    end_with(HAUL_CLOSED);
    finish();
}

static void test_target_driver_poll__body_that_is_no_message__refused(void)
{
    begin();
    check_status(control_channel_send(peer.channel, 9999, "x", 1), HAUL_OK);
    if (hear(MESSAGE_REFUSED)) {
        check_status((enum haul_status)heard.as.refused.status, HAUL_PROTOCOL);
    }
    end_with(HAUL_PROTOCOL);
    finish();
}

static void test_target_driver_poll__plan_without_families__refused_and_place_is_free(void)
{
    struct message said;
    begin();
    greet();
    message_init(&said, MESSAGE_PLAN);
    said.as.plan.new_version = 1;
    control_peer_say(&peer, &said);
    if (hear(MESSAGE_REFUSED)) {
        check_status((enum haul_status)heard.as.refused.status, HAUL_PROTOCOL);
    }
    check(places.places[0].holder == NULL);
    end_with(HAUL_PROTOCOL);
    check_equal(job_count(), 0);
    finish();
}

/* Another job took the place between this one's Welcome and its Plan, or before its Hello. */
static void test_target_driver_poll__another_job_runs__busy(void)
{
    struct control_peer late;
    struct target_driver *second;
    for (int greeted = 0; greeted < 2; greeted++) {
        begin();
        greet();
        check_or_stop(connect_to(&late, &second) == HAUL_OK);
        if (greeted) {
            say_hello(&late, 2, false);
            check(hear_of(&late, second) && heard.type == MESSAGE_WELCOME);
        }
        say_plan(&peer, "k", "l");
        (void)hear(MESSAGE_PLAN_ACCEPTED);
        check(places.places[0].holder == driver);
        if (greeted) {
            say_plan(&late, "m", "n");
        } else {
            say_hello(&late, 2, false);
        }
        check(hear_of(&late, second) && heard.type == MESSAGE_REFUSED);
        check_status((enum haul_status)heard.as.refused.status, HAUL_BUSY);
        check(heard.as.refused.hint[0] != '\0');
        target_driver_destroy(second);
        control_peer_close(&late);
        check(places.places[0].holder == driver);
        finish();
    }
}

/* --- receiving -------------------------------------------------------------------------------- */

static enum haul_status admits(const struct link_ticket *ticket)
{
    struct frame_key frames = {.used = true};
    enum haul_status status = target_driver_admits(driver, HAUL_TRANSPORT_TCP, ticket, &frames);
    check(status != HAUL_OK || !frames.used); /* the connection is plain */
    return status;
}

static void test_target_driver_admits__tickets__of_this_job_once_its_plan_is_accepted(void)
{
    struct link_ticket ticket = {.index = 0};
    begin();
    greet();
    memcpy(ticket.session, welcome.session.bytes, LINK_SESSION_BYTES);
    memcpy(ticket.token, welcome.token.bytes, LINK_TOKEN_BYTES);
    check_status(admits(&ticket), HAUL_AUTH);
    say_plan(&peer, "k", "l");
    (void)hear(MESSAGE_PLAN_ACCEPTED);
    ticket.token[LINK_TOKEN_BYTES - 1] ^= 1;
    check_status(admits(&ticket), HAUL_AUTH);
    ticket.token[LINK_TOKEN_BYTES - 1] ^= 1;
    ticket.session[0] ^= 1;
    check_status(admits(&ticket), HAUL_AUTH);
    ticket.session[0] ^= 1;
    check_status(admits(&ticket), HAUL_OK);
    check_status(admits(&ticket), HAUL_AUTH); /* a second time */
    ticket.index = HAUL_LINK_COUNT_MAX;
    check_status(admits(&ticket), HAUL_BUSY);
    finish();
}

/* The source learns why, and nothing of the job is left. */
static void check_aborted(enum haul_status status)
{
    if (hear(MESSAGE_ABORT)) {
        check_status((enum haul_status)heard.as.abort.status, status);
    }
    end_with(status);
    check(!target_driver_is_resumable(driver));
    check_equal(job_count(), 0);
    finish();
}

static void test_target_driver_poll__copy_cannot_start__kept(void)
{
    begin();
    greet();
    no_copy = true;
    say_plan(&peer, "k", "l");
    bool told = hear_of(&peer, driver);
    if (told && heard.type == MESSAGE_PLAN_ACCEPTED) {
        told = hear_of(&peer, driver);
    }
    no_copy = false;
    check(told && heard.type == MESSAGE_STOP);
    check_status((enum haul_status)heard.as.stop.status, HAUL_LIMIT);
    check_text(heard.as.stop.text, "no threads");
    end_with(HAUL_LIMIT);
    check_equal(job_count(), 1);
    finish();
}

static void test_target_driver_poll__appliers_fail__kept_if_somebody_can_mend_it(void)
{
    const struct haul_error broken = {.status = HAUL_IO, .text = "no disk"};
    const struct haul_error wrong = {.status = HAUL_PROTOCOL, .text = "not in the plan"};
    begin_receiving();
    news = &wrong;
    check_aborted(HAUL_PROTOCOL);
    begin_receiving();
    news = &broken;
    (void)hear(MESSAGE_STOP);
    check(heard.type == MESSAGE_STOP && heard.as.stop.status == HAUL_IO);
    end_with(HAUL_IO);
    check(target_driver_is_resumable(driver));
    check_equal(job_count(), 1);
    finish();
}

/* Damaged on its way: the source sends it again. Damaged before: sending again cannot help. */
static void test_target_driver_poll__appliers_find_damage__kept_if_of_the_wire(void)
{
    const struct haul_error damage = {.status = HAUL_CORRUPT, .text = "a bit"};
    begin_receiving();
    news = &damage;
    check_aborted(HAUL_CORRUPT);
    begin_receiving();
    crc_errors = 1;
    news = &damage;
    (void)hear(MESSAGE_STOP);
    check(heard.type == MESSAGE_STOP && heard.as.stop.damaged);
    end_with(HAUL_CORRUPT);
    crc_errors = 0;
    struct haul_result result = {.status = HAUL_OK};
    target_driver_result(driver, &result);
    check_equal(result.crc_errors, 1);
    check_equal(target_damages_of(&places.damages, target_driver_hello(driver)->job.bytes), 1);
    check_equal(job_count(), 1);
    finish();
}

/* The source knows when to give up. */
static void test_target_driver_poll__damaged_before__source_is_told_how_often(void)
{
    uint8_t job[HAUL_JOB_BYTES];
    memset(job, 1, sizeof(job));
    begin();
    target_damages_add(&places.damages, job);
    target_damages_add(&places.damages, job);
    greet();
    say_plan(&peer, "k", "l");
    check_or_stop(hear(MESSAGE_PLAN_ACCEPTED));
    check_equal(heard.as.plan_accepted.damaged_attempts, 2);
    target_driver_stop(driver);
    (void)hear(MESSAGE_STOP);
    end_with(HAUL_STOPPED);
    finish();
}

static void test_target_driver_stop__while_receiving__kept_and_source_is_told(void)
{
    begin_receiving();
    target_driver_stop(driver);
    (void)hear(MESSAGE_STOP);
    check(heard.as.stop.text[0] != '\0');
    end_with(HAUL_STOPPED);
    check(target_lefts_find(&places.lefts, target_driver_hello(driver)->job.bytes).known);
    check_equal(job_count(), 1);
    finish();
}

static void test_target_driver_cancel__while_receiving__removed_and_source_is_told(void)
{
    begin_receiving();
    target_driver_cancel(driver);
    check_aborted(HAUL_CANCELLED);
}

static void test_target_driver_poll__source_aborts__cleared_and_said(void)
{
    begin_receiving();
    say_abort();
    (void)hear(MESSAGE_ABORTED);
    end_with(HAUL_CANCELLED);
    check_equal(job_count(), 0);
    finish();
}

static void test_target_driver_poll__source_hangs_up__kept_for_it(void)
{
    begin_receiving();
    control_peer_close(&peer);
    end_with(HAUL_CLOSED);
    check(target_driver_is_resumable(driver));
    check_equal(job_count(), 1);
    finish();
}

/* --- handing over ----------------------------------------------------------------------------- */

static void test_target_driver_poll__prepare_and_commit__owned(void)
{
    begin_prepared();
    check_equal(own_count, 0);
    check_equal(heard.as.prepared.digests_count, 1);
    say_commit();
    if (hear(MESSAGE_COMMITTED)) {
        check_equal(heard.as.committed.new_version, 1);
    }
    end_with(HAUL_OK);
    check_equal(own_count, 1);
    check(target_driver_was_real(driver));
    finish();
}

/* A disk hangs at the first positions, and more of them arrive: PREPARED comes after all of
 * them. */
static void test_target_driver_poll__positions_wait_for_a_slow_disk__prepared_behind_them(void)
{
    begin_receiving();
    memset(order, 0, sizeof(order));
    atomic_store(&order_used, 0);
    atomic_store(&disk_hangs, true);
    durable_news = 1;
    for (int i = 0; i < TURNS_MAX && atomic_load(&order_used) == 0; i++) {
        turn(driver);
    }
    durable_news = 1;
    say_prepare(0);
    struct haul_progress progress = {.phase = HAUL_PHASE_LISTENING};
    for (int i = 0; i < TURNS_MAX && progress.phase != target_state_phase(TARGET_RECORDING); i++) {
        turn(driver);
        target_driver_progress(driver, &progress);
    }
    for (int i = 0; i < 20; i++) { /* only what the disk keeps is left of the job */
        turn(driver);
    }
    atomic_store(&disk_hangs, false);
    check(hear(MESSAGE_PREPARED));
    check_text(order, "ppP");
    finish();
}

/* The record is in no accumulated digest: the scan of the range finds the difference. */
static void test_target_driver_poll__others_write_before_the_copy__noticed(void)
{
    begin();
    greet();
    others_write = true;
    say_plan(&peer, "k", "l");
    check(hear(MESSAGE_PLAN_ACCEPTED));
    others_write = false;
    say_prepare(0);
    check_aborted(HAUL_CORRUPT);
}

static void test_target_driver_poll__digests_differ__aborted(void)
{
    begin_receiving();
    say_prepare(1);
    check_aborted(HAUL_CORRUPT);
}

static void test_target_driver_poll__prepared_and_aborted__cleared_and_said(void)
{
    begin_prepared();
    say_abort();
    (void)hear(MESSAGE_ABORTED);
    end_with(HAUL_CANCELLED);
    check_equal(own_count, 0);
    check_equal(job_count(), 0);
    finish();
}

static void test_target_driver_poll__prepared_and_hung_up__in_doubt(void)
{
    begin_prepared();
    control_peer_close(&peer);
    end_with(HAUL_IN_DOUBT);
    check_equal(own_count, 0);
    check_equal(job_count(), 1);
    finish();
}

/* --- comparing -------------------------------------------------------------------------------- */

static void test_target_driver_poll__source_compares__families_and_nothing_changes(void)
{
    struct message said;
    uint64_t records = 99;
    begin();
    message_init(&said, MESSAGE_HELLO);
    said.as.hello.wire_version = MESSAGE_WIRE_VERSION;
    said.as.hello.verify = true;
    said.as.hello.job.size = HAUL_JOB_BYTES;
    said.as.hello.source_identity.size = 1;
    said.as.hello.source_identity.bytes[0] = 's';
    control_peer_say(&peer, &said);
    (void)hear(MESSAGE_WELCOME);
    message_init(&said, MESSAGE_VERIFY_LIST);
    control_peer_say(&peer, &said);
    if (hear(MESSAGE_VERIFY_FAMILIES)) {
        check_equal(heard.as.verify_families.families_count, 1);
    }
    check(target_driver_compared(driver, &records));
    check_equal(records, 0);
    check(places.places[0].holder == NULL);
    places.places[0].holder = (struct target_driver *)(void *)&places; /* another job begins */
    message_init(&said, MESSAGE_VERIFY_LIST);
    control_peer_say(&peer, &said);
    if (hear(MESSAGE_REFUSED)) {
        check_status((enum haul_status)heard.as.refused.status, HAUL_BUSY);
    }
    places.places[0].holder = NULL;
    check_equal(job_count(), 0);
    finish();
}

static const struct check_test tests[] = {
    CHECK_TEST(test_target_driver_create__no_random_numbers__io_and_socket_is_closed),
    CHECK_TEST(test_target_driver_poll__hello__welcome_of_this_database),
    CHECK_TEST(test_target_driver_poll__hello__trusted_and_its_timeout_noted),
    CHECK_TEST(test_target_driver_poll__body_that_is_no_message__refused),
    CHECK_TEST(test_target_driver_poll__plan_without_families__refused_and_place_is_free),
    CHECK_TEST(test_target_driver_poll__another_job_runs__busy),
    CHECK_TEST(test_target_driver_admits__tickets__of_this_job_once_its_plan_is_accepted),
    CHECK_TEST(test_target_driver_poll__copy_cannot_start__kept),
    CHECK_TEST(test_target_driver_poll__appliers_fail__kept_if_somebody_can_mend_it),
    CHECK_TEST(test_target_driver_poll__appliers_find_damage__kept_if_of_the_wire),
    CHECK_TEST(test_target_driver_poll__damaged_before__source_is_told_how_often),
    CHECK_TEST(test_target_driver_stop__while_receiving__kept_and_source_is_told),
    CHECK_TEST(test_target_driver_cancel__while_receiving__removed_and_source_is_told),
    CHECK_TEST(test_target_driver_poll__source_aborts__cleared_and_said),
    CHECK_TEST(test_target_driver_poll__source_hangs_up__kept_for_it),
    CHECK_TEST(test_target_driver_poll__prepare_and_commit__owned),
    CHECK_TEST(test_target_driver_poll__positions_wait_for_a_slow_disk__prepared_behind_them),
    CHECK_TEST(test_target_driver_poll__others_write_before_the_copy__noticed),
    CHECK_TEST(test_target_driver_poll__digests_differ__aborted),
    CHECK_TEST(test_target_driver_poll__prepared_and_aborted__cleared_and_said),
    CHECK_TEST(test_target_driver_poll__prepared_and_hung_up__in_doubt),
    CHECK_TEST(test_target_driver_poll__source_compares__families_and_nothing_changes),
};
CHECK_MAIN("target_driver", tests)
