/* SPDX-License-Identifier: Apache-2.0 */
/* corpus_target_session.c — jobs of a target, as scripts of events. */
#include "corpus_writer.h"

/* As in fuzz_target_session.c. */
enum step {
    STEP_HELLO,
    STEP_PLAN,
    STEP_PREPARE,
    STEP_COMMIT,
    STEP_ABORT,
    STEP_MESSAGE,
    STEP_CHANNEL_DOWN,
    STEP_LOOKED_UP,
    STEP_CHECKED,
    STEP_APPLIED,
    STEP_FLUSHED,
    STEP_RECORDED,
    STEP_OWNED,
    STEP_CLEARED,
    STEP_FAILED,
    STEP_CANCEL,
    STEP_TICK,
};

enum { LOOKED_UP_COPYING = 1, LOOKED_UP_PREPARED = 2, LOOKED_UP_COMMITTED = 3 };

static struct corpus_input input;

static void add(enum step step, unsigned a, unsigned b)
{
    corpus_add_byte(&input, step);
    corpus_add_byte(&input, a);
    corpus_add_byte(&input, b);
}

static void write_case(const char *name)
{
    corpus_write(&input, "target_session", name);
}

static void add_receiving(void)
{
    add(STEP_HELLO, 4, 0);
    add(STEP_LOOKED_UP, 0, 0);
    add(STEP_PLAN, 1, 0);
    add(STEP_CHECKED, 0, 0);
    add(STEP_APPLIED, 2, 0);
}

static void add_prepared(void)
{
    add_receiving();
    add(STEP_PREPARE, 1, 2);
    add(STEP_FLUSHED, 0, 0);
    add(STEP_RECORDED, 0, 0);
}

static void write_resumed(void)
{
    add(STEP_HELLO, 2, 0);
    add(STEP_LOOKED_UP, LOOKED_UP_PREPARED, 4);
    add(STEP_COMMIT, 1, 1);
    add(STEP_COMMIT, 1, 0);
    add(STEP_OWNED, 0, 0);
    write_case("resumed-prepared");
    add(STEP_HELLO, 2, 0);
    add(STEP_LOOKED_UP, LOOKED_UP_COMMITTED, 0);
    add(STEP_CHANNEL_DOWN, 0, 0);
    write_case("resumed-committed");
    add(STEP_HELLO, 2, 0);
    add(STEP_LOOKED_UP, LOOKED_UP_COMMITTED, 0);
    add(STEP_ABORT, 4, 0);
    write_case("regression-abort-of-a-committed-job");
    add(STEP_HELLO, 2, 0);
    add(STEP_LOOKED_UP, LOOKED_UP_COMMITTED, 0);
    add(STEP_PLAN, 1, 0);
    add(STEP_CANCEL, 0, 3);
    write_case("regression-plan-of-a-committed-job");
    add(STEP_HELLO, 2, 0);
    add(STEP_LOOKED_UP, LOOKED_UP_COPYING, 0);
    add(STEP_ABORT, 4, 0);
    add(STEP_CLEARED, 0, 0);
    write_case("resumed-and-aborted");
}

void corpus_target_session(void)
{
    add_prepared();
    add(STEP_COMMIT, 1, 0);
    add(STEP_OWNED, 0, 0);
    write_case("committed");
    add_prepared();
    add(STEP_ABORT, 4, 0);
    add(STEP_CLEARED, 0, 0);
    write_case("aborted");
    add_prepared();
    add(STEP_APPLIED, 1, 0);
    add(STEP_PREPARE, 1, 3);
    add(STEP_FLUSHED, 0, 0);
    add(STEP_PREPARE, 1, 3);
    add(STEP_RECORDED, 0, 0);
    write_case("prepared-again");
    add_prepared();
    add(STEP_CHANNEL_DOWN, 0, 0);
    write_case("in-doubt");
    add_receiving();
    add(STEP_CANCEL, 0, 3);
    add(STEP_CLEARED, 0, 0);
    write_case("cancelled");
    add_receiving();
    add(STEP_PREPARE, 1, 2);
    add(STEP_FLUSHED, 0xff, 0);
    add(STEP_CLEARED, 0, 0);
    write_case("digests-differ");
    add(STEP_HELLO, 5, 0);
    add(STEP_TICK, 60, 0);
    write_case("refused");
    add(STEP_TICK, 60, 0);
    add(STEP_MESSAGE, 3, 0);
    write_case("silent");
    write_resumed();
}
