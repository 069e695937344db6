/* SPDX-License-Identifier: Apache-2.0 */
/* job_text.c — the table of states. */
#include "job_text.h"

#include <stdio.h>
#include <string.h>

#include "json_output.h"
#include "shell_word.h"

enum { ID_DIGITS = 8, DIRECTORY_BYTES_MAX = JOB_TEXT_BYTES_MAX - 192 };

/* A command is "haul VERB --db DIR" and then the rest, in which the only %s is the job's id. */
struct way {
    const char *purpose;
    const char *verb;
    const char *rest;
};

struct state {
    enum haul_job_role role;
    const char *phase; /* NULL: every other one */
    struct way first;
    struct way second;
};

static const struct state states[] = {
    {HAUL_JOB_SOURCE,
     "ABORTED",
     {"inform its receiver (the next job that goes there does it as well)", "resolve",
      " --to ADDR:PORT"},
     {.purpose = NULL}},
    {HAUL_JOB_SOURCE,
     "COMMITTED",
     {"inform the receiver, which owns the ranges", "resolve", " --to ADDR:PORT"},
     {"the receiver is lost for good, take the ranges back", "owner",
      " --reclaim --accept-two-owners"}},
    {HAUL_JOB_SOURCE,
     "RELEASED",
     {"inform the receiver, which owns the ranges", "resolve", " --to ADDR:PORT"},
     {"the receiver is lost for good, take the ranges back", "owner",
      " --reclaim --accept-two-owners"}},
    {HAUL_JOB_SOURCE,
     NULL,
     {"go on", "resume", " --to ADDR:PORT"},
     {"give it up", "cancel", " --job %s"}},
    {HAUL_JOB_TARGET,
     "PREPARED",
     {"let its source come back and settle it", "recv", ""},
     {"the source is lost for good, remove what arrived", "cancel",
      " --job %s --accept-two-owners"}},
    {HAUL_JOB_TARGET, "COMMITTED", {"let its source learn it", "recv", ""}, {.purpose = NULL}},
    {HAUL_JOB_TARGET,
     "ABORTED",
     {"remove the rest of it", "cancel", " --job %s"},
     {.purpose = NULL}},
    {HAUL_JOB_TARGET,
     NULL,
     {"let its source go on", "recv", ""},
     {"give it up, and remove what arrived", "cancel", " --job %s"}},
};

enum { STATE_COUNT = sizeof(states) / sizeof(states[0]) };

static const struct state foreign = {
    .first = {"a copy: make it a database of its own", "owner", " --forget --accept-two-owners"},
    .second = {"the original, moved, restored or repaired", "owner",
               " --adopt --accept-two-owners"}};

static const struct state damaged = {
    .first = {"move the damaged journal aside", "cancel", " --job %s --accept-two-owners"}};

/* Its database was restored, and may have decided the job before that. */
static const struct state restored = {
    .first = {"ask its receiver whether it owns the ranges", "resolve", " --to ADDR:PORT"},
    .second = {"the receiver is lost for good, give it up", "cancel",
               " --job %s --accept-two-owners"}};

/* Its target owned the ranges, and has given a part of them back. */
static const struct state parted = {
    .first = {"on its receiver, send what that owns of the ranges (`haul owner` lists it: `haul "
              "send --overwrite --range R` for each); then, here",
              "cancel", " --job %s --accept-two-owners"},
    .second = {"ask its receiver whether it has given all of them back", "resolve",
               " --to ADDR:PORT"}};

/* The job was decided, and its target has given back what this database, set back, misses. */
static const struct state some_back = {
    .first = {"take back what its receiver has given back (`haul owner` there lists it), each "
              "range",
              "owner", " --reclaim --accept-two-owners --range R"},
    .second = {"when that is done, leave the rest to the receiver", "cancel",
               " --job %s --accept-two-owners"}};
static const struct state all_back = {
    .first = {"its receiver has given everything back: take it back, when nobody else has got it "
              "from here since",
              "owner", " --reclaim --accept-two-owners"},
    .second = {"ask its receiver once more", "resolve", " --to ADDR:PORT"}};

bool job_text_is_over(const struct haul_job *job)
{
    return job->role == HAUL_JOB_SOURCE && strcmp(job->phase, "ABORTED") == 0 && !job->restored;
}

const char *job_text_claim(const struct haul_job *job)
{
    switch (job->claim) {
    case HAUL_JOB_SERVES:
        return "this database owns the ranges";
    case HAUL_JOB_YIELDS:
        return job->returned ? "nobody owns the ranges: the receiver has given them back, of which "
                               "this database, set back, does not know"
               : job->parted ? "the receiver owns a part of the ranges; nobody owns what it has "
                               "given back, of which this database, set back, does not know"
                             : "the other database owns the ranges";
    case HAUL_JOB_IN_DOUBT:
        break;
    }
    return job->parted     ? "the receiver owns a part of the ranges, and has given back the rest"
           : job->restored ? "the receiver may own the ranges: nobody may write to them until it "
                             "was asked"
                           : "nobody may write to the ranges until the source has decided";
}

static const struct state *find_state(const struct haul_job *job)
{
    if (job->condition == HAUL_JOB_FOREIGN) {
        return &foreign;
    }
    if (job->restored) {
        return job->parted ? &parted : &restored;
    }
    if (job->condition == HAUL_JOB_SOUND && (job->returned || job->parted)) {
        return job->returned ? &all_back : &some_back;
    }
    size_t i = 0;
    while (i + 1 < STATE_COUNT &&
           (states[i].role != job->role ||
            (states[i].phase != NULL && strcmp(states[i].phase, job->phase) != 0))) {
        i++;
    }
    return job->condition == HAUL_JOB_DAMAGED ? &damaged : &states[i];
}

static void format_way(const struct way *way, const char *id, const char *directory,
                       struct job_text_way *made)
{
    char rest[64] = "";
    *made = (struct job_text_way){.purpose = ""};
    if (way->purpose == NULL) {
        return;
    }
    const char *hole = strstr(way->rest, "%s");
    int before = hole == NULL ? (int)strlen(way->rest) : (int)(hole - way->rest);
    (void)snprintf(rest, sizeof(rest), "%.*s%s%s", before, way->rest, hole == NULL ? "" : id,
                   hole == NULL ? "" : hole + 2);
    made->purpose = way->purpose;
    (void)snprintf(made->command, sizeof(made->command), "haul %s --db %s%s", way->verb, directory,
                   rest);
}

void job_text_ways(const struct haul_job *job, const char *directory, struct job_text_ways *ways)
{
    char id[2 * HAUL_JOB_BYTES + 1];
    char word[DIRECTORY_BYTES_MAX];
    const struct state *state = find_state(job);
    json_output_job(job->id, id);
    id[ID_DIGITS] = '\0';
    (void)shell_word(directory, "DIR", word, sizeof(word));
    format_way(&state->first, id, word, &ways->first);
    format_way(&state->second, id, word, &ways->second);
}
