/* SPDX-License-Identifier: Apache-2.0 */
/* link.c — the entries of link.h: defaults, bounds, and checks that every backend relies on. */
#include "link.h"

#include <unistd.h>

#include "assertion.h"
#include "link_ops.h"
#include "probe.h"

/* --- configuration ---------------------------------------------------------------------------- */

uint32_t link_spin_us(const struct haul_link_options *options)
{
    if (options->spin_us > 0) {
        return options->spin_us;
    }
    /* On a single processor a spin keeps the peer from running. */
    return sysconf(_SC_NPROCESSORS_ONLN) > 1 ? (uint32_t)HAUL_SPIN_US_DEFAULT : 0;
}

static uint32_t or_default(uint32_t value, uint32_t otherwise)
{
    return value == 0 ? otherwise : value;
}

static bool is_power_of_two(uint32_t value)
{
    return value != 0 && (value & (value - 1)) == 0;
}

enum haul_status link_config_resolve(const struct link_config *config, struct link_config *resolved,
                                     struct haul_error *error)
{
    struct link_config result = *config;
    struct haul_link_options *options = &result.options;
    options->slot_count = or_default(options->slot_count, HAUL_SLOT_COUNT_DEFAULT);
    options->slot_size_bytes = or_default(options->slot_size_bytes, HAUL_SLOT_SIZE_BYTES_DEFAULT);
    options->peer_timeout_ms = or_default(options->peer_timeout_ms, HAUL_PEER_TIMEOUT_MS_DEFAULT);
    options->spin_us = link_spin_us(options);
    result.clock = result.clock == NULL ? &clock_monotonic : result.clock;
    if (options->slot_count > HAUL_SLOT_COUNT_MAX) {
        return haul_error_set(error, HAUL_INVALID, NULL, 0,
                              "invalid slot count %u: must be 1 to %d", options->slot_count,
                              HAUL_SLOT_COUNT_MAX);
    }
    if (!is_power_of_two(options->slot_size_bytes) ||
        options->slot_size_bytes < HAUL_SLOT_SIZE_BYTES_MIN ||
        options->slot_size_bytes > HAUL_SLOT_SIZE_BYTES_MAX) {
        return haul_error_set(error, HAUL_INVALID, NULL, 0,
                              "invalid slot size %u: must be a power of two from %d to %d bytes",
                              options->slot_size_bytes, HAUL_SLOT_SIZE_BYTES_MIN,
                              HAUL_SLOT_SIZE_BYTES_MAX);
    }
    if (options->peer_timeout_ms < HAUL_PEER_TIMEOUT_MS_MIN ||
        options->peer_timeout_ms > HAUL_PEER_TIMEOUT_MS_MAX) {
        return haul_error_set(
            error, HAUL_INVALID, NULL, 0, "invalid peer timeout %u ms: must be %d to %d",
            options->peer_timeout_ms, HAUL_PEER_TIMEOUT_MS_MIN, HAUL_PEER_TIMEOUT_MS_MAX);
    }
    *resolved = result;
    return HAUL_OK;
}

static enum haul_status choose(enum haul_transport transport, const struct link_config *config,
                               struct link_config *resolved, const struct link_ops **ops,
                               struct haul_error *error)
{
    *ops = transport_table(transport);
    if (*ops == NULL) {
        haul_error_set(error, HAUL_UNSUPPORTED, NULL, 0, "this build has no %s links",
                       haul_transport_name(transport));
        haul_error_hint(error, "build with -DHAUL_RDMA=ON");
        return HAUL_UNSUPPORTED;
    }
    return link_config_resolve(config, resolved, error);
}

/* --- the sending side ------------------------------------------------------------------------- */

enum haul_status link_connect(enum haul_transport transport, const struct link_address *address,
                              const struct link_ticket *ticket, const struct link_config *config,
                              struct link_tx *link, struct haul_error *error)
{
    const struct link_ops *ops = NULL;
    struct link_config resolved;
    enum haul_status status = choose(transport, config, &resolved, &ops, error);
    if (status != HAUL_OK) {
        return status;
    }
    status = ops->connect(address, ticket, &resolved, &link->base, error);
    haul_assert(status != HAUL_OK || (link->base->ops == ops && link->base->sending));
    return status;
}

struct block_pool *link_pool(struct link_tx link)
{
    return link.base->ops->pool(link.base);
}

enum haul_status link_submit(struct link_tx tx, struct block *block)
{
    struct link *link = tx.base;
    haul_assert(block->state == BLOCK_FILLING);
    haul_assert(block->header.payload_size_bytes <=
                link->config.options.slot_size_bytes - SLOT_HEADER_BYTES);
    if (link->closed_reported || !link->bound) {
        return HAUL_CLOSED;
    }
    enum haul_status status = link->ops->submit(link, block);
    if (status == HAUL_AGAIN) {
        link->stats.credit_stalls++;
    } else if (status == HAUL_OK) {
        PROBE3(block_submitted, link, block->header.stream, block->header.batch);
    }
    return status;
}

uint64_t link_freed_count(struct link_tx link)
{
    return link.base->freed_count;
}

uint64_t link_applied_count(struct link_tx link)
{
    return link.base->applied_count;
}

/* --- the receiving side ----------------------------------------------------------------------- */

void link_release(struct link_rx link, struct block *block)
{
    haul_assert(block->state == BLOCK_LENT);
    link.base->ops->release(link.base, block);
}

void link_note_applied(struct link_rx link, uint64_t count)
{
    link.base->ops->note_applied(link.base, count);
}

/* --- both ------------------------------------------------------------------------------------- */

size_t link_describe(const struct link *link, uint8_t *description)
{
    size_t size = link->ops->describe(link, description);
    haul_assert(size <= LINK_DESCRIPTION_BYTES_MAX);
    return size;
}

enum haul_status link_bind(struct link *link, const uint8_t *description, size_t size_bytes,
                           struct haul_error *error)
{
    haul_assert(!link->bound);
    if (link->closed_reported) {
        return haul_error_set(error, HAUL_CLOSED, NULL, 0, "the link has ended");
    }
    enum haul_status status = link->ops->bind(link, description, size_bytes, error);
    link->bound = status == HAUL_OK;
    return status;
}

size_t link_poll(struct link *link, struct link_event *events, size_t capacity)
{
    if (link->closed_reported || capacity == 0) {
        return 0;
    }
    size_t count = link->ops->poll(link, events, capacity);
    haul_assert(count <= capacity);
    for (size_t i = 0; i < count; i++) {
        haul_assert(!link->closed_reported); /* CLOSED is the last event */
        link->closed_reported = events[i].type == LINK_CLOSED;
    }
    return count;
}

bool link_arm(struct link *link)
{
    return link->closed_reported || link->ops->arm(link);
}

int link_fd(const struct link *link)
{
    return link->ops->fd(link);
}

uint64_t link_deadline_ns(const struct link *link)
{
    return link->closed_reported ? CLOCK_NEVER : link->ops->deadline_ns(link);
}

void link_close(struct link *link)
{
    if (!link->closed_reported) {
        link->ops->close(link);
    }
}

void link_destroy(struct link *link)
{
    if (link != NULL) {
        link->ops->destroy(link);
    }
}

enum haul_transport link_transport(const struct link *link)
{
    return link->ops->transport;
}

bool link_spins(const struct link *link)
{
    return link->ops->spins;
}

bool link_pins_memory(enum haul_transport transport)
{
    const struct link_ops *ops = transport_table(transport);
    return ops != NULL && ops->pins_memory;
}

uint32_t link_slot_count(const struct link *link)
{
    return link->slot_count;
}

uint32_t link_payload_size_bytes_max(const struct link *link)
{
    return link->payload_size_bytes_max;
}

void link_stats(const struct link *link, struct haul_link_stats *stats)
{
    *stats = link->stats;
}

void link_stats_join(struct haul_link_stats *sum, const struct haul_link_stats *stats)
{
    sum->blocks_sent += stats->blocks_sent;
    sum->blocks_received += stats->blocks_received;
    sum->bytes_sent += stats->bytes_sent;
    sum->bytes_received += stats->bytes_received;
    sum->credit_stalls += stats->credit_stalls;
    sum->credits_sent += stats->credits_sent;
    sum->credits_received += stats->credits_received;
    sum->crc_errors += stats->crc_errors;
    sum->sleeps += stats->sleeps;
}

bool link_is_bound(const struct link *link)
{
    return link->bound;
}

bool link_was_refused(const struct link *link)
{
    return link->refused;
}

/* --- listening -------------------------------------------------------------------------------- */

enum haul_status listener_create(enum haul_transport transport, const struct link_address *address,
                                 const struct link_config *config, struct listener **listener,
                                 struct haul_error *error)
{
    const struct link_ops *ops = NULL;
    struct link_config resolved;
    enum haul_status status = choose(transport, config, &resolved, &ops, error);
    return status == HAUL_OK ? ops->listen(address, &resolved, listener, error) : status;
}

void listener_address(const struct listener *listener, struct link_address *address)
{
    listener->ops->address(listener, address);
}

enum haul_status listener_poll(struct listener *listener, struct link_incoming *incoming)
{
    return listener->ops->poll(listener, incoming);
}

enum haul_status listener_accept(struct listener *listener, struct link_incoming *incoming,
                                 const struct link_config *config, struct link_rx *link,
                                 struct haul_error *error)
{
    struct link_config resolved;
    enum haul_status status = link_config_resolve(config, &resolved, error);
    if (status != HAUL_OK) {
        listener_reject(listener, incoming, status);
        return status;
    }
    status = listener->ops->accept(listener, incoming, &resolved, &link->base, error);
    haul_assert(status != HAUL_OK || !link->base->sending);
    return status;
}

void listener_reject(struct listener *listener, struct link_incoming *incoming,
                     enum haul_status reason)
{
    haul_assert(reason != HAUL_OK);
    listener->ops->reject(listener, incoming, reason);
}

bool listener_is_open(const struct listener *listener, struct haul_error *error)
{
    return listener->ops->is_open(listener, error);
}

bool listener_always_open(const struct listener *listener, struct haul_error *error)
{
    (void)listener;
    (void)error;
    return true;
}

enum haul_transport listener_transport(const struct listener *listener)
{
    return listener->transport;
}

int listener_fd(const struct listener *listener)
{
    return listener->ops->fd(listener);
}

uint64_t listener_deadline_ns(const struct listener *listener)
{
    return listener->ops->deadline_ns(listener);
}

void listener_destroy(struct listener *listener)
{
    if (listener != NULL) {
        listener->ops->destroy(listener);
    }
}
