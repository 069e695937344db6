/* SPDX-License-Identifier: Apache-2.0 */
/* corpus_source_session.c — jobs of a source, as scripts of events. */
#include "corpus_writer.h"

/* As in fuzz_source_session.c. */
enum step {
    STEP_CHANNEL_UP,
    STEP_CHANNEL_DOWN,
    STEP_WELCOME,
    STEP_ACCEPTED,
    STEP_PROGRESS,
    STEP_PREPARED,
    STEP_COMMITTED,
    STEP_ABORT,
    STEP_ABORTED,
    STEP_REFUSED,
    STEP_MESSAGE,
    STEP_LINKS_UP,
    STEP_LINKS_DOWN,
    STEP_COPIED,
    STEP_ROUND_DONE,
    STEP_FROZEN,
    STEP_DIGESTED,
    STEP_DECIDED,
    STEP_FAILED,
    STEP_CANCEL,
    STEP_TICK,
    STEP_STOP,
    STEP_PEER_STOPS,
    STEP_BOUND,
};

enum { NO_RETRY = 1, DECIDED = 2, ONLY_TELLS = 8, JOB_PREPARED = 2, JOB_COMMITTED = 3 };

static struct corpus_input input;

static void add(enum step step, unsigned a, unsigned b)
{
    corpus_add_byte(&input, step);
    corpus_add_byte(&input, a);
    corpus_add_byte(&input, b);
}

static void write_case(const char *name)
{
    corpus_write(&input, "source_session", name);
}

static void add_copying(void)
{
    add(STEP_CHANNEL_UP, 0, 0);
    add(STEP_WELCOME, 0, 0);
    add(STEP_BOUND, 0, 1);
    add(STEP_ACCEPTED, 0, 0);
    add(STEP_LINKS_UP, 0, 0);
}

static void add_frozen(void)
{
    add_copying();
    add(STEP_COPIED, 0, 0);
    add(STEP_PROGRESS, 1, 9);
    add(STEP_ROUND_DONE, 0, 5);
    add(STEP_FROZEN, 0, 0);
}

static void add_prepared(void)
{
    add_frozen();
    add(STEP_ROUND_DONE, 0, 7);
    add(STEP_DIGESTED, 0, 0);
}

static void add_committing(void)
{
    add_prepared();
    add(STEP_PREPARED, 0, 7);
    add(STEP_DECIDED, 0, 0);
}

static void write_lost_paths(void)
{
    corpus_add_byte(&input, 0);
    add_copying();
    add(STEP_CHANNEL_DOWN, 0, 0);
    add(STEP_TICK, 20, 0);
    add_copying();
    write_case("comes-back");
    corpus_add_byte(&input, 0);
    add_committing();
    add(STEP_CHANNEL_DOWN, 0, 0);
    add(STEP_TICK, 20, 0);
    add(STEP_CHANNEL_UP, 0, 0);
    add(STEP_WELCOME, 0, JOB_COMMITTED);
    add(STEP_BOUND, 0, 1);
    write_case("committed-meanwhile");
    corpus_add_byte(&input, NO_RETRY);
    add_committing();
    add(STEP_CHANNEL_DOWN, 0, 0);
    write_case("in-doubt");
    corpus_add_byte(&input, DECIDED);
    add(STEP_CHANNEL_UP, 0, 0);
    add(STEP_WELCOME, 0, JOB_PREPARED);
    add(STEP_BOUND, 0, 1);
    add(STEP_COMMITTED, 0, 0);
    write_case("resolved");
    corpus_add_byte(&input, DECIDED);
    add(STEP_CHANNEL_UP, 0, 0);
    add(STEP_WELCOME, 0, JOB_COMMITTED);
    add(STEP_BOUND, 2, 0);
    write_case("resolved-at-a-stranger");
    corpus_add_byte(&input, ONLY_TELLS);
    add(STEP_CHANNEL_UP, 0, 0);
    add(STEP_WELCOME, 0, 0);
    add(STEP_BOUND, 0, 2);
    add(STEP_ABORTED, 0, 0);
    write_case("told");
    corpus_add_byte(&input, 0);
    add_prepared();
    add(STEP_PREPARED, 0, 7);
    add(STEP_CHANNEL_DOWN, 0, 0);
    add(STEP_DECIDED, 0, 0);
    write_case("decided-without-a-path");
}

/* A requested decision stays, whatever the target sends meanwhile. */
static void write_deciding(void)
{
    corpus_add_byte(&input, 0);
    add_prepared();
    add(STEP_PREPARED, 0, 7);
    add(STEP_ABORT, 4, 0);
    add(STEP_DECIDED, 0, 0);
    write_case("regression-abort-while-deciding");
    corpus_add_byte(&input, 0);
    add_prepared();
    add(STEP_PREPARED, 0, 7);
    add(STEP_MESSAGE, 0, 0);
    add(STEP_DECIDED, 0, 0);
    write_case("regression-message-while-deciding");
}

void corpus_source_session(void)
{
    corpus_add_byte(&input, 0);
    add_committing();
    add(STEP_COMMITTED, 0, 0);
    write_case("committed");
    corpus_add_byte(&input, 0);
    add_prepared();
    add(STEP_TICK, 60, 0);
    add(STEP_PREPARED, 0, 7);
    add(STEP_ROUND_DONE, 0, 8);
    write_case("freeze-given-up");
    corpus_add_byte(&input, 0);
    add_prepared();
    add(STEP_PREPARED, 0xff, 7);
    add(STEP_ABORTED, 0, 0);
    write_case("digests-differ");
    corpus_add_byte(&input, 0);
    add_prepared();
    add(STEP_PREPARED, 0, 7);
    add(STEP_DECIDED, 2, 2);
    write_case("decision-refused");
    corpus_add_byte(&input, 0);
    add_frozen();
    add(STEP_CANCEL, 0, 3);
    write_case("cancelled-frozen");
    corpus_add_byte(&input, 0);
    add(STEP_CHANNEL_UP, 0, 0);
    add(STEP_REFUSED, 21, 0);
    write_case("refused");
    write_lost_paths();
    write_deciding();
}
