/* SPDX-License-Identifier: Apache-2.0 */
/* test_send_plan.c — what a plan says, and where one that is wrong is wrong. */
#include "send_plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"

static struct send_plan plan;
static struct haul_error error;

static enum haul_status parse(const char *text)
{
    memset(&error, 0, sizeof(error));
    return send_plan_parse(text, strlen(text), "p", &plan, &error);
}

static enum haul_status parse_moves(const char *moves)
{
    static char text[1 << 20];
    (void)snprintf(text, sizeof(text), "{\"version\": 1, \"moves\": [%s]}", moves);
    return parse(text);
}

/* It is refused, with this in the message or the hint; and the plan is empty. */
static void check_refused(enum haul_status status, const char *part)
{
    if (strstr(error.text, part) == NULL && strstr(error.hint, part) == NULL) {
        (void)printf("no '%s' in '%s' (%s)\n", part, error.text, error.hint);
        check(false);
    }
    check_status(status, HAUL_INVALID);
    check_equal(plan.count, 0);
    check(plan.moves == NULL && plan.document == NULL);
}

static void check_range(const struct send_move *move, size_t index, const char *wanted)
{
    char text[64];
    check_or_stop(index < move->ranges.count);
    range_option_format(&move->ranges.ranges[index], text, sizeof(text));
    check_text(text, wanted);
}

static void test_send_plan_parse__each_member__as_the_option_of_that_name(void)
{
    check_status(parse_moves("{\"to\": \"a:1\"},"
                             "{\"to\": \"b:2\", \"cf\": \"x\", \"range\": \"k:m\"},"
                             "{\"to\": \"c:3\", \"cf\": [\"y\", \"z\"], \"metadata-cf\": [\"z\"],"
                             " \"range\": [\"0x00:0x10\", \":\\\\0x\"], \"prefix\": \"user\\\\:\","
                             " \"overwrite\": true},"
                             "{\"to\": \"d:4\", \"cf\": \"w\", \"overwrite\": false}"),
                 HAUL_INVALID); /* the first has everything */
    check_status(parse_moves("{\"to\": \"b:2\", \"cf\": \"x\", \"range\": \"k:m\"},"
                             "{\"to\": \"c:3\", \"cf\": [\"y\", \"z\"], \"metadata-cf\": [\"z\"],"
                             " \"range\": [\"0x80:0x90\", \":\\\\0x\"], \"prefix\": \"user\\\\:\","
                             " \"overwrite\": true},"
                             "{\"to\": \"d:4\", \"cf\": \"w\", \"overwrite\": false}"),
                 HAUL_OK);
    check_equal(plan.count, 3);
    check_text(plan.moves[0].to, "b:2");
    check_equal(plan.moves[0].families.count, 1);
    check_text(plan.moves[0].families.names[0], "x");
    check_range(&plan.moves[0], 0, "k:m");
    check(!plan.moves[0].overwrite && !plan.moves[0].overwrite_given);
    check_equal(plan.moves[1].families.count, 2);
    check_equal(plan.moves[1].metadata_families.count, 1);
    check_text(plan.moves[1].metadata_families.names[0], "z");
    check_equal(plan.moves[1].ranges.count, 3);
    check_range(&plan.moves[1], 0, "0x80:0x90");
    check_range(&plan.moves[1], 1, ":\\0x");
    check_range(&plan.moves[1], 2, "user\\::user;");
    check(plan.moves[1].overwrite && plan.moves[1].overwrite_given);
    check_equal(plan.moves[2].ranges.count, 0);
    check(!plan.moves[2].overwrite && plan.moves[2].overwrite_given);
    send_plan_fini(&plan);
    check_equal(plan.count, 0);
}

static void test_send_plan_parse__not_a_plan__refused(void)
{
    check_refused(parse(""), "p:1:");
    check_refused(parse("{\"version\": 1,\n \"moves\": [}"), "p:2:");
    check_refused(parse("{\"version\": 1, \"version\": 1}"), "duplicate");
    check_refused(parse("[]"), "is no object");
    check_refused(parse("{\"moves\": []}"), "needs \"version\": 1");
    check_refused(parse("{\"version\": \"1\"}"), "needs \"version\": 1");
    check_refused(parse("{\"version\": 1}"), "at least one move");
    check_refused(parse("{\"version\": 1, \"moves\": {}}"), "at least one move");
    check_refused(parse("{\"version\": 1, \"move\": []}"), "did you mean \"moves\"?");
    check_refused(parse("{\"version\": 1, \"moves\": [], \"format\": 1}"),
                  "there are \"version\", \"moves\"");
    check_status(parse("{\"version\": 2, \"moves\": 5}"), HAUL_VERSION);
    check_equal(plan.count, 0);
}

static void test_send_plan_parse__bad_move__refused_with_its_place(void)
{
    static const struct {
        const char *moves;
        const char *part;
    } cases[] = {
        {"5", "p: moves[0]: has to be an object"},
        {"{}", "moves[0]: needs \"to\""},
        {"{\"to\": \"a:1\", \"cf\": \"x\"}, {\"cf\": \"y\"}", "moves[1]: needs \"to\""},
        {"{\"to\": 5}", "moves[0].to: has to be the ADDR:PORT"},
        {"{\"to\": \"\"}", "moves[0].to: has to be the ADDR:PORT"},
        {"{\"to\": \"a:1\", \"rnage\": \"a:b\"}", "did you mean \"range\"?"},
        {"{\"to\": \"a:1\", \"rate\": 5}", "unknown member \"rate\""},
        {"{\"to\": \"a:1\", \"cf\": 5}", "moves[0].cf: has to be a text, or an array of texts"},
        {"{\"to\": \"a:1\", \"cf\": [\"x\", 5]}", "moves[0].cf[1]: has to be a text"},
        {"{\"to\": \"a:1\", \"cf\": []}", "moves[0].cf: is empty"},
        {"{\"to\": \"a:1\", \"cf\": []}", "leave it out for all"},
        {"{\"to\": \"a:1\", \"range\": []}", "moves[0].range: is empty"},
        {"{\"to\": \"a:1\", \"cf\": \"\"}", "moves[0].cf: the name of a column family has 1 to"},
        {"{\"to\": \"a:1\", \"cf\": [\"x\", \"x\"]}", "moves[0].cf[1]: 'x' is there twice"},
        {"{\"to\": \"a:1\", \"range\": \"a\"}", "moves[0].range: 'a' is not a range START:END"},
        {"{\"to\": \"a:1\", \"range\": \"a\"}", "either may be empty"}, /* the option's hint */
        {"{\"to\": \"a:1\", \"range\": [\"a:b\", \"d:c\"]}", "moves[0].range[1]: 'd:c' is not"},
        {"{\"to\": \"a:1\", \"prefix\": \"0x0\"}", "moves[0].prefix: '0x0' is not a key prefix"},
        {"{\"to\": \"a:1\", \"prefix\": \"\"}", "moves[0].prefix: '' is not a key prefix"},
        {"{\"to\": \"a:1\", \"overwrite\": 1}", "moves[0].overwrite: has to be true or false"},
    };
    for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
        enum haul_status status = parse_moves(cases[i].moves);
        check_refused(status, cases[i].part);
    }
}

static void test_send_plan_parse__long_values__cut_in_the_message(void)
{
    char moves[2000];
    char name[HAUL_NAME_BYTES_MAX + 1];
    memset(name, 'x', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    (void)snprintf(moves, sizeof(moves), "{\"to\": \"a:1\", \"cf\": \"%s\"}", name);
    check_refused(parse_moves(moves), "1 to 127 bytes");
    (void)snprintf(moves, sizeof(moves), "{\"to\": \"a:1\", \"%s\": 5}", name);
    check_refused(parse_moves(moves), "unknown member \"xxxx");
    (void)snprintf(moves, sizeof(moves), "{\"to\": \"%s\"}", name);
    check_refused(parse_moves(moves), "ADDR:PORT");
}

/* Moves of one key each, so that none overlaps. */
static char *many_moves(size_t count)
{
    enum { MOVE_BYTES_MAX = 64 };
    size_t size = count * MOVE_BYTES_MAX + 64;
    char *text = malloc(size);
    check_or_stop(text != NULL);
    size_t used = (size_t)snprintf(text, size, "{\"version\":1,\"moves\":[");
    for (size_t i = 0; i < count; i++) {
        used += (size_t)snprintf(text + used, size - used,
                                 "%s{\"to\":\"a:1\",\"range\":\"%06zu:%06zu\"}", i == 0 ? "" : ",",
                                 i, i + 1);
    }
    (void)snprintf(text + used, size - used, "]}");
    return text;
}

static void test_send_plan_parse__at_the_limit_and_above__accepted_and_refused(void)
{
    char *text = many_moves(SEND_PLAN_MOVES_MAX);
    check_status(parse(text), HAUL_OK);
    check_equal(plan.count, SEND_PLAN_MOVES_MAX);
    send_plan_fini(&plan);
    free(text);
    text = many_moves(SEND_PLAN_MOVES_MAX + 1);
    check_refused(parse(text), "at most 1024");
    free(text);
}

static void test_send_plan_read__file__as_its_text(void)
{
    char path[] = "/tmp/haul-plan-XXXXXX";
    static const char text[] = "{\"version\": 1, \"moves\": [{\"to\": \"a:1\"}]}\n";
    int fd = mkstemp(path);
    check_or_stop(fd >= 0 && write(fd, text, sizeof(text) - 1) == sizeof(text) - 1);
    check_status(send_plan_read(path, &plan, &error), HAUL_OK);
    check_equal(plan.count, 1);
    send_plan_fini(&plan);
    check_equal(ftruncate(fd, SEND_PLAN_BYTES_MAX + 1), 0);
    check_error(send_plan_read(path, &plan, &error), HAUL_LIMIT, error);
    (void)close(fd);
    (void)unlink(path);
    check_error(send_plan_read(path, &plan, &error), HAUL_NOT_FOUND, error);
    check_error(send_plan_read("/tmp", &plan, &error), HAUL_IO, error);
    check_equal(plan.count, 0);
}

static void test_send_plan_describe__each_kind__place_and_content(void)
{
    char text[SEND_PLAN_MOVE_TEXT_BYTES_MAX];
    check_status(
        parse_moves("{\"to\": \"a:1\", \"cf\": \"x\"},"
                    "{\"to\": \"a:1\", \"cf\": [\"y\", \"z\"], \"prefix\": [\"k\", \"m\"]},"
                    "{\"to\": \"a:1\", \"cf\": \"w\", \"range\": \"a:\"}"),
        HAUL_OK);
    send_plan_describe(&plan, 0, text);
    check_text(text, "moves[0] (x, all keys)");
    send_plan_describe(&plan, 1, text);
    check_text(text, "moves[1] (y and others, k:l and others)");
    send_plan_describe(&plan, 2, text);
    check_text(text, "moves[2] (w, a:)");
    send_plan_fini(&plan);
}

static const struct check_test tests[] = {
    CHECK_TEST(test_send_plan_parse__each_member__as_the_option_of_that_name),
    CHECK_TEST(test_send_plan_parse__not_a_plan__refused),
    CHECK_TEST(test_send_plan_parse__bad_move__refused_with_its_place),
    CHECK_TEST(test_send_plan_parse__long_values__cut_in_the_message),
    CHECK_TEST(test_send_plan_parse__at_the_limit_and_above__accepted_and_refused),
    CHECK_TEST(test_send_plan_read__file__as_its_text),
    CHECK_TEST(test_send_plan_describe__each_kind__place_and_content),
};
CHECK_MAIN("send_plan", tests)
