/* SPDX-License-Identifier: Apache-2.0 */
/* load_check.c — compares a database with a ledger. */
#include "load_check.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "load_ledger.h"
#include "load_record.h"

enum { INTENTS_MAX = 4 };

/* The states that a key may have: the last acknowledged write, or a later intended one. */
struct key_state {
    struct load_entry allowed[1 + INTENTS_MAX];
    uint32_t count;
    bool any_acknowledged;
};

struct ledger_view {
    struct key_state *keys;
    uint32_t key_count;
    struct haul_error *error;
};

static enum haul_status take_entry(void *context, const struct load_entry *entry)
{
    struct ledger_view *view = context;
    if (entry->key >= LOAD_KEYS_MAX) {
        return haul_error_set(view->error, HAUL_CORRUPT, NULL, 0,
                              "the ledger is damaged: no load has key number %" PRIu32, entry->key);
    }
    if (entry->key >= view->key_count) {
        uint32_t count =
            entry->key + 1 > 2 * view->key_count ? entry->key + 1 : 2 * view->key_count;
        struct key_state *keys = realloc(view->keys, count * sizeof(*keys));
        if (keys == NULL) {
            return haul_error_set(view->error, HAUL_NO_MEMORY, "realloc", 0,
                                  "no memory for the keys of the ledger");
        }
        memset(keys + view->key_count, 0, (count - view->key_count) * sizeof(*keys));
        view->keys = keys;
        view->key_count = count;
    }
    struct key_state *key = &view->keys[entry->key];
    if (entry->acknowledged) {
        key->count = 0;
        key->any_acknowledged = true;
    } else if (key->count > INTENTS_MAX) {
        /* the process would have died that often between intent and acknowledgement */
        return haul_error_set(view->error, HAUL_LIMIT, NULL, 0,
                              "key number %" PRIu32 " was written more than %d times without an "
                              "acknowledgement",
                              entry->key, INTENTS_MAX + 1);
    }
    key->allowed[key->count++] = *entry;
    return HAUL_OK;
}

/* Whether the ledger allows what the database has for the key. */
static bool is_allowed(const struct key_state *key, bool found, uint64_t version)
{
    bool allowed = !key->any_acknowledged && !found;
    for (uint32_t i = 0; i < key->count && !allowed; i++) {
        const struct load_entry *entry = &key->allowed[i];
        allowed = found ? !entry->is_delete && entry->version == version : entry->is_delete;
    }
    return allowed;
}

static enum haul_status check_key(const struct load_options *options, struct haul_store *store,
                                  uint32_t family_id, uint32_t number, const struct key_state *key,
                                  struct haul_error *error)
{
    char memory[LOAD_KEY_BYTES_MAX + 16];
    struct haul_slice name = load_record_key(options->prefix, number, memory, sizeof(memory));
    uint8_t *value = NULL;
    size_t size = 0;
    uint64_t version = 0;
    enum haul_status status = store->ops->get(store, NULL, family_id, name, &value, &size, error);
    if (status != HAUL_OK && status != HAUL_NOT_FOUND) {
        return status;
    }
    bool found = status == HAUL_OK;
    bool sound = !found || load_record_version((struct haul_slice){value, size}, number, &version);
    free(value);
    if (sound && is_allowed(key, found, version)) {
        return HAUL_OK;
    }
    char there[40] = "nothing";
    if (!sound) {
        (void)snprintf(there, sizeof(there), "a foreign value");
    } else if (found) {
        (void)snprintf(there, sizeof(there), "version %" PRIu64, version);
    }
    return haul_error_set(
        error, HAUL_CORRUPT, NULL, 0,
        "an acknowledged write is lost: %s has %s, the ledger %s %" PRIu64, memory, there,
        key->allowed[0].is_delete ? "a delete, version" : "version", key->allowed[0].version);
}

enum haul_status load_check(const struct load_options *given, struct haul_store *store,
                            uint64_t *checked, struct haul_error *error)
{
    struct load_options options;
    struct ledger_view view = {.keys = NULL, .error = error};
    uint32_t family_id = 0;
    load_options_resolve(given, &options);
    *checked = 0;
    enum haul_status status = load_options_family(&options, store, &family_id, error);
    if (status == HAUL_OK) {
        status = load_ledger_read(options.ledger, take_entry, &view, error);
    }
    for (uint32_t i = 0; status == HAUL_OK && i < view.key_count; i++) {
        if (view.keys[i].count > 0) {
            status = check_key(&options, store, family_id, i, &view.keys[i], error);
            ++*checked;
        }
    }
    free(view.keys);
    return status;
}
