/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_recv.c — `haul recv`: take key ranges into a database. */
#include "command.h"
#include "haul/migration.h"
#include "haul/store.h"
#include "migration_options.h"
#include "migration_run.h"
#include "option_value.h"
#include "output.h"
#include "process_limit.h"
#include "range_option.h"
#include "trust_options.h"

struct recv_options {
    struct output_options output;
    struct trust_options trust;
    const char *database;
    const char *wal_dir;
    const char *listen;
    struct haul_transport_list transports;
    bool once;
    uint32_t jobs_max;
    uint32_t resume_wait_ms;
    const char *cpu_list;
    uint32_t applier_count;
    bool read_back;
    bool allow_overwrite;
    struct name_list only_families;
    struct range_list only_ranges;
    enum haul_lane lane;
    uint64_t table_size_bytes;
    uint64_t keep_free_bytes;
    uint32_t slot_count;
    uint32_t slot_size_bytes;
    uint32_t peer_timeout_ms;
    struct config_version config_version;
};

#define KEEP_FREE_USUAL UINT64_MAX /* not given */

#define AT(parser, member) OPTION_AT(parser, struct recv_options, member)

static const struct option_rule rules[] = {
    {.name = "db",
     .value_name = "DIR",
     .help = "the database to receive into; created if it does not exist",
     .group = "Where",
     AT(option_text, database)},
    WAL_DIR_RULE(struct recv_options),
    {.name = "listen",
     .value_name = "ADDR:PORT",
     .help = "where to listen (default [::]:7447; without a key\n"
             "127.0.0.1:7447); port 0: a free port, which is printed",
     AT(option_text, listen)},
    {.name = "transport",
     .value_name = "LIST",
     .help = "transports to offer: rdma, tcp or rdma,tcp (default: auto, rdma,tcp)",
     AT(option_transports, transports)},
    {.name = "allow-overwrite",
     .help = "let senders replace records that are here (send --overwrite)",
     .group = "What senders may do",
     AT(option_flag, allow_overwrite)},
    {.name = "only-cf",
     .value_name = "NAME",
     .help = "take only this column family; may be repeated (default: all)",
     AT(option_names, only_families)},
    {.name = "only-range",
     .value_name = "START:END",
     .help = "take only keys from START to before END; either may be empty; may be repeated\n"
             "(default: everything)",
     AT(option_range, only_ranges)},
    {.name = "once",
     .help = "exit after the first job that ends; a refused job does not count",
     .group = "How",
     AT(option_flag, once)},
    {.name = "jobs",
     .value_name = "N",
     .help = "jobs at the same time, of one sender or several, as long as their ranges do\n"
             "not overlap (default 4); one more waits",
     AT(option_u32, jobs_max),
     .min = 1,
     .max = HAUL_TARGET_JOBS_MAX},
    {.name = "retry",
     .value_name = "TIME",
     .help = "with --once: how long to wait for a lost sender (default: as long as it retries)",
     AT(option_duration, resume_wait_ms),
     .min = 1,
     .max = 86400000},
    {.name = "verify",
     .value_name = "HOW",
     .help = "count (default), or read: read everything back before a hand-over",
     AT(option_verify, read_back)},
    {.name = "lane",
     .value_name = "LANE",
     .help = "how to write: auto (default: table files where that is safe and pays),\n"
             "ingest (table files) or writebatch (through the log)",
     AT(option_lane, lane)},
    {.name = "keep-free",
     .value_name = "SIZE",
     .help = "disk space to keep free; a job that does not fit is refused or stopped\n"
             "(default: 5 % of the disk, at least 1G, at most 10 %)",
     AT(option_size_u64, keep_free_bytes),
     .min = 0,
     .max = INT64_MAX},
    CONFIG_VERSION_RULE(struct recv_options),
    {.name = "appliers",
     .value_name = "N",
     .help = "threads that write the database (default 1)",
     .group = "Tuning",
     AT(option_u32, applier_count),
     .min = 1,
     .max = HAUL_APPLIER_COUNT_MAX},
    {.name = "table-size",
     .value_name = "SIZE",
     .help = "size of a table file (default 64M)",
     AT(option_size_u64, table_size_bytes),
     .min = 1 << 20,
     .max = UINT64_C(4) << 30},
    LINK_OPTION_RULES(struct recv_options, "16", "4M"),
    CPU_LIST_RULE(struct recv_options),
    TRUST_RULES(struct recv_options),
    WIRE_RULE(struct recv_options),
    OUTPUT_OPTION_RULES,
};

/* The context of the hooks. */
struct receiver {
    struct migration_watch *watch;
    struct output *output;
};

/* This process has the database to itself, and writes only records of its jobs. */
static enum haul_status keep_others_off(void *context, const struct haul_reservation *wanted,
                                        struct haul_error *error)
{
    const struct receiver *receiver = context;
    (void)error;
    ended_jobs_forget(&receiver->watch->ended, wanted->job);
    return HAUL_OK;
}

static void on_job_ended(void *context, const struct haul_result *result)
{
    const struct receiver *receiver = context;
    ended_jobs_put(&receiver->watch->ended, result);
    migration_run_job_ended(result, receiver->watch, receiver->output);
}

/* 0 stands for the default share, so a request to keep nothing free becomes one byte. */
static uint64_t keep_free_of(const struct recv_options *given)
{
    return given->keep_free_bytes == KEEP_FREE_USUAL ? 0
           : given->keep_free_bytes == 0             ? 1
                                                     : given->keep_free_bytes;
}

/* `once` takes a single job. */
static uint32_t jobs_max_of(const struct recv_options *given)
{
    return given->jobs_max > 0 ? given->jobs_max : given->once ? 1 : HAUL_TARGET_JOBS_DEFAULT;
}

/* Listen with an open store, wait, report. Returns the exit code. */
static int recv_into(struct haul_store *store, const void *work, struct migration_watch *watch,
                     struct output *output)
{
    const struct recv_options *given = work;
    struct receiver receiver = {.watch = watch, .output = output};
    struct haul_target_options options = {
        .size_bytes = sizeof(options),
        .store = store,
        .listen = given->listen,
        .transports = given->transports,
        .link = {.slot_count = given->slot_count,
                 .slot_size_bytes = given->slot_size_bytes,
                 .peer_timeout_ms = given->peer_timeout_ms},
        .answers_verify = true,
        .once = given->once,
        .jobs_max = jobs_max_of(given),
        .resume_wait_ms = given->resume_wait_ms,
        .cpu_list = given->cpu_list,
        .applier_count = given->applier_count,
        .read_back = given->read_back,
        .lane = given->lane,
        .table_size_bytes = given->table_size_bytes,
        .keep_free_bytes = keep_free_of(given),
        .keep_versions = given->config_version.given,
        .config_version = given->config_version.value,
        .hooks = {.context = &receiver, .reserve = keep_others_off, .job_ended = on_job_ended},
        .log = &output->log,
        .keys = given->trust.keys,
        .insecure = given->trust.insecure,
        .allow_overwrite = given->allow_overwrite,
        .only_families = given->only_families.names,
        .only_family_count = given->only_families.count,
        .only_ranges = given->only_ranges.ranges,
        .only_range_count = given->only_ranges.count,
        .wire = given->trust.wire,
    };
    struct haul_error error = {.status = HAUL_OK};
    struct haul_migration *migration = NULL;
    enum haul_status status = process_limit_check_jobs(options.jobs_max - 1, &error);
    if (status == HAUL_OK) {
        status = haul_target_start(&options, &migration, &error);
    }
    if (status != HAUL_OK) {
        return migration_run_refused(status, &error, watch, output);
    }
    output_line(output, "listening on %s", haul_migration_address(migration));
    return migration_run_finish(migration, watch, output);
}

static int run_recv(const struct command *command, int argc, char **argv)
{
    struct recv_options options = {.keep_free_bytes = KEEP_FREE_USUAL};
    struct output output;
    int exit_code = 0;
    if (!command_parse(command, argc, argv, &options, &exit_code)) {
        range_list_fini(&options.only_ranges);
        return exit_code;
    }
    output_init(&output, command->name, &options.output);
    struct migration_work work = {.run = recv_into,
                                  .options = &options,
                                  .trust = &options.trust,
                                  .wal_dir = options.wal_dir,
                                  .create = true};
    exit_code = options.database == NULL ? command_missing("--db DIR", &output)
                                         : migration_run_store(options.database, &work, &output);
    output_fini(&output);
    range_list_fini(&options.only_ranges);
    return exit_code;
}

const struct command command_recv = {
    .name = "recv",
    .summary = "receive key ranges into a database",
    .synopsis = "--db DIR [options]",
    .details =
        "Prints 'haul: listening on ADDR:PORT' on stderr when it is ready. Without --once it\n"
        "serves one job after another, up to --jobs at the same time, until SIGINT, SIGTERM or\n"
        "SIGHUP, which keep what has arrived, and prints the figures of each job that ends\n"
        "(--json: one document per job, and one for its own end). A sender for which there is\n"
        "no place, or whose ranges another job brings, retries later. 'haul cancel --job'\n"
        "ends one job. With --once it takes a single job.\n"
        "\n"
        "Without --allow-overwrite a range that holds records is refused, whatever the sender\n"
        "asks for. With --only-cf and --only-range everything else is refused, before anything\n"
        "is changed; ranges that touch allow what they cover together. Keys are written as for\n"
        "'haul send'.\n"
        "\n"
        "Examples:\n"
        "  haul recv --db /data/b\n"
        "  haul recv --db /data/b --listen 10.0.0.7:7447 --once --json\n"
        "  haul recv --db /data/b --only-cf default --only-range 'user\\::user;'\n"
        "  haul recv --db /data/b --lane writebatch --appliers 2\n"
        "  haul recv --db /data/b --jobs 8 --appliers 4\n",
    .rules = rules,
    .rule_count = sizeof(rules) / sizeof(rules[0]),
    .needs_threads = true,
    .run = run_recv,
};
