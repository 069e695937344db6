/* SPDX-License-Identifier: Apache-2.0 */
/* corpus_message.c — one control message of each type, and plans of several shapes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "assertion.h"
#include "corpus_writer.h"
#include "key_range.h"
#include "message.h"
#include "plan.h"

static struct corpus_input input;

static void write_message(struct message *message, const char *name)
{
    uint8_t *bytes = NULL;
    size_t size = 0;
    enum haul_status status = message_encode(message, &bytes, &size);
    haul_assert(status == HAUL_OK);
    corpus_add_byte(&input, (unsigned)message->type);
    corpus_add(&input, bytes, size);
    corpus_write(&input, "message", name);
    free(bytes);
    message_release(message);
}

#define FILL_BYTES(field, character) \
    ((field).size = sizeof((field).bytes), memset((field).bytes, character, (field).size))

static void write_greetings(void)
{
    struct message message;
    message_init(&message, MESSAGE_HELLO);
    message.as.hello = (haul_control_Hello){.wire_version = MESSAGE_WIRE_VERSION,
                                            .journal_version = 1,
                                            .software = "haul",
                                            .epoch = 3,
                                            .config_version = 7,
                                            .config_version_known = true,
                                            .link_count = 4,
                                            .slot_size_bytes = 1 << 20,
                                            .resume = true,
                                            .peer_timeout_ms = 15000};
    FILL_BYTES(message.as.hello.job, 'j');
    FILL_BYTES(message.as.hello.source_identity, 'i');
    write_message(&message, "hello");

    message_init(&message, MESSAGE_WELCOME);
    message.as.welcome = (haul_control_Welcome){.wire_version = MESSAGE_WIRE_VERSION,
                                                .journal_version = 1,
                                                .software = "haul",
                                                .config_version = 7,
                                                .config_version_known = true,
                                                .transports_count = 2,
                                                .transports = {{1, "no device"}, {2, ""}},
                                                .slot_count = 64,
                                                .slot_size_bytes = 1 << 20,
                                                .job_phase = JOB_PREPARED,
                                                .peer_timeout_ms = 15000};
    FILL_BYTES(message.as.welcome.token, 't');
    FILL_BYTES(message.as.welcome.session, 's');
    write_message(&message, "welcome");

    message_init(&message, MESSAGE_LINK);
    message.as.link = (haul_control_LinkDescription){.index = 3, .transport = 2};
    FILL_BYTES(message.as.link.description, 'd');
    write_message(&message, "link");
}

static void *zeroed(size_t count, size_t size)
{
    void *memory = calloc(count, size);
    haul_assert(memory != NULL);
    return memory;
}

static void write_answers(void)
{
    struct message message;
    message_init(&message, MESSAGE_PLAN_ACCEPTED);
    haul_control_PlanAccepted *accepted = &message.as.plan_accepted;
    *accepted = (haul_control_PlanAccepted){.family_ids_count = 2,
                                            .family_ids = zeroed(2, sizeof(uint32_t)),
                                            .positions_count = 2,
                                            .positions = zeroed(2, sizeof(*accepted->positions)),
                                            .delta_next_batch = 5,
                                            .delta_sequence = 600,
                                            .lane = 1};
    accepted->family_ids[1] = 300;
    accepted->positions[0].last_key = message_bytes(slice_of("last", 4));
    accepted->positions[1] =
        (haul_control_StreamPosition){.stream = 1, .next_batch = 10, .finished = true};
    write_message(&message, "plan-accepted");

    message_init(&message, MESSAGE_PROGRESS);
    message.as.progress = (haul_control_Progress){.applied_records = 1000,
                                                  .applied_bytes = UINT64_C(1) << 40,
                                                  .snapshot_complete = true,
                                                  .delta_applied_batches = 9,
                                                  .metadata_complete = true};
    write_message(&message, "progress");

    message_init(&message, MESSAGE_ABORT);
    message.as.abort = (haul_control_Abort){.status = HAUL_CANCELLED, .text = "t", .hint = "h"};
    message.as.abort.jobs = message_bytes(slice_of("of sixteen bytes", 16));
    write_message(&message, "abort");
    message_init(&message, MESSAGE_ABORTED);
    message.as.aborted.cleared = true;
    write_message(&message, "aborted");
    message_init(&message, MESSAGE_REFUSED);
    message.as.refused = (haul_control_Refused){.status = HAUL_FENCED, .text = "t", .hint = "h"};
    write_message(&message, "refused");
}

static haul_control_FamilyDigest *digests(void)
{
    haul_control_FamilyDigest *made = zeroed(2, sizeof(*made));
    made[0] = (haul_control_FamilyDigest){
        .count = 3, .low = UINT64_MAX, .high = UINT64_C(1) << 63, .bytes = 1 << 20};
    return made;
}

static void write_decision(void)
{
    struct message message;
    message_init(&message, MESSAGE_PREPARE);
    message.as.prepare = (haul_control_Prepare){.frozen_sequence = 700,
                                                .delta_batches = 9,
                                                .old_version = 7,
                                                .new_version = 8,
                                                .epoch = 3,
                                                .digests_count = 2,
                                                .digests = digests()};
    write_message(&message, "prepare");
    message_init(&message, MESSAGE_PREPARED);
    message.as.prepared =
        (haul_control_Prepared){.digests_count = 2, .digests = digests(), .frozen_sequence = 700};
    write_message(&message, "prepared");
    message_init(&message, MESSAGE_COMMIT);
    message.as.commit = (haul_control_Commit){.new_version = 8, .epoch = 3};
    write_message(&message, "commit");
    message_init(&message, MESSAGE_COMMITTED);
    message.as.committed.new_version = 8;
    write_message(&message, "committed");
}

static void write_verify(void)
{
    struct message message;
    message_init(&message, MESSAGE_VERIFY_LIST);
    write_message(&message, "verify-list");

    message_init(&message, MESSAGE_VERIFY_FAMILIES);
    message.as.verify_families.families = zeroed(2, sizeof(haul_control_Family));
    message.as.verify_families.families_count = 2;
    message.as.verify_families.families[0] =
        (haul_control_Family){.name = "default", .comparator = "leveldb.BytewiseComparator"};
    write_message(&message, "verify-families");

    message_init(&message, MESSAGE_VERIFY_SCAN);
    haul_control_VerifyScan *scan = &message.as.verify_scan;
    *scan = (haul_control_VerifyScan){.scan = 3,
                                      .family = "default",
                                      .ranges_count = 1,
                                      .ranges = zeroed(1, sizeof(*scan->ranges)),
                                      .single = true,
                                      .continues = true,
                                      .after = message_bytes(slice_of("after", 5))};
    scan->ranges[0].start = message_bytes(slice_of("a", 1));
    write_message(&message, "verify-scan");

    message_init(&message, MESSAGE_VERIFY_NEXT);
    message.as.verify_next.scan = 3;
    write_message(&message, "verify-next");

    message_init(&message, MESSAGE_VERIFY_PIECES);
    haul_control_VerifyPieces *pieces = &message.as.verify_pieces;
    *pieces = (haul_control_VerifyPieces){
        .scan = 3, .pieces_count = 2, .pieces = zeroed(2, sizeof(*pieces->pieces)), .ended = true};
    pieces->pieces[0] = (haul_control_VerifyPiece){.records = 64, .bytes = 1 << 20, .low = 64};
    pieces->pieces[1] = (haul_control_VerifyPiece){
        .records = 1, .high = UINT64_MAX, .key = message_bytes(slice_of("key", 3)), .key_size = 3};
    write_message(&message, "verify-pieces");
}

static void set_range(struct key_range *range, const char *start, const char *end)
{
    enum haul_status status =
        key_range_init(range, slice_of(start, strlen(start)), slice_of(end, strlen(end)));
    haul_assert(status == HAUL_OK);
}

/* `bounds` NULL-terminated: start, end, start, end, ...; one stream for each family and range. */
static void write_plan(const char *name, const char *const *bounds, size_t family_count)
{
    struct plan plan = {.old_version = 7, .new_version = 8, .family_count = family_count};
    while (bounds[2 * plan.range_count] != NULL) {
        plan.range_count++;
    }
    plan.stream_count = family_count * plan.range_count;
    plan.families = zeroed(family_count, sizeof(*plan.families));
    plan.ranges = zeroed(plan.range_count, sizeof(*plan.ranges));
    plan.streams = zeroed(plan.stream_count, sizeof(*plan.streams));
    for (size_t i = 0; i < plan.range_count; i++) {
        set_range(&plan.ranges[i], bounds[2 * i], bounds[2 * i + 1]);
    }
    for (size_t i = 0; i < family_count; i++) {
        struct haul_family *family = &plan.families[i].family;
        (void)snprintf(family->name, sizeof(family->name), "family%zu", i);
        (void)snprintf(family->comparator, sizeof(family->comparator), "leveldb.Bytewise");
        family->id = (uint32_t)i;
        plan.families[i].metadata = i == 0;
    }
    for (size_t i = 0; i < plan.stream_count; i++) {
        size_t range = i % plan.range_count;
        plan.streams[i].id = (uint32_t)i;
        plan.streams[i].family = (uint32_t)(i / plan.range_count);
        plan.streams[i].bytes = 1 << 20;
        set_range(&plan.streams[i].range, bounds[2 * range], bounds[2 * range + 1]);
    }
    struct message message;
    enum haul_status status = plan_to_message(&plan, &message);
    haul_assert(status == HAUL_OK);
    write_message(&message, name);
    plan_fini(&plan);
}

void corpus_message(void)
{
    static const char *const whole[] = {"", "", NULL};
    static const char *const three[] = {"a", "c", "c", "m", "m", "", NULL};
    write_greetings();
    write_plan("plan-whole", whole, 1);
    write_plan("plan-families", whole, 3);
    write_plan("plan-ranges", three, 2);
    write_answers();
    write_decision();
    write_verify();
}
