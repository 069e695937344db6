/* SPDX-License-Identifier: Apache-2.0 */
/* corpus_tls.c — openings of connections with keys, and what is sealed: as they are, and with
 * changes at the places that matter. */
#include <string.h>

#include "assertion.h"
#include "bytes.h"
#include "corpus_writer.h"
#include "slot_header.h"
#include "tcp_preamble.h"
#include "tls_script.h"

/* As in fuzz_tls_server.c and fuzz_tls_client.c. */
enum { RAW = 1, WRONG_KEY = 2, UNKNOWN_ID = 4, CLOSE = 8, END = 4 };
/* As in fuzz_sealed.c. */
enum { SEALED, FORGED, FRAME, LINK_END, TICKET };

enum { HELLO_AT_KEY_SHARE = 200, BEHIND_HANDSHAKE = 520, TOKEN_AT = 36 };

static struct corpus_input input;

static void add_head(unsigned first, unsigned second)
{
    corpus_add_byte(&input, first);
    corpus_add_byte(&input, second);
}

static void add_change(unsigned at, unsigned bits)
{
    uint8_t place[2];
    put_u16(place, (uint16_t)at);
    corpus_add_byte(&input, 1);
    corpus_add(&input, place, sizeof(place));
    corpus_add_byte(&input, bits);
}

static void add_preamble(enum tcp_purpose purpose)
{
    uint8_t bytes[TCP_PREAMBLE_BYTES];
    const struct link_ticket ticket = {.index = 3};
    tcp_preamble_encode(purpose, &ticket, bytes);
    corpus_add(&input, bytes, sizeof(bytes));
}

/* Of somebody with another key; its random numbers are others each time. */
static void add_hello(void)
{
    struct tls_context *context = NULL;
    struct tls_stream *stream = NULL;
    struct haul_error error;
    struct haul_keys *keys = tls_script_keys("ours", 2);
    expect_status(tls_context_create(TLS_CONNECTS, keys, &context, NULL), HAUL_OK);
    expect_status(tls_stream_create(context, &stream, NULL), HAUL_OK);
    expect_status(tls_stream_handshake(stream, &error), HAUL_AGAIN);
    struct haul_slice hello = tls_stream_output(stream);
    corpus_add(&input, hello.data, hello.size);
    tls_stream_destroy(stream);
    tls_context_destroy(context);
    haul_keys_destroy(keys);
}

void corpus_tls_server(void)
{
    add_head(0, 0);
    corpus_write(&input, "tls_server", "client");
    add_head(0, 50);
    corpus_write(&input, "tls_server", "client-in-segments");
    add_head(WRONG_KEY, 0);
    corpus_write(&input, "tls_server", "wrong-key");
    add_head(UNKNOWN_ID, 0);
    corpus_write(&input, "tls_server", "unknown-id");
    add_head(0, 0);
    add_change(HELLO_AT_KEY_SHARE, 1);
    corpus_write(&input, "tls_server", "hello-changed");
    add_head(0, 0);
    add_change(BEHIND_HANDSHAKE, 1);
    corpus_write(&input, "tls_server", "preamble-changed");
    add_head(RAW, 0);
    add_preamble(TCP_CONTROL);
    corpus_write(&input, "tls_server", "plain-control");
    add_head(RAW, 1);
    add_preamble(TCP_DATA);
    corpus_write(&input, "tls_server", "plain-data");
    add_head(RAW | CLOSE, 0);
    add_hello();
    corpus_write(&input, "tls_server", "hello-and-closed");
    add_head(RAW, 0);
    add_hello();
    corpus_add(&input, "\x14\x03\x03\x00\x01\x01\x17\x03\x03\x00\x45", 11);
    corpus_write(&input, "tls_server", "hello-and-finished");
}

void corpus_tls_client(void)
{
    static const uint8_t alert[] = {0x15, 0x03, 0x03, 0x00, 0x02, 0x02, 0x28};
    add_head(0, 40);
    corpus_write(&input, "tls_client", "server");
    add_head(END, 255);
    corpus_write(&input, "tls_client", "server-that-ends");
    add_head(WRONG_KEY, 0);
    corpus_write(&input, "tls_client", "wrong-key");
    add_head(0, 40);
    add_change(60, 1);
    corpus_write(&input, "tls_client", "server-hello-changed");
    add_head(0, 40);
    corpus_add_byte(&input, 0);
    add_change(BEHIND_HANDSHAKE, 1);
    corpus_write(&input, "tls_client", "message-changed");
    add_head(RAW, 0);
    corpus_add(&input, alert, sizeof(alert));
    corpus_write(&input, "tls_client", "refusal");
    add_head(RAW, 0);
    add_hello();
    corpus_write(&input, "tls_client", "client-hello-back");
    add_head(RAW, 0);
    corpus_add(&input, "HAULANS1", 8);
    corpus_write(&input, "tls_client", "plain-answer");
}

void corpus_sealed(void)
{
    uint8_t header[SLOT_HEADER_BYTES];
    const struct slot_header data = {.type = SLOT_DATA, .kind = SLOT_KIND_SNAPSHOT, .epoch = 2};
    for (unsigned mode = 0; mode < 2; mode++) {
        add_head(SEALED, mode);
        corpus_add(&input, "\x2c\x01", 2);
        corpus_write(&input, "sealed", mode == 0 ? "readable" : "secret");
    }
    add_head(SEALED, 1);
    corpus_add(&input, "\x2c\x01", 2);
    add_change(SLOT_HEADER_BYTES + 299, 1);
    corpus_write(&input, "sealed", "payload-changed");
    add_head(SEALED, 1);
    corpus_add(&input, "\x2c\x01", 2);
    add_change(24, 1);
    corpus_write(&input, "sealed", "batch-changed");
    add_head(SEALED, 1);
    corpus_add(&input, "\x2c\x01", 2);
    add_change(16, 1);
    corpus_write(&input, "sealed", "sequence-changed");
    add_head(FORGED, 1);
    slot_header_encode(&data, header);
    corpus_add(&input, header, sizeof(header));
    corpus_add(&input, "sixteen bytes or more of a payload", 34);
    corpus_write(&input, "sealed", "forged");
    add_head(FRAME, 2);
    corpus_add(&input, "a frame of a link without its tag", 33);
    corpus_write(&input, "sealed", "frame");
    add_head(LINK_END, 2);
    corpus_write(&input, "sealed", "end");
    corpus_add_byte(&input, TICKET);
    corpus_add(&input, "\x03\x01\x00\x00", 4);
    corpus_write(&input, "sealed", "ticket");
    corpus_add_byte(&input, TICKET);
    corpus_add(&input, "\x03\x01\x00\x00", 4);
    add_change(TOKEN_AT, 1);
    corpus_write(&input, "sealed", "ticket-of-another-token");
}
