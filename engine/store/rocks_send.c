/* SPDX-License-Identifier: Apache-2.0 */
/* rocks_send.c — can column families of this database be read faithfully? For a database that haul
 * has opened, feature_gate.h has decided most of this already; for an embedder's, only the current
 * options are known. */
#include <stdio.h>
#include <string.h>

#include "log_look.h"
#include "rocks_door.h"
#include "rocks_store.h"

static enum haul_status refuse(struct haul_error *error, const char *hint)
{
    haul_error_hint(error, "%s", hint);
    return error->status;
}

/* --- the database ----------------------------------------------------------------------------- */

/* Its commit would follow the hand-over, at the former owner. */
static enum haul_status check_prepared(const char *wal_dir, struct haul_error *error)
{
    struct log_look look;
    enum haul_status status = log_look(wal_dir, 0, &look, error);
    if (status != HAUL_OK) {
        return status;
    }
    if (look.has_persisted_prepare) {
        haul_error_set(error, HAUL_UNSUPPORTED, NULL, 0,
                       "the log holds transactions of the policy write-prepared or "
                       "write-unprepared, whose records are readable before their commit");
        return refuse(error, "use the policy write-committed");
    }
    if (look.has_prepared) {
        haul_error_set(error, HAUL_UNSUPPORTED, NULL, 0,
                       "transaction %.100s is prepared, and neither committed nor rolled back",
                       look.prepared);
        return refuse(error, "commit or roll back prepared transactions first");
    }
    return HAUL_OK;
}

static enum haul_status check_database(struct rocks_store *store, struct haul_error *error)
{
    struct rocks_database_facts facts;
    rocks_door_database(store->db, &facts);
    if (facts.unordered_write) {
        haul_error_set(error, HAUL_UNSUPPORTED, NULL, 0,
                       "the database %s is open with unordered_write: an acknowledged write may be "
                       "in no view yet",
                       store->path);
        return refuse(error, "open it without unordered_write while it sends");
    }
    return facts.allow_2pc && store->attached ? check_prepared(facts.wal_dir, error) : HAUL_OK;
}

/* --- one family ------------------------------------------------------------------------------- */

static enum haul_status check_family(struct rocks_store *store, const struct rocks_family *family,
                                     struct haul_error *error)
{
    struct rocks_family_facts facts;
    rocks_door_family(store->db, family->handle, &facts);
    if (facts.timestamp_bytes > 0) {
        haul_error_set(error, HAUL_UNSUPPORTED, NULL, 0,
                       "column family '%s' has user-defined timestamps in its keys",
                       family->family.name);
        return refuse(error, "copy the newest versions into a family without timestamps");
    }
    if (facts.inplace_updates) {
        haul_error_set(error, HAUL_UNSUPPORTED, NULL, 0,
                       "column family '%s' is updated in place (inplace_update_support): there are "
                       "no views of it",
                       family->family.name);
        return refuse(error, "open it without inplace_update_support while it sends");
    }
    if (facts.table_factory[0] != '\0' && strcmp(facts.table_factory, "BlockBasedTable") != 0) {
        haul_error_set(error, HAUL_UNSUPPORTED, NULL, 0,
                       "column family '%s' has tables of the kind %s, which have no order that can "
                       "be relied on",
                       family->family.name, facts.table_factory);
        return refuse(error, "copy it into a family with block-based tables");
    }
    return HAUL_OK;
}

enum haul_status rocks_send_check(struct haul_store *base, const uint32_t *family_ids, size_t count,
                                  struct haul_error *error)
{
    struct rocks_store *store = rocks_of(base);
    enum haul_status status = check_database(store, error);
    for (size_t i = 0; i < count && status == HAUL_OK; i++) {
        const struct rocks_family *family = NULL;
        status = rocks_family(store, family_ids[i], &family, error);
        if (status == HAUL_OK) {
            status = check_family(store, family, error);
        }
    }
    return status;
}
