/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_database.c — the files of a database that haul reads before RocksDB does, as another program
 * or a disk may leave them.
 *
 *   u8 what (WHAT_...; MEND: valid checksums) | the file */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "assertion.h"
#include "bytes.h"
#include "crc32c.h"
#include "fuzz_target.h"
#include "log_look.h"
#include "manifest.h"
#include "stored_options.h"

enum what { WHAT_LOG, WHAT_MANIFEST, WHAT_OPTIONS, WHAT_CURRENT, WHAT_MASK = 3, MEND = 1 << 2 };

enum { BLOCK_BYTES = 32 << 10, HEADER_BYTES = 7 };

static char directory[64];

static void write_file(const char *name, const void *bytes, size_t size)
{
    char path[128];
    (void)snprintf(path, sizeof(path), "%s/%s", directory, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    haul_assert(fd >= 0 && write(fd, bytes, size) == (ssize_t)size);
    (void)close(fd);
}

static void remove_file(const char *name)
{
    char path[128];
    (void)snprintf(path, sizeof(path), "%s/%s", directory, name);
    (void)unlink(path);
}

static void remove_directory(void)
{
    remove_file("CURRENT");
    remove_file("MANIFEST-000005");
    remove_file("OPTIONS-000007");
    remove_file("000004.log");
    (void)rmdir(directory);
}

static void make_directory(void)
{
    if (directory[0] == '\0') {
        (void)snprintf(directory, sizeof(directory), "/tmp/haul-fuzz-XXXXXX");
        const char *made = mkdtemp(directory);
        haul_assert(made != NULL);
        (void)atexit(remove_directory);
    }
}

/* The checksum covers the type, the log number of a recycled file, and the payload. */
static void mend(uint8_t *file, size_t size)
{
    size_t at = 0;
    while (at + HEADER_BYTES <= size) {
        size_t payload = get_u16(file + at + 4);
        size_t left = BLOCK_BYTES - at % BLOCK_BYTES;
        if (left < HEADER_BYTES || payload + HEADER_BYTES > left ||
            at + HEADER_BYTES + payload > size) {
            at += left;
            continue;
        }
        uint32_t crc = crc32c(file + at + 6, 1 + payload);
        put_u32(file + at, ((crc >> 15) | (crc << 17)) + UINT32_C(0xa282ead8));
        at += HEADER_BYTES + payload;
    }
}

/* --- what is read ----------------------------------------------------------------------------- */

static void read_log(void)
{
    struct log_look look;
    struct haul_error error;
    enum haul_status status = log_look(directory, 0, &look, &error);
    haul_assert(status == HAUL_OK || status == HAUL_VERSION);
    haul_assert(look.merge_family_count <= LOG_LOOK_FAMILIES_MAX);
    haul_assert(strnlen(look.damage, LOG_LOOK_TEXT_BYTES_MAX) < LOG_LOOK_TEXT_BYTES_MAX);
    haul_assert(look.has_prepared == (look.prepared[0] != '\0'));
}

static void read_manifest(void)
{
    struct manifest manifest;
    struct haul_error error;
    char path[4096];
    enum haul_status status = manifest_read(directory, &manifest, path, sizeof(path), &error);
    if (status != HAUL_OK) {
        haul_assert(status == HAUL_CORRUPT || status == HAUL_VERSION ||
                    status == HAUL_UNSUPPORTED);
        return;
    }
    for (size_t i = 0; i < manifest.family_count; i++) {
        haul_assert(strlen(manifest.families[i].name) <= manifest.families[i].name_size);
        haul_assert(manifest.families[i].comparator != NULL);
    }
    manifest_fini(&manifest);
}

static void read_options(void)
{
    struct stored_options options;
    struct haul_error error;
    expect_status(stored_options_read(directory, &options, &error), HAUL_OK);
    for (size_t i = 0; i < options.family_count; i++) {
        const struct stored_family *family = &options.families[i];
        char id[HAUL_NAME_BYTES_MAX];
        haul_assert(stored_options_family(&options, family->name) != NULL);
        stored_options_id(family->merge_operator, id);
        haul_assert(strlen(id) <= strlen(family->merge_operator));
    }
    stored_options_fini(&options);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    unsigned what = data[0];
    uint8_t *file = malloc(size);
    haul_assert(file != NULL);
    memcpy(file, data + 1, size - 1);
    if ((what & MEND) != 0) {
        mend(file, size - 1);
    }
    make_directory();
    switch ((enum what)(what & WHAT_MASK)) {
    case WHAT_LOG:
        write_file("000004.log", file, size - 1);
        read_log();
        break;
    case WHAT_MANIFEST:
        write_file("CURRENT", "MANIFEST-000005\n", 16);
        write_file("MANIFEST-000005", file, size - 1);
        read_manifest();
        break;
    case WHAT_OPTIONS:
        write_file("OPTIONS-000007", file, size - 1);
        read_options();
        break;
    default:
        write_file("CURRENT", file, size - 1);
        read_manifest();
        break;
    }
    free(file);
    return 0;
}
