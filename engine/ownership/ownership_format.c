/* SPDX-License-Identifier: Apache-2.0 */
/* ownership_format.c — the bytes of the ownership file; docs/PROTOCOL.md has the tables.
 *
 *   format 2: header | peers | families with their parts | jobs | u32 CRC-32C of all before it
 *   format 1: header | entries, newer ones later | u32 CRC-32C; only read */
#include "ownership.h"

#include <stdlib.h>
#include <string.h>

#include "assertion.h"
#include "bytes.h"
#include "crc32c.h"
#include "version_claim.h"

static const char ownership_magic[8] = {'H', 'A', 'U', 'L', 'O', 'W', 'N', 'R'};

enum {
    AT_FORMAT = 8,     /* after the magic */
    AT_VERSION = 16,   /* in both formats */
    PREFIX_BYTES = 12, /* magic, format, zeros: in every format */
    HEADER_BYTES_1 = 32,
    HEADER_BYTES = 48,
    PART_BYTES_MIN = 32,
    JOB_BYTES = 64,
    CRC_BYTES = 4,
    FORMAT_1_STATE_FROZEN = 1,
};

_Static_assert(HAUL_NAME_BYTES_MAX <= 256, "the size of a name fits into a byte");
_Static_assert(HAUL_IDENTITY_BYTES_MAX <= 256, "the size of an identity fits into a byte");
_Static_assert(HAUL_STATUS_COUNT <= 256, "a result fits into a byte");

/* --- encoding --------------------------------------------------------------------------------- */

/* The place of each peer in the file; 0: left out, because nothing names it. */
static uint32_t *number_peers(const struct ownership *ownership, uint32_t *count)
{
    uint32_t *numbers = calloc(ownership->peer_count + 1, sizeof(*numbers));
    if (numbers == NULL) {
        return NULL;
    }
    for (size_t i = 0; i < ownership->family_count; i++) {
        const struct range_map *map = &ownership->families[i].map;
        for (size_t j = 0; j < map->count; j++) {
            numbers[map->parts[j].mark.peer] = 1;
        }
    }
    for (size_t i = 0; i < ownership->job_count; i++) {
        numbers[ownership->jobs[i].peer] = 1;
    }
    *count = 0;
    numbers[0] = 0;
    for (size_t i = 1; i < ownership->peer_count; i++) {
        numbers[i] = numbers[i] == 0 ? 0 : ++*count;
    }
    return numbers;
}

static size_t size_of(const struct ownership *ownership, const uint32_t *numbers)
{
    size_t size = HEADER_BYTES + CRC_BYTES + ownership->job_count * JOB_BYTES;
    for (size_t i = 1; i < ownership->peer_count; i++) {
        size += numbers[i] == 0 ? 0 : 1 + strlen(ownership->peers[i]);
    }
    for (size_t i = 0; i < ownership->family_count; i++) {
        const struct ownership_family *family = &ownership->families[i];
        size += 1 + strlen(family->name) + 4;
        for (size_t j = 0; j < family->map.count; j++) {
            const struct key_range *range = &family->map.parts[j].range;
            size += PART_BYTES_MIN + range->start_size + range->end_size;
        }
    }
    return size;
}

/* Encoders write at `at` and return the next position; the caller has computed the size. */

static uint8_t *encode_bytes(uint8_t *at, const void *data, size_t size)
{
    if (size > 0) {
        memcpy(at, data, size);
    }
    return at + size;
}

static uint8_t *encode_text(uint8_t *at, const char *text)
{
    size_t size = strlen(text);
    *at = (uint8_t)size;
    return encode_bytes(at + 1, text, size);
}

static uint8_t *encode_part(uint8_t *at, const struct range_map_part *part, uint32_t peer)
{
    memset(at, 0, 4);
    at[0] = part->mark.state;
    put_u32(at + 4, peer);
    memcpy(at + 8, part->mark.job, sizeof(part->mark.job));
    put_u32(at + 24, (uint32_t)part->range.start_size);
    put_u32(at + 28, (uint32_t)part->range.end_size);
    at = encode_bytes(at + PART_BYTES_MIN, part->range.start, part->range.start_size);
    return encode_bytes(at, part->range.end, part->range.end_size);
}

static uint8_t *encode_family(uint8_t *at, const struct ownership_family *family,
                              const uint32_t *numbers)
{
    at = encode_text(at, family->name);
    put_u32(at, (uint32_t)family->map.count);
    at += 4;
    for (size_t i = 0; i < family->map.count; i++) {
        const struct range_map_part *part = &family->map.parts[i];
        at = encode_part(at, part, numbers[part->mark.peer]);
    }
    return at;
}

static uint8_t *encode_job(uint8_t *at, const struct ownership_job *job, uint32_t peer)
{
    memcpy(at, job->id, sizeof(job->id));
    at[16] = (uint8_t)job->act;
    at[17] = (uint8_t)job->result;
    put_u16(at + 18, 0);
    put_u32(at + 20, peer);
    put_u64(at + 24, job->old_version);
    put_u64(at + 32, job->new_version);
    put_u64(at + 40, job->time_s);
    put_u64(at + 48, job->records);
    put_u64(at + 56, job->bytes);
    return at + JOB_BYTES;
}

static void encode_all(const struct ownership *ownership, const uint32_t *numbers, uint32_t peers,
                       struct haul_slice memory)
{
    uint8_t *bytes = (uint8_t *)(uintptr_t)memory.data;
    memset(bytes, 0, HEADER_BYTES);
    memcpy(bytes, ownership_magic, sizeof(ownership_magic));
    put_u16(bytes + AT_FORMAT, OWNERSHIP_FORMAT_VERSION);
    put_u32(bytes + 12, peers);
    put_u64(bytes + 16, ownership->config_version);
    put_u64(bytes + 24, ownership->epoch);
    put_u32(bytes + 32, (uint32_t)ownership->family_count);
    put_u32(bytes + 36, (uint32_t)ownership->job_count);
    uint8_t *at = bytes + HEADER_BYTES;
    for (size_t i = 1; i < ownership->peer_count; i++) {
        at = numbers[i] == 0 ? at : encode_text(at, ownership->peers[i]);
    }
    for (size_t i = 0; i < ownership->family_count; i++) {
        at = encode_family(at, &ownership->families[i], numbers);
    }
    for (size_t i = 0; i < ownership->job_count; i++) {
        at = encode_job(at, &ownership->jobs[i], numbers[ownership->jobs[i].peer]);
    }
    haul_assert(at == bytes + memory.size - CRC_BYTES);
    put_u32(at, crc32c(bytes, memory.size - CRC_BYTES));
}

enum haul_status ownership_encode(const struct ownership *ownership, uint8_t **out,
                                  size_t *out_size)
{
    uint32_t peers = 0;
    uint32_t *numbers = number_peers(ownership, &peers);
    if (numbers == NULL) {
        return HAUL_NO_MEMORY;
    }
    size_t size = size_of(ownership, numbers);
    uint8_t *bytes = size > OWNERSHIP_FILE_BYTES_MAX ? NULL : malloc(size);
    if (bytes != NULL) {
        encode_all(ownership, numbers, peers, slice_of(bytes, size));
        *out = bytes;
        *out_size = size;
    }
    free(numbers);
    return bytes != NULL ? HAUL_OK : size > OWNERSHIP_FILE_BYTES_MAX ? HAUL_LIMIT : HAUL_NO_MEMORY;
}

/* --- decoding --------------------------------------------------------------------------------- */

/* Decode into `text`, padded with zeros. Errors: CORRUPT. */
static enum haul_status decode_text(struct cursor *cursor, char *text, size_t text_size_bytes)
{
    struct haul_slice bytes = cursor_slice(cursor, cursor_u8(cursor));
    if (cursor->failed || bytes.size >= text_size_bytes ||
        (bytes.size > 0 && memchr(bytes.data, 0, bytes.size) != NULL)) {
        return HAUL_CORRUPT;
    }
    memset(text, 0, text_size_bytes);
    (void)encode_bytes((uint8_t *)text, bytes.data, bytes.size);
    return HAUL_OK;
}

static bool state_is_known(unsigned state)
{
    return state == OWNERSHIP_RELEASED || state == OWNERSHIP_IMPORTED;
}

/* Errors: CORRUPT, NO_MEMORY. */
static enum haul_status decode_range(struct cursor *cursor, struct key_range *range)
{
    uint32_t start_size = cursor_u32(cursor);
    uint32_t end_size = cursor_u32(cursor);
    struct haul_slice start = cursor_slice(cursor, start_size);
    struct haul_slice end = cursor_slice(cursor, end_size);
    if (cursor->failed) {
        return HAUL_CORRUPT;
    }
    enum haul_status status = key_range_init(range, start, end);
    return status == HAUL_INVALID ? HAUL_CORRUPT : status;
}

/* Does the part follow the one before it, without merging with it? */
static bool may_follow(const struct range_map_part *before, const struct range_map_part *part)
{
    struct haul_slice end = key_range_end(&before->range);
    int order = slice_compare(end, key_range_start(&part->range));
    bool same = before->mark.state == part->mark.state && before->mark.peer == part->mark.peer;
    return end.size > 0 && (order < 0 || (order == 0 && !same));
}

/* Errors: CORRUPT, NO_MEMORY. */
static enum haul_status decode_part(struct cursor *cursor, const struct ownership *ownership,
                                    struct range_map *map)
{
    struct range_map_part *part = &map->parts[map->count];
    unsigned state = cursor_u8(cursor);
    const uint8_t *zeros = cursor_take(cursor, 3);
    uint32_t peer = cursor_u32(cursor);
    struct haul_slice job = cursor_slice(cursor, HAUL_JOB_BYTES);
    if (cursor->failed || !state_is_known(state) || zeros[0] + zeros[1] + zeros[2] != 0 ||
        (peer > 0 && peer >= ownership->peer_count)) {
        return HAUL_CORRUPT;
    }
    enum haul_status status = decode_range(cursor, &part->range);
    if (status != HAUL_OK) {
        return status;
    }
    part->mark.state = (uint8_t)state;
    part->mark.peer = peer;
    memcpy(part->mark.job, job.data, job.size);
    map->count++;
    return map->count == 1 || may_follow(part - 1, part) ? HAUL_OK : HAUL_CORRUPT;
}

/* Errors: CORRUPT, NO_MEMORY. */
static enum haul_status decode_family(struct cursor *cursor, struct ownership *ownership)
{
    struct ownership_family *family = &ownership->families[ownership->family_count];
    enum haul_status status = decode_text(cursor, family->name, sizeof(family->name));
    uint32_t count = cursor_u32(cursor);
    if (status != HAUL_OK || cursor->failed || count > OWNERSHIP_PART_COUNT_MAX ||
        count > cursor_left(cursor) / PART_BYTES_MIN) {
        return HAUL_CORRUPT;
    }
    for (size_t i = 0; i < ownership->family_count; i++) {
        if (strcmp(ownership->families[i].name, family->name) == 0) {
            return HAUL_CORRUPT;
        }
    }
    ownership->family_count++;
    family->map.parts = calloc(count + (size_t)1, sizeof(*family->map.parts));
    if (family->map.parts == NULL) {
        return HAUL_NO_MEMORY;
    }
    family->map.capacity = count + (size_t)1;
    for (uint32_t i = 0; status == HAUL_OK && i < count; i++) {
        status = decode_part(cursor, ownership, &family->map);
    }
    return status;
}

/* Errors: CORRUPT, NO_MEMORY. */
static enum haul_status decode_job(struct cursor *cursor, struct ownership *ownership)
{
    struct haul_slice id = cursor_slice(cursor, HAUL_JOB_BYTES);
    struct ownership_job job = {.act = (enum ownership_act)cursor_u8(cursor),
                                .result = (enum haul_status)cursor_u8(cursor)};
    unsigned zeros = cursor_u16(cursor);
    job.peer = cursor_u32(cursor);
    job.old_version = cursor_u64(cursor);
    job.new_version = cursor_u64(cursor);
    job.time_s = cursor_u64(cursor);
    job.records = cursor_u64(cursor);
    job.bytes = cursor_u64(cursor);
    bool known = job.act >= OWNERSHIP_GAVE && job.act <= OWNERSHIP_RECLAIMED;
    if (cursor->failed || !known || zeros != 0 ||
        (job.peer > 0 && job.peer >= ownership->peer_count)) {
        return HAUL_CORRUPT;
    }
    memcpy(job.id, id.data, id.size);
    return ownership_note(ownership, &job);
}

/* Errors: CORRUPT, NO_MEMORY. */
static enum haul_status decode_peers(struct cursor *cursor, struct ownership *ownership,
                                     uint32_t count)
{
    enum haul_status status = HAUL_OK;
    for (uint32_t i = 1; status == HAUL_OK && i <= count; i++) {
        char identity[HAUL_IDENTITY_BYTES_MAX];
        uint32_t index = 0;
        status = decode_text(cursor, identity, sizeof(identity));
        if (status == HAUL_OK) {
            status = ownership_peer(ownership, identity, &index);
        }
        /* No peer is empty, and none occurs twice. */
        status = status == HAUL_OK && index != i ? HAUL_CORRUPT : status;
    }
    return status;
}

/* Format 2. Errors: CORRUPT, NO_MEMORY. */
static enum haul_status decode_2(struct cursor *cursor, struct ownership *ownership)
{
    uint32_t peers = cursor_u32(cursor);
    ownership->config_version = cursor_u64(cursor);
    ownership->epoch = cursor_u64(cursor);
    uint32_t families = cursor_u32(cursor);
    uint32_t jobs = cursor_u32(cursor);
    uint64_t zeros = cursor_u64(cursor);
    if (cursor->failed || zeros != 0 || families > OWNERSHIP_FAMILY_COUNT_MAX ||
        jobs > OWNERSHIP_JOB_COUNT_MAX || peers > cursor_left(cursor) / 2) {
        return HAUL_CORRUPT;
    }
    size_t room = 1; /* as ownership_put computes it */
    while (room < families + (size_t)1) {
        room *= 2;
    }
    ownership->families = calloc(room, sizeof(*ownership->families));
    if (ownership->families == NULL) {
        return HAUL_NO_MEMORY;
    }
    enum haul_status status = decode_peers(cursor, ownership, peers);
    for (uint32_t i = 0; status == HAUL_OK && i < families; i++) {
        status = decode_family(cursor, ownership);
    }
    for (uint32_t i = 0; status == HAUL_OK && i < jobs; i++) {
        status = decode_job(cursor, ownership);
    }
    uint32_t named = 0;
    uint32_t *numbers = status == HAUL_OK ? number_peers(ownership, &named) : NULL;
    if (status == HAUL_OK && (numbers == NULL || named != peers)) {
        status = numbers == NULL ? HAUL_NO_MEMORY : HAUL_CORRUPT;
    }
    free(numbers);
    return status;
}

/* --- format 1 --------------------------------------------------------------------------------- */

/* An entry of format 1: a range, its state, and the families that it applies to (none: all). FROZEN
 * ranges were ours. Errors: CORRUPT, NO_MEMORY, LIMIT. */
static enum haul_status decode_entry(struct cursor *cursor, struct ownership *ownership)
{
    struct key_range range = {.start = NULL};
    struct range_mark mark = {.state = OWNERSHIP_OWN};
    struct haul_slice id = cursor_slice(cursor, HAUL_JOB_BYTES);
    unsigned state = cursor_u16(cursor);
    unsigned families = cursor_u16(cursor);
    if (cursor->failed || (!state_is_known(state) && state != FORMAT_1_STATE_FROZEN) ||
        families > HAUL_FAMILY_COUNT_MAX) {
        return HAUL_CORRUPT;
    }
    mark.state = state == FORMAT_1_STATE_FROZEN ? OWNERSHIP_OWN : (uint8_t)state;
    memcpy(mark.job, id.data, id.size);
    enum haul_status status = decode_range(cursor, &range);
    for (unsigned i = 0; status == HAUL_OK && i < (families == 0 ? 1 : families); i++) {
        char name[HAUL_NAME_BYTES_MAX] = "";
        struct ownership_move move = {
            .family = name, .ranges = &range, .range_count = 1, .mark = mark};
        if (families > 0) {
            status = decode_text(cursor, name, sizeof(name));
            status = status == HAUL_OK && name[0] == '\0' ? HAUL_CORRUPT : status;
        }
        if (status == HAUL_OK) {
            status = ownership_put(ownership, &move);
        }
    }
    key_range_fini(&range);
    struct ownership_job job = {.act =
                                    state == OWNERSHIP_RELEASED ? OWNERSHIP_GAVE : OWNERSHIP_TOOK};
    memcpy(job.id, mark.job, sizeof(job.id));
    /* The entries of a job are adjacent. */
    const struct ownership_job *last =
        ownership->job_count == 0 ? NULL : &ownership->jobs[ownership->job_count - 1];
    bool known = mark.state == OWNERSHIP_OWN || (last != NULL && last->act == job.act &&
                                                 memcmp(last->id, job.id, sizeof(job.id)) == 0);
    return status == HAUL_OK && !known ? ownership_note(ownership, &job) : status;
}

/* Errors: CORRUPT, NO_MEMORY, LIMIT. */
static enum haul_status decode_1(struct cursor *cursor, struct ownership *ownership)
{
    uint32_t count = cursor_u32(cursor);
    ownership->config_version = cursor_u64(cursor);
    ownership->epoch = cursor_u64(cursor);
    enum haul_status status = cursor->failed ? HAUL_CORRUPT : HAUL_OK;
    for (uint32_t i = 0; status == HAUL_OK && i < count; i++) {
        status = decode_entry(cursor, ownership);
    }
    return status;
}

/* --- both formats ----------------------------------------------------------------------------- */

static bool is_sound(struct haul_slice bytes, uint16_t format)
{
    uint8_t number[2];
    put_u16(number, format);
    size_t covered = bytes.size - CRC_BYTES;
    uint32_t crc = crc32c(bytes.data, AT_FORMAT);
    crc = crc32c_extend(crc, number, sizeof(number));
    crc = crc32c_extend(crc, bytes.data + AT_FORMAT + sizeof(number),
                        covered - AT_FORMAT - sizeof(number));
    return crc == get_u32(bytes.data + covered);
}

/* For an unknown format: would the checksum be right with one of our format numbers? Then only the
 * number is damaged. */
static bool is_rotten_format(struct haul_slice bytes)
{
    bool any = false;
    for (uint16_t i = 1; i <= OWNERSHIP_FORMAT_VERSION && !any; i++) {
        any = is_sound(bytes, i);
    }
    return any;
}

/* Errors: CORRUPT, VERSION. */
static enum haul_status check_frame(struct haul_slice bytes, unsigned *format)
{
    if (bytes.size < HEADER_BYTES_1 + CRC_BYTES ||
        memcmp(bytes.data, ownership_magic, sizeof(ownership_magic)) != 0) {
        return HAUL_CORRUPT;
    }
    /* Before the checksum: another format may keep it elsewhere. */
    *format = get_u16(bytes.data + AT_FORMAT);
    if (*format == 0 || *format > OWNERSHIP_FORMAT_VERSION) {
        return is_rotten_format(bytes) ? HAUL_CORRUPT : HAUL_VERSION;
    }
    return get_u16(bytes.data + 10) == 0 && is_sound(bytes, (uint16_t)*format) ? HAUL_OK
                                                                               : HAUL_CORRUPT;
}

enum haul_status ownership_decode(struct ownership *out, struct haul_slice bytes)
{
    unsigned format = 0;
    enum haul_status status = check_frame(bytes, &format);
    if (status != HAUL_OK) {
        return status;
    }
    struct ownership ownership;
    ownership_init(&ownership);
    struct cursor cursor =
        cursor_of(bytes.data + PREFIX_BYTES, bytes.size - PREFIX_BYTES - CRC_BYTES);
    status = format == 1 ? decode_1(&cursor, &ownership) : decode_2(&cursor, &ownership);
    if (status == HAUL_OK && cursor_left(&cursor) != 0) {
        status = HAUL_CORRUPT;
    }
    if (status != HAUL_OK) {
        ownership_fini(&ownership);
        return status;
    }
    *out = ownership;
    return HAUL_OK;
}

uint64_t ownership_damaged_version(struct haul_slice bytes)
{
    const uint64_t beyond = VERSION_STEP_MAX / 2; /* others follow by at most one step */
    bool is_head = bytes.size >= HEADER_BYTES_1 &&
                   memcmp(bytes.data, ownership_magic, sizeof(ownership_magic)) == 0;
    uint64_t version = is_head ? get_u64(bytes.data + AT_VERSION) : 0;
    return version < beyond ? version : 0;
}
