/* SPDX-License-Identifier: Apache-2.0 */
/* test_cmd_cluster.c — `haul cluster check` and `plan` with the answers of a made-up cluster: exit
 * codes, output, where the password comes from. */
#include <stdlib.h>
#include <sys/stat.h>

#include "cluster_commands.h"
#include "discovery.h"
#include "exit_code.h"
#include "facts_fixture.h"
#include "plan_file.h"
#include "ran.h"
#include "run_control.h"

/* --- what stands behind the commands ---------------------------------------------------------- */

static enum haul_status discovery_answer;
static unsigned discovery_count;
static char seen_password[64];
static struct node_access seen;
static void (*spoil)(struct node_facts_list *list);

static void begin(void)
{
    discovery_answer = HAUL_OK;
    discovery_count = 0;
    seen_password[0] = '\0';
    spoil = NULL;
    (void)unsetenv("HAUL_CLUSTER_PASSWORD");
}

enum haul_status __wrap_discovery_run(const char *seeds, const struct node_access *access,
                                      struct node_facts_list *list, struct haul_error *error);
enum haul_status __wrap_discovery_run(const char *seeds, const struct node_access *access,
                                      struct node_facts_list *list, struct haul_error *error)
{
    (void)seeds;
    discovery_count++;
    seen = *access;
    (void)snprintf(seen_password, sizeof(seen_password), "%s",
                   access->password == NULL ? "(none)" : access->password);
    if (discovery_answer != HAUL_OK) {
        return haul_error_set(error, discovery_answer, NULL, 0, "made up");
    }
    *list = fixture_facts();
    if (spoil != NULL) {
        spoil(list);
    }
    return HAUL_OK;
}

static void leave_unconfirmed(struct node_facts_list *list)
{
    list->nodes[1].is_unconfirmed = true;
}

static void leave_redis(struct node_facts_list *list)
{
    list->nodes[0].uses_haul = false;
}

#define NODES "--nodes h:1 "

/* --- the word --------------------------------------------------------------------------------- */

static void test_cluster__no_or_another_word__usage(void)
{
    begin();
    check_equal(run(&command_cluster, ""), EXIT_CODE_USAGE);
    check_equal(run(&command_cluster, "destroy"), EXIT_CODE_USAGE);
    check_has(ran.err.text, "check, plan, run");
    check_equal(run(&command_cluster, "--help"), EXIT_CODE_OK);
    check_equal(run(&command_cluster, "check " NODES), EXIT_CODE_OK);
    check_equal(run(&command_cluster, "plan --help"), EXIT_CODE_OK);
    check_has(ran.out.text, "haul cluster plan");
}

/* --- check ------------------------------------------------------------------------------------ */

static void test_check__sound_cluster__may_start(void)
{
    begin();
    check_equal(run(&command_cluster_check, NODES), EXIT_CODE_OK);
    check_text(ran.out.text, "3 masters and 1 replica, version 5 of the topology: a migration may "
                             "start\n");
    check_equal(run(&command_cluster_check, NODES "--quiet"), EXIT_CODE_OK);
    check_text(ran.out.text, "");
    check_equal(run(&command_cluster_check, NODES "--json"), EXIT_CODE_OK);
    check_has(ran.out.text, "\"status\":\"ok\"");
    check_has(ran.out.text, "\"findings\":[]");
    check_equal(seen.timeout_ms, 5000);
}

static void test_check__findings__line_and_exit_code_by_their_level(void)
{
    begin();
    spoil = leave_unconfirmed;
    check_equal(run(&command_cluster_check, NODES), EXIT_CODE_PREFLIGHT);
    check_has(ran.out.text, "blocks 127.0.0.1:6667: has handed slots over that their destination "
                            "has not confirmed: see that the destination");
    check_has(ran.out.text, "no migration may start, 1 finding blocks it\n");
    check_equal(run(&command_cluster_check, NODES "--json"), EXIT_CODE_PREFLIGHT);
    check_has(ran.out.text, "\"level\":\"blocks\",\"node\":\"127.0.0.1:6667\"");
    check_has(ran.out.text, "\"exit_code\":3");
    spoil = leave_redis;
    check_equal(run(&command_cluster_check, NODES), EXIT_CODE_OK);
    check_has(ran.out.text, "warns  127.0.0.1:6666: has migrate-transport redis");
}

static void test_check__no_answer_at_all__its_exit_code(void)
{
    begin();
    discovery_answer = HAUL_INVALID;
    check_equal(run(&command_cluster_check, NODES), EXIT_CODE_USAGE);
    discovery_answer = HAUL_UNSUPPORTED;
    check_equal(run(&command_cluster_check, NODES), EXIT_CODE_PREFLIGHT);
    check_equal(run(&command_cluster_check, ""), EXIT_CODE_USAGE);
    check_has(ran.err.text, "--nodes");
}

static void test_check__tls_files__checked_before_anybody_is_asked(void)
{
    begin();
    check_equal(run(&command_cluster_check, NODES "--tls-ca f"), EXIT_CODE_USAGE);
    check_equal(run(&command_cluster_check, NODES "--tls --tls-cert f"), EXIT_CODE_USAGE);
    check_equal(discovery_count, 0);
    check_equal(run(&command_cluster_check, NODES "--tls --tls-cert f --tls-key g"), EXIT_CODE_OK);
    check(seen.tls && strcmp(seen.private_key, "g") == 0);
}

/* --- the password ----------------------------------------------------------------------------- */

static void write_password(const char *path, const char *text, mode_t mode)
{
    FILE *file = fopen(path, "w");
    check_or_stop(file != NULL && fputs(text, file) >= 0 && fclose(file) == 0);
    check_or_stop(chmod(path, mode) == 0);
}

static void test_password__from_a_private_file_or_the_environment(void)
{
    char path[] = "/tmp/haul-password-XXXXXX";
    char line[128];
    begin();
    int fd = mkstemp(path);
    check_or_stop(fd >= 0);
    (void)close(fd);
    (void)snprintf(line, sizeof(line), NODES "--password-file %s", path);
    write_password(path, "secret\nsecond line\n", 0600);
    check_equal(run(&command_cluster_check, line), EXIT_CODE_OK);
    check_text(seen_password, "secret");
    write_password(path, "secret\n", 0640);
    check_equal(run(&command_cluster_check, line), EXIT_CODE_AUTH);
    write_password(path, "\n", 0600);
    check_equal(run(&command_cluster_check, line), EXIT_CODE_USAGE);
    check_equal(discovery_count, 1);
    (void)unlink(path);
    check_equal(run(&command_cluster_check, line), EXIT_CODE_PREFLIGHT);
    check_equal(run(&command_cluster_check, NODES), EXIT_CODE_OK);
    check_text(seen_password, "(none)");
    (void)setenv("HAUL_CLUSTER_PASSWORD", "of the environment", 1);
    check_equal(run(&command_cluster_check, NODES), EXIT_CODE_OK);
    check_text(seen_password, "of the environment");
}

/* --- plan ------------------------------------------------------------------------------------- */

static void test_plan__goal__table_with_time(void)
{
    begin();
    check_equal(run(&command_cluster_plan, NODES "--add 127.0.0.1:6669 --rate 1MB"), EXIT_CODE_OK);
    check_has(ran.out.text, "127.0.0.1:6669               0 ->  5461");
    check_has(ran.out.text, "2 moves in 2 waves, ");
    check_has(ran.out.text, " at 1.0 MB a second for each move\n");
    check_equal(run(&command_cluster_plan, NODES), EXIT_CODE_OK);
    check_text(ran.out.text, "0 moves in 0 waves, 0 B\n");
    check_equal(run(&command_cluster_plan, NODES "--by bytes --json"), EXIT_CODE_OK);
    check_has(ran.out.text, "\"from\":\"" ID_A "\",\"to\":\"" ID_B "\"");
    check_has(ran.out.text, "\"seconds\":null,\"file\":null");
}

static void test_plan__bad_goals__usage(void)
{
    begin();
    check_equal(run(&command_cluster_plan, NODES "--by keys"), EXIT_CODE_USAGE);
    check_equal(discovery_count, 0);
    check_equal(run(&command_cluster_plan, NODES "--drain h:9"), EXIT_CODE_USAGE);
    check_equal(run(&command_cluster_plan, NODES "--from " ID_A), EXIT_CODE_USAGE);
    check_equal(run(&command_cluster_plan, ""), EXIT_CODE_USAGE);
}

static void test_plan__unsound_cluster__refused_with_its_findings(void)
{
    begin();
    spoil = leave_unconfirmed;
    check_equal(run(&command_cluster_plan, NODES "--drain " ID_B), EXIT_CODE_PREFLIGHT);
    check_has(ran.out.text, "blocks 127.0.0.1:6667");
    check_has(ran.err.text, "no migration may start");
}

static void test_plan__file__new_or_refused(void)
{
    char path[] = "/tmp/haul-plan-XXXXXX";
    char line[128];
    struct cluster_plan *plan = NULL;
    struct haul_error error;
    begin();
    int fd = mkstemp(path);
    check_or_stop(fd >= 0);
    (void)close(fd);
    (void)snprintf(line, sizeof(line), NODES "--drain " ID_B " %s", path);
    check_equal(run(&command_cluster_plan, line), EXIT_CODE_PREFLIGHT); /* the name is taken */
    (void)unlink(path);
    check_equal(run(&command_cluster_plan, line), EXIT_CODE_OK);
    check_has(ran.out.text, "the plan is in /tmp/haul-plan-");
    check_status(plan_file_read(path, &plan, &error), HAUL_OK);
    check(plan != NULL && plan->move_count == 1);
    plan_file_destroy(plan);
    (void)unlink(path);
}

/* --- orders ----------------------------------------------------------------------------------- */

static char order_plan[] = "/tmp/haul-orders-XXXXXX";

/* A plan file; its path is the last word of the command line. */
static int run_order(const struct command *command, const char *words)
{
    char line[256];
    (void)snprintf(line, sizeof(line), "%s %s", words, order_plan);
    return run(command, line);
}

static struct run_control ordered(void)
{
    struct run_control control = {.order = RUN_ORDER_ABORT};
    struct haul_error error;
    check_status(run_control_read(order_plan, &control, &error), HAUL_OK);
    return control;
}

static void test_orders__each_command__left_beside_the_plan(void)
{
    char control[64];
    begin();
    int fd = mkstemp(order_plan);
    check_or_stop(fd >= 0);
    (void)close(fd);
    (void)unlink(order_plan);
    check_equal(run_order(&command_cluster_pause, ""), EXIT_CODE_PREFLIGHT); /* no such plan */
    check_equal(run_order(&command_cluster_plan, NODES "--drain " ID_B), EXIT_CODE_OK);
    check_equal(run_order(&command_cluster_pause, ""), EXIT_CODE_OK);
    check_has(ran.out.text, "nobody runs the plan now");
    check_equal(ordered().order, RUN_ORDER_PAUSE);
    check_equal(run_order(&command_cluster_rate, "--rate 3M --rate-total 4097K"), EXIT_CODE_OK);
    check(ordered().order == RUN_ORDER_PAUSE && ordered().limits);
    check(ordered().node_mb == 3 && ordered().total_mb == 5);
    check_equal(run_order(&command_cluster_resume, "--json"), EXIT_CODE_OK);
    check_has(ran.out.text, "\"command\":\"cluster resume\"");
    check_has(ran.out.text, "\"running\":false");
    check(ordered().order == RUN_ORDER_RUN && ordered().node_mb == 3);
    check_equal(run_order(&command_cluster_rate, ""), EXIT_CODE_OK);
    check(ordered().limits && ordered().node_mb == 0 && ordered().total_mb == 0);
    (void)snprintf(control, sizeof(control), "%s.control", order_plan);
    (void)unlink(control);
    (void)unlink(order_plan);
}

static void test_orders__no_plan__usage(void)
{
    static const struct command *const commands[] = {
        &command_cluster_run,    &command_cluster_status, &command_cluster_pause,
        &command_cluster_resume, &command_cluster_abort,  &command_cluster_rate};
    begin();
    for (size_t i = 0; i < CHECK_COUNT(commands); i++) {
        check_equal(run(commands[i], ""), EXIT_CODE_USAGE);
        check_has(ran.err.text, "PLAN");
        check_equal(run(commands[i], "--help"), EXIT_CODE_OK);
    }
    check_equal(run(&command_cluster_run, "--window 25:00-26:00 p"), EXIT_CODE_USAGE);
    check_equal(run(&command_cluster_run, "--rate 0 p"), EXIT_CODE_USAGE);
}

/* A run relies on hand-overs that only haul keeps. */
static void test_run__a_source_without_haul__refused(void)
{
    begin();
    (void)snprintf(order_plan + strlen(order_plan) - 6, 7, "XXXXXX");
    int fd = mkstemp(order_plan);
    check_or_stop(fd >= 0);
    (void)close(fd);
    (void)unlink(order_plan);
    check_equal(run_order(&command_cluster_plan, NODES "--drain 127.0.0.1:6666"), EXIT_CODE_OK);
    spoil = leave_redis;
    check_equal(run_order(&command_cluster_run, NODES), EXIT_CODE_PREFLIGHT);
    check_has(ran.err.text, "127.0.0.1:6666 has migrate-transport redis");
    discovery_answer = HAUL_AUTH;
    check_equal(run_order(&command_cluster_status, NODES), EXIT_CODE_AUTH);
    (void)unlink(order_plan);
}

static const struct check_test tests[] = {
    CHECK_TEST(test_cluster__no_or_another_word__usage),
    CHECK_TEST(test_check__sound_cluster__may_start),
    CHECK_TEST(test_check__findings__line_and_exit_code_by_their_level),
    CHECK_TEST(test_check__no_answer_at_all__its_exit_code),
    CHECK_TEST(test_check__tls_files__checked_before_anybody_is_asked),
    CHECK_TEST(test_password__from_a_private_file_or_the_environment),
    CHECK_TEST(test_plan__goal__table_with_time),
    CHECK_TEST(test_plan__bad_goals__usage),
    CHECK_TEST(test_plan__unsound_cluster__refused_with_its_findings),
    CHECK_TEST(test_plan__file__new_or_refused),
    CHECK_TEST(test_orders__each_command__left_beside_the_plan),
    CHECK_TEST(test_orders__no_plan__usage),
    CHECK_TEST(test_run__a_source_without_haul__refused),
};

CHECK_MAIN("cmd_cluster", tests)
