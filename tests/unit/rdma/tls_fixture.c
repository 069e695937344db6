/* SPDX-License-Identifier: Apache-2.0 */
/* tls_fixture.c — the two ends, and what they show each other. */
#include "tls_fixture.h"

#include <string.h>

struct end client, server;
struct haul_error error;
struct made_certificate authority, ours, theirs, other;
const uint8_t refusal[REFUSAL_BYTES] = {0x15, 0x03, 0x03, 0x00, 0x02, 0x02, 0x28};

/* --- certificates ----------------------------------------------------------------------------- */

void make_all(void)
{
    const struct made_options of_authority = {.is_authority = true};
    const struct made_options of_ours = {.alternative_name = "DNS:a.example"};
    const struct made_options of_theirs = {.alternative_name = "DNS:db7.example,IP:127.0.0.1"};
    made_certificate_create(&authority, "haul test authority", &of_authority, NULL);
    made_certificate_create(&ours, "a", &of_ours, &authority);
    made_certificate_create(&theirs, "db7", &of_theirs, &authority);
}

void destroy_all(void)
{
    made_certificate_destroy(&authority);
    made_certificate_destroy(&ours);
    made_certificate_destroy(&theirs);
    made_certificate_destroy(&other);
}

/* --- ends ------------------------------------------------------------------------------------- */

void begin(struct end *end, enum tls_role role, struct haul_keys *keys, const char *host)
{
    end->keys = keys;
    end->status = HAUL_AGAIN;
    end->sent_bytes = 0;
    check_or_stop(tls_context_create(role, keys, &end->context, &error) == HAUL_OK);
    tls_context_set_host(end->context, host);
    check_or_stop(tls_stream_create(end->context, &end->stream, &error) == HAUL_OK);
}

void finish(struct end *end)
{
    tls_stream_destroy(end->stream);
    tls_context_destroy(end->context);
    haul_keys_destroy(end->keys);
    end->stream = NULL;
    end->context = NULL;
    end->keys = NULL;
    end->sent_bytes = 0;
}

void finish_both(void)
{
    finish(&client);
    finish(&server);
}

void carry(struct end *from, struct end *to)
{
    struct haul_slice bytes = tls_stream_output(from->stream);
    check_or_stop(bytes.size <= sizeof(from->sent) - from->sent_bytes);
    if (bytes.size > 0) {
        memcpy(from->sent + from->sent_bytes, bytes.data, bytes.size);
        from->sent_bytes += bytes.size;
    }
    check_status(tls_stream_feed(to->stream, bytes), HAUL_OK);
    tls_stream_sent(from->stream, bytes.size);
}

void step(struct end *end)
{
    if (end->status == HAUL_AGAIN) {
        end->status = tls_stream_handshake(end->stream, &error);
    }
}

void shake_hands(void)
{
    for (int turn = 0; turn < 4; turn++) {
        step(&client);
        carry(&client, &server);
        step(&server);
        carry(&server, &client);
    }
}

void check_refusal_sent(const struct end *end)
{
    check_or_stop(end->sent_bytes >= sizeof(refusal));
    const uint8_t *last = end->sent + end->sent_bytes - sizeof(refusal);
    check(memcmp(last, refusal, sizeof(refusal)) == 0);
}
