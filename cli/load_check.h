/* SPDX-License-Identifier: Apache-2.0 */
/* load_check.h — checks that a database has every write of a ledger. */
#ifndef HAUL_LOAD_CHECK_H
#define HAUL_LOAD_CHECK_H

#include <stdint.h>

#include "haul/status.h"
#include "haul/store.h"
#include "load_options.h"

/* Compare the ledger of the options with a database that owns the keys. Errors: CORRUPT (writes are
 * lost; `error` names some), NOT_FOUND (no ledger), and those of the store. `*checked`: keys. */
enum haul_status load_check(const struct load_options *options, struct haul_store *store,
                            uint64_t *checked, struct haul_error *error) HAUL_MUST_CHECK;

#endif
