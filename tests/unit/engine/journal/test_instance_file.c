/* SPDX-License-Identifier: Apache-2.0 */
/* test_instance_file.c — the instance file byte by byte, what tells it from a copy, and each call
 * and allocation that fails while it is read or changed. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bytes.h"
#include "check.h"
#include "crc32c.h"
#include "failing_memory.h"
#include "instance.h"
/* after failing_memory.h: */
#include "fake_disk.h"

enum { AT_CRC = 144 };

static const char file_path[] = "/db/haul/instance";
static struct fake_disk disk;
static struct haul_error error;
static struct instance_view view;
static char name[HAUL_IDENTITY_BYTES_MAX];
static int lock_fd;

/* --- a store that is nothing but its answers -------------------------------------------------- */

static const char *directory = "/db";
static const struct file_calls *files = &disk.calls;
static uint64_t sequence;

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
    return "the database";
}

static uint64_t store_sequence(struct haul_store *store)
{
    (void)store;
    return sequence;
}

static uint32_t store_features(const struct haul_store *store)
{
    (void)store;
    return HAUL_STORE_WAL;
}

static enum haul_status store_sync(struct haul_store *store, struct haul_error *failed)
{
    (void)store;
    (void)failed;
    return HAUL_OK;
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
    return (struct instance_place){.calls = &disk.calls,
                                   .directory = "/db/haul",
                                   .identity = "the database",
                                   .sequence = sequence};
}

static void start(void)
{
    fake_disk_init(&disk, 1);
    memset(&error, 0, sizeof(error));
    sequence = 100;
}

static void start_made(void)
{
    start();
    check_status(instance_begin(&store, name, &error), HAUL_OK);
}

static void finish(void)
{
    check_equal(fake_disk_open_count(&disk), 0);
    fake_disk_fini(&disk);
}

static uint8_t *bytes(void)
{
    struct fake_inode *file = fake_disk_find(&disk, file_path);
    check_or_stop(file != NULL);
    return file->bytes;
}

/* A checksum that fits whatever was changed. */
static void seal(void)
{
    put_u32(bytes() + AT_CRC, crc32c(bytes(), AT_CRC));
}

static enum instance_state state(void)
{
    const struct instance_place place = here();
    check_status(instance_look(&place, &view, &error), HAUL_OK);
    return view.state;
}

static void add_record(void)
{
    int fd = disk.calls.open(disk.calls.context, "/db/haul/ownership", O_RDWR | O_CREAT, 0600);
    check_or_stop(fd >= 0);
    check_equal(disk.calls.close(disk.calls.context, fd), 0);
}

/* --- the bytes -------------------------------------------------------------------------------- */

static void test_instance_begin__new_file__each_field_at_its_place(void)
{
    struct file_identity folder;
    struct file_identity file;
    start_made();
    int fd = disk.calls.open(disk.calls.context, "/db/haul", O_RDONLY | O_DIRECTORY, 0);
    check_equal(disk.calls.identity(disk.calls.context, fd, &folder), 0);
    check_equal(disk.calls.close(disk.calls.context, fd), 0);
    fd = disk.calls.open(disk.calls.context, file_path, O_RDONLY, 0);
    check_equal(disk.calls.identity(disk.calls.context, fd, &file), 0);
    check_equal(disk.calls.close(disk.calls.context, fd), 0);
    check_equal(memcmp(bytes(), "HAULINST", 8), 0);
    check_equal(get_u16(bytes() + 8), 1);
    check_equal(get_u64(bytes() + 24), folder.inode);
    check_equal(get_u64(bytes() + 32), folder.birth_ns);
    check_equal(get_u64(bytes() + 40), file.inode);
    check_equal(get_u64(bytes() + 48), file.birth_ns);
    check_equal(get_u64(bytes() + 56), 100);
    check_text((const char *)bytes() + 64, "the database");
    check(folder.birth_ns != 0 && file.birth_ns != 0);
    finish();
}

static void check_damaged(void)
{
    check_equal(state(), INSTANCE_DAMAGED);
    check_text(view.name, "");
    finish();
}

static void test_instance_look__checksum_fits_something_else__damaged(void)
{
    start_made();
    bytes()[0] = 'h';
    seal();
    check_damaged();
    start_made();
    memset(bytes() + 64, 'x', HAUL_IDENTITY_BYTES_MAX); /* it does not end */
    seal();
    check_damaged();
}

static void test_instance_look__every_other_size__damaged(void)
{
    for (size_t size = 0; size < 2L * INSTANCE_FILE_BYTES; size++) {
        if (size != INSTANCE_FILE_BYTES) {
            start_made();
            int fd = disk.calls.open(disk.calls.context, file_path, O_RDWR, 0);
            check_equal(disk.calls.ftruncate(disk.calls.context, fd, size), 0);
            check_equal(disk.calls.close(disk.calls.context, fd), 0);
            check_damaged();
        }
    }
}

/* An id that a repair could recover belongs to the damaged file only as long as it is there. */
static void test_instance_look__too_long_to_be_read__damaged_and_adopted_under_another_name(void)
{
    char after[HAUL_IDENTITY_BYTES_MAX];
    start_made();
    int fd = disk.calls.open(disk.calls.context, file_path, O_RDWR, 0);
    check_equal(disk.calls.ftruncate(disk.calls.context, fd, 5000), 0);
    check_equal(disk.calls.close(disk.calls.context, fd), 0);
    check_equal(state(), INSTANCE_DAMAGED);
    const struct instance_place place = here();
    check_status(instance_adopt(&place, &error), HAUL_OK);
    check_equal(state(), INSTANCE_SAME);
    check_status(instance_begin(&store, after, &error), HAUL_OK);
    check(strcmp(name, after) != 0);
    finish();
}

/* --- copies that have the same inode number --------------------------------------------------- */

static uint64_t born_later_ns;
static bool births_unknown;

static int identity_of_copy(void *context, int fd, struct file_identity *identity)
{
    int result = fake_disk_identity(context, fd, identity);
    identity->birth_ns = births_unknown ? 0 : identity->birth_ns + born_later_ns;
    return result;
}

static void test_instance_look__born_at_another_time__copy(void)
{
    start_made();
    disk.calls.identity = identity_of_copy;
    born_later_ns = 1;
    check_equal(state(), INSTANCE_COPY);
    births_unknown = true;
    check_equal(state(), INSTANCE_SAME);
    births_unknown = false;
    born_later_ns = 0;
    check_equal(state(), INSTANCE_SAME);
    finish();
}

static void test_instance_look__made_where_births_are_unknown__by_inode(void)
{
    start();
    disk.calls.identity = identity_of_copy;
    births_unknown = true;
    check_status(instance_begin(&store, name, &error), HAUL_OK);
    births_unknown = false;
    check_equal(state(), INSTANCE_SAME);
    put_u64(bytes() + 40, get_u64(bytes() + 40) + 1);
    seal();
    check_equal(state(), INSTANCE_COPY);
    finish();
}

/* --- names ------------------------------------------------------------------------------------ */

static void test_instance_is__same_length_or_same_beginning__not_the_same(void)
{
    check(!instance_is("b", "a/0011"));
    check(!instance_is("a", "ab/0011"));
    check(!instance_is("ab", "a/0011"));
    check(instance_is("ab", "ab/0011"));
}

/* --- paths ------------------------------------------------------------------------------------ */

static void test_instance__path_too_long__invalid(void)
{
    static char path[5000];
    memset(path, 'p', sizeof(path) - 1);
    path[0] = '/';
    start();
    struct instance_place place = here();
    place.directory = path;
    check_error(instance_look(&place, &view, &error), HAUL_INVALID, error);
    check_error(instance_check(&place, &error), HAUL_INVALID, error);
    check_error(instance_adopt(&place, &error), HAUL_INVALID, error);
    check_error(instance_remove(&place, &error), HAUL_INVALID, error);
    directory = path;
    check_error(instance_check_store(&store, &error), HAUL_INVALID, error);
    check_error(instance_begin(&store, name, &error), HAUL_INVALID, error);
    check_error(instance_hold(&store, name, &lock_fd, &error), HAUL_INVALID, error);
    check(!instance_is_current(&store, name));
    instance_name(&store, name);
    check_text(name, "the database");
    instance_note(&store);
    directory = "/db";
    check_equal(disk.writable_count, 0);
    finish();
}

/* --- before a database is opened -------------------------------------------------------------- */

static void write_real(const char *in, const char *file_name, const char *text)
{
    char path[128];
    (void)snprintf(path, sizeof(path), "%s/%s", in, file_name);
    FILE *file = fopen(path, "we");
    check_or_stop(file != NULL);
    check(fputs(text, file) >= 0 && fclose(file) == 0);
}

static void remove_real(const char *in, const char *file_name)
{
    char path[128];
    (void)snprintf(path, sizeof(path), "%s/%s", in, file_name);
    check_equal(unlink(path), 0);
}

static void test_instance_check_list__tables_of_an_earlier_time__refused_with_records_only(void)
{
    char real[] = "/tmp/haul-instance-XXXXXX";
    char folder[64];
    check_or_stop(mkdtemp(real) != NULL);
    (void)snprintf(folder, sizeof(folder), "%s/haul", real);
    write_real(real, "CURRENT", "MANIFEST-000012\n");
    write_real(real, "MANIFEST-000012", "12345");
    check_status(instance_check_list(folder, &error), HAUL_OK); /* nothing was ever recorded */
    directory = real;
    files = &file_calls_system;
    check_status(instance_begin(&store, name, &error), HAUL_OK);
    check_status(instance_check_list(folder, &error), HAUL_OK);
    write_real(real, "MANIFEST-000012", "123");
    check_status(instance_check_list(folder, &error), HAUL_OK);
    write_real(folder, "ownership", "");
    check_error(instance_check_list(folder, &error), HAUL_MISMATCH, error);
    check(strstr(error.text, "set back") != NULL && strstr(error.text, "tables") != NULL);
    check(strstr(error.hint, "go on from there: --adopt") != NULL);
    write_real(real, "MANIFEST-000012", "123456");
    check_status(instance_check_list(folder, &error), HAUL_OK);
    directory = "/db";
    files = &disk.calls;
    remove_real(folder, "instance");
    remove_real(folder, "ownership");
    check_equal(rmdir(folder), 0);
    remove_real(real, "CURRENT");
    remove_real(real, "MANIFEST-000012");
    check_equal(rmdir(real), 0);
}

/* --- kills and power failures ----------------------------------------------------------------- */

/* The maker is killed before the call `at`; the next process tells peers the name that it finds,
 * and the power fails. True: the maker was not killed. */
static bool check_name_stays(unsigned at, uint64_t seed)
{
    char told[HAUL_IDENTITY_BYTES_MAX];
    start();
    disk.random = seed;
    fake_disk_fail(&disk, disk.call_count + at, true);
    (void)!instance_begin(&store, name, &error);
    bool over = disk.call_count < disk.fail_at;
    fake_disk_fail(&disk, 0, false);
    check_status(instance_begin(&store, told, &error), HAUL_OK);
    fake_disk_crash(&disk);
    check_status(instance_begin(&store, name, &error), HAUL_OK);
    check_text(name, told);
    finish();
    return over;
}

static void test_instance_begin__maker_killed_and_then_the_power__name_stays(void)
{
    for (uint64_t seed = 1; seed <= 8; seed++) { /* chance decides which names survive */
        bool over = false;
        for (unsigned at = 1; !over; at++) {
            check_or_stop(at < 100);
            over = check_name_stays(at, seed);
        }
    }
}

/* --- failures --------------------------------------------------------------------------------- */

static enum haul_status do_look(void)
{
    const struct instance_place place = here();
    return instance_look(&place, &view, &error);
}

static enum haul_status do_begin(void)
{
    return instance_begin(&store, name, &error);
}

static enum haul_status do_adopt(void)
{
    const struct instance_place place = here();
    return instance_adopt(&place, &error);
}

static enum haul_status do_remove(void)
{
    const struct instance_place place = here();
    return instance_remove(&place, &error);
}

static enum haul_status do_hold(void)
{
    enum haul_status status = instance_hold(&store, name, &lock_fd, &error);
    if (status == HAUL_OK) {
        instance_release(&store, lock_fd);
    }
    return status;
}

static void made_with_records(void)
{
    start_made();
    add_record();
}

/* A call of the disk fails, then the next one, and so on; then the allocations. Everybody is told,
 * except of `silent` calls that only tidy up. */
static void sweep(void (*prepare)(void), enum haul_status (*act)(void), unsigned silent_expected)
{
    for (int of_memory = 0; of_memory < 2; of_memory++) {
        unsigned silent = 0;
        bool reached = true;
        for (unsigned at = 1; reached; at++) {
            check_or_stop(at < 100);
            prepare();
            memset(&error, 0, sizeof(error));
            fake_disk_fail(&disk, of_memory ? 0 : at, false);
            failing_memory_fail(of_memory ? at : 0);
            enum haul_status status = act();
            reached = failing_memory_failed() || (!of_memory && disk.call_count >= at);
            fake_disk_fail(&disk, 0, false);
            check(status == HAUL_OK || (error.status == status && error.text[0] != '\0'));
            check(status == HAUL_OK || status == (of_memory ? HAUL_NO_MEMORY : HAUL_IO));
            check(status != HAUL_IO || error.code == EIO);
            check(reached || status == HAUL_OK);
            silent += reached && status == HAUL_OK;
            check_status(act(), HAUL_OK);
            finish();
        }
        check_equal(silent, of_memory ? 0 : silent_expected);
    }
}

static void test_instance__nth_call_fails__told_and_done_when_done_again(void)
{
    sweep(made_with_records, do_look, 0);
    sweep(start, do_begin, 5);
    sweep(made_with_records, do_adopt, 3);
    sweep(start_made, do_remove, 4);
    sweep(made_with_records, do_hold, 4);
}

static const struct check_test tests[] = {
    CHECK_TEST(test_instance_begin__maker_killed_and_then_the_power__name_stays),
    CHECK_TEST(test_instance_begin__new_file__each_field_at_its_place),
    CHECK_TEST(test_instance_look__checksum_fits_something_else__damaged),
    CHECK_TEST(test_instance_look__every_other_size__damaged),
    CHECK_TEST(test_instance_look__too_long_to_be_read__damaged_and_adopted_under_another_name),
    CHECK_TEST(test_instance_look__born_at_another_time__copy),
    CHECK_TEST(test_instance_look__made_where_births_are_unknown__by_inode),
    CHECK_TEST(test_instance_is__same_length_or_same_beginning__not_the_same),
    CHECK_TEST(test_instance__path_too_long__invalid),
    CHECK_TEST(test_instance_check_list__tables_of_an_earlier_time__refused_with_records_only),
    CHECK_TEST(test_instance__nth_call_fails__told_and_done_when_done_again),
};
CHECK_MAIN("instance_file", tests)
