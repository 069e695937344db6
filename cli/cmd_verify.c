/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_verify.c — `haul verify`: compare two databases by count and digest. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "command.h"
#include "database_open.h"
#include "exit_code.h"
#include "haul/store.h"
#include "haul/text_escape.h"
#include "haul/verify.h"
#include "human_size.h"
#include "json_output.h"
#include "load_check.h"
#include "option_value.h"
#include "output.h"
#include "progress.h"
#include "range_option.h"
#include "signal_watch.h"
#include "trust_options.h"
#include "verify_manifest.h"

/* The receiver that `--to` names. */
struct verify_target {
    const char *to;
    uint32_t peer_timeout_ms;
    uint32_t retry_max_ms;
};

struct verify_options {
    struct output_options output;
    struct trust_options trust;
    const char *database;
    const char *wal_dir;
    const char *with;
    const char *with_wal_dir;
    struct verify_target target; /* --to */
    const char *manifest;
    const char *write_manifest;
    struct load_options load; /* the ledger, and the options of its load */
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
     .help = "its log directory, if haul cannot find it and asks",
     AT(option_text, wal_dir)},
    {.name = "with",
     .value_name = "DIR",
     .help = "the database to compare it with",
     AT(option_text, with)},
    {.name = "with-wal-dir",
     .value_name = "DIR",
     .help = "the same for the other database",
     AT(option_text, with_wal_dir)},
    {.name = "to",
     .value_name = "ADDR:PORT",
     .help = "instead of --with: where 'haul recv' has the other one open",
     AT(option_text, target.to)},
    {.name = "manifest",
     .value_name = "FILE",
     .help = "instead of --with: a manifest of the other database, which also determines\n"
             "families and ranges; - is stdin",
     AT(option_text, manifest)},
    {.name = "write-manifest",
     .value_name = "FILE",
     .help = "write a manifest of --db to FILE, for --manifest on another host; - is\n"
             "stdout, which then carries nothing else",
     AT(option_text, write_manifest)},
    SELECTION_OPTION_RULES(struct verify_options),
    {.name = "ledger",
     .value_name = "FILE",
     .help = "instead of --with: check every write that 'haul send --load' recorded",
     AT(option_text, load.ledger)},
    {.name = "load-prefix",
     .value_name = "P",
     .help = "prefix of that load's keys (default load:)",
     AT(option_text, load.prefix)},
    {.name = "peer-timeout",
     .value_name = "TIME",
     .help = "with --to: give up on a silent peer after this time (default 5s)",
     AT(option_duration, target.peer_timeout_ms),
     .min = HAUL_PEER_TIMEOUT_MS_MIN,
     .max = HAUL_PEER_TIMEOUT_MS_MAX},
    {.name = "retry",
     .value_name = "TIME",
     .help = "with --to: how long to retry while it is unreachable or busy (default 30s)",
     AT(option_duration, target.retry_max_ms),
     .min = 1,
     .max = 86400000},
    TRUST_RULES(struct verify_options),
    OUTPUT_OPTION_RULES,
};

/* The result of one scan. */
struct verify_scan {
    struct haul_family_result families[HAUL_FAMILY_COUNT_MAX];
    size_t count;
};

struct verify_run {
    const struct verify_options *given;
    struct output *output;
    struct signal_watch watch;
    struct verify_scan scans[2];
    const char *reading; /* the directory being read */
    uint64_t told_ns;    /* when progress was last shown */
    struct manifest_writer writer;
    bool writes;
    struct manifest_reader reader;
    struct haul_verify_remote_result *remote; /* of --to */
    uint8_t digest_key[HAUL_DIGEST_KEY_BYTES];
};

/* --- while it reads --------------------------------------------------------------------------- */

static bool is_cancelled(void *context)
{
    struct verify_run *run = context;
    return signal_watch_is_cancelled(&run->watch);
}

static void show_progress(void *context, uint64_t records, uint64_t bytes)
{
    enum { INTERVAL_S = 10 };
    struct verify_run *run = context;
    uint64_t now = progress_now_ns();
    char text[HUMAN_TEXT_BYTES_MAX];
    human_bytes((double)bytes, text);
    if (signal_watch_take_request(&run->watch) && !is_cancelled(run)) {
        output_answer(run->output, "status: read %" PRIu64 " records, %s of %s", records, text,
                      run->reading);
    } else if (now - run->told_ns >= (uint64_t)INTERVAL_S * 1000000000) {
        output_line(run->output, "read %" PRIu64 " records, %s of %s", records, text, run->reading);
        run->told_ns = now;
    }
}

static enum haul_status add_piece(void *context, const struct haul_verify_piece *piece,
                                  struct haul_error *error)
{
    struct verify_run *run = context;
    enum haul_status status = run->writes ? manifest_add(&run->writer, piece, error) : HAUL_OK;
    return status == HAUL_OK && run->given->manifest != NULL
               ? manifest_compare(&run->reader, piece, error)
               : status;
}

static enum haul_status open_database(struct verify_run *run, const char *directory,
                                      const char *wal_dir, struct haul_store **store,
                                      struct haul_error *error)
{
    struct haul_rocks_options rocks = {.size_bytes = sizeof(rocks),
                                       .read_only = true,
                                       .wal_dir = wal_dir,
                                       .families = run->given->families.names,
                                       .family_count = run->given->families.count,
                                       .log = &run->output->log};
    return database_open_to_read(directory, &rocks, store, error);
}

static enum haul_status scan_database(struct verify_run *run, const char *directory,
                                      const char *wal_dir,
                                      const struct haul_verify_options *options,
                                      struct verify_scan *scan, struct haul_error *error)
{
    struct haul_store *store = NULL;
    output_line(run->output, "reading %s", directory);
    run->reading = directory;
    run->told_ns = progress_now_ns();
    enum haul_status status = open_database(run, directory, wal_dir, &store, error);
    if (status == HAUL_OK) {
        status = haul_verify_scan(store, options, scan->families, &scan->count, error);
        store->ops->close(store);
    }
    return status;
}

/* --- what differs ----------------------------------------------------------------------------- */

enum { KEY_TEXT_BYTES_MAX = 600 };

/* A key in the form that --range takes. */
static void key_text(struct haul_slice key, char text[KEY_TEXT_BYTES_MAX])
{
    const struct haul_range range = {.start = key};
    range_option_format(&range, text, KEY_TEXT_BYTES_MAX);
    size_t size = strlen(text);
    if (size > 0 && text[size - 1] == ':') {
        text[size - 1] = '\0';
    }
}

/* Errors: as haul_verify_first_difference. */
static enum haul_status find_first_key(struct verify_run *run,
                                       const struct haul_verify_options *options, const char *name,
                                       struct haul_verify_difference *difference)
{
    const struct verify_options *given = run->given;
    struct haul_error ignored = {.status = HAUL_OK};
    if (run->remote != NULL) { /* the comparison has already found the key */
        *difference = run->remote->difference;
        return run->remote->has_difference ? HAUL_OK : HAUL_NOT_FOUND;
    }
    struct haul_store *a = NULL;
    struct haul_store *b = NULL;
    enum haul_status status = open_database(run, given->database, given->wal_dir, &a, &ignored);
    if (status == HAUL_OK) {
        status = open_database(run, given->with, given->with_wal_dir, &b, &ignored);
    }
    if (status == HAUL_OK) {
        status = haul_verify_first_difference(a, b, options, name, difference, &ignored);
    }
    haul_store_close(b);
    haul_store_close(a);
    return status;
}

/* The first key that differs, for the error's text; empty if unknown. */
static void describe_first_key(struct verify_run *run, const struct haul_verify_options *options,
                               const char *name, char text[2 * KEY_TEXT_BYTES_MAX])
{
    enum { TEXT_BYTES = 2 * KEY_TEXT_BYTES_MAX };
    char key[KEY_TEXT_BYTES_MAX];
    struct haul_verify_difference difference = {.in_a = false};
    text[0] = '\0';
    if (run->given->manifest == NULL) {
        if (find_first_key(run, options, name, &difference) != HAUL_OK) {
            return;
        }
        key_text(difference.key, key);
        const char *how = !difference.in_b      ? "only in --db"
                          : difference.in_a     ? "with another value"
                          : run->remote != NULL ? "only on the receiver"
                                                : "only in --with";
        (void)snprintf(text, TEXT_BYTES, "; the first key is %.500s, %s",
                       difference.key.size == 0 ? "the empty one" : key, how);
        free((void *)(uintptr_t)difference.key.data);
    } else if (run->reader.differs && strcmp(run->reader.first_family, name) == 0) {
        char last[KEY_TEXT_BYTES_MAX];
        const struct haul_range *between = &run->reader.between;
        key_text(between->start, key);
        key_text(between->end, last);
        (void)snprintf(text, TEXT_BYTES, "; the first key lies after %.300s, and not after %.300s",
                       between->start.size == 0 ? "the start" : key,
                       between->end.size == 0 ? "the end" : last);
    }
}

static enum haul_status compare(struct verify_run *run, const struct haul_verify_options *options,
                                struct haul_error *error)
{
    const struct verify_scan *a = &run->scans[0];
    const struct verify_scan *b = &run->scans[1];
    char first[2 * KEY_TEXT_BYTES_MAX];
    const char *name = NULL;
    size_t count = haul_verify_differences(a->families, a->count, b->families, b->count, &name);
    if (count == 0) {
        return HAUL_OK;
    }
    describe_first_key(run, options, name, first);
    haul_error_set(error, HAUL_CORRUPT, NULL, 0,
                   "the databases differ in %zu column famil%s, '%s' the first%s", count,
                   count == 1 ? "y" : "ies", name, first);
    haul_error_hint(error, "narrow it down with --cf and --range");
    return HAUL_CORRUPT;
}

/* The directory as one shell word, for text output. */
enum { PATH_TEXT_BYTES_MAX = 1024 };

/* --- reporting -------------------------------------------------------------------------------- */

static void print_scan(const char *directory, const struct verify_scan *scan)
{
    char where[PATH_TEXT_BYTES_MAX];
    (void)haul_text_escape(directory, strlen(directory), where, sizeof(where));
    for (size_t i = 0; i < scan->count; i++) {
        const struct haul_family_result *family = &scan->families[i];
        char name[4 * HAUL_NAME_BYTES_MAX];
        char bytes[HUMAN_TEXT_BYTES_MAX];
        (void)haul_text_escape(family->name, strlen(family->name), name, sizeof(name));
        human_bytes((double)family->bytes, bytes);
        if (family->digest[0] == '\0') {
            (void)printf("%s  %s: at least %" PRIu64 " records, %s\n", where, name, family->records,
                         bytes);
            continue;
        }
        (void)printf("%s  %s: %" PRIu64 " records, %s, digest %s\n", where, name, family->records,
                     bytes, family->digest);
    }
}

static const char *other_of(const struct verify_options *given)
{
    return given->with != NULL        ? given->with
           : given->target.to != NULL ? given->target.to
                                      : given->manifest;
}

static bool is_on_stdout(const struct verify_options *given)
{
    return given->write_manifest != NULL && strcmp(given->write_manifest, "-") == 0;
}

static void print_result(const struct verify_run *run, const struct haul_error *error)
{
    const struct verify_options *given = run->given;
    int exit_code = exit_code_of(error->status, 0);
    if (run->output->options.json) {
        struct json_output_scan a = {run->scans[0].families, run->scans[0].count};
        struct json_output_scan b = {run->scans[1].families, run->scans[1].count};
        json_output_verify(&a, &b, error, exit_code);
    } else if (!run->output->options.quiet && !is_on_stdout(given)) {
        print_scan(given->database, &run->scans[0]);
        if (other_of(given) != NULL) {
            print_scan(other_of(given), &run->scans[1]);
            (void)printf("%s\n", error->status == HAUL_OK ? "equal" : "different");
        }
    }
}

/* --- the run ---------------------------------------------------------------------------------- */

static enum haul_status scan_first(struct verify_run *run,
                                   const struct haul_verify_options *options,
                                   struct haul_error *error)
{
    const struct verify_options *given = run->given;
    struct haul_verify_options first = *options;
    enum haul_status status = HAUL_OK;
    if (given->write_manifest != NULL) {
        status = manifest_create(&run->writer, given->write_manifest, options, error);
        run->writes = status == HAUL_OK;
    }
    first.on_piece = run->writes || given->manifest != NULL ? add_piece : NULL;
    if (status == HAUL_OK) {
        status = scan_database(run, given->database, given->wal_dir, &first, &run->scans[0], error);
    }
    if (run->writes) {
        struct haul_error second = {.status = HAUL_OK};
        enum haul_status written =
            manifest_finish(&run->writer, status == HAUL_OK ? run->scans[0].families : NULL,
                            run->scans[0].count, &second);
        *error = status == HAUL_OK && written != HAUL_OK ? second : *error;
        status = status == HAUL_OK ? written : status;
    }
    return status;
}

/* Scan here while the target scans its own database. */
static enum haul_status scan_with_target(struct verify_run *run,
                                         const struct haul_verify_options *options,
                                         struct haul_error *error)
{
    const struct verify_options *given = run->given;
    struct haul_store *store = NULL;
    run->remote = calloc(1, sizeof(*run->remote));
    if (run->remote == NULL) {
        return haul_error_set(error, HAUL_NO_MEMORY, "calloc", 0, "no memory");
    }
    output_line(run->output, "reading %s, and what %s has", given->database, given->target.to);
    run->reading = given->database;
    run->told_ns = progress_now_ns();
    enum haul_status status = open_database(run, given->database, given->wal_dir, &store, error);
    if (status == HAUL_OK) {
        struct haul_verify_remote_options remote = {.size_bytes = sizeof(remote),
                                                    .to = given->target.to,
                                                    .peer_timeout_ms =
                                                        given->target.peer_timeout_ms,
                                                    .retry_max_ms = given->target.retry_max_ms,
                                                    .what = options,
                                                    .log = &run->output->log,
                                                    .keys = given->trust.keys,
                                                    .insecure = given->trust.insecure};
        status = haul_verify_remote(store, &remote, run->remote, error);
        store->ops->close(store);
    }
    memcpy(run->scans[0].families, run->remote->ours, sizeof(run->scans[0].families));
    run->scans[0].count = run->remote->our_count;
    memcpy(run->scans[1].families, run->remote->theirs, sizeof(run->scans[1].families));
    run->scans[1].count = run->remote->their_count;
    return status;
}

static enum haul_status read_other(struct verify_run *run,
                                   const struct haul_verify_options *options,
                                   struct haul_error *error)
{
    const struct verify_options *given = run->given;
    if (given->with != NULL) {
        return scan_database(run, given->with, given->with_wal_dir, options, &run->scans[1], error);
    }
    memcpy(run->scans[1].families, run->reader.totals, sizeof(run->scans[1].families));
    run->scans[1].count = run->reader.total_count;
    return HAUL_OK;
}

/* Two databases at rest may have been made to have the same digest, but not with a key of this run.
 * A manifest was, or will be, read elsewhere. Without random numbers: no key. */
static struct haul_slice fresh_key(struct verify_run *run)
{
    bool drawn = getrandom(run->digest_key, sizeof(run->digest_key), 0) == sizeof(run->digest_key);
    return (struct haul_slice){.data = run->digest_key, .size = drawn ? HAUL_DIGEST_KEY_BYTES : 0};
}

/* Scan both, compare, report. Returns the exit code. */
static int verify_into(struct verify_run *run)
{
    const struct verify_options *given = run->given;
    const struct name_list *names =
        given->manifest != NULL ? &run->reader.selected : &given->families;
    const struct range_list *ranges =
        given->manifest != NULL ? &run->reader.ranges : &given->ranges;
    struct haul_verify_options options = {
        .size_bytes = sizeof(options),
        .families = names->names,
        .family_count = names->count,
        .ranges = ranges->ranges,
        .range_count = ranges->count,
        .is_cancelled = is_cancelled,
        .on_progress = show_progress,
        .context = run,
    };
    struct haul_error error = {.status = HAUL_OK};
    if (given->with != NULL && given->write_manifest == NULL) {
        options.digest_key = fresh_key(run);
    }
    signal_watch_set_polled(&run->watch);
    bool compares = other_of(given) != NULL;
    bool with_target = given->target.to != NULL;
    enum haul_status status =
        with_target ? scan_with_target(run, &options, &error) : scan_first(run, &options, &error);
    if (status == HAUL_OK && compares && !with_target) {
        status = read_other(run, &options, &error);
    }
    if (status != HAUL_OK) {
        return command_failed(status, &error, signal_watch_number(&run->watch), run->output);
    }
    status = compares ? compare(run, &options, &error) : HAUL_OK;
    error.status = status;
    if (status != HAUL_OK) {
        output_error(run->output, &error);
    }
    print_result(run, &error);
    return exit_code_of(status, 0);
}

static int verify_with(const struct verify_options *given, struct output *output)
{
    struct haul_error error = {.status = HAUL_OK};
    struct verify_run *run = calloc(1, sizeof(*run));
    if (run == NULL) {
        haul_error_set(&error, HAUL_NO_MEMORY, "calloc", 0, "no memory");
        return command_failed(HAUL_NO_MEMORY, &error, 0, output);
    }
    run->given = given;
    run->output = output;
    enum haul_status status = HAUL_OK;
    if (given->manifest != NULL) {
        status = manifest_open(&run->reader, given->manifest, &error);
    }
    if (status == HAUL_OK) {
        status = signal_watch_init(&run->watch, output, &error);
    }
    int exit_code = 0;
    if (status == HAUL_OK) {
        exit_code = verify_into(run);
        signal_watch_fini(&run->watch);
    } else {
        exit_code = command_failed(status, &error, 0, output);
    }
    manifest_close(&run->reader);
    free(run->remote);
    free(run);
    return exit_code;
}

/* Returns the exit code. */
static int verify_ledger(struct verify_options *given, struct output *output)
{
    struct haul_error error = {.status = HAUL_OK};
    struct haul_rocks_options rocks = {.size_bytes = sizeof(rocks),
                                       .read_only = true,
                                       .wal_dir = given->wal_dir,
                                       .log = &output->log};
    struct haul_store *store = NULL;
    uint64_t checked = 0;
    if (given->families.count > 0) {
        given->load.family = given->families.names[0];
    }
    enum haul_status status = database_open_to_read(given->database, &rocks, &store, &error);
    if (status == HAUL_OK) {
        status = load_check(&given->load, store, &checked, &error);
        store->ops->close(store);
    }
    if (status != HAUL_OK && status != HAUL_CORRUPT) {
        return command_failed(status, &error, 0, output);
    }
    error.status = status;
    if (status != HAUL_OK) {
        haul_error_hint(&error, "check the logs of both sides; keep both databases");
        output_error(output, &error);
    }
    if (output->options.json) {
        json_output_ledger(checked, &error, exit_code_of(status, 0));
    } else if (status == HAUL_OK && !output->options.quiet) {
        (void)printf("%" PRIu64 " keys checked, nothing is lost\n", checked);
    }
    return exit_code_of(status, 0);
}

static bool has_work(const struct verify_options *options)
{
    return options->with != NULL || options->target.to != NULL || options->manifest != NULL ||
           options->write_manifest != NULL || options->load.ledger != NULL;
}

/* Errors: INVALID. */
static enum haul_status check(const struct verify_options *options, struct haul_error *error)
{
    bool selects = options->families.count > 0 || options->ranges.count > 0;
    bool compares = options->with != NULL || options->manifest != NULL;
    if (options->output.json && is_on_stdout(options)) {
        haul_error_set(error, HAUL_INVALID, NULL, 0,
                       "--json and --write-manifest - exclude each other");
        haul_error_hint(error, "both write to stdout: write the manifest to a file");
        return HAUL_INVALID;
    }
    if (options->target.to != NULL &&
        (compares || options->write_manifest != NULL || options->load.ledger != NULL)) {
        haul_error_set(error, HAUL_INVALID, NULL, 0,
                       "--to excludes --with, --manifest, --write-manifest and --ledger");
        haul_error_hint(error, "run the command twice");
        return HAUL_INVALID;
    }
    if (options->manifest != NULL &&
        (options->with != NULL || options->load.ledger != NULL || selects)) {
        haul_error_set(error, HAUL_INVALID, NULL, 0,
                       "--manifest determines what is compared: it excludes --with, --ledger, "
                       "--cf, --range and --prefix");
        haul_error_hint(error, "choose families and ranges when you write the manifest");
        return HAUL_INVALID;
    }
    if (options->load.ledger != NULL && (compares || options->write_manifest != NULL)) {
        haul_error_set(error, HAUL_INVALID, NULL, 0,
                       "--ledger excludes --with and --write-manifest");
        haul_error_hint(error, "run the command twice");
        return HAUL_INVALID;
    }
    return HAUL_OK;
}

static int verify(struct verify_options *options, struct output *output)
{
    struct haul_error error = {.status = HAUL_OK};
    if (options->database == NULL || !has_work(options)) {
        return command_missing(options->database == NULL
                                   ? "--db DIR"
                                   : "--with DIR, --to ADDR:PORT, --manifest FILE, "
                                     "--write-manifest FILE or --ledger FILE",
                               output);
    }
    enum haul_status status = check(options, &error);
    if (status == HAUL_OK && options->target.to != NULL) { /* a credential is of no use otherwise */
        status = trust_options_load(&options->trust, &output->log, &error);
    }
    if (status != HAUL_OK) {
        return command_failed(status, &error, 0, output);
    }
    return options->load.ledger != NULL ? verify_ledger(options, output)
                                        : verify_with(options, output);
}

static int run_verify(const struct command *command, int argc, char **argv)
{
    struct verify_options options = {.database = NULL};
    struct output output;
    int exit_code = 0;
    if (command_parse(command, argc, argv, &options, &exit_code)) {
        output_init(&output, command->name, &options.output);
        exit_code = verify(&options, &output);
        trust_options_fini(&options.trust);
        output_fini(&output);
    }
    range_list_fini(&options.ranges);
    return exit_code;
}

const struct command command_verify = {
    .name = "verify",
    .summary = "compare two databases by count and digest",
    .synopsis = "--db DIR {--with DIR | --to ADDR:PORT | --manifest FILE | --write-manifest FILE | "
                "--ledger FILE} "
                "[options]",
    .details =
        "Reads both databases in full, without opening them for writing, and compares the\n"
        "number of records and an order-independent digest of every column family. It ends\n"
        "with 0 when they are equal and with 6 when they are not, and names the first key\n"
        "that differs.\n"
        "\n"
        "With --to the other database is the one that 'haul recv' has open there, on this host\n"
        "or another: each side reads its own and sends digests. Nothing is changed. It runs\n"
        "while the receiver has no job; a job that begins meanwhile takes precedence.\n"
        "\n"
        "A manifest allows a comparison without a connection. It has count and digest of each\n"
        "column family, and of pieces of about 64 records, which locate the first difference;\n"
        "it takes about two bytes per record. The database may be open, as under 'haul recv':\n"
        "the comparison sees it as it was when haul opened it.\n"
        "\n" SELECTION_HELP "\n"
        "Examples:\n"
        "  haul verify --db /data/a --with /data/b\n"
        "  haul verify --db /data/a --with /data/b --cf default --prefix user: --json\n"
        "  haul verify --db /data/a --to 10.0.0.7:7447\n"
        "  haul verify --db /data/a --write-manifest /tmp/a.manifest   # then, elsewhere:\n"
        "  haul verify --db /data/b --manifest /tmp/a.manifest\n"
        "  ssh b haul verify --db /data/b --write-manifest - | \\\n"
        "      haul verify --db /data/a --manifest -\n"
        "  haul verify --db /data/b --ledger /tmp/ledger\n",
    .rules = rules,
    .rule_count = sizeof(rules) / sizeof(rules[0]),
    .needs_threads = true,
    .run = run_verify,
};
