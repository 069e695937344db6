/* SPDX-License-Identifier: Apache-2.0 */
/* test_run_control.c — orders survive in their file, damaged ones are refused, one process
 * locks. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "check.h"
#include "run_control.h"

static char directory[] = "/tmp/haul-run-control-XXXXXX";
static char plan[64];
static char file[80];
static struct haul_error error;

static void begin(void)
{
    if (plan[0] == '\0') {
        check_or_stop(mkdtemp(directory) != NULL);
        (void)snprintf(plan, sizeof(plan), "%s/plan", directory);
        (void)snprintf(file, sizeof(file), "%s.control", plan);
    }
    (void)unlink(file);
    int fd = open(plan, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    check_or_stop(fd >= 0);
    (void)close(fd);
}

static void write_text(const char *text)
{
    FILE *out = fopen(file, "w");
    check_or_stop(out != NULL);
    (void)fputs(text, out);
    (void)fclose(out);
}

static void test_read__no_file__runs_without_limits(void)
{
    struct run_control control = {RUN_ORDER_ABORT, true, 1, 1, "x"};
    begin();
    check_status(run_control_read(plan, &control, &error), HAUL_OK);
    check_equal(control.order, RUN_ORDER_RUN);
    check(!control.limits && control.node_mb == 0 && control.total_mb == 0);
    check_text(control.controller, "");
}

static void test_write__each_order__read_again(void)
{
    for (int order = RUN_ORDER_RUN; order <= RUN_ORDER_ABORT; order++) {
        struct run_control written = {(enum run_order)order, order == 1, 7, 1000000, "http://c"};
        struct run_control read;
        begin();
        check_status(run_control_write(plan, &written, &error), HAUL_OK);
        check_status(run_control_read(plan, &read, &error), HAUL_OK);
        check_equal(read.order, written.order);
        check_equal(read.limits, written.limits);
        check(read.node_mb == 7 && read.total_mb == 1000000);
        check_text(read.controller, "http://c");
    }
}

static void test_read__damaged__corrupt_with_a_way_out(void)
{
    static const char *const texts[] = {
        "",
        "{",
        "[]",
        "{\"order\": \"run\"}",
        "{\"order\": \"stop\", \"limits\": false, \"node_mb\": 0, \"total_mb\": 0}",
        "{\"order\": \"run\", \"limits\": 1, \"node_mb\": 0, \"total_mb\": 0}",
        "{\"order\": \"run\", \"limits\": true, \"node_mb\": -1, \"total_mb\": 0}",
        "{\"order\": \"run\", \"limits\": true, \"node_mb\": 1, \"total_mb\": 0, \"controller\": "
        "1}",
    };
    for (size_t i = 0; i < CHECK_COUNT(texts); i++) {
        struct run_control control;
        begin();
        write_text(texts[i]);
        check_error(run_control_read(plan, &control, &error), HAUL_CORRUPT, error);
        check(strstr(error.hint, "remove it") != NULL);
    }
}

static void test_lock__held__busy_until_closed(void)
{
    int first = -1;
    int second = -1;
    begin();
    check(!run_control_is_locked(plan));
    check_status(run_control_lock(plan, &first, &error), HAUL_OK);
    check(run_control_is_locked(plan));
    check_error(run_control_lock(plan, &second, &error), HAUL_BUSY, error);
    (void)close(first);
    check_status(run_control_lock(plan, &second, &error), HAUL_OK);
    (void)close(second);
    (void)unlink(plan);
    check_error(run_control_lock(plan, &first, &error), HAUL_NOT_FOUND, error);
    (void)rmdir(directory);
}

static const struct check_test tests[] = {
    CHECK_TEST(test_read__no_file__runs_without_limits),
    CHECK_TEST(test_write__each_order__read_again),
    CHECK_TEST(test_read__damaged__corrupt_with_a_way_out),
    CHECK_TEST(test_lock__held__busy_until_closed),
};

CHECK_MAIN("run_control", tests)
