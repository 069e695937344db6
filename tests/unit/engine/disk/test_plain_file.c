/* SPDX-License-Identifier: Apache-2.0 */
/* test_plain_file.c — paths that are not regular files, and umasks that remove every permission. */
#include "plain_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"

static char directory[] = "/tmp/haul-test-XXXXXX";
static char path[64];

static void begin(void)
{
    (void)snprintf(directory, sizeof(directory), "/tmp/haul-test-XXXXXX");
    check_or_stop(mkdtemp(directory) != NULL);
    (void)snprintf(path, sizeof(path), "%s/file", directory);
}

static void end(void)
{
    (void)remove(path);
    check_equal(rmdir(directory), 0);
}

static void check_refused(int flags, int code)
{
    errno = 0;
    check_equal(plain_file_open(path, flags, 0600), -1);
    check_equal(errno, code);
}

/* open(2) alone would wait for a writer. */
static void test_plain_file_open__fifo__enxio_at_once(void)
{
    begin();
    check_equal(mkfifo(path, 0600), 0);
    check_refused(O_RDONLY | O_NOFOLLOW, ENXIO);
    check_refused(O_RDWR | O_CREAT, ENXIO);
    check(plain_file_read(path) == NULL);
    check_equal(errno, ENXIO);
    end();
}

static void test_plain_file_open__directory_or_link__refused(void)
{
    begin();
    check_equal(mkdir(path, 0700), 0);
    check_refused(O_RDONLY, EISDIR);
    check(plain_file_read(path) == NULL);
    int fd = plain_file_open(path, O_RDONLY | O_DIRECTORY, 0);
    check(fd >= 0 && close(fd) == 0);
    check_equal(rmdir(path), 0);
    check_equal(symlink("nowhere", path), 0);
    check_refused(O_RDONLY | O_NOFOLLOW, ELOOP);
    end();
}

static unsigned mode_of(void)
{
    struct stat found;
    check_or_stop(stat(path, &found) == 0);
    return found.st_mode & 07777;
}

static void test_plain_file_open__umask_takes_everything__the_owners_rights_hold(void)
{
    begin();
    mode_t before = umask(0777);
    int fd = plain_file_open(path, O_RDWR | O_CREAT | O_EXCL, 0600);
    check(fd >= 0 && close(fd) == 0);
    check_equal(mode_of(), 0600);
    check_equal(unlink(path), 0);
    check_equal(plain_file_make_directory(path, 0700), 0);
    check_equal(mode_of(), 0700);
    check_equal(rmdir(path), 0);
    (void)umask(0077); /* permissions that it takes from others stay removed */
    check_equal(plain_file_make_directory(path, 0755), 0);
    check_equal(mode_of(), 0700);
    (void)umask(before);
    end();
}

/* Whatever has the name goes; what a link points to stays. */
static void test_plain_file_create__name_is_taken__new_file(void)
{
    char victim[80];
    char bytes[8] = {0};
    begin();
    (void)snprintf(victim, sizeof(victim), "%s/victim", directory);
    int fd = plain_file_create(victim, 0600);
    check(fd >= 0 && write(fd, "before", 6) == 6 && close(fd) == 0);
    check_equal(symlink(victim, path), 0);
    fd = plain_file_create(path, 0640);
    check(fd >= 0 && write(fd, "new", 3) == 3 && close(fd) == 0);
    check_equal(mode_of() & ~0640U, 0);
    fd = plain_file_create(path, 0600);
    check(fd >= 0 && write(fd, "x", 1) == 1 && close(fd) == 0);
    fd = plain_file_open(path, O_RDONLY | O_NOFOLLOW, 0);
    check(fd >= 0 && read(fd, bytes, sizeof(bytes)) == 1 && close(fd) == 0);
    fd = plain_file_open(victim, O_RDONLY, 0);
    check(fd >= 0 && read(fd, bytes, sizeof(bytes)) == 6 && close(fd) == 0);
    check(memcmp(bytes, "before", 6) == 0);
    check_equal(unlink(victim), 0);
    check_equal(unlink(path), 0);
    check_equal(mkdir(path, 0700), 0);
    check_equal(plain_file_create(path, 0600), -1);
    check_equal(rmdir(path), 0);
    end();
}

static void test_plain_file_read__a_file__its_bytes(void)
{
    begin();
    int fd = plain_file_open(path, O_WRONLY | O_CREAT, 0600);
    check(fd >= 0 && write(fd, "x", 1) == 1 && close(fd) == 0);
    FILE *file = plain_file_read(path);
    check_or_stop(file != NULL);
    check_equal(fgetc(file), 'x');
    check_equal(fclose(file), 0);
    end();
}

static const struct check_test tests[] = {
    CHECK_TEST(test_plain_file_open__fifo__enxio_at_once),
    CHECK_TEST(test_plain_file_open__directory_or_link__refused),
    CHECK_TEST(test_plain_file_open__umask_takes_everything__the_owners_rights_hold),
    CHECK_TEST(test_plain_file_create__name_is_taken__new_file),
    CHECK_TEST(test_plain_file_read__a_file__its_bytes),
};

CHECK_MAIN("plain_file", tests)
