/* SPDX-License-Identifier: Apache-2.0 */
/* corpus_ownership.c — ownership files with no, one and several ranges. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "assertion.h"
#include "bytes.h"
#include "corpus_writer.h"
#include "ownership.h"

/* As in fuzz_ownership.c. */
enum { MEND = 1, FORMAT_1 = 2 };

static struct corpus_input input;

static void add_range(struct ownership *ownership, enum ownership_state state, const char *start,
                      const char *end, const char *family)
{
    struct key_range range;
    struct ownership_job job = {.act = OWNERSHIP_GAVE, .new_version = ownership->job_count};
    struct ownership_move move = {
        .family = family, .ranges = &range, .range_count = 1, .mark = {.state = (uint8_t)state}};
    memset(move.mark.job, '0' + (int)ownership->job_count, sizeof(move.mark.job));
    memcpy(job.id, move.mark.job, sizeof(job.id));
    enum haul_status status =
        key_range_init(&range, slice_of(start, strlen(start)), slice_of(end, strlen(end)));
    haul_assert(status == HAUL_OK);
    status = ownership_peer(ownership, "a database", &move.mark.peer);
    haul_assert(status == HAUL_OK);
    status = ownership_put(ownership, &move);
    haul_assert(status == HAUL_OK);
    status = ownership_note(ownership, &job);
    haul_assert(status == HAUL_OK);
    key_range_fini(&range);
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

/* Entries of format 1: {job, state, families, sizes, keys}. */
static void write_format_1(void)
{
    static const uint8_t id[HAUL_JOB_BYTES] = {1};
    uint8_t bytes[128] = "HAULOWNR";
    uint8_t *at = bytes + 32;
    bytes[8] = 1;
    put_u32(bytes + 12, 1);
    memcpy(at, id, sizeof(id));
    put_u16(at + 16, OWNERSHIP_RELEASED);
    put_u16(at + 18, 1);
    put_u32(at + 20, 1);
    put_u32(at + 24, 1);
    memcpy(at + 28, "am\005users", 8);
    corpus_add_byte(&input, MEND | FORMAT_1);
    corpus_add_byte(&input, 1);
    corpus_add_byte(&input, 'd');
    corpus_add(&input, bytes, 32 + 28 + 8 + 4);
    corpus_write(&input, "ownership", "format-1");
}

void corpus_ownership(void)
{
    struct ownership ownership;
    ownership_init(&ownership);
    ownership.config_version = 8;
    ownership.epoch = 3;
    write_file(&ownership, 0, "nothing-moved");
    add_range(&ownership, OWNERSHIP_RELEASED, "a", "m", "");
    write_file(&ownership, MEND, "all-families");
    add_range(&ownership, OWNERSHIP_RELEASED, "x", "", "users");
    add_range(&ownership, OWNERSHIP_IMPORTED, "c", "d\xff", "users");
    write_file(&ownership, MEND, "three-ranges");
    write_file(&ownership, 0, "three-ranges-sealed");
    ownership_fini(&ownership);
    write_format_1();
}
