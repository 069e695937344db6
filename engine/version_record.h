/* SPDX-License-Identifier: Apache-2.0 */
/* version_record.h — the config version in force: the embedder's own (hooks) or the one kept beside
 * the database (ownership.h). The swap on the source is the decision to commit. */
#ifndef HAUL_VERSION_RECORD_H
#define HAUL_VERSION_RECORD_H

#include <stdbool.h>
#include <stdint.h>

#include "file_calls.h"
#include "haul/migration.h"
#include "haul/store.h"
#include "plan.h"

/* Where journals, ownership and staging files of a store lie: `<directory>/haul`. False: the path
 * is too long. */
bool haul_directory_of(const struct haul_store *store, char *path, size_t path_size_bytes);
/* The calls that reach them; NULL: the system's. */
const struct file_calls *haul_files_of(const struct haul_store *store);

/* The version, and whether there is any. Errors: those of the hook; CORRUPT, IO. */
enum haul_status version_record_get(struct haul_store *store, const struct haul_hooks *hooks,
                                    uint64_t *version, bool *known,
                                    struct haul_error *error) HAUL_MUST_CHECK;

/* Does the file beside the store say that the plan's ranges are another database's? Not asked where
 * the embedder has a register of its own. Errors: MISMATCH (they were handed over), CORRUPT, IO. */
enum haul_status version_record_check(struct haul_store *store, const struct haul_hooks *hooks,
                                      const struct plan *plan,
                                      struct haul_error *error) HAUL_MUST_CHECK;
/* Has this job moved the version of the file already, as its source, or as its target? Errors:
 * those of ownership_read; nothing is known then, least of all that it has not. */
enum haul_status version_record_released(struct haul_store *store,
                                         const uint8_t job[HAUL_JOB_BYTES], bool *released,
                                         struct haul_error *error) HAUL_MUST_CHECK;
enum haul_status version_record_imported(struct haul_store *store,
                                         const uint8_t job[HAUL_JOB_BYTES], bool *imported,
                                         struct haul_error *error) HAUL_MUST_CHECK;
/* It has; but the swap may have answered IN_DOUBT: after this no crash can undo it. Errors: those
 * of ownership_swap. */
enum haul_status version_record_settle(struct haul_store *store,
                                       struct haul_error *error) HAUL_MUST_CHECK;

/* Who the range belongs to once the swap is made. */
enum version_outcome {
    VERSION_RELEASED, /* source: the target owns the plan's ranges */
    VERSION_IMPORTED, /* target: we own them */
};

struct version_swap {
    enum version_outcome outcome;
    const uint8_t *job; /* HAUL_JOB_BYTES */
    const struct plan *plan;
    uint64_t expected; /* the version that must still be in force */
    uint64_t next;
    uint64_t epoch;
};

/* Move the version from `expected` to `next`, durably, with the plan's ranges and what became of
 * them. With a version hook the embedder's register is compared, and the move is its own.
 * Errors: FENCED (another version is in force), NO_SPACE, IO, CORRUPT; IN_DOUBT: call again. */
enum haul_status version_record_swap(struct haul_store *store, const struct haul_hooks *hooks,
                                     const struct version_swap *swap,
                                     struct haul_error *error) HAUL_MUST_CHECK;

#endif
