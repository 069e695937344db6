/* SPDX-License-Identifier: Apache-2.0 */
/* ledger_base.c — reads a store for a digest ledger. */
#include "ledger_base.h"

#include <stdlib.h>
#include <string.h>

#include "bytes.h"

static uint32_t store_family(const struct ledger_base *base, uint32_t wire_id)
{
    uint32_t id = wire_id;
    for (size_t i = 0; i < base->family_count; i++) {
        id = base->families[i].target_id == wire_id ? base->families[i].source_id : id;
    }
    return id;
}

static enum haul_status look_up(void *context, uint32_t family_id, struct haul_slice key,
                                struct haul_slice *value, struct haul_error *error)
{
    struct ledger_base *base = context;
    free(base->value);
    base->value = NULL;
    size_t size = 0;
    enum haul_status status =
        base->store->ops->get(base->store, base->snapshot, store_family(base, family_id), key,
                              &base->value, &size, error);
    if (status == HAUL_OK) {
        *value = slice_of(base->value, size);
    }
    return status;
}

static enum haul_status walk(void *context, const struct key_span *span, digest_ledger_visit *visit,
                             void *visit_context, struct haul_error *error)
{
    struct ledger_base *base = context;
    const struct haul_store_ops *ops = base->store->ops;
    struct haul_scan *scan = NULL;
    enum haul_status status =
        ops->scan_open(base->store, base->snapshot, store_family(base, span->family_id),
                       span->begin, span->end, &scan, error);
    struct haul_record record;
    while (status == HAUL_OK && (status = ops->scan_next(scan, &record, error)) == HAUL_OK) {
        status = visit(visit_context, record.key, record.value);
    }
    if (scan != NULL) {
        ops->scan_close(scan);
    }
    return status == HAUL_NOT_FOUND ? HAUL_OK : status;
}

struct digest_ledger_base ledger_base_callbacks(struct ledger_base *base)
{
    return (struct digest_ledger_base){.context = base, .value = look_up, .walk = walk};
}

void ledger_base_fini(struct ledger_base *base)
{
    free(base->value);
    memset(base, 0, sizeof(*base));
}
