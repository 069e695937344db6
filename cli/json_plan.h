/* SPDX-License-Identifier: Apache-2.0 */
/* json_plan.h — what `haul send --plan --json` prints: a line for each event, then the document.
 * docs/JSON.md describes them. */
#ifndef HAUL_JSON_PLAN_H
#define HAUL_JSON_PLAN_H

#include <stddef.h>

#include "haul/migration.h"
#include "haul/status.h"
#include "send_state.h"

/* Something has happened to a move; with its figures if it runs. */
void json_plan_event(const struct send_state *state, size_t index, const char *event);
/* A move is DONE or FAILED; with everything that a single `send` prints. `result` NULL: no job has
 * begun. */
void json_plan_ended(const struct send_state *state, size_t index,
                     const struct haul_result *result);
/* The document. `dry_run`: nothing was begun. */
void json_plan_document(const struct send_state *state, bool dry_run,
                        const struct haul_error *error, int exit_code);

#endif
