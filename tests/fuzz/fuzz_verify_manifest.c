/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_verify_manifest.c — a file for `haul verify --manifest`. An accepted file has sound names
 * and digests, and can be compared with pieces of a database in any order. */
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "assertion.h"
#include "fuzz_target.h"
#include "verify_manifest.h"

static void compare(struct manifest_reader *reader)
{
    struct haul_error error;
    for (size_t i = 0; i < reader->family_count && i < 4; i++) {
        struct haul_verify_piece piece = {.family = reader->families[i].name, .records = i};
        memset(piece.digest, '0', sizeof(piece.digest) - 1);
        expect_status(manifest_compare(reader, &piece, &error), HAUL_OK);
        piece.last_key = (struct haul_slice){.data = (const uint8_t *)"key", .size = 3};
        expect_status(manifest_compare(reader, &piece, &error), HAUL_OK);
        haul_assert(!reader->differs || reader->first_family[0] != '\0' ||
                    reader->families[0].name[0] == '\0');
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct manifest_reader reader;
    char path[40];
    struct haul_error error = {.status = HAUL_OK};
    int fd = memfd_create("manifest", MFD_CLOEXEC);
    haul_assert(fd >= 0 && write(fd, data, size) == (ssize_t)size);
    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    enum haul_status status = manifest_open(&reader, path, &error);
    if (status == HAUL_OK) {
        haul_assert(reader.total_count <= HAUL_FAMILY_COUNT_MAX);
        for (size_t i = 0; i < reader.total_count; i++) {
            haul_assert(strnlen(reader.totals[i].name, HAUL_NAME_BYTES_MAX) < HAUL_NAME_BYTES_MAX);
            haul_assert(strnlen(reader.totals[i].digest, sizeof(reader.totals[i].digest)) <
                        sizeof(reader.totals[i].digest));
        }
        compare(&reader);
    } else {
        haul_assert((status == HAUL_CORRUPT || status == HAUL_VERSION) && error.text[0] != '\0');
    }
    manifest_close(&reader);
    (void)close(fd);
    return 0;
}
