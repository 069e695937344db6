/* SPDX-License-Identifier: Apache-2.0 */
/* test_instance.c — the file that distinguishes a database from its copies: who creates it, what it
 * notices, and what failing calls and crashes leave of it. */
#include "instance.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "fake_disk.h"

static struct fake_disk disk;
static struct haul_error error;
static char name[HAUL_IDENTITY_BYTES_MAX];

/* --- a store that is nothing but its answers -------------------------------------------------- */

static const char *directory = "/db";
static const struct file_calls *files = &disk.calls;
static const char *identity = "the database";
static uint64_t sequence = 100;
static uint32_t features = HAUL_STORE_WAL;
static enum haul_status sync_result = HAUL_OK;

static const char *store_directory(const struct haul_store *store)
{
    (void)store;
    return directory;
}

static const void *store_files(const struct haul_store *store)
{
    (void)store;
    return files;
}

static const char *store_identity(const struct haul_store *store)
{
    (void)store;
    return identity;
}

static uint64_t store_sequence(struct haul_store *store)
{
    (void)store;
    return sequence;
}

static uint32_t store_features(const struct haul_store *store)
{
    (void)store;
    return features;
}

static enum haul_status store_sync(struct haul_store *store, struct haul_error *failed)
{
    (void)store;
    (void)failed;
    return sync_result;
}

static const struct haul_store_ops store_ops = {.directory = store_directory,
                                                .files = store_files,
                                                .identity = store_identity,
                                                .sequence = store_sequence,
                                                .features = store_features,
                                                .sync = store_sync};
static struct haul_store store = {.ops = &store_ops};

static struct instance_place here(void)
{
    return (struct instance_place){
        .calls = &disk.calls, .directory = "/db/haul", .identity = identity, .sequence = sequence};
}

static void start(void)
{
    fake_disk_init(&disk, 1);
    memset(&error, 0, sizeof(error));
    identity = "the database";
    sequence = 100;
    features = HAUL_STORE_WAL;
    sync_result = HAUL_OK;
}

static void finish(void)
{
    fake_disk_fini(&disk);
}

/* A new disk, and a database that has its file. */
static void start_made(void)
{
    start();
    check_status(instance_begin(&store, name, &error), HAUL_OK);
}

/* --- what an operator does to files ----------------------------------------------------------- */

static struct fake_inode *file_of(const char *path)
{
    int inode = disk.names[fake_disk_name(&disk, path)].inode;
    check_or_stop(inode >= 0);
    return &disk.inodes[inode];
}

static void write_file(const char *path, const void *bytes, size_t size)
{
    int fd = disk.calls.open(disk.calls.context, path, O_RDWR | O_CREAT, 0600);
    check_or_stop(fd >= 0);
    check_equal(disk.calls.pwrite(disk.calls.context, fd, bytes, size, 0), size);
    check_equal(disk.calls.close(disk.calls.context, fd), 0);
}

/* The same bytes in another file, as `cp` makes it. */
static void copy_over(const char *path)
{
    uint8_t bytes[INSTANCE_FILE_BYTES];
    check_or_stop(file_of(path)->size == sizeof(bytes));
    memcpy(bytes, file_of(path)->bytes, sizeof(bytes));
    check_equal(disk.calls.unlink(disk.calls.context, path), 0);
    write_file(path, bytes, sizeof(bytes));
}

static void add_record(void)
{
    write_file("/db/haul/ownership", "x", 1);
}

static enum instance_state state(void)
{
    struct instance_view view;
    const struct instance_place place = here();
    check_status(instance_look(&place, &view, &error), HAUL_OK);
    return view.state;
}

/* --- making ----------------------------------------------------------------------------------- */

static void test_instance_begin__first_use__a_name_that_stays(void)
{
    char again[HAUL_IDENTITY_BYTES_MAX];
    start();
    check_equal(state(), INSTANCE_NONE);
    check_status(instance_begin(&store, name, &error), HAUL_OK);
    check(strncmp(name, "the database/", 13) == 0);
    check_equal(strlen(name), 13 + 16);
    check_equal(state(), INSTANCE_SAME);
    fake_disk_crash(&disk);
    check_status(instance_begin(&store, again, &error), HAUL_OK);
    check(strcmp(name, again) == 0);
    finish();
}

static void test_instance_begin__two_databases_of_one_identity__two_names(void)
{
    char other[HAUL_IDENTITY_BYTES_MAX];
    start_made();
    finish();
    fake_disk_init(&disk, 2);
    check_status(instance_begin(&store, other, &error), HAUL_OK);
    check(strcmp(name, other) != 0);
    finish();
}

static void test_instance_begin__long_identity__the_name_fits(void)
{
    start();
    identity = "0123456789012345678901234567890123456789012345678901234567890xy";
    check_status(instance_begin(&store, name, &error), HAUL_OK);
    check_equal(strlen(name), HAUL_IDENTITY_BYTES_MAX - 1);
    check_equal(state(), INSTANCE_SAME);
    finish();
}

static void test_instance_begin__a_crash_left_the_temporary_file__taken_over(void)
{
    start();
    check_equal(disk.calls.mkdir(disk.calls.context, "/db/haul", 0700), 0);
    write_file("/db/haul/instance.tmp", "rubbish that is longer than nothing", 35);
    check_status(instance_begin(&store, name, &error), HAUL_OK);
    check_equal(state(), INSTANCE_SAME);
    check(disk.names[fake_disk_name(&disk, "/db/haul/instance.tmp")].inode < 0);
    finish();
}

static void test_instance_begin__another_maker_does_not_end__busy(void)
{
    start();
    check_equal(disk.calls.mkdir(disk.calls.context, "/db/haul", 0700), 0);
    int fd = disk.calls.open(disk.calls.context, "/db/haul/instance.tmp", O_RDWR | O_CREAT, 0600);
    check_equal(disk.calls.flock(disk.calls.context, fd, LOCK_EX | LOCK_NB), 0);
    check_error(instance_begin(&store, name, &error), HAUL_BUSY, error);
    check_equal(disk.calls.close(disk.calls.context, fd), 0);
    check_status(instance_begin(&store, name, &error), HAUL_OK);
    finish();
}

/* --- noticing --------------------------------------------------------------------------------- */

static void test_instance_look__copied_file_or_folder__copy(void)
{
    start_made();
    copy_over("/db/haul/instance");
    check_equal(state(), INSTANCE_COPY);
    finish();
    start_made(); /* hard links: the file is the same, the folder is another */
    int at = fake_disk_name(&disk, "/db/haul");
    disk.names[at].inode = fake_disk_inode(&disk, true);
    check_equal(state(), INSTANCE_COPY);
    finish();
}

static void test_instance_look__other_identity__other_unless_none_was_known(void)
{
    start_made();
    identity = "the database, repaired";
    check_equal(state(), INSTANCE_OTHER);
    identity = "";
    check_equal(state(), INSTANCE_OTHER);
    finish();
    start();
    identity = "";
    check_status(instance_begin(&store, name, &error), HAUL_OK);
    identity = "the database";
    check_equal(state(), INSTANCE_SAME);
    check_status(instance_begin(&store, name, &error), HAUL_OK);
    identity = "another";
    check_equal(state(), INSTANCE_OTHER);
    finish();
}

static void test_instance_look__fewer_writes_than_were_durable__reset(void)
{
    start_made();
    sequence = 99;
    check_equal(state(), INSTANCE_RESET);
    sequence = 150;
    check_equal(state(), INSTANCE_SAME);
    instance_note(&store);
    sequence = 149;
    check_equal(state(), INSTANCE_RESET);
    finish();
}

static char faster_name[HAUL_IDENTITY_BYTES_MAX];

/* Another process creates the file before this one has the lock, and has seen a later write. */
static int lock_too_late(void *context, int fd, int operation)
{
    disk.calls.flock = fake_disk_flock;
    sequence = 150;
    check_status(instance_begin(&store, faster_name, &error), HAUL_OK);
    sequence = 100;
    return fake_disk_flock(context, fd, operation);
}

static void test_instance_begin__another_was_faster__its_name_and_its_sequence(void)
{
    start();
    disk.calls.flock = lock_too_late;
    check_status(instance_begin(&store, name, &error), HAUL_OK);
    check(faster_name[0] != '\0');
    check_text(name, faster_name);
    sequence = 149;
    check_equal(state(), INSTANCE_RESET);
    sequence = 150;
    check_equal(state(), INSTANCE_SAME);
    finish();
}

/* The database is used from there on: what it has lost is gone for good. */
static void test_instance_begin__set_back_without_records__goes_on_for_good(void)
{
    char after[HAUL_IDENTITY_BYTES_MAX];
    start_made();
    sequence = 50;
    check_equal(state(), INSTANCE_RESET);
    check_status(instance_begin(&store, after, &error), HAUL_OK);
    check(strcmp(name, after) == 0);
    add_record();
    check_equal(state(), INSTANCE_SAME);
    finish();
}

/* A power failure takes back what was not synced: that does not count as set back. */
static void test_instance_note__not_synced__not_written_down(void)
{
    start_made();
    sequence = 150;
    sync_result = HAUL_IO;
    instance_note(&store);
    sync_result = HAUL_OK;
    features = 0;
    instance_note(&store);
    sequence = 100;
    check_equal(state(), INSTANCE_SAME);
    finish();
}

/* `cp -a backup/. db/` keeps the files and changes their contents. */
static void test_instance_note__restored_into_the_same_files__copy(void)
{
    uint8_t before[INSTANCE_FILE_BYTES];
    start_made();
    memcpy(before, file_of("/db/haul/instance")->bytes, sizeof(before));
    instance_note(&store);
    check_equal(state(), INSTANCE_SAME);
    write_file("/db/haul/instance", before, sizeof(before));
    check_equal(state(), INSTANCE_COPY);
    finish();
}

static void test_instance_look__every_bit_flipped__damaged(void)
{
    start_made();
    for (unsigned bit = 0; bit < 8 * INSTANCE_FILE_BYTES; bit++) {
        struct instance_view view;
        const struct instance_place place = here();
        file_of("/db/haul/instance")->bytes[bit / 8] ^= (uint8_t)(1U << bit % 8);
        check_status(instance_look(&place, &view, &error), HAUL_OK);
        check_equal(view.state, INSTANCE_DAMAGED);
        file_of("/db/haul/instance")->bytes[bit / 8] ^= (uint8_t)(1U << bit % 8);
    }
    check_equal(state(), INSTANCE_SAME);
    finish();
}

static void test_instance_look__newer_format__version(void)
{
    struct instance_view view;
    start_made();
    const struct instance_place place = here();
    file_of("/db/haul/instance")->bytes[8] = 2;
    file_of("/db/haul/instance")->bytes[100] ^= 1; /* with other bytes */
    check_error(instance_look(&place, &view, &error), HAUL_VERSION, error);
    check(strstr(error.hint, "use that release, or a newer one") != NULL);
    finish();
}

/* RocksDB's files are real, because the list of its tables is read from them. */
static void write_real(const char *in, const char *name_of_file, const char *text)
{
    char path[128];
    (void)snprintf(path, sizeof(path), "%s/%s", in, name_of_file);
    FILE *file = fopen(path, "we");
    check_or_stop(file != NULL);
    check(fputs(text, file) >= 0 && fclose(file) == 0);
}

static void remove_real(const char *in, const char *name_of_file)
{
    char path[128];
    (void)snprintf(path, sizeof(path), "%s/%s", in, name_of_file);
    check_equal(unlink(path), 0);
}

static void test_instance_look__list_of_tables_is_an_earlier_one__reset(void)
{
    char real[] = "/tmp/haul-instance-XXXXXX";
    char folder[64];
    check_or_stop(mkdtemp(real) != NULL);
    (void)snprintf(folder, sizeof(folder), "%s/haul", real);
    write_real(real, "CURRENT", "MANIFEST-000012\n");
    write_real(real, "MANIFEST-000012", "12345");
    directory = real;
    files = &file_calls_system;
    start_made();
    struct instance_view view;
    struct instance_place place = here();
    place.directory = folder;
    place.calls = files;
    static const struct {
        const char *current, *file, *bytes;
        enum instance_state state;
    } cases[] = {
        {"MANIFEST-000012\n", "MANIFEST-000012", "12345", INSTANCE_SAME},
        {"MANIFEST-000012\n", "MANIFEST-000012", "123456", INSTANCE_SAME},
        {"MANIFEST-000012\n", "MANIFEST-000012", "1234", INSTANCE_RESET},
        {"MANIFEST-000013\n", "MANIFEST-000013", "1", INSTANCE_SAME},
        {"MANIFEST-000011\n", "MANIFEST-000011", "123456789", INSTANCE_RESET},
        {"nothing that is known", "MANIFEST-000012", "1", INSTANCE_SAME},
    };
    for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
        write_real(real, "CURRENT", cases[i].current);
        write_real(real, cases[i].file, cases[i].bytes);
        check_status(instance_look(&place, &view, &error), HAUL_OK);
        check_equal(view.state, cases[i].state);
    }
    remove_real(folder, "instance");
    check_equal(rmdir(folder), 0);
    remove_real(real, "CURRENT");
    remove_real(real, "MANIFEST-000011");
    remove_real(real, "MANIFEST-000012");
    remove_real(real, "MANIFEST-000013");
    check_equal(rmdir(real), 0);
    directory = "/db";
    files = &disk.calls;
    finish();
}

/* --- refusing --------------------------------------------------------------------------------- */

static void check_refused(const char *word)
{
    char other[HAUL_IDENTITY_BYTES_MAX];
    const struct instance_place place = here();
    memset(&error, 0, sizeof(error));
    check_error(instance_check(&place, &error), HAUL_MISMATCH, error);
    check(strstr(error.text, word) != NULL);
    check(strstr(error.hint, "--forget") != NULL && strstr(error.hint, "--adopt") != NULL);
    check_error(instance_begin(&store, other, &error), HAUL_MISMATCH, error);
}

static void test_instance_check__records_of_another__each_state_named(void)
{
    start_made();
    add_record();
    check_status(instance_check_store(&store, &error), HAUL_OK);
    sequence = 7;
    check_refused("a later write");
    sequence = 100;
    identity = "third";
    check_refused("is of database the database, and this one is third");
    identity = "the database";
    copy_over("/db/haul/instance");
    check_refused("is a copy");
    file_of("/db/haul/instance")->bytes[70] ^= 1;
    check_refused("damaged");
    finish();
}

static void test_instance_begin__copy_without_records__a_name_of_its_own(void)
{
    char other[HAUL_IDENTITY_BYTES_MAX];
    start_made();
    copy_over("/db/haul/instance");
    check_status(instance_begin(&store, other, &error), HAUL_OK);
    check(strcmp(name, other) != 0);
    check_equal(state(), INSTANCE_SAME);
    finish();
}

static void test_instance_name__with_and_without_a_file__nothing_is_made(void)
{
    char seen[HAUL_IDENTITY_BYTES_MAX];
    start();
    instance_name(&store, seen);
    check_text(seen, "the database");
    identity = "";
    instance_name(&store, seen);
    check_text(seen, "unnamed");
    check_equal(state(), INSTANCE_NONE);
    identity = "the database";
    check_status(instance_begin(&store, name, &error), HAUL_OK);
    instance_name(&store, seen);
    check_text(seen, name);
    finish();
}

/* Jobs of a haul without instances belong to the database itself. */
static void test_instance_begin__records_and_no_file__made(void)
{
    start();
    check_equal(disk.calls.mkdir(disk.calls.context, "/db/haul", 0700), 0);
    add_record();
    check_status(instance_begin(&store, name, &error), HAUL_OK);
    check_equal(state(), INSTANCE_SAME);
    finish();
}

/* --- adopting --------------------------------------------------------------------------------- */

static void test_instance_adopt__copy_reset_or_repaired__same_under_its_name(void)
{
    char after[HAUL_IDENTITY_BYTES_MAX];
    start_made();
    add_record();
    copy_over("/db/haul/instance");
    sequence = 7;
    struct instance_place place = here();
    check_status(instance_adopt(&place, &error), HAUL_OK);
    check_equal(state(), INSTANCE_SAME);
    check_status(instance_begin(&store, after, &error), HAUL_OK);
    check(strcmp(name, after) == 0);
    identity = "repaired";
    place = here();
    check_status(instance_adopt(&place, &error), HAUL_OK);
    check_equal(state(), INSTANCE_SAME);
    file_of("/db/haul/instance")->bytes[70] ^= 1;
    check_status(instance_adopt(&place, &error), HAUL_OK);
    check_equal(state(), INSTANCE_SAME);
    finish();
}

static void test_instance_adopt__any_bit_rotted__the_name_that_peers_know(void)
{
    char after[HAUL_IDENTITY_BYTES_MAX];
    for (unsigned bit = 0; bit < 8 * INSTANCE_FILE_BYTES; bit++) {
        start_made();
        add_record();
        const struct instance_place place = here();
        file_of("/db/haul/instance")->bytes[bit / 8] ^= (uint8_t)(1U << bit % 8);
        check_error(instance_begin(&store, after, &error), HAUL_MISMATCH, error);
        check_status(instance_adopt(&place, &error), HAUL_OK);
        check_status(instance_begin(&store, after, &error), HAUL_OK);
        check(strcmp(name, after) == 0);
        finish();
    }
}

static void test_instance_adopt__more_than_a_bit_rotted__another_name(void)
{
    char after[HAUL_IDENTITY_BYTES_MAX];
    start_made();
    add_record();
    const struct instance_place place = here();
    file_of("/db/haul/instance")->bytes[17] ^= 3;
    check_status(instance_adopt(&place, &error), HAUL_OK);
    check_status(instance_begin(&store, after, &error), HAUL_OK);
    check(strcmp(name, after) != 0);
    finish();
}

/* --- holding and removing --------------------------------------------------------------------- */

static void test_instance_hold__forgotten_meanwhile__busy(void)
{
    char after[HAUL_IDENTITY_BYTES_MAX];
    int lock_fd = -1;
    start_made();
    const struct instance_place place = here();
    check(instance_is_current(&store, name));
    check_status(instance_remove(&place, &error), HAUL_OK);
    check_equal(state(), INSTANCE_NONE);
    check(!instance_is_current(&store, name));
    check_error(instance_hold(&store, name, &lock_fd, &error), HAUL_BUSY, error);
    check(strstr(error.hint, "run the command again") != NULL);
    check_status(instance_begin(&store, after, &error), HAUL_OK);
    check_error(instance_hold(&store, name, &lock_fd, &error), HAUL_BUSY, error);
    check_status(instance_hold(&store, after, &lock_fd, &error), HAUL_OK);
    instance_release(&store, lock_fd);
    finish();
}

static void test_instance_hold__held__nobody_removes_it(void)
{
    int lock_fd = -1;
    start_made();
    const struct instance_place place = here();
    check_status(instance_hold(&store, name, &lock_fd, &error), HAUL_OK);
    check_error(instance_remove(&place, &error), HAUL_BUSY, error);
    instance_release(&store, lock_fd);
    check_equal(state(), INSTANCE_SAME);
    check(disk.names[fake_disk_name(&disk, "/db/haul/instance.tmp")].inode < 0);
    check_status(instance_remove(&place, &error), HAUL_OK);
    finish();
}

static void test_instance_remove__a_job_has_begun__busy_and_it_stays(void)
{
    start_made();
    const struct instance_place place = here();
    write_file("/db/haul/source-03030303030303030303030303030303.journal", "x", 1);
    check_error(instance_remove(&place, &error), HAUL_BUSY, error);
    check(strstr(error.hint, "run the command again when it is over") != NULL);
    check_equal(state(), INSTANCE_SAME);
    finish();
}

/* --- names ------------------------------------------------------------------------------------ */

static void test_instance_is__recorded_before_instances__the_identity_alone(void)
{
    check(instance_is("a/0011", "a/0011"));
    check(instance_is("a", "a/0011"));
    check(!instance_is("a/0012", "a/0011"));
    check(instance_is("b/0011", "a/0011"));
    check(!instance_is("a/0011", "a"));
    check(!instance_is("ab", "a/0011"));
    check(!instance_is("", "a/0011"));
    check(instance_is("a", "a"));
}

/* --- failures --------------------------------------------------------------------------------- */

/* Each call fails once, and each is once the last before the power fails. */
static void test_instance_begin__a_call_fails__sound_afterwards(void)
{
    for (int for_ever = 0; for_ever < 2; for_ever++) {
        bool over = false;
        for (unsigned at = 1; !over; at++) {
            char after[HAUL_IDENTITY_BYTES_MAX];
            start();
            disk.fail_at = disk.call_count + at;
            disk.fail_for_ever = for_ever != 0;
            enum haul_status status = instance_begin(&store, name, &error);
            over = disk.call_count < disk.fail_at;
            disk.fail_at = 0;
            if (for_ever != 0) {
                fake_disk_crash(&disk);
            }
            check_status(instance_begin(&store, after, &error), HAUL_OK);
            check(status != HAUL_OK || strcmp(name, after) == 0);
            check_equal(state(), INSTANCE_SAME);
            check(at < 200);
            finish();
        }
    }
}

/* Later writes are noted, and from the n-th call of the disk on each fails. True: it made fewer. */
static bool note_fails(unsigned at)
{
    sequence = 200;
    disk.fail_at = disk.call_count + at;
    disk.fail_for_ever = true;
    instance_note(&store);
    bool over = disk.call_count < disk.fail_at;
    disk.fail_at = 0;
    return over;
}

static void test_instance_note__a_call_fails__the_name_stays(void)
{
    bool over = false;
    for (unsigned at = 1; !over; at++) {
        char after[HAUL_IDENTITY_BYTES_MAX];
        start_made();
        add_record();
        over = note_fails(at);
        fake_disk_crash(&disk);
        check_status(instance_begin(&store, after, &error), HAUL_OK);
        check(strcmp(name, after) == 0);
        finish();
    }
}

static void test_instance_begin__disk_full__one_that_is_there_serves(void)
{
    char after[HAUL_IDENTITY_BYTES_MAX];
    start_made();
    disk.space_bytes = 0;
    sequence = 200;
    check_status(instance_begin(&store, after, &error), HAUL_OK);
    check(strcmp(name, after) == 0);
    finish();
    start();
    disk.space_bytes = 0;
    check_error(instance_begin(&store, name, &error), HAUL_NO_SPACE, error);
    finish();
}

/* The power failed in the middle of a rename: the file has its old and its new name. */
static void test_instance_note__temporary_name_of_the_file_itself__stays_whole(void)
{
    bool over = false;
    for (unsigned at = 1; !over; at++) {
        start_made();
        add_record();
        int temporary = fake_disk_name(&disk, "/db/haul/instance.tmp");
        int present = fake_disk_name(&disk, "/db/haul/instance");
        disk.names[temporary].inode = disk.names[present].inode;
        over = note_fails(at);
        check_equal(state(), INSTANCE_SAME);
        finish();
    }
}

static const struct check_test tests[] = {
    CHECK_TEST(test_instance_begin__first_use__a_name_that_stays),
    CHECK_TEST(test_instance_begin__two_databases_of_one_identity__two_names),
    CHECK_TEST(test_instance_begin__long_identity__the_name_fits),
    CHECK_TEST(test_instance_begin__a_crash_left_the_temporary_file__taken_over),
    CHECK_TEST(test_instance_begin__another_maker_does_not_end__busy),
    CHECK_TEST(test_instance_look__copied_file_or_folder__copy),
    CHECK_TEST(test_instance_look__other_identity__other_unless_none_was_known),
    CHECK_TEST(test_instance_look__fewer_writes_than_were_durable__reset),
    CHECK_TEST(test_instance_begin__another_was_faster__its_name_and_its_sequence),
    CHECK_TEST(test_instance_begin__set_back_without_records__goes_on_for_good),
    CHECK_TEST(test_instance_note__not_synced__not_written_down),
    CHECK_TEST(test_instance_note__restored_into_the_same_files__copy),
    CHECK_TEST(test_instance_look__list_of_tables_is_an_earlier_one__reset),
    CHECK_TEST(test_instance_look__every_bit_flipped__damaged),
    CHECK_TEST(test_instance_look__newer_format__version),
    CHECK_TEST(test_instance_adopt__any_bit_rotted__the_name_that_peers_know),
    CHECK_TEST(test_instance_adopt__more_than_a_bit_rotted__another_name),
    CHECK_TEST(test_instance_hold__forgotten_meanwhile__busy),
    CHECK_TEST(test_instance_hold__held__nobody_removes_it),
    CHECK_TEST(test_instance_remove__a_job_has_begun__busy_and_it_stays),
    CHECK_TEST(test_instance_check__records_of_another__each_state_named),
    CHECK_TEST(test_instance_begin__copy_without_records__a_name_of_its_own),
    CHECK_TEST(test_instance_name__with_and_without_a_file__nothing_is_made),
    CHECK_TEST(test_instance_begin__records_and_no_file__made),
    CHECK_TEST(test_instance_adopt__copy_reset_or_repaired__same_under_its_name),
    CHECK_TEST(test_instance_is__recorded_before_instances__the_identity_alone),
    CHECK_TEST(test_instance_begin__a_call_fails__sound_afterwards),
    CHECK_TEST(test_instance_note__a_call_fails__the_name_stays),
    CHECK_TEST(test_instance_begin__disk_full__one_that_is_there_serves),
    CHECK_TEST(test_instance_note__temporary_name_of_the_file_itself__stays_whole),
};
CHECK_MAIN("instance", tests)
