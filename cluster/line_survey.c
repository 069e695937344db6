/* SPDX-License-Identifier: Apache-2.0 */
/* line_survey.c — see line_survey.h. */
#include "line_survey.h"

#include <stdlib.h>
#include <string.h>

enum { HAND_OVER_ROUND_TRIPS = 10, US_PER_MS = 1000 };

static bool is_open(const struct cluster_run *run, size_t move)
{
    return run->moves[move].state != RUN_MOVE_DONE;
}

static const struct survey_line *line_of(const struct line_survey *survey,
                                         const struct cluster_run *run, size_t move)
{
    for (size_t i = 0; i < survey->count; i++) {
        const struct run_move *first = &run->moves[survey->lines[i].first_move];
        if (strcmp(first->from, run->moves[move].from) == 0 &&
            strcmp(first->to, run->moves[move].to) == 0) {
            return &survey->lines[i];
        }
    }
    return NULL;
}

enum haul_status line_survey_init(const struct cluster_run *run, struct line_survey *survey,
                                  struct haul_error *error)
{
    *survey = (struct line_survey){calloc(run->move_count + 1, sizeof(struct survey_line)), 0};
    if (survey->lines == NULL) {
        return haul_error_set(error, HAUL_NO_MEMORY, NULL, 0, "no memory for the lines");
    }
    for (size_t i = 0; i < run->move_count; i++) {
        if (is_open(run, i) && line_of(survey, run, i) == NULL) {
            survey->lines[survey->count++].first_move = i;
        }
    }
    return HAUL_OK;
}

void line_survey_fini(struct line_survey *survey)
{
    free(survey->lines);
    *survey = (struct line_survey){NULL, 0};
}

/* Negative: unknown. */
static double seconds_of(const struct line_survey *survey, const struct cluster_run *run,
                         const struct cluster_plan *plan, size_t move, uint64_t rate_max)
{
    const struct survey_line *line = is_open(run, move) ? line_of(survey, run, move) : NULL;
    if (line == NULL || !line->measured || line->rate == 0) {
        return -1;
    }
    uint64_t rate = rate_max > 0 && rate_max < line->rate ? rate_max : line->rate;
    return (double)plan->moves[move].bytes / (double)rate;
}

double line_survey_seconds(const struct line_survey *survey, const struct cluster_run *run,
                           const struct cluster_plan *plan, uint64_t rate_max)
{
    double sum = 0;
    double longest = -1; /* of this wave */
    bool any = false;
    for (size_t i = 0; i < run->move_count; i++) {
        double seconds = seconds_of(survey, run, plan, i, rate_max);
        if (i > 0 && plan->moves[i].wave != plan->moves[i - 1].wave) {
            sum += longest > 0 ? longest : 0;
            longest = -1;
        }
        longest = seconds > longest ? seconds : longest;
        any |= seconds >= 0;
    }
    sum += longest > 0 ? longest : 0;
    return any ? sum : -1;
}

double line_survey_longest_seconds(const struct line_survey *survey, const struct cluster_run *run,
                                   const struct cluster_plan *plan, const char *source,
                                   uint64_t rate_max)
{
    double longest = 0;
    for (size_t i = 0; i < run->move_count; i++) {
        double seconds = seconds_of(survey, run, plan, i, rate_max);
        if (strcmp(run->moves[i].from, source) == 0 && seconds > longest) {
            longest = seconds;
        }
    }
    return longest;
}

uint64_t line_survey_freeze_ms_min(const struct line_survey *survey, const struct cluster_run *run,
                                   const char *source)
{
    uint64_t longest_us = 0;
    for (size_t i = 0; i < survey->count; i++) {
        const struct survey_line *line = &survey->lines[i];
        if (line->measured && strcmp(run->moves[line->first_move].from, source) == 0 &&
            line->round_trip_us > longest_us) {
            longest_us = line->round_trip_us;
        }
    }
    return (longest_us * HAND_OVER_ROUND_TRIPS + US_PER_MS - 1) / US_PER_MS;
}
