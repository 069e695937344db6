/* SPDX-License-Identifier: Apache-2.0 */
/* link_bench.c — the public functions of the link benchmark; both ends in one process. */
#include "haul/link_bench.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#include "link_bench_wire.h"
#include "loopback_hub.h"
#include "mailbox.h"

enum { LISTEN_TIMEOUT_MS = 10000 };

enum haul_status haul_link_bench_run(const struct haul_link_bench_options *options,
                                     struct haul_link_bench_result *result,
                                     struct haul_error *error)
{
    struct haul_link_bench_options resolved;
    struct bench_context context = {.options = &resolved};
    enum haul_status status = bench_resolve_sender(options, &resolved, error);
    return status == HAUL_OK ? bench_client_run(&context, result, error) : status;
}

enum haul_status haul_link_bench_serve(const struct haul_link_bench_options *options,
                                       struct haul_link_bench_result *result,
                                       struct haul_error *error)
{
    struct haul_link_bench_options resolved;
    struct bench_context context = {.options = &resolved};
    enum haul_status status = bench_resolve(options, &resolved, error);
    return status == HAUL_OK ? bench_server_run(&context, result, error) : status;
}

/* --- both ends -------------------------------------------------------------------------------- */

struct address_text {
    char text[LINK_ADDRESS_TEXT_BYTES_MAX];
};

struct server_thread {
    struct bench_context context;
    struct haul_link_bench_options options;
    struct mailbox *address; /* one message: the server's address; closed when the server has ended
                              * */
    atomic_bool stop;
    enum haul_status status;
    struct haul_error error;
    struct haul_link_bench_result result;
};

static void on_listening(void *context, const char *address)
{
    struct server_thread *server = context;
    struct address_text message;
    (void)snprintf(message.text, sizeof(message.text), "%s", address);
    (void)!mailbox_push(server->address, &message);
}

static bool is_stopped(void *context)
{
    return atomic_load(&((struct server_thread *)context)->stop);
}

static void *run_server(void *argument)
{
    struct server_thread *server = argument;
    server->status = bench_server_run(&server->context, &server->result, &server->error);
    mailbox_close(server->address);
    return NULL;
}

/* Run the client, once the server listens. */
static enum haul_status run_client(struct server_thread *server,
                                   struct haul_link_bench_options *resolved,
                                   struct haul_link_bench_result *result, struct haul_error *error)
{
    struct address_text address;
    uint64_t deadline = clock_deadline_ns(&clock_monotonic, LISTEN_TIMEOUT_MS);
    enum haul_status status = mailbox_pop_wait(server->address, &address, deadline);
    if (status != HAUL_OK) {
        return haul_error_set(error, status, NULL, 0, "the serving end did not start");
    }
    resolved->address = address.text;
    struct bench_context context = {.options = resolved,
                                    .hub = server->context.hub,
                                    .both = true,
                                    .guard = server->context.guard};
    return bench_client_run(&context, result, error);
}

static enum haul_status run_both(struct server_thread *server,
                                 struct haul_link_bench_options *resolved,
                                 struct haul_link_bench_result *result, struct haul_error *error)
{
    server->options = *resolved;
    server->options.keep_serving = false;
    server->options.is_cancelled = is_stopped;
    server->options.on_listening = on_listening;
    server->options.context = server;
    server->context.options = &server->options;
    server->context.both = true;
    pthread_t thread;
    int created = pthread_create(&thread, NULL, run_server, server);
    if (created != 0) {
        return haul_error_set(error, HAUL_LIMIT, "pthread_create", created,
                              "cannot start the serving end");
    }
    enum haul_status status = run_client(server, resolved, result, error);
    atomic_store(&server->stop, status != HAUL_OK);
    (void)pthread_join(thread, NULL);
    if (server->status != HAUL_OK) {
        status = server->status;
        if (error != NULL) {
            *error = server->error;
        }
    }
    return status;
}

static enum haul_status check_guard(const struct haul_link_bench_options *resolved,
                                    const struct link_bench_guard *guard, struct haul_error *error)
{
    if (guard == NULL) {
        return HAUL_OK;
    }
    uint64_t bytes = (uint64_t)resolved->payload_size_bytes + SLOT_HEADER_BYTES + guard->bytes;
    if (resolved->transport == HAUL_TRANSPORT_VERBS || bytes > resolved->link.slot_size_bytes) {
        return haul_error_set(error, HAUL_INVALID, NULL, 0, "a guard does not fit this run");
    }
    return HAUL_OK;
}

enum haul_status link_bench_both_guarded(const struct haul_link_bench_options *options,
                                         const struct link_bench_guard *guard,
                                         struct haul_link_bench_result *result,
                                         struct haul_error *error)
{
    struct haul_link_bench_options resolved;
    struct server_thread server = {.context.guard = guard};
    enum haul_status status = bench_resolve_sender(options, &resolved, error);
    if (status == HAUL_OK) {
        status = check_guard(&resolved, guard, error);
    }
    if (status == HAUL_OK) {
        status = loopback_hub_create(&server.context.hub);
    }
    if (status == HAUL_OK) {
        status = mailbox_create(1, sizeof(struct address_text), &server.address);
    }
    if (status == HAUL_OK) {
        status = run_both(&server, &resolved, result, error);
    }
    mailbox_destroy(server.address);
    loopback_hub_destroy(server.context.hub);
    return status;
}

enum haul_status haul_link_bench_both(const struct haul_link_bench_options *options,
                                      struct haul_link_bench_result *result,
                                      struct haul_error *error)
{
    return link_bench_both_guarded(options, NULL, result, error);
}
