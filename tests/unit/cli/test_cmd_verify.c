/* SPDX-License-Identifier: Apache-2.0 */
/* test_cmd_verify.c — `haul verify`: which options lead to which scan, which exclude each other,
 * how a difference is reported, and the exit code of each result. The scan is a fake. */
#include "command.h"

#include <stdlib.h>

#include "bytes.h"
#include "check.h"
#include "database_open.h"
#include "exit_code.h"
#include "haul/verify.h"
#include "load_check.h"
#include "ran.h"

/* --- what stands behind the command ----------------------------------------------------------- */

enum { DATABASES = 2 };

static enum haul_status open_answers[2 * DATABASES]; /* in the order of the calls */
static enum haul_status scan_answers[DATABASES];
static enum haul_status first_answer;
static enum haul_status remote_answer;
static enum haul_status load_answer;
static uint64_t records[DATABASES]; /* of the family "users" */
static struct haul_verify_difference difference;
static const char *first_key;
static bool has_remote_difference;
static int open_count;
static int scan_count;
static int closed_count;
static char opened[256];
static struct haul_verify_options asked;
static struct haul_verify_remote_options asked_remote;

static void begin(void)
{
    memset(open_answers, 0, sizeof(open_answers));
    memset(scan_answers, 0, sizeof(scan_answers));
    first_answer = remote_answer = load_answer = HAUL_OK;
    records[0] = records[1] = 7;
    difference = (struct haul_verify_difference){.in_a = true, .in_b = true};
    first_key = "key";
    has_remote_difference = true;
    open_count = scan_count = closed_count = 0;
    opened[0] = '\0';
    memset(&asked, 0, sizeof(asked));
    memset(&asked_remote, 0, sizeof(asked_remote));
}

static enum haul_status answer(enum haul_status status, const char *text, struct haul_error *error)
{
    return status == HAUL_OK ? HAUL_OK : haul_error_set(error, status, NULL, 0, "%s", text);
}

static void close_store(struct haul_store *store)
{
    (void)store;
    closed_count++;
}

static const struct haul_store_ops ops = {.close = close_store};
static struct haul_store store = {.ops = &ops};

enum haul_status __wrap_database_open_to_read(const char *directory,
                                              const struct haul_rocks_options *options,
                                              struct haul_store **out, struct haul_error *error);
enum haul_status __wrap_database_open_to_read(const char *directory,
                                              const struct haul_rocks_options *options,
                                              struct haul_store **out, struct haul_error *error)
{
    size_t used = strlen(opened);
    check(options->read_only);
    (void)snprintf(opened + used, sizeof(opened) - used, "%s%s", directory,
                   options->wal_dir == NULL ? " " : options->wal_dir);
    check_or_stop(open_count < 2 * DATABASES);
    enum haul_status status = answer(open_answers[open_count++], "cannot open", error);
    *out = status == HAUL_OK ? &store : NULL;
    return status;
}

static void fill(struct haul_family_result *result, uint64_t count)
{
    *result = (struct haul_family_result){.records = count, .bytes = 10 * count};
    (void)snprintf(result->name, sizeof(result->name), "users");
    (void)snprintf(result->digest, sizeof(result->digest), "%032d", (int)count);
}

enum haul_status __wrap_haul_verify_scan(struct haul_store *scanned,
                                         const struct haul_verify_options *options,
                                         struct haul_family_result *results, size_t *result_count,
                                         struct haul_error *error);
enum haul_status __wrap_haul_verify_scan(struct haul_store *scanned,
                                         const struct haul_verify_options *options,
                                         struct haul_family_result *results, size_t *result_count,
                                         struct haul_error *error)
{
    check(scanned == &store);
    check(options->is_cancelled != NULL && !options->is_cancelled(options->context));
    options->on_progress(options->context, 1, 1);
    if (options->family_count > 0) {
        check_text(options->families[0], "users");
    }
    asked = *options;
    check_or_stop(scan_count < DATABASES);
    fill(results, records[scan_count]);
    *result_count = 1;
    return answer(scan_answers[scan_count++], "cannot read", error);
}

static struct haul_verify_difference new_difference(void)
{
    struct haul_verify_difference made = difference;
    char *key = strdup(first_key);
    check_or_stop(key != NULL);
    made.key = slice_of(key, strlen(key));
    return made;
}

enum haul_status __wrap_haul_verify_first_difference(struct haul_store *a, struct haul_store *b,
                                                     const struct haul_verify_options *options,
                                                     const char *family,
                                                     struct haul_verify_difference *found,
                                                     struct haul_error *error);
enum haul_status __wrap_haul_verify_first_difference(struct haul_store *a, struct haul_store *b,
                                                     const struct haul_verify_options *options,
                                                     const char *family,
                                                     struct haul_verify_difference *found,
                                                     struct haul_error *error)
{
    (void)options;
    check(a == &store && b == &store);
    check_text(family, "users");
    if (first_answer == HAUL_OK) {
        *found = new_difference();
    }
    return answer(first_answer, "it is gone", error);
}

enum haul_status __wrap_haul_verify_remote(struct haul_store *ours,
                                           const struct haul_verify_remote_options *options,
                                           struct haul_verify_remote_result *result,
                                           struct haul_error *error);
enum haul_status __wrap_haul_verify_remote(struct haul_store *ours,
                                           const struct haul_verify_remote_options *options,
                                           struct haul_verify_remote_result *result,
                                           struct haul_error *error)
{
    check(ours == &store);
    asked_remote = *options;
    asked = *options->what;
    fill(&result->ours[0], records[0]);
    fill(&result->theirs[0], records[1]);
    result->our_count = result->their_count = 1;
    if (remote_answer == HAUL_OK && has_remote_difference && records[0] != records[1]) {
        result->has_difference = true;
        result->difference = new_difference();
    }
    return answer(remote_answer, "the receiver is gone", error);
}

enum haul_status __wrap_load_check(const struct load_options *options, struct haul_store *checked,
                                   uint64_t *keys, struct haul_error *error);
enum haul_status __wrap_load_check(const struct load_options *options, struct haul_store *checked,
                                   uint64_t *keys, struct haul_error *error)
{
    check(checked == &store);
    check_text(options->ledger, "/l");
    *keys = 41;
    return answer(load_answer, "3 writes are lost", error);
}

static int verify(const char *line)
{
    int exit_code = run(&command_verify, line);
    check_equal(closed_count + (strstr(ran.err.text, "cannot open") != NULL ? 1 : 0), open_count);
    return exit_code;
}

/* --- two databases ---------------------------------------------------------------------------- */

static void test_cmd_verify__equal__0_and_what_was_read(void)
{
    begin();
    check_equal(verify("--db /a --with /b --wal-dir /wa --with-wal-dir /wb --cf users --prefix u:"),
                0);
    check_text(opened, "/a/wa/b/wb");
    check_equal(asked.family_count, 1);
    check_equal(asked.range_count, 1);
    check(asked.on_piece == NULL);
    check_has(ran.out.text, "/a  users: 7 records, 70 B, digest 000");
    check_has(ran.out.text, "/b  users: 7 records");
    check_has(ran.out.text, "equal\n");
    check(strstr(ran.out.text, "different") == NULL);
    check_has(ran.err.text, "reading /a");
    check_has(ran.err.text, "reading /b");
    begin();
    check_equal(verify("--db /a --with /b --quiet"), 0);
    check_text(ran.out.text, "");
    begin();
    check_equal(verify("--db /a --with /b --json"), 0);
    check_has(ran.out.text, "\"exit_code\":0,\"error\":null,\"equal\":true");
    check(strstr(ran.out.text, "equal\n") == NULL);
}

static void test_cmd_verify__different__6_and_the_first_key(void)
{
    static const struct {
        bool in_a;
        bool in_b;
        const char *key;
        const char *told;
    } cases[] = {
        {true, true, "key", "; the first key is key, with another value"},
        {true, false, "key", "; the first key is key, only in --db"},
        {false, true, "key", "; the first key is key, only in --with"},
        {false, true, "", "; the first key is the empty one, only in --with"},
        {true, true, "a:b", "; the first key is a\\:b, with another value"},
    };
    for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
        begin();
        records[1] = 8;
        difference.in_a = cases[i].in_a;
        difference.in_b = cases[i].in_b;
        first_key = cases[i].key;
        check_equal(verify("--db /a --with /b"), EXIT_CODE_INTEGRITY);
        check_has(ran.err.text, "differ in 1 column family, 'users' the first");
        check_has(ran.err.text, cases[i].told);
        check_has(ran.err.text, "--cf and --range");
        check_has(ran.out.text, "different\n");
        check_equal(open_count, 4);
    }
}

/* The second scan, for the key, may find a changed database or none. */
static void test_cmd_verify__first_key_cannot_be_told__6_without_one(void)
{
    for (int failing = 0; failing < 3; failing++) {
        begin();
        records[1] = 8;
        first_answer = failing == 0 ? HAUL_NOT_FOUND : HAUL_OK;
        open_answers[2] = failing == 1 ? HAUL_BUSY : HAUL_OK;
        open_answers[3] = failing == 2 ? HAUL_BUSY : HAUL_OK;
        check_equal(run(&command_verify, "--db /a --with /b"), EXIT_CODE_INTEGRITY);
        check_equal(closed_count, failing == 0 ? 4 : failing + 1);
        check_has(ran.err.text, "'users' the first: ");
        check(strstr(ran.err.text, "the first key") == NULL);
    }
}

static void test_cmd_verify__cannot_be_read__its_exit_code(void)
{
    begin();
    open_answers[0] = HAUL_NOT_FOUND;
    check_equal(verify("--db /a --with /b"), EXIT_CODE_PREFLIGHT);
    check_equal(open_count, 1);
    begin();
    open_answers[1] = HAUL_BUSY;
    check_equal(verify("--db /a --with /b"), EXIT_CODE_TEMPORARY);
    for (int i = 0; i < DATABASES; i++) {
        begin();
        scan_answers[i] = HAUL_STORE;
        check_equal(verify("--db /a --with /b --json"), EXIT_CODE_PERMANENT);
        check_equal(scan_count, i + 1);
        check_has(ran.out.text, "cannot read");
    }
}

/* --- a receiver ------------------------------------------------------------------------------- */

static void test_cmd_verify_to__options_and_answers(void)
{
    begin();
    check_equal(verify("--db /a --to h:1 --peer-timeout 7s --retry 9s --cf users"), 0);
    check_text(asked_remote.to, "h:1");
    check_equal(asked_remote.peer_timeout_ms, 7000);
    check_equal(asked_remote.retry_max_ms, 9000);
    check_equal(asked.family_count, 1);
    check_equal(scan_count, 0);
    check_has(ran.out.text, "h:1  users: 7 records");
    check_has(ran.out.text, "equal\n");
    begin();
    remote_answer = HAUL_TIMEOUT;
    check_equal(verify("--db /a --to h:1"), EXIT_CODE_TEMPORARY);
    check_has(ran.err.text, "the receiver is gone");
    begin();
    open_answers[0] = HAUL_BUSY;
    check_equal(verify("--db /a --to h:1"), EXIT_CODE_TEMPORARY);
    check(asked_remote.to == NULL);
}

static void test_cmd_verify_to__different__6_and_where(void)
{
    begin();
    records[1] = 8;
    difference.in_a = false;
    check_equal(verify("--db /a --to h:1"), EXIT_CODE_INTEGRITY);
    check_has(ran.err.text, "; the first key is key, only on the receiver");
    check_equal(open_count, 1);
    begin();
    records[1] = 8;
    has_remote_difference = false;
    check_equal(verify("--db /a --to h:1"), EXIT_CODE_INTEGRITY);
    check_has(ran.err.text, "'users' the first: ");
}

/* --- a ledger --------------------------------------------------------------------------------- */

static void test_cmd_verify_ledger__each_answer__its_exit_code(void)
{
    begin();
    check_equal(verify("--db /a --ledger /l"), 0);
    check_has(ran.out.text, "41 keys checked, nothing is lost\n");
    check_equal(verify("--db /a --ledger /l --quiet"), 0);
    check_text(ran.out.text, "");
    begin();
    load_answer = HAUL_CORRUPT;
    check_equal(verify("--db /a --ledger /l"), EXIT_CODE_INTEGRITY);
    check_has(ran.err.text, "3 writes are lost");
    check_has(ran.err.text, "keep both databases");
    check_text(ran.out.text, "");
    check_equal(verify("--db /a --ledger /l --json"), EXIT_CODE_INTEGRITY);
    check_has(ran.out.text, "41");
    begin();
    load_answer = HAUL_NOT_FOUND;
    check_equal(verify("--db /a --ledger /l"), EXIT_CODE_PREFLIGHT);
    begin();
    open_answers[0] = HAUL_STORE;
    check_equal(verify("--db /a --ledger /l"), EXIT_CODE_PERMANENT);
}

/* --- what goes with what ---------------------------------------------------------------------- */

static void test_cmd_verify__options_that_exclude_each_other__usage(void)
{
    static const char *const lines[] = {
        "",
        "--db /a",
        "--with /b",
        "--db /a --to h:1 --with /b",
        "--db /a --to h:1 --manifest /m",
        "--db /a --to h:1 --write-manifest /m",
        "--db /a --to h:1 --ledger /l",
        "--db /a --manifest /m --with /b",
        "--db /a --manifest /m --ledger /l",
        "--db /a --manifest /m --cf users",
        "--db /a --manifest /m --range a:b",
        "--db /a --ledger /l --with /b",
        "--db /a --ledger /l --write-manifest /m",
        "--db /a --with /b --retry 0",
    };
    for (size_t i = 0; i < CHECK_COUNT(lines); i++) {
        begin();
        check_equal(run(&command_verify, lines[i]), EXIT_CODE_USAGE);
        check_equal(open_count, 0);
        check(ran.err.text[0] != '\0');
    }
}

static void test_cmd_verify__manifest_that_is_not_there__its_exit_code(void)
{
    begin();
    check_equal(verify("--db /a --manifest /nonexistent/m"), EXIT_CODE_PREFLIGHT);
    check_equal(verify("--db /a --write-manifest /nonexistent/m"), EXIT_CODE_PREFLIGHT);
    check_equal(open_count, 0);
}

static const struct check_test tests[] = {
    CHECK_TEST(test_cmd_verify__equal__0_and_what_was_read),
    CHECK_TEST(test_cmd_verify__different__6_and_the_first_key),
    CHECK_TEST(test_cmd_verify__first_key_cannot_be_told__6_without_one),
    CHECK_TEST(test_cmd_verify__cannot_be_read__its_exit_code),
    CHECK_TEST(test_cmd_verify_to__options_and_answers),
    CHECK_TEST(test_cmd_verify_to__different__6_and_where),
    CHECK_TEST(test_cmd_verify_ledger__each_answer__its_exit_code),
    CHECK_TEST(test_cmd_verify__options_that_exclude_each_other__usage),
    CHECK_TEST(test_cmd_verify__manifest_that_is_not_there__its_exit_code),
};

CHECK_MAIN("cmd_verify", tests)
