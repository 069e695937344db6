/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_verify.c — `haul verify`: compare two databases by count and digest. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "exit_code.h"
#include "haul/store.h"
#include "haul/verify.h"
#include "human_size.h"
#include "json_output.h"
#include "load_check.h"
#include "option_value.h"
#include "output.h"
#include "range_option.h"
#include "signal_watch.h"

struct verify_options {
    struct output_options output;
    const char *database;
    const char *wal_dir;
    const char *with;
    const char *with_wal_dir;
    struct load_options load; /* the ledger, and what was written */
    struct name_list families;
    struct range_list ranges;
};

#define AT(parser, member) OPTION_AT(parser, struct verify_options, member)

static const struct option_rule rules[] = {
    {.name = "db",
     .value_name = "DIR",
     .help = "a database",
     .group = "Where",
     AT(option_text, database)},
    {.name = "wal-dir",
     .value_name = "DIR",
     .help = "where its log lies, when haul cannot tell and asks",
     AT(option_text, wal_dir)},
    {.name = "with",
     .value_name = "DIR",
     .help = "the database to compare it with",
     AT(option_text, with)},
    {.name = "with-wal-dir",
     .value_name = "DIR",
     .help = "the same of the other database",
     AT(option_text, with_wal_dir)},
    SELECTION_OPTION_RULES(struct verify_options),
    {.name = "ledger",
     .value_name = "FILE",
     .help = "instead of --with: is everything there that 'haul send --load' has noted?",
     AT(option_text, load.ledger)},
    {.name = "load-prefix",
     .value_name = "P",
     .help = "of the keys of that load (default load:)",
     AT(option_text, load.prefix)},
    OUTPUT_OPTION_RULES,
};

/* What was found in one database. */
struct verify_scan {
    struct haul_family_result families[HAUL_FAMILY_COUNT_MAX];
    size_t count;
};

static enum haul_status scan_database(const char *directory, const char *wal_dir,
                                      const struct haul_verify_options *options,
                                      struct verify_scan *scan, struct output *output,
                                      struct haul_error *error)
{
    struct haul_rocks_options rocks = {.read_only = true, .wal_dir = wal_dir, .log = &output->log};
    struct haul_store *store = NULL;
    output_line(output, "reading %s", directory);
    enum haul_status status = haul_rocks_store_open(directory, &rocks, &store, error);
    if (status == HAUL_OK) {
        status = haul_verify_scan(store, options, scan->families, &scan->count, error);
        store->ops->close(store);
    }
    return status;
}

static enum haul_status compare(const struct verify_scan *a, const struct verify_scan *b,
                                struct haul_error *error)
{
    const char *name = NULL;
    size_t count = haul_verify_differences(a->families, a->count, b->families, b->count, &name);
    if (count == 0) {
        return HAUL_OK;
    }
    haul_error_set(error, HAUL_CORRUPT, NULL, 0,
                   "the databases differ in %zu column famil%s, '%s' the first", count,
                   count == 1 ? "y" : "ies", name);
    haul_error_hint(error, "narrow it down with --cf and --range");
    return HAUL_CORRUPT;
}

static void print_scan(const char *directory, const struct verify_scan *scan)
{
    for (size_t i = 0; i < scan->count; i++) {
        const struct haul_family_result *family = &scan->families[i];
        char bytes[HUMAN_TEXT_BYTES_MAX];
        human_bytes((double)family->bytes, bytes);
        (void)printf("%s  %s: %" PRIu64 " records, %s, digest %s\n", directory, family->name,
                     family->records, bytes, family->digest);
    }
}

static void print_result(const struct verify_options *given, const struct verify_scan scans[2],
                         const struct haul_error *error, struct output *output)
{
    int exit_code = exit_code_of(error->status, 0);
    if (output->options.json) {
        struct json_output_scan a = {scans[0].families, scans[0].count};
        struct json_output_scan b = {scans[1].families, scans[1].count};
        json_output_verify(&a, &b, error, exit_code);
    } else if (!output->options.quiet) {
        print_scan(given->database, &scans[0]);
        print_scan(given->with, &scans[1]);
        (void)printf("%s\n", error->status == HAUL_OK ? "equal" : "different");
    }
}

/* Scan both, compare, report. `scans` is memory for two. Returns the exit code. */
static int verify_into(const struct verify_options *given, struct verify_scan *scans,
                       struct signal_watch *watch, struct output *output)
{
    struct haul_verify_options options = {
        .families = given->families.names,
        .family_count = given->families.count,
        .ranges = given->ranges.ranges,
        .range_count = given->ranges.count,
        .is_cancelled = signal_watch_is_cancelled,
        .context = watch,
    };
    struct haul_error error = {.status = HAUL_OK};
    signal_watch_set_polled(watch);
    enum haul_status status =
        scan_database(given->database, given->wal_dir, &options, &scans[0], output, &error);
    if (status == HAUL_OK) {
        status =
            scan_database(given->with, given->with_wal_dir, &options, &scans[1], output, &error);
    }
    if (status != HAUL_OK) {
        return command_failed(status, &error, signal_watch_number(watch), output);
    }
    status = compare(&scans[0], &scans[1], &error);
    error.status = status;
    if (status != HAUL_OK) {
        output_error(output, &error);
    }
    print_result(given, scans, &error, output);
    return exit_code_of(status, 0);
}

static int verify_with(const struct verify_options *given, struct output *output)
{
    struct haul_error error = {.status = HAUL_OK};
    struct signal_watch watch;
    struct verify_scan *scans = calloc(2, sizeof(*scans));
    enum haul_status status = scans == NULL
                                  ? haul_error_set(&error, HAUL_NO_MEMORY, "calloc", 0, "no memory")
                                  : signal_watch_init(&watch, output, &error);
    int exit_code = 0;
    if (status == HAUL_OK) {
        exit_code = verify_into(given, scans, &watch, output);
        signal_watch_fini(&watch);
    } else {
        exit_code = command_failed(status, &error, 0, output);
    }
    free(scans);
    return exit_code;
}

/* Returns the exit code. */
static int verify_ledger(struct verify_options *given, struct output *output)
{
    struct haul_error error = {.status = HAUL_OK};
    struct haul_rocks_options rocks = {
        .read_only = true, .wal_dir = given->wal_dir, .log = &output->log};
    struct haul_store *store = NULL;
    uint64_t checked = 0;
    if (given->families.count > 0) {
        given->load.family = given->families.names[0];
    }
    enum haul_status status = haul_rocks_store_open(given->database, &rocks, &store, &error);
    if (status == HAUL_OK) {
        status = load_check(&given->load, store, &checked, &error);
        store->ops->close(store);
    }
    if (status != HAUL_OK && status != HAUL_CORRUPT) {
        return command_failed(status, &error, 0, output);
    }
    error.status = status;
    if (status != HAUL_OK) {
        haul_error_hint(&error, "look at what both sides logged; keep both databases");
        output_error(output, &error);
    }
    if (output->options.json) {
        json_output_ledger(checked, &error, exit_code_of(status, 0));
    } else if (status == HAUL_OK && !output->options.quiet) {
        (void)printf("%" PRIu64 " keys checked, nothing is lost\n", checked);
    }
    return exit_code_of(status, 0);
}

static int run_verify(const struct command *command, int argc, char **argv)
{
    struct verify_options options = {.database = NULL};
    struct output output;
    int exit_code = 0;
    if (!command_parse(command, argc, argv, &options, &exit_code)) {
        range_list_fini(&options.ranges);
        return exit_code;
    }
    output_init(&output, command->name, &options.output);
    bool has_ledger = options.load.ledger != NULL;
    if (options.database == NULL || (options.with == NULL && !has_ledger)) {
        exit_code = command_missing(options.database == NULL ? "--db DIR" : "--with DIR", &output);
    } else if (has_ledger) {
        exit_code = verify_ledger(&options, &output);
    } else {
        exit_code = verify_with(&options, &output);
    }
    output_fini(&output);
    range_list_fini(&options.ranges);
    return exit_code;
}

const struct command command_verify = {
    .name = "verify",
    .summary = "compare two databases by count and digest",
    .synopsis = "--db DIR {--with DIR | --ledger FILE} [options]",
    .details = "Reads both databases in full, without opening them for writing, and compares the\n"
               "number of records and an order-independent digest of every column family. It ends\n"
               "with 0 when they are equal and with 6 when they are not.\n"
               "\n" SELECTION_HELP "\n"
               "Examples:\n"
               "  haul verify --db /data/a --with /data/b\n"
               "  haul verify --db /data/a --with /data/b --cf default --prefix user: --json\n"
               "  haul verify --db /data/b --ledger /tmp/ledger\n",
    .rules = rules,
    .rule_count = sizeof(rules) / sizeof(rules[0]),
    .opens_database = true,
    .run = run_verify,
};
