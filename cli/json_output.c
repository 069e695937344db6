/* SPDX-License-Identifier: Apache-2.0 */
/* json_output.c — builds the --json document of each command. */
#include "json_output.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "exit_code.h"
#include "job_text.h"
#include "json_document.h"
#include "output.h"
#include "owner_text.h"

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
    json_document_set(object, "job", json_document_text(part->job));
    json_document_set(object, "peer", json_document_text(part->peer));
    json_document_set(object, "phase", json_document_text(part->state.phase));
    json_document_set_count(object, "records", figures->records);
    json_document_set_count(object, "bytes", figures->bytes);
    json_document_set_count(object, "bytes_expected", figures->bytes_expected);
    json_document_set_count(object, "wire_bytes", figures->wire_bytes);
    json_document_set_count(object, "durable_records", figures->durable_records);
    json_document_set_count(object, "durable_bytes", figures->durable_bytes);
    json_document_set(object, "seconds", json_real(figures->seconds));
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
    json_document_set(object, "job", json_document_text(id));
    json_document_set(object, "role", json_document_text(haul_job_role_name(job->role)));
    json_document_set(object, "phase", json_document_text(job->phase));
    json_document_set(object, "claim", json_document_text(haul_job_claim_name(job->claim)));
    json_document_set(object, "changed", json_boolean(job->changed));
    json_document_set_count(object, "epoch", job->epoch);
    json_document_set(object, "condition",
                      json_document_text(haul_job_condition_name(job->condition)));
    json_document_set(object, "peer", json_document_text_or_null(job->peer));
    json_document_set_count(object, "durable_records", job->durable_records);
    json_document_set_count(object, "durable_bytes", job->durable_bytes);
    json_document_set(object, "way_out", json_document_text_or_null(ways.first.command));
    json_document_set(object, "other_way_out", json_document_text_or_null(ways.second.command));
    return object;
}

void json_output_status(const struct json_output_jobs *jobs)
{
    struct haul_error none = {.status = HAUL_OK};
    json_t *document = json_document_begin("status", &none, EXIT_CODE_OK);
    json_t *array = json_array();
    json_t *over = json_array();
    for (size_t i = 0; i < jobs->count; i++) {
        const struct haul_job *job = &jobs->jobs[i];
        (void)json_array_append_new(job_text_is_over(job) ? over : array,
                                    left_job_object(job, jobs->directory));
    }
    json_document_set(document, "running", running_object(jobs));
    json_document_set(document, "jobs", array);
    json_document_set(document, "over", over);
    json_document_set(document, "record_way_out", json_document_text_or_null(jobs->record_way_out));
    json_document_print(document);
}

void json_output_cancel(size_t cancelled, const struct haul_error *error, int exit_code)
{
    json_t *document = json_document_begin("cancel", error, exit_code);
    json_document_set_count(document, "cancelled", cancelled);
    json_document_print(document);
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
    json_document_set(object, "job", json_document_text_or_null(id));
}

static json_t *owner_range_object(const struct haul_owner_range *range)
{
    json_t *object = json_object();
    json_document_set(object, "state", json_document_text(haul_owner_state_name(range->state)));
    json_document_set(object, "family", json_document_text_or_null(range->family));
    json_document_set(object, "start", key_of(range->range.start));
    json_document_set(object, "end", key_of(range->range.end));
    json_document_set(object, "peer", json_document_text_or_null(range->peer));
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
    json_document_set(object, "act", json_document_text(haul_owner_act_name(job->act)));
    json_document_set(object, "result", json_document_text(haul_status_name(job->result)));
    json_document_set(object, "peer", json_document_text_or_null(job->peer));
    json_document_set_count(object, "old_version", job->old_version);
    json_document_set_count(object, "new_version", job->new_version);
    json_document_set(object, "time", json_document_text_or_null(time));
    json_document_set_count(object, "records", job->records);
    json_document_set_count(object, "bytes", job->bytes);
    return object;
}

void json_output_owner(const struct haul_owner *owner, const char *action, size_t job_count_max)
{
    static const char *const origins[] = {[HAUL_OWNER_SAME] = "same",
                                          [HAUL_OWNER_COPY] = "copy",
                                          [HAUL_OWNER_RESET] = "reset",
                                          [HAUL_OWNER_OTHER] = "other"};
    struct haul_error none = {.status = HAUL_OK};
    json_t *document = json_document_begin("owner", &none, EXIT_CODE_OK);
    json_t *jobs = json_array();
    size_t shown = owner->job_count < job_count_max ? owner->job_count : job_count_max;
    for (size_t i = owner->job_count - shown; i < owner->job_count; i++) {
        (void)json_array_append_new(jobs, owner_job_object(&owner->jobs[i]));
    }
    json_document_set(document, "action", json_document_text_or_null(action == NULL ? "" : action));
    json_document_set(document, "identity", json_document_text_or_null(owner->identity));
    json_document_set(document, "origin", json_document_text(origins[owner->origin]));
    json_document_set_count(document, "config_version", owner->config_version);
    json_document_set(document, "ranges", owner_ranges_array(owner));
    json_document_set_count(document, "job_count", owner->job_count);
    json_document_set(document, "jobs", jobs);
    json_document_print(document);
}

void json_output_drop(const struct haul_owner_dropped *dropped)
{
    struct haul_error none = {.status = HAUL_OK};
    json_t *document = json_document_begin("drop", &none, EXIT_CODE_OK);
    json_document_set_count(document, "ranges", dropped->ranges);
    json_document_set_count(document, "bytes", dropped->bytes);
    json_document_print(document);
}

void json_output_drop_list(const struct haul_owner *released, const struct haul_error *error,
                           int exit_code)
{
    json_t *document = json_document_begin("drop", error, exit_code);
    json_document_set(document, "would_delete", owner_ranges_array(released));
    json_document_print(document);
}

/* --- migrations, scans, links ----------------------------------------------------------------- */

static json_t *families_array(const struct haul_family_result *families, size_t count)
{
    json_t *array = json_array();
    for (size_t i = 0; i < count; i++) {
        json_t *family = json_object();
        json_document_set(family, "name", json_document_text(families[i].name));
        json_document_set_count(family, "records", families[i].records);
        json_document_set_count(family, "bytes", families[i].bytes);
        json_document_set(family, "digest", json_document_text(families[i].digest));
        (void)json_array_append_new(array, family);
    }
    return array;
}

static json_t *differences_array(const struct haul_option_difference *differences, size_t count)
{
    json_t *array = json_array();
    for (size_t i = 0; i < count; i++) {
        json_t *difference = json_object();
        json_document_set(difference, "family", json_document_text(differences[i].family));
        json_document_set(difference, "option", json_document_text(differences[i].name));
        json_document_set(difference, "source", json_document_text(differences[i].source));
        json_document_set(difference, "target", json_document_text(differences[i].target));
        (void)json_array_append_new(array, difference);
    }
    return array;
}

static json_t *link_object(const struct haul_link_stats *stats)
{
    json_t *link = json_object();
    json_document_set_count(link, "blocks_sent", stats->blocks_sent);
    json_document_set_count(link, "blocks_received", stats->blocks_received);
    json_document_set_count(link, "bytes_sent", stats->bytes_sent);
    json_document_set_count(link, "bytes_received", stats->bytes_received);
    json_document_set_count(link, "credit_stalls", stats->credit_stalls);
    json_document_set_count(link, "credits_sent", stats->credits_sent);
    json_document_set_count(link, "credits_received", stats->credits_received);
    json_document_set_count(link, "crc_errors", stats->crc_errors);
    json_document_set_count(link, "sleeps", stats->sleeps);
    return link;
}

static json_t *latencies_object(const struct load_latencies *latencies)
{
    json_t *object = json_object();
    json_document_set_count(object, "writes", latencies->writes);
    json_document_set(object, "p50_us", json_real(latencies->p50_us));
    json_document_set(object, "p99_us", json_real(latencies->p99_us));
    json_document_set(object, "max_us", json_real(latencies->max_us));
    return object;
}

static json_t *load_object(const struct load_result *load)
{
    if (load == NULL) {
        return json_null();
    }
    json_t *object = json_object();
    json_document_set_count(object, "version", load->version);
    json_document_set(object, "seconds", json_real(load->seconds));
    json_document_set(object, "before", latencies_object(&load->before));
    json_document_set(object, "during", latencies_object(&load->during));
    json_document_set(object, "longest_gap_ms", json_real(load->longest_gap_ms));
    return object;
}

json_t *json_output_migration_document(const char *command, const struct haul_result *result,
                                       const struct load_result *load,
                                       const struct haul_error *error, int exit_code)
{
    static const uint8_t none[HAUL_JOB_BYTES];
    const struct haul_progress *figures = &result->progress;
    char job[2 * HAUL_JOB_BYTES + 1] = "";
    if (memcmp(result->job, none, sizeof(none)) != 0) {
        json_output_job(result->job, job);
    }
    json_t *document = json_document_begin(command, error, exit_code);
    json_document_set(document, "job", json_document_text_or_null(job));
    json_document_set(document, "verified", json_boolean(result->verified));
    json_document_set(document, "resumed", json_boolean(result->resumed));
    json_document_set_count(document, "records", figures->records);
    json_document_set_count(document, "bytes", figures->bytes);
    json_document_set_count(document, "wire_bytes", figures->wire_bytes);
    json_document_set_count(document, "durable_records", figures->durable_records);
    json_document_set_count(document, "durable_bytes", figures->durable_bytes);
    json_document_set_count(document, "pinned_log_bytes", figures->pinned_log_bytes);
    json_document_set_count(document, "pinned_table_bytes", figures->pinned_table_bytes);
    json_document_set(document, "seconds", json_real(figures->seconds));
    json_document_set(document, "transport",
                      json_document_text(haul_transport_name(figures->transport)));
    json_document_set(document, "fallback_reason",
                      json_document_text_or_null(result->fallback_reason));
    json_document_set(document, "wire", json_document_text(haul_wire_name(figures->wire)));
    json_document_set(document, "trust", json_document_text(haul_trust_name(figures->trust)));
    json_document_set(document, "lane", json_document_text(haul_lane_name(result->lane)));
    json_document_set_count(document, "rounds", figures->rounds);
    json_document_set_count(document, "lag_bytes_at_freeze", result->lag_bytes_at_freeze);
    json_document_set(document, "write_pause_ms", json_real(result->write_pause_ms));
    json_document_set_count(document, "old_version", result->old_version);
    json_document_set_count(document, "new_version", result->new_version);
    json_document_set_count(document, "retries", result->retries);
    json_document_set_count(document, "told_jobs", result->told_count);
    json_document_set_count(document, "yielded_jobs", result->yielded_count);
    json_document_set(document, "warning", json_document_text_or_null(result->warning));
    json_document_set_count(document, "links", result->link_count);
    json_document_set_count(document, "crc_errors", result->crc_errors);
    json_document_set(document, "load", load_object(load));
    json_document_set(document, "link", link_object(&result->link));
    json_document_set(document, "families", families_array(result->families, result->family_count));
    json_document_set(
        document, "option_differences",
        differences_array(result->option_differences, result->option_difference_count));
    return document;
}

void json_output_migration(const char *command, const struct haul_result *result,
                           const struct load_result *load, const struct haul_error *error,
                           int exit_code)
{
    json_document_print(json_output_migration_document(command, result, load, error, exit_code));
}

void json_output_dry_run(const struct dry_run *run)
{
    struct haul_error none = {.status = HAUL_OK};
    json_t *document = json_document_begin("send", &none, EXIT_CODE_OK);
    json_t *families = json_array();
    for (size_t i = 0; i < run->family_count; i++) {
        json_t *family = json_object();
        json_document_set(family, "name", json_document_text(run->families[i].name));
        json_document_set(family, "bytes_expected",
                          run->families[i].known ? json_document_count(run->families[i].bytes)
                                                 : json_null());
        (void)json_array_append_new(families, family);
    }
    json_document_set(document, "dry_run", json_true());
    json_document_set_count(document, "bytes_expected", run->bytes);
    json_document_set(document, "families", families);
    json_document_print(document);
}

void json_output_ledger(uint64_t checked, const struct haul_error *error, int exit_code)
{
    json_t *document = json_document_begin("verify", error, exit_code);
    json_document_set_count(document, "keys_checked", checked);
    json_document_set(document, "complete", json_boolean(exit_code == EXIT_CODE_OK));
    json_document_print(document);
}

/* A partial count has no digest. */
static json_t *compared_array(const struct json_output_scan *scan)
{
    json_t *array = families_array(scan->families, scan->count);
    for (size_t i = 0; i < scan->count; i++) {
        if (scan->families[i].digest[0] == '\0') {
            json_document_set(json_array_get(array, i), "digest", json_null());
        }
    }
    return array;
}

void json_output_verify(const struct json_output_scan *database,
                        const struct json_output_scan *with, const struct haul_error *error,
                        int exit_code)
{
    json_t *document = json_document_begin("verify", error, exit_code);
    json_document_set(document, "equal", json_boolean(exit_code == EXIT_CODE_OK));
    json_document_set(document, "families", compared_array(database));
    json_document_set(document, "families_with", compared_array(with));
    json_document_print(document);
}

void json_output_bench(const struct haul_link_bench_result *result, uint32_t link_count,
                       uint32_t size_bytes, const struct haul_error *error, int exit_code)
{
    json_t *document = json_document_begin("bench", error, exit_code);
    json_document_set(document, "transport",
                      json_document_text(haul_transport_name(result->transport)));
    json_document_set_count(document, "links", link_count);
    json_document_set_count(document, "size_bytes", size_bytes);
    json_document_set_count(document, "bytes", result->bytes);
    json_document_set_count(document, "blocks", result->blocks);
    json_document_set(document, "seconds", json_real(result->seconds));
    json_document_set(document, "bytes_per_second", json_real(result->bytes_per_second));
    json_document_set(document, "cpu_seconds", json_real(result->cpu_seconds));
    json_document_set(document, "link", link_object(&result->link));
    json_document_print(document);
}

void json_output_error(const char *command, const struct haul_error *error, int exit_code)
{
    json_document_print(json_document_begin(command, error, exit_code));
}

void json_output_keygen(const char *file, const struct haul_keys *keys)
{
    struct haul_error none = {.status = HAUL_OK};
    json_t *document = json_document_begin("keygen", &none, EXIT_CODE_OK);
    json_t *ids = json_array();
    for (size_t i = 0; i < haul_keys_count(keys); i++) {
        (void)json_array_append_new(ids, json_document_text(haul_keys_id(keys, i)));
    }
    json_document_set(document, "file", json_document_text(file));
    json_document_set(document, "keys", ids);
    json_document_print(document);
}

void json_output_version(const char *release, const char *transports)
{
    struct haul_error none = {.status = HAUL_OK};
    json_t *document = json_document_begin("version", &none, EXIT_CODE_OK);
    json_document_set(document, "version", json_document_text(release));
    json_document_set(document, "transports", json_document_text(transports));
    json_document_print(document);
}

/* --- clusters --------------------------------------------------------------------------------- */

static json_t *cluster_nodes_array(const struct node_facts_list *list)
{
    json_t *array = json_array();
    for (size_t i = 0; i < list->count; i++) {
        const struct node_facts *facts = &list->nodes[i];
        json_t *node = json_object();
        json_document_set(node, "name", json_document_text(facts->name));
        json_document_set(node, "answers", json_boolean(facts->error.status == HAUL_OK));
        json_document_set(node, "replica", json_boolean(facts->is_replica));
        json_document_set(node, "topology_version", json_integer(facts->version));
        json_document_set(node, "haul", json_boolean(facts->has_haul));
        (void)json_array_append_new(array, node);
    }
    return array;
}

void json_output_cluster_check(const struct node_facts_list *list,
                               const struct finding_list *findings, const struct haul_error *error,
                               int exit_code)
{
    json_t *document = json_document_begin("cluster check", error, exit_code);
    json_t *array = json_array();
    for (size_t i = 0; i < findings->count; i++) {
        const struct finding *item = &findings->items[i];
        json_t *finding = json_object();
        json_document_set(finding, "level", json_document_text(finding_level_name(item->level)));
        json_document_set(finding, "node", json_document_text_or_null(item->node));
        json_document_set(finding, "text", json_document_text(item->text));
        json_document_set(finding, "remedy", json_document_text(item->remedy));
        (void)json_array_append_new(array, finding);
    }
    json_document_set(document, "nodes", cluster_nodes_array(list));
    json_document_set(document, "findings", array);
    json_document_set_count(document, "findings_omitted", findings->omitted);
    json_document_print(document);
}

void json_output_cluster_plan(const struct cluster_plan *plan, double seconds, const char *file)
{
    struct haul_error none = {.status = HAUL_OK};
    json_t *document = json_document_begin("cluster plan", &none, EXIT_CODE_OK);
    json_t *moves = json_array();
    for (size_t i = 0; i < plan->move_count; i++) {
        char range[TOPOLOGY_RANGE_BYTES_MAX];
        json_t *move = json_object();
        slot_range_format(plan->moves[i].slots, range);
        json_document_set(move, "slots", json_document_text(range));
        json_document_set(move, "from", json_document_text(plan->nodes[plan->moves[i].from].id));
        json_document_set(move, "to", json_document_text(plan->nodes[plan->moves[i].to].id));
        json_document_set_count(move, "wave", plan->moves[i].wave);
        json_document_set_count(move, "bytes", plan->moves[i].bytes);
        (void)json_array_append_new(moves, move);
    }
    json_document_set(document, "topology_version", json_integer(plan->topology_version));
    json_document_set_count(document, "waves", plan->wave_count);
    json_document_set_count(document, "bytes", plan->bytes);
    json_document_set(document, "seconds", seconds > 0 ? json_real(seconds) : json_null());
    json_document_set(document, "file", file == NULL ? json_null() : json_document_text(file));
    json_document_set(document, "moves", moves);
    json_document_print(document);
}

static json_t *move_object(const struct cluster_plan *plan, size_t index)
{
    char range[TOPOLOGY_RANGE_BYTES_MAX];
    json_t *move = json_object();
    slot_range_format(plan->moves[index].slots, range);
    json_document_set(move, "slots", json_document_text(range));
    json_document_set(move, "from", json_document_text(plan->nodes[plan->moves[index].from].id));
    json_document_set(move, "to", json_document_text(plan->nodes[plan->moves[index].to].id));
    return move;
}

static json_t *begin_event(const char *event, const char *detail)
{
    json_t *document = json_object();
    json_document_set(document, "schema_version", json_integer(JSON_OUTPUT_SCHEMA_VERSION));
    json_document_set(document, "command", json_document_text("cluster run"));
    json_document_set(document, "event", json_document_text(event));
    json_document_set(document, "detail", json_document_text_or_null(detail));
    return document;
}

void json_output_cluster_event(const char *event, const struct cluster_plan *plan, size_t move,
                               const char *detail)
{
    json_t *document = begin_event(event, detail);
    json_document_set(document, "move", move == SIZE_MAX ? json_null() : move_object(plan, move));
    json_document_print(document);
}

void json_output_cluster_line(const char *event, const char *subject, const char *detail)
{
    json_t *document = begin_event(event, detail);
    json_document_set(document, "subject", json_document_text(subject));
    json_document_set(document, "move", json_null());
    json_document_print(document);
}

void json_output_cluster_commands(const char *lines)
{
    struct haul_error none = {.status = HAUL_OK};
    json_t *document = json_document_begin("cluster run", &none, EXIT_CODE_OK);
    json_t *commands = json_array();
    while (lines[0] != '\0') {
        size_t size = strcspn(lines, "\n");
        (void)json_array_append_new(commands, json_stringn(lines, size));
        lines += size + (lines[size] == '\n');
    }
    json_document_set(document, "commands", commands);
    json_document_print(document);
}

void json_output_cluster_run(const struct cluster_plan *plan)
{
    struct haul_error none = {.status = HAUL_OK};
    json_t *document = json_document_begin("cluster run", &none, EXIT_CODE_OK);
    json_document_set_count(document, "moves", plan->move_count);
    json_document_print(document);
}

void json_output_cluster_order(const char *command, bool running)
{
    struct haul_error none = {.status = HAUL_OK};
    json_t *document = json_document_begin(command, &none, EXIT_CODE_OK);
    json_document_set(document, "running", json_boolean(running));
    json_document_print(document);
}

void json_output_cluster_status(const struct cluster_plan *plan, const char *const *states,
                                const struct cluster_watch *watch, const char *order, bool running,
                                const struct haul_error *error, int exit_code)
{
    json_t *silent = json_array();
    for (size_t i = 0; i < watch->count; i++) {
        if (!watch->views[i].answers) {
            (void)json_array_append_new(silent, json_document_text(watch->views[i].name));
        }
    }
    json_t *document = json_document_begin("cluster status", error, exit_code);
    json_t *moves = json_array();
    for (size_t i = 0; i < plan->move_count; i++) {
        json_t *move = move_object(plan, i);
        json_document_set(move, "state", json_document_text(states[i]));
        (void)json_array_append_new(moves, move);
    }
    json_document_set(document, "order", json_document_text(order));
    json_document_set(document, "running", json_boolean(running));
    json_document_set(document, "silent", silent);
    json_document_set(document, "moves", moves);
    json_document_print(document);
}
