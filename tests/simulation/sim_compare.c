/* SPDX-License-Identifier: Apache-2.0 */
/* sim_compare.c — walks two databases side by side. */
#include "sim_compare.h"

#include "sim_report.h"
#include "sim_versions.h"

/* The live records in the cells of one family, in order. */
struct walk {
    const struct sim_versions *versions;
    uint64_t sequence;
    uint32_t family;
    uint32_t family_id;
    uint32_t cells;
    size_t at;
};

static const struct sim_version *next(struct walk *walk)
{
    while (walk->at < walk->versions->count &&
           walk->versions->at[walk->at].family_id == walk->family_id) {
        const struct sim_version *found =
            sim_versions_newest(walk->versions, walk->at, walk->sequence, &walk->at);
        if (found != NULL &&
            (sim_cell_of(walk->family, sim_version_key(found)) & walk->cells) != 0) {
            return found;
        }
    }
    return NULL;
}

/* False: the database does not have the family. */
static bool begin(struct walk *walk, const struct sim_host *host, uint32_t family, uint32_t cells)
{
    const struct sim_store *store = &host->store;
    *walk = (struct walk){.versions = &store->versions,
                          .sequence = store->sequence,
                          .family = family,
                          .cells = cells};
    bool found = sim_host_find_family(host, family, &walk->family_id);
    walk->at = found ? sim_versions_find(walk->versions, walk->family_id, (struct haul_slice){0})
                     : walk->versions->count;
    return found;
}

static bool is_same(const struct sim_version *a, const struct sim_version *b)
{
    return slice_compare(sim_version_key(a), sim_version_key(b)) == 0 &&
           slice_compare(sim_version_value(a), sim_version_value(b)) == 0;
}

/* Print every version of one key, to help find the cause. */
static void show_versions(const struct sim_host *host, const struct walk *walk,
                          struct haul_slice key)
{
    size_t at = sim_versions_find(walk->versions, walk->family_id, key);
    while (at < walk->versions->count && walk->versions->at[at].family_id == walk->family_id &&
           slice_compare(sim_version_key(&walk->versions->at[at]), key) == 0) {
        const struct sim_version *version = &walk->versions->at[at++];
        sim_say("%s has version %llu: %s, %u bytes%s", host->name,
                (unsigned long long)version->sequence, version->deleted ? "deleted" : "put",
                version->value_size, version->ingested ? ", ingested" : "");
    }
}

static void compare_family(const struct sim_host *source, const struct sim_host *target,
                           uint32_t family, uint32_t cells, const char *when)
{
    struct walk wanted;
    struct walk found;
    (void)begin(&wanted, source, family, cells);
    if (!begin(&found, target, family, cells)) {
        sim_fail("I1", "%s: %s lacks the column family %s", when, target->name,
                 sim_family_name(family));
    }
    for (;;) {
        const struct sim_version *a = next(&wanted);
        const struct sim_version *b = next(&found);
        if (a == NULL && b == NULL) {
            return;
        }
        bool lost =
            b == NULL || (a != NULL && slice_compare(sim_version_key(a), sim_version_key(b)) < 0);
        if (a == NULL || b == NULL || !is_same(a, b)) {
            const struct sim_version *shown = lost ? a : b;
            show_versions(source, &wanted, sim_version_key(shown));
            show_versions(target, &found, sim_version_key(shown));
            sim_fail(lost ? "I1" : "I2", "%s: key %.*s (%u bytes) of %s %s at %s", when,
                     shown->key_size > 0 ? 1 : 0, (const char *)shown->bytes, shown->key_size,
                     sim_family_name(family),
                     lost ? "is lost" : "has no business to be there, or another value",
                     target->name);
        }
    }
}

static void check_durable(const struct sim_host *target, uint32_t cells, const char *when)
{
    const struct sim_store *store = &target->store;
    for (size_t i = 0; i < store->versions.count; i++) {
        const struct sim_version *version = &store->versions.at[i];
        if (version->ingested || version->sequence <= store->log.synced) {
            continue;
        }
        uint32_t family = sim_host_family_of(target, version->family_id);
        if ((sim_cell_of(family, sim_version_key(version)) & cells) != 0) {
            sim_fail("I1", "%s: what %s has is not durable", when, target->name);
        }
    }
}

void sim_compare_hosts(const struct sim_host *source, const struct sim_host *target, uint32_t cells,
                       const char *when)
{
    check_durable(target, cells, when);
    for (uint32_t family = 0; family < SIM_FAMILY_COUNT; family++) {
        uint32_t here = sim_cells_of_family(family);
        if ((cells & here) != 0) {
            compare_family(source, target, family, cells & here, when);
        }
    }
}
