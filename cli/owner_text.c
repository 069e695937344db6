/* SPDX-License-Identifier: Apache-2.0 */
/* owner_text.c — prints what a database owns, for people. */
#include "owner_text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "haul/text_escape.h"
#include "human_size.h"
#include "json_output.h"
#include "range_option.h"
#include "shell_word.h"

enum { KEYS_BYTES_MAX = 256, PEER_TEXT_BYTES_MAX = HAUL_IDENTITY_BYTES_MAX * 4 + 8 };

void owner_text_range(const struct haul_owner_range *range, char text[OWNER_TEXT_RANGE_BYTES_MAX])
{
    char keys[KEYS_BYTES_MAX];
    char family[OWNER_TEXT_RANGE_BYTES_MAX - KEYS_BYTES_MAX - 48];
    range_option_format(&range->range, keys, sizeof(keys));
    (void)haul_text_escape(range->family, strlen(range->family), family, sizeof(family));
    bool all_keys = range->range.start.size == 0 && range->range.end.size == 0;
    (void)snprintf(text, OWNER_TEXT_RANGE_BYTES_MAX, "%s%s, %s%s",
                   family[0] == '\0' ? "every other column family" : "column family ", family,
                   all_keys ? "all keys" : "keys ", all_keys ? "" : keys);
}

void owner_text_time(uint64_t time_s, char text[OWNER_TEXT_TIME_BYTES])
{
    time_t seconds = (time_t)time_s;
    struct tm parts;
    text[0] = '\0';
    bool recorded = time_s != 0 && gmtime_r(&seconds, &parts) != NULL && parts.tm_year < 8100;
    if (recorded) {
        (void)snprintf(text, OWNER_TEXT_TIME_BYTES, "%04d-%02d-%02dT%02d:%02d:%02dZ",
                       parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday, parts.tm_hour,
                       parts.tm_min, parts.tm_sec);
    }
}

/* " to IDENTITY", or nothing if it was not recorded. */
static void peer_text(const char *word, const char *peer, char text[PEER_TEXT_BYTES_MAX])
{
    char safe[HAUL_IDENTITY_BYTES_MAX * 4];
    (void)haul_text_escape(peer, strlen(peer), safe, sizeof(safe));
    (void)snprintf(text, PEER_TEXT_BYTES_MAX, "%s%s%s", peer[0] == '\0' ? "" : " ",
                   peer[0] == '\0' ? "" : word, peer[0] == '\0' ? "" : safe);
}

static void print_ranges(const struct haul_owner *owner)
{
    for (size_t i = 0; i < owner->range_count; i++) {
        const struct haul_owner_range *range = &owner->ranges[i];
        bool released = range->state == HAUL_OWNER_RELEASED;
        char where[OWNER_TEXT_RANGE_BYTES_MAX];
        char peer[PEER_TEXT_BYTES_MAX];
        char job[2 * HAUL_JOB_BYTES + 1];
        owner_text_range(range, where);
        peer_text(released ? "to " : "from ", range->peer, peer);
        json_output_job(range->job, job);
        (void)printf("%s: %s%s, job %s\n", released ? "given away" : "taken over", where, peer,
                     job);
    }
    (void)printf("%s\n", owner->range_count == 0
                             ? "this database owns everything in it: no job has moved a range"
                             : "everything else belongs to this database");
}

/* What the history says of a job that moved its ranges, in a second entry. NULL: nothing. */
static const char *remark_on(const struct haul_owner_job *job)
{
    bool gave = job->act == HAUL_OWNER_GAVE;
    return gave && job->result == HAUL_MISMATCH      ? "which was set back, and has lost it"
           : gave && job->result == HAUL_UNCONFIRMED ? "which had not confirmed it: the job was "
                                                       "ended by hand"
                                                     : NULL;
}

static void print_job(const struct haul_owner_job *job)
{
    char time[OWNER_TEXT_TIME_BYTES];
    char id[2 * HAUL_JOB_BYTES + 1];
    char peer[PEER_TEXT_BYTES_MAX];
    char bytes[HUMAN_TEXT_BYTES_MAX];
    owner_text_time(job->time_s, time);
    json_output_job(job->job, id);
    peer_text(job->act == HAUL_OWNER_TOOK ? "from " : "to ", job->peer, peer);
    human_bytes((double)job->bytes, bytes);
    (void)printf("  %s %s", time[0] == '\0' ? "(no time)" : time, haul_owner_act_name(job->act));
    if (job->act == HAUL_OWNER_RECLAIMED) {
        (void)printf(", version %" PRIu64 " -> %" PRIu64 "\n", job->old_version, job->new_version);
        return;
    }
    if (job->result == HAUL_OK) {
        (void)printf(" %" PRIu64 " records, %s%s, version %" PRIu64 " -> %" PRIu64, job->records,
                     bytes, peer, job->old_version, job->new_version);
    } else if (remark_on(job) != NULL) {
        (void)printf("%s, %s", peer, remark_on(job));
    } else {
        (void)printf(" nothing%s: %s", peer, haul_status_sentence(job->result));
    }
    (void)printf(", job %s\n", id);
}

/* What the record is, and the purpose of --adopt; NULL for SAME. */
static const char *const origins[][2] = {
    [HAUL_OWNER_COPY] = {"this database is a copy or a restored backup: the record is the "
                         "original's",
                         "it is the original, which was moved or restored:"},
    [HAUL_OWNER_RESET] = {"this database was set back to an earlier state than the record's",
                          "continue from there:"},
    [HAUL_OWNER_OTHER] = {"the record is of another database",
                          "it is the same one, repaired or with a new IDENTITY:"}};

static void print_origin(enum haul_owner_origin origin, const char *directory)
{
    if (origin == HAUL_OWNER_SAME) {
        return;
    }
    (void)printf(
        "%s\n"
        "  nothing is sent, received or dropped here until you choose:\n"
        "  a database of its own from now on: haul owner --db %s --forget --accept-two-owners\n"
        "  %s haul owner --db %s --adopt --accept-two-owners\n",
        origins[origin][0], directory, origins[origin][1], directory);
}

void owner_text_print(const struct haul_owner *owner, const char *directory, size_t job_count_max)
{
    char word[1024];
    (void)shell_word(directory, "DIR", word, sizeof(word));
    if (owner->identity[0] == '\0' && owner->range_count == 0 && owner->job_count == 0) {
        (void)printf("haul has not been used on this database\n");
    } else {
        (void)printf("database %s, config version %" PRIu64 "\n",
                     owner->identity[0] == '\0' ? "(without IDENTITY)" : owner->identity,
                     owner->config_version);
    }
    print_origin(owner->origin, word);
    print_ranges(owner);
    size_t shown = owner->job_count < job_count_max ? owner->job_count : job_count_max;
    if (shown > 0) {
        (void)printf("last jobs, newest last (%zu of %zu):\n", shown, owner->job_count);
    }
    for (size_t i = owner->job_count - shown; i < owner->job_count; i++) {
        print_job(&owner->jobs[i]);
    }
}
