/* SPDX-License-Identifier: Apache-2.0 */
/* acceptor.c — one listener for each transport. The first is TCP's, which accepts control
 * connections, and links if the list has TCP. */
#include "acceptor.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "haul/log.h"
#include "tcp_listener.h"

struct door {
    enum haul_transport transport;
    struct listener *listener; /* NULL: it cannot listen, for `refusal` */
    char refusal[ACCEPTOR_REASON_BYTES_MAX];
    bool has_work; /* perhaps: until its listener returns AGAIN */
};

struct acceptor {
    struct poll_group *group;
    struct haul_transport_list transports;
    struct link_config config;
    size_t door_count;
    struct door doors[1 + HAUL_TRANSPORT_LIST_MAX];
};

/* --- listening -------------------------------------------------------------------------------- */

static enum haul_status listen_at(struct acceptor *acceptor, const char *text, bool loopback_only,
                                  struct haul_error *error)
{
    struct link_address address;
    enum haul_status status = link_address_parse(text, &address, error);
    if (status == HAUL_OK && loopback_only) {
        const struct link_addresses one = {.items = {address}, .count = 1};
        status = link_addresses_check_loopback(&one, text, error);
    }
    return status == HAUL_OK ? listener_create(HAUL_TRANSPORT_TCP, &address, &acceptor->config,
                                               &acceptor->doors[0].listener, error)
                             : status;
}

/* On every address of the host, of both families if it has both. */
static enum haul_status listen_everywhere(struct acceptor *acceptor, uint16_t port,
                                          struct haul_error *error)
{
    char any[32];
    (void)snprintf(any, sizeof(any), "[::]:%u", port);
    enum haul_status status = listen_at(acceptor, any, false, error);
    if (status == HAUL_OK || status == HAUL_BUSY) {
        return status;
    }
    (void)snprintf(any, sizeof(any), "0.0.0.0:%u", port);
    return listen_at(acceptor, any, false, error);
}

static enum haul_status listen_here(struct acceptor *acceptor, uint16_t port,
                                    struct haul_error *error)
{
    char here[32];
    (void)snprintf(here, sizeof(here), "127.0.0.1:%u", port);
    return listen_at(acceptor, here, true, error);
}

static void note_refusal(struct acceptor *acceptor, struct door *door, struct haul_error *error)
{
    char text[2 * ACCEPTOR_REASON_BYTES_MAX];
    haul_error_format(error, text, sizeof(text));
    haul_log(acceptor->config.log,
             error->status == HAUL_UNSUPPORTED ? HAUL_LOG_INFO : HAUL_LOG_WARNING,
             "no %s links here: %s", haul_transport_name(door->transport), text);
    error->hint[0] = '\0'; /* for this side's operator, not for senders */
    haul_error_format(error, door->refusal, sizeof(door->refusal));
}

static enum haul_status watch(const struct acceptor *acceptor, const struct door *door,
                              struct haul_error *error)
{
    enum haul_status status = poll_group_add_fd(acceptor->group, listener_fd(door->listener));
    return status == HAUL_OK
               ? status
               : haul_error_set(error, status, NULL, 0, "too many listeners for one loop");
}

static enum haul_status open_door(struct acceptor *acceptor, struct door *door,
                                  struct haul_error *error)
{
    struct link_address address;
    struct haul_error reason = {0};
    acceptor_address(acceptor, &address);
    enum haul_status status =
        listener_create(door->transport, &address, &acceptor->config, &door->listener, &reason);
    if (status == HAUL_OK) {
        return watch(acceptor, door, error);
    }
    door->listener = NULL;
    if (transport_list_count(&acceptor->transports) == 1) { /* no other transport can replace it */
        if (error != NULL) {
            *error = reason;
        }
        return status;
    }
    note_refusal(acceptor, door, &reason);
    return HAUL_OK;
}

static enum haul_status open_all(struct acceptor *acceptor, const struct acceptor_options *options,
                                 struct haul_error *error)
{
    enum haul_status status = HAUL_OK;
    if (options->listen != NULL) {
        status = listen_at(acceptor, options->listen, options->loopback_only, error);
    } else if (options->loopback_only) {
        status = listen_here(acceptor, options->port, error);
    } else {
        status = listen_everywhere(acceptor, options->port, error);
    }
    if (status == HAUL_OK) {
        acceptor->doors[0].transport = HAUL_TRANSPORT_TCP;
        acceptor->door_count = 1;
        status = watch(acceptor, &acceptor->doors[0], error);
    }
    for (size_t i = 0; status == HAUL_OK && i < transport_list_count(&acceptor->transports); i++) {
        if (acceptor->transports.items[i] != HAUL_TRANSPORT_TCP) {
            struct door *door = &acceptor->doors[acceptor->door_count++];
            door->transport = acceptor->transports.items[i];
            status = open_door(acceptor, door, error);
        }
    }
    return status;
}

enum haul_status acceptor_create(const struct acceptor_options *options, struct acceptor **acceptor,
                                 struct haul_error *error)
{
    struct acceptor *made = calloc(1, sizeof(*made));
    if (made == NULL) {
        return haul_error_set(error, HAUL_NO_MEMORY, "calloc", 0, "no memory for listeners");
    }
    made->group = options->group;
    made->transports = transport_list_resolve(&options->transports);
    enum haul_status status = link_config_resolve(&options->config, &made->config, error);
    if (status == HAUL_OK) {
        made->config.loopback_only = options->loopback_only;
        status = open_all(made, options, error);
    }
    if (status != HAUL_OK) {
        acceptor_destroy(made);
        return status;
    }
    *acceptor = made;
    return HAUL_OK;
}

void acceptor_destroy(struct acceptor *acceptor)
{
    for (size_t i = 0; acceptor != NULL && i < acceptor->door_count; i++) {
        struct listener *listener = acceptor->doors[i].listener;
        if (listener != NULL) {
            poll_group_remove_fd(acceptor->group, listener_fd(listener));
            listener_destroy(listener);
        }
    }
    free(acceptor);
}

void acceptor_address(const struct acceptor *acceptor, struct link_address *address)
{
    listener_address(acceptor->doors[0].listener, address);
}

bool acceptor_offers(const struct acceptor *acceptor, enum haul_transport transport,
                     char reason[ACCEPTOR_REASON_BYTES_MAX])
{
    reason[0] = '\0';
    if (!transport_list_has(&acceptor->transports, transport)) {
        (void)snprintf(reason, ACCEPTOR_REASON_BYTES_MAX, "it uses other transports only");
        return false;
    }
    for (size_t i = 0; i < acceptor->door_count; i++) {
        const struct door *door = &acceptor->doors[i];
        struct haul_error error = {0};
        if (door->transport != transport) {
            continue;
        }
        if (door->listener == NULL) {
            (void)snprintf(reason, ACCEPTOR_REASON_BYTES_MAX, "%s", door->refusal);
        } else if (!listener_is_open(door->listener, &error)) {
            haul_error_format(&error, reason, ACCEPTOR_REASON_BYTES_MAX);
        }
    }
    return reason[0] == '\0';
}

/* --- arrivals --------------------------------------------------------------------------------- */

/* Is there an arrival, or is it time to look for a lost device? */
static bool has_work(const struct acceptor *acceptor, struct door *door)
{
    uint64_t deadline = listener_deadline_ns(door->listener);
    bool ready = poll_group_take_ready(acceptor->group, listener_fd(door->listener));
    bool late = deadline != CLOCK_NEVER && clock_now_ns(acceptor->config.clock) >= deadline;
    door->has_work = door->has_work || ready || late;
    return door->has_work;
}

static bool poll_door(struct acceptor *acceptor, struct door *door,
                      struct acceptor_arrival *arrival)
{
    arrival->listener = door->listener;
    while (listener_poll(door->listener, &arrival->incoming) == HAUL_OK) {
        if (arrival->incoming.control ||
            transport_list_has(&acceptor->transports, door->transport)) {
            return true;
        }
        listener_reject(door->listener, &arrival->incoming, HAUL_UNSUPPORTED);
    }
    door->has_work = false;
    return false;
}

enum haul_status acceptor_poll(struct acceptor *acceptor, struct acceptor_arrival *arrival)
{
    for (size_t i = 0; i < acceptor->door_count; i++) {
        struct door *door = &acceptor->doors[i];
        if (door->listener != NULL && has_work(acceptor, door) &&
            poll_door(acceptor, door, arrival)) {
            return HAUL_OK;
        }
    }
    return HAUL_AGAIN;
}

uint64_t acceptor_deadline_ns(const struct acceptor *acceptor)
{
    uint64_t deadline = CLOCK_NEVER;
    for (size_t i = 0; i < acceptor->door_count; i++) {
        const struct door *door = &acceptor->doors[i];
        uint64_t own = door->listener == NULL ? CLOCK_NEVER : listener_deadline_ns(door->listener);
        deadline = own < deadline ? own : deadline;
    }
    return deadline;
}

struct tls_socket acceptor_take(struct acceptor_arrival *arrival)
{
    return tcp_listener_take(arrival->listener, &arrival->incoming);
}
