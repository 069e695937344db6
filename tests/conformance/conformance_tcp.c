/* SPDX-License-Identifier: Apache-2.0 */
/* conformance_tcp.c — the link suite on TCP, through the listener that sessions use. */
#include "link_conformance.h"
#include "tcp_listener.h"

static enum haul_status listen_tcp(enum haul_transport transport,
                                   const struct link_address *address,
                                   const struct link_config *config, void **out)
{
    (void)transport;
    struct tcp_listener *listener = NULL;
    enum haul_status status = tcp_listener_create(address, config, &listener, NULL);
    *out = listener;
    return status;
}

static void address_tcp(void *listener, struct link_address *address)
{
    tcp_listener_address(listener, address);
}

static int fd_tcp(void *listener)
{
    return tcp_listener_fd(listener);
}

static uint64_t deadline_ns_tcp(void *listener)
{
    return tcp_listener_deadline_ns(listener);
}

static enum haul_status poll_tcp(void *listener, struct link_incoming *incoming)
{
    enum tcp_purpose purpose;
    enum haul_status status = tcp_listener_poll(listener, &purpose, incoming);
    /* Only links connect here; anything else would be a defect that no test expects. */
    return status == HAUL_OK && purpose != TCP_DATA ? HAUL_INTERNAL : status;
}

static enum haul_status accept_tcp(void *listener, struct link_incoming *incoming,
                                   const struct link_config *config, struct link **link)
{
    return tcp_listener_accept_link(listener, incoming, config, link, NULL);
}

static void reject_tcp(void *listener, struct link_incoming *incoming, enum haul_status reason)
{
    tcp_listener_reject(listener, incoming, reason);
}

static void destroy_tcp(void *listener)
{
    tcp_listener_destroy(listener);
}

static const struct conformance_listener_ops tcp_listening = {
    .listen = listen_tcp,
    .address = address_tcp,
    .fd = fd_tcp,
    .deadline_ns = deadline_ns_tcp,
    .poll = poll_tcp,
    .accept = accept_tcp,
    .reject = reject_tcp,
    .destroy = destroy_tcp,
};

static bool any_port(struct link_address *address)
{
    return link_address_parse("127.0.0.1:0", address, NULL) == HAUL_OK;
}

static const struct conformance_backend backend = {
    .suite = "conformance_tcp",
    .transport = HAUL_TRANSPORT_TCP,
    .limits = {.slot_size_bytes = HAUL_SLOT_SIZE_BYTES_DEFAULT,
               .block_count = 3000,
               .peer_timeout_ms = 3000,
               .peers_are_processes = true},
    .listening = &tcp_listening,
    .address = any_port,
};

int main(int argc, char **argv)
{
    return conformance_main(&backend, argc, argv);
}
