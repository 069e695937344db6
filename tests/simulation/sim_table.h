/* SPDX-License-Identifier: Apache-2.0 */
/* sim_table.h — table files of a simulated database: the table_* operations of a store, and the
 * directory calls that find left-over files. */
#ifndef HAUL_SIM_TABLE_H
#define HAUL_SIM_TABLE_H

#include "sim_store.h"

enum haul_status sim_table_create(struct haul_store *base, uint32_t family_id, const char *path,
                                  struct haul_table **table,
                                  struct haul_error *error) HAUL_MUST_CHECK;
enum haul_status sim_table_put(struct haul_table *table, struct haul_slice key,
                               struct haul_slice value, struct haul_error *error) HAUL_MUST_CHECK;
uint64_t sim_table_size(const struct haul_table *table);
enum haul_status sim_table_finish(struct haul_table *table,
                                  struct haul_error *error) HAUL_MUST_CHECK;
void sim_table_abandon(struct haul_table *table);
enum haul_status sim_table_ingest(struct haul_store *base, uint32_t family_id,
                                  const char *const *paths, size_t path_count,
                                  struct haul_error *error) HAUL_MUST_CHECK;

/* The directory calls see the files of every database that was named since the last
 * sim_tables_init. */
void sim_tables_init(void);
void sim_tables_serve(struct sim_store *store);

#endif
