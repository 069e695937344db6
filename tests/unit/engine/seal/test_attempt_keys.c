/* SPDX-License-Identifier: Apache-2.0 */
/* test_attempt_keys.c — two ends of a TLS connection derive the same keys for the same attempt, and
 * for every other attempt, link, transport and connection other ones. */
#include "attempt_keys.h"

#include <string.h>
#include <sys/socket.h>

#include "check.h"
#include "clock.h"

enum { CLIENT, SERVER, END_COUNT, TURNS = 4, SECRET_FILL = 7 };

static const uint8_t session[LINK_SESSION_BYTES] = {1, 2, 3};
static const uint8_t nothing[sizeof(struct attempt_keys)];

static struct haul_keys *keys;
static struct tls_context *server_context;
static struct control_channel *channels[END_COUNT];
static struct attempt_keys derived[END_COUNT];
static struct haul_error error;

static struct control_channel *adopt(struct tls_socket socket)
{
    const struct link_config config = {.clock = &clock_monotonic};
    struct control_channel *channel = NULL;
    check_or_stop(control_channel_adopt(socket, &config, &channel, &error) == HAUL_OK);
    return channel;
}

static void shake_hands(struct tls_socket sockets[END_COUNT])
{
    enum haul_status of_client = HAUL_AGAIN;
    enum haul_status of_server = HAUL_AGAIN;
    for (int turn = 0; turn < TURNS; turn++) {
        of_client =
            of_client == HAUL_AGAIN ? tls_socket_handshake(&sockets[CLIENT], &error) : of_client;
        of_server =
            of_server == HAUL_AGAIN ? tls_socket_handshake(&sockets[SERVER], &error) : of_server;
    }
    check_or_stop(of_client == HAUL_OK && of_server == HAUL_OK);
}

/* A connection: under TLS, or plain. */
static void begin(bool secret)
{
    struct tls_socket sockets[END_COUNT];
    int fds[END_COUNT];
    struct haul_key key = {.id = "a"};
    memset(key.secret, SECRET_FILL, sizeof(key.secret));
    check_or_stop(haul_keys_create(&key, 1, &keys, &error) == HAUL_OK);
    check_or_stop(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == 0);
    check_or_stop(tls_socket_open(&sockets[CLIENT], fds[CLIENT], secret ? keys : NULL, NULL,
                                  &error) == HAUL_OK);
    sockets[SERVER] = (struct tls_socket){.fd = fds[SERVER]};
    if (secret) {
        check_or_stop(tls_context_create(TLS_ACCEPTS, keys, &server_context, &error) == HAUL_OK);
        check_or_stop(tls_stream_create(server_context, &sockets[SERVER].tls, &error) == HAUL_OK);
        shake_hands(sockets);
    }
    channels[CLIENT] = adopt(sockets[CLIENT]);
    channels[SERVER] = adopt(sockets[SERVER]);
}

static void end(void)
{
    for (size_t i = 0; i < END_COUNT; i++) {
        control_channel_destroy(channels[i]);
        attempt_keys_wipe(&derived[i]);
    }
    tls_context_destroy(server_context);
    haul_keys_destroy(keys);
    server_context = NULL;
}

static struct attempt_keys derive(size_t end, const uint8_t of[LINK_SESSION_BYTES], uint64_t epoch)
{
    struct attempt_keys made;
    check_status(attempt_keys_derive(&made, channels[end], of, epoch, HAUL_WIRE_SECURE, &error),
                 HAUL_OK);
    check(made.derived);
    return made;
}

static struct link_secrets secrets_of(const struct attempt_keys *of, enum haul_transport transport,
                                      uint32_t index)
{
    struct link_secrets secrets;
    check_status(attempt_keys_link(of, transport, index, &secrets), HAUL_OK);
    check(secrets.frames.used);
    return secrets;
}

static bool same_block(const struct attempt_keys *a, const struct attempt_keys *b)
{
    return memcmp(a->block.bytes, b->block.bytes, BLOCK_KEY_BYTES) == 0;
}

static bool same_links(const struct attempt_keys *a, const struct attempt_keys *b)
{
    return memcmp(a->links, b->links, ATTEMPT_LINKS_SECRET_BYTES) == 0;
}

static bool same_token(const struct link_secrets *a, const struct link_secrets *b)
{
    return memcmp(a->token, b->token, LINK_TOKEN_BYTES) == 0;
}

static bool same_frames(const struct link_secrets *a, const struct link_secrets *b)
{
    return memcmp(a->frames.bytes, b->frames.bytes, FRAME_KEY_BYTES) == 0;
}

static void check_others(const struct attempt_keys *a, const struct attempt_keys *b)
{
    check(!same_block(a, b));
    check(!same_links(a, b));
    struct link_secrets of_a = secrets_of(a, HAUL_TRANSPORT_TCP, 0);
    struct link_secrets of_b = secrets_of(b, HAUL_TRANSPORT_TCP, 0);
    check(!same_token(&of_a, &of_b));
    check(!same_frames(&of_a, &of_b));
}

static void test_derive__both_ends__the_same_keys_tokens_and_modes(void)
{
    static const enum haul_transport transports[] = {HAUL_TRANSPORT_TCP, HAUL_TRANSPORT_VERBS};
    begin(true);
    derived[CLIENT] = derive(CLIENT, session, 3);
    derived[SERVER] = derive(SERVER, session, 3);
    check(same_block(&derived[CLIENT], &derived[SERVER]));
    check(same_links(&derived[CLIENT], &derived[SERVER]));
    check_equal(derived[CLIENT].block.wire, HAUL_WIRE_SECURE);
    for (size_t i = 0; i < CHECK_COUNT(transports); i++) {
        struct link_secrets ours = secrets_of(&derived[CLIENT], transports[i], 0x105);
        struct link_secrets theirs = secrets_of(&derived[SERVER], transports[i], 0x105);
        check(same_token(&ours, &theirs));
        check(same_frames(&ours, &theirs));
    }
    end();
}

static void test_derive__again_on_the_same_connection__the_same_keys(void)
{
    begin(true);
    derived[CLIENT] = derive(CLIENT, session, 3);
    derived[SERVER] = derive(CLIENT, session, 3);
    check(same_block(&derived[CLIENT], &derived[SERVER]));
    check(same_links(&derived[CLIENT], &derived[SERVER]));
    end();
}

static void test_derive__another_session_or_epoch__other_keys(void)
{
    begin(true);
    derived[CLIENT] = derive(CLIENT, session, 3);
    for (size_t bit = 0; bit < 8 * LINK_SESSION_BYTES; bit++) {
        uint8_t other[LINK_SESSION_BYTES];
        memcpy(other, session, sizeof(other));
        other[bit / 8] ^= (uint8_t)(1u << bit % 8);
        derived[SERVER] = derive(SERVER, other, 3);
        check_others(&derived[CLIENT], &derived[SERVER]);
    }
    for (size_t bit = 0; bit < 64; bit++) {
        derived[SERVER] = derive(SERVER, session, 3 ^ UINT64_C(1) << bit);
        check_others(&derived[CLIENT], &derived[SERVER]);
    }
    end();
}

/* An attempt that is recorded and played back on another connection finds other keys. */
static void test_derive__another_connection_with_the_same_key__other_keys(void)
{
    begin(true);
    struct attempt_keys former = derive(CLIENT, session, 3);
    end();
    begin(true);
    derived[CLIENT] = derive(CLIENT, session, 3);
    check_others(&derived[CLIENT], &former);
    end();
}

static void test_derive__blocks_links_and_frames__independent_of_each_other(void)
{
    begin(true);
    derived[CLIENT] = derive(CLIENT, session, 3);
    struct link_secrets link = secrets_of(&derived[CLIENT], HAUL_TRANSPORT_TCP, 0);
    check(memcmp(derived[CLIENT].block.bytes, derived[CLIENT].links, BLOCK_KEY_BYTES) != 0);
    check(memcmp(link.token, link.frames.bytes, LINK_TOKEN_BYTES) != 0);
    check(memcmp(link.frames.bytes, derived[CLIENT].links, FRAME_KEY_BYTES) != 0);
    end();
}

static void test_link__each_index_and_transport__token_and_key_of_its_own(void)
{
    begin(true);
    derived[CLIENT] = derive(CLIENT, session, 3);
    struct link_secrets first = secrets_of(&derived[CLIENT], HAUL_TRANSPORT_TCP, 0);
    struct link_secrets other = secrets_of(&derived[CLIENT], HAUL_TRANSPORT_VERBS, 0);
    check(!same_token(&first, &other));
    check(!same_frames(&first, &other));
    for (unsigned bit = 0; bit < 32; bit++) {
        other = secrets_of(&derived[CLIENT], HAUL_TRANSPORT_TCP, UINT32_C(1) << bit);
        check(!same_token(&first, &other));
        check(!same_frames(&first, &other));
    }
    end();
}

static void test_derive__without_tls__no_keys_and_no_mode_that_needs_them(void)
{
    begin(false);
    struct attempt_keys *made = &derived[CLIENT];
    memset(made, 0xff, sizeof(*made));
    check_status(attempt_keys_derive(made, channels[CLIENT], session, 3, HAUL_WIRE_NONE, &error),
                 HAUL_OK);
    check(!made->derived);
    check(!block_key_seals(&made->block));
    check(memcmp(made->block.bytes, nothing, BLOCK_KEY_BYTES) == 0);
    check(memcmp(made->links, nothing, ATTEMPT_LINKS_SECRET_BYTES) == 0);
    for (enum haul_wire wire = HAUL_WIRE_AUTH; wire <= HAUL_WIRE_SECURE; wire++) {
        check_error(attempt_keys_derive(made, channels[CLIENT], session, 3, wire, &error),
                    HAUL_INVALID, error);
        check(!made->derived);
        check(!block_key_seals(&made->block));
    }
    end();
}

static void test_wipe__derived_keys__nothing_is_left(void)
{
    begin(true);
    derived[CLIENT] = derive(CLIENT, session, 3);
    check(memcmp(&derived[CLIENT], nothing, sizeof(nothing)) != 0);
    attempt_keys_wipe(&derived[CLIENT]);
    check(memcmp(&derived[CLIENT], nothing, sizeof(nothing)) == 0);
    end();
}

static const struct check_test tests[] = {
    CHECK_TEST(test_derive__both_ends__the_same_keys_tokens_and_modes),
    CHECK_TEST(test_derive__again_on_the_same_connection__the_same_keys),
    CHECK_TEST(test_derive__another_session_or_epoch__other_keys),
    CHECK_TEST(test_derive__another_connection_with_the_same_key__other_keys),
    CHECK_TEST(test_derive__blocks_links_and_frames__independent_of_each_other),
    CHECK_TEST(test_link__each_index_and_transport__token_and_key_of_its_own),
    CHECK_TEST(test_derive__without_tls__no_keys_and_no_mode_that_needs_them),
    CHECK_TEST(test_wipe__derived_keys__nothing_is_left),
};

CHECK_MAIN("attempt_keys", tests)
