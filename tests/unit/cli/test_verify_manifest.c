/* SPDX-License-Identifier: Apache-2.0 */
/* test_verify_manifest.c — writes manifests, reads them again, compares them with databases; and
 * malformed files. */
#include "verify_manifest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"

enum { PIECE_COUNT = 5 };

static char directory[] = "/tmp/haul-test-XXXXXX";
static char path[64];
static struct haul_verify_piece pieces[PIECE_COUNT];
static const struct haul_family_result totals[] = {
    {.name = "default", .records = 30, .bytes = 300, .digest = "0123456789abcdef0123456789abcdef"},
    {.name = "o:t\nher", .records = 20, .bytes = 200, .digest = "00000000000000000000000000000001"},
};
static struct manifest_reader reader;
static struct haul_error error;

static struct haul_slice slice(const char *text)
{
    return (struct haul_slice){.data = (const uint8_t *)text, .size = strlen(text)};
}

static void make_pieces(void)
{
    static const char *const keys[PIECE_COUNT] = {"b", "m", "", "k", "z"};
    for (size_t i = 0; i < PIECE_COUNT; i++) {
        pieces[i] = (struct haul_verify_piece){.family = i < 3 ? "default" : "o:t\nher",
                                               .records = 10 + i,
                                               .last_key = slice(keys[i])};
        (void)snprintf(pieces[i].digest, sizeof(pieces[i].digest), "%032zx", i);
    }
}

static void write_manifest(const struct haul_family_result *families)
{
    static const char *const names[] = {"default", "o:t\nher"};
    const struct haul_range ranges[] = {{.start = slice("a"), .end = slice("m")},
                                        {.start = slice("n"), .end = {NULL, 0}}};
    const struct haul_verify_options selected = {
        .families = names, .family_count = 2, .ranges = ranges, .range_count = 2};
    struct manifest_writer writer;
    make_pieces();
    check_status(manifest_create(&writer, path, &selected, &error), HAUL_OK);
    for (size_t i = 0; i < PIECE_COUNT; i++) {
        check_status(manifest_add(&writer, &pieces[i], &error), HAUL_OK);
    }
    check_status(manifest_finish(&writer, families, CHECK_COUNT(totals), &error), HAUL_OK);
}

static void begin(void)
{
    (void)snprintf(directory, sizeof(directory), "/tmp/haul-test-XXXXXX");
    check_or_stop(mkdtemp(directory) != NULL);
    (void)snprintf(path, sizeof(path), "%s/manifest", directory);
}

static void end(void)
{
    (void)unlink(path);
    check_equal(rmdir(directory), 0); /* no other file is left there */
}

static void write_text(const char *text, size_t size)
{
    FILE *file = fopen(path, "we");
    check_or_stop(file != NULL && fwrite(text, 1, size, file) == size && fclose(file) == 0);
}

static enum haul_status open_and_close(void)
{
    enum haul_status status = manifest_open(&reader, path, &error);
    manifest_close(&reader);
    return status;
}

static void compare_all(void)
{
    for (size_t i = 0; i < PIECE_COUNT; i++) {
        check_status(manifest_compare(&reader, &pieces[i], &error), HAUL_OK);
    }
}

static void test_manifest_open__written__all_of_it(void)
{
    begin();
    write_manifest(totals);
    check_status(manifest_open(&reader, path, &error), HAUL_OK);
    check_equal(reader.selected.count, 2);
    check_text(reader.selected.names[1], "o:t\nher");
    check_equal(reader.ranges.count, 2);
    check_equal(reader.ranges.ranges[0].end.size, 1);
    check_equal(reader.ranges.ranges[1].end.size, 0);
    check_equal(reader.total_count, 2);
    check_text(reader.totals[1].name, totals[1].name);
    check_text(reader.totals[1].digest, totals[1].digest);
    check_equal(reader.totals[0].records, 30);
    check_equal(reader.totals[0].bytes, 300);
    compare_all();
    check(!reader.differs);
    manifest_close(&reader);
    end();
}

/* One field of one piece differs; the difference names the pieces around it. */
static void check_difference(void (*change)(struct haul_verify_piece *piece))
{
    begin();
    write_manifest(totals);
    check_status(manifest_open(&reader, path, &error), HAUL_OK);
    change(&pieces[1]);
    compare_all();
    check(reader.differs);
    check_text(reader.first_family, "default");
    check_equal(reader.between.start.size, 1);
    check(memcmp(reader.between.start.data, "b", 1) == 0);
    check(reader.in_step); /* the other family agrees */
    manifest_close(&reader);
    end();
}

static void change_records(struct haul_verify_piece *piece)
{
    piece->records++;
}

static void change_digest(struct haul_verify_piece *piece)
{
    piece->digest[31] ^= 1;
}

static void change_key(struct haul_verify_piece *piece)
{
    piece->last_key = slice("n");
}

static void lengthen_key(struct haul_verify_piece *piece)
{
    piece->last_key = slice("mm");
}

static void test_manifest_compare__one_piece_is_another__between_which_keys(void)
{
    check_difference(change_records);
    check_difference(change_digest);
    check_difference(change_key);
    check_difference(lengthen_key);
}

static void test_manifest_finish__given_up__no_file(void)
{
    begin();
    write_manifest(NULL);
    check(access(path, F_OK) != 0);
    check_status(open_and_close(), HAUL_NOT_FOUND);
    end();
}

/* The old file stays until the new one is complete. */
static void test_manifest_finish__given_up__an_older_one_stays(void)
{
    begin();
    write_manifest(totals);
    write_manifest(NULL);
    check_status(open_and_close(), HAUL_OK);
    end();
}

static enum haul_status try_create(const char *name)
{
    const struct haul_verify_options all = {.family_count = 0};
    struct manifest_writer writer;
    enum haul_status status = manifest_create(&writer, name, &all, &error);
    if (status == HAUL_OK) {
        (void)manifest_finish(&writer, NULL, 0, &error);
    }
    return status;
}

static void test_manifest_create__within_a_database__unsupported_and_nothing_changed(void)
{
    static const char *const names[] = {"CURRENT", "other", "haul/manifest", "../link"};
    char base[64];
    char name[128];
    begin();
    (void)snprintf(base, sizeof(base), "%s/db", directory);
    check_equal(mkdir(base, 0700), 0);
    (void)snprintf(name, sizeof(name), "%s/haul", base);
    check_equal(mkdir(name, 0700), 0);
    (void)snprintf(path, sizeof(path), "%s/db/CURRENT", directory);
    write_text("MANIFEST-000001\n", 16);
    (void)snprintf(name, sizeof(name), "%s/link", directory);
    check_equal(symlink("db/CURRENT", name), 0);
    for (size_t i = 0; i < CHECK_COUNT(names); i++) {
        (void)snprintf(name, sizeof(name), "%s/%s", base, names[i]);
        check_status(try_create(name), HAUL_UNSUPPORTED);
        check(strstr(error.hint, "outside") != NULL);
    }
    check_equal(unlink(name), 0);
    check_equal(unlink(path), 0);
    (void)snprintf(name, sizeof(name), "%s/haul", base);
    check_equal(rmdir(name), 0); /* empty */
    (void)snprintf(path, sizeof(path), "%s/db/x", directory);
    check_status(try_create(path), HAUL_OK); /* it is no longer a database */
    check_equal(rmdir(base), 0);
    end();
}

static void test_manifest_create__directory_that_nobody_can_write__unsupported(void)
{
    check_status(try_create("/proc/self/manifest"), HAUL_NOT_FOUND);
    begin();
    if (geteuid() == 0) {
        (void)setfsuid(65534);
    } else {
        check_equal(chmod(directory, 0500), 0);
    }
    check_status(try_create(path), HAUL_UNSUPPORTED);
    check(strstr(error.hint, "a directory in which") != NULL);
    (void)setfsuid(geteuid());
    end();
}

static void test_manifest_open__cut_anywhere__corrupt(void)
{
    static char text[4096];
    begin();
    write_manifest(totals);
    FILE *file = fopen(path, "re");
    check_or_stop(file != NULL);
    size_t size = fread(text, 1, sizeof(text), file);
    check_or_stop(fclose(file) == 0 && size > 100 && size < sizeof(text));
    for (size_t cut = 0; cut < size; cut++) {
        write_text(text, cut);
        check_status(open_and_close(), HAUL_CORRUPT);
    }
    write_text(text, size);
    check_status(open_and_close(), HAUL_OK);
    text[size] = text[size - 1]; /* and more after its end */
    write_text(text, size + 1);
    check_status(open_and_close(), HAUL_CORRUPT);
    check(strstr(error.hint, "with this release's `haul verify --write-manifest`") != NULL);
    end();
}

static void test_manifest_open__lines_that_are_none__corrupt(void)
{
    static const char *const lines[] = {"piec 1",          "family 6g", "family 666",  "total 1 2",
                                        "total 1 2 00 6g", "range 61",  "range 61:6g", "select x"};
    static char text[4096];
    begin();
    write_manifest(totals);
    FILE *file = fopen(path, "re");
    check_or_stop(file != NULL);
    size_t size = fread(text, 1, sizeof(text) - 1, file);
    text[size] = '\0';
    check_or_stop(fclose(file) == 0);
    char *first = strchr(text, '\n');
    check_or_stop(first != NULL);
    for (size_t i = 0; i < CHECK_COUNT(lines); i++) {
        char changed[4200];
        int used = snprintf(changed, sizeof(changed), "%.*s\n%s%s", (int)(first - text), text,
                            lines[i], first);
        write_text(changed, (size_t)used);
        check_status(open_and_close(), HAUL_CORRUPT);
    }
    end();
}

static const struct check_test tests[] = {
    CHECK_TEST(test_manifest_open__written__all_of_it),
    CHECK_TEST(test_manifest_compare__one_piece_is_another__between_which_keys),
    CHECK_TEST(test_manifest_finish__given_up__no_file),
    CHECK_TEST(test_manifest_finish__given_up__an_older_one_stays),
    CHECK_TEST(test_manifest_create__within_a_database__unsupported_and_nothing_changed),
    CHECK_TEST(test_manifest_create__directory_that_nobody_can_write__unsupported),
    CHECK_TEST(test_manifest_open__cut_anywhere__corrupt),
    CHECK_TEST(test_manifest_open__lines_that_are_none__corrupt),
};

CHECK_MAIN("verify_manifest", tests)
