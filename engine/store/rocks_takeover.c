/* SPDX-License-Identifier: Apache-2.0 */
/* rocks_takeover.c — carries options of column families from one database to another.
 *
 * The source reads them from its OPTIONS file. The target passes them to RocksDB's own parser,
 * because it cannot know the options of a newer release: all at once, and one by one if that fails.
 * They come from a peer, so only names in the list of rocks_known.h pass, with values that are
 * within its limits and cannot end their option, and classes that RocksDB creates itself. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "clock.h"
#include "family_options.h"
#include "feature_gate.h"
#include "rocks_known.h"
#include "rocks_store.h"
#include "rocks_stored.h"

enum { TEXT_BYTES_MAX = 8 << 10 };

/* An embedder may change its options at any time: read the file again after this. */
#define STORED_AGE_NS_MAX NS_PER_S

/* --- from this store -------------------------------------------------------------------------- */

/* With the lock held, also while `*stored` is used. A family that existed at the open has the
 * options stored before it: those that RocksDB has written since lack the objects that it could not
 * create. */
static enum haul_status find_stored(struct rocks_store *store, const char *family,
                                    const struct rocks_stored **stored, struct haul_error *error)
{
    bool before = store->stored != NULL && rocks_stored_value(store->stored, ROCKS_SECTION_FAMILY,
                                                              family, "comparator")[0] != '\0';
    if (before) {
        *stored = store->stored;
        return HAUL_OK;
    }
    enum haul_status status = HAUL_OK;
    uint64_t now = clock_now_ns(&clock_monotonic);
    if (store->stored_now == NULL || now - store->stored_now_ns > STORED_AGE_NS_MAX) {
        rocks_stored_free(store->stored_now);
        store->stored_now = NULL;
        status = rocks_stored_read(store->path, &store->stored_now, error);
        store->stored_now_ns = now;
    }
    *stored = store->stored_now;
    return status;
}

void rocks_family_option(struct rocks_store *store, const char *family, const char *name,
                         char value[ROCKS_OPTION_VALUE_BYTES_MAX])
{
    const struct rocks_stored *stored = NULL;
    struct haul_error ignored;
    bool table = strncmp(name, ROCKS_TABLE_PREFIX, strlen(ROCKS_TABLE_PREFIX)) == 0;
    const char *found = "";
    (void)pthread_mutex_lock(&store->stored_lock);
    if (find_stored(store, family, &stored, &ignored) == HAUL_OK) {
        found = rocks_stored_value(stored, table ? ROCKS_SECTION_TABLE : ROCKS_SECTION_FAMILY,
                                   family, table ? name + strlen(ROCKS_TABLE_PREFIX) : name);
    }
    bool fits = strlen(found) < ROCKS_OPTION_VALUE_BYTES_MAX;
    (void)snprintf(value, ROCKS_OPTION_VALUE_BYTES_MAX, "%s", fits ? found : "");
    (void)pthread_mutex_unlock(&store->stored_lock);
}

void rocks_takeover_forget(struct rocks_store *store, bool anew)
{
    (void)pthread_mutex_lock(&store->stored_lock);
    store->stored_now_ns = 0;
    if (anew) {
        rocks_stored_free(store->stored);
        store->stored = NULL;
    }
    (void)pthread_mutex_unlock(&store->stored_lock);
}

/* All options of one family that haul knows, one a line. */
static void format_stored(const struct rocks_stored *stored, const char *family, char *text)
{
    size_t size = 0;
    const struct rocks_known *known = NULL;
    for (size_t i = 0; (known = rocks_known_at(i)) != NULL; i++) {
        bool table = known->kind == ROCKS_OPTION_TABLE;
        const char *value = rocks_stored_value(
            stored, table ? ROCKS_SECTION_TABLE : ROCKS_SECTION_FAMILY, family, known->name);
        size_t room = TEXT_BYTES_MAX - size;
        size_t needed = strlen(known->name) + strlen(value) + sizeof(ROCKS_TABLE_PREFIX) + 2;
        if (value[0] != '\0' && strlen(value) < ROCKS_OPTION_VALUE_BYTES_MAX && needed < room) {
            size += (size_t)snprintf(text + size, room, "%s%s=%s\n",
                                     table ? ROCKS_TABLE_PREFIX : "", known->name, value);
        }
    }
}

enum haul_status rocks_family_options(struct haul_store *base, uint32_t family_id, char **options,
                                      struct haul_error *error)
{
    struct rocks_store *store = rocks_of(base);
    const struct rocks_family *family = NULL;
    const struct rocks_stored *stored = NULL;
    enum haul_status status = rocks_family(store, family_id, &family, error);
    if (status != HAUL_OK) {
        return status;
    }
    char *text = calloc(1, TEXT_BYTES_MAX);
    if (text == NULL) {
        return haul_error_set(error, HAUL_NO_MEMORY, "calloc", 0, "no memory for options");
    }
    (void)pthread_mutex_lock(&store->stored_lock);
    status = find_stored(store, family->family.name, &stored, error);
    if (status == HAUL_OK) {
        format_stored(stored, family->family.name, text);
    }
    (void)pthread_mutex_unlock(&store->stored_lock);
    if (status != HAUL_OK) {
        free(text);
        return status;
    }
    *options = text;
    return HAUL_OK;
}

/* --- into this store -------------------------------------------------------------------------- */

/* Is the value printable, with balanced braces and no semicolon outside of them? */
static bool is_contained(const char *value)
{
    int depth = 0;
    for (const char *at = value; *at != '\0'; at++) {
        bool printable = *at > ' ' && *at < 0x7f && *at != '\\';
        depth += *at == '{' ? 1 : 0;
        depth -= *at == '}' ? 1 : 0;
        if (!printable || depth < 0 || (*at == ';' && depth == 0)) {
            return false;
        }
    }
    return depth == 0;
}

static bool starts_with(const char *text, const char *start)
{
    return strncmp(text, start, strlen(start)) == 0;
}

/* Only classes that RocksDB creates itself, by the names that it stores. */
static bool is_own_class(const char *name, const char *value)
{
    char class[HAUL_NAME_BYTES_MAX];
    rocks_stored_class(value, class, sizeof(class));
    if (class[0] == '\0') {
        return true;
    }
    if (strcmp(name, "prefix_extractor") == 0) {
        return starts_with(class, "rocksdb.FixedPrefix") ||
               starts_with(class, "rocksdb.CappedPrefix") || strcmp(class, "rocksdb.Noop") == 0;
    }
    if (strcmp(name, "filter_policy") == 0) {
        return starts_with(class, "bloomfilter:") || starts_with(class, "ribbonfilter:");
    }
    return (strcmp(name, "comparator") != 0 || feature_gate_knows_comparator(class)) &&
           (strcmp(name, "merge_operator") != 0 || feature_gate_knows_merge_operator(class));
}

/* One option in the form of RocksDB's parser; false: it does not pass. */
static bool format_option(const struct family_option *option, char *text, size_t text_size)
{
    struct rocks_option read;
    if (!rocks_known_read(option, &read) || read.known->kind == ROCKS_OPTION_REPORTED) {
        return false;
    }
    const char *name = read.known->name;
    const char *value = read.value;
    bool table = read.known->kind == ROCKS_OPTION_TABLE;
    bool keeps = strcmp(name, "compaction_style") != 0 ||
                 strcmp(value, "kCompactionStyleLevel") == 0 ||
                 strcmp(value, "kCompactionStyleUniversal") == 0;
    if (!keeps || !is_contained(value) || !is_own_class(name, value) || !rocks_known_fits(&read)) {
        return false;
    }
    (void)snprintf(text, text_size, table ? "block_based_table_factory={%s=%s;}" : "%s=%s", name,
                   value);
    return true;
}

/* Set options by their text on a copy, which replaces `*options`. False: the text is not accepted,
 * and `*options` is unchanged. */
static bool set_by_text(rocksdb_options_t **options, const char *text)
{
    rocksdb_options_t *changed = rocksdb_options_create();
    char *message = NULL;
    rocksdb_get_options_from_string(*options, text, changed, &message);
    bool accepted = message == NULL;
    rocksdb_free(message);
    if (accepted) {
        rocksdb_options_destroy(*options);
        *options = changed;
    } else {
        rocksdb_options_destroy(changed);
    }
    return accepted;
}

static bool is_compression(struct haul_slice name)
{
    static const char word[] = "compression";
    bool found = false;
    for (size_t i = 0; i + strlen(word) <= name.size && !found; i++) {
        found = memcmp(name.data + i, word, strlen(word)) == 0;
    }
    return found;
}

/* One by one, so that an option that this release lacks does not affect the others. */
static rocksdb_options_t *make_options(const struct rocks_store *store, const char *text,
                                       bool with_compression)
{
    rocksdb_options_t *options = rocksdb_options_create_copy(store->options);
    struct family_option option;
    char formatted[ROCKS_OPTION_VALUE_BYTES_MAX + 128];
    while (family_options_next(&text, &option)) {
        if ((with_compression || !is_compression(option.name)) &&
            format_option(&option, formatted, sizeof(formatted))) {
            (void)set_by_text(&options, formatted);
        }
    }
    return options;
}

/* The class of a created family, as passed to RocksDB. */
static void take_class(const char *text, const char *name, const char *otherwise,
                       char class[HAUL_NAME_BYTES_MAX])
{
    struct family_option option = {.name = slice_of(name, strlen(name))};
    char formatted[ROCKS_OPTION_VALUE_BYTES_MAX + 128];
    char value[ROCKS_OPTION_VALUE_BYTES_MAX];
    class[0] = '\0';
    if (family_options_find(text, option.name, &option.value) &&
        format_option(&option, formatted, sizeof(formatted))) {
        (void)snprintf(value, sizeof(value), "%.*s", (int)option.value.size,
                       (const char *)option.value.data);
        rocks_stored_class(value, class, HAUL_NAME_BYTES_MAX);
    }
    if (class[0] == '\0') {
        (void)snprintf(class, HAUL_NAME_BYTES_MAX, "%s", otherwise);
    }
}

void rocks_takeover_prepare(const struct rocks_store *store, const char *name, const char *text,
                            bool with_compression, struct rocks_family *family)
{
    memset(family, 0, sizeof(*family));
    (void)snprintf(family->family.name, HAUL_NAME_BYTES_MAX, "%s", name);
    take_class(text, "comparator", HAUL_COMPARATOR_BYTEWISE, family->family.comparator);
    family->options = make_options(store, text, with_compression);
    rocks_door_domain_free(rocks_door_avoid_prefixes(family->options)); /* it must take all keys */
    rocks_name_merge(family, family->options);
}
