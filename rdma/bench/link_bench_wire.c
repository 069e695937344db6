/* SPDX-License-Identifier: Apache-2.0 */
/* link_bench_wire.c — messages and small parts that both ends of the link benchmark share. */
#include "link_bench_wire.h"

#include <inttypes.h>
#include <sys/resource.h>

#include "bytes.h"
#include "haul/transport.h"
#include "sized_options.h"

/* Verbs: a ring of few slots stays close to the processors, like the one buffer of ib_write_bw;
 * with eight, two arrive for each wake-up and credit. TCP may have a long path. */
enum { PAYLOAD_SIZE_BYTES_DEFAULT = 1 << 20, VERBS_SLOT_COUNT_DEFAULT = 8 };

void bench_start_encode(const struct bench_start *start, uint8_t at[BENCH_START_BYTES])
{
    put_u32(at, (uint32_t)start->transport);
    put_u32(at + 4, start->link_count);
    put_u32(at + 8, start->slot_count);
    put_u32(at + 12, start->slot_size_bytes);
    put_u32(at + 16, start->without_crc);
}

enum haul_status bench_start_decode(struct haul_slice body, struct bench_start *start)
{
    struct cursor cursor = cursor_of(body.data, body.size);
    start->transport = (enum haul_transport)cursor_u32(&cursor);
    start->link_count = cursor_u32(&cursor);
    start->slot_count = cursor_u32(&cursor);
    start->slot_size_bytes = cursor_u32(&cursor);
    start->without_crc = cursor_u32(&cursor) != 0;
    bool sound =
        !cursor.failed && start->link_count >= 1 && start->link_count <= HAUL_LINK_COUNT_MAX;
    return sound ? HAUL_OK : HAUL_PROTOCOL;
}

/* The smallest slot that holds a block of this size. */
static uint32_t slot_size_for(uint32_t size_bytes)
{
    uint32_t slot_size = HAUL_SLOT_SIZE_BYTES_MIN;
    while (slot_size < size_bytes + SLOT_HEADER_BYTES) {
        slot_size *= 2;
    }
    return slot_size;
}

enum haul_status bench_resolve(const struct haul_link_bench_options *given,
                               struct haul_link_bench_options *resolved, struct haul_error *error)
{
    enum haul_status status =
        sized_options_take(resolved, sizeof(*resolved),
                           SIZED_OPTIONS_END(struct haul_link_bench_options, log), given, error);
    if (status != HAUL_OK) {
        return status;
    }
    if (resolved->payload_size_bytes == 0) {
        resolved->payload_size_bytes = PAYLOAD_SIZE_BYTES_DEFAULT;
    }
    resolved->seconds = resolved->seconds <= 0 ? 5.0 : resolved->seconds;
    resolved->link_count = resolved->link_count == 0 ? 1 : resolved->link_count;
    if (resolved->link.slot_count == 0) {
        resolved->link.slot_count = resolved->transport == HAUL_TRANSPORT_VERBS
                                        ? VERBS_SLOT_COUNT_DEFAULT
                                        : HAUL_SLOT_COUNT_DEFAULT;
    }
    if (resolved->link_count > HAUL_LINK_COUNT_MAX ||
        resolved->payload_size_bytes > HAUL_SLOT_SIZE_BYTES_MAX - SLOT_HEADER_BYTES) {
        return haul_error_set(error, HAUL_INVALID, NULL, 0,
                              "at most %d links and %d bytes per block", HAUL_LINK_COUNT_MAX,
                              HAUL_SLOT_SIZE_BYTES_MAX - SLOT_HEADER_BYTES);
    }
    if (resolved->link.slot_size_bytes == 0) {
        resolved->link.slot_size_bytes = slot_size_for(resolved->payload_size_bytes);
    }
    return HAUL_OK;
}

enum haul_status bench_resolve_sender(const struct haul_link_bench_options *given,
                                      struct haul_link_bench_options *resolved,
                                      struct haul_error *error)
{
    enum haul_status status = bench_resolve(given, resolved, error);
    if (status != HAUL_OK) {
        return status;
    }
    uint32_t needed = slot_size_for(resolved->payload_size_bytes);
    uint32_t slot_size = resolved->link.slot_size_bytes;
    if (slot_size >= needed) {
        return HAUL_OK;
    }
    haul_error_set(error, HAUL_INVALID, NULL, 0,
                   "a block of %" PRIu32 " bytes and its header do not fit into a slot of %" PRIu32,
                   resolved->payload_size_bytes, slot_size);
    haul_error_hint(error, "give a --slot-size of %" PRIu32 " or more, or omit it", needed);
    return HAUL_INVALID;
}

enum haul_status bench_check_address(const struct bench_context *context, const char *text,
                                     struct link_address *address, struct haul_error *error)
{
    enum haul_status status = link_address_parse(text, address, error);
    if (status != HAUL_OK || context->both || context->options->insecure ||
        link_address_is_loopback(address)) {
        return status;
    }
    haul_error_set(error, HAUL_AUTH, NULL, 0,
                   "a benchmark has no key: only this host is trusted, "
                   "not %s",
                   text);
    haul_error_hint(error, "--insecure on both sides, if you trust the network");
    return HAUL_AUTH;
}

enum haul_status bench_send_description(struct control_channel *channel, const struct link *link,
                                        uint32_t index)
{
    uint8_t body[4 + LINK_DESCRIPTION_BYTES_MAX];
    put_u32(body, index);
    size_t size = 4 + link_describe(link, body + 4);
    return control_channel_send(channel, BENCH_LINK, body, size);
}

bool bench_take_description(struct haul_slice body, uint32_t *index, struct haul_slice *description)
{
    struct cursor cursor = cursor_of(body.data, body.size);
    *index = cursor_u32(&cursor);
    *description = slice_of(cursor.at, cursor_left(&cursor));
    return !cursor.failed;
}

double bench_cpu_seconds(void)
{
    struct rusage usage;
    (void)getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1e-6;
}
