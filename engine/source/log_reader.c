/* SPDX-License-Identifier: Apache-2.0 */
/* log_reader.c — a store's log reader, the filter after it, and memory for what is kept. */
#include "log_reader.h"

#include <stdlib.h>
#include <string.h>

#include "bytes.h"

enum { SCRATCH_BYTES_INITIAL = 64 << 10 };

/* --- life ------------------------------------------------------------------------------------- */

enum haul_status log_reader_init(struct log_reader *reader, struct haul_store *store,
                                 const struct plan *plan, uint64_t sequence)
{
    memset(reader, 0, sizeof(*reader));
    reader->store = store;
    reader->plan = plan;
    reader->sequence = sequence;
    reader->families = calloc(plan->family_count, sizeof(*reader->families));
    reader->scratch.data = malloc(SCRATCH_BYTES_INITIAL);
    reader->scratch.capacity_bytes = SCRATCH_BYTES_INITIAL;
    if (reader->families == NULL || reader->scratch.data == NULL) {
        log_reader_fini(reader);
        return HAUL_NO_MEMORY;
    }
    return HAUL_OK;
}

void log_reader_fini(struct log_reader *reader)
{
    if (reader->wal != NULL) {
        reader->store->ops->wal_close(reader->wal);
    }
    free(reader->scratch.data);
    free(reader->families);
    memset(reader, 0, sizeof(*reader));
}

void log_reader_set_log_data(struct log_reader *reader, delta_filter_log_data *log_data,
                             void *context)
{
    reader->filter.log_data = log_data;
    reader->filter.log_data_context = context;
}

void log_reader_keep_log_data(struct log_reader *reader, bool keep)
{
    reader->filter.keeps_log_data = keep;
}

void log_reader_seek(struct log_reader *reader, uint64_t sequence)
{
    if (reader->wal != NULL) {
        reader->store->ops->wal_close(reader->wal);
        reader->wal = NULL;
    }
    reader->sequence = sequence;
}

/* --- reading ---------------------------------------------------------------------------------- */

static enum haul_status value_now(void *context, uint32_t source_id, struct haul_slice key,
                                  uint8_t **value, size_t *size, struct haul_error *error)
{
    struct log_reader *reader = context;
    reader->merge_count++;
    return reader->store->ops->get(reader->store, NULL, source_id, key, value, size, error);
}

static enum haul_status open_log(struct log_reader *reader, struct haul_error *error)
{
    const struct plan *plan = reader->plan;
    for (size_t i = 0; i < plan->family_count; i++) {
        uint32_t id = plan->families[i].family.id;
        reader->families[i] = (struct delta_family){
            .source_id = id, .target_id = reader->keeps_ids ? id : plan->families[i].target_id};
    }
    reader->filter.families = reader->families;
    reader->filter.family_count = plan->family_count;
    reader->filter.ranges = plan->ranges;
    reader->filter.range_count = plan->range_count;
    reader->filter.value = value_now;
    reader->filter.value_context = reader;
    enum haul_status status = delta_filter_check(&reader->filter, error);
    return status == HAUL_OK ? reader->store->ops->wal_open(reader->store, reader->sequence + 1,
                                                            &reader->wal, error)
                             : status;
}

static enum haul_status grow_scratch(struct log_reader *reader, size_t size,
                                     struct haul_error *error)
{
    uint8_t *data = realloc(reader->scratch.data, size);
    if (data == NULL) {
        return haul_error_set(error, HAUL_NO_MEMORY, "realloc", 0,
                              "no memory for a log batch of %zu bytes", size);
    }
    reader->scratch.data = data;
    reader->scratch.capacity_bytes = size;
    return HAUL_OK;
}

enum haul_status log_reader_next(struct log_reader *reader, struct log_piece *piece,
                                 struct haul_error *error)
{
    struct haul_log_batch batch;
    struct delta_result result;
    enum haul_status status = reader->wal == NULL ? open_log(reader, error) : HAUL_OK;
    if (status == HAUL_OK) {
        status = reader->store->ops->wal_next(reader->wal, &batch, error);
    }
    if (status != HAUL_OK) {
        return status;
    }
    status = delta_filter_apply(&reader->filter, &batch, reader->scratch, &result, error);
    while (status == HAUL_AGAIN) {
        status = grow_scratch(reader, result.size_needed, error);
        if (status == HAUL_OK) {
            status = delta_filter_apply(&reader->filter, &batch, reader->scratch, &result, error);
        }
    }
    if (status == HAUL_OK) {
        reader->sequence = result.sequence_next - 1;
        *piece = (struct log_piece){.kept = slice_of(reader->scratch.data, result.size),
                                    .record_count = result.record_count,
                                    .bytes = result.bytes,
                                    .has_log_data = result.has_log_data};
    } else {
        log_reader_seek(reader, reader->sequence); /* continue after the batch */
    }
    return status;
}
