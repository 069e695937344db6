/* SPDX-License-Identifier: Apache-2.0 */
/* test_plan_file.c — what is written is read again; every changed byte that matters is noticed. */
#include "plan_file.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "topology_texts.h"

static char directory[64];
static char path[128];
static struct haul_error error;

static struct plan_node nodes[2] = {
    {ID_A, "127.0.0.1", 6666, {8192, 4096, 1000, 500, 0}},
    {ID_B, "fd00::7", 6667, {0, 4096, 0, 500, 1000}},
};
static struct planner_move moves[3] = {
    {{0, 1023}, 0, 1, 0, 200},
    {{5, 5}, 0, 1, 1, 100},
    {{8000, 8191}, 0, 1, 1, 200},
};
static const struct cluster_plan plan = {7, PLANNER_BYTES, nodes, 2, moves, 3, 2, 500};

static void set_up(void)
{
    (void)snprintf(directory, sizeof(directory), "/tmp/haul-plan-XXXXXX");
    check_or_stop(mkdtemp(directory) != NULL);
    (void)snprintf(path, sizeof(path), "%s/plan.json", directory);
}

static void tear_down(void)
{
    (void)unlink(path);
    check_equal(rmdir(directory), 0); /* nothing is left beside the file */
}

/* The file's text; `size` bytes of it. */
static char *read_back(size_t *size)
{
    static char text[8192];
    int fd = open(path, O_RDONLY);
    check_or_stop(fd >= 0);
    ssize_t read_bytes = read(fd, text, sizeof(text) - 1);
    (void)close(fd);
    check_or_stop(read_bytes > 0);
    text[read_bytes] = '\0';
    *size = (size_t)read_bytes;
    return text;
}

static void write_text(const char *text, size_t size)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    check_or_stop(fd >= 0);
    check_equal(write(fd, text, size), (ssize_t)size);
    (void)close(fd);
}

static bool is_plan(const struct cluster_plan *read)
{
    bool same = read->topology_version == 7 && read->measure == PLANNER_BYTES &&
                read->node_count == 2 && read->move_count == 3 && read->wave_count == 2 &&
                read->bytes == 500;
    for (size_t i = 0; same && i < 2; i++) {
        same = strcmp(read->nodes[i].id, nodes[i].id) == 0 &&
               strcmp(read->nodes[i].host, nodes[i].host) == 0 &&
               read->nodes[i].port == nodes[i].port &&
               memcmp(&read->nodes[i].effect, &nodes[i].effect, sizeof(nodes[i].effect)) == 0;
    }
    for (size_t i = 0; same && i < 3; i++) {
        same = memcmp(&read->moves[i].slots, &moves[i].slots, sizeof(moves[i].slots)) == 0 &&
               read->moves[i].from == 0 && read->moves[i].to == 1 &&
               read->moves[i].wave == moves[i].wave && read->moves[i].bytes == moves[i].bytes;
    }
    return same;
}

static void test_write__then_read__the_same_plan(void)
{
    struct cluster_plan *read = NULL;
    set_up();
    check_status(plan_file_write(path, &plan, &error), HAUL_OK);
    check_status(plan_file_read(path, &read, &error), HAUL_OK);
    check(read != NULL && is_plan(read));
    plan_file_destroy(read);
    tear_down();
}

static void test_write__name_taken__stays(void)
{
    size_t size = 0;
    set_up();
    write_text("mine", 4);
    check_error(plan_file_write(path, &plan, &error), HAUL_EXISTS, error);
    check_text(read_back(&size), "mine");
    tear_down();
}

static void test_read_and_write__no_such_name__not_found(void)
{
    check_error(plan_file_write("/tmp/haul-no-such-directory/plan", &plan, &error), HAUL_NOT_FOUND,
                error);
    struct cluster_plan *read = NULL;
    check_error(plan_file_read("/tmp/haul-no-such-plan", &read, &error), HAUL_NOT_FOUND, error);
    check_error(plan_file_read("/tmp", &read, &error), HAUL_IO, error);
}

/* No changed or missing byte yields another plan: the file is refused, or says the same. */
static void test_read__every_changed_byte_and_prefix__refused_or_the_same(void)
{
    static char text[8192];
    size_t size = 0;
    size_t refused = 0;
    set_up();
    check_status(plan_file_write(path, &plan, &error), HAUL_OK);
    memcpy(text, read_back(&size), sizeof(text));
    for (size_t i = 0; i < 2 * size; i++) {
        struct cluster_plan *read = NULL;
        char kept = text[i / 2];
        text[i / 2] = (char)(kept ^ 1);
        write_text(text, i % 2 == 0 ? size : i / 2);
        text[i / 2] = kept;
        enum haul_status status = plan_file_read(path, &read, &error);
        check_or_stop(status == HAUL_CORRUPT || status == HAUL_VERSION ||
                      (status == HAUL_OK && is_plan(read)));
        refused += status != HAUL_OK;
        plan_file_destroy(read);
    }
    check(refused > size);
    tear_down();
}

static void test_read__other_spaces_and_order__the_same_plan(void)
{
    char changed[8192];
    size_t size = 0;
    size_t out = 0;
    struct cluster_plan *read = NULL;
    set_up();
    check_status(plan_file_write(path, &plan, &error), HAUL_OK);
    const char *text = read_back(&size);
    for (size_t i = 0; i < size; i++) {
        changed[out] = text[i];
        out += text[i] != '\n';
    }
    write_text(changed, out);
    check_status(plan_file_read(path, &read, &error), HAUL_OK);
    check(read != NULL && is_plan(read));
    plan_file_destroy(read);
    tear_down();
}

static void test_read__of_a_later_release__version(void)
{
    struct cluster_plan *read = NULL;
    static const char later[] = "{\"format\":\"haul cluster plan\",\"version\":2}";
    static const char bare[] = "{\"format\":\"haul cluster plan\",\"version\":1}";
    set_up();
    write_text(later, sizeof(later) - 1);
    check_error(plan_file_read(path, &read, &error), HAUL_VERSION, error);
    write_text(bare, sizeof(bare) - 1);
    check_error(plan_file_read(path, &read, &error), HAUL_CORRUPT, error);
    write_text("[]", 2);
    check_error(plan_file_read(path, &read, &error), HAUL_CORRUPT, error);
    check(read == NULL);
    tear_down();
}

static const struct check_test tests[] = {
    CHECK_TEST(test_write__then_read__the_same_plan),
    CHECK_TEST(test_write__name_taken__stays),
    CHECK_TEST(test_read_and_write__no_such_name__not_found),
    CHECK_TEST(test_read__every_changed_byte_and_prefix__refused_or_the_same),
    CHECK_TEST(test_read__other_spaces_and_order__the_same_plan),
    CHECK_TEST(test_read__of_a_later_release__version),
};

CHECK_MAIN("plan_file", tests)
