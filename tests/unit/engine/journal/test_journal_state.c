/* SPDX-License-Identifier: Apache-2.0 */
/* test_journal_state.c — which record may follow which, what state they lead to, and who owns
 * then. */
#include "journal_state.h"

#include <stdlib.h>

#include "journal_samples.h"

enum { SEED = 0x5eed, FILE_BYTES = 8192, WALK_COUNT = 2000, WALK_STEPS = 40 };

static enum haul_status step(struct journal_state *state, const struct journal_record *record)
{
    enum haul_status status = journal_state_reserve(state, record, NULL);
    if (status == HAUL_OK) {
        journal_state_apply(state, record);
    }
    return status;
}

static void run(struct journal_state *state, const struct journal_record *records, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        check_status(step(state, &records[i]), HAUL_OK);
    }
}

/* One record of each type, to try each in each phase. */
static const struct journal_record one_of_each[] = {
    SAMPLE_PLAN,
    SAMPLE_ABORTED,
    {.type = JOURNAL_DONE},
    {.type = JOURNAL_SNAPSHOT, .snapshot = {.sequence = 1, .wal_sequence = 2}},
    {.type = JOURNAL_FROZEN, .frozen_sequence = 5},
    {.type = JOURNAL_UNFROZEN},
    SAMPLE_DECISION(true),
    {.type = JOURNAL_RELEASED},
    SAMPLE_POSITION,
    SAMPLE_DELTA(1, 1),
    {.type = JOURNAL_PREPARED, .prepared = &sample_prepared},
    {.type = JOURNAL_COMMITTED, .committed = {.new_version = 5, .epoch = 77}},
    {.type = JOURNAL_CLEARED},
    {.type = JOURNAL_EPOCH, .epoch = 2},
    SAMPLE_PEER("host:9"),
    SAMPLE_FAMILY,
    {.type = JOURNAL_RESTORED},
    {.type = JOURNAL_HELD, .held = {.sequence = 9, .manifest = 4, .manifest_bytes = 100}},
    {.type = JOURNAL_PARTED},
};

struct phase_case {
    const char *path;    /* records that lead to the phase, by their letters below */
    const char *allowed; /* records that may follow */
};

/* Letters in the order of one_of_each. */
static const char letters[] = "PADSFUCRpdrcxebfohq";

static const struct journal_record *by_letter(char letter)
{
    const char *found = strchr(letters, letter);
    check_or_stop(found != NULL);
    return &one_of_each[found - letters];
}

static void check_phase(enum journal_role role, const struct phase_case *phase)
{
    for (const char *letter = letters; *letter != '\0'; letter++) {
        struct journal_state state;
        char before[SAMPLE_TEXT_BYTES];
        char after[SAMPLE_TEXT_BYTES];
        journal_state_init(&state, role);
        for (const char *at = phase->path; *at != '\0'; at++) {
            check_status(step(&state, by_letter(*at)), HAUL_OK);
        }
        sample_text(&state, before);
        bool allowed = strchr(phase->allowed, *letter) != NULL;
        enum haul_status status = step(&state, by_letter(*letter));
        sample_text(&state, after);
        if ((status == HAUL_OK) != allowed) {
            (void)printf("  after '%s': '%c' gives %s\n", phase->path, *letter,
                         haul_status_name(status));
        }
        check_equal(status, allowed ? HAUL_OK : HAUL_INVALID);
        check_equal(strcmp(before, after) != 0, allowed);
        journal_state_fini(&state);
    }
}

static void test_journal_state_reserve__source_phases__only_listed_records_follow(void)
{
    static const struct phase_case cases[] = {
        {"", "PAb"},       {"P", "ASbo"},     {"PS", "ASFbo"},    {"PSF", "AFUCob"},
        {"PSFU", "ASFbo"}, {"PSFC", "Roq"},   {"PSFCR", "Doq"},   {"PSFCRD", ""},
        {"PSA", "Do"},     {"PSFA", "Uo"},    {"PSFAU", "Do"},    {"A", "Do"},
        {"PSFAUD", ""},    {"PSb", "ASFbo"},  {"PSbF", "AFUCob"}, {"PSFo", "AFUCobq"},
        {"PSo", "ASFboq"}, {"PSob", "ASFbo"}, {"PSFCo", "Roq"},   {"PSFCRq", "Doq"},
        {"PSAo", "Doq"},   {"PSAoq", "Doq"},
    };
    for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
        check_phase(JOURNAL_SOURCE, &cases[i]);
    }
}

/* The target's last message counts, and never makes a decided job undecided. */
static void test_journal_state_apply__given_back_behind_the_decision__a_part_or_all(void)
{
    static const struct {
        const char *path;
        bool parted;
        bool returned;
    } cases[] = {{"PSFoqCR", false, false},
                 {"PSFCRq", true, false},
                 {"PSFCRo", false, true},
                 {"PSFCRqo", false, true},
                 {"PSFCoRq", true, false}};
    for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
        struct journal_state state;
        journal_state_init(&state, JOURNAL_SOURCE);
        for (const char *at = cases[i].path; *at != '\0'; at++) {
            check_status(step(&state, by_letter(*at)), HAUL_OK);
        }
        check_equal(state.parted, cases[i].parted);
        check_equal(state.returned, cases[i].returned);
        check_equal(state.restored, i == 0);
        check_equal(journal_state_claim(&state), JOURNAL_YIELDS);
        journal_state_fini(&state);
    }
}

/* Each attempt takes its own view: the number of views is the epoch. */
static void test_journal_state_apply__snapshot_after_a_restart__counted(void)
{
    struct journal_state state;
    journal_state_init(&state, JOURNAL_SOURCE);
    run(&state, one_of_each, 1);
    check_equal(state.snapshot_count, 0);
    check_status(step(&state, by_letter('S')), HAUL_OK);
    check_equal(state.snapshot_count, 1);
    check_status(step(&state, by_letter('S')), HAUL_OK);
    check_equal(state.snapshot_count, 2);
    journal_state_fini(&state);
}

static void test_journal_state_reserve__target_phases__only_listed_records_follow(void)
{
    static const struct phase_case cases[] = {
        {"", "PAbf"},       {"bf", "PAbf"},    {"P", "Apdrxebh"},   {"Pd", "Apdrxebh"},
        {"Px", "Apdrxebh"}, {"Pr", "Adrceh"},  {"Prd", "Apdrxebh"}, {"Pe", "Apdrxbh"},
        {"Pre", "Apdrxbh"}, {"Prc", "D"},      {"PrcD", ""},        {"PA", "x"},
        {"Ph", "Apdrxebh"}, {"Phr", "Adrceh"}, {"PrA", "x"},        {"PAx", "D"},
        {"A", "Dx"},        {"PAxD", ""},
    };
    for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
        check_phase(JOURNAL_TARGET, &cases[i]);
    }
}

static void test_journal_state_reserve__decision_abort__reason_may_follow_once(void)
{
    const struct journal_record abort_decision = SAMPLE_DECISION(false);
    const struct journal_record aborted = SAMPLE_ABORTED;
    struct journal_state state;
    journal_state_init(&state, JOURNAL_SOURCE);
    run(&state, sample_source, 3);
    check_status(step(&state, &abort_decision), HAUL_OK);
    check_equal(state.phase, JOURNAL_PHASE_ABORTED);
    check(state.frozen);
    check_status(step(&state, &sample_source[9]), HAUL_INVALID); /* DONE while frozen */
    check_status(step(&state, &aborted), HAUL_OK);
    check_status(step(&state, &aborted), HAUL_INVALID);
    check_text(state.abort_text, "too slow");
    check_equal(state.abort_status, HAUL_TIMEOUT);
    journal_state_fini(&state);
}

static void test_journal_state_reserve__committed_otherwise_than_prepared__invalid(void)
{
    const struct journal_record committed[] = {
        {.type = JOURNAL_COMMITTED, .committed = {.new_version = 5, .epoch = 78}},
        {.type = JOURNAL_COMMITTED, .committed = {.new_version = 6, .epoch = 77}}};
    struct journal_state state;
    journal_state_init(&state, JOURNAL_TARGET);
    run(&state, sample_target, 10);
    check_status(step(&state, &committed[0]), HAUL_INVALID);
    check_status(step(&state, &committed[1]), HAUL_INVALID);
    journal_state_fini(&state);
}

static void test_journal_state_reserve__delta_goes_back__invalid(void)
{
    const struct journal_record forward = SAMPLE_DELTA(7, 70);
    const struct journal_record batch_back = SAMPLE_DELTA(6, 71);
    const struct journal_record log_back = SAMPLE_DELTA(8, 69);
    struct journal_state state;
    journal_state_init(&state, JOURNAL_TARGET);
    run(&state, sample_target, 2);
    check_status(step(&state, &forward), HAUL_OK);
    check_status(step(&state, &batch_back), HAUL_INVALID);
    check_status(step(&state, &log_back), HAUL_INVALID);
    check_status(step(&state, &forward), HAUL_OK);
    journal_state_fini(&state);
}

static void test_journal_state_reserve__version_does_not_grow__invalid(void)
{
    struct journal_prepared prepared = sample_prepared;
    prepared.new_version = prepared.old_version;
    const struct journal_record record = {.type = JOURNAL_PREPARED, .prepared = &prepared};
    struct journal_state state;
    journal_state_init(&state, JOURNAL_TARGET);
    run(&state, sample_target, 2);
    check_status(step(&state, &record), HAUL_INVALID);
    journal_state_fini(&state);
}

static void test_journal_state_reserve__another_peer__invalid(void)
{
    const struct journal_record moved = SAMPLE_PEER("host:4");
    const struct journal_record other = {
        .type = JOURNAL_PEER, .peer = {.identity = slice_of((const uint8_t *)"id/34", 5)}};
    const struct journal_record longer = {
        .type = JOURNAL_PEER, .peer = {.identity = slice_of((const uint8_t *)"id/123", 6)}};
    struct journal_state state;
    journal_state_init(&state, JOURNAL_TARGET);
    run(&state, sample_target, 9);
    check_status(step(&state, &other), HAUL_INVALID);
    check_status(step(&state, &longer), HAUL_INVALID);
    check_text(state.peer, "id/12");
    check_text(state.peer_address, "host:3");
    check_status(step(&state, &moved), HAUL_OK);
    check_text(state.peer_address, "host:4");
    journal_state_fini(&state);
}

static enum haul_status step_position(struct journal_state *state, uint64_t next_batch,
                                      bool finished)
{
    struct stream_position position = sample_positions[0];
    position.next_batch = next_batch;
    position.finished = finished;
    const struct journal_record record = {.type = JOURNAL_POSITION,
                                          .positions = {.items = &position, .count = 1}};
    return step(state, &record);
}

static void test_journal_state_reserve__position_goes_back__invalid(void)
{
    struct journal_state state;
    journal_state_init(&state, JOURNAL_TARGET);
    run(&state, sample_target, 1);
    check_status(step_position(&state, 5, false), HAUL_OK);
    check_status(step_position(&state, 4, false), HAUL_INVALID);
    check_status(step_position(&state, 5, true), HAUL_OK);
    check_status(step_position(&state, 6, true), HAUL_INVALID);
    check_equal(journal_state_position(&state, 7)->next_batch, 5);
    journal_state_fini(&state);
}

static void test_journal_state_reserve__stream_twice_in_a_record__invalid(void)
{
    struct stream_position twice[2] = {sample_positions[0], sample_positions[0]};
    const struct journal_record record = {.type = JOURNAL_POSITION,
                                          .positions = {.items = twice, .count = 2}};
    struct journal_state state;
    journal_state_init(&state, JOURNAL_TARGET);
    run(&state, sample_target, 1);
    check_status(step(&state, &record), HAUL_INVALID);
    journal_state_fini(&state);
}

static void test_journal_state_reserve__too_many_streams__limit_and_unchanged(void)
{
    struct journal_state state;
    struct stream_position position = sample_positions[0];
    const struct journal_record record = {.type = JOURNAL_POSITION,
                                          .positions = {.items = &position, .count = 1}};
    journal_state_init(&state, JOURNAL_TARGET);
    run(&state, sample_target, 1);
    for (uint32_t i = 0; i < JOURNAL_STREAM_COUNT_MAX; i++) {
        position.stream = i;
        check_status(step(&state, &record), HAUL_OK);
    }
    position.stream = JOURNAL_STREAM_COUNT_MAX;
    check_status(step(&state, &record), HAUL_LIMIT);
    check_equal(state.stream_count, JOURNAL_STREAM_COUNT_MAX);
    journal_state_fini(&state);
}

static void test_journal_state_reserve__without_apply__changes_nothing(void)
{
    struct journal_state state;
    char before[SAMPLE_TEXT_BYTES];
    char after[SAMPLE_TEXT_BYTES];
    journal_state_init(&state, JOURNAL_TARGET);
    for (size_t i = 0; i < CHECK_COUNT(sample_target); i++) {
        sample_text(&state, before);
        check_status(journal_state_reserve(&state, &sample_target[i], NULL), HAUL_OK);
        sample_text(&state, after);
        check_text(after, before);
        journal_state_apply(&state, &sample_target[i]);
    }
    journal_state_fini(&state);
}

static void test_journal_state_apply__cleared__positions_are_gone(void)
{
    struct journal_state state;
    journal_state_init(&state, JOURNAL_TARGET);
    run(&state, sample_target, 2);
    check(journal_state_position(&state, 7) != NULL);
    run(&state, sample_target + 2, 1);
    check(journal_state_position(&state, 7) == NULL);
    check_equal(state.phase, JOURNAL_PHASE_PLANNED);
    journal_state_fini(&state);
}

/* --- replay ----------------------------------------------------------------------------------- */

static uint8_t file[FILE_BYTES];
static size_t file_ends[16]; /* behind each record */

/* Write the target's records, with a sync after each unless its bit in `unsynced` is set. */
static size_t write_file(unsigned unsynced)
{
    size_t at = 0;
    for (size_t i = 0; i < CHECK_COUNT(sample_target); i++) {
        const struct journal_frame frame = {
            .seed = SEED,
            .flags = (unsynced >> i & 1) != 0 ? 0 : JOURNAL_FRAME_AFTER_SYNC,
            .number = i + 1,
        };
        size_t size = 0;
        check_status(journal_record_size(&sample_target[i], &size), HAUL_OK);
        check_or_stop(at + size <= FILE_BYTES);
        journal_record_encode(&sample_target[i], &frame, file + at);
        at += size;
        file_ends[i] = at;
    }
    return at;
}

static enum haul_status replay(size_t size, uint64_t *record_count, size_t *sound_size)
{
    struct journal_state state;
    journal_state_init(&state, JOURNAL_TARGET);
    enum haul_status status =
        journal_state_replay(&state, SEED, slice_of(file, size), sound_size, NULL);
    *record_count = state.record_count;
    journal_state_fini(&state);
    return status;
}

static void test_journal_state_replay__cut_anywhere__whole_records_before_the_cut(void)
{
    size_t size = write_file(0);
    size_t whole = 0;
    for (size_t cut = 0; cut <= size; cut++) {
        uint64_t count = 0;
        size_t sound = 0;
        whole += whole < CHECK_COUNT(sample_target) && file_ends[whole] == cut;
        check_status(replay(cut, &count, &sound), HAUL_OK);
        check_equal(count, whole);
        check_equal(sound, whole == 0 ? 0 : file_ends[whole - 1]);
    }
    check_equal(whole, CHECK_COUNT(sample_target));
}

static void test_journal_state_replay__durable_record_damaged__corrupt_unless_the_last(void)
{
    size_t size = write_file(0);
    size_t last_start = file_ends[CHECK_COUNT(sample_target) - 2];
    for (size_t bit = 0; bit < size * 8; bit++) {
        uint64_t count = 0;
        size_t sound = 0;
        file[bit / 8] ^= (uint8_t)(1U << bit % 8);
        if (bit / 8 < last_start) {
            check_status(replay(size, &count, &sound), HAUL_CORRUPT);
        } else {
            check_status(replay(size, &count, &sound), HAUL_OK);
            check_equal(sound, last_start);
        }
        file[bit / 8] ^= (uint8_t)(1U << bit % 8);
    }
}

static void test_journal_state_replay__unsynced_record_torn_before_a_sound_one__cut_there(void)
{
    size_t size = write_file(~0U);
    uint64_t count = 0;
    size_t sound = 0;
    memset(file + file_ends[3], 0, file_ends[4] - file_ends[3]);
    check_status(replay(size, &count, &sound), HAUL_OK);
    check_equal(count, 4);
    check_equal(sound, file_ends[3]);
}

static void test_journal_state_replay__record_missing_in_between__corrupt(void)
{
    size_t size = write_file(0);
    uint64_t count = 0;
    size_t sound = 0;
    memmove(file + file_ends[3], file + file_ends[4], size - file_ends[4]);
    check_status(replay(size - (file_ends[4] - file_ends[3]), &count, &sound), HAUL_CORRUPT);
}

/* --- who owns --------------------------------------------------------------------------------- */

static uint64_t random_state;

static uint32_t random_below(uint32_t bound)
{
    random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(random_state >> 33) % bound;
}

/* What the target may learn from the source before it writes the record. */
static bool peer_allows(const struct journal_state *source, const struct journal_state *target,
                        enum journal_type type)
{
    switch (type) {
    case JOURNAL_COMMITTED:
        return source->outcome == JOURNAL_COMMIT;
    case JOURNAL_ABORTED:
        /* Only before PREPARED without the source. */
        return target->phase != JOURNAL_PHASE_PREPARED || source->outcome == JOURNAL_ABORT;
    case JOURNAL_DELTA:
    case JOURNAL_EPOCH:
        return target->phase != JOURNAL_PHASE_PREPARED || source->phase == JOURNAL_PHASE_COPYING;
    default:
        return true;
    }
}

/* The source decides for a commit only while the target is prepared. */
static bool source_allows(const struct journal_state *target, const struct journal_record *record)
{
    return record->type != JOURNAL_DECISION || target->phase == JOURNAL_PHASE_PREPARED;
}

static void test_journal_state_claim__random_walks_of_both_sides__never_two_owners(void)
{
    unsigned commits = 0;
    unsigned aborts = 0;
    for (unsigned walk = 0; walk < WALK_COUNT; walk++) {
        struct journal_state source;
        struct journal_state target;
        random_state = walk;
        journal_state_init(&source, JOURNAL_SOURCE);
        journal_state_init(&target, JOURNAL_TARGET);
        for (unsigned i = 0; i < WALK_STEPS * CHECK_COUNT(one_of_each); i++) {
            const struct journal_record *record =
                &one_of_each[random_below(CHECK_COUNT(one_of_each))];
            if (record->type == JOURNAL_ABORTED && random_below(8) != 0) {
                continue; /* rare, or it would end every walk */
            }
            bool at_source = random_below(2) == 0;
            if (at_source && source_allows(&target, record)) {
                (void)!step(&source, record);
            } else if (!at_source && peer_allows(&source, &target, record->type)) {
                (void)!step(&target, record);
            }
            check(journal_state_claim(&source) != JOURNAL_SERVES ||
                  journal_state_claim(&target) != JOURNAL_SERVES);
        }
        commits += journal_state_claim(&target) == JOURNAL_SERVES;
        aborts += source.outcome == JOURNAL_ABORT;
        journal_state_fini(&source);
        journal_state_fini(&target);
    }
    check(commits > 0);
    check(aborts > 0);
}

static void test_journal_state_claim__each_phase__as_the_recovery_table_says(void)
{
    static const enum journal_claim source_claims[] = {
        JOURNAL_SERVES, JOURNAL_SERVES,   JOURNAL_IN_DOUBT, JOURNAL_SERVES, JOURNAL_SERVES,
        JOURNAL_SERVES, JOURNAL_IN_DOUBT, JOURNAL_YIELDS,   JOURNAL_YIELDS, JOURNAL_YIELDS};
    static const enum journal_claim target_claims[] = {
        JOURNAL_YIELDS, JOURNAL_YIELDS,   JOURNAL_YIELDS,   JOURNAL_YIELDS,
        JOURNAL_YIELDS, JOURNAL_YIELDS,   JOURNAL_IN_DOUBT, JOURNAL_YIELDS,
        JOURNAL_YIELDS, JOURNAL_IN_DOUBT, JOURNAL_SERVES,   JOURNAL_SERVES};
    struct journal_state state;
    journal_state_init(&state, JOURNAL_SOURCE);
    for (size_t i = 0; i < CHECK_COUNT(sample_source); i++) {
        run(&state, &sample_source[i], 1);
        check_equal(journal_state_claim(&state), source_claims[i]);
    }
    journal_state_fini(&state);
    journal_state_init(&state, JOURNAL_TARGET);
    for (size_t i = 0; i < CHECK_COUNT(sample_target); i++) {
        run(&state, &sample_target[i], 1);
        check_equal(journal_state_claim(&state), target_claims[i]);
    }
    journal_state_fini(&state);
}

static const struct check_test tests[] = {
    CHECK_TEST(test_journal_state_reserve__source_phases__only_listed_records_follow),
    CHECK_TEST(test_journal_state_apply__given_back_behind_the_decision__a_part_or_all),
    CHECK_TEST(test_journal_state_apply__snapshot_after_a_restart__counted),
    CHECK_TEST(test_journal_state_reserve__target_phases__only_listed_records_follow),
    CHECK_TEST(test_journal_state_reserve__decision_abort__reason_may_follow_once),
    CHECK_TEST(test_journal_state_reserve__committed_otherwise_than_prepared__invalid),
    CHECK_TEST(test_journal_state_reserve__delta_goes_back__invalid),
    CHECK_TEST(test_journal_state_reserve__version_does_not_grow__invalid),
    CHECK_TEST(test_journal_state_reserve__another_peer__invalid),
    CHECK_TEST(test_journal_state_reserve__position_goes_back__invalid),
    CHECK_TEST(test_journal_state_reserve__stream_twice_in_a_record__invalid),
    CHECK_TEST(test_journal_state_reserve__too_many_streams__limit_and_unchanged),
    CHECK_TEST(test_journal_state_reserve__without_apply__changes_nothing),
    CHECK_TEST(test_journal_state_apply__cleared__positions_are_gone),
    CHECK_TEST(test_journal_state_replay__cut_anywhere__whole_records_before_the_cut),
    CHECK_TEST(test_journal_state_replay__durable_record_damaged__corrupt_unless_the_last),
    CHECK_TEST(test_journal_state_replay__unsynced_record_torn_before_a_sound_one__cut_there),
    CHECK_TEST(test_journal_state_replay__record_missing_in_between__corrupt),
    CHECK_TEST(test_journal_state_claim__random_walks_of_both_sides__never_two_owners),
    CHECK_TEST(test_journal_state_claim__each_phase__as_the_recovery_table_says),
};
CHECK_MAIN("journal_state", tests)
