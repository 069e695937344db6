/* SPDX-License-Identifier: Apache-2.0 */
/* test_message.c — encodes and decodes every control message: torn, oversized, with wrong types. */
#include "message.h"

#include <pb_common.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "assertion.h"
#include "bytes.h"
#include "check.h"

static struct message message;
static struct message decoded;
static struct haul_error error;

#define COUNT_ONE(name, value, member, proto) +1
enum { MESSAGE_COUNT = 0 MESSAGE_LIST(COUNT_ONE) };

/* --- samples: every field of every message has a value of its own ----------------------------- */

#define FILL(array, character) memset(array, character, sizeof(array) - 1)
#define FILL_BYTES(field, character) \
    ((field).size = sizeof((field).bytes), memset((field).bytes, character, (field).size))

static void *zeroed(size_t count, size_t size)
{
    void *memory = calloc(count, size);
    haul_assert(memory != NULL);
    return memory;
}

static pb_bytes_array_t *bytes_of(const char *text)
{
    return message_bytes(slice_of(text, strlen(text)));
}

static void fill_hello(haul_control_Hello *hello)
{
    *hello = (haul_control_Hello){.wire_version = UINT32_MAX,
                                  .journal_version = 2,
                                  .epoch = UINT64_MAX,
                                  .config_version = UINT64_C(1) << 63,
                                  .config_version_known = true,
                                  .link_count = 16,
                                  .slot_size_bytes = 4 << 20,
                                  .resume = true};
    FILL(hello->software, 's');
    FILL_BYTES(hello->job, 'j');
    FILL_BYTES(hello->source_identity, 'i');
}

static void fill_welcome(haul_control_Welcome *welcome)
{
    *welcome = (haul_control_Welcome){.wire_version = 1,
                                      .journal_version = 2,
                                      .config_version = 3,
                                      .config_version_known = true,
                                      .transports_count = 8,
                                      .slot_count = 64,
                                      .slot_size_bytes = 1 << 20,
                                      .job_phase = JOB_PREPARED};
    FILL(welcome->software, 's');
    for (size_t i = 0; i < CHECK_COUNT(welcome->transports); i++) {
        welcome->transports[i].transport = UINT32_MAX;
        FILL(welcome->transports[i].refusal, 'r');
    }
    FILL_BYTES(welcome->target_identity, 'i');
    FILL_BYTES(welcome->token, 0xff);
    FILL_BYTES(welcome->session, 'n');
}

static void fill_plan(haul_control_Plan *plan)
{
    *plan = (haul_control_Plan){.families_count = 2,
                                .families = zeroed(2, sizeof(*plan->families)),
                                .ranges_count = 2,
                                .ranges = zeroed(2, sizeof(*plan->ranges)),
                                .streams_count = 1,
                                .streams = zeroed(1, sizeof(*plan->streams)),
                                .old_version = 7,
                                .new_version = 8,
                                .overwrite = true,
                                .lane = 2};
    FILL(plan->families[0].name, 0xff); /* names need not be UTF-8 */
    FILL(plan->families[0].comparator, 'c');
    FILL(plan->families[0].merge_operator, 'm');
    plan->families[0].source_id = 300;
    plan->families[0].metadata = true;
    plan->families[1].name[0] = 'n';
    plan->ranges[0].start = bytes_of("a");
    plan->ranges[0].end = bytes_of("b");
    plan->ranges[1].start = bytes_of("c");
    plan->streams[0] = (haul_control_Stream){.id = 4, .family = 1, .bytes = UINT64_C(1) << 40};
    plan->streams[0].start = bytes_of("");
    plan->streams[0].end = message_bytes(slice_of("\0\xff\0", 3));
    plan->supersedes = bytes_of("two jobs, of sixteen bytes each.");
}

static void fill_plan_accepted(haul_control_PlanAccepted *accepted)
{
    *accepted = (haul_control_PlanAccepted){.family_ids_count = 3,
                                            .family_ids = zeroed(3, sizeof(uint32_t)),
                                            .positions_count = 1,
                                            .positions = zeroed(1, sizeof(*accepted->positions)),
                                            .delta_next_batch = 5,
                                            .delta_sequence = 6,
                                            .lane = 1};
    accepted->family_ids[1] = 300;
    accepted->family_ids[2] = UINT32_MAX;
    accepted->positions[0] = (haul_control_StreamPosition){
        .stream = 9, .next_batch = 10, .finished = true, .last_key = bytes_of("last")};
}

static void fill_link(haul_control_LinkDescription *link)
{
    *link = (haul_control_LinkDescription){.index = 15, .transport = 2};
    FILL_BYTES(link->description, 'd');
}

static void fill_progress(haul_control_Progress *progress)
{
    *progress = (haul_control_Progress){1, 2, true, 3, true, 4, 5, 6, 7};
}

static void fill_prepare(haul_control_Prepare *prepare)
{
    *prepare =
        (haul_control_Prepare){1, 2, 3, 4, 5, 2, zeroed(2, sizeof(*prepare->digests)), 6, true};
    prepare->digests[0] = (haul_control_FamilyDigest){1, 2, 3, 4};
    prepare->digests[1] =
        (haul_control_FamilyDigest){UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX};
}

static void fill_prepared(haul_control_Prepared *prepared)
{
    *prepared = (haul_control_Prepared){1, zeroed(1, sizeof(*prepared->digests)), 6, 7, true};
    prepared->digests[0].count = 5;
}

static void fill_commit(haul_control_Commit *commit)
{
    *commit = (haul_control_Commit){.new_version = 8, .epoch = 9};
}

static void fill_committed(haul_control_Committed *committed)
{
    *committed = (haul_control_Committed){8, "compare"};
}

static void fill_abort(haul_control_Abort *abort)
{
    abort->status = HAUL_NO_SPACE;
    FILL(abort->text, 't');
    FILL(abort->hint, 'h');
}

static void fill_aborted(haul_control_Aborted *aborted)
{
    aborted->cleared = true;
}

static void fill_refused(haul_control_Refused *refused)
{
    refused->status = HAUL_VERSION;
    FILL(refused->text, 't');
    FILL(refused->hint, 'h');
}

static void fill_stop(haul_control_Stop *stop)
{
    FILL(stop->text, 't');
}

static void fill_working(haul_control_Working *working)
{
    working->done = UINT64_MAX - 3;
}

static void fill_verify_list(haul_control_VerifyList *list)
{
    (void)list; /* it has no fields */
}

static void fill_verify_families(haul_control_VerifyFamilies *families)
{
    families->families = zeroed(2, sizeof(*families->families));
    families->families_count = 2;
    FILL(families->families[0].name, 0xff);
    FILL(families->families[1].comparator, 'c');
}

static void fill_verify_scan(haul_control_VerifyScan *scan)
{
    *scan = (haul_control_VerifyScan){.scan = UINT32_MAX,
                                      .ranges_count = 2,
                                      .ranges = zeroed(2, sizeof(*scan->ranges)),
                                      .single = true,
                                      .continues = true,
                                      .range = 1};
    FILL(scan->family, 'f');
    scan->ranges[0].start = bytes_of("a");
    scan->ranges[1].end = message_bytes(slice_of("\0\xff\0", 3));
    scan->after = bytes_of("after");
}

static void fill_verify_next(haul_control_VerifyNext *next)
{
    next->scan = UINT32_MAX - 1;
}

static void fill_verify_pieces(haul_control_VerifyPieces *pieces)
{
    *pieces = (haul_control_VerifyPieces){
        .scan = 7, .pieces_count = 2, .pieces = zeroed(2, sizeof(*pieces->pieces)), .ended = true};
    pieces->pieces[0] = (haul_control_VerifyPiece){
        .records = 1, .bytes = 2, .low = UINT64_MAX, .high = 3, .range = 4, .key_size = 5};
    pieces->pieces[0].key = bytes_of("key");
    pieces->pieces[1].records = UINT64_MAX;
}

/* The sample of a type in `message`. */
static void fill(unsigned type)
{
    message_init(&message, (enum message_type)type);
    switch (message.type) {
#define FILL_CASE(name, value, member, proto) \
    case MESSAGE_##name:                      \
        fill_##member(&message.as.member);    \
        break;
        MESSAGE_LIST(FILL_CASE)
#undef FILL_CASE
    }
}

/* The encoded sample of a type; the caller frees. */
static struct haul_slice sample(unsigned type)
{
    uint8_t *bytes = NULL;
    size_t size = 0;
    fill(type);
    enum haul_status status = message_encode(&message, &bytes, &size);
    haul_assert(status == HAUL_OK);
    message_release(&message);
    return slice_of(bytes, size);
}

static void drop(struct haul_slice bytes)
{
    free((void *)(uintptr_t)bytes.data);
}

static enum haul_status decode(unsigned type, const void *bytes, size_t size)
{
    memset(&error, 0, sizeof(error));
    return message_decode(type, slice_of(bytes, size), &decoded, &error);
}

/* --- round trips ------------------------------------------------------------------------------ */

/* Encoding the decoded message yields the same bytes: nothing was lost or invented. */
static void check_encodes_to(const struct message *from, struct haul_slice bytes)
{
    uint8_t *again = NULL;
    size_t size = 0;
    check_or_stop(message_encode(from, &again, &size) == HAUL_OK);
    check(slice_compare(slice_of(again, size), bytes) == 0);
    free(again);
}

static void test_message_decode__every_type__encodes_to_the_same_bytes(void)
{
    for (unsigned type = 1; type <= MESSAGE_COUNT; type++) {
        struct haul_slice bytes = sample(type);
        check(bytes.size > 0 || type == MESSAGE_VERIFY_LIST);
        check_status(decode(type, bytes.data, bytes.size), HAUL_OK);
        check_equal(decoded.type, type);
        check_encodes_to(&decoded, bytes);
        message_release(&decoded);
        drop(bytes);
    }
}

/* Structs without pointers can be compared as a whole. */
static void check_same(unsigned type, const void *expected, size_t size)
{
    struct haul_slice bytes = sample(type);
    check_status(decode(type, bytes.data, bytes.size), HAUL_OK);
    fill(type);
    check(memcmp(&decoded.as, expected, size) == 0);
    message_release(&decoded);
    drop(bytes);
}

static void test_message_decode__messages_without_pointers__equal(void)
{
    check_same(MESSAGE_COMMIT, &message.as, sizeof(message.as.commit));
    check_same(MESSAGE_COMMITTED, &message.as, sizeof(message.as.committed));
    check_same(MESSAGE_LINK, &message.as, sizeof(message.as.link));
    check_same(MESSAGE_ABORTED, &message.as, sizeof(message.as.aborted));
    check_same(MESSAGE_REFUSED, &message.as, sizeof(message.as.refused));
}

static void test_message_decode__hello__every_field(void)
{
    struct haul_slice bytes = sample(MESSAGE_HELLO);
    check_status(decode(MESSAGE_HELLO, bytes.data, bytes.size), HAUL_OK);
    fill(MESSAGE_HELLO);
    const haul_control_Hello *sent = &message.as.hello;
    const haul_control_Hello *got = &decoded.as.hello;
    check_equal(got->wire_version, sent->wire_version);
    check_equal(got->epoch, sent->epoch);
    check_equal(got->config_version, sent->config_version);
    check(got->config_version_known && got->resume);
    check_text(got->software, sent->software);
    check_equal(got->job.size, 16);
    check(memcmp(got->job.bytes, sent->job.bytes, 16) == 0);
    check_equal(got->source_identity.size, 64);
    check_equal(got->slot_size_bytes, sent->slot_size_bytes);
    drop(bytes);
}

static void test_message_decode__plan__binary_keys_and_absent_ones(void)
{
    struct haul_slice bytes = sample(MESSAGE_PLAN);
    check_status(decode(MESSAGE_PLAN, bytes.data, bytes.size), HAUL_OK);
    const haul_control_Plan *plan = &decoded.as.plan;
    check_equal(plan->families_count, 2);
    check_equal(strlen(plan->families[0].name), 127);
    check_equal((unsigned char)plan->families[0].name[0], 0xff);
    check_equal(plan->families[0].source_id, 300);
    check_equal(plan->ranges_count, 2);
    check_equal(message_slice(plan->ranges[1].end).size, 0);
    check(slice_compare(message_slice(plan->streams[0].end), slice_of("\0\xff\0", 3)) == 0);
    check_equal(plan->streams[0].bytes, UINT64_C(1) << 40);
    check_equal(message_slice(plan->supersedes).size, 32);
    message_release(&decoded);
    drop(bytes);
}

static void test_message_decode__plan_accepted__ids_and_positions(void)
{
    struct haul_slice bytes = sample(MESSAGE_PLAN_ACCEPTED);
    check_status(decode(MESSAGE_PLAN_ACCEPTED, bytes.data, bytes.size), HAUL_OK);
    const haul_control_PlanAccepted *accepted = &decoded.as.plan_accepted;
    check_equal(accepted->family_ids_count, 3);
    check_equal(accepted->family_ids[0], 0);
    check_equal(accepted->family_ids[2], UINT32_MAX);
    check_equal(accepted->positions_count, 1);
    check(accepted->positions[0].finished);
    check(slice_compare(message_slice(accepted->positions[0].last_key), slice_of("last", 4)) == 0);
    message_release(&decoded);
    drop(bytes);
}

static void test_message_encode__nothing_set__empty_and_read_again(void)
{
    for (unsigned type = 1; type <= MESSAGE_COUNT; type++) {
        uint8_t *bytes = NULL;
        size_t size = 1;
        message_init(&message, (enum message_type)type);
        check_status(message_encode(&message, &bytes, &size), HAUL_OK);
        check_equal(size, 0);
        free(bytes);
        check_status(decode(type, NULL, 0), HAUL_OK);
        check_equal(decoded.type, type);
        message_release(&decoded);
    }
}

static void test_message_encode__commit__bytes_of_the_format(void)
{
    uint8_t *bytes = NULL;
    size_t size = 0;
    message_init(&message, MESSAGE_COMMIT);
    message.as.commit = (haul_control_Commit){.new_version = 300, .epoch = 1};
    check_status(message_encode(&message, &bytes, &size), HAUL_OK);
    check(slice_compare(slice_of(bytes, size), slice_of("\x08\xac\x02\x10\x01", 5)) == 0);
    free(bytes);
}

static void test_message_encode__text_that_does_not_end__invalid(void)
{
    uint8_t *bytes = NULL;
    size_t size = 0;
    message_init(&message, MESSAGE_ABORT);
    memset(message.as.abort.text, 't', sizeof(message.as.abort.text));
    check_status(message_encode(&message, &bytes, &size), HAUL_INVALID);
    check(bytes == NULL);
}

static void test_message_name__every_type_and_others__name_or_question_mark(void)
{
    check_text(message_name(MESSAGE_HELLO), "HELLO");
    check_text(message_name(MESSAGE_REFUSED), "REFUSED");
    check_text(message_name(0), "?");
    check_text(message_name(MESSAGE_COUNT + 1), "?");
}

/* --- bad input -------------------------------------------------------------------------------- */

/* Truncated after each byte: refused or, at the end of a field, exactly the fields before. */
static void test_message_decode__torn_at_every_byte__refused_or_exactly_the_rest(void)
{
    for (unsigned type = 1; type <= MESSAGE_COUNT; type++) {
        struct haul_slice bytes = sample(type);
        for (size_t size = 0; size < bytes.size; size++) {
            uint8_t *torn = malloc(size + (size == 0)); /* sanitizers see overruns */
            check_or_stop(torn != NULL);
            memcpy(torn, bytes.data, size);
            enum haul_status status = decode(type, torn, size);
            if (status == HAUL_OK) {
                check_encodes_to(&decoded, slice_of(torn, size));
                message_release(&decoded);
            } else {
                check_status(status, HAUL_PROTOCOL);
            }
            free(torn);
        }
        drop(bytes);
    }
}

/* Replace every byte of every message by some others: any result but a crash or a leak. */
static void test_message_decode__any_byte_changed__an_answer(void)
{
    static const uint8_t masks[] = {0x01, 0x07, 0x08, 0x80, 0xff};
    for (unsigned type = 1; type <= MESSAGE_COUNT; type++) {
        struct haul_slice bytes = sample(type);
        uint8_t *changed = (uint8_t *)(uintptr_t)bytes.data;
        for (size_t i = 0; i < bytes.size * CHECK_COUNT(masks); i++) {
            size_t at = i / CHECK_COUNT(masks);
            uint8_t mask = masks[i % CHECK_COUNT(masks)];
            changed[at] ^= mask;
            enum haul_status status = decode(type, changed, bytes.size);
            check(status == HAUL_OK || status == HAUL_PROTOCOL);
            if (status == HAUL_OK) {
                message_release(&decoded);
            }
            changed[at] ^= mask;
        }
        drop(bytes);
    }
}

static void check_refused(unsigned type, const void *bytes, size_t size)
{
    check_status(decode(type, bytes, size), HAUL_PROTOCOL);
    check_equal(error.status, HAUL_PROTOCOL);
    check(strstr(error.text, message_name(type)) != NULL);
}

static void test_message_decode__unknown_type__protocol(void)
{
    static const unsigned types[] = {0, MESSAGE_COUNT + 1, 255, UINT32_MAX};
    for (size_t i = 0; i < CHECK_COUNT(types); i++) {
        check_status(decode(types[i], "", 0), HAUL_PROTOCOL);
        check_equal(error.status, HAUL_PROTOCOL);
    }
}

static void test_message_decode__field_of_another_wire_type__protocol(void)
{
    check_refused(MESSAGE_COMMIT, "\x0a\x01x", 3);            /* a number as a string */
    check_refused(MESSAGE_HELLO, "\x18\x01", 2);              /* a string as a number */
    check_refused(MESSAGE_HELLO, "\x20\x01", 2);              /* bytes as a number */
    check_refused(MESSAGE_PLAN, "\x08\x01", 2);               /* a message as a number */
    check_refused(MESSAGE_COMMIT, "\x0d\x01\x00\x00\x00", 5); /* as fixed 32 bits */
    check_refused(MESSAGE_COMMIT, "\x0b\x0c", 2);             /* a group */
}

static void test_message_decode__number_too_large_for_its_field__protocol(void)
{
    check_refused(MESSAGE_HELLO, "\x08\x80\x80\x80\x80\x10", 6); /* 2^32 as uint32 */
    check_refused(MESSAGE_COMMIT, "\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 12);
}

static void test_message_decode__length_beyond_the_body__protocol(void)
{
    check_refused(MESSAGE_HELLO, "\x22\x10short", 7);
    check_refused(MESSAGE_HELLO, "\x22\xff\xff\xff\xff\x0f", 6);
    check_refused(MESSAGE_PLAN,
                  "\x12\x0a\x0a\x02"
                  "ab",
                  6);
    /* The inner string is longer than the message around it. */
    check_refused(MESSAGE_PLAN,
                  "\x12\x03\x0a\x04"
                  "abcd",
                  8);
}

/* One field of `size` bytes, number `tag`, as a body. */
static struct haul_slice long_field(uint8_t tag, size_t size)
{
    static uint8_t body[1024];
    haul_assert(size < sizeof(body) - 3);
    memset(body, 'x', sizeof(body));
    body[0] = (uint8_t)(tag << 3 | 2);
    uint8_t *at = put_varint32(body + 1, (uint32_t)size);
    return slice_of(body, (size_t)(at - body) + size);
}

static void check_longest(unsigned type, uint8_t tag, size_t size)
{
    struct haul_slice body = long_field(tag, size);
    check_status(decode(type, body.data, body.size), HAUL_OK);
    message_release(&decoded);
    body = long_field(tag, size + 1);
    check_refused(type, body.data, body.size);
}

static void test_message_decode__longest_field_and_one_byte_more__ok_and_protocol(void)
{
    check_longest(MESSAGE_HELLO, haul_control_Hello_job_tag, 16);
    check_longest(MESSAGE_HELLO, haul_control_Hello_software_tag, 63);
    check_longest(MESSAGE_HELLO, haul_control_Hello_source_identity_tag, 64);
    check_longest(MESSAGE_WELCOME, haul_control_Welcome_token_tag, MESSAGE_TOKEN_BYTES);
    check_longest(MESSAGE_WELCOME, haul_control_Welcome_session_tag, MESSAGE_SESSION_BYTES);
    check_longest(MESSAGE_LINK, haul_control_LinkDescription_description_tag, 96);
    check_longest(MESSAGE_ABORT, haul_control_Abort_text_tag, 255);
    check_longest(MESSAGE_REFUSED, haul_control_Refused_hint_tag, 255);
}

/* --- byte strings of one length --------------------------------------------------------------- */

/* By the comments of control.proto. */
static const struct {
    enum message_type type;
    uint32_t tag;
    size_t unit; /* 0: any length */
    bool is_list;
} byte_strings[] = {
    {MESSAGE_HELLO, haul_control_Hello_job_tag, 16, false},
    {MESSAGE_HELLO, haul_control_Hello_source_identity_tag, 0, false},
    {MESSAGE_HELLO, haul_control_Hello_secret_tag, 0, false},
    {MESSAGE_WELCOME, haul_control_Welcome_target_identity_tag, 0, false},
    {MESSAGE_WELCOME, haul_control_Welcome_token_tag, 16, false},
    {MESSAGE_WELCOME, haul_control_Welcome_session_tag, 16, false},
    {MESSAGE_WELCOME, haul_control_Welcome_waiting_tag, 16, true},
    {MESSAGE_WELCOME, haul_control_Welcome_given_back_by_tag, 16, false},
    {MESSAGE_WELCOME, haul_control_Welcome_between_tag, 16, true},
    {MESSAGE_PLAN, haul_control_Plan_supersedes_tag, 16, true},
    {MESSAGE_PLAN, haul_control_Plan_supersedes_proofs_tag, 32, true},
    {MESSAGE_PLAN, haul_control_Plan_between_tag, 16, true},
    {MESSAGE_PLAN, haul_control_Plan_lost_tag, 16, true},
    {MESSAGE_PLAN, haul_control_Plan_digest_key_tag, 32, false},
    {MESSAGE_PLAN, haul_control_Plan_proof_tag, 32, false},
    {MESSAGE_LINK, haul_control_LinkDescription_description_tag, 0, false},
    {MESSAGE_COMMIT, haul_control_Commit_proof_tag, 32, false},
    {MESSAGE_ABORT, haul_control_Abort_jobs_tag, 16, true},
    {MESSAGE_ABORT, haul_control_Abort_proof_tag, 32, false},
    {MESSAGE_ABORT, haul_control_Abort_job_proofs_tag, 32, true},
    {MESSAGE_REFUSED, haul_control_Refused_owned_job_tag, 16, false},
    {MESSAGE_REFUSED, haul_control_Refused_lost_tag, 16, true},
    {MESSAGE_STOP, haul_control_Stop_lost_tag, 16, true},
    {MESSAGE_VERIFY_SCAN, haul_control_VerifyScan_after_tag, 0, false},
    {MESSAGE_VERIFY_SCAN, haul_control_VerifyScan_digest_key_tag, 32, false},
};

static enum haul_status decode_string(enum message_type type, uint32_t tag, size_t size)
{
    uint8_t body[128] = {0};
    uint8_t *at = put_varint32(body, tag << 3 | PB_WT_STRING);
    at = put_varint32(at, (uint32_t)size);
    memset(at, 7, size);
    enum haul_status status = decode(type, body, (size_t)(at - body) + size);
    if (status == HAUL_OK) {
        message_release(&decoded);
    }
    return status;
}

/* A key of 31 bytes is no key, and not "none" either. */
static void test_message_decode__byte_string_of_another_length__protocol(void)
{
    for (size_t i = 0; i < CHECK_COUNT(byte_strings); i++) {
        enum message_type type = byte_strings[i].type;
        uint32_t tag = byte_strings[i].tag;
        size_t unit = byte_strings[i].unit;
        check_status(decode_string(type, tag, 0), HAUL_OK);
        if (unit == 0) {
            check_status(decode_string(type, tag, 5), HAUL_OK);
            continue;
        }
        check_status(decode_string(type, tag, unit), HAUL_OK);
        check_error(decode_string(type, tag, 1), HAUL_PROTOCOL, error);
        check_error(decode_string(type, tag, unit - 1), HAUL_PROTOCOL, error);
        check_error(decode_string(type, tag, unit + 1), HAUL_PROTOCOL, error);
        check_status(decode_string(type, tag, 2 * unit),
                     byte_strings[i].is_list ? HAUL_OK : HAUL_PROTOCOL);
    }
}

/* A byte string that somebody adds has a length, too. */
static void test_message_decode__byte_strings__all_are_checked(void)
{
    static const struct {
        enum message_type type;
        const pb_msgdesc_t *fields;
    } messages[] = {
#define MESSAGE_FIELDS(name, value, member, proto) {MESSAGE_##name, haul_control_##proto##_fields},
        MESSAGE_LIST(MESSAGE_FIELDS)
#undef MESSAGE_FIELDS
    };
    size_t found = 0;
    for (size_t i = 0; i < CHECK_COUNT(messages); i++) {
        pb_field_iter_t field;
        bool more = pb_field_iter_begin(&field, messages[i].fields, &message.as);
        for (; more; more = pb_field_iter_next(&field)) {
            bool listed = PB_LTYPE(field.type) != PB_LTYPE_BYTES;
            found += listed ? 0 : 1;
            for (size_t j = 0; j < CHECK_COUNT(byte_strings) && !listed; j++) {
                listed =
                    byte_strings[j].type == messages[i].type && byte_strings[j].tag == field.tag;
            }
            check(listed);
        }
    }
    check_equal(found, CHECK_COUNT(byte_strings));
}

/* Truncated at the NUL byte the name would be "a", which is another family. */
static void test_message_decode__text_with_a_nul_byte__protocol(void)
{
    check_refused(MESSAGE_PLAN,
                  "\x0a\x05\x0a\x03"
                  "a\0b",
                  7);
    check_refused(MESSAGE_PLAN, "\x0a\x03\x0a\x01\0", 5);
    check_refused(MESSAGE_PLAN,
                  "\xa2\x01\x02"
                  "a\0",
                  5); /* an option set */
    check_refused(MESSAGE_REFUSED, "\x12\x02\0x", 4);
    check_refused(MESSAGE_PLAN,
                  "\x0a\x04\x0a\x02"
                  "ab"
                  "\x0a\x04\x0a\x02"
                  "c\0",
                  12);
}

static void test_message_decode__bytes_with_a_nul_byte__as_they_are(void)
{
    check_status(decode(MESSAGE_PLAN, "\x12\x04\x0a\x02\0x", 6), HAUL_OK);
    check(slice_compare(message_slice(decoded.as.plan.ranges[0].start), slice_of("\0x", 2)) == 0);
    message_release(&decoded);
}

static void test_message_is_identity__sound_and_others__true_and_false(void)
{
    static const char longest[] =
        "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    check(message_is_identity((const uint8_t *)"a", 1));
    check(message_is_identity((const uint8_t *)longest, HAUL_IDENTITY_BYTES_MAX - 1));
    check(!message_is_identity((const uint8_t *)longest, HAUL_IDENTITY_BYTES_MAX));
    check(!message_is_identity((const uint8_t *)"", 0));
    check(!message_is_identity((const uint8_t *)"a\0b", 3));
    check(message_is_identity((const uint8_t *)"a b", 3));
    check(!message_is_identity((const uint8_t *)"a\x1f", 2));
    check(!message_is_identity((const uint8_t *)"a\x7f", 2));
}

static void test_message_decode__family_name_too_long__protocol(void)
{
    struct haul_slice name = long_field(haul_control_Family_name_tag, 128);
    uint8_t body[256];
    body[0] = haul_control_Plan_families_tag << 3 | 2;
    uint8_t *at = put_varint32(body + 1, (uint32_t)name.size);
    memcpy(at, name.data, name.size);
    check_refused(MESSAGE_PLAN, body, (size_t)(at - body) + name.size);
}

/* A newer peer may send more: unknown fields are skipped. */
static void test_message_decode__unknown_fields__ignored(void)
{
    static const char body[] = "\x08\x07"         /* new_version 7 */
                               "\xf8\x07\x2a"     /* field 127, a number */
                               "\xfa\x07\x03n\0w" /* field 127, a string */
                               "\x10\x09";        /* epoch 9 */
    check_status(decode(MESSAGE_COMMIT, body, sizeof(body) - 1), HAUL_OK);
    check_equal(decoded.as.commit.new_version, 7);
    check_equal(decoded.as.commit.epoch, 9);
    message_release(&decoded);
    /* Not a text of ours, although all the message's own fields are valid. */
    static const char stop[] = "\x0a\x03why\xfa\x07\x03n\0w";
    check_status(decode(MESSAGE_STOP, stop, sizeof(stop) - 1), HAUL_OK);
    check_text(decoded.as.stop.text, "why");
    message_release(&decoded);
    /* What would be a family whose name has a NUL byte, in an unknown field behind a family. */
    static const char plan[] = "\x0a\x03\x0a\x01k\xfa\x07\x04\x0a\x02n\0";
    check_status(decode(MESSAGE_PLAN, plan, sizeof(plan) - 1), HAUL_OK);
    check_equal(decoded.as.plan.families_count, 1);
    message_release(&decoded);
}

/* Two bytes each on the wire, and hundreds in memory. */
static void test_message_decode__more_fields_than_a_message_has__protocol(void)
{
    size_t size = 2 * (size_t)(MESSAGE_FIELD_COUNT_MAX + 1);
    uint8_t *body = calloc(1, size);
    check_or_stop(body != NULL);
    for (size_t at = 0; at < size; at += 2) {
        body[at] = (1 << 3) | 2; /* families, empty */
    }
    check_refused(MESSAGE_PLAN, body, size);
    check_status(decode(MESSAGE_PLAN, body, size - 2), HAUL_OK);
    check_equal(decoded.as.plan.families_count, MESSAGE_FIELD_COUNT_MAX);
    message_release(&decoded);
    free(body);
}

static void test_message_decode__field_number_zero__protocol(void)
{
    check_refused(MESSAGE_COMMIT, "\x02\x01x", 3);
}

/* --- byte strings ----------------------------------------------------------------------------- */

static void test_message_bytes__longest_and_one_byte_more__copy_and_null(void)
{
    uint8_t *key = zeroed(MESSAGE_BYTES_MAX + 1, 1);
    pb_bytes_array_t *bytes = message_bytes(slice_of(key, MESSAGE_BYTES_MAX));
    check_or_stop(bytes != NULL);
    check(slice_compare(message_slice(bytes), slice_of(key, MESSAGE_BYTES_MAX)) == 0);
    free(bytes);
    check(message_bytes(slice_of(key, MESSAGE_BYTES_MAX + 1)) == NULL);
    free(key);
}

static void test_message_slice__null_and_empty__empty(void)
{
    check_equal(message_slice(NULL).size, 0);
    pb_bytes_array_t *bytes = message_bytes(slice_of(NULL, 0));
    check_or_stop(bytes != NULL);
    check_equal(message_slice(bytes).size, 0);
    free(bytes);
}

static void test_message_release__twice__harmless(void)
{
    fill(MESSAGE_PLAN);
    message_release(&message);
    message_release(&message);
    check_equal(message.type, 0);
}

static const struct check_test tests[] = {
    CHECK_TEST(test_message_decode__every_type__encodes_to_the_same_bytes),
    CHECK_TEST(test_message_decode__messages_without_pointers__equal),
    CHECK_TEST(test_message_decode__hello__every_field),
    CHECK_TEST(test_message_decode__plan__binary_keys_and_absent_ones),
    CHECK_TEST(test_message_decode__plan_accepted__ids_and_positions),
    CHECK_TEST(test_message_encode__nothing_set__empty_and_read_again),
    CHECK_TEST(test_message_encode__commit__bytes_of_the_format),
    CHECK_TEST(test_message_encode__text_that_does_not_end__invalid),
    CHECK_TEST(test_message_name__every_type_and_others__name_or_question_mark),
    CHECK_TEST(test_message_decode__torn_at_every_byte__refused_or_exactly_the_rest),
    CHECK_TEST(test_message_decode__any_byte_changed__an_answer),
    CHECK_TEST(test_message_decode__unknown_type__protocol),
    CHECK_TEST(test_message_decode__field_of_another_wire_type__protocol),
    CHECK_TEST(test_message_decode__number_too_large_for_its_field__protocol),
    CHECK_TEST(test_message_decode__length_beyond_the_body__protocol),
    CHECK_TEST(test_message_decode__longest_field_and_one_byte_more__ok_and_protocol),
    CHECK_TEST(test_message_decode__byte_string_of_another_length__protocol),
    CHECK_TEST(test_message_decode__byte_strings__all_are_checked),
    CHECK_TEST(test_message_decode__text_with_a_nul_byte__protocol),
    CHECK_TEST(test_message_decode__bytes_with_a_nul_byte__as_they_are),
    CHECK_TEST(test_message_is_identity__sound_and_others__true_and_false),
    CHECK_TEST(test_message_decode__family_name_too_long__protocol),
    CHECK_TEST(test_message_decode__unknown_fields__ignored),
    CHECK_TEST(test_message_decode__more_fields_than_a_message_has__protocol),
    CHECK_TEST(test_message_decode__field_number_zero__protocol),
    CHECK_TEST(test_message_bytes__longest_and_one_byte_more__copy_and_null),
    CHECK_TEST(test_message_slice__null_and_empty__empty),
    CHECK_TEST(test_message_release__twice__harmless),
};

CHECK_MAIN("message", tests)
