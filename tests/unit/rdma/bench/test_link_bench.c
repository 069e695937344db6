/* SPDX-License-Identifier: Apache-2.0 */
/* test_link_bench.c — the link benchmark: every way to run it, and a client that breaks the
 * rules. */
#include "haul/link_bench.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "bytes.h"
#include "check.h"
#include "link_bench_wire.h"
#include "link_ends.h"
#include "raw_peer.h"
#include "seeming_peer.h"

enum { BLOCK_BYTES = 1000, PEER_TIMEOUT_MS = 2000 };

static struct haul_link_bench_options quick(enum haul_transport transport)
{
    return (struct haul_link_bench_options){.transport = transport,
                                            .payload_size_bytes = BLOCK_BYTES,
                                            .seconds = 0.02,
                                            .link.peer_timeout_ms = PEER_TIMEOUT_MS};
}

static bool always(void *context)
{
    (void)context;
    return true;
}

/* --- without a key ---------------------------------------------------------------------------- */

/* An address that no host has (RFC 5737): with `insecure` it is tried. */
static void test_link_bench__without_a_key__another_host_is_refused(void)
{
    struct haul_link_bench_options options = quick(HAUL_TRANSPORT_TCP);
    struct haul_link_bench_result result;
    struct haul_error error;
    static const char *const places[] = {"192.0.2.77:0", "0.0.0.0:0", "[::]:0", "[2001:db8::7]:0"};
    options.is_cancelled = always; /* it would serve for ever */
    for (size_t i = 0; i < CHECK_COUNT(places); i++) {
        options.address = places[i];
        check_error(haul_link_bench_serve(&options, &result, &error), HAUL_AUTH, error);
        check(strstr(error.hint, "--insecure") != NULL);
        check_error(haul_link_bench_run(&options, &result, &error), HAUL_AUTH, error);
    }
    options.address = "192.0.2.77:0";
    options.size_bytes = sizeof(options); /* the member is not in a struct of 0.1 */
    options.insecure = true;
    enum haul_status status = haul_link_bench_serve(&options, &result, &error);
    check(status != HAUL_OK && status != HAUL_AUTH);
}

static void test_link_bench_both__without_a_key__no_peer_but_its_own(void)
{
    struct haul_link_bench_options options = quick(HAUL_TRANSPORT_TCP);
    struct haul_link_bench_result result;
    struct haul_error error;
    seeming_peer = "10.9.0.2:1234";
    check_error(haul_link_bench_both(&options, &result, &error), HAUL_AUTH, error);
    seeming_peer = NULL;
    check_status(haul_link_bench_both(&options, &result, &error), HAUL_OK);
}

/* --- both ends -------------------------------------------------------------------------------- */

static void run_both(struct haul_link_bench_options options)
{
    struct haul_link_bench_result result;
    check_status(haul_link_bench_both(&options, &result, NULL), HAUL_OK);
    check(result.bytes > 0);
    check(result.blocks > 0);
    check(result.bytes_per_second > 0);
    check_equal(result.bytes, result.blocks * BLOCK_BYTES);
}

static void test_link_bench_both__each_way__blocks_moved(void)
{
    static const enum haul_transport transports[] = {HAUL_TRANSPORT_TCP, HAUL_TRANSPORT_LOOPBACK};
    for (size_t i = 0; i < CHECK_COUNT(transports); i++) {
        struct haul_link_bench_options options = quick(transports[i]);
        run_both(options);
        options.without_crc = true;
        run_both(options);
        options.link_count = 3;
        options.link.slot_count = 2;
        options.link.slot_size_bytes = HAUL_SLOT_SIZE_BYTES_MIN;
        run_both(options);
    }
}

static void test_link_bench_both__cancelled__ends(void)
{
    struct haul_link_bench_options options = quick(HAUL_TRANSPORT_TCP);
    struct haul_link_bench_result result;
    options.is_cancelled = always;
    for (int i = 0; i < 2; i++) {
        options.seconds = i == 0 ? 1000 : 0; /* the default is long enough, too */
        options.payload_size_bytes = i == 0 ? BLOCK_BYTES : 0;
        enum haul_status status = haul_link_bench_both(&options, &result, NULL);
        check(status == HAUL_OK || result.bytes == 0);
    }
}

static void test_link_bench_both__too_many_and_too_large__invalid(void)
{
    struct haul_link_bench_options options = quick(HAUL_TRANSPORT_TCP);
    struct haul_link_bench_result result;
    options.link_count = HAUL_LINK_COUNT_MAX + 1;
    check_status(haul_link_bench_both(&options, &result, NULL), HAUL_INVALID);
    options = quick(HAUL_TRANSPORT_TCP);
    options.payload_size_bytes = HAUL_SLOT_SIZE_BYTES_MAX;
    check_status(haul_link_bench_both(&options, &result, NULL), HAUL_INVALID);
}

static void test_link_bench_both__block_larger_than_a_slot__invalid_and_what_fits(void)
{
    struct haul_link_bench_options options = quick(HAUL_TRANSPORT_LOOPBACK);
    struct haul_link_bench_result result;
    struct haul_error error = {.status = HAUL_OK};
    options.link.slot_size_bytes = HAUL_SLOT_SIZE_BYTES_MIN;
    options.payload_size_bytes = HAUL_SLOT_SIZE_BYTES_MIN - 63;
    check_status(haul_link_bench_both(&options, &result, &error), HAUL_INVALID);
    check(strstr(error.hint, "8192") != NULL);
    options.payload_size_bytes--; /* the header has 64 */
    check_status(haul_link_bench_both(&options, &result, &error), HAUL_OK);
}

static void test_link_bench_run__nobody_listens__refused(void)
{
    struct haul_link_bench_options options = quick(HAUL_TRANSPORT_TCP);
    struct haul_link_bench_result result;
    struct link_address address;
    char text[LINK_ADDRESS_TEXT_BYTES_MAX];
    (void)close(raw_listen(&address));
    link_address_format(&address, text);
    options.address = text;
    check_status(haul_link_bench_run(&options, &result, NULL), HAUL_REFUSED);
    options.address = "nonsense";
    check_status(haul_link_bench_run(&options, &result, NULL), HAUL_INVALID);
    check_status(haul_link_bench_serve(&options, &result, NULL), HAUL_INVALID);
}

/* --- a client that keeps no rule -------------------------------------------------------------- */

struct served {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t listening;
    char address[LINK_ADDRESS_TEXT_BYTES_MAX];
    atomic_bool stop;
    enum haul_status status;
    struct haul_link_bench_options options;
};

static void note_address(void *context, const char *address)
{
    struct served *served = context;
    (void)pthread_mutex_lock(&served->lock);
    (void)snprintf(served->address, sizeof(served->address), "%s", address);
    (void)pthread_cond_signal(&served->listening);
    (void)pthread_mutex_unlock(&served->lock);
}

static bool shall_stop(void *context)
{
    return atomic_load(&((struct served *)context)->stop);
}

static void *serve(void *context)
{
    struct served *served = context;
    struct haul_link_bench_result result;
    served->status = haul_link_bench_serve(&served->options, &result, NULL);
    return NULL;
}

static void start_serving(struct served *served)
{
    memset(served, 0, sizeof(*served));
    served->options = quick(HAUL_TRANSPORT_TCP);
    served->options.address = "127.0.0.1:0";
    served->options.keep_serving = true;
    served->options.context = served;
    served->options.on_listening = note_address;
    served->options.is_cancelled = shall_stop;
    (void)pthread_mutex_init(&served->lock, NULL);
    (void)pthread_cond_init(&served->listening, NULL);
    check_or_stop(pthread_create(&served->thread, NULL, serve, served) == 0);
    (void)pthread_mutex_lock(&served->lock);
    while (served->address[0] == '\0') {
        (void)pthread_cond_wait(&served->listening, &served->lock);
    }
    (void)pthread_mutex_unlock(&served->lock);
}

static void stop_serving(struct served *served)
{
    atomic_store(&served->stop, true);
    (void)pthread_join(served->thread, NULL);
    check_status(served->status, HAUL_OK);
    (void)pthread_cond_destroy(&served->listening);
    (void)pthread_mutex_destroy(&served->lock);
}

/* The next event of the channel, whatever it is. */
static enum control_event_type await_event(struct control_channel *channel)
{
    struct control_event event;
    while (!control_channel_poll(channel, &event)) {
        short interest = (short)control_channel_interest(channel);
        check_or_stop(raw_wait(control_channel_fd(channel), interest));
    }
    return event.type;
}

struct word {
    uint16_t type;
    size_t size;
    uint8_t body[BENCH_START_BYTES + LINK_DESCRIPTION_BYTES_MAX + 8];
};

static struct word word_of(uint16_t type, size_t size)
{
    struct word word = {.type = type, .size = size};
    const struct bench_start start = {.transport = HAUL_TRANSPORT_TCP,
                                      .link_count = 1,
                                      .slot_count = 2,
                                      .slot_size_bytes = HAUL_SLOT_SIZE_BYTES_MIN};
    if (type == BENCH_START) {
        bench_start_encode(&start, word.body);
    }
    return word;
}

/* Sends these words one after the other; the last one ends it. */
static void say(struct served *served, const struct word *words, size_t count)
{
    struct link_address address;
    struct control_channel *channel = NULL;
    const struct link_ticket ticket = {.index = 0};
    struct link_config config = {.clock = &clock_monotonic};
    config.options.peer_timeout_ms = PEER_TIMEOUT_MS;
    check_or_stop(link_address_parse(served->address, &address, NULL) == HAUL_OK);
    check_or_stop(control_channel_connect(&address, &ticket, &config, &channel, NULL) == HAUL_OK);
    check_or_stop(await_event(channel) == CONTROL_CONNECTED);
    for (size_t i = 0; i < count; i++) {
        check_status(control_channel_send(channel, words[i].type, words[i].body, words[i].size),
                     HAUL_OK);
    }
    enum control_event_type type = await_event(channel);
    while (type == CONTROL_MESSAGE) {
        type = await_event(channel);
    }
    check_equal(type, CONTROL_CLOSED);
    control_channel_destroy(channel);
}

static void test_link_bench_serve__words_that_make_no_sense__each_ends_its_run(void)
{
    struct served served;
    struct haul_link_bench_result result;
    struct word start = word_of(BENCH_START, BENCH_START_BYTES);
    struct word none = start;
    struct word many = start;
    put_u32(none.body + 4, 0);
    put_u32(many.body + 4, HAUL_LINK_COUNT_MAX + 1);
    struct word beyond = word_of(BENCH_LINK, 8);
    put_u32(beyond.body, HAUL_LINK_COUNT_MAX);
    struct word far_beyond = word_of(BENCH_LINK, 8);
    put_u32(far_beyond.body, UINT32_MAX / 2);
    struct word runs[][2] = {
        {word_of(BENCH_READY, 0), start},
        {word_of(BENCH_START, BENCH_START_BYTES - 1), start},
        {none, start},
        {many, start},
        {start, start},
        {start, word_of(BENCH_LINK, 3)}, /* not even an index */
        {start, word_of(BENCH_LINK, 8)}, /* of a link that nobody opened */
        {start, beyond},
        {start, far_beyond},
    };
    start_serving(&served);
    for (size_t i = 0; i < CHECK_COUNT(runs); i++) {
        bool at_once = runs[i][0].type != BENCH_START || runs[i][0].size != BENCH_START_BYTES ||
                       get_u32(runs[i][0].body + 4) != 1;
        say(&served, runs[i], at_once ? 1 : 2);
    }
    /* The server goes on unharmed. */
    struct haul_link_bench_options options = quick(HAUL_TRANSPORT_TCP);
    options.address = served.address;
    check_status(haul_link_bench_run(&options, &result, NULL), HAUL_OK);
    check(result.bytes > 0);
    stop_serving(&served);
}

static void test_link_bench_serve__link_that_nobody_announced__auth(void)
{
    struct served served;
    struct link_address address;
    struct link *link = NULL;
    struct link_event event;
    const struct link_ticket ticket = {.index = 0};
    struct link_config config = {.clock = &clock_monotonic};
    config.options.peer_timeout_ms = PEER_TIMEOUT_MS;
    start_serving(&served);
    check_or_stop(link_address_parse(served.address, &address, NULL) == HAUL_OK);
    check_or_stop(connect_end(HAUL_TRANSPORT_TCP, &address, &ticket, &config, &link, NULL) ==
                  HAUL_OK);
    while (link_poll(link, &event, 1) == 0) {
        check_or_stop(!link_arm(link) || raw_wait(link_fd(link), POLLIN));
    }
    check_equal(event.type, LINK_CLOSED);
    check_status(event.error->status, HAUL_AUTH);
    link_destroy(link);
    stop_serving(&served);
}

/* --- guards ----------------------------------------------------------------------------------- */

enum { MARK_BYTES = 8, SPOILED_BATCH = 5 };

/* Puts the batch behind the payload; `context` is whether one of them is spoiled. */
static enum haul_status mark(const void *context, struct slot_header *header, uint8_t *payload)
{
    bool spoils = *(const bool *)context && header->batch == SPOILED_BATCH;
    put_u64(payload + header->payload_size_bytes, header->batch + (spoils ? 1 : 0));
    header->payload_size_bytes += MARK_BYTES;
    return HAUL_OK;
}

static enum haul_status check_mark(const void *context, const struct slot_header *header,
                                   uint8_t *payload)
{
    (void)context;
    bool sound = header->payload_size_bytes == BLOCK_BYTES + MARK_BYTES &&
                 get_u64(payload + BLOCK_BYTES) == header->batch;
    return sound ? HAUL_OK : HAUL_CORRUPT;
}

static void test_link_bench_both_guarded__each_block_is_guarded__one_spoiled_is_found(void)
{
    static const bool spoils[] = {false, true};
    struct haul_link_bench_options options = quick(HAUL_TRANSPORT_TCP);
    struct link_bench_guard guard = {.seal = mark, .open = check_mark, .bytes = MARK_BYTES};
    struct haul_link_bench_result result;
    struct haul_error error;
    for (size_t i = 0; i < CHECK_COUNT(spoils); i++) {
        guard.context = &spoils[i];
        check_status(link_bench_both_guarded(&options, &guard, &result, &error),
                     spoils[i] ? HAUL_CORRUPT : HAUL_OK);
        check(result.blocks > SPOILED_BATCH);
    }
}

static void test_link_bench_both_guarded__rdma_or_no_room__invalid(void)
{
    static const bool spoils = false;
    struct haul_link_bench_options options = quick(HAUL_TRANSPORT_VERBS);
    struct link_bench_guard guard = {
        .seal = mark, .open = check_mark, .bytes = MARK_BYTES, .context = &spoils};
    struct haul_link_bench_result result;
    struct haul_error error;
    check_error(link_bench_both_guarded(&options, &guard, &result, &error), HAUL_INVALID, error);
    options = quick(HAUL_TRANSPORT_TCP);
    options.link.slot_size_bytes = HAUL_SLOT_SIZE_BYTES_MIN;
    options.payload_size_bytes = HAUL_SLOT_SIZE_BYTES_MIN - SLOT_HEADER_BYTES;
    check_error(link_bench_both_guarded(&options, &guard, &result, &error), HAUL_INVALID, error);
    check_status(haul_link_bench_both(&options, &result, &error), HAUL_OK);
}

static const struct check_test tests[] = {
    CHECK_TEST(test_link_bench__without_a_key__another_host_is_refused),
    CHECK_TEST(test_link_bench_both__without_a_key__no_peer_but_its_own),
    CHECK_TEST(test_link_bench_both__each_way__blocks_moved),
    CHECK_TEST(test_link_bench_both__cancelled__ends),
    CHECK_TEST(test_link_bench_both__too_many_and_too_large__invalid),
    CHECK_TEST(test_link_bench_both__block_larger_than_a_slot__invalid_and_what_fits),
    CHECK_TEST(test_link_bench_run__nobody_listens__refused),
    CHECK_TEST(test_link_bench_serve__words_that_make_no_sense__each_ends_its_run),
    CHECK_TEST(test_link_bench_serve__link_that_nobody_announced__auth),
    CHECK_TEST(test_link_bench_both_guarded__each_block_is_guarded__one_spoiled_is_found),
    CHECK_TEST(test_link_bench_both_guarded__rdma_or_no_room__invalid),
};

CHECK_MAIN("link_bench", tests)
