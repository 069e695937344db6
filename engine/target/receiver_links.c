/* SPDX-License-Identifier: Apache-2.0 */
/* receiver_links.c — admits links, lends and releases their blocks. */
#include "receiver_links.h"

#include <stdio.h>
#include <string.h>

#include "assertion.h"
#include "probe.h"

enum { EVENT_COUNT = 32 };

void receiver_links_init(struct receiver_links *links, struct poll_group *group,
                         const struct link_config *config, const struct haul_log *log)
{
    memset(links, 0, sizeof(*links));
    links->group = group;
    links->config = *config;
    links->log = log;
}

static void drop(struct receiver_links *links, struct receiver_link *entry)
{
    struct haul_link_stats stats;
    link_stats(entry->rx.base, &stats);
    link_stats_join(&links->closed_stats, &stats);
    if (!entry->closed) {
        poll_group_remove_link(links->group, entry->rx.base);
    }
    link_destroy(entry->rx.base);
    memset(entry, 0, sizeof(*entry));
}

void receiver_links_fini(struct receiver_links *links)
{
    for (int i = 0; i < RECEIVER_LINK_COUNT_MAX; i++) {
        if (links->links[i].rx.base != NULL) {
            drop(links, &links->links[i]);
        }
    }
}

/* --- opening ---------------------------------------------------------------------------------- */

static struct receiver_link *free_entry(struct receiver_links *links)
{
    for (int i = 0; i < RECEIVER_LINK_COUNT_MAX; i++) {
        if (links->links[i].rx.base == NULL) {
            return &links->links[i];
        }
    }
    return NULL;
}

static void replace(struct receiver_links *links, uint32_t index)
{
    for (int i = 0; i < RECEIVER_LINK_COUNT_MAX; i++) {
        struct receiver_link *entry = &links->links[i];
        if (entry->rx.base != NULL && !entry->closed &&
            link_index_place(entry->index) == link_index_place(index)) {
            link_close(entry->rx.base);
        }
    }
}

void receiver_links_admit(struct receiver_links *links, struct listener *listener,
                          struct link_incoming *incoming, const struct frame_key *frames)
{
    uint32_t index = incoming->ticket.index;
    struct haul_error error = {0};
    struct link_rx rx = {NULL};
    struct link_config config = links->config;
    config.frames = *frames;
    replace(links, index);
    struct receiver_link *entry = free_entry(links);
    enum haul_status status = HAUL_LIMIT;
    if (entry == NULL) {
        listener_reject(listener, incoming, HAUL_BUSY);
    } else {
        status = listener_accept(listener, incoming, &config, &rx, &error);
    }
    if (status == HAUL_OK) {
        status = poll_group_add_link(links->group, rx.base);
        if (status != HAUL_OK) {
            link_destroy(rx.base);
        }
    }
    if (status != HAUL_OK) {
        char line[HAUL_LOG_LINE_BYTES_MAX];
        haul_error_format(&error, line, sizeof(line));
        haul_log(links->log, HAUL_LOG_WARNING, "data link %u not accepted: %s",
                 link_index_place(index), line);
        return;
    }
    memset(entry, 0, sizeof(*entry));
    entry->rx = rx;
    entry->index = index;
    links->transport = link_transport(rx.base);
}

static void bind_entry(struct receiver_links *links, struct receiver_link *entry)
{
    struct haul_error error = {0};
    entry->has_description = false;
    if (link_bind(entry->rx.base, entry->description.description.bytes,
                  entry->description.description.size, &error) != HAUL_OK) {
        char line[HAUL_LOG_LINE_BYTES_MAX];
        haul_error_format(&error, line, sizeof(line));
        haul_log(links->log, HAUL_LOG_WARNING, "data link %u: %s", link_index_place(entry->index),
                 line);
        link_close(entry->rx.base);
    } else {
        links->any_bound = true;
    }
}

void receiver_links_describe(struct receiver_links *links,
                             const haul_control_LinkDescription *description)
{
    for (int i = 0; i < RECEIVER_LINK_COUNT_MAX; i++) {
        struct receiver_link *entry = &links->links[i];
        if (entry->rx.base != NULL && !entry->closed && entry->index == description->index &&
            (uint32_t)link_transport(entry->rx.base) == description->transport &&
            !link_is_bound(entry->rx.base) && !entry->has_description) {
            entry->description = *description;
            entry->has_description = true;
            if (entry->connected) {
                bind_entry(links, entry);
            }
            return;
        }
    }
}

bool receiver_links_next_message(struct receiver_links *links, struct message *message)
{
    for (int i = 0; i < RECEIVER_LINK_COUNT_MAX; i++) {
        struct receiver_link *entry = &links->links[i];
        if (entry->rx.base != NULL && entry->connected && !entry->described && !entry->closed) {
            message_init(message, MESSAGE_LINK);
            haul_control_LinkDescription *to = &message->as.link;
            to->index = entry->index;
            to->transport = (uint32_t)link_transport(entry->rx.base);
            to->description.size = (pb_size_t)link_describe(entry->rx.base, to->description.bytes);
            entry->described = true;
            return true;
        }
    }
    return false;
}

/* --- polling ---------------------------------------------------------------------------------- */

static void on_received(struct receiver_link *entry, struct applier *applier, struct block *block)
{
    if (applier == NULL) {
        link_release(entry->rx, block);
        return;
    }
    PROBE3(block_received, entry->rx.base, block->header.stream, block->header.batch);
    entry->lent++;
    entry->unapplied++;
    applier_take(applier, entry->rx.base, block);
}

static void on_event(struct receiver_links *links, struct receiver_link *entry,
                     const struct link_event *event, struct applier *applier,
                     struct haul_error *failed)
{
    switch (event->type) {
    case LINK_CONNECTED:
        entry->connected = true;
        if (entry->has_description) {
            bind_entry(links, entry);
        }
        return;
    case LINK_RECEIVED:
        on_received(entry, applier, event->block);
        return;
    case LINK_CREDIT:
    case LINK_DONE:
        return;
    case LINK_CLOSED:
        entry->closed = true;
        poll_group_remove_link(links->group, entry->rx.base);
        if (event->error->status != HAUL_OK && link_is_bound(entry->rx.base)) {
            *failed = *event->error;
        }
        return;
    }
}

bool receiver_links_poll(struct receiver_links *links, struct applier *applier,
                         struct haul_error *failed)
{
    bool any = false;
    for (int i = 0; i < RECEIVER_LINK_COUNT_MAX; i++) {
        struct receiver_link *entry = &links->links[i];
        if (entry->rx.base == NULL) {
            continue;
        }
        struct link_event events[EVENT_COUNT];
        size_t count = entry->closed ? 0 : link_poll(entry->rx.base, events, EVENT_COUNT);
        for (size_t j = 0; j < count; j++) {
            on_event(links, entry, &events[j], applier, failed);
            any = true;
        }
        if (entry->closed && entry->lent == 0 && entry->unapplied == 0) {
            drop(links, entry);
        }
    }
    return any;
}

/* --- lent blocks ------------------------------------------------------------------------------ */

static struct receiver_link *find(struct receiver_links *links, const struct link *link)
{
    for (int i = 0; i < RECEIVER_LINK_COUNT_MAX; i++) {
        if (links->links[i].rx.base == link) {
            return &links->links[i];
        }
    }
    haul_unreachable(); /* an entry lives until all its blocks are returned */
}

void receiver_links_on_freed(struct receiver_links *links, struct link *link, struct block *block)
{
    struct receiver_link *entry = find(links, link);
    haul_assert(entry->lent > 0);
    entry->lent--;
    if (!entry->closed) {
        link_release(entry->rx, block);
    }
}

void receiver_links_on_applied(struct receiver_links *links, struct link *link)
{
    struct receiver_link *entry = find(links, link);
    haul_assert(entry->unapplied > 0);
    entry->unapplied--;
    if (!entry->closed) {
        link_note_applied(entry->rx, 1);
    }
}

uint64_t receiver_links_unapplied(const struct receiver_links *links)
{
    uint64_t count = 0;
    for (int i = 0; i < RECEIVER_LINK_COUNT_MAX; i++) {
        count += links->links[i].rx.base == NULL ? 0 : links->links[i].unapplied;
    }
    return count;
}

void receiver_links_forget_lent(struct receiver_links *links)
{
    for (int i = 0; i < RECEIVER_LINK_COUNT_MAX; i++) {
        links->links[i].lent = 0;
        links->links[i].unapplied = 0;
    }
}

void receiver_links_close(struct receiver_links *links)
{
    for (int i = 0; i < RECEIVER_LINK_COUNT_MAX; i++) {
        if (links->links[i].rx.base != NULL && !links->links[i].closed) {
            link_close(links->links[i].rx.base);
        }
    }
}

void receiver_links_stats(const struct receiver_links *links, struct haul_link_stats *stats)
{
    *stats = links->closed_stats;
    for (int i = 0; i < RECEIVER_LINK_COUNT_MAX; i++) {
        if (links->links[i].rx.base != NULL) {
            struct haul_link_stats one;
            link_stats(links->links[i].rx.base, &one);
            link_stats_join(stats, &one);
        }
    }
}
