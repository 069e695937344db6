/* SPDX-License-Identifier: Apache-2.0 */
/* test_cmd_migrate.c — send, recv, resume and resolve: how each command-line option reaches the
 * library, and what is refused before a migration starts. */
#include "command.h"

#include <stdlib.h>

#include "check.h"
#include "dry_run.h"
#include "exit_code.h"
#include "load_writer.h"
#include "migration_run.h"
#include "ran.h"
#include "range_option.h"

/* --- what stands behind the commands ---------------------------------------------------------- */

enum { RUN_EXIT_CODE = 42 };

static struct migration_work work;
static const char *directory;
static struct haul_source_options source;
static struct haul_target_options target;
static struct load_options load;
static enum haul_status check_answer;
static enum haul_status start_answer;
static enum haul_status load_answer;
static enum haul_status look_answer;
static enum haul_status refused_with;
static const struct haul_result *ended;
static struct {
    unsigned stores;
    unsigned checks;
    unsigned starts;
    unsigned finishes;
    unsigned looks;
    unsigned loads;
    unsigned load_hooks;
    unsigned leads;
    unsigned load_marks;
    unsigned load_stops;
} calls;

static struct haul_store store;
static char load_memory;
static char migration_memory;

/* Families, metadata families and ranges, which live only as long as the command. */
static char selected[512];

static void note(const char *text, char separator)
{
    size_t used = strlen(selected);
    (void)snprintf(selected + used, sizeof(selected) - used, "%s%c", text, separator);
}

static void note_ranges(const struct haul_range *ranges, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char text[64];
        range_option_format(&ranges[i], text, sizeof(text));
        note(text, ';');
    }
}

static void note_selected(const struct haul_source_options *options)
{
    selected[0] = '\0';
    for (size_t i = 0; i < options->family_count; i++) {
        note(options->families[i], ' ');
    }
    for (size_t i = 0; i < options->metadata_family_count; i++) {
        note(options->metadata_families[i], '!');
    }
    note_ranges(options->ranges, options->range_count);
}

static void note_taken(const struct haul_target_options *options)
{
    selected[0] = '\0';
    for (size_t i = 0; i < options->only_family_count; i++) {
        note(options->only_families[i], ' ');
    }
    note_ranges(options->only_ranges, options->only_range_count);
}

static void begin(void)
{
    selected[0] = '\0';
    memset(&calls, 0, sizeof(calls));
    memset(&work, 0, sizeof(work));
    memset(&source, 0, sizeof(source));
    memset(&target, 0, sizeof(target));
    memset(&load, 0, sizeof(load));
    check_answer = start_answer = load_answer = look_answer = refused_with = HAUL_OK;
    directory = NULL;
    ended = NULL;
}

/* What the store would be opened with, and no more. */
static bool only_prepares;

static void note_families(const struct migration_work *given)
{
    selected[0] = '\0';
    for (size_t i = 0; i < given->family_count; i++) {
        note(given->families[i], ' ');
    }
}

int __wrap_migration_run_store(const char *database, const struct migration_work *given,
                               struct output *output);
int __wrap_migration_run_store(const char *database, const struct migration_work *given,
                               struct output *output)
{
    struct migration_watch watch = {.directory = database, .peer = given->peer};
    calls.stores++;
    directory = database;
    work = *given;
    if (only_prepares) {
        note_families(given);
        return RUN_EXIT_CODE;
    }
    int exit_code = given->run(&store, given->options, &watch, output);
    check(watch.load == NULL || refused_with == HAUL_OK);
    return exit_code;
}

int __wrap_migration_run_finish(struct haul_migration *migration, struct migration_watch *watch,
                                struct output *output);
int __wrap_migration_run_finish(struct haul_migration *migration, struct migration_watch *watch,
                                struct output *output)
{
    (void)output;
    calls.finishes++;
    check((void *)migration == &migration_memory);
    check_equal(watch->load != NULL, load.rate != 0);
    return RUN_EXIT_CODE;
}

int __wrap_migration_run_refused(enum haul_status status, struct haul_error *error,
                                 const struct migration_watch *watch, struct output *output);
int __wrap_migration_run_refused(enum haul_status status, struct haul_error *error,
                                 const struct migration_watch *watch, struct output *output)
{
    (void)watch;
    (void)output;
    check_text(error->text, "not this time");
    refused_with = status;
    return exit_code_of(status, 0);
}

void __wrap_migration_run_job_ended(const struct haul_result *result,
                                    const struct migration_watch *watch, struct output *output);
void __wrap_migration_run_job_ended(const struct haul_result *result,
                                    const struct migration_watch *watch, struct output *output)
{
    check_text(watch->directory, "/b");
    check_text(output->command, "recv");
    ended = result;
}

static enum haul_status answer(enum haul_status status, struct haul_error *error)
{
    return status == HAUL_OK ? HAUL_OK : haul_error_set(error, status, NULL, 0, "not this time");
}

enum haul_status __wrap_haul_source_check(const struct haul_source_options *options,
                                          struct haul_error *error);
enum haul_status __wrap_haul_source_check(const struct haul_source_options *options,
                                          struct haul_error *error)
{
    calls.checks++;
    source = *options;
    note_selected(options);
    return answer(check_answer, error);
}

enum haul_status __wrap_haul_source_start(const struct haul_source_options *options,
                                          struct haul_migration **migration,
                                          struct haul_error *error);
enum haul_status __wrap_haul_source_start(const struct haul_source_options *options,
                                          struct haul_migration **migration,
                                          struct haul_error *error)
{
    calls.starts++;
    source = *options;
    *migration = (struct haul_migration *)(void *)&migration_memory;
    return answer(start_answer, error);
}

enum haul_status __wrap_haul_target_start(const struct haul_target_options *options,
                                          struct haul_migration **migration,
                                          struct haul_error *error);
enum haul_status __wrap_haul_target_start(const struct haul_target_options *options,
                                          struct haul_migration **migration,
                                          struct haul_error *error)
{
    static const struct haul_result result = {.status = HAUL_OK};
    const struct haul_reservation wanted = {.overwrite = false};
    calls.starts++;
    target = *options;
    note_taken(options);
    check_status(options->hooks.reserve(options->hooks.context, &wanted, error), HAUL_OK);
    options->hooks.job_ended(options->hooks.context, &result);
    check(ended == &result);
    *migration = (struct haul_migration *)(void *)&migration_memory;
    return answer(start_answer, error);
}

const char *__wrap_haul_migration_address(const struct haul_migration *migration);
const char *__wrap_haul_migration_address(const struct haul_migration *migration)
{
    check((const void *)migration == &migration_memory);
    return "127.0.0.1:4711";
}

enum haul_status __wrap_dry_run_look(const struct haul_source_options *options, struct dry_run *run,
                                     struct haul_error *error);
enum haul_status __wrap_dry_run_look(const struct haul_source_options *options, struct dry_run *run,
                                     struct haul_error *error)
{
    calls.looks++;
    check(options->store == &store);
    *run = (struct dry_run){.families = calloc(2, sizeof(*run->families)), .family_count = 2};
    check_or_stop(run->families != NULL);
    run->families[0] = (struct dry_run_family){.name = "a\nb", .known = true, .bytes = 2048};
    run->families[1] = (struct dry_run_family){.name = "odd"};
    run->bytes = 2048;
    return answer(look_answer, error);
}

enum haul_status __wrap_load_writer_start(const struct load_options *options, struct haul_store *of,
                                          const struct haul_range *ranges, size_t range_count,
                                          struct load_writer **writer, struct haul_error *error);
enum haul_status __wrap_load_writer_start(const struct load_options *options, struct haul_store *of,
                                          const struct haul_range *ranges, size_t range_count,
                                          struct load_writer **writer, struct haul_error *error)
{
    calls.loads++;
    load = *options;
    check(of == &store);
    check(ranges == source.ranges);
    check_equal(range_count, source.range_count);
    if (load_answer == HAUL_OK) {
        *writer = (struct load_writer *)(void *)&load_memory;
    }
    return answer(load_answer, error);
}

/* The load first writes alone; the migration starts after that. */
void __wrap_migration_run_lead(struct migration_watch *watch, struct output *output);
void __wrap_migration_run_lead(struct migration_watch *watch, struct output *output)
{
    (void)output;
    check((void *)watch->load == &load_memory);
    check_equal(calls.loads, 1);
    check_equal(calls.load_marks + calls.starts, 0);
    calls.leads++;
}

static enum haul_status freeze(void *context, uint32_t deadline_ms, struct haul_error *error)
{
    (void)context;
    (void)deadline_ms;
    (void)error;
    return HAUL_OK;
}

void __wrap_load_writer_hook(struct load_writer *writer, struct haul_hooks *hooks);
void __wrap_load_writer_hook(struct load_writer *writer, struct haul_hooks *hooks)
{
    check((void *)writer == &load_memory);
    check_equal(calls.load_marks, 0);
    check_equal(calls.starts, 0);
    hooks->freeze = freeze;
    calls.load_hooks++;
}

void __wrap_load_writer_mark(struct load_writer *writer);
void __wrap_load_writer_mark(struct load_writer *writer)
{
    check((void *)writer == &load_memory);
    check_equal(calls.starts, 0);
    calls.load_marks++;
}

void __wrap_load_writer_stop(struct load_writer *writer, struct load_result *result);
void __wrap_load_writer_stop(struct load_writer *writer, struct load_result *result)
{
    check((void *)writer == &load_memory);
    memset(result, 0, sizeof(*result));
    calls.load_stops++;
}

/* --- a plan ----------------------------------------------------------------------------------- */

static char plan_path[] = "/tmp/haul-plan-XXXXXX";

/* `haul send --db /a --plan FILE` with these moves and further arguments. */
static int run_plan(const char *moves, const char *arguments)
{
    char line[256];
    (void)snprintf(plan_path, sizeof(plan_path), "/tmp/haul-plan-XXXXXX");
    int fd = mkstemp(plan_path);
    check_or_stop(fd >= 0 && dprintf(fd, "{\"version\":1,\"moves\":[%s]}", moves) > 0);
    (void)close(fd);
    (void)snprintf(line, sizeof(line), "--db /a --plan %s%s", plan_path, arguments);
    only_prepares = true;
    int exit_code = run(&command_send, line);
    only_prepares = false;
    (void)unlink(plan_path);
    return exit_code;
}

static void test_send__plan__opens_the_families_of_all_moves(void)
{
    begin();
    check_equal(run_plan("{\"to\":\"h:1\",\"cf\":[\"x\",\"y\"],\"prefix\":\"a\"},"
                         "{\"to\":\"h:1\",\"cf\":[\"y\",\"z\"],\"prefix\":\"b\"}",
                         " --wal-dir /w --parallel 16 --stop-on-failure"),
                RUN_EXIT_CODE);
    check_text(directory, "/a");
    check_text(work.wal_dir, "/w");
    check(work.read_only && work.keep_log && !work.create);
    check_text(selected, "x y z ");
    check_equal(run_plan("{\"to\":\"h:1\",\"cf\":\"x\",\"prefix\":\"a\"},"
                         "{\"to\":\"h:1\",\"prefix\":\"b\"}",
                         ""),
                RUN_EXIT_CODE);
    check_text(selected, ""); /* all */
    check_equal(calls.starts + calls.checks, 0);
}

static void test_send__plan_that_is_none_or_with_other_options__usage(void)
{
    static const char move[] = "{\"to\":\"h:1\"}";
    static const char *const extra[] = {" --to h:1",     " --cf x",          " --range a:b",
                                        " --prefix a",   " --metadata-cf x", " --load 5",
                                        " --parallel 17"};
    begin();
    for (size_t i = 0; i < CHECK_COUNT(extra); i++) {
        check_equal(run_plan(move, extra[i]), EXIT_CODE_USAGE);
    }
    check_equal(run_plan("", ""), EXIT_CODE_USAGE);
    check_equal(run(&command_send, "--db /a --plan /no/such/file"), EXIT_CODE_PREFLIGHT);
    check_equal(run(&command_send, "--db /a --to h:1 --parallel 2"), EXIT_CODE_USAGE);
    check_equal(run(&command_send, "--db /a --to h:1 --stop-on-failure"), EXIT_CODE_USAGE);
    check_equal(run(&command_send, "--db /a"), EXIT_CODE_USAGE);
    check_has(ran.err.text, "send needs --to ADDR:PORT, or --plan FILE");
    check_equal(calls.stores, 0);
}

/* --- the source ------------------------------------------------------------------------------- */

static void test_send__each_option__in_what_is_asked_for(void)
{
    begin();
    check_equal(
        run(&command_send,
            "--db /a --wal-dir /w --to h:1 --transport tcp --cf one --cf two --range k:m "
            "--prefix user: --metadata-cf two --overwrite --rate 5K --pinned-max 6K "
            "--retry 7s --freeze-max 8ms --compress on --verify read --lane ingest --log-data "
            "--config-version 9 --readers 3 --links 2 --batch-min 2K --batch-max 4K "
            "--slots 11 --slot-size 64K --peer-timeout 1s --cpu-list 0-1"),
        RUN_EXIT_CODE);
    check_text(directory, "/a");
    check_text(work.wal_dir, "/w");
    check_text(work.peer, "h:1");
    check(work.keep_log && work.read_only && !work.create && !work.families_of_jobs);
    check_equal(work.family_count, 2);
    check(source.store == &store);
    check_text(source.to, "h:1");
    check_equal(source.transports.items[0], HAUL_TRANSPORT_TCP);
    check_text(selected, "one two two!k:m;user\\::user;;");
    check(source.overwrite && source.read_back && source.keep_versions && source.log_data);
    check(!source.resume && !source.resolve);
    check_equal(source.rate_bytes_per_second, 5120);
    check_equal(source.pinned_bytes_max, 6144);
    check_equal(source.retry_max_ms, 7000);
    check_equal(source.freeze_max_ms, 8);
    check_equal(source.compression, HAUL_COMPRESSION_ON);
    check_equal(source.lane, HAUL_LANE_INGEST);
    check_equal(source.config_version, 9);
    check_equal(source.reader_count, 3);
    check_equal(source.link_count, 2);
    check_equal(source.batch_size_bytes_min, 2048);
    check_equal(source.batch_size_bytes_max, 4096);
    check_equal(source.link.slot_count, 11);
    check_equal(source.link.slot_size_bytes, 65536);
    check_equal(source.link.peer_timeout_ms, 1000);
    check_text(source.cpu_list, "0-1");
    check(source.log != NULL && source.hooks.freeze == NULL);
    check_equal(calls.loads, 0);
    check_equal(calls.checks + calls.starts + calls.finishes, 3);
    check_equal(calls.looks, 0);
}

static void test_send__no_option__the_defaults_of_the_library(void)
{
    begin();
    check_equal(run(&command_send, "--db /a --to h:1"), RUN_EXIT_CODE);
    check(!source.overwrite && !source.read_back && !source.keep_versions && !source.log_data);
    check_equal(source.transports.items[0], HAUL_TRANSPORT_NONE);
    check_equal(source.compression, HAUL_COMPRESSION_AUTO);
    check_equal(source.lane, HAUL_LANE_AUTO);
    check_equal(source.family_count + source.metadata_family_count + source.range_count, 0);
    check_equal(source.rate_bytes_per_second + source.pinned_bytes_max + source.retry_max_ms, 0);
    check_equal(source.freeze_max_ms, 0);
    check_equal(source.reader_count + source.link_count + source.link.slot_count, 0);
    check(work.wal_dir == NULL && work.read_only);
}

/* 0 is a valid version, and reading back takes longer than the usual pause. */
static void test_send__options_that_mean_others__so_they_do(void)
{
    begin();
    check_equal(run(&command_send, "--db /a --to h:1 --config-version 0 --verify read"),
                RUN_EXIT_CODE);
    check(source.keep_versions);
    check_equal(source.config_version, 0);
    check_equal(source.freeze_max_ms, 86400000);
    begin();
    check_equal(run(&command_send, "--db /a --to h:1 --verify count"), RUN_EXIT_CODE);
    check_equal(source.freeze_max_ms, 0);
}

static void test_send__load__writes_to_the_first_family_and_is_marked_before_the_start(void)
{
    begin();
    check_equal(run(&command_send,
                    "--db /a --to h:1 --cf one --cf two --range a:b --load 100 --load-ledger /l "
                    "--load-keys 5 --load-value 50 --load-prefix p: --load-for 3s --load-sync"),
                RUN_EXIT_CODE);
    check(!work.read_only);
    check_equal(load.rate, 100);
    check_text(load.ledger, "/l");
    check_equal(load.key_count, 5);
    check_equal(load.value_bytes, 50);
    check_text(load.prefix, "p:");
    check_equal(load.lead_ms, 3000);
    check(load.sync);
    check_text(load.family, "one");
    check(source.hooks.freeze == freeze);
    check_equal(calls.loads + calls.load_hooks + calls.load_marks, 3);
    check_equal(calls.leads, 1);
    check_equal(calls.load_stops, 0);
    begin();
    check_equal(run(&command_send, "--db /a --to h:1 --load 100"), RUN_EXIT_CODE);
    check(load.family == NULL && !load.sync);
}

static void test_send__refused_at_each_step__nothing_behind_it(void)
{
    static const char line[] = "--db /a --to h:1 --load 100";
    begin();
    check_answer = HAUL_MISMATCH;
    check_equal(run(&command_send, line), EXIT_CODE_PREFLIGHT);
    check_status(refused_with, HAUL_MISMATCH);
    check_equal(calls.loads + calls.starts + calls.looks, 0);
    begin();
    load_answer = HAUL_NOT_FOUND;
    check_equal(run(&command_send, line), EXIT_CODE_PREFLIGHT);
    check_equal(calls.loads, 1);
    check_equal(calls.load_hooks + calls.load_marks + calls.starts, 0);
    begin();
    start_answer = HAUL_BUSY;
    load.rate = 0;
    check_equal(run(&command_send, line), EXIT_CODE_TEMPORARY);
    check_status(refused_with, HAUL_BUSY);
    check_equal(calls.load_stops, 1);
    check_equal(calls.finishes, 0);
    begin();
    start_answer = HAUL_LIMIT;
    check_equal(run(&command_send, "--db /a --to h:1"), EXIT_CODE_LIMIT);
    check_equal(calls.load_stops, 0);
}

static void test_send__dry_run__looks_and_starts_nothing(void)
{
    begin();
    check_equal(run(&command_send, "--db /a -n --load 5"), EXIT_CODE_OK);
    check_equal(calls.starts + calls.loads, 0);
    check_equal(calls.looks, 1);
    check_text(ran.out.text,
               "column family a\\x0ab: about 2.0 kB\n"
               "column family odd: of unknown size\n"
               "about 2.0 kB would be sent; nothing was sent, and the receiver was not "
               "contacted\n");
    check_text(ran.err.text, "");
    begin();
    check_equal(run(&command_send, "--db /a --to h:1 --dry-run --json"), EXIT_CODE_OK);
    check(ran.out.text[0] == '{');
    check_has(ran.out.text, "\"odd\"");
    begin();
    look_answer = HAUL_STORE;
    check_equal(run(&command_send, "--db /a -n"), EXIT_CODE_PERMANENT);
    check_text(ran.out.text, "");
    check_has(ran.err.text, "haul: error: not this time");
    begin();
    check_answer = HAUL_UNSUPPORTED;
    check_equal(run(&command_send, "--db /a -n"), EXIT_CODE_PREFLIGHT);
    check_equal(calls.looks, 0);
}

static void test_resume__each_option__in_what_is_asked_for(void)
{
    begin();
    check_equal(run(&command_resume,
                    "--db /a --wal-dir /w --to h:1 --transport rdma --rate 5K --pinned-max 6K "
                    "--retry 7s --compress off --config-version 9 --readers 3 --links 2 --slots 11 "
                    "--slot-size 64K --peer-timeout 1s --cpu-list 0-1"),
                RUN_EXIT_CODE);
    check_text(directory, "/a");
    check_text(work.wal_dir, "/w");
    check_text(work.peer, "h:1");
    check(work.keep_log && work.read_only && work.families_of_jobs && !work.create);
    check(source.store == &store && source.log != NULL);
    check(source.resume && !source.resolve && source.keep_versions);
    check_text(source.to, "h:1");
    check_equal(source.transports.items[0], HAUL_TRANSPORT_VERBS);
    check_equal(source.rate_bytes_per_second, 5120);
    check_equal(source.pinned_bytes_max, 6144);
    check_equal(source.retry_max_ms, 7000);
    check_equal(source.compression, HAUL_COMPRESSION_OFF);
    check_equal(source.config_version, 9);
    check_equal(source.reader_count, 3);
    check_equal(source.link_count, 2);
    check_equal(source.link.slot_count, 11);
    check_equal(source.link.slot_size_bytes, 65536);
    check_equal(source.link.peer_timeout_ms, 1000);
    check_text(source.cpu_list, "0-1");
    check_equal(calls.finishes, 1);
}

static void test_resolve__each_option__in_what_is_asked_for(void)
{
    begin();
    check_equal(run(&command_resolve, "--db /a --wal-dir /w --to h:1 --peer-timeout 1s --retry 7s"),
                RUN_EXIT_CODE);
    check_text(directory, "/a");
    check_text(work.wal_dir, "/w");
    check_text(work.peer, "h:1");
    check(work.keep_log && work.read_only && !work.families_of_jobs && !work.create);
    check_equal(work.family_count, 1);
    check_text(work.families[0], "default");
    check(source.store == &store && source.log != NULL);
    check(source.resolve && !source.resume);
    check_equal(source.transports.items[0], HAUL_TRANSPORT_TCP);
    check_equal(source.link.peer_timeout_ms, 1000);
    check_equal(source.retry_max_ms, 7000);
    check_equal(calls.finishes, 1);
}

static void test_resume_and_resolve__refused__its_exit_code(void)
{
    const struct command *const commands[] = {&command_resume, &command_resolve};
    for (size_t i = 0; i < CHECK_COUNT(commands); i++) {
        begin();
        start_answer = HAUL_IN_DOUBT;
        check_equal(run(commands[i], "--db /a --to h:1"), EXIT_CODE_IN_DOUBT);
        check_status(refused_with, HAUL_IN_DOUBT);
        check_equal(calls.finishes, 0);
    }
}

/* --- the target ------------------------------------------------------------------------------- */

static void test_recv__each_option__in_what_is_asked_for(void)
{
    begin();
    check_equal(run(&command_recv,
                    "--db /b --wal-dir /w --listen h:1 --transport tcp --once --retry 7s "
                    "--allow-overwrite --only-cf one --only-cf two --only-range k:m --only-range "
                    "0x00:user\\: --verify read --lane writebatch --keep-free 8K --config-version "
                    "9 --appliers 3 "
                    "--table-size 2M --slots 11 --slot-size 64K --peer-timeout 1s --cpu-list 0-1"),
                RUN_EXIT_CODE);
    check_text(directory, "/b");
    check_text(work.wal_dir, "/w");
    check(work.create && work.peer == NULL);
    check(!work.keep_log && !work.read_only && !work.families_of_jobs);
    check(target.store == &store && target.log != NULL);
    check_text(target.listen, "h:1");
    check_equal(target.transports.items[0], HAUL_TRANSPORT_TCP);
    check(target.once && target.read_back && target.keep_versions && target.answers_verify);
    check_equal(target.resume_wait_ms, 7000);
    check(target.allow_overwrite);
    check_text(selected, "one two k:m;0x00:user\\:;");
    check_equal(target.lane, HAUL_LANE_WRITE_BATCH);
    check_equal(target.keep_free_bytes, 8192);
    check_equal(target.config_version, 9);
    check_equal(target.applier_count, 3);
    check_equal(target.table_size_bytes, 2 << 20);
    check_equal(target.link.slot_count, 11);
    check_equal(target.link.slot_size_bytes, 65536);
    check_equal(target.link.peer_timeout_ms, 1000);
    check_text(target.cpu_list, "0-1");
    check_text(ran.err.text, "haul: listening on 127.0.0.1:4711\n");
    check_equal(calls.finishes, 1);
}

static void test_recv__no_option__the_defaults_of_the_library(void)
{
    begin();
    check_equal(run(&command_recv, "--db /b -q"), RUN_EXIT_CODE);
    check(target.listen == NULL);
    check(!target.once && !target.read_back && !target.keep_versions && !target.allow_overwrite);
    check_text(selected, "");
    check_equal(target.keep_free_bytes, 0); /* the default share */
    check_equal(target.applier_count + target.resume_wait_ms + target.table_size_bytes, 0);
    check_text(ran.err.text, "");
    begin();
    check_equal(run(&command_recv, "--db /b --keep-free 0"), RUN_EXIT_CODE);
    check_equal(target.keep_free_bytes, 1); /* stands for zero */
}

static void test_recv__refused__its_exit_code_and_no_address(void)
{
    begin();
    start_answer = HAUL_BUSY;
    check_equal(run(&command_recv, "--db /b"), EXIT_CODE_TEMPORARY);
    check_status(refused_with, HAUL_BUSY);
    check_equal(calls.finishes, 0);
    check(strstr(ran.err.text, "listening") == NULL);
}

/* --- what is missing, and limits -------------------------------------------------------------- */

static void test_commands__option_missing__named_and_nothing_opened(void)
{
    static const struct {
        const struct command *command;
        const char *line;
        const char *missing;
    } cases[] = {
        {&command_send, "--to h:1", "send needs --db DIR"},
        {&command_send, "--db /a", "send needs --to ADDR:PORT"},
        {&command_send, "-n", "send needs --db DIR"},
        {&command_resume, "--to h:1", "resume needs --db DIR"},
        {&command_resume, "--db /a", "resume needs --to ADDR:PORT"},
        {&command_resolve, "--to h:1", "resolve needs --db DIR"},
        {&command_resolve, "--db /a", "resolve needs --to ADDR:PORT"},
        {&command_recv, "--once", "recv needs --db DIR"},
    };
    for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
        begin();
        check_equal(run(cases[i].command, cases[i].line), EXIT_CODE_USAGE);
        check_has(ran.err.text, cases[i].missing);
        check_equal(calls.stores, 0);
        (void)run(cases[i].command, "--json");
        check_has(ran.out.text, "\"exit_code\":2");
    }
}

/* Each limit of an option is accepted, and the value beyond it is refused. */
static void test_commands__value_at_its_limit__taken_and_not_beyond(void)
{
    static const struct {
        const struct command *command;
        const char *option;
        const char *taken[2];
        const char *refused[2];
    } cases[] = {
        {&command_send, "retry", {"1ms", "86400000ms"}, {"0", "86400001ms"}},
        {&command_send, "freeze-max", {"1ms", "600000ms"}, {"0ms", "600001ms"}},
        {&command_send, "rate", {"1024", "1024"}, {"1023", "1125899906842625"}},
        {&command_send, "pinned-max", {"1024", "1024T"}, {"1023", "1125899906842625"}},
        {&command_send, "readers", {"1", "1"}, {"0", "99999"}},
        {&command_send, "links", {"1", "1"}, {"0", "99999"}},
        {&command_send, "batch-min", {"1024", "1024"}, {"1023", "99G"}},
        {&command_send, "batch-max", {"1024", "1024"}, {"1023", "99G"}},
        {&command_send, "slots", {"2", "2"}, {"1", "999999999"}},
        {&command_send, "load", {"1", "10000000"}, {"0", "10000001"}},
        {&command_send, "load-for", {"1ms", "1h"}, {"0", "3600001ms"}},
        {&command_send,
         "config-version",
         {"0", "18446744073709551614"},
         {"-1", "18446744073709551615"}},
        {&command_resume, "retry", {"1ms", "86400000ms"}, {"0", "86400001ms"}},
        {&command_resume, "readers", {"1", "1"}, {"0", "99999"}},
        {&command_resume, "links", {"1", "1"}, {"0", "99999"}},
        {&command_resolve, "retry", {"1ms", "86400000ms"}, {"0", "86400001ms"}},
        {&command_recv, "retry", {"1ms", "86400000ms"}, {"0", "86400001ms"}},
        {&command_recv, "keep-free", {"0", "9223372036854775807"}, {"-1", "9223372036854775808"}},
        {&command_recv, "appliers", {"1", "1"}, {"0", "99999"}},
        {&command_recv, "table-size", {"1M", "4G"}, {"1048575", "4294967297"}},
    };
    char line[128];
    for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
        for (size_t j = 0; j < 2; j++) {
            const char *where = cases[i].command == &command_recv ? "--db /b" : "--db /a --to h:1";
            (void)snprintf(line, sizeof(line), "%s --%s %s", where, cases[i].option,
                           cases[i].taken[j]);
            begin();
            check_equal(run(cases[i].command, line), RUN_EXIT_CODE);
            (void)snprintf(line, sizeof(line), "%s --%s %s", where, cases[i].option,
                           cases[i].refused[j]);
            begin();
            check_equal(run(cases[i].command, line), EXIT_CODE_USAGE);
            check_has(ran.err.text, cases[i].option);
            check_equal(calls.stores, 0);
        }
    }
}

static const struct check_test tests[] = {
    CHECK_TEST(test_send__plan__opens_the_families_of_all_moves),
    CHECK_TEST(test_send__plan_that_is_none_or_with_other_options__usage),
    CHECK_TEST(test_send__each_option__in_what_is_asked_for),
    CHECK_TEST(test_send__no_option__the_defaults_of_the_library),
    CHECK_TEST(test_send__options_that_mean_others__so_they_do),
    CHECK_TEST(test_send__load__writes_to_the_first_family_and_is_marked_before_the_start),
    CHECK_TEST(test_send__refused_at_each_step__nothing_behind_it),
    CHECK_TEST(test_send__dry_run__looks_and_starts_nothing),
    CHECK_TEST(test_resume__each_option__in_what_is_asked_for),
    CHECK_TEST(test_resolve__each_option__in_what_is_asked_for),
    CHECK_TEST(test_resume_and_resolve__refused__its_exit_code),
    CHECK_TEST(test_recv__each_option__in_what_is_asked_for),
    CHECK_TEST(test_recv__no_option__the_defaults_of_the_library),
    CHECK_TEST(test_recv__refused__its_exit_code_and_no_address),
    CHECK_TEST(test_commands__option_missing__named_and_nothing_opened),
    CHECK_TEST(test_commands__value_at_its_limit__taken_and_not_beyond),
};
CHECK_MAIN("cmd_migrate", tests)
