/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_send.c — `haul send`: give key ranges of a database to a receiver. */
#include <stdio.h>
#include <string.h>

#include "command.h"
#include "dry_run.h"
#include "exit_code.h"
#include "haul/migration.h"
#include "haul/store.h"
#include "haul/text_escape.h"
#include "human_size.h"
#include "json_output.h"
#include "load_writer.h"
#include "migration_list.h"
#include "migration_options.h"
#include "migration_run.h"
#include "option_value.h"
#include "output.h"
#include "range_option.h"
#include "send_options.h"
#include "send_plan.h"
#include "send_run.h"
#include "trust_options.h"

#define AT(parser, member) OPTION_AT(parser, struct send_options, member)

static const struct option_rule rules[] = {
    {.name = "db",
     .value_name = "DIR",
     .help = "the database to send from",
     .group = "Where",
     AT(option_text, database)},
    WAL_DIR_RULE(struct send_options),
    {.name = "to",
     .value_name = "ADDR:PORT",
     .help = "where 'haul recv' listens",
     AT(option_text, to)},
    {.name = "plan",
     .value_name = "FILE",
     .help = "many moves, each with its own --to, --cf, --metadata-cf, --range and --prefix;\n"
             "JSON: docs/COMMANDS.md",
     AT(option_text, plan)},
    {.name = "transport",
     .value_name = "LIST",
     .help = "transports to try, in order: rdma, tcp or rdma,tcp (default: auto, rdma,tcp)",
     AT(option_transports, transports)},
    SELECTION_OPTION_RULES(struct send_options),
    {.name = "metadata-cf",
     .value_name = "NAME",
     .help = "copy this column family before the others; may be repeated",
     AT(option_names, metadata_families)},
    {.name = "overwrite",
     .help = "clear the target's range if it is not empty, which its receiver must allow\n"
             "(recv --allow-overwrite); its records, even those\n"
             "that it owns, are deleted before the copy begins; refused when it gave a\n"
             "part of the range away, and owns records in the rest",
     AT(option_flag, overwrite)},
    {.name = "dry-run",
     .letter = 'n',
     .help = "only show what would be sent, and whether this side would refuse it; does\n"
             "not contact the receiver, and needs no --to",
     AT(option_flag, dry_run)},
    SOURCE_LIMIT_RULES(struct send_options),
    {.name = "parallel",
     .value_name = "N",
     .help = "with --plan: at most so many jobs at once (default 4)",
     AT(option_u32, parallel),
     .min = 1,
     .max = MIGRATION_LIST_MAX},
    {.name = "stop-on-failure",
     .help = "with --plan: after a move that failed none begins any more; those that run\n"
             "come to their end (default: the others go on)",
     AT(option_flag, stop_on_failure)},
    {.name = "retry",
     .value_name = "TIME",
     .help = "how long to retry while the path is lost or the receiver busy (default 30s);\n"
             "a receiver that cannot be reached at first is not waited for",
     AT(option_duration, retry_max_ms),
     .min = 1,
     .max = 86400000},
    {.name = "freeze-max",
     .value_name = "TIME",
     .help = "longest pause of writes at the hand-over (default 500ms; 24h with\n"
             "--verify read, which reads everything meanwhile)",
     AT(option_duration, freeze_max_ms),
     .min = 1,
     .max = 600000},
    COMPRESS_RULE(struct send_options),
    {.name = "verify",
     .value_name = "HOW",
     .help = "count (default): count and digest of what was sent and written; read: both\n"
             "sides read everything again before the hand-over, while writes pause",
     AT(option_verify, read_back)},
    {.name = "lane",
     .value_name = "LANE",
     .help = "how the target writes: auto (default), ingest (table files) or\n"
             "writebatch (through its log)",
     AT(option_lane, lane)},
    LOG_DATA_RULE(struct send_options),
    CONFIG_VERSION_RULE(struct send_options),
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
    {.name = "batch-min",
     .value_name = "SIZE",
     .help = "smallest batch (default 1M)",
     AT(option_size_u32, batch_size_bytes_min),
     .min = 1024,
     .max = HAUL_SLOT_SIZE_BYTES_MAX},
    {.name = "batch-max",
     .value_name = "SIZE",
     .help = "largest batch (default 4M)",
     AT(option_size_u32, batch_size_bytes_max),
     .min = 1024,
     .max = HAUL_SLOT_SIZE_BYTES_MAX},
    LINK_OPTION_RULES(struct send_options, "16", "4M"),
    CPU_LIST_RULE(struct send_options),
    {.name = "load",
     .value_name = "N",
     .help = "writes per second during the migration",
     .group = "Built-in load, to test live migration",
     AT(option_u64, load.rate),
     .min = 1,
     .max = 10000000},
    {.name = "load-ledger",
     .value_name = "FILE",
     .help = "record there what was written; 'haul verify --ledger' checks it",
     AT(option_text, load.ledger)},
    {.name = "load-keys",
     .value_name = "N",
     .help = "number of different keys (default 10000)",
     AT(option_u32, load.key_count),
     .min = 1,
     .max = LOAD_KEYS_MAX},
    {.name = "load-value",
     .value_name = "SIZE",
     .help = "size of the values (default 100)",
     AT(option_size_u32, load.value_bytes),
     .min = LOAD_VALUE_BYTES_MIN,
     .max = LOAD_VALUE_BYTES_MAX},
    {.name = "load-prefix",
     .value_name = "P",
     .help = "prefix of the keys, which must lie in the range (default load:)",
     AT(option_text, load.prefix)},
    {.name = "load-for",
     .value_name = "TIME",
     .help = "how long to write before the migration, for comparison (default 1s)",
     AT(option_duration, load.lead_ms),
     .min = 1,
     .max = 3600000},
    {.name = "load-sync", .help = "sync each write", AT(option_flag, load.sync)},
    TRUST_RULES(struct send_options),
    WIRE_RULE(struct send_options),
    OUTPUT_OPTION_RULES,
};

static enum haul_status start_load(const struct send_options *given, struct haul_store *store,
                                   struct migration_watch *watch, struct haul_error *error)
{
    struct load_options load = given->load;
    if (load.rate == 0) {
        return HAUL_OK;
    }
    if (given->families.count > 0) {
        load.family = given->families.names[0];
    }
    return load_writer_start(&load, store, given->ranges.ranges, given->ranges.count, &watch->load,
                             error);
}

static void drop_load(struct migration_watch *watch)
{
    struct load_result result;
    if (watch->load != NULL) {
        load_writer_stop(watch->load, &result);
        watch->load = NULL;
    }
}

static void print_dry_run(const struct dry_run *run)
{
    char bytes[HUMAN_TEXT_BYTES_MAX];
    for (size_t i = 0; i < run->family_count; i++) {
        const struct dry_run_family *family = &run->families[i];
        char name[4 * HAUL_NAME_BYTES_MAX];
        (void)haul_text_escape(family->name, strlen(family->name), name, sizeof(name));
        human_bytes((double)family->bytes, bytes);
        (void)printf("column family %s: %s%s\n", name, family->known ? "about " : "of unknown size",
                     family->known ? bytes : "");
    }
    human_bytes((double)run->bytes, bytes);
    (void)printf("about %s would be sent; nothing was sent, and the receiver was not contacted\n",
                 bytes);
}

/* Show what `options` would send; this side accepts them. Returns the exit code. */
static int tell_dry_run(const struct haul_source_options *options, struct output *output)
{
    struct haul_error error = {.status = HAUL_OK};
    struct dry_run run;
    int exit_code = EXIT_CODE_OK;
    enum haul_status status = dry_run_look(options, &run, &error);
    if (status != HAUL_OK) {
        exit_code = command_failed(status, &error, 0, output);
    } else if (output->options.json) {
        json_output_dry_run(&run);
    } else {
        print_dry_run(&run);
    }
    dry_run_fini(&run);
    return exit_code;
}

/* Start the migration with an open store, wait, report. Returns the exit code. */
static int send_from(struct haul_store *store, const void *work, struct migration_watch *watch,
                     struct output *output)
{
    const struct send_options *given = work;
    struct haul_source_options options;
    send_options_source(given, store, &output->log, &options);
    struct haul_error error = {.status = HAUL_OK};
    enum haul_status status = haul_source_check(&options, &error);
    if (status == HAUL_OK && given->dry_run) {
        return tell_dry_run(&options, output);
    }
    if (status == HAUL_OK) {
        status = start_load(given, store, watch, &error);
    }
    if (status != HAUL_OK) {
        return migration_run_refused(status, &error, watch, output);
    }
    if (watch->load != NULL) {
        migration_run_lead(watch, output);
        load_writer_hook(watch->load, &options.hooks);
        load_writer_mark(watch->load);
    }
    struct haul_migration *migration = NULL;
    status = haul_source_start(&options, &migration, &error);
    if (status != HAUL_OK) {
        drop_load(watch);
        return migration_run_refused(status, &error, watch, output);
    }
    return migration_run_finish(migration, watch, output);
}

static int run_single(const struct send_options *given, struct trust_options *trust,
                      struct output *output)
{
    struct migration_work work = {.run = send_from,
                                  .options = given,
                                  .trust = trust,
                                  .peer = given->to,
                                  .wal_dir = given->wal_dir,
                                  .keep_log = true,
                                  .read_only = given->load.rate == 0,
                                  .families = given->families.names,
                                  .family_count = given->families.count};
    return migration_run_store(given->database, &work, output);
}

/* --- a plan ----------------------------------------------------------------------------------- */

/* The families of all moves; none: one of them moves every family. */
static void collect_families(const struct send_plan *plan, struct name_list *families)
{
    families->count = 0;
    for (size_t i = 0; i < plan->count; i++) {
        const struct name_list *of = &plan->moves[i].families;
        if (of->count == 0) {
            families->count = 0;
            return;
        }
        for (size_t j = 0; j < of->count; j++) {
            size_t at = 0;
            while (at < families->count && strcmp(families->names[at], of->names[j]) != 0) {
                at++;
            }
            families->names[at] = of->names[j]; /* the check for overlaps has counted them */
            families->count = at == families->count ? at + 1 : families->count;
        }
    }
}

static int run_plan(const struct send_options *given, struct trust_options *trust,
                    struct output *output)
{
    struct haul_error error = {.status = HAUL_OK};
    struct send_plan plan;
    struct name_list families;
    enum haul_status status = send_plan_read(given->plan, &plan, &error);
    if (status != HAUL_OK) {
        return command_failed(status, &error, 0, output);
    }
    collect_families(&plan, &families);
    struct send_work work = {.given = given, .plan = &plan};
    struct migration_work moves = {.run = send_run,
                                   .options = &work,
                                   .trust = trust,
                                   .peer = "", /* this side sends, to several */
                                   .wal_dir = given->wal_dir,
                                   .keep_log = true,
                                   .read_only = true,
                                   .families = families.names,
                                   .family_count = families.count};
    int exit_code = migration_run_store(given->database, &moves, output);
    send_plan_fini(&plan);
    return exit_code;
}

static int run_checked(struct send_options *options, struct output *output)
{
    struct haul_error error = {.status = HAUL_OK};
    enum haul_status status = send_options_check(options, &error);
    if (status != HAUL_OK) {
        return command_failed(status, &error, 0, output);
    }
    return options->plan == NULL ? run_single(options, &options->trust, output)
                                 : run_plan(options, &options->trust, output);
}

static int run_send(const struct command *command, int argc, char **argv)
{
    struct send_options options = {.database = NULL};
    struct output output;
    int exit_code = 0;
    if (!command_parse(command, argc, argv, &options, &exit_code)) {
        range_list_fini(&options.ranges);
        return exit_code;
    }
    output_init(&output, command->name, &options.output);
    bool has_receiver = options.to != NULL || options.plan != NULL || options.dry_run;
    if (options.database == NULL || !has_receiver) {
        exit_code = command_missing(
            options.database == NULL ? "--db DIR" : "--to ADDR:PORT, or --plan FILE", &output);
    } else {
        exit_code = run_checked(&options, &output);
    }
    output_fini(&output);
    range_list_fini(&options.ranges);
    return exit_code;
}

const struct command command_send = {
    .name = "send",
    .summary = "send key ranges of a database to a receiver",
    .synopsis = "--db DIR --to ADDR:PORT|--plan FILE [options]",
    .details =
        "No other process may have the database open: stop its service first. After exit code 0\n"
        "the receiver owns the ranges, everything in them is durable there, and count and digest\n"
        "are equal. The source keeps its copy until 'haul drop' deletes it.\n"
        "\n"
        "The same command continues a job that was interrupted or stopped (Ctrl-C). Exit code\n"
        "10: the decision is recorded here, but the receiver has not confirmed it; run 'haul\n"
        "resolve'. If the target is lost, 'haul owner --reclaim' takes the ranges back. Each\n"
        "state and its way out: docs/OPERATIONS.md.\n"
        "\n"
        "With --plan the moves of a file run in one process, several at a time; --rate is the\n"
        "limit of all of them together. The same command with the same file continues: moves\n"
        "that are done are skipped. The exit code is 0 only if every move has ended well,\n"
        "otherwise that of the first that failed.\n"
        "\n" SELECTION_HELP "\n"
        "Examples:\n"
        "  haul send --db /data/a --plan moves.json --parallel 8 --rate 400M\n"
        "  haul send --db /data/a --cf default --dry-run\n"
        "  haul send --db /data/a --to 10.0.0.7:7447\n"
        "  haul send --db /data/a --to '[2001:db8::7]:7447' --transport rdma --links 2\n"
        "  haul send --db /data/a --to db7:7447 --cf default --prefix user: --json\n"
        "  haul send --db /data/a --to db7:7447 --range 0x00:0x80 --overwrite --rate 200M\n"
        "  haul send --db /data/a --to db7:7447 --load 10000 --load-ledger /tmp/ledger\n",
    .rules = rules,
    .rule_count = sizeof(rules) / sizeof(rules[0]),
    .needs_threads = true,
    .run = run_send,
};
