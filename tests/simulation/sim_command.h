/* SPDX-License-Identifier: Apache-2.0 */
/* sim_command.h — a command that an operator types on a host: a process for each command, like the
 * tool, or a migration inside the embedder. The product cannot distinguish the two. */
#ifndef HAUL_SIM_COMMAND_H
#define HAUL_SIM_COMMAND_H

#include <stdbool.h>
#include <stdint.h>

#include "haul/migration.h"
#include "sim_cells.h"
#include "sim_host.h"
#include "sim_kernel.h"

/* Name, purpose. */
#define SIM_VERB_LIST(X)                                      \
    X(RECV, "recv", "take whatever comes")                    \
    X(SEND, "send", "hand over the cells of a request")       \
    X(RESUME, "resume", "go on with what was begun")          \
    X(RESOLVE, "resolve", "tell the target what was decided") \
    X(CANCEL, "cancel", "give up every job of the database")  \
    X(STATUS, "status", "look at the records")                \
    X(RECLAIM, "reclaim", "take back what was handed over")   \
    X(FORCE, "force", "give up what is in doubt, or damaged") \
    X(FORGET, "forget", "a database of its own from now on")  \
    X(ADOPT, "adopt", "the original, moved to another place") \
    X(REBUILD, "rebuild", "make a damaged record again")      \
    X(DROP, "drop", "delete what was handed over")            \
    X(END, "end", "end what was decided, without its target")

enum sim_verb {
#define SIM_VERB_ENUM(name, word, sentence) SIM_VERB_##name,
    SIM_VERB_LIST(SIM_VERB_ENUM)
#undef SIM_VERB_ENUM
        SIM_VERB_COUNT
};

const char *sim_verb_name(enum sim_verb verb);

enum {
    SIM_COMMAND_COUNT = 16,
    SIM_COMMAND_TEXT_BYTES = 256,
    SIM_FREEZE_PATIENT_MS = 10000,
    SIM_CANCELLED_COUNT = 8
};

/* Cells that a hook has reserved for a job; 0: free. */
struct sim_reservation {
    uint32_t cells;
    uint8_t job[HAUL_JOB_BYTES];
};

struct sim_command {
    bool used;
    enum sim_verb verb;
    struct sim_host *host;
    const struct sim_host *to; /* the peer; NULL: none */
    struct sim_request request;
    bool overwrite;
    bool accepts;    /* accepts two owners */
    bool forces_one; /* FORCE, END: only this job */
    uint8_t job[HAUL_JOB_BYTES];
    bool patient;                     /* its freezes may take longer */
    bool is_unwatched;                /* nobody waits for its result */
    bool told_to_end;                 /* its operator no longer needs it */
    bool refuses_freezes;             /* an owner that refuses every hand-over */
    struct sim_process *process;      /* NULL: it has ended */
    struct haul_migration *migration; /* NULL: none yet, or none any more */
    uint32_t frozen;                  /* cells that its freeze has closed to clients */
    uint64_t frozen_ns;               /* when that freeze began */
    uint64_t excused_ns;              /* the part of this time that hooks and pauses took */
    uint64_t slow_before_ns;          /* time that slow calls had taken before it */
    struct sim_reservation reserved[HAUL_TARGET_JOBS_MAX];
    uint32_t hooks_running; /* of those that run one at a time */
    bool cancels;           /* its operator has cancelled all of it ... */
    uint8_t cancelled_jobs[SIM_CANCELLED_COUNT][HAUL_JOB_BYTES]; /* or these jobs last */
    uint32_t cancelled_count;
    /* ended normally; false: was killed */
    bool finished;
    enum haul_status outcome;
    bool verified;
    char text[SIM_COMMAND_TEXT_BYTES];
};

void sim_commands_init(void);
/* A new command; the caller fills in the rest and starts it. NULL: too many run. */
struct sim_command *sim_command_new(struct sim_host *host, enum sim_verb verb);
void sim_command_start(struct sim_command *command);
/* The operator has taken the result. */
void sim_command_drop(struct sim_command *command);

/* Called by the code of a command when it ends. */
void sim_command_note_end(struct sim_command *command, enum haul_status status, const char *text);

/* The n-th place, used or not. */
struct sim_command *sim_command_at(int index);
/* A running command of the host with this verb, or NULL. */
struct sim_command *sim_command_find(const struct sim_host *host, enum sim_verb verb);
/* Running commands of the host. */
uint32_t sim_command_count(const struct sim_host *host);
/* Cells that running commands have frozen. */
uint32_t sim_commands_frozen(const struct sim_host *host);
/* The host's processes were killed. */
void sim_commands_kill(const struct sim_host *host);

/* Grows each time a command ends or dies. */
uint64_t sim_commands_ended(void);

/* Request an orderly end that keeps what has arrived, or discards it. */
void sim_command_cancel(struct sim_command *command);
void sim_command_stop(struct sim_command *command);
/* Cancel one of the jobs that a receiver runs. False: it runs none, or the command is another. */
bool sim_command_cancel_job(struct sim_command *command);

#endif
