/* SPDX-License-Identifier: Apache-2.0 */
/* json_output.h — the JSON document of --json, on stdout. Only this module, json_document.h,
 * json_plan.c, send_plan.c, running_job.c, plan_file.c and run_control.c use jansson.
 *
 * Every document has `schema_version`, `command`, `status` ("ok" or "failed"), `exit_code` and
 * `error` (null or {code, message, hint, retryable}). Members are only ever added to a version. */
#ifndef HAUL_JSON_OUTPUT_H
#define HAUL_JSON_OUTPUT_H

#include <stddef.h>
#include <stdint.h>

#include "cluster_watch.h"
#include "dry_run.h"
#include "finding.h"
#include "haul/job.h"
#include "haul/key.h"
#include "haul/link_bench.h"
#include "haul/migration.h"
#include "haul/owner.h"
#include "haul/status.h"
#include "load_writer.h"
#include "node_facts.h"
#include "plan_file.h"
#include "running_job.h"

enum { JSON_OUTPUT_SCHEMA_VERSION = 1 };

/* `load` NULL: no load ran. */
void json_output_migration(const char *command, const struct haul_result *result,
                           const struct load_result *load, const struct haul_error *error,
                           int exit_code);

/* The same document (a json_t), for more members. */
struct json_t *json_output_migration_document(const char *command, const struct haul_result *result,
                                              const struct load_result *load,
                                              const struct haul_error *error, int exit_code);

/* What a send would transfer. */
void json_output_dry_run(const struct dry_run *run);

void json_output_ledger(uint64_t checked, const struct haul_error *error, int exit_code);

/* Two scans of the same families; `error` states how they differ. */
struct json_output_scan {
    const struct haul_family_result *families;
    size_t count;
};
void json_output_verify(const struct json_output_scan *database,
                        const struct json_output_scan *with, const struct haul_error *error,
                        int exit_code);

void json_output_bench(const struct haul_link_bench_result *result, uint32_t link_count,
                       uint32_t size_bytes, const struct haul_error *error, int exit_code);

/* A failure without a result. */
void json_output_error(const char *command, const struct haul_error *error, int exit_code);

/* The keys that a file of `haul keygen` has now. */
void json_output_keygen(const char *file, const struct haul_keys *keys);
void json_output_version(const char *release, const char *transports);

/* The jobs of a database, and the command that runs on it (NULL: none). */
struct json_output_jobs {
    const char *directory;      /* as given */
    const char *record_way_out; /* "": the ownership record is not damaged */
    const struct running_job *running;
    const struct running_part *parts; /* the jobs that it runs */
    size_t part_count;
    const struct haul_job *jobs;
    size_t count;
};
void json_output_status(const struct json_output_jobs *jobs);
/* The result of `haul cancel`. */
void json_output_cancel(size_t cancelled, const struct haul_error *error, int exit_code);

/* The record with its newest `job_count_max` jobs. `action`: what was changed before; NULL:
 * nothing. */
void json_output_owner(const struct haul_owner *owner, const char *action, size_t job_count_max);
void json_output_drop(const struct haul_owner_dropped *dropped);
/* What would be deleted, with the error that requests a confirmation. */
void json_output_drop_list(const struct haul_owner *released, const struct haul_error *error,
                           int exit_code);

/* The nodes of a cluster, and what is wrong with it. */
void json_output_cluster_check(const struct node_facts_list *list,
                               const struct finding_list *findings, const struct haul_error *error,
                               int exit_code);
/* `seconds` 0: not known; `file` NULL: none was written. */
void json_output_cluster_plan(const struct cluster_plan *plan, double seconds, const char *file);
/* A line before the document: something has happened, to a move or (SIZE_MAX) to the run. `detail`
 * may be "". */
void json_output_cluster_event(const char *event, const struct cluster_plan *plan, size_t move,
                               const char *detail);
/* `lines`: the commands that a run would send. */
void json_output_cluster_commands(const char *lines);
/* Every move is done. */
/* An event of no move, about `subject`. */
void json_output_cluster_line(const char *event, const char *subject, const char *detail);
void json_output_cluster_run(const struct cluster_plan *plan);
/* An order was left for a plan that a process runs, or not. */
void json_output_cluster_order(const char *command, bool running);
/* `states` of each move, in words. */
void json_output_cluster_status(const struct cluster_plan *plan, const char *const *states,
                                const struct cluster_watch *watch, const char *order, bool running,
                                const struct haul_error *error, int exit_code);

/* A job as hexadecimal text. */
void json_output_job(const uint8_t job[HAUL_JOB_BYTES], char text[2 * HAUL_JOB_BYTES + 1]);

#endif
