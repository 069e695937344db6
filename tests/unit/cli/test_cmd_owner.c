/* SPDX-License-Identifier: Apache-2.0 */
/* test_cmd_owner.c — `haul owner` and `haul drop`: which action they call with which selection,
 * which options exclude each other, and the exit code of each result. */
#include "command.h"

#include <stdlib.h>

#include "check.h"
#include "database_open.h"
#include "exit_code.h"
#include "haul/owner.h"
#include "ran.h"
#include "range_option.h"

/* --- what stands behind the commands ---------------------------------------------------------- */

static enum haul_status check_answer;
static enum haul_status change_answer;
static enum haul_status read_answer;
static enum haul_status released_answer;
static enum haul_status open_answer;
static enum haul_status drop_answer;
static enum haul_status families_answer;
static const char *hint; /* of change_answer, read_answer and drop_answer */
static struct haul_owner_dropped dropped;
static size_t released_count;
static size_t gone_count; /* of column families that the database no longer has */
static size_t job_count;
static char said[512];
static int closed_count;
static struct haul_rocks_options opened;

static void begin(void)
{
    check_answer = change_answer = read_answer = HAUL_OK;
    released_answer = open_answer = drop_answer = families_answer = HAUL_OK;
    hint = NULL;
    dropped = (struct haul_owner_dropped){.ranges = 1, .bytes = 5000};
    released_count = 1;
    gone_count = 0;
    job_count = 0;
    said[0] = '\0';
    closed_count = 0;
    memset(&opened, 0, sizeof(opened));
}

static void say(const char *text)
{
    size_t used = strlen(said);
    (void)snprintf(said + used, sizeof(said) - used, "%s%s", used == 0 ? "" : " ", text);
}

static void say_selection(const struct haul_owner_selection *selection)
{
    char text[64];
    for (size_t i = 0; i < selection->family_count; i++) {
        say(selection->families[i]);
    }
    for (size_t i = 0; i < selection->range_count; i++) {
        range_option_format(&selection->ranges[i], text, sizeof(text));
        say(text);
    }
}

static enum haul_status answer(enum haul_status status, const char *text, struct haul_error *error)
{
    if (status != HAUL_OK) {
        haul_error_set(error, status, NULL, 0, "%s", text);
        if (hint != NULL) {
            haul_error_hint(error, "%s", hint);
        }
    }
    return status;
}

enum haul_status __wrap_database_check(const char *directory, struct haul_error *error);
enum haul_status __wrap_database_check(const char *directory, struct haul_error *error)
{
    check_text(directory, "/a");
    return answer(check_answer, "no database", error);
}

void __wrap_database_adopt_owner(const char *directory, struct output *output);
void __wrap_database_adopt_owner(const char *directory, struct output *output)
{
    (void)output;
    check_text(directory, "/a");
    say("as-owner");
}

static void close_store(struct haul_store *store)
{
    (void)store;
    closed_count++;
}

static const struct haul_store_ops ops = {.close = close_store};
static struct haul_store store = {.ops = &ops};

enum haul_status __wrap_database_open(const char *directory,
                                      const struct haul_rocks_options *options,
                                      struct haul_store **out, struct output *output,
                                      struct haul_error *error);
enum haul_status __wrap_database_open(const char *directory,
                                      const struct haul_rocks_options *options,
                                      struct haul_store **out, struct output *output,
                                      struct haul_error *error)
{
    (void)output;
    check_text(directory, "/a");
    opened = *options;
    *out = &store;
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

static enum haul_status change(const char *name, const char *directory, bool accept,
                               struct haul_error *error)
{
    check_text(directory, "/a");
    say(name);
    say(accept ? "accepted" : "asked");
    return answer(change_answer, "not changed", error);
}

enum haul_status __wrap_haul_owner_reclaim(const char *directory,
                                           const struct haul_owner_selection *selection,
                                           bool accept, struct haul_error *error);
enum haul_status __wrap_haul_owner_reclaim(const char *directory,
                                           const struct haul_owner_selection *selection,
                                           bool accept, struct haul_error *error)
{
    say_selection(selection);
    return change("reclaim", directory, accept, error);
}

enum haul_status __wrap_haul_owner_forget(const char *directory, bool accept,
                                          struct haul_error *error);
enum haul_status __wrap_haul_owner_forget(const char *directory, bool accept,
                                          struct haul_error *error)
{
    return change("forget", directory, accept, error);
}

enum haul_status __wrap_haul_owner_adopt(const char *directory, bool accept,
                                         struct haul_error *error);
enum haul_status __wrap_haul_owner_adopt(const char *directory, bool accept,
                                         struct haul_error *error)
{
    return change("adopt", directory, accept, error);
}

enum haul_status __wrap_haul_owner_rebuild(const char *directory, bool accept,
                                           struct haul_error *error);
enum haul_status __wrap_haul_owner_rebuild(const char *directory, bool accept,
                                           struct haul_error *error)
{
    return change("rebuild", directory, accept, error);
}

static struct haul_owner *make_owner(size_t range_count)
{
    struct haul_owner *owner = calloc(1, sizeof(*owner));
    check_or_stop(owner != NULL);
    owner->ranges = calloc(range_count + 1, sizeof(*owner->ranges));
    owner->jobs = calloc(job_count + 1, sizeof(*owner->jobs));
    check_or_stop(owner->ranges != NULL && owner->jobs != NULL);
    owner->range_count = range_count;
    owner->job_count = job_count;
    (void)snprintf(owner->identity, sizeof(owner->identity), "me");
    for (size_t i = 0; i < range_count; i++) {
        owner->ranges[i] =
            (struct haul_owner_range){.state = HAUL_OWNER_RELEASED,
                                      .family = i == 0 ? "users" : "posts",
                                      .range = {.start = {.data = (const uint8_t *)"k", .size = 1}},
                                      .peer = "you"};
    }
    for (size_t i = 0; i < job_count; i++) {
        owner->jobs[i] = (struct haul_owner_job){.act = HAUL_OWNER_GAVE, .peer = "you"};
        memset(owner->jobs[i].job, (int)i + 1, HAUL_JOB_BYTES);
    }
    return owner;
}

void __wrap_haul_owner_free(struct haul_owner *owner);
void __wrap_haul_owner_free(struct haul_owner *owner)
{
    if (owner != NULL) {
        free(owner->ranges);
        free(owner->jobs);
        free(owner);
    }
}

enum haul_status __wrap_haul_owner_read(const char *directory, struct haul_owner **owner,
                                        struct haul_error *error);
enum haul_status __wrap_haul_owner_read(const char *directory, struct haul_owner **owner,
                                        struct haul_error *error)
{
    check_text(directory, "/a");
    say("read");
    *owner = read_answer == HAUL_OK ? make_owner(released_count + gone_count) : NULL;
    return answer(read_answer, "not read", error);
}

enum haul_status __wrap_haul_owner_read_released(const char *directory,
                                                 const struct haul_owner_selection *selection,
                                                 struct haul_owner **owner,
                                                 struct haul_error *error);
enum haul_status __wrap_haul_owner_read_released(const char *directory,
                                                 const struct haul_owner_selection *selection,
                                                 struct haul_owner **owner,
                                                 struct haul_error *error)
{
    check_text(directory, "/a");
    say("released");
    say_selection(selection);
    *owner = released_answer == HAUL_OK ? make_owner(released_count) : NULL;
    return answer(released_answer, "not read", error);
}

/* What is given away begins with "k". */
enum haul_owner_state __wrap_haul_owner_state_of(const struct haul_owner *owner, const char *family,
                                                 const struct haul_range *range);
enum haul_owner_state __wrap_haul_owner_state_of(const struct haul_owner *owner, const char *family,
                                                 const struct haul_range *range)
{
    check(owner->range_count > 0 && family != NULL);
    bool before = range->end.size > 0 && *(const uint8_t *)range->end.data < 'k';
    return before ? HAUL_OWNER_OWN : HAUL_OWNER_RELEASED;
}

enum haul_status __wrap_haul_owner_drop(struct haul_store *of,
                                        const struct haul_owner_selection *selection,
                                        struct haul_owner_dropped *gone, struct haul_error *error);
enum haul_status __wrap_haul_owner_drop(struct haul_store *of,
                                        const struct haul_owner_selection *selection,
                                        struct haul_owner_dropped *gone, struct haul_error *error)
{
    check(of == &store);
    say("drop");
    say_selection(selection);
    *gone = dropped;
    return answer(drop_answer, "not dropped", error);
}

/* --- owner ------------------------------------------------------------------------------------ */

static void test_owner__each_action__its_call_and_then_the_record(void)
{
    static const struct {
        const char *line;
        const char *said;
        const char *action; /* in the document */
    } cases[] = {
        {"--db /a", "read", "null"},
        {"--db /a --reclaim", "as-owner reclaim asked read", "\"reclaim\""},
        {"--db /a --reclaim --cf f --range a:b --prefix c --accept-two-owners",
         "as-owner f a:b c:d reclaim accepted read", "\"reclaim\""},
        {"--db /a --forget", "as-owner forget asked read", "\"forget\""},
        {"--db /a --forget --accept-two-owners", "as-owner forget accepted read", "\"forget\""},
        {"--db /a --adopt", "as-owner adopt asked read", "\"adopt\""},
        {"--db /a --adopt --accept-two-owners", "as-owner adopt accepted read", "\"adopt\""},
        {"--db /a --rebuild", "as-owner rebuild asked read", "\"rebuild\""},
        {"--db /a --rebuild --accept-two-owners", "as-owner rebuild accepted read", "\"rebuild\""},
    };
    char line[160];
    for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
        begin();
        check_equal(run(&command_owner, cases[i].line), EXIT_CODE_OK);
        check_text(said, cases[i].said);
        check_has(ran.out.text, "users");
        (void)snprintf(line, sizeof(line), "%s --json", cases[i].line);
        check_equal(run(&command_owner, line), EXIT_CODE_OK);
        check_has(ran.out.text, "\"users\"");
        check_has(ran.out.text, cases[i].action);
        (void)snprintf(line, sizeof(line), "%s -q", cases[i].line);
        check_equal(run(&command_owner, line), EXIT_CODE_OK);
        check_equal(ran.out.text[0] != '\0', i == 0); /* the user requested it */
    }
}

static void test_owner__options_that_exclude_each_other__refused_before_anything(void)
{
    static const char exclude[] = "--reclaim, --forget, --adopt and --rebuild exclude each other";
    static const struct {
        const char *line;
        const char *message;
    } cases[] = {
        {"--db /a --reclaim --forget", exclude},
        {"--db /a --forget --adopt", exclude},
        {"--db /a --adopt --rebuild", exclude},
        {"--db /a --reclaim --rebuild", exclude},
        {"--db /a --accept-two-owners", "--accept-two-owners changes nothing alone"},
        {"--db /a --cf f", "--cf, --range and --prefix belong to --reclaim"},
        {"--db /a --forget --range a:b", "--cf, --range and --prefix belong to --reclaim"},
        {"--db /a --prefix a", "--cf, --range and --prefix belong to --reclaim"},
        {"--reclaim", "owner needs --db DIR"},
    };
    for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
        begin();
        check_equal(run(&command_owner, cases[i].line), EXIT_CODE_USAGE);
        check_has(ran.err.text, cases[i].message);
        check_text(said, "");
        check_text(ran.out.text, "");
        char line[128];
        (void)snprintf(line, sizeof(line), "%s --json", cases[i].line);
        check_equal(run(&command_owner, line), EXIT_CODE_USAGE);
        check_has(ran.out.text, "\"code\":\"INVALID\"");
    }
}

static void test_owner__a_step_fails__its_code_and_nothing_behind_it(void)
{
    begin();
    check_answer = HAUL_NOT_FOUND;
    check_equal(run(&command_owner, "--db /a --forget"), EXIT_CODE_PREFLIGHT);
    check_text(said, "");
    begin();
    change_answer = HAUL_UNCONFIRMED;
    check_equal(run(&command_owner, "--db /a --forget --json"), EXIT_CODE_PREFLIGHT);
    check_text(said, "as-owner forget asked");
    check_has(ran.out.text, "\"UNCONFIRMED\"");
    begin();
    read_answer = HAUL_VERSION;
    check_equal(run(&command_owner, "--db /a"), EXIT_CODE_PREFLIGHT);
    check(strstr(ran.err.text, "--rebuild") == NULL);
}

/* The tool adds a hint, unless the library has given one. */
static void test_owner__hints__those_of_the_library_first(void)
{
    begin();
    read_answer = HAUL_CORRUPT;
    check_equal(run(&command_owner, "--db /a"), EXIT_CODE_INTEGRITY);
    check_has(ran.err.text, "`haul owner --db /a --rebuild` makes it again");
    hint = "another way";
    check_equal(run(&command_owner, "--db /a"), EXIT_CODE_INTEGRITY);
    check_has(ran.err.text, "another way");
    begin();
    change_answer = HAUL_NOT_FOUND;
    check_equal(run(&command_owner, "--db /a --reclaim"), EXIT_CODE_PREFLIGHT);
    check_has(ran.err.text, "`haul owner --db /a` shows the record as it is");
    hint = "another way";
    check_equal(run(&command_owner, "--db /a --reclaim"), EXIT_CODE_PREFLIGHT);
    check_has(ran.err.text, "another way");
    begin();
    change_answer = HAUL_BUSY;
    check_equal(run(&command_owner, "--db /a --reclaim"), EXIT_CODE_TEMPORARY);
    check(strstr(ran.err.text, "shows the record") == NULL);
}

static size_t occurrences(const char *text, const char *part)
{
    size_t count = 0;
    for (const char *at = strstr(text, part); at != NULL; at = strstr(at + 1, part)) {
        count++;
    }
    return count;
}

static void test_owner__jobs__the_last_ten_or_as_many_as_asked_for(void)
{
    begin();
    job_count = 12;
    check_equal(run(&command_owner, "--db /a --json"), EXIT_CODE_OK);
    check_equal(occurrences(ran.out.text, "\"gave\""), 10);
    check_equal(run(&command_owner, "--db /a --json --jobs 3"), EXIT_CODE_OK);
    check_equal(occurrences(ran.out.text, "\"gave\""), 3);
    check_has(ran.out.text, "0c0c0c0c");
    check_equal(run(&command_owner, "--db /a --jobs 0"), EXIT_CODE_USAGE);
    check_equal(run(&command_owner, "--db /a --jobs 8193"), EXIT_CODE_USAGE);
    check_equal(run(&command_owner, "--db /a --jobs 8192"), EXIT_CODE_OK);
}

/* --- drop ------------------------------------------------------------------------------------- */

static void test_drop__without_yes__lists_and_opens_nothing(void)
{
    begin();
    released_count = 2;
    check_equal(run(&command_drop, "--db /a --cf users --range k:"), EXIT_CODE_PREFLIGHT);
    check_text(said, "released users k:");
    check_equal(occurrences(ran.out.text, "given away, and still here: "), 2);
    check_has(ran.out.text, "users");
    check_has(ran.out.text, "posts");
    check_has(ran.err.text, "nothing was deleted: with --yes the records of these ranges");
    check_equal(closed_count, 0);
    check_equal(run(&command_drop, "--db /a --json"), EXIT_CODE_PREFLIGHT);
    check(ran.out.text[0] == '{');
    check_has(ran.out.text, "\"UNCONFIRMED\"");
    check_has(ran.out.text, "\"exit_code\":3");
    check_equal(run(&command_drop, "--db /a -q"), EXIT_CODE_PREFLIGHT);
    check_text(ran.out.text, "");
}

static void test_drop__yes__deletes_the_selection_and_counts(void)
{
    begin();
    check_equal(run(&command_drop, "--db /a --wal-dir /w --cf users --prefix k --yes"),
                EXIT_CODE_OK);
    check_text(said, "released users k:l drop users k:l");
    check_text(opened.wal_dir, "/w");
    check(opened.log != NULL && !opened.read_only && !opened.create_if_missing);
    check_equal(closed_count, 1);
    check_text(ran.out.text, "deleted 1 range, about 5.0 kB\n");
    dropped.ranges = 2;
    check_equal(run(&command_drop, "--db /a --yes"), EXIT_CODE_OK);
    check_text(ran.out.text, "deleted 2 ranges, about 5.0 kB\n");
    check_equal(run(&command_drop, "--db /a --yes -q"), EXIT_CODE_OK);
    check_text(ran.out.text, "");
    check_equal(run(&command_drop, "--db /a --yes --json"), EXIT_CODE_OK);
    check_has(ran.out.text, "5000");
}

static void test_drop__nothing_handed_over__said_of_what_was_selected(void)
{
    static const struct {
        const char *line;
        const char *message;
    } cases[] = {
        {"--db /a --yes", "nothing of /a was handed over: `haul owner --db /a` shows what it owns"},
        {"--db /a --cf users", "nothing of what is selected in /a was handed over"},
        {"--db /a --range a:b", "nothing of what is selected in /a was handed over"},
    };
    for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
        begin();
        released_count = 0;
        check_equal(run(&command_drop, cases[i].line), EXIT_CODE_PREFLIGHT);
        check_has(ran.err.text, cases[i].message);
        check_equal(closed_count, 0);
    }
    begin();
    drop_answer = HAUL_NOT_FOUND; /* the source took it back meanwhile */
    check_equal(run(&command_drop, "--db /a --yes"), EXIT_CODE_PREFLIGHT);
    check_has(ran.err.text, "nothing of /a was handed over");
    hint = "another way";
    check_equal(run(&command_drop, "--db /a --yes"), EXIT_CODE_PREFLIGHT);
    check_has(ran.err.text, "not dropped: another way");
}

static void test_drop__the_families_are_gone__nothing_is_left_to_delete(void)
{
    static const char *const lines[] = {"--db /a", "--db /a --yes", "--db /a --cf users --yes",
                                        "--db /a --range a:b --range k:l"};
    for (size_t i = 0; i < CHECK_COUNT(lines); i++) {
        begin();
        released_count = 0;
        gone_count = 1;
        dropped = (struct haul_owner_dropped){.ranges = 7};
        check_equal(run(&command_drop, lines[i]), EXIT_CODE_OK);
        check_has(ran.out.text, "nothing left to delete: ");
        check_text(ran.err.text, "");
        check_equal(closed_count, 0);
    }
    check_equal(run(&command_drop, "--db /a --json"), EXIT_CODE_OK);
    check_has(ran.out.text, "\"ranges\":0");
    check_equal(run(&command_drop, "--db /a -q"), EXIT_CODE_OK);
    check_text(ran.out.text, "");
    check_equal(run(&command_drop, "--db /a --cf posts"), EXIT_CODE_PREFLIGHT);
    check_equal(run(&command_drop, "--db /a --range a:b"), EXIT_CODE_PREFLIGHT);
    check_has(ran.err.text, "nothing of what is selected in /a was handed over");
    read_answer = HAUL_CORRUPT;
    check_equal(run(&command_drop, "--db /a"), EXIT_CODE_INTEGRITY);
}

static void test_drop__a_step_fails__its_code_and_nothing_behind_it(void)
{
    begin();
    released_answer = HAUL_CORRUPT;
    check_equal(run(&command_drop, "--db /a --yes"), EXIT_CODE_INTEGRITY);
    check_text(said, "released");
    begin();
    open_answer = HAUL_BUSY;
    check_equal(run(&command_drop, "--db /a --yes"), EXIT_CODE_TEMPORARY);
    check_text(said, "released");
    check_equal(closed_count, 0);
    begin();
    drop_answer = HAUL_IN_DOUBT;
    check_equal(run(&command_drop, "--db /a --yes"), EXIT_CODE_IN_DOUBT);
    check_has(ran.err.text, "not dropped");
    check_equal(closed_count, 1);
    check_text(ran.out.text, "");
    check_equal(run(&command_drop, "--yes"), EXIT_CODE_USAGE);
    check_has(ran.err.text, "drop needs --db DIR");
}

static void test_drop__a_family_that_haul_cannot_open__its_program_deletes(void)
{
    begin();
    open_answer = families_answer = HAUL_MISMATCH;
    check_equal(run(&command_drop, "--db /a --yes"), EXIT_CODE_PREFLIGHT);
    check_has(ran.err.text, "cannot open: delete what `haul owner --db /a` lists as given away "
                            "with the program that has the database");
    begin();
    open_answer = HAUL_UNSUPPORTED; /* for another reason, which has its own way out */
    check_equal(run(&command_drop, "--db /a --yes"), EXIT_CODE_PREFLIGHT);
    check(strstr(ran.err.text, "haul owner") == NULL);
}

static const struct check_test tests[] = {
    CHECK_TEST(test_owner__each_action__its_call_and_then_the_record),
    CHECK_TEST(test_owner__options_that_exclude_each_other__refused_before_anything),
    CHECK_TEST(test_owner__a_step_fails__its_code_and_nothing_behind_it),
    CHECK_TEST(test_owner__hints__those_of_the_library_first),
    CHECK_TEST(test_owner__jobs__the_last_ten_or_as_many_as_asked_for),
    CHECK_TEST(test_drop__without_yes__lists_and_opens_nothing),
    CHECK_TEST(test_drop__yes__deletes_the_selection_and_counts),
    CHECK_TEST(test_drop__nothing_handed_over__said_of_what_was_selected),
    CHECK_TEST(test_drop__the_families_are_gone__nothing_is_left_to_delete),
    CHECK_TEST(test_drop__a_family_that_haul_cannot_open__its_program_deletes),
    CHECK_TEST(test_drop__a_step_fails__its_code_and_nothing_behind_it),
};
CHECK_MAIN("cmd_owner", tests)
