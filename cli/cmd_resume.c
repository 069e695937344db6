/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_resume.c — `haul resume`: continue a job whose process has ended. */
#include "command.h"
#include "haul/migration.h"
#include "haul/store.h"
#include "migration_options.h"
#include "migration_run.h"
#include "option_value.h"
#include "output.h"
#include "trust_options.h"

struct resume_options {
    struct output_options output;
    struct trust_options trust;
    const char *database;
    const char *wal_dir;
    const char *to;
    struct haul_transport_list transports;
    const char *cpu_list;
    enum haul_compression compression;
    bool log_data;
    uint32_t reader_count;
    uint32_t link_count;
    uint64_t rate_bytes_per_second;
    uint64_t pinned_bytes_max;
    uint32_t slot_count;
    uint32_t slot_size_bytes;
    uint32_t peer_timeout_ms;
    struct config_version config_version;
    uint32_t retry_max_ms;
};

#define AT(parser, member) OPTION_AT(parser, struct resume_options, member)

static const struct option_rule rules[] = {
    {.name = "db",
     .value_name = "DIR",
     .help = "the database that gives the ranges",
     .group = "Where",
     AT(option_text, database)},
    WAL_DIR_RULE(struct resume_options),
    {.name = "to",
     .value_name = "ADDR:PORT",
     .help = "where 'haul recv' listens for the other database",
     AT(option_text, to)},
    {.name = "transport",
     .value_name = "LIST",
     .help = "transports to try, in order: rdma, tcp or rdma,tcp (default: auto, rdma,tcp)",
     AT(option_transports, transports)},
    SOURCE_LIMIT_RULES(struct resume_options),
    {.name = "retry",
     .value_name = "TIME",
     .help = "how long to retry while the path is lost or the receiver busy (default 30s);\n"
             "a receiver that cannot be reached at first is not waited for",
     AT(option_duration, retry_max_ms),
     .min = 1,
     .max = 86400000},
    COMPRESS_RULE(struct resume_options),
    LOG_DATA_RULE(struct resume_options),
    CONFIG_VERSION_RULE(struct resume_options),
    {.name = "readers",
     .value_name = "N",
     .help = "threads that read the database (default: 1, or one per link)",
     .group = "Tuning",
     AT(option_u32, reader_count),
     .min = 1,
     .max = HAUL_READER_COUNT_MAX},
    {.name = "links",
     .value_name = "N",
     .help = "data links (default: 1, or 4 if the peer is more than 5 ms away)",
     AT(option_u32, link_count),
     .min = 1,
     .max = HAUL_LINK_COUNT_MAX},
    LINK_OPTION_RULES(struct resume_options, "16", "4M"),
    CPU_LIST_RULE(struct resume_options),
    TRUST_RULES(struct resume_options),
    WIRE_RULE(struct resume_options),
    OUTPUT_OPTION_RULES,
};

static int resume_from(struct haul_store *store, const void *work, struct migration_watch *watch,
                       struct output *output)
{
    const struct resume_options *given = work;
    struct haul_source_options options = {
        .size_bytes = sizeof(options),
        .store = store,
        .to = given->to,
        .transports = given->transports,
        .link = {.slot_count = given->slot_count,
                 .slot_size_bytes = given->slot_size_bytes,
                 .peer_timeout_ms = given->peer_timeout_ms},
        .link_count = given->link_count,
        .cpu_list = given->cpu_list,
        .compression = given->compression,
        .log_data = given->log_data,
        .reader_count = given->reader_count,
        .rate_bytes_per_second = given->rate_bytes_per_second,
        .pinned_bytes_max = given->pinned_bytes_max,
        .keep_versions = given->config_version.given,
        .config_version = given->config_version.value,
        .retry_max_ms = given->retry_max_ms,
        .resume = true,
        .log = &output->log,
        .keys = given->trust.keys,
        .insecure = given->trust.insecure,
        .wire = given->trust.wire,
    };
    struct haul_error error = {.status = HAUL_OK};
    struct haul_migration *migration = NULL;
    enum haul_status status = haul_source_start(&options, &migration, &error);
    if (status != HAUL_OK) {
        return migration_run_refused(status, &error, watch, output);
    }
    return migration_run_finish(migration, watch, output);
}

static int run_resume(const struct command *command, int argc, char **argv)
{
    struct resume_options options = {.database = NULL};
    struct output output;
    int exit_code = 0;
    if (!command_parse(command, argc, argv, &options, &exit_code)) {
        return exit_code;
    }
    output_init(&output, command->name, &options.output);
    if (options.database == NULL || options.to == NULL) {
        exit_code =
            command_missing(options.database == NULL ? "--db DIR" : "--to ADDR:PORT", &output);
    } else {
        struct migration_work work = {.run = resume_from,
                                      .options = &options,
                                      .trust = &options.trust,
                                      .peer = options.to,
                                      .wal_dir = options.wal_dir,
                                      .keep_log = true,
                                      .read_only = true,
                                      .families_of_jobs = true};
        exit_code = migration_run_store(options.database, &work, &output);
    }
    output_fini(&output);
    return exit_code;
}

const struct command command_resume = {
    .name = "resume",
    .summary = "continue a job whose process is gone",
    .synopsis = "--db DIR --to ADDR:PORT [options]",
    .details =
        "Continues the job of a 'haul send' that was stopped or killed, or that ended with exit\n"
        "code 5: the same column families and ranges, from what the receiver holds durably, at\n"
        "a new view of the database. What was written meanwhile is replayed from the log. If\n"
        "the log does not reach back that far, the copy starts again, and haul prints why.\n"
        "'haul send' with the same options does the same.\n"
        "\n"
        "Example:\n"
        "  haul resume --db /data/a --to 10.0.0.7:7447\n",
    .rules = rules,
    .rule_count = sizeof(rules) / sizeof(rules[0]),
    .needs_threads = true,
    .run = run_resume,
};
