/* SPDX-License-Identifier: Apache-2.0 */
/* cluster_lines.c — one line after the other, so that they do not take from each other. */
#include "cluster_lines.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "cluster_show.h"
#include "human_size.h"
#include "json_output.h"
#include "line_survey.h"
#include "progress.h"

enum {
    POLL_MS = 100,
    /* A node connects for ten seconds at most, and sends for three. */
    MEASURE_MS_MAX = 20000,
    /* A limit of the freeze is raised to twice what is needed. */
    FREEZE_MARGIN = 2,
};

struct survey_job {
    struct drive *drive;
    struct output *output;
    struct signal_watch *signals;
    struct line_survey lines;
    uint64_t rate_mb; /* of a node; 0: no limit */
};

/* --- telling ---------------------------------------------------------------------------------- */

static const char *name_of(const struct drive *drive, const char *id)
{
    size_t index = cluster_watch_find(drive->watch, id);
    return index == drive->watch->count ? id : drive->watch->views[index].name;
}

static void tell(const struct survey_job *job, const char *event, const char *subject,
                 const char *detail)
{
    if (job->output->options.json) {
        json_output_cluster_line(event, subject, detail);
    } else if (!job->output->options.quiet) {
        (void)printf("%s: %s\n", subject, detail);
        (void)fflush(stdout);
    }
}

static void tell_line(const struct survey_job *job, const struct survey_line *line,
                      const struct haul_error *error)
{
    const struct run_move *move = &job->drive->run->moves[line->first_move];
    char subject[2 * TOPOLOGY_NAME_BYTES_MAX + 8];
    char detail[HAUL_ERROR_TEXT_BYTES_MAX + 32];
    char rate[HUMAN_TEXT_BYTES_MAX];
    (void)snprintf(subject, sizeof(subject), "%s -> %s", name_of(job->drive, move->from),
                   name_of(job->drive, move->to));
    if (line->measured) {
        human_bytes((double)line->rate, rate);
        (void)snprintf(detail, sizeof(detail), "round trip %.1f ms, %s a second",
                       (double)line->round_trip_us / 1000, rate);
    } else {
        (void)snprintf(detail, sizeof(detail), "not measured: %s", error->text);
    }
    tell(job, "line", subject, detail);
}

/* --- measuring -------------------------------------------------------------------------------- */

static void nap(void)
{
    struct timespec time = {.tv_nsec = POLL_MS * 1000000L};
    (void)nanosleep(&time, NULL);
}

/* Errors: UNREACHABLE (no such node, or it does not come to an end); those of
 * cluster_watch_probe. */
static enum haul_status measure(const struct survey_job *job, struct survey_line *line,
                                struct haul_error *error)
{
    const struct run_move *move = &job->drive->run->moves[line->first_move];
    size_t from = cluster_watch_find(job->drive->watch, move->from);
    uint64_t began_ns = progress_now_ns();
    struct watch_line found = {.measured = false};
    if (from == job->drive->watch->count) {
        return haul_error_set(error, HAUL_UNREACHABLE, NULL, 0, "its source is not there");
    }
    enum haul_status status =
        cluster_watch_probe(job->drive->watch, from, move->to, job->rate_mb, &found, error);
    while (status == HAUL_OK && !found.measured && signal_watch_number(job->signals) == 0) {
        if (progress_now_ns() - began_ns > MEASURE_MS_MAX * UINT64_C(1000000)) {
            return haul_error_set(error, HAUL_UNREACHABLE, NULL, 0, "it takes too long");
        }
        nap();
        status =
            cluster_watch_probe(job->drive->watch, from, move->to, job->rate_mb, &found, error);
    }
    line->measured = status == HAUL_OK && found.measured;
    line->round_trip_us = found.round_trip_us;
    line->rate = found.rate;
    return status;
}

static void measure_all(struct survey_job *job)
{
    for (size_t i = 0; i < job->lines.count && signal_watch_number(job->signals) == 0; i++) {
        struct haul_error error = {.text = "stopped by a signal"};
        (void)measure(job, &job->lines.lines[i], &error);
        tell_line(job, &job->lines.lines[i], &error);
    }
}

/* --- what follows from it --------------------------------------------------------------------- */

static void raise_freeze(const struct survey_job *job, size_t node)
{
    static const char setting[] = "migrate-rdma-freeze-max-ms";
    const struct run_view *view = &job->drive->watch->views[node];
    uint64_t needed = line_survey_freeze_ms_min(&job->lines, job->drive->run, view->id);
    uint64_t current = 0;
    struct haul_error error;
    char detail[HAUL_ERROR_TEXT_BYTES_MAX + 128];
    if (needed == 0 ||
        cluster_watch_setting(job->drive->watch, node, setting, &current, &error) != HAUL_OK ||
        current >= needed) {
        return;
    }
    uint64_t wanted = FREEZE_MARGIN * needed;
    if (cluster_watch_set(job->drive->watch, node, setting, wanted, &error) == HAUL_OK) {
        (void)snprintf(detail, sizeof(detail),
                       "%s is %" PRIu64 " now, it was %" PRIu64
                       ": a hand-over takes up to ten round trips",
                       setting, wanted, current);
    } else {
        (void)snprintf(detail, sizeof(detail),
                       "%s is %" PRIu64 ", less than ten round trips, and cannot be set: %s",
                       setting, current, error.text);
    }
    tell(job, "setting", view->name, detail);
}

/* A limit of 0 seconds keeps nothing, which `haul cluster check` has warned of. */
static void compare_log(const struct survey_job *job, size_t node, uint64_t rate)
{
    const struct run_view *view = &job->drive->watch->views[node];
    double seconds =
        line_survey_longest_seconds(&job->lines, job->drive->run, job->drive->plan, view->id, rate);
    uint64_t kept = 0;
    struct haul_error error;
    char detail[256];
    char text[HUMAN_TEXT_BYTES_MAX];
    if (seconds <= 0 ||
        cluster_watch_setting(job->drive->watch, node, "rocksdb.wal_ttl_seconds", &kept, &error) !=
            HAUL_OK ||
        kept == 0 || (double)kept >= seconds) {
        return;
    }
    human_seconds(seconds, text);
    (void)snprintf(detail, sizeof(detail),
                   "keeps its log for %" PRIu64 " s, and its longest move takes %s: one that "
                   "breaks off late starts over; a longer rocksdb.wal_ttl_seconds prevents it",
                   kept, text);
    tell(job, "log", view->name, detail);
}

static void estimate(const struct survey_job *job, uint64_t rate)
{
    double seconds = line_survey_seconds(&job->lines, job->drive->run, job->drive->plan, rate);
    char text[HUMAN_TEXT_BYTES_MAX];
    char detail[128];
    if (seconds >= 0) {
        human_seconds(seconds, text);
        (void)snprintf(detail, sizeof(detail), "at least %s by these lines", text);
        tell(job, "estimate", "the moves take", detail);
    }
}

/* --- all of it -------------------------------------------------------------------------------- */

/* A measurement would take from jobs that run. */
static bool is_quiet(const struct drive *drive)
{
    for (size_t i = 0; i < drive->watch->count; i++) {
        if (!drive->watch->views[i].answers || drive->watch->views[i].job == RUN_JOB_START) {
            return false;
        }
    }
    return true;
}

void cluster_lines_measure(struct drive *drive, const struct run_control *control,
                           struct signal_watch *signals, struct output *output)
{
    struct survey_job job = {.drive = drive, .output = output, .signals = signals};
    struct haul_error error;
    if (!is_quiet(drive) || line_survey_init(drive->run, &job.lines, &error) != HAUL_OK) {
        return;
    }
    if (control->limits) {
        job.rate_mb = (uint64_t)cluster_watch_share_mb(control->node_mb, control->total_mb, 1);
    }
    measure_all(&job);
    for (size_t i = 0; i < drive->watch->count && signal_watch_number(signals) == 0; i++) {
        raise_freeze(&job, i);
        compare_log(&job, i, job.rate_mb * CLUSTER_RATE_UNIT);
    }
    estimate(&job, job.rate_mb * CLUSTER_RATE_UNIT);
    line_survey_fini(&job.lines);
}
