/* SPDX-License-Identifier: Apache-2.0 */
/* plan_sample.c — reads some records of a plan. */
#include "plan_sample.h"

static enum haul_status read_some(struct haul_scan *scan, struct haul_store *store,
                                  size_t records_max, size_t bytes_max, struct haul_error *error)
{
    enum haul_status status = HAUL_OK;
    size_t bytes = 0;
    for (size_t i = 0; i < records_max && bytes < bytes_max && status == HAUL_OK; i++) {
        struct haul_record record;
        status = store->ops->scan_next(scan, &record, error);
        bytes += status == HAUL_OK ? record.key.size + record.value.size : 0;
    }
    return status == HAUL_NOT_FOUND ? HAUL_OK : status;
}

enum haul_status plan_sample(const struct plan *plan, struct haul_store *store,
                             const struct haul_snapshot *snapshot, struct haul_error *error)
{
    size_t stride = plan->stream_count / PLAN_SAMPLE_PLACES + 1;
    size_t places = (plan->stream_count + stride - 1) / stride;
    enum haul_status status = HAUL_OK;
    for (size_t i = 0; i < plan->stream_count && status == HAUL_OK; i += stride) {
        const struct plan_stream *stream = &plan->streams[i];
        struct haul_scan *scan = NULL;
        status = store->ops->scan_open(store, snapshot, plan->families[stream->family].family.id,
                                       key_range_start(&stream->range),
                                       key_range_end(&stream->range), &scan, error);
        if (status == HAUL_OK) {
            status = read_some(scan, store, PLAN_SAMPLE_RECORDS_MAX / places,
                               PLAN_SAMPLE_BYTES_MAX / places, error);
            store->ops->scan_close(scan);
        }
    }
    return status;
}
