/* SPDX-License-Identifier: Apache-2.0 */
/* test_migration_run.c — from the end of a migration to exit code, text and document; and the
 * cleanup around it. */
#include "migration_run.h"

#include <sys/eventfd.h>

#include "check.h"
#include "command.h"
#include "database_open.h"
#include "exit_code.h"
#include "ran.h"

/* --- what it runs ----------------------------------------------------------------------------- */

static char migration_memory;
static char load_memory;
static struct haul_result result;
static struct load_result load;
static unsigned waits_in_vain; /* calls that return TIMEOUT before the end */
static int end_fd;
static char said[256];
static enum haul_status signals_answer;
static enum haul_status open_answer;
static enum haul_status control_answer;
static enum haul_status hide_answer;
static enum haul_status families_answer;
static int signal_number;
static struct haul_rocks_options opened;
static struct haul_option_difference difference;

static void say(const char *text)
{
    size_t used = strlen(said);
    (void)snprintf(said + used, sizeof(said) - used, "%s%s", used == 0 ? "" : " ", text);
}

static struct output output;
static const struct output_options plain = {.json = false};
static const struct output_options json = {.json = true};
static const struct output_options quiet = {.quiet = true};

static void begin(const char *command, const struct output_options *options)
{
    memset(&result, 0, sizeof(result));
    memset(&load, 0, sizeof(load));
    memset(&opened, 0, sizeof(opened));
    said[0] = '\0';
    signals_answer = open_answer = control_answer = hide_answer = families_answer = HAUL_OK;
    signal_number = 0;
    waits_in_vain = 0;
    result.progress = (struct haul_progress){
        .transport = HAUL_TRANSPORT_TCP, .records = 11, .bytes = 4000, .seconds = 2.0};
    result.verified = true;
    result.old_version = 3;
    result.new_version = 4;
    result.write_pause_ms = 1.5;
    output_init(&output, command, options);
}

static enum haul_status answer(enum haul_status status, const char *text, struct haul_error *error)
{
    return status == HAUL_OK ? HAUL_OK : haul_error_set(error, status, NULL, 0, "%s", text);
}

bool __wrap_haul_migration_ended(struct haul_migration *migration, uint32_t timeout_ms);
bool __wrap_haul_migration_ended(struct haul_migration *migration, uint32_t timeout_ms)
{
    check((void *)migration == &migration_memory);
    check_equal(timeout_ms, UINT32_MAX);
    return waits_in_vain == 0 || waits_in_vain-- == 0;
}

const struct haul_result *__wrap_haul_migration_result(const struct haul_migration *migration);
const struct haul_result *__wrap_haul_migration_result(const struct haul_migration *migration)
{
    check((const void *)migration == &migration_memory);
    check_equal(waits_in_vain, 0);
    return &result;
}

int __wrap_haul_migration_fd(const struct haul_migration *migration);
int __wrap_haul_migration_fd(const struct haul_migration *migration)
{
    check((const void *)migration == &migration_memory);
    return end_fd;
}

void __wrap_haul_migration_progress(struct haul_migration *migration,
                                    struct haul_progress *progress);
void __wrap_haul_migration_progress(struct haul_migration *migration,
                                    struct haul_progress *progress)
{
    check((void *)migration == &migration_memory);
    *progress = result.progress;
}

size_t __wrap_haul_migration_jobs(struct haul_migration *migration, struct haul_job_progress *jobs,
                                  size_t count_max);
size_t __wrap_haul_migration_jobs(struct haul_migration *migration, struct haul_job_progress *jobs,
                                  size_t count_max)
{
    check((void *)migration == &migration_memory);
    (void)jobs;
    (void)count_max;
    return 0;
}

void __wrap_haul_migration_cancel(struct haul_migration *migration);
void __wrap_haul_migration_cancel(struct haul_migration *migration)
{
    check((void *)migration == &migration_memory);
    say("cancel");
}

static uint32_t lead_ms; /* one turn is left, then none */

uint32_t __wrap_load_writer_lead_ms(const struct load_writer *writer);
uint32_t __wrap_load_writer_lead_ms(const struct load_writer *writer)
{
    uint32_t left_ms = lead_ms;
    check((const void *)writer == &load_memory);
    lead_ms = 0;
    return left_ms;
}

void __wrap_haul_migration_destroy(struct haul_migration *migration);
void __wrap_haul_migration_destroy(struct haul_migration *migration)
{
    check((void *)migration == &migration_memory);
    memset(&difference, 'x', sizeof(difference)); /* they were its own */
    say("destroy");
}

void __wrap_load_writer_stop(struct load_writer *writer, struct load_result *out);
void __wrap_load_writer_stop(struct load_writer *writer, struct load_result *out)
{
    check((void *)writer == &load_memory);
    *out = load;
    say("stop-load");
}

static void close_store(struct haul_store *store)
{
    (void)store;
    say("close");
}

static const struct haul_store_ops ops = {.close = close_store};
static struct haul_store store = {.ops = &ops};

enum haul_status __wrap_database_open(const char *directory,
                                      const struct haul_rocks_options *options,
                                      struct haul_store **out, struct output *to,
                                      struct haul_error *error);
enum haul_status __wrap_database_open(const char *directory,
                                      const struct haul_rocks_options *options,
                                      struct haul_store **out, struct output *to,
                                      struct haul_error *error)
{
    check(to == &output);
    check_text(directory, "/a");
    opened = *options;
    *out = &store;
    say("open");
    return answer(open_answer, "cannot open", error);
}

enum haul_status __wrap_haul_rocks_store_check_families(const char *directory,
                                                        struct haul_error *error);
enum haul_status __wrap_haul_rocks_store_check_families(const char *directory,
                                                        struct haul_error *error)
{
    check_text(directory, "/a");
    return answer(families_answer, "an operator is missing", error);
}

enum haul_status __wrap_signal_watch_init(struct signal_watch *watch, struct output *to,
                                          struct haul_error *error);
enum haul_status __wrap_signal_watch_init(struct signal_watch *watch, struct output *to,
                                          struct haul_error *error)
{
    *watch = (struct signal_watch){.output = to, .wake_fd = -1};
    say("signals");
    return answer(signals_answer, "no signals", error);
}

void __wrap_signal_watch_set_polled(struct signal_watch *watch);
void __wrap_signal_watch_set_polled(struct signal_watch *watch)
{
    (void)watch;
    say("polled");
}

void __wrap_signal_watch_set(struct signal_watch *watch, struct haul_migration *migration);
void __wrap_signal_watch_set(struct signal_watch *watch, struct haul_migration *migration)
{
    (void)watch;
    say(migration == NULL ? "unwatched" : "watched");
}

int __wrap_signal_watch_number(struct signal_watch *watch);
int __wrap_signal_watch_number(struct signal_watch *watch)
{
    (void)watch;
    return signal_number;
}

void __wrap_signal_watch_fini(struct signal_watch *watch);
void __wrap_signal_watch_fini(struct signal_watch *watch)
{
    (void)watch;
    say("no-signals");
}

enum haul_status __wrap_control_server_open(struct control_server *server, const char *database,
                                            const char *command, struct haul_error *error);
enum haul_status __wrap_control_server_open(struct control_server *server, const char *database,
                                            const char *command, struct haul_error *error)
{
    (void)server;
    check_text(database, "/a");
    check_text(command, output.command);
    say("control");
    return answer(control_answer, "no socket", error);
}

enum haul_status __wrap_control_server_hide(struct control_server *server,
                                            struct haul_error *error);
enum haul_status __wrap_control_server_hide(struct control_server *server, struct haul_error *error)
{
    (void)server;
    say("hide");
    return answer(hide_answer, "not hidden", error);
}

void __wrap_control_server_close(struct control_server *server);
void __wrap_control_server_close(struct control_server *server)
{
    (void)server;
    say("no-control");
}

void __wrap_control_server_wait(const struct control_server *server, struct pollfd *waits);
void __wrap_control_server_wait(const struct control_server *server, struct pollfd *waits)
{
    (void)server;
    for (size_t i = 0; i < CONTROL_POLL_COUNT; i++) {
        waits[i] = (struct pollfd){.fd = -1};
    }
}

static unsigned serves;
static bool ends_now;
static bool leads; /* the load writes before the migration starts, and a client cancels it */

void __wrap_control_server_serve(struct control_server *server, const struct pollfd *waits,
                                 const struct migration_list *migrations);
void __wrap_control_server_serve(struct control_server *server, const struct pollfd *waits,
                                 const struct migration_list *migrations)
{
    const uint64_t one = 1;
    (void)waits;
    check_equal(migrations->count, leads ? 0 : 1);
    check(leads || (void *)migrations->items[0] == &migration_memory);
    server->cancelled = leads;
    serves++;
    if (ends_now) { /* the end comes in the middle of the first turn */
        check(write(end_fd, &one, sizeof(one)) == (ssize_t)sizeof(one));
        ends_now = false;
    }
}

static int finish(const char *peer, bool with_load)
{
    struct migration_watch watch = {.directory = "/a",
                                    .peer = peer,
                                    .signals = {.wake_fd = -1},
                                    .load = with_load ? (struct load_writer *)(void *)&load_memory
                                                      : NULL};
    end_fd = eventfd(1, EFD_CLOEXEC);
    check_or_stop(end_fd >= 0);
    ran_begin();
    ran_end(
        migration_run_finish((struct haul_migration *)(void *)&migration_memory, &watch, &output));
    (void)close(end_fd);
    output_fini(&output);
    return ran.exit_code;
}

/* --- the end ---------------------------------------------------------------------------------- */

static void test_finish__sent__each_figure_in_words(void)
{
    begin("send", &plain);
    check_equal(finish("h:1", false), EXIT_CODE_OK);
    check_text(ran.out.text,
               "sent 11 records, 4.0 kB in 2.0 s (2.0 kB/s) over tcp; verified: count and digest "
               "are equal\n"
               "config version 3 -> 4, writes paused for 1.5 ms\n"
               "the receiver owns them now; the copy here stays until `haul drop --db /a` deletes "
               "it\n");
    check_text(said, "watched unwatched destroy");
    begin("send", &plain);
    result.resumed = true;
    result.verified = false;
    result.progress.seconds = 0;
    (void)snprintf(result.fallback_reason, sizeof(result.fallback_reason), "no\tcard");
    check_equal(finish("h:1", false), EXIT_CODE_OK);
    check_has(ran.out.text, "in 0.0 s (a part had arrived earlier) over tcp (no\\x09card); not "
                            "verified\n");
}

static void test_finish__received__no_word_of_what_the_source_does(void)
{
    begin("recv", &plain);
    check_equal(finish(NULL, false), EXIT_CODE_OK);
    check_text(ran.out.text, "received 11 records, 4.0 kB in 2.0 s (2.0 kB/s) over tcp; verified: "
                             "count and digest are equal\n");
}

static void test_finish__resolved__what_the_receiver_knows(void)
{
    static const struct {
        uint32_t told;
        uint32_t yielded;
        const char *text;
    } cases[] = {
        {1, 0, "the receiver was informed of 1 job that is over, and has nothing left of it\n"},
        {2, 0, "the receiver was informed of 2 jobs that are over, and has nothing left of them\n"},
        {0, 1, "the receiver owns the ranges of 1 job; the record shows that now\n"},
        {0, 2, "the receiver owns the ranges of 2 jobs; the record shows that now\n"},
        {0, 0, "nothing is in doubt: the receiver owns by the last job from here\n"},
    };
    for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
        begin("resolve", &plain);
        result.told_count = cases[i].told;
        result.yielded_count = cases[i].yielded;
        check_equal(finish("h:1", false), EXIT_CODE_OK);
        check_text(ran.out.text, cases[i].text);
    }
}

/* TIMEOUT from the wait is not TIMEOUT of the job. */
static void test_finish__wait_interrupted__goes_on_until_the_result_is_written(void)
{
    begin("send", &plain);
    waits_in_vain = 3;
    check_equal(finish("h:1", false), EXIT_CODE_OK);
    check_equal(waits_in_vain, 0);
    begin("send", &plain);
    result.status = HAUL_TIMEOUT;
    answer(HAUL_TIMEOUT, "silent for 5 s", &result.error);
    check_equal(finish("h:1", false), EXIT_CODE_TEMPORARY);
    check_has(ran.err.text, "haul: error: silent for 5 s: ");
}

/* Every status: the exit code of the table, one line on stderr, nothing on stdout. */
static void test_finish__each_status__its_exit_code_and_one_line(void)
{
    for (int status = 1; status < HAUL_STATUS_COUNT; status++) {
        if (status == HAUL_AGAIN) {
            continue; /* never the end of a job */
        }
        begin("send", &plain);
        result.status = (enum haul_status)status;
        answer((enum haul_status)status, "it broke", &result.error);
        check_equal(finish("h:1", false), exit_code_of((enum haul_status)status, 0));
        check_text(ran.out.text, "");
        check(strstr(ran.err.text, "haul: error: it broke: ") == ran.err.text);
        bool temporary = ran.exit_code == EXIT_CODE_TEMPORARY;
        check_equal(strstr(ran.err.text, "the same command continues") != NULL, temporary);
        begin("send", &json);
        result.status = (enum haul_status)status;
        answer((enum haul_status)status, "it broke", &result.error);
        (void)finish("h:1", false);
        check_has(ran.out.text, haul_status_name((enum haul_status)status));
    }
}

static void test_finish__stopped__how_to_go_on_and_the_signal(void)
{
    static const struct {
        const char *command;
        const char *peer;
        const char *hint; /* given before */
        const char *words;
    } cases[] = {
        {"send", "h:1", NULL,
         "the same command continues, and so does `haul resume --db /a --to h:1`"},
        {"recv", NULL, NULL, "start it again; an interrupted job continues"},
        {"send", "h:1", "make room first", "haul: error: stopped: make room first"},
        {"recv", NULL, "make room first", "haul: error: stopped: make room first"},
    };
    for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
        begin(cases[i].command, &plain);
        result.status = HAUL_STOPPED;
        answer(HAUL_STOPPED, "stopped", &result.error);
        if (cases[i].hint != NULL) {
            haul_error_hint(&result.error, "%s", cases[i].hint);
        }
        check_equal(finish(cases[i].peer, false), EXIT_CODE_TEMPORARY);
        check_has(ran.err.text, cases[i].words);
    }
    begin("send", &plain);
    result.status = HAUL_STOPPED;
    signal_number = 15;
    check_equal(finish("h:1", false), 143);
    begin("recv", &plain);
    result.status = HAUL_CLOSED;
    check_equal(finish(NULL, false), EXIT_CODE_TEMPORARY);
    check(strstr(ran.err.text, "start it again") == NULL);
    check(strstr(ran.err.text, "the same command") == NULL);
}

/* `haul drop` opens every column family, and cannot. */
static void test_finish__drop_will_be_refused__said_where_it_was_promised(void)
{
    static const enum haul_status reasons[] = {HAUL_MISMATCH, HAUL_UNSUPPORTED};
    for (size_t i = 0; i < CHECK_COUNT(reasons); i++) {
        begin("send", &plain);
        families_answer = reasons[i];
        check_equal(finish("h:1", false), EXIT_CODE_OK);
        check_has(ran.out.text, "the copy here stays until the program of this database deletes "
                                "it: `haul drop --db /a` cannot open it, an operator is missing\n");
        begin("send", &json);
        families_answer = reasons[i];
        check_equal(finish("h:1", false), EXIT_CODE_OK);
        check_has(ran.out.text,
                  "\"warning\":\"`haul drop` cannot delete the copy here: an operator");
        begin("recv", &json);
        families_answer = reasons[i];
        check_equal(finish(NULL, false), EXIT_CODE_OK);
        check_has(ran.out.text, "\"warning\":null");
    }
    begin("send", &plain);
    families_answer = HAUL_IO; /* not known */
    check_equal(finish("h:1", false), EXIT_CODE_OK);
    check_has(ran.out.text, "until `haul drop --db /a` deletes it\n");
}

/* Before the end: a signal requests a progress line, and the control socket is served. */
static void test_finish__asked_by_a_signal__a_line_and_it_goes_on(void)
{
    for (int stopped = 0; stopped < 2; stopped++) {
        begin("send", &plain);
        struct migration_watch watch = {.directory = "/a", .peer = "h:1"};
        watch.signals.wake_fd = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
        end_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        check_or_stop(end_fd >= 0 && watch.signals.wake_fd >= 0);
        signal_number = stopped != 0 ? 15 : 0; /* this signal requests the end, not a line */
        serves = 0;
        ends_now = true;
        ran_begin();
        ran_end(migration_run_finish((struct haul_migration *)(void *)&migration_memory, &watch,
                                     &output));
        check_equal(ran.exit_code, EXIT_CODE_OK);
        check(serves >= 1);
        check_equal(strstr(ran.err.text, "11 records") != NULL, stopped == 0);
        ends_now = false;
        (void)close(end_fd);
        (void)close(watch.signals.wake_fd);
        output_fini(&output);
    }
}

/* While the load writes alone, clients get answers, and the migration receives a cancel. */
static void test_lead__asked_and_cancelled__over_and_handed_on(void)
{
    begin("send", &plain);
    struct migration_watch watch = {
        .directory = "/a", .peer = "h:1", .load = (struct load_writer *)(void *)&load_memory};
    watch.signals.wake_fd = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
    end_fd = eventfd(1, EFD_CLOEXEC);
    check_or_stop(end_fd >= 0 && watch.signals.wake_fd >= 0);
    lead_ms = 60000;
    serves = 0;
    leads = true;
    ran_begin();
    migration_run_lead(&watch, &output);
    leads = false;
    check_equal(serves, 1);
    check(strstr(said, "cancel") == NULL);
    ran_end(
        migration_run_finish((struct haul_migration *)(void *)&migration_memory, &watch, &output));
    check(strstr(said, "watched cancel ") != NULL);
    (void)close(end_fd);
    (void)close(watch.signals.wake_fd);
    output_fini(&output);
}

static void test_lead__over_or_a_signal_was_there__no_wait(void)
{
    for (int stopped = 0; stopped < 2; stopped++) {
        begin("send", &plain);
        struct migration_watch watch = {.directory = "/a",
                                        .signals = {.wake_fd = -1},
                                        .load = (struct load_writer *)(void *)&load_memory};
        lead_ms = stopped != 0 ? 60000 : 0;
        signal_number = stopped != 0 ? 15 : 0;
        serves = 0;
        migration_run_lead(&watch, &output);
        check_equal(serves, 0);
        output_fini(&output);
    }
}

static void test_finish__load__its_figures_and_its_failure(void)
{
    begin("send", &plain);
    load.before = (struct load_latencies){.writes = 5, .p99_us = 10};
    load.during = (struct load_latencies){.writes = 6, .p99_us = 20};
    load.longest_gap_ms = 2.5;
    check_equal(finish("h:1", true), EXIT_CODE_OK);
    check_text(said, "watched unwatched destroy stop-load");
    check_has(ran.out.text, "load: 11 writes; p99 10 us before, 20 us during the migration; "
                            "longest gap 2.5 ms\n");
    begin("send", &plain);
    answer(HAUL_NO_SPACE, "the load is full", &load.error);
    check_equal(finish("h:1", true), EXIT_CODE_PERMANENT);
    check_has(ran.err.text, "haul: error: the load is full");
    check_text(ran.out.text, "");
    begin("send", &plain);
    answer(HAUL_NO_SPACE, "the load is full", &load.error);
    answer(HAUL_CORRUPT, "they differ", &result.error);
    result.status = HAUL_CORRUPT; /* worse */
    check_equal(finish("h:1", true), EXIT_CODE_INTEGRITY);
    check_has(ran.err.text, "they differ");
    begin("send", &plain);
    check_equal(finish("h:1", false), EXIT_CODE_OK);
    check(strstr(ran.out.text, "load:") == NULL);
}

static void test_finish__quiet_or_json__no_summary_or_one_document(void)
{
    begin("send", &quiet);
    check_equal(finish("h:1", false), EXIT_CODE_OK);
    check_text(ran.out.text, "");
    begin("send", &json);
    memset(&difference, 0, sizeof(difference));
    (void)snprintf(difference.name, sizeof(difference.name), "compression");
    result.option_differences = &difference; /* the printed text needs them longer */
    result.option_difference_count = 1;
    load.during.writes = 77;
    check_equal(finish("h:1", true), EXIT_CODE_OK);
    check(ran.out.text[0] == '{');
    check_has(ran.out.text, "\"compression\"");
    check_has(ran.out.text, "77");
    check(strstr(ran.out.text, "xxx") == NULL);
}

static void test_job_ended__receiver_goes_on__summary_document_or_nothing(void)
{
    const struct migration_watch watch = {.directory = "/a"};
    begin("recv", &plain);
    ran_begin();
    migration_run_job_ended(&result, &watch, &output);
    ran_end(0);
    check_has(ran.out.text, "received 11 records");
    result.status = HAUL_STORE;
    ran_begin();
    migration_run_job_ended(&result, &watch, &output);
    ran_end(0);
    check_text(ran.out.text, "");
    output_fini(&output);
    begin("recv", &json);
    result.status = HAUL_STORE;
    ran_begin();
    migration_run_job_ended(&result, &watch, &output);
    ran_end(0);
    check_has(ran.out.text, "\"STORE\"");
    check_has(ran.out.text, "\"exit_code\":7");
    output_fini(&output);
    begin("recv", &quiet);
    ran_begin();
    migration_run_job_ended(&result, &watch, &output);
    ran_end(0);
    check_text(ran.out.text, "");
    output_fini(&output);
}

/* --- around it -------------------------------------------------------------------------------- */

static int work_on(struct haul_store *of, const void *options, struct migration_watch *watch,
                   struct output *to)
{
    check(of == &store && to == &output);
    check_text(options, "options");
    check_text(watch->directory, "/a");
    check(watch->peer == NULL || strcmp(watch->peer, "h:1") == 0);
    say("work");
    return 42;
}

static int run_store(const struct migration_work *work)
{
    struct trust_options trust = {.key = NULL};
    struct migration_work trusting = *work;
    trusting.trust = &trust;
    ran_begin();
    ran_end(migration_run_store("/a", &trusting, &output));
    output_fini(&output);
    return ran.exit_code;
}

static void test_run_store__source__opened_as_asked_and_put_in_order(void)
{
    static const char *const families[] = {"default"};
    const struct migration_work work = {.run = work_on,
                                        .options = "options",
                                        .peer = "h:1",
                                        .wal_dir = "/w",
                                        .keep_log = true,
                                        .read_only = true,
                                        .families = families,
                                        .family_count = 1,
                                        .families_of_jobs = true};
    begin("send", &plain);
    check_equal(run_store(&work), 42);
    check_text(said, "signals open polled control work hide close no-control no-signals");
    check_text(opened.wal_dir, "/w");
    check(opened.keep_log && opened.read_only && opened.families_of_jobs);
    check(!opened.create_if_missing && !opened.flush_at_close);
    check(opened.families == families && opened.log == &output.log);
    check_equal(opened.family_count, 1);
    check_text(ran.err.text, "");
}

static void test_run_store__target__made_when_it_is_missing_and_flushed(void)
{
    const struct migration_work work = {.run = work_on, .options = "options", .create = true};
    begin("recv", &plain);
    check_equal(run_store(&work), 42);
    check(opened.create_if_missing && opened.flush_at_close);
    check(!opened.keep_log && !opened.read_only && !opened.families_of_jobs);
    check(opened.wal_dir == NULL);
}

static void test_run_store__a_step_fails__said_and_what_was_begun_is_ended(void)
{
    const struct migration_work work = {.run = work_on, .options = "options"};
    begin("send", &plain);
    signals_answer = HAUL_LIMIT;
    check_equal(run_store(&work), EXIT_CODE_LIMIT);
    check_text(said, "signals");
    check_has(ran.err.text, "no signals");
    begin("send", &plain);
    open_answer = HAUL_BUSY;
    check_equal(run_store(&work), EXIT_CODE_TEMPORARY);
    check_text(said, "signals open no-signals");
    check_has(ran.err.text, "cannot open");
    begin("send", &plain);
    control_answer = HAUL_IO; /* nobody can reach it, but it runs */
    check_equal(run_store(&work), 42);
    check_has(ran.err.text, "warning: `haul status` will not find this job: no socket");
    begin("send", &plain);
    hide_answer = HAUL_IO;
    check_equal(run_store(&work), 42);
    check_has(ran.err.text, "warning: the next command will clean this up: not hidden");
}

static const struct check_test tests[] = {
    CHECK_TEST(test_finish__sent__each_figure_in_words),
    CHECK_TEST(test_finish__received__no_word_of_what_the_source_does),
    CHECK_TEST(test_finish__resolved__what_the_receiver_knows),
    CHECK_TEST(test_finish__wait_interrupted__goes_on_until_the_result_is_written),
    CHECK_TEST(test_finish__each_status__its_exit_code_and_one_line),
    CHECK_TEST(test_finish__stopped__how_to_go_on_and_the_signal),
    CHECK_TEST(test_finish__drop_will_be_refused__said_where_it_was_promised),
    CHECK_TEST(test_finish__asked_by_a_signal__a_line_and_it_goes_on),
    CHECK_TEST(test_lead__asked_and_cancelled__over_and_handed_on),
    CHECK_TEST(test_lead__over_or_a_signal_was_there__no_wait),
    CHECK_TEST(test_finish__load__its_figures_and_its_failure),
    CHECK_TEST(test_finish__quiet_or_json__no_summary_or_one_document),
    CHECK_TEST(test_job_ended__receiver_goes_on__summary_document_or_nothing),
    CHECK_TEST(test_run_store__source__opened_as_asked_and_put_in_order),
    CHECK_TEST(test_run_store__target__made_when_it_is_missing_and_flushed),
    CHECK_TEST(test_run_store__a_step_fails__said_and_what_was_begun_is_ended),
};
CHECK_MAIN("migration_run", tests)
