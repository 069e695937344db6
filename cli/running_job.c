/* SPDX-License-Identifier: Apache-2.0 */
/* running_job.c — converts running jobs to JSON and back. */
#include "running_job.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

/* jansson's integers are signed: clamp larger values. */
static json_int_t count_of(uint64_t value)
{
    return value > INT64_MAX ? INT64_MAX : (json_int_t)value;
}

bool running_job_format(const struct running_job *job, char *text, size_t text_size_bytes)
{
    const struct haul_progress *figures = &job->figures;
    json_t *object = json_pack(
        "{s:s, s:I, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:f, s:s, s:s}",
        "command", job->command, "pid", (json_int_t)job->pid, "phase", job->phase, "records",
        count_of(figures->records), "bytes", count_of(figures->bytes), "bytes_expected",
        count_of(figures->bytes_expected), "wire_bytes", count_of(figures->wire_bytes), "lag_bytes",
        count_of(figures->lag_bytes), "rounds", count_of(figures->rounds), "durable_records",
        count_of(figures->durable_records), "durable_bytes", count_of(figures->durable_bytes),
        "pinned_log_bytes", count_of(figures->pinned_log_bytes), "pinned_table_bytes",
        count_of(figures->pinned_table_bytes), "seconds", figures->seconds, "wire",
        haul_wire_name(figures->wire), "trust", haul_trust_name(figures->trust));
    size_t size = json_dumpb(object, text, text_size_bytes, JSON_COMPACT);
    json_decref(object);
    if (size == 0 || size >= text_size_bytes) {
        return false;
    }
    text[size] = '\0';
    return true;
}

/* A command of an earlier release does not say. */
static enum haul_wire wire_of(const char *name)
{
    enum haul_wire wire = HAUL_WIRE_AUTO;
    return name != NULL && haul_wire_parse(name, &wire) == HAUL_OK ? wire : HAUL_WIRE_AUTO;
}

static enum haul_trust trust_of(const char *name)
{
    static const enum haul_trust others[] = {HAUL_TRUST_KEY, HAUL_TRUST_ANYBODY,
                                             HAUL_TRUST_CERTIFICATE};
    for (size_t i = 0; name != NULL && i < sizeof(others) / sizeof(others[0]); i++) {
        if (strcmp(name, haul_trust_name(others[i])) == 0) {
            return others[i];
        }
    }
    return HAUL_TRUST_HOST;
}

bool running_job_parse(const char *text, struct running_job *job)
{
    const char *command = NULL;
    const char *phase = NULL;
    const char *wire = NULL;
    const char *trust = NULL;
    json_int_t pid = 0;
    json_int_t numbers[10];
    double seconds = 0;
    json_t *object = json_loads(text, 0, NULL);
    bool sound =
        object != NULL &&
        json_unpack(
            object,
            "{s:s, s:I, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:F, s?s, s?s}",
            "command", &command, "pid", &pid, "phase", &phase, "records", &numbers[0], "bytes",
            &numbers[1], "bytes_expected", &numbers[2], "wire_bytes", &numbers[3], "lag_bytes",
            &numbers[4], "rounds", &numbers[5], "durable_records", &numbers[6], "durable_bytes",
            &numbers[7], "pinned_log_bytes", &numbers[8], "pinned_table_bytes", &numbers[9],
            "seconds", &seconds, "wire", &wire, "trust", &trust) == 0;
    if (sound) {
        (void)snprintf(job->command, sizeof(job->command), "%s", command);
        (void)snprintf(job->phase, sizeof(job->phase), "%s", phase);
        job->pid = pid;
        job->figures = (struct haul_progress){.records = (uint64_t)numbers[0],
                                              .bytes = (uint64_t)numbers[1],
                                              .bytes_expected = (uint64_t)numbers[2],
                                              .wire_bytes = (uint64_t)numbers[3],
                                              .lag_bytes = (uint64_t)numbers[4],
                                              .rounds = (uint32_t)numbers[5],
                                              .durable_records = (uint64_t)numbers[6],
                                              .durable_bytes = (uint64_t)numbers[7],
                                              .pinned_log_bytes = (uint64_t)numbers[8],
                                              .pinned_table_bytes = (uint64_t)numbers[9],
                                              .wire = wire_of(wire),
                                              .trust = trust_of(trust),
                                              .seconds = seconds};
    }
    json_decref(object);
    return sound;
}

/* --- its jobs --------------------------------------------------------------------------------- */

bool running_job_parse_id(const char *text, uint8_t job[HAUL_JOB_BYTES])
{
    static const char digits[] = "0123456789abcdef";
    bool sound = strlen(text) == 2 * (size_t)HAUL_JOB_BYTES;
    for (size_t i = 0; sound && i < HAUL_JOB_BYTES; i++) {
        const char *high = strchr(digits, text[2 * i]);
        const char *low = strchr(digits, text[2 * i + 1]);
        sound = high != NULL && low != NULL;
        job[i] = sound ? (uint8_t)((high - digits) << 4 | (low - digits)) : 0;
    }
    return sound;
}

static json_t *part_of(const struct haul_job_progress *job)
{
    const struct haul_progress *figures = &job->progress;
    char id[2 * HAUL_JOB_BYTES + 1];
    for (size_t i = 0; i < HAUL_JOB_BYTES; i++) {
        (void)snprintf(id + 2 * i, 3, "%02x", job->job[i]);
    }
    return json_pack(
        "{s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:f}", "job", id, "peer", job->peer, "phase",
        haul_phase_name(figures->phase), "records", count_of(figures->records), "bytes",
        count_of(figures->bytes), "bytes_expected", count_of(figures->bytes_expected), "wire_bytes",
        count_of(figures->wire_bytes), "durable_records", count_of(figures->durable_records),
        "durable_bytes", count_of(figures->durable_bytes), "seconds", figures->seconds);
}

bool running_jobs_format(const struct haul_job_progress *jobs, size_t count, char *text,
                         size_t text_size_bytes)
{
    json_t *array = json_array();
    for (size_t i = 0; i < count; i++) {
        (void)json_array_append_new(array, part_of(&jobs[i]));
    }
    size_t size = json_dumpb(array, text, text_size_bytes, JSON_COMPACT);
    json_decref(array);
    if (size == 0 || size >= text_size_bytes) {
        return false;
    }
    text[size] = '\0';
    return true;
}

static bool parse_part(json_t *object, struct running_part *part)
{
    const char *job = NULL;
    const char *peer = NULL;
    const char *phase = NULL;
    json_int_t numbers[6];
    double seconds = 0;
    bool sound =
        json_unpack(object, "{s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:F}", "job", &job,
                    "peer", &peer, "phase", &phase, "records", &numbers[0], "bytes", &numbers[1],
                    "bytes_expected", &numbers[2], "wire_bytes", &numbers[3], "durable_records",
                    &numbers[4], "durable_bytes", &numbers[5], "seconds", &seconds) == 0;
    if (sound) {
        memset(part, 0, sizeof(*part));
        (void)snprintf(part->job, sizeof(part->job), "%s", job);
        (void)snprintf(part->peer, sizeof(part->peer), "%s", peer);
        (void)snprintf(part->state.phase, sizeof(part->state.phase), "%s", phase);
        part->state.figures = (struct haul_progress){.records = (uint64_t)numbers[0],
                                                     .bytes = (uint64_t)numbers[1],
                                                     .bytes_expected = (uint64_t)numbers[2],
                                                     .wire_bytes = (uint64_t)numbers[3],
                                                     .durable_records = (uint64_t)numbers[4],
                                                     .durable_bytes = (uint64_t)numbers[5],
                                                     .seconds = seconds};
    }
    return sound;
}

size_t running_jobs_parse(const char *text, struct running_part *parts, size_t count_max)
{
    json_t *array = json_loads(text, 0, NULL);
    size_t count = 0;
    for (size_t i = 0; i < json_array_size(array) && count < count_max; i++) {
        count += parse_part(json_array_get(array, i), &parts[count]) ? 1 : 0;
    }
    json_decref(array);
    return count;
}
