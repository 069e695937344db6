/* SPDX-License-Identifier: Apache-2.0 */
/* migration.h — moves key ranges from one live store to another; both ends of a migration.
 *
 *   source process                                  target process
 *   haul_source_start(store, to, ranges, hooks)     haul_target_start(store, listen, hooks)
 *   haul_migration_progress / stop / cancel         haul_migration_progress / stop / cancel
 *   haul_migration_ended, _result                   haul_migration_ended, _result
 *   haul_migration_destroy                          haul_migration_destroy
 *
 * Promise. HAUL_OK as the source's result means: the target owns the ranges, everything in them is
 * durable there, and both sides computed the same count and digest. After IN_DOUBT the decision
 * was made, or may have been, and the target has not confirmed it: the source must not serve the
 * ranges. After every other status the source owns them. A target owns the ranges from the call of
 * `own` on.
 *
 * Trying again. After STOPPED, BUSY, TIMEOUT, CLOSED, REFUSED and UNREACHABLE the same call of
 * haul_source_start continues the job. After LIMIT, NO_MEMORY, NO_SPACE and IO it succeeds once the
 * cause is gone, and continues the job or begins a new one. After IN_DOUBT, haul_source_start with
 * `resolve` reports the decision to the target. CANCELLED leaves nothing of the job. After any
 * other status something must change first; `error.hint` names it.
 *
 * At start-up. haul keeps the owner of each range beside the database, not in the program. Before
 * the program serves anything, it reads
 *   1. the ownership record: haul_owner_of_store (haul/owner.h). It serves nothing if the origin is
 *      not SAME, and no range that is RELEASED.
 *   2. the unfinished jobs: haul_jobs_list (haul/job.h).
 *      Source, YIELDS: the target owns the ranges. Start a source with `resolve`; it calls
 *      `release` again.
 *      Source, IN_DOUBT: writes were frozen, and nothing is decided. Refuse writes until
 *      haul_source_start has returned OK for the job; it does not call `unfreeze`. (With
 *      `restored` only the target knows the owner: start a source with `resolve`.)
 *      Target: records have arrived in ranges that do not belong to this database yet. Neither the
 *      ownership record nor struct haul_job names these ranges, so the program itself stores what
 *      it accepts in `reserve`. Start the target again; it calls `own` (`own_job`) if the job is
 *      committed.
 * With `version_get` the program has a register of its own, and haul leaves the ownership record as
 * it is. The program then reads its register, and the jobs as above: a decision may be newer than
 * the register.
 *
 * A crash between `freeze` and `release`. The decision is one durable record. If it was written,
 * the target owns the ranges: they are RELEASED, or the job YIELDS. If not, the source owns them,
 * and the job can be resumed. Either way there is one owner.
 *
 * Resumption. A broken job continues from what the target holds durably. If the source's process
 * has ended, its write-ahead log must still reach back to the beginning of the job, because the
 * log is replayed from there. While a migration runs, haul pins the log. After the process has
 * ended, RocksDB decides how much of the log stays. haul_rocks_store_open keeps the log itself
 * (`keep_log`); a program that attaches its own database sets WAL_ttl_seconds to more than the
 * longest job, an outage and a restart take together, or WAL_size_limit_MB to more than is written
 * in that time. If the log is too short, the job starts over and logs the reason.
 *
 * After the end. The source's copy stays until the program deletes it: haul_owner_drop.
 *
 * Memory. Option structs are copied. What they point to (the store, names, ranges, the hooks'
 * context) is borrowed until haul_migration_destroy. Results belong to the migration. Close a store
 * after the last migration that uses it, and an attached database after its store.
 *
 * Threads. Each migration has a loop thread, a few readers or appliers, and a thread for hooks. The
 * library installs no signal handler, prints nothing and reads no environment variable. Every wait
 * has a deadline. A program with an event loop polls haul_migration_fd.
 *
 * Trying it out. Both ends can run in one process: start the target with `listen` "127.0.0.1:0",
 * and the source with `to` haul_migration_address(target). See examples/. */
#ifndef HAUL_MIGRATION_H
#define HAUL_MIGRATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "haul/key.h"
#include "haul/limits.h"
#include "haul/log.h"
#include "haul/slice.h"
#include "haul/status.h"
#include "haul/store.h"
#include "haul/transport.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Every lane: its name in C, its number (part of the wire), its name for people, and PREFIX of its
 * table PREFIX_lane_ops, which engine/target/lane_PREFIX.c defines. The order is that of `auto`,
 * which takes the first lane that the store allows; a stream that this lane does not suit uses the
 * last. */
#define HAUL_LANES(X)                                                              \
    X(INGEST, 1, "ingest", ingest)         /* build table files and ingest them */ \
    X(WRITE_BATCH, 2, "writebatch", batch) /* atomic batches with the write-ahead log */

/* How the target applies what it receives. */
enum haul_lane {
    HAUL_LANE_AUTO = 0, /* ingest where it is safe and pays, else write batches */
#define HAUL_LANE_VALUE(name, number, text, prefix) HAUL_LANE_##name = (number),
    HAUL_LANES(HAUL_LANE_VALUE)
#undef HAUL_LANE_VALUE
};

/* "auto", "ingest", "writebatch"; NULL: not a lane. */
const char *haul_lane_name(enum haul_lane lane);
/* Errors: INVALID. */
enum haul_status haul_lane_parse(const char *text, enum haul_lane *lane) HAUL_MUST_CHECK;

struct haul_range {
    struct haul_slice start; /* inclusive */
    struct haul_slice end;   /* exclusive; size 0: to the end */
};

/* What a job is about to put into a database. Borrowed for the call. */
struct haul_reservation {
    uint8_t job[HAUL_JOB_BYTES];
    const char *const *families; /* names, including families that the target does not have yet */
    size_t family_count;
    const struct haul_range *ranges; /* of each family */
    size_t range_count;
    bool overwrite; /* the job may remove records that lie in the ranges */
};

enum haul_compression {
    HAUL_COMPRESSION_AUTO = 0, /* while the job waits for links that are slower than the compressor,
                                * and not for the target; measured */
    HAUL_COMPRESSION_OFF = 1,
    HAUL_COMPRESSION_ON = 2,
};

/* How data travels. With keys both sides insist on the stronger of their two modes. */
enum haul_wire {
    HAUL_WIRE_AUTO = 0,   /* SECURE with keys, NONE without */
    HAUL_WIRE_NONE = 1,   /* readable, with a checksum against accidents */
    HAUL_WIRE_AUTH = 2,   /* readable, authenticated (AES-256-GMAC) */
    HAUL_WIRE_SECURE = 3, /* encrypted and authenticated (AES-256-GCM) */
};
/* "auto", "none", "auth", "secure"; NULL: no such mode. Errors of parsing: INVALID. Thread: any. */
const char *haul_wire_name(enum haul_wire wire);
enum haul_status haul_wire_parse(const char *text, enum haul_wire *wire) HAUL_MUST_CHECK;

/* Whom one side takes for the other. */
enum haul_trust {
    HAUL_TRUST_HOST = 0,        /* whoever is on this host */
    HAUL_TRUST_KEY = 1,         /* whoever has proved that he holds the key */
    HAUL_TRUST_ANYBODY = 2,     /* whoever reaches the other: `insecure` */
    HAUL_TRUST_CERTIFICATE = 3, /* whoever has a certificate that this side accepts */
};
/* "host", "key", "anybody", "certificate"; NULL: no such trust. Thread: any. */
const char *haul_trust_name(enum haul_trust trust);

struct haul_result;

/* What the program does for a migration. A NULL hook succeeds and does nothing.
 *
 * Thread: `freeze`, `unfreeze`, `reserve`, `unreserve`, `own`, `own_job` and `was_owned` run one at
 * a time for each migration, on threads of their own. They may take locks, write to the database,
 * and take as long as their comments allow. `release`, `log_data`, `annotate` and `job_ended` run
 * on threads that move data, possibly at the same time as another hook: they must return at once.
 * `annotate` runs on each applier, for different records at the same time. `version_get` runs on
 * either kind of thread, or within haul_source_start.
 * Any hook may call haul_migration_stop, _cancel and _progress. None may call haul_migration_ended
 * or _destroy for its own migration: these wait for the hook. */
struct haul_hooks {
    void *context;
    /* Source: stop writes to the ranges. The program either refuses them, or holds them back until
     * `unfreeze` (let them through) or `release` (refuse them). When the hook returns OK, every
     * write that the program has accepted is in the store, and no further one follows. The hook
     * returns within `deadline_ms` (freeze_max_ms), or fails with TIMEOUT. If it fails or is late,
     * the source calls `unfreeze`, sends another round of the log, and freezes again, 10 times at
     * most; after IO and UNSUPPORTED it does not try again. */
    enum haul_status (*freeze)(void *context, uint32_t deadline_ms, struct haul_error *error);
    /* Source: the hand-over did not happen; accept writes again. Called after each `freeze` that
     * no decision follows, also after one that failed; not while the decision is in doubt. */
    void (*unfreeze)(void *context);
    /* Source: the decision is durable and the target owns the ranges; redirect or refuse requests.
     * After a crash only a source with `resolve` calls it again, so it must be idempotent. */
    void (*release)(void *context, uint64_t new_version);
    /* Target: may this job come? Called before anything is created, cleared or given up for the
     * job. After OK the program refuses other writes to the ranges; an error refuses the job.
     * Called again when a job is resumed after a restart. If it takes longer than 24 peer timeouts
     * (two minutes by default), the attempt ends with TIMEOUT. Without this hook the digest detects
     * such writes. */
    enum haul_status (*reserve)(void *context, const struct haul_reservation *wanted,
                                struct haul_error *error);
    /* Target: the job of a reservation was refused after all, or has ended without a commit, and
     * its part was removed. Also called for a job of an earlier process, when another job's plan or
     * its own source ends it, and again after a crash in between, so it must be idempotent. A job
     * that is kept keeps its reservation; after haul_job_give_up the caller releases it. */
    void (*unreserve)(void *context, const uint8_t job[HAUL_JOB_BYTES]);
    /* Target: own the ranges, accept writes. Called again after a crash in between, so it must be
     * idempotent. */
    enum haul_status (*own)(void *context, uint64_t new_version, struct haul_error *error);
    /* Target, with `version_get`: has `own` succeeded for this job, whose journal is gone? Called
     * for a source that missed the last message. Without this hook the ownership record beside the
     * database is used. */
    bool (*was_owned)(void *context, const uint8_t job[HAUL_JOB_BYTES]);
    /* The config version in force. Both sides. Without this hook haul keeps the version beside the
     * database. */
    enum haul_status (*version_get)(void *context, uint64_t *version, struct haul_error *error);
    /* Source: a LogData blob that was written to the log during the job. (Whether it is sent, too:
     * `log_data` of the options.) */
    void (*log_data)(void *context, struct haul_slice blob);
    /* Target: a job has ended, while others may run, and the next may come. `result` is borrowed
     * for the call; haul_migration_result later returns that of the last job. The loop waits for
     * this hook, and another hook may run at the same time: return at once. */
    void (*job_ended)(void *context, const struct haul_result *result);
    /* Target: LogData to put in front of this record of the copy, for readers of the target's log.
     * The hook fills `blob` and returns the size; 0: none. LogData stands for all records behind it
     * in its batch, so a blob that is equal to the one before it in the batch is not put again; a
     * record for which there is none should therefore not follow one that has some. Only in the
     * write-batch lane: ingested records are in no log. `family` is a name. Changes have the
     * LogData of the source's log (`log_data` of its options). */
    size_t (*annotate)(void *context, const char *family, struct haul_slice key,
                       struct haul_slice value, uint8_t blob[HAUL_LOG_DATA_BYTES_MAX]);
    /* Target: like `own`, and called instead of it: it also names the job. A target that runs
     * several jobs at once (jobs_max) needs this hook to know what it owns. */
    enum haul_status (*own_job)(void *context, const uint8_t job[HAUL_JOB_BYTES],
                                uint64_t new_version, struct haul_error *error);
    void (*reserved[6])(void);
};

struct haul_rate;

/* A number that is zero stands for its default. Everything pointed to is borrowed until
 * haul_migration_destroy. */
struct haul_source_options {
    size_t size_bytes; /* of this struct: haul/version.h */
    struct haul_store *store;
    const char *to;                        /* ADDR:PORT of the target */
    struct haul_transport_list transports; /* to try, in this order; zero: auto */
    struct haul_link_options link;
    uint32_t link_count;         /* data links; default 1, or 4 over a round trip of 5 ms */
    const char *const *families; /* names; none: every family of the store */
    size_t family_count;
    const char *const *metadata_families; /* members of `families` to copy first */
    size_t metadata_family_count;
    const struct haul_range *ranges; /* none: everything */
    size_t range_count;
    const char *cpu_list;              /* "0-3,8": of its threads; NULL: near the card */
    uint32_t reader_count;             /* default 1, or one for each link */
    uint32_t batch_size_bytes_min;     /* default 1 MiB, at least 64 bytes */
    uint32_t batch_size_bytes_max;     /* default 4 MiB, at most slot size - 64 */
    uint64_t rate_bytes_per_second;    /* 0: unlimited */
    enum haul_compression compression; /* of payloads, if the target can decompress them */
    enum haul_lane lane;
    bool overwrite;     /* clear a target range that is not empty, if the target allows it */
    bool keep_versions; /* config_version below is set by the caller, not read */
    uint64_t config_version;
    uint32_t freeze_max_ms; /* default 500 */
    /* Before the hand-over both sides read everything again: count and digest then cover what the
     * databases hold, not what was sent. Writes are frozen meanwhile, so freeze_max_ms must allow
     * it. A target of an earlier release is refused (UNSUPPORTED). */
    bool read_back;
    uint32_t retry_max_ms;  /* how long to reconnect after the path is lost; default 30 s */
    bool resume;            /* no new job: continue the one that an earlier process has left,
                             * with its families, ranges and lane. NOT_FOUND: no such job;
                             * VERSION: the version_get hook returns another version by now.
                             * Without it a matching job is continued as well, if there is one */
    bool resolve;           /* no new job: report the decision of an earlier one to the target */
    uint64_t lag_bytes_max; /* freeze when the log lags by less than this; default 1 MiB */
    /* A running job keeps log and table files of the source from being removed. When these take
     * more than this, it stops as by haul_migration_stop, with STOPPED. 0: no limit. */
    uint64_t pinned_bytes_max;
    struct haul_slice secret; /* sent to the target; at most HAUL_SECRET_BYTES_MAX */
    struct haul_hooks hooks;
    const struct haul_log *log;
    /* resolve: a target that waits for a finished job, because it was set back, may own by it
     * (UNCONFIRMED otherwise): what it gave on since has two owners then. */
    bool accept_two_owners;
    /* Send the LogData of the log with the changes beside it, so that it is in the target's log for
     * whoever reads that; for records of the copy see the hook `annotate`. A target of an earlier
     * release gets none. */
    bool log_data;
    /* Authenticates both sides and encrypts the control connection; the first key is used. NULL:
     * `to` must be an address of the loopback interface (AUTH otherwise), unless `insecure`. */
    const struct haul_keys *keys;
    bool insecure;
    enum haul_wire wire; /* at least this; the peer may insist on more. INVALID: it needs a key */
    /* A limit that this source shares with others of the program, beside its own
     * (rate_bytes_per_second); NULL: none. Borrowed until haul_migration_destroy. */
    struct haul_rate *rate;
};

struct haul_target_options {
    size_t size_bytes; /* of this struct: haul/version.h */
    struct haul_store *store;
    const char *listen;                    /* ADDR:PORT; default [::]:HAUL_PORT_DEFAULT */
    struct haul_transport_list transports; /* that senders may use; zero: auto */
    struct haul_link_options link;
    /* End after the first job that ends, and run one at a time. A refused source does not count as
     * a job, nor does one whose plan was accepted and that opened no data link. */
    bool once;
    /* once: how long to wait for a lost source; default: as long as it retries, plus some
     * seconds */
    uint32_t resume_wait_ms;
    const char *cpu_list;   /* "0-3,8": processors for its threads; NULL: near the card */
    uint32_t applier_count; /* default 1 */
    enum haul_lane lane;
    uint64_t table_size_bytes; /* ingest lane: size of a table file; default 64 MiB */
    /* Space that stays free on the database's file system: a plan that does not fit is refused,
     * and a job that reaches the limit is stopped, with NO_SPACE. 0: 5 % of the file system, at
     * least 1 GiB, at most 10 %. */
    uint64_t keep_free_bytes;
    bool read_back; /* read everything before Prepared, even if the source does not request it */
    /* Only sources that send this secret are admitted; others are refused with AUTH, do not count
     * as jobs and do not end `once`. The secret travels in the clear. None: any source. */
    struct haul_slice secret;
    /* Sources may compare their records with those here (haul/verify.h) while no job runs: they
     * cause reads, and learn digests and keys. */
    bool answers_verify;
    bool keep_versions;
    uint64_t config_version;
    struct haul_hooks hooks;
    const struct haul_log *log;
    /* Only sources with one of these keys are admitted. NULL: `listen` must be an address of the
     * loopback interface (AUTH otherwise), and is 127.0.0.1 by default, unless `insecure`. */
    const struct haul_keys *keys;
    bool insecure;
    /* What sources may do here, whatever they ask for; a plan beyond it is refused before anything
     * is changed, and so is a comparison. Without `allow_overwrite` a range that holds records is
     * refused (NOT_EMPTY), as if the source had not asked to overwrite. Families and ranges: none:
     * all. Ranges that touch allow what they cover together. */
    bool allow_overwrite;
    const char *const *only_families; /* names */
    size_t only_family_count;
    const struct haul_range *only_ranges; /* of each family */
    size_t only_range_count;
    enum haul_wire wire; /* at least this; the peer may insist on more. INVALID: it needs a key */
    /* Jobs at the same time, at most HAUL_TARGET_JOBS_MAX, of any sources, as long as their ranges
     * do not overlap. One more waits until another has ended (BUSY). Each has a journal, a
     * progress, and an end of its own. The first has the slots of each link and the appliers for
     * itself; one that joins n others gets an (n + 1)th part of them, at least one. Default 1:
     * `own` does not name its job (own_job). Without `reserve` a target takes the writes of one
     * job for foreign writes to another, and reads the ranges before their hand-over. INVALID: more
     * than 1 with `once`, or with `own` alone. */
    uint32_t jobs_max;
};

enum haul_phase {
    HAUL_PHASE_LISTENING = 0, /* target: no job yet */
    HAUL_PHASE_CONNECTING = 1,
    HAUL_PHASE_PLANNING = 2,
    HAUL_PHASE_COPYING = 3,
    HAUL_PHASE_CATCHING_UP = 4,
    HAUL_PHASE_FROZEN = 5,
    HAUL_PHASE_COMMITTING = 6,
    HAUL_PHASE_RETRYING = 7,
    HAUL_PHASE_ABORTING = 8,
    HAUL_PHASE_ENDED = 9,
};
/* "listening", "connecting", ... */
const char *haul_phase_name(enum haul_phase phase);

/* Figures of a migration, as of the last turn of its loop. */
struct haul_progress {
    enum haul_phase phase;
    enum haul_transport transport;
    uint64_t records;         /* sent (source), applied (target); at the end, after OK: handed over
                              * */
    uint64_t bytes;           /* of these records; at the end, after OK: of their keys and values
                              * alone */
    uint64_t bytes_expected;  /* estimate; 0: unknown */
    uint64_t wire_bytes;      /* on the data links, headers included */
    uint64_t lag_bytes;       /* source: log that is still to be sent, estimated in bytes of the
                              * ranges */
    uint64_t durable_records; /* of the copy: durable on the target */
    uint64_t durable_bytes;
    uint64_t pinned_log_bytes;   /* source: files that only the job keeps from being removed */
    uint64_t pinned_table_bytes; /* likewise */
    uint32_t rounds;             /* log rounds so far */
    double seconds;              /* since start (source), since the first block (target) */
    enum haul_wire wire;         /* how data travels; AUTO: not agreed on yet */
    enum haul_trust trust;
    uint64_t reserved[7];
};

struct haul_family_result {
    char name[HAUL_NAME_BYTES_MAX];
    uint64_t records;
    uint64_t bytes;
    char digest[HAUL_DIGEST_TEXT_BYTES];
    uint64_t reserved[2];
};

/* An option of a column family that differs between source and target. */
struct haul_option_difference {
    char family[HAUL_NAME_BYTES_MAX];
    char name[64];    /* as in RocksDB's OPTIONS file; table options begin with "table." */
    char source[128]; /* the values; cut when longer */
    char target[128];
};

/* About 48 KiB: not for the small stack of a thread. */
struct haul_result {
    enum haul_status status;
    struct haul_error error;       /* when status is not OK */
    struct haul_progress progress; /* final figures */
    uint8_t job[HAUL_JOB_BYTES];
    bool verified; /* count and digest compared equal */
    bool resumed;  /* it continued what an earlier attempt had left, of this process or another */
    char fallback_reason[HAUL_REASON_BYTES_MAX]; /* why not RDMA; empty: no fallback */
    enum haul_lane lane;
    uint32_t retries;
    uint32_t told_count;    /* resolve: jobs that are over, of which the target holds nothing */
    uint32_t yielded_count; /* resolve: hand-overs that were found and recorded now */
    uint32_t link_count;    /* data links in use at the end */
    double write_pause_ms;  /* freeze to release */
    uint64_t lag_bytes_at_freeze;
    uint64_t old_version;
    uint64_t new_version;
    uint64_t crc_errors;
    struct haul_link_stats link; /* sum over the links */
    size_t family_count;
    struct haul_family_result families[HAUL_FAMILY_COUNT_MAX];
    /* Options in which families of the target differ. Borrowed from the migration. */
    const struct haul_option_difference *option_differences;
    size_t option_difference_count;
    char warning[HAUL_ERROR_HINT_BYTES_MAX]; /* after a job that ended well: what to look at; or ""
                                              * */
};

/* Figures of one job. */
struct haul_job_progress {
    uint8_t job[HAUL_JOB_BYTES];
    char peer[HAUL_ADDRESS_TEXT_BYTES_MAX]; /* "ADDR:PORT" of its source; of a source: `to` */
    struct haul_progress progress;
    uint64_t reserved[4];
};

struct haul_migration;

/* Check whether haul_source_start would refuse, before it contacts the peer. Changes nothing.
 * Errors: those of haul_source_start. Thread: any. */
enum haul_status haul_source_check(const struct haul_source_options *options,
                                   struct haul_error *error) HAUL_MUST_CHECK;

/* Start a migration. Everything that can be refused without the peer is refused here.
 * A database may be the source of several jobs at once, as long as their ranges do not overlap. If
 * it has `version_get`, and a hand-over changes the version, the first that decides fences the
 * others (FENCED): run them one after the other.
 * Errors: INVALID, NOT_FOUND (a family; with `resume` and `resolve`: no such job), MISMATCH (also:
 * the ranges were handed over before), UNSUPPORTED, NO_MEMORY, LIMIT, BUSY (a job runs on these
 * ranges, or would bring them here; with `resume`, the only job to continue runs, and with
 * `resolve` any job does), IN_DOUBT (an earlier job of these ranges was decided and is not
 * finished: `resolve` it first; or a job that is prepared here would bring a part of them), VERSION
 * (see `resume`), and those of the store and of files. Thread: any. */
enum haul_status haul_source_start(const struct haul_source_options *options,
                                   struct haul_migration **migration,
                                   struct haul_error *error) HAUL_MUST_CHECK;

/* Start to listen. Errors: as for haul_source_start; BUSY (port in use), UNSUPPORTED (mode RDMA
 * without a device). Thread: any. */
enum haul_status haul_target_start(const struct haul_target_options *options,
                                   struct haul_migration **migration,
                                   struct haul_error *error) HAUL_MUST_CHECK;

/* The target's listening address as text, with the real port. Target only. Thread: any. */
const char *haul_migration_address(const struct haul_migration *migration);

/* Of a target: of all its jobs together, in the phase of the oldest. Thread: any. */
void haul_migration_progress(struct haul_migration *migration, struct haul_progress *progress);

/* The jobs that a target runs, the oldest first, at most `count_max` of them; of a source its one
 * job, with `resolve` none. Returns their number: 0 after the end. Thread: any. */
size_t haul_migration_jobs(struct haul_migration *migration, struct haul_job_progress *jobs,
                           size_t count_max);

/* haul_migration_cancel for one job. The others of a target go on, and so does the target, whose
 * hook `job_ended` reports the end. Returns at once. Errors: NOT_FOUND (the migration does not run
 * it). Thread: any. */
enum haul_status haul_migration_cancel_job(struct haul_migration *migration,
                                           const uint8_t job[HAUL_JOB_BYTES]) HAUL_MUST_CHECK;

/* Request an orderly end that keeps what has arrived: before the decision the job ends with
 * STOPPED, both sides keep their records of it, and a later haul_source_start continues it; after
 * the decision the job runs to its end. Returns at once; safe in a signal handler. Thread: any. */
void haul_migration_stop(struct haul_migration *migration);

/* Request an orderly end that keeps nothing: before the decision this aborts the job, the target
 * removes what it has of it, and both sides end with CANCELLED; after the decision the job runs to
 * its end. Also works after haul_migration_stop. Returns at once; safe in a signal handler. Thread:
 * any. */
void haul_migration_cancel(struct haul_migration *migration);

/* Change `rate_bytes_per_second` of a running source, also of its later attempts; 0: unlimited. A
 * target ignores it. Returns at once. Thread: any. */
void haul_migration_rate(struct haul_migration *migration, uint64_t bytes_per_second);

/* A rate limit of several sources. Those that have something to send get equal shares of it, and
 * one alone gets all of it. 0: unlimited. Errors: NO_MEMORY. Thread: any, but destroy it after the
 * sources that share it. */
enum haul_status haul_rate_create(uint64_t bytes_per_second, struct haul_rate **rate,
                                  struct haul_error *error) HAUL_MUST_CHECK;
/* Change it, also for sources that run. Returns at once. */
void haul_rate_set(struct haul_rate *rate, uint64_t bytes_per_second);
void haul_rate_destroy(struct haul_rate *rate);

/* Has the migration ended? Waits up to `timeout_ms` for the end. Thread: one. */
bool haul_migration_ended(struct haul_migration *migration, uint32_t timeout_ms);

/* The outcome. Only after haul_migration_ended has returned true. Ownership: the migration's. */
const struct haul_result *haul_migration_result(const struct haul_migration *migration);

/* A descriptor that is readable once the migration has ended, for event loops. Owned by the
 * migration. */
int haul_migration_fd(const struct haul_migration *migration);

/* Stop the migration if it still runs, wait for its threads and running hooks, and free it. */
void haul_migration_destroy(struct haul_migration *migration);

#ifdef __cplusplus
}
#endif

#endif
