/* SPDX-License-Identifier: Apache-2.0 */
/* test_key_file.c — files of keys: made, changed, read back; and those that are refused. */
#include "haul/key_file.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "key_ring.h"
#include "key_text.h"

static char directory[] = "/tmp/haul-test-XXXXXX";
static char path[64];
static char other[64];
static struct haul_error error;
static struct haul_keys *keys;

static void begin(void)
{
    (void)snprintf(directory, sizeof(directory), "/tmp/haul-test-XXXXXX");
    check_or_stop(mkdtemp(directory) != NULL);
    (void)snprintf(path, sizeof(path), "%s/key", directory);
    (void)snprintf(other, sizeof(other), "%s/other", directory);
    keys = NULL;
}

static void end(void)
{
    haul_keys_destroy(keys);
    keys = NULL;
    (void)unlink(path);
    (void)unlink(other);
    check_equal(rmdir(directory), 0); /* nothing else was left there */
}

static void load(void)
{
    haul_keys_destroy(keys);
    check_status(haul_keys_load(path, &keys, &error), HAUL_OK);
    check_or_stop(keys != NULL);
}

static void refuse(enum haul_status expected)
{
    haul_keys_destroy(keys);
    keys = NULL;
    check_error(haul_keys_load(path, &keys, &error), expected, error);
    check(keys == NULL);
}

static void test_make__new_file__private_and_random(void)
{
    struct stat about;
    mode_t former = umask(0);
    begin();
    check_status(haul_key_file_make(path, NULL, &error), HAUL_OK);
    check_status(haul_key_file_make(other, "b", &error), HAUL_OK);
    (void)umask(former);
    check_equal(stat(path, &about), 0);
    check_equal(about.st_mode & 07777, 0600);
    load();
    check_equal(haul_keys_count(keys), 1);
    check_equal(strlen(haul_keys_id(keys, 0)), 8);
    struct haul_keys *others = NULL;
    check_status(haul_keys_load(other, &others, &error), HAUL_OK);
    check_text(haul_keys_id(others, 0), "b");
    check(memcmp(key_ring_at(keys, 0)->secret, key_ring_at(others, 0)->secret,
                 HAUL_KEY_SECRET_BYTES) != 0);
    haul_keys_destroy(others);
    end();
}

static void test_make__name_is_taken__stays_as_it_was(void)
{
    begin();
    check_status(haul_key_file_make(path, "a", &error), HAUL_OK);
    check_error(haul_key_file_make(path, "b", &error), HAUL_EXISTS, error);
    check(strstr(error.hint, "--rotate") != NULL);
    load();
    check_text(haul_keys_id(keys, 0), "a");
    end();
}

/* Not even a link that leads nowhere: root would write where somebody else wants. */
static void test_make__name_is_a_link__refused(void)
{
    begin();
    check_equal(symlink(other, path), 0);
    check_error(haul_key_file_make(path, "a", &error), HAUL_EXISTS, error);
    check(access(other, F_OK) != 0);
    end();
}

static void test_make__bad_id_or_directory__refused(void)
{
    begin();
    check_error(haul_key_file_make(path, "a b", &error), HAUL_INVALID, error);
    check_error(haul_key_file_make(path, "", &error), HAUL_INVALID, error);
    check_error(haul_key_file_make(path, "123456789012345678901234567890123", &error), HAUL_INVALID,
                error);
    check_error(haul_key_file_make("/nowhere/at/all", "a", &error), HAUL_NOT_FOUND, error);
    end();
}

static void test_rotate_and_retire__the_new_key_comes_first_and_stays(void)
{
    uint8_t first[HAUL_KEY_SECRET_BYTES];
    begin();
    check_status(haul_key_file_make(path, "one", &error), HAUL_OK);
    load();
    memcpy(first, key_ring_at(keys, 0)->secret, sizeof(first));
    check_error(haul_key_file_retire(path, &error), HAUL_NOT_FOUND, error);
    check_error(haul_key_file_rotate(path, "one", &error), HAUL_INVALID, error);
    check_status(haul_key_file_rotate(path, "two", &error), HAUL_OK);
    load();
    check_equal(haul_keys_count(keys), 2);
    check_text(haul_keys_id(keys, 0), "two");
    check_text(haul_keys_id(keys, 1), "one");
    check(memcmp(key_ring_at(keys, 1)->secret, first, sizeof(first)) == 0);
    check_error(haul_key_file_rotate(path, "three", &error), HAUL_EXISTS, error);
    check_status(haul_key_file_retire(path, &error), HAUL_OK);
    load();
    check_equal(haul_keys_count(keys), 1);
    check_text(haul_keys_id(keys, 0), "two");
    end();
}

static void test_load__others_can_read_it__auth(void)
{
    static const mode_t modes[] = {0640, 0604, 0660, 0620, 0601};
    begin();
    check_status(haul_key_file_make(path, "a", &error), HAUL_OK);
    for (size_t i = 0; i < CHECK_COUNT(modes); i++) {
        check_equal(chmod(path, modes[i]), 0);
        refuse(HAUL_AUTH);
        check_error(haul_key_file_rotate(path, "b", &error), HAUL_AUTH, error);
    }
    check_equal(chmod(path, 0400), 0);
    load();
    end();
}

/* An access list for the service's user shows as rights of the group. */
static void test_load__credential_of_the_service_manager__group_may_read(void)
{
    begin();
    check_status(haul_key_file_make(path, "a", &error), HAUL_OK);
    check_equal(chmod(path, 0440), 0);
    refuse(HAUL_AUTH);
    check_equal(setenv("CREDENTIALS_DIRECTORY", directory, 1), 0);
    load();
    check_equal(chmod(path, 0444), 0);
    refuse(HAUL_AUTH);
    check_equal(unsetenv("CREDENTIALS_DIRECTORY"), 0);
    end();
}

static void test_load__another_owner__auth(void)
{
    if (geteuid() != 0) {
        check_skip("only root can give a file away");
        return;
    }
    begin();
    check_status(haul_key_file_make(path, "a", &error), HAUL_OK);
    check_equal(chown(path, 12345, 0), 0);
    refuse(HAUL_AUTH);
    end();
}

static void test_load__no_file_of_keys__refused(void)
{
    begin();
    refuse(HAUL_NOT_FOUND);
    check_equal(mkfifo(path, 0600), 0);
    check(haul_keys_load(path, &keys, &error) != HAUL_OK);
    check_equal(unlink(path), 0);
    int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    check(fd >= 0);
    refuse(HAUL_CORRUPT); /* empty */
    check_equal(write(fd, "haul-key 2\nkey a\n", 17), 17);
    refuse(HAUL_VERSION);
    (void)close(fd);
    end();
}

/* --- the text --------------------------------------------------------------------------------- */

static void make_list(struct haul_key list[2])
{
    memset(list, 0, 2 * sizeof(list[0]));
    (void)snprintf(list[0].id, sizeof(list[0].id), "12345678901234567890123456789012");
    (void)snprintf(list[1].id, sizeof(list[1].id), "b");
    for (size_t i = 0; i < HAUL_KEY_SECRET_BYTES; i++) {
        list[0].secret[i] = (uint8_t)(i * 37 + 200);
        list[1].secret[i] = (uint8_t)(255 - i);
    }
}

static void test_text__written_and_read__the_same(void)
{
    struct haul_key list[2];
    struct haul_key read[HAUL_KEYS_MAX];
    char text[KEY_TEXT_BYTES_MAX];
    size_t count = 0;
    make_list(list);
    size_t size = key_text_write(list, 2, text);
    check(size < sizeof(text));
    check_status(key_text_read(text, size, read, &count), HAUL_OK);
    check_equal(count, 2);
    check(memcmp(list, read, sizeof(list)) == 0);
}

static void test_text__any_byte_changed_or_missing__refused(void)
{
    struct haul_key list[2];
    struct haul_key read[HAUL_KEYS_MAX];
    char text[KEY_TEXT_BYTES_MAX];
    size_t count = 0;
    make_list(list);
    size_t size = key_text_write(list, 2, text);
    for (size_t i = 0; i < size; i++) {
        text[i] ^= 1;
        check(key_text_read(text, size, read, &count) != HAUL_OK);
        text[i] ^= 1;
    }
    for (size_t cut = 0; cut < size; cut++) {
        bool whole_line = cut > 0 && text[cut - 1] == '\n' && cut > 11;
        check((key_text_read(text, cut, read, &count) == HAUL_OK) == whole_line);
    }
}

/* An editor's line ends and blanks are damage, and no newer format. */
static void test_text__first_line__newer_only_with_another_number(void)
{
    static const struct {
        const char *text;
        enum haul_status status;
    } cases[] = {
        {"haul-key 2\nkey", HAUL_VERSION},   {"haul-key 10\n", HAUL_VERSION},
        {"haul-key 1\r\nkey", HAUL_CORRUPT}, {"haul-key 1 \nkey", HAUL_CORRUPT},
        {"haul-key 2\r\n", HAUL_CORRUPT},    {"haul-key \n", HAUL_CORRUPT},
        {"haul-key 2", HAUL_CORRUPT},        {"haul-key", HAUL_CORRUPT},
    };
    struct haul_key read[HAUL_KEYS_MAX];
    size_t count = 0;
    for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
        check_status(key_text_read(cases[i].text, strlen(cases[i].text), read, &count),
                     cases[i].status);
    }
}

static void test_text__three_keys__refused(void)
{
    struct haul_key list[2];
    struct haul_key read[HAUL_KEYS_MAX];
    char text[2 * KEY_TEXT_BYTES_MAX];
    size_t count = 0;
    make_list(list);
    size_t size = key_text_write(list, 2, text);
    memcpy(text + size, text + 11, size - 11);
    check_status(key_text_read(text, 2 * size - 11, read, &count), HAUL_CORRUPT);
}

static const struct check_test tests[] = {
    CHECK_TEST(test_make__new_file__private_and_random),
    CHECK_TEST(test_make__name_is_taken__stays_as_it_was),
    CHECK_TEST(test_make__name_is_a_link__refused),
    CHECK_TEST(test_make__bad_id_or_directory__refused),
    CHECK_TEST(test_rotate_and_retire__the_new_key_comes_first_and_stays),
    CHECK_TEST(test_load__others_can_read_it__auth),
    CHECK_TEST(test_load__credential_of_the_service_manager__group_may_read),
    CHECK_TEST(test_load__another_owner__auth),
    CHECK_TEST(test_load__no_file_of_keys__refused),
    CHECK_TEST(test_text__written_and_read__the_same),
    CHECK_TEST(test_text__any_byte_changed_or_missing__refused),
    CHECK_TEST(test_text__first_line__newer_only_with_another_number),
    CHECK_TEST(test_text__three_keys__refused),
};

CHECK_MAIN("key_file", tests)
