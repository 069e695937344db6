/* SPDX-License-Identifier: Apache-2.0 */
/* dummy_link.c — a transport that is added to a copy of the tree by additions.sh: TCP under another
 * name. */
#include "link_ops.h"

static const struct listener_ops *under; /* TCP's */

static struct link *as_ours(struct link *link)
{
    link->ops = &dummy_link_ops;
    return link;
}

static enum haul_status dummy_connect(const struct link_address *address,
                                      const struct link_ticket *ticket,
                                      const struct link_config *config, struct link **link,
                                      struct haul_error *error)
{
    enum haul_status status = tcp_link_ops.connect(address, ticket, config, link, error);
    if (status == HAUL_OK) {
        (void)as_ours(*link);
    }
    return status;
}

static struct block_pool *dummy_pool(struct link *link)
{
    return tcp_link_ops.pool(link);
}

static enum haul_status dummy_submit(struct link *link, struct block *block)
{
    return tcp_link_ops.submit(link, block);
}

static void dummy_release(struct link *link, struct block *block)
{
    tcp_link_ops.release(link, block);
}

static void dummy_note_applied(struct link *link, uint64_t count)
{
    tcp_link_ops.note_applied(link, count);
}

static size_t dummy_describe(const struct link *link, uint8_t *description)
{
    return tcp_link_ops.describe(link, description);
}

static enum haul_status dummy_bind(struct link *link, const uint8_t *description, size_t size_bytes,
                                   struct haul_error *error)
{
    return tcp_link_ops.bind(link, description, size_bytes, error);
}

static size_t dummy_poll(struct link *link, struct link_event *events, size_t capacity)
{
    return tcp_link_ops.poll(link, events, capacity);
}

static bool dummy_arm(struct link *link)
{
    return tcp_link_ops.arm(link);
}

static int dummy_fd(const struct link *link)
{
    return tcp_link_ops.fd(link);
}

static uint64_t dummy_deadline_ns(const struct link *link)
{
    return tcp_link_ops.deadline_ns(link);
}

static void dummy_close(struct link *link)
{
    tcp_link_ops.close(link);
}

static void dummy_destroy(struct link *link)
{
    tcp_link_ops.destroy(link);
}

/* --- listening -------------------------------------------------------------------------------- */

static void listener_of_address(const struct listener *listener, struct link_address *address)
{
    under->address(listener, address);
}

static enum haul_status listener_of_poll(struct listener *listener, struct link_incoming *incoming)
{
    return under->poll(listener, incoming);
}

static enum haul_status listener_of_accept(struct listener *listener,
                                           struct link_incoming *incoming,
                                           const struct link_config *config, struct link **link,
                                           struct haul_error *error)
{
    enum haul_status status = under->accept(listener, incoming, config, link, error);
    if (status == HAUL_OK) {
        (void)as_ours(*link);
    }
    return status;
}

static void listener_of_reject(struct listener *listener, struct link_incoming *incoming,
                               enum haul_status reason)
{
    under->reject(listener, incoming, reason);
}

static int listener_of_fd(const struct listener *listener)
{
    return under->fd(listener);
}

static uint64_t listener_of_deadline_ns(const struct listener *listener)
{
    return under->deadline_ns(listener);
}

static void listener_of_destroy(struct listener *listener)
{
    under->destroy(listener);
}

static const struct listener_ops dummy_listener_ops = {
    .address = listener_of_address,
    .poll = listener_of_poll,
    .accept = listener_of_accept,
    .reject = listener_of_reject,
    .is_open = listener_always_open,
    .fd = listener_of_fd,
    .deadline_ns = listener_of_deadline_ns,
    .destroy = listener_of_destroy,
};

/* The address has TCP's own port: take another one, as a description would have. */
static enum haul_status dummy_listen(const struct link_address *address,
                                     const struct link_config *config, struct listener **listener,
                                     struct haul_error *error)
{
    enum haul_status status = tcp_link_ops.listen(address, config, listener, error);
    if (status == HAUL_OK) {
        under = (*listener)->ops;
        (*listener)->ops = &dummy_listener_ops;
    }
    return status;
}

const struct link_ops dummy_link_ops = {
    .transport = HAUL_TRANSPORT_DUMMY,
    .connect = dummy_connect,
    .pool = dummy_pool,
    .submit = dummy_submit,
    .release = dummy_release,
    .note_applied = dummy_note_applied,
    .describe = dummy_describe,
    .bind = dummy_bind,
    .poll = dummy_poll,
    .arm = dummy_arm,
    .fd = dummy_fd,
    .deadline_ns = dummy_deadline_ns,
    .close = dummy_close,
    .destroy = dummy_destroy,
    .listen = dummy_listen,
};
