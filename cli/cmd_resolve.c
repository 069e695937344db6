/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_resolve.c — `haul resolve`: finish a hand-over that was decided but not confirmed. */
#include "command.h"
#include "haul/migration.h"
#include "haul/store.h"
#include "migration_options.h"
#include "migration_run.h"
#include "option_value.h"
#include "output.h"
#include "trust_options.h"

struct resolve_options {
    struct output_options output;
    struct trust_options trust;
    const char *database;
    const char *wal_dir;
    const char *to;
    uint32_t peer_timeout_ms;
    uint32_t retry_max_ms;
    bool accept_two_owners;
};

#define AT(parser, member) OPTION_AT(parser, struct resolve_options, member)

static const struct option_rule rules[] = {
    {.name = "db",
     .value_name = "DIR",
     .help = "the database that gave the ranges",
     .group = "Where",
     AT(option_text, database)},
    WAL_DIR_RULE(struct resolve_options),
    {.name = "to",
     .value_name = "ADDR:PORT",
     .help = "where 'haul recv' listens for the other database",
     AT(option_text, to)},
    {.name = "peer-timeout",
     .value_name = "TIME",
     .help = "give up on a silent peer after this time (default 5s)",
     .group = "How",
     AT(option_duration, peer_timeout_ms),
     .min = HAUL_PEER_TIMEOUT_MS_MIN,
     .max = HAUL_PEER_TIMEOUT_MS_MAX},
    {.name = "retry",
     .value_name = "TIME",
     .help = "how long to retry while it is unreachable (default 30s)",
     AT(option_duration, retry_max_ms),
     .min = 1,
     .max = 86400000},
    {.name = "accept-two-owners",
     .help = "let a receiver that was set back own by a finished job, although what it\n"
             "has given on since has two owners then",
     AT(option_flag, accept_two_owners)},
    TRUST_RULES(struct resolve_options),
    OUTPUT_OPTION_RULES,
};

static int resolve_from(struct haul_store *store, const void *work, struct migration_watch *watch,
                        struct output *output)
{
    const struct resolve_options *given = work;
    struct haul_source_options options = {
        .size_bytes = sizeof(options),
        .store = store,
        .to = given->to,
        .transports = {{HAUL_TRANSPORT_TCP}},
        .link = {.peer_timeout_ms = given->peer_timeout_ms},
        .retry_max_ms = given->retry_max_ms,
        .resolve = true,
        .log = &output->log,
        .keys = given->trust.keys,
        .insecure = given->trust.insecure,
        .accept_two_owners = given->accept_two_owners,
    };
    struct haul_error error = {.status = HAUL_OK};
    struct haul_migration *migration = NULL;
    enum haul_status status = haul_source_start(&options, &migration, &error);
    if (status != HAUL_OK) {
        return migration_run_refused(status, &error, watch, output);
    }
    return migration_run_finish(migration, watch, output);
}

static int run_resolve(const struct command *command, int argc, char **argv)
{
    struct resolve_options options = {.database = NULL};
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
        /* The journal is enough: resolving reads no records. */
        static const char *const no_records[] = {"default"};
        struct migration_work work = {.run = resolve_from,
                                      .options = &options,
                                      .trust = &options.trust,
                                      .peer = options.to,
                                      .wal_dir = options.wal_dir,
                                      .keep_log = true,
                                      .read_only = true,
                                      .families = no_records,
                                      .family_count = 1};
        exit_code = migration_run_store(options.database, &work, &output);
    }
    output_fini(&output);
    return exit_code;
}

const struct command command_resolve = {
    .name = "resolve",
    .summary = "finish a hand-over whose decision the receiver has not confirmed",
    .synopsis = "--db DIR --to ADDR:PORT [options]",
    .details =
        "If 'haul send' ended with exit code 10, or was killed after its decision, the receiver\n"
        "owns the ranges by the record of this database, and may not know it yet. Start\n"
        "'haul recv' on the receiver's database, then run this command. If nothing was\n"
        "decided, it informs the receiver which jobs are over, and the receiver clears what\n"
        "it has of them. If the receiver already owns the ranges by one of these jobs, this\n"
        "database was set back, and the command records the hand-over again.\n"
        "\n"
        "Example:\n"
        "  haul resolve --db /data/a --to 10.0.0.7:7447\n",
    .rules = rules,
    .rule_count = sizeof(rules) / sizeof(rules[0]),
    .needs_threads = true,
    .run = run_resolve,
};
