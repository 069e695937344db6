/* SPDX-License-Identifier: Apache-2.0 */
/* test_database_open.c — where a database may be created, and which process holds the lock. */
#include "database_open.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

static char directory[] = "/tmp/haul-test-XXXXXX";
static char path[128];
static struct output output;
static const struct output_options quiet = {.quiet = true};
static struct haul_error error;

static void begin(void)
{
    (void)snprintf(directory, sizeof(directory), "/tmp/haul-test-XXXXXX");
    check_or_stop(mkdtemp(directory) != NULL);
    (void)snprintf(path, sizeof(path), "%s/db", directory);
    output_init(&output, "test", &quiet);
}

static int remove_one(const char *name, const struct stat *found, int kind, struct FTW *place)
{
    (void)found;
    (void)kind;
    (void)place;
    return remove(name);
}

static void end(void)
{
    output_fini(&output);
    check_equal(nftw(directory, remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
}

/* How many times a file is gone when RocksDB opens it. */
static unsigned vanish_count;
static bool stays_damaged; /* always the same */
static unsigned open_count;

enum haul_status __real_haul_rocks_store_open(const char *place,
                                              const struct haul_rocks_options *options,
                                              struct haul_store **store, struct haul_error *failed);
enum haul_status __wrap_haul_rocks_store_open(const char *place,
                                              const struct haul_rocks_options *options,
                                              struct haul_store **store, struct haul_error *failed);

enum haul_status __wrap_haul_rocks_store_open(const char *place,
                                              const struct haul_rocks_options *options,
                                              struct haul_store **store, struct haul_error *failed)
{
    unsigned number = open_count++;
    if (number < vanish_count) {
        return haul_error_set(failed, HAUL_CORRUPT, NULL, 0, "Can't access /%06u.sst",
                              stays_damaged ? 7 : number);
    }
    return __real_haul_rocks_store_open(place, options, store, failed);
}

static enum haul_status open_it(const char *place, bool create)
{
    const struct haul_rocks_options options = {.create_if_missing = create};
    struct haul_store *store = NULL;
    enum haul_status status = database_open(place, &options, &store, &output, &error);
    if (status == HAUL_OK) {
        store->ops->close(store);
    }
    return status;
}

static void write_file(const char *name)
{
    FILE *file = fopen(name, "we");
    check_or_stop(file != NULL && fclose(file) == 0);
}

static void test_database_open__new_one__made_with_its_last_directory_only(void)
{
    char deep[160];
    begin();
    (void)snprintf(deep, sizeof(deep), "%s/absent/db", directory);
    check_status(open_it(deep, true), HAUL_NOT_FOUND);
    check(strstr(error.text, "no directory ") != NULL &&
          strstr(error.text, "/absent in which to create db"));
    check(strstr(error.hint, "create it first (mkdir -p)") != NULL);
    check_status(open_it(path, true), HAUL_OK);
    check_status(open_it(path, false), HAUL_OK);
    (void)snprintf(deep, sizeof(deep), "%s/other///", directory); /* trailing slashes */
    check_status(open_it(deep, true), HAUL_OK);
    end();
}

static void test_database_open__a_file__not_found(void)
{
    begin();
    write_file(path);
    check_status(open_it(path, true), HAUL_NOT_FOUND);
    check(strstr(error.text, "is not a directory") != NULL);
    end();
}

static void test_database_open__link_to_nowhere__not_found(void)
{
    begin();
    check_equal(symlink("nowhere", path), 0);
    check_status(open_it(path, true), HAUL_NOT_FOUND);
    check(strstr(error.text, "symbolic link") != NULL && error.hint[0] != '\0');
    end();
}

static void test_database_check__remains_of_either_kind__there(void)
{
    char name[160];
    begin();
    check_error(database_check(directory, &error), HAUL_NOT_FOUND, error);
    (void)snprintf(name, sizeof(name), "%s/haul", directory);
    check_equal(mkdir(name, 0700), 0);
    check_status(database_check(directory, &error), HAUL_OK);
    check_equal(rmdir(name), 0);
    (void)snprintf(name, sizeof(name), "%s/CURRENT", directory);
    write_file(name);
    check_status(database_check(directory, &error), HAUL_OK);
    end();
}

/* A child that holds RocksDB's lock until it is killed. */
static pid_t hold_lock(void)
{
    int ready[2];
    char byte = 0;
    check_or_stop(pipe(ready) == 0);
    pid_t child = fork();
    check_or_stop(child >= 0);
    if (child == 0) {
        char name[160];
        struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
        (void)snprintf(name, sizeof(name), "%s/LOCK", path);
        int fd = open(name, O_RDWR | O_CLOEXEC);
        bool held = fd >= 0 && fcntl(fd, F_SETLK, &lock) == 0;
        (void)!write(ready[1], held ? "y" : "n", 1);
        for (;;) {
            (void)pause();
        }
    }
    check_or_stop(read(ready[0], &byte, 1) == 1 && byte == 'y');
    (void)close(ready[0]);
    (void)close(ready[1]);
    return child;
}

static void test_database_open__another_process_has_it__busy_and_its_number(void)
{
    char number[40];
    begin();
    check_status(open_it(path, true), HAUL_OK);
    pid_t child = hold_lock();
    (void)snprintf(number, sizeof(number), "process %ld (", (long)child);
    check_status(open_it(path, false), HAUL_BUSY);
    check(strstr(error.text, number) != NULL);
    check(error.hint[0] != '\0');
    check_equal(kill(child, SIGKILL), 0);
    check(waitpid(child, NULL, 0) == child);
    check_status(open_it(path, false), HAUL_OK);
    end();
}

static enum haul_status open_to_read(void)
{
    const struct haul_rocks_options options = {.read_only = true};
    struct haul_store *store = NULL;
    open_count = 0;
    enum haul_status status = database_open_to_read(path, &options, &store, &error);
    if (status == HAUL_OK) {
        store->ops->close(store);
    }
    return status;
}

static void test_database_open_to_read__files_go_meanwhile__tried_again_while_it_differs(void)
{
    char number[40];
    begin();
    check_status(open_it(path, true), HAUL_OK);
    vanish_count = 1;
    check_status(open_to_read(), HAUL_CORRUPT); /* no process has it: it is damaged */
    check_equal(open_count, 1);
    pid_t child = hold_lock();
    vanish_count = 5;
    check_status(open_to_read(), HAUL_OK);
    check_equal(open_count, 6);
    vanish_count = 1000;
    check_status(open_to_read(), HAUL_BUSY);
    (void)snprintf(number, sizeof(number), "process %ld (", (long)child);
    check(strstr(error.text, number) != NULL && strstr(error.hint, "checkpoint") != NULL);
    stays_damaged = true;
    check_status(open_to_read(), HAUL_CORRUPT);
    check_equal(open_count, 3);
    stays_damaged = false;
    vanish_count = 0;
    check_equal(kill(child, SIGKILL), 0);
    check(waitpid(child, NULL, 0) == child);
    end();
}

static const struct check_test tests[] = {
    CHECK_TEST(test_database_open__new_one__made_with_its_last_directory_only),
    CHECK_TEST(test_database_open__a_file__not_found),
    CHECK_TEST(test_database_open__link_to_nowhere__not_found),
    CHECK_TEST(test_database_check__remains_of_either_kind__there),
    CHECK_TEST(test_database_open__another_process_has_it__busy_and_its_number),
    CHECK_TEST(test_database_open_to_read__files_go_meanwhile__tried_again_while_it_differs),
};

CHECK_MAIN("database_open", tests)
