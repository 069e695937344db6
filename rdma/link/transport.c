/* SPDX-License-Identifier: Apache-2.0 */
/* transport.c — the table of transports, their names, and lists of them. */
#include "haul/transport.h"

#include <string.h>

#include "built_transports.h"
#include "link_ops.h"

/* In the order of HAUL_TRANSPORTS; NULL: not part of this build. */
static const struct link_ops *const tables[] = {
#define TABLE(name, number, text, prefix) BUILT_##prefix(&prefix##_link_ops),
    HAUL_TRANSPORTS(TABLE)
#undef TABLE
};

enum { TRANSPORT_COUNT = sizeof(tables) / sizeof(tables[0]) };

static const struct {
    enum haul_transport transport;
    const char *name;
} rows[TRANSPORT_COUNT] = {
#define ROW(name, number, text, prefix) {HAUL_TRANSPORT_##name, text},
    HAUL_TRANSPORTS(ROW)
#undef ROW
};

_Static_assert((int)TRANSPORT_COUNT <= (int)HAUL_TRANSPORT_LIST_MAX,
               "a list holds every transport");

const struct link_ops *transport_table(enum haul_transport transport)
{
    for (size_t i = 0; i < TRANSPORT_COUNT; i++) {
        if (rows[i].transport == transport) {
            return tables[i];
        }
    }
    return NULL;
}

bool haul_transport_is_built(enum haul_transport transport)
{
    return transport_table(transport) != NULL;
}

const char *haul_transport_name(enum haul_transport transport)
{
    for (size_t i = 0; i < TRANSPORT_COUNT; i++) {
        if (rows[i].transport == transport) {
            return rows[i].name;
        }
    }
    return "none";
}

struct haul_transport_list transport_list_resolve(const struct haul_transport_list *list)
{
    struct haul_transport_list resolved = *list;
    size_t count = 0;
    for (size_t i = 0; list->items[0] == HAUL_TRANSPORT_NONE && i < TRANSPORT_COUNT; i++) {
        /* A transport that is not built stays in the list: `auto` then reports why it is not
         * used. */
        if (tables[i] == NULL || !tables[i]->local) {
            resolved.items[count++] = rows[i].transport;
        }
    }
    return resolved;
}

size_t transport_list_count(const struct haul_transport_list *list)
{
    size_t count = 0;
    while (count < HAUL_TRANSPORT_LIST_MAX && list->items[count] != HAUL_TRANSPORT_NONE) {
        count++;
    }
    return count;
}

bool transport_list_has(const struct haul_transport_list *list, enum haul_transport transport)
{
    for (size_t i = 0; i < transport_list_count(list); i++) {
        if (list->items[i] == transport) {
            return true;
        }
    }
    return false;
}

static enum haul_transport named(const char *name, size_t size)
{
    for (size_t i = 0; i < TRANSPORT_COUNT; i++) {
        bool local = tables[i] != NULL && tables[i]->local;
        if (strlen(rows[i].name) == size && memcmp(rows[i].name, name, size) == 0 && !local) {
            return rows[i].transport;
        }
    }
    return HAUL_TRANSPORT_NONE;
}

enum haul_status haul_transport_list_parse(const char *text, struct haul_transport_list *list)
{
    struct haul_transport_list parsed = {{HAUL_TRANSPORT_NONE}};
    bool more = strcmp(text, "auto") != 0;
    for (size_t count = 0; more; count++) {
        size_t size = strcspn(text, ",");
        enum haul_transport transport = named(text, size);
        if (transport == HAUL_TRANSPORT_NONE || transport_list_has(&parsed, transport)) {
            return HAUL_INVALID;
        }
        parsed.items[count] = transport; /* there is room: no name occurs twice */
        more = text[size] == ',';
        text += size + 1;
    }
    *list = parsed;
    return HAUL_OK;
}
