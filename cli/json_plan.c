/* SPDX-License-Identifier: Apache-2.0 */
/* json_plan.c — moves of a plan as JSON. */
#include "json_plan.h"

#include <jansson.h>
#include <string.h>

#include "exit_code.h"
#include "json_document.h"
#include "json_output.h"

/* Where a move stands, in a word. */
static const char *const phase_names[] = {
    [MOVE_WAITING] = "waiting", [MOVE_UNCONFIRMED] = "unconfirmed",
    [MOVE_RUNNING] = "running", [MOVE_DONE] = "done",
    [MOVE_FAILED] = "failed",   [MOVE_DONE_BEFORE] = "done before"};

static void set_move(json_t *object, const struct send_state *state, size_t index)
{
    json_document_set(object, "index", json_integer((json_int_t)index));
    json_document_set(object, "to", json_document_text(state->plan->moves[index].to));
}

static void set_job(json_t *object, const struct move_state *move)
{
    static const uint8_t none[HAUL_JOB_BYTES];
    char job[2 * HAUL_JOB_BYTES + 1] = "";
    if (memcmp(move->job, none, sizeof(none)) != 0) {
        json_output_job(move->job, job);
    }
    json_document_set(object, "job", json_document_text_or_null(job));
}

static void set_figures(json_t *object, const struct haul_progress *figures)
{
    json_document_set(object, "phase", json_document_text(haul_phase_name(figures->phase)));
    json_document_set_count(object, "records", figures->records);
    json_document_set_count(object, "bytes", figures->bytes);
    json_document_set_count(object, "bytes_expected", figures->bytes_expected);
    json_document_set(object, "seconds", json_real(figures->seconds));
}

void json_plan_event(const struct send_state *state, size_t index, const char *event)
{
    const struct move_state *move = &state->moves[index];
    json_t *line = json_object();
    json_document_set(line, "schema_version", json_integer(JSON_OUTPUT_SCHEMA_VERSION));
    json_document_set(line, "command", json_document_text("send"));
    json_document_set(line, "event", json_document_text(event));
    set_move(line, state, index);
    if (move->phase == MOVE_RUNNING) {
        set_figures(line, &move->figures);
    } else if (move->phase == MOVE_DONE_BEFORE) {
        set_job(line, move);
        json_document_set(line, "peer", json_document_text_or_null(move->peer));
    }
    json_document_print(line);
}

void json_plan_ended(const struct send_state *state, size_t index, const struct haul_result *result)
{
    static const struct haul_result none = {.status = HAUL_OK};
    const struct move_state *move = &state->moves[index];
    bool failed = move->phase == MOVE_FAILED;
    struct haul_error error = {.status = HAUL_OK};
    if (failed) {
        error = move->error;
    }
    json_t *line = json_output_migration_document("send", result == NULL ? &none : result, NULL,
                                                  &error, exit_code_of(error.status, 0));
    json_document_set(line, "event", json_document_text("ended"));
    set_move(line, state, index);
    json_document_print(line);
}

static json_t *move_object(const struct send_state *state, size_t index)
{
    const struct move_state *move = &state->moves[index];
    bool over = move->phase == MOVE_DONE || move->phase == MOVE_FAILED;
    json_t *object = json_object();
    set_move(object, state, index);
    json_document_set(object, "state", json_document_text(phase_names[move->phase]));
    set_job(object, move);
    json_document_set_count(object, "records", over ? move->figures.records : 0);
    json_document_set_count(object, "bytes", over ? move->figures.bytes : 0);
    json_document_set(object, "bytes_expected",
                      move->bytes_expected == 0 ? json_null()
                                                : json_document_count(move->bytes_expected));
    json_document_set(object, "error",
                      move->phase == MOVE_FAILED
                          ? json_document_error(&move->error, exit_code_of(move->error.status, 0))
                          : json_null());
    return object;
}

void json_plan_document(const struct send_state *state, bool dry_run,
                        const struct haul_error *error, int exit_code)
{
    struct send_totals totals;
    json_t *document = json_document_begin("send", error, exit_code);
    json_t *moves = json_array();
    for (size_t i = 0; i < state->plan->count; i++) {
        (void)json_array_append_new(moves, move_object(state, i));
    }
    send_state_totals(state, &totals);
    if (dry_run) {
        json_document_set(document, "dry_run", json_true());
    }
    json_document_set_count(document, "done", totals.done);
    json_document_set_count(document, "done_before", totals.done_before);
    json_document_set_count(document, "records", totals.records);
    json_document_set_count(document, "bytes", totals.bytes);
    json_document_set_count(document, "bytes_expected", totals.bytes_expected);
    json_document_set(document, "moves", moves);
    json_document_print(document);
}
