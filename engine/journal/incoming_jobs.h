/* SPDX-License-Identifier: Apache-2.0 */
/* incoming_jobs.h — unfinished jobs that bring ranges to this database: what they bring cannot be
 * sent on. Thread: any. */
#ifndef HAUL_INCOMING_JOBS_H
#define HAUL_INCOMING_JOBS_H

#include "haul/store.h"
#include "plan.h"

/* May this database send the plan's ranges? It may not send what an unfinished job brings to it: it
 * owns none of that yet, or has not recorded that it does. Errors: IN_DOUBT (a job that overlaps
 * the plan is prepared), BUSY (such a job has another phase), and those of journals, because an
 * unreadable one may overlap the plan. */
enum haul_status incoming_jobs_check(const struct haul_store *store, const struct plan *plan,
                                     struct haul_error *error) HAUL_MUST_CHECK;

#endif
