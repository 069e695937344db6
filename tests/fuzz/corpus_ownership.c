/* SPDX-License-Identifier: Apache-2.0 */
/* corpus_ownership.c — ownership files with no, one and several entries. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "assertion.h"
#include "bytes.h"
#include "corpus_writer.h"
#include "ownership.h"

/* As in fuzz_ownership.c. */
enum { MEND = 1 };

static struct corpus_input input;

static void add_entry(struct ownership *ownership, enum ownership_state state, const char *start,
                      const char *end, const char *family)
{
    char families[2][HAUL_NAME_BYTES_MAX] = {"default", ""};
    struct ownership_entry entry = {.state = state};
    memset(entry.job_id, '0' + (int)ownership->entry_count, sizeof(entry.job_id));
    enum haul_status status =
        key_range_init(&entry.range, slice_of(start, strlen(start)), slice_of(end, strlen(end)));
    haul_assert(status == HAUL_OK);
    if (family != NULL) {
        (void)snprintf(families[1], sizeof(families[1]), "%s", family);
        entry.families = families;
        entry.family_count = 2;
    }
    status = ownership_add(ownership, &entry);
    haul_assert(status == HAUL_OK);
    key_range_fini(&entry.range);
}

static void write_file(const struct ownership *ownership, unsigned flags, const char *name)
{
    uint8_t *bytes = NULL;
    size_t size = 0;
    enum haul_status status = ownership_encode(ownership, &bytes, &size);
    haul_assert(status == HAUL_OK);
    corpus_add_byte(&input, flags);
    corpus_add_byte(&input, 1);
    corpus_add_byte(&input, 'd');
    corpus_add(&input, bytes, size);
    corpus_write(&input, "ownership", name);
    free(bytes);
}

void corpus_ownership(void)
{
    struct ownership ownership;
    ownership_init(&ownership);
    ownership.config_version = 8;
    ownership.epoch = 3;
    write_file(&ownership, 0, "no-entries");
    add_entry(&ownership, OWNERSHIP_RELEASED, "a", "m", NULL);
    write_file(&ownership, MEND, "one-entry");
    add_entry(&ownership, OWNERSHIP_FROZEN, "x", "", "users");
    add_entry(&ownership, OWNERSHIP_IMPORTED, "c", "d\xff", "index");
    write_file(&ownership, MEND, "three-entries");
    write_file(&ownership, 0, "three-entries-sealed");
    ownership_fini(&ownership);
}
