/* SPDX-License-Identifier: Apache-2.0 */
/* json_output.c — builds and prints the --json document. */
#include "json_output.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "exit_code.h"
#include "haul/text_escape.h"
#include "job_text.h"
#include "output.h"
#include "owner_text.h"

/* jansson accepts valid UTF-8 only, but names and messages may hold any byte. The escape keeps
 * different names different. */
static json_t *text_of(const char *text)
{
    json_t *value = json_string(text);
    if (value != NULL) {
        return value;
    }
    char clean[1024];
    (void)haul_text_escape(text, strlen(text), clean, sizeof(clean));
    return json_string(clean);
}

static json_t *text_or_null(const char *text)
{
    return text[0] == '\0' ? json_null() : text_of(text);
}

static void set(json_t *object, const char *key, json_t *value)
{
    (void)json_object_set_new(object, key, value);
}

/* jansson's integers are signed: clamp larger values. */
static json_t *count_of(uint64_t value)
{
    return json_integer(value > INT64_MAX ? INT64_MAX : (json_int_t)value);
}

static void set_count(json_t *object, const char *key, uint64_t value)
{
    set(object, key, count_of(value));
}

static json_t *error_object(const struct haul_error *error, int exit_code)
{
    if (error->status == HAUL_OK) {
        return json_null();
    }
    struct haul_error bare = *error;
    char message[1024];
    bare.hint[0] = '\0';
    haul_error_format(&bare, message, sizeof(message));
    json_t *object = json_object();
    set(object, "code", text_of(haul_status_name(error->status)));
    set(object, "message", text_of(message));
    set(object, "hint", text_of(output_hint(error)));
    set(object, "retryable", json_boolean(exit_code_is_retryable(exit_code)));
    return object;
}

static json_t *begin(const char *command, const struct haul_error *error, int exit_code)
{
    json_t *document = json_object();
    set(document, "schema_version", json_integer(JSON_OUTPUT_SCHEMA_VERSION));
    set(document, "command", text_of(command));
    set(document, "status", text_of(exit_code == EXIT_CODE_OK ? "ok" : "failed"));
    set(document, "exit_code", json_integer(exit_code));
    set(document, "error", error_object(error, exit_code));
    return document;
}

/* jansson does not escape DEL, and stdout may be a terminal. */
static int print_part(const char *text, size_t size, void *context)
{
    (void)context;
    for (size_t i = 0; i < size; i++) {
        if (text[i] == 0x7f) {
            (void)fputs("\\u007f", stdout);
        } else {
            (void)fputc(text[i], stdout);
        }
    }
    return 0;
}

/* Print one line, so that the last line of stdout is always the document. */
static void end(json_t *document)
{
    (void)json_dump_callback(document, print_part, NULL,
                             JSON_COMPACT | JSON_PRESERVE_ORDER | JSON_ENSURE_ASCII |
                                 JSON_REAL_PRECISION(9));
    (void)printf("\n");
    (void)fflush(stdout);
    json_decref(document);
}

void json_output_job(const uint8_t job[HAUL_JOB_BYTES], char text[2 * HAUL_JOB_BYTES + 1])
{
    for (size_t i = 0; i < HAUL_JOB_BYTES; i++) {
        (void)snprintf(text + 2 * i, 3, "%02x", job[i]);
    }
}

static json_t *part_object(const struct running_part *part)
{
    const struct haul_progress *figures = &part->state.figures;
    json_t *object = json_object();
    set(object, "job", text_of(part->job));
    set(object, "peer", text_of(part->peer));
    set(object, "phase", text_of(part->state.phase));
    set_count(object, "records", figures->records);
    set_count(object, "bytes", figures->bytes);
    set_count(object, "bytes_expected", figures->bytes_expected);
    set_count(object, "wire_bytes", figures->wire_bytes);
    set_count(object, "durable_records", figures->durable_records);
    set_count(object, "durable_bytes", figures->durable_bytes);
    set(object, "seconds", json_real(figures->seconds));
    return object;
}

static json_t *running_object(const struct json_output_jobs *jobs)
{
    char text[RUNNING_JOB_TEXT_BYTES_MAX];
    bool fits = jobs->running != NULL && running_job_format(jobs->running, text, sizeof(text));
    json_t *object = fits ? json_loads(text, 0, NULL) : json_null();
    json_t *parts = json_array();
    for (size_t i = 0; i < jobs->part_count; i++) {
        (void)json_array_append_new(parts, part_object(&jobs->parts[i]));
    }
    (void)json_object_set_new(object, "jobs", parts); /* frees it if nothing runs */
    return object;
}

static json_t *left_job_object(const struct haul_job *job, const char *directory)
{
    char id[2 * HAUL_JOB_BYTES + 1];
    struct job_text_ways ways;
    json_t *object = json_object();
    json_output_job(job->id, id);
    job_text_ways(job, directory, &ways);
    set(object, "job", text_of(id));
    set(object, "role", text_of(haul_job_role_name(job->role)));
    set(object, "phase", text_of(job->phase));
    set(object, "claim", text_of(haul_job_claim_name(job->claim)));
    set(object, "changed", json_boolean(job->changed));
    set_count(object, "epoch", job->epoch);
    set(object, "condition", text_of(haul_job_condition_name(job->condition)));
    set(object, "peer", text_or_null(job->peer));
    set_count(object, "durable_records", job->durable_records);
    set_count(object, "durable_bytes", job->durable_bytes);
    set(object, "way_out", text_or_null(ways.first.command));
    set(object, "other_way_out", text_or_null(ways.second.command));
    return object;
}

void json_output_status(const struct json_output_jobs *jobs)
{
    struct haul_error none = {.status = HAUL_OK};
    json_t *document = begin("status", &none, EXIT_CODE_OK);
    json_t *array = json_array();
    json_t *over = json_array();
    for (size_t i = 0; i < jobs->count; i++) {
        const struct haul_job *job = &jobs->jobs[i];
        (void)json_array_append_new(job_text_is_over(job) ? over : array,
                                    left_job_object(job, jobs->directory));
    }
    set(document, "running", running_object(jobs));
    set(document, "jobs", array);
    set(document, "over", over);
    set(document, "record_way_out", text_or_null(jobs->record_way_out));
    end(document);
}

void json_output_cancel(size_t cancelled, const struct haul_error *error, int exit_code)
{
    json_t *document = begin("cancel", error, exit_code);
    set_count(document, "cancelled", cancelled);
    end(document);
}

/* --- ownership -------------------------------------------------------------------------------- */

/* "0x75736572"; "" for an open end of a range. */
static json_t *key_of(struct haul_slice key)
{
    const uint8_t *bytes = key.data;
    char *text = key.size == 0 ? NULL : malloc(2 * key.size + 3);
    if (text == NULL) {
        return key.size == 0 ? json_string("") : json_null();
    }
    (void)snprintf(text, 3, "0x");
    for (size_t i = 0; i < key.size; i++) {
        (void)snprintf(text + 2 + 2 * i, 3, "%02x", bytes[i]);
    }
    json_t *value = json_string(text);
    free(text);
    return value;
}

static void set_job(json_t *object, const uint8_t job[HAUL_JOB_BYTES])
{
    static const uint8_t none[HAUL_JOB_BYTES];
    char id[2 * HAUL_JOB_BYTES + 1] = "";
    if (memcmp(job, none, sizeof(none)) != 0) {
        json_output_job(job, id);
    }
    set(object, "job", text_or_null(id));
}

static json_t *owner_range_object(const struct haul_owner_range *range)
{
    json_t *object = json_object();
    set(object, "state", text_of(haul_owner_state_name(range->state)));
    set(object, "family", text_or_null(range->family));
    set(object, "start", key_of(range->range.start));
    set(object, "end", key_of(range->range.end));
    set(object, "peer", text_or_null(range->peer));
    set_job(object, range->job);
    return object;
}

static json_t *owner_ranges_array(const struct haul_owner *owner)
{
    json_t *ranges = json_array();
    for (size_t i = 0; i < owner->range_count; i++) {
        (void)json_array_append_new(ranges, owner_range_object(&owner->ranges[i]));
    }
    return ranges;
}

static json_t *owner_job_object(const struct haul_owner_job *job)
{
    char time[OWNER_TEXT_TIME_BYTES];
    json_t *object = json_object();
    owner_text_time(job->time_s, time);
    set_job(object, job->job);
    set(object, "act", text_of(haul_owner_act_name(job->act)));
    set(object, "result", text_of(haul_status_name(job->result)));
    set(object, "peer", text_or_null(job->peer));
    set_count(object, "old_version", job->old_version);
    set_count(object, "new_version", job->new_version);
    set(object, "time", text_or_null(time));
    set_count(object, "records", job->records);
    set_count(object, "bytes", job->bytes);
    return object;
}

void json_output_owner(const struct haul_owner *owner, const char *action, size_t job_count_max)
{
    static const char *const origins[] = {[HAUL_OWNER_SAME] = "same",
                                          [HAUL_OWNER_COPY] = "copy",
                                          [HAUL_OWNER_RESET] = "reset",
                                          [HAUL_OWNER_OTHER] = "other"};
    struct haul_error none = {.status = HAUL_OK};
    json_t *document = begin("owner", &none, EXIT_CODE_OK);
    json_t *jobs = json_array();
    size_t shown = owner->job_count < job_count_max ? owner->job_count : job_count_max;
    for (size_t i = owner->job_count - shown; i < owner->job_count; i++) {
        (void)json_array_append_new(jobs, owner_job_object(&owner->jobs[i]));
    }
    set(document, "action", text_or_null(action == NULL ? "" : action));
    set(document, "identity", text_or_null(owner->identity));
    set(document, "origin", text_of(origins[owner->origin]));
    set_count(document, "config_version", owner->config_version);
    set(document, "ranges", owner_ranges_array(owner));
    set_count(document, "job_count", owner->job_count);
    set(document, "jobs", jobs);
    end(document);
}

void json_output_drop(const struct haul_owner_dropped *dropped)
{
    struct haul_error none = {.status = HAUL_OK};
    json_t *document = begin("drop", &none, EXIT_CODE_OK);
    set_count(document, "ranges", dropped->ranges);
    set_count(document, "bytes", dropped->bytes);
    end(document);
}

void json_output_drop_list(const struct haul_owner *released, const struct haul_error *error,
                           int exit_code)
{
    json_t *document = begin("drop", error, exit_code);
    set(document, "would_delete", owner_ranges_array(released));
    end(document);
}

/* --- migrations, scans, links ----------------------------------------------------------------- */

static json_t *families_array(const struct haul_family_result *families, size_t count)
{
    json_t *array = json_array();
    for (size_t i = 0; i < count; i++) {
        json_t *family = json_object();
        set(family, "name", text_of(families[i].name));
        set_count(family, "records", families[i].records);
        set_count(family, "bytes", families[i].bytes);
        set(family, "digest", text_of(families[i].digest));
        (void)json_array_append_new(array, family);
    }
    return array;
}

static json_t *differences_array(const struct haul_option_difference *differences, size_t count)
{
    json_t *array = json_array();
    for (size_t i = 0; i < count; i++) {
        json_t *difference = json_object();
        set(difference, "family", text_of(differences[i].family));
        set(difference, "option", text_of(differences[i].name));
        set(difference, "source", text_of(differences[i].source));
        set(difference, "target", text_of(differences[i].target));
        (void)json_array_append_new(array, difference);
    }
    return array;
}

static json_t *link_object(const struct haul_link_stats *stats)
{
    json_t *link = json_object();
    set_count(link, "blocks_sent", stats->blocks_sent);
    set_count(link, "blocks_received", stats->blocks_received);
    set_count(link, "bytes_sent", stats->bytes_sent);
    set_count(link, "bytes_received", stats->bytes_received);
    set_count(link, "credit_stalls", stats->credit_stalls);
    set_count(link, "credits_sent", stats->credits_sent);
    set_count(link, "credits_received", stats->credits_received);
    set_count(link, "crc_errors", stats->crc_errors);
    set_count(link, "sleeps", stats->sleeps);
    return link;
}

static json_t *latencies_object(const struct load_latencies *latencies)
{
    json_t *object = json_object();
    set_count(object, "writes", latencies->writes);
    set(object, "p50_us", json_real(latencies->p50_us));
    set(object, "p99_us", json_real(latencies->p99_us));
    set(object, "max_us", json_real(latencies->max_us));
    return object;
}

static json_t *load_object(const struct load_result *load)
{
    if (load == NULL) {
        return json_null();
    }
    json_t *object = json_object();
    set_count(object, "version", load->version);
    set(object, "seconds", json_real(load->seconds));
    set(object, "before", latencies_object(&load->before));
    set(object, "during", latencies_object(&load->during));
    set(object, "longest_gap_ms", json_real(load->longest_gap_ms));
    return object;
}

void json_output_migration(const char *command, const struct haul_result *result,
                           const struct load_result *load, const struct haul_error *error,
                           int exit_code)
{
    static const uint8_t none[HAUL_JOB_BYTES];
    const struct haul_progress *figures = &result->progress;
    char job[2 * HAUL_JOB_BYTES + 1] = "";
    if (memcmp(result->job, none, sizeof(none)) != 0) {
        json_output_job(result->job, job);
    }
    json_t *document = begin(command, error, exit_code);
    set(document, "job", text_or_null(job));
    set(document, "verified", json_boolean(result->verified));
    set(document, "resumed", json_boolean(result->resumed));
    set_count(document, "records", figures->records);
    set_count(document, "bytes", figures->bytes);
    set_count(document, "wire_bytes", figures->wire_bytes);
    set_count(document, "durable_records", figures->durable_records);
    set_count(document, "durable_bytes", figures->durable_bytes);
    set_count(document, "pinned_log_bytes", figures->pinned_log_bytes);
    set_count(document, "pinned_table_bytes", figures->pinned_table_bytes);
    set(document, "seconds", json_real(figures->seconds));
    set(document, "transport", text_of(haul_transport_name(figures->transport)));
    set(document, "fallback_reason", text_or_null(result->fallback_reason));
    set(document, "wire", text_of(haul_wire_name(figures->wire)));
    set(document, "trust", text_of(haul_trust_name(figures->trust)));
    set(document, "lane", text_of(haul_lane_name(result->lane)));
    set_count(document, "rounds", figures->rounds);
    set_count(document, "lag_bytes_at_freeze", result->lag_bytes_at_freeze);
    set(document, "write_pause_ms", json_real(result->write_pause_ms));
    set_count(document, "old_version", result->old_version);
    set_count(document, "new_version", result->new_version);
    set_count(document, "retries", result->retries);
    set_count(document, "told_jobs", result->told_count);
    set_count(document, "yielded_jobs", result->yielded_count);
    set(document, "warning", text_or_null(result->warning));
    set_count(document, "links", result->link_count);
    set_count(document, "crc_errors", result->crc_errors);
    set(document, "load", load_object(load));
    set(document, "link", link_object(&result->link));
    set(document, "families", families_array(result->families, result->family_count));
    set(document, "option_differences",
        differences_array(result->option_differences, result->option_difference_count));
    end(document);
}

void json_output_dry_run(const struct dry_run *run)
{
    struct haul_error none = {.status = HAUL_OK};
    json_t *document = begin("send", &none, EXIT_CODE_OK);
    json_t *families = json_array();
    for (size_t i = 0; i < run->family_count; i++) {
        json_t *family = json_object();
        set(family, "name", text_of(run->families[i].name));
        set(family, "bytes_expected",
            run->families[i].known ? count_of(run->families[i].bytes) : json_null());
        (void)json_array_append_new(families, family);
    }
    set(document, "dry_run", json_true());
    set_count(document, "bytes_expected", run->bytes);
    set(document, "families", families);
    end(document);
}

void json_output_ledger(uint64_t checked, const struct haul_error *error, int exit_code)
{
    json_t *document = begin("verify", error, exit_code);
    set_count(document, "keys_checked", checked);
    set(document, "complete", json_boolean(exit_code == EXIT_CODE_OK));
    end(document);
}

/* A partial count has no digest. */
static json_t *compared_array(const struct json_output_scan *scan)
{
    json_t *array = families_array(scan->families, scan->count);
    for (size_t i = 0; i < scan->count; i++) {
        if (scan->families[i].digest[0] == '\0') {
            set(json_array_get(array, i), "digest", json_null());
        }
    }
    return array;
}

void json_output_verify(const struct json_output_scan *database,
                        const struct json_output_scan *with, const struct haul_error *error,
                        int exit_code)
{
    json_t *document = begin("verify", error, exit_code);
    set(document, "equal", json_boolean(exit_code == EXIT_CODE_OK));
    set(document, "families", compared_array(database));
    set(document, "families_with", compared_array(with));
    end(document);
}

void json_output_bench(const struct haul_link_bench_result *result, uint32_t link_count,
                       uint32_t size_bytes, const struct haul_error *error, int exit_code)
{
    json_t *document = begin("bench", error, exit_code);
    set(document, "transport", text_of(haul_transport_name(result->transport)));
    set_count(document, "links", link_count);
    set_count(document, "size_bytes", size_bytes);
    set_count(document, "bytes", result->bytes);
    set_count(document, "blocks", result->blocks);
    set(document, "seconds", json_real(result->seconds));
    set(document, "bytes_per_second", json_real(result->bytes_per_second));
    set(document, "cpu_seconds", json_real(result->cpu_seconds));
    set(document, "link", link_object(&result->link));
    end(document);
}

void json_output_error(const char *command, const struct haul_error *error, int exit_code)
{
    end(begin(command, error, exit_code));
}

void json_output_keygen(const char *file, const struct haul_keys *keys)
{
    struct haul_error none = {.status = HAUL_OK};
    json_t *document = begin("keygen", &none, EXIT_CODE_OK);
    json_t *ids = json_array();
    for (size_t i = 0; i < haul_keys_count(keys); i++) {
        (void)json_array_append_new(ids, text_of(haul_keys_id(keys, i)));
    }
    set(document, "file", text_of(file));
    set(document, "keys", ids);
    end(document);
}

void json_output_version(const char *release, const char *transports)
{
    struct haul_error none = {.status = HAUL_OK};
    json_t *document = begin("version", &none, EXIT_CODE_OK);
    set(document, "version", text_of(release));
    set(document, "transports", text_of(transports));
    end(document);
}

/* --- clusters --------------------------------------------------------------------------------- */

static json_t *cluster_nodes_array(const struct node_facts_list *list)
{
    json_t *array = json_array();
    for (size_t i = 0; i < list->count; i++) {
        const struct node_facts *facts = &list->nodes[i];
        json_t *node = json_object();
        set(node, "name", text_of(facts->name));
        set(node, "answers", json_boolean(facts->error.status == HAUL_OK));
        set(node, "replica", json_boolean(facts->is_replica));
        set(node, "topology_version", json_integer(facts->version));
        set(node, "haul", json_boolean(facts->has_haul));
        (void)json_array_append_new(array, node);
    }
    return array;
}

void json_output_cluster_check(const struct node_facts_list *list,
                               const struct finding_list *findings, const struct haul_error *error,
                               int exit_code)
{
    json_t *document = begin("cluster check", error, exit_code);
    json_t *array = json_array();
    for (size_t i = 0; i < findings->count; i++) {
        const struct finding *item = &findings->items[i];
        json_t *finding = json_object();
        set(finding, "level", text_of(finding_level_name(item->level)));
        set(finding, "node", text_or_null(item->node));
        set(finding, "text", text_of(item->text));
        set(finding, "remedy", text_of(item->remedy));
        (void)json_array_append_new(array, finding);
    }
    set(document, "nodes", cluster_nodes_array(list));
    set(document, "findings", array);
    set_count(document, "findings_omitted", findings->omitted);
    end(document);
}

void json_output_cluster_plan(const struct cluster_plan *plan, double seconds, const char *file)
{
    struct haul_error none = {.status = HAUL_OK};
    json_t *document = begin("cluster plan", &none, EXIT_CODE_OK);
    json_t *moves = json_array();
    for (size_t i = 0; i < plan->move_count; i++) {
        char range[TOPOLOGY_RANGE_BYTES_MAX];
        json_t *move = json_object();
        slot_range_format(plan->moves[i].slots, range);
        set(move, "slots", text_of(range));
        set(move, "from", text_of(plan->nodes[plan->moves[i].from].id));
        set(move, "to", text_of(plan->nodes[plan->moves[i].to].id));
        set_count(move, "wave", plan->moves[i].wave);
        set_count(move, "bytes", plan->moves[i].bytes);
        (void)json_array_append_new(moves, move);
    }
    set(document, "topology_version", json_integer(plan->topology_version));
    set_count(document, "waves", plan->wave_count);
    set_count(document, "bytes", plan->bytes);
    set(document, "seconds", seconds > 0 ? json_real(seconds) : json_null());
    set(document, "file", file == NULL ? json_null() : text_of(file));
    set(document, "moves", moves);
    end(document);
}

static json_t *move_object(const struct cluster_plan *plan, size_t index)
{
    char range[TOPOLOGY_RANGE_BYTES_MAX];
    json_t *move = json_object();
    slot_range_format(plan->moves[index].slots, range);
    set(move, "slots", text_of(range));
    set(move, "from", text_of(plan->nodes[plan->moves[index].from].id));
    set(move, "to", text_of(plan->nodes[plan->moves[index].to].id));
    return move;
}

static json_t *begin_event(const char *event, const char *detail)
{
    json_t *document = json_object();
    set(document, "schema_version", json_integer(JSON_OUTPUT_SCHEMA_VERSION));
    set(document, "command", text_of("cluster run"));
    set(document, "event", text_of(event));
    set(document, "detail", text_or_null(detail));
    return document;
}

void json_output_cluster_event(const char *event, const struct cluster_plan *plan, size_t move,
                               const char *detail)
{
    json_t *document = begin_event(event, detail);
    set(document, "move", move == SIZE_MAX ? json_null() : move_object(plan, move));
    end(document);
}

void json_output_cluster_line(const char *event, const char *subject, const char *detail)
{
    json_t *document = begin_event(event, detail);
    set(document, "subject", text_of(subject));
    set(document, "move", json_null());
    end(document);
}

void json_output_cluster_commands(const char *lines)
{
    struct haul_error none = {.status = HAUL_OK};
    json_t *document = begin("cluster run", &none, EXIT_CODE_OK);
    json_t *commands = json_array();
    while (lines[0] != '\0') {
        size_t size = strcspn(lines, "\n");
        (void)json_array_append_new(commands, json_stringn(lines, size));
        lines += size + (lines[size] == '\n');
    }
    set(document, "commands", commands);
    end(document);
}

void json_output_cluster_run(const struct cluster_plan *plan)
{
    struct haul_error none = {.status = HAUL_OK};
    json_t *document = begin("cluster run", &none, EXIT_CODE_OK);
    set_count(document, "moves", plan->move_count);
    end(document);
}

void json_output_cluster_order(const char *command, bool running)
{
    struct haul_error none = {.status = HAUL_OK};
    json_t *document = begin(command, &none, EXIT_CODE_OK);
    set(document, "running", json_boolean(running));
    end(document);
}

void json_output_cluster_status(const struct cluster_plan *plan, const char *const *states,
                                const struct cluster_watch *watch, const char *order, bool running,
                                const struct haul_error *error, int exit_code)
{
    json_t *silent = json_array();
    for (size_t i = 0; i < watch->count; i++) {
        if (!watch->views[i].answers) {
            (void)json_array_append_new(silent, text_of(watch->views[i].name));
        }
    }
    json_t *document = begin("cluster status", error, exit_code);
    json_t *moves = json_array();
    for (size_t i = 0; i < plan->move_count; i++) {
        json_t *move = move_object(plan, i);
        set(move, "state", text_of(states[i]));
        (void)json_array_append_new(moves, move);
    }
    set(document, "order", text_of(order));
    set(document, "running", json_boolean(running));
    set(document, "silent", silent);
    set(document, "moves", moves);
    end(document);
}
