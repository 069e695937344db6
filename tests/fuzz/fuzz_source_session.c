/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_source_session.c — a script of events for the source's state machine; every action is
 * performed and compared with what the session promises.
 *
 *   u8 options (enum options) | events: u8 which (enum step) | u8 a | u8 b
 *
 * The target may send anything at any time. The driver is correct: it answers each request once,
 * perhaps late, and requests of a lost path not at all; it may fail.
 *
 *   1. FREEZE and UNFREEZE or RELEASE alternate, and only a job in doubt leaves the range frozen
 *   2. DECIDE is requested once, while frozen, on a Prepared for this freeze with equal digests
 *   3. from then on no UNFREEZE and no Abort, unless the record is known not to have been written
 *   4. no plan, commit or list of jobs goes to a target that was not recorded as the job's
 *   5. after the decision the job ends in OK or IN_DOUBT; OK only if the target has confirmed */
#include <stdlib.h>
#include <string.h>

#include "assertion.h"
#include "bytes.h"
#include "clock.h"
#include "fuzz_target.h"
#include "source_session.h"

enum options {
    OPTION_NO_RETRY = 1 << 0,
    OPTION_DECIDED = 1 << 1, /* resolve */
    OPTION_CONTINUED = 1 << 2,
    OPTION_ONLY_TELLS = 1 << 3,
};

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
    STEP_COUNT,
};

enum {
    EVENTS_MAX = 300,
    FAMILY_COUNT = 2,
    PEER_TIMEOUT_MS = 500,
    RETRY_MAX_MS = 5000,
    OLD_VERSION = 10,
    NEW_VERSION = 11,
    EPOCH = 3,
    LAG_BYTES_MAX = 8,
};

struct script {
    struct source_session *session;
    uint64_t now_ns;
    uint8_t a;
    uint8_t b;
    enum step step;
    bool connecting;
    bool channel_up;
    bool asked[SOURCE_ACTION_END + 1]; /* not yet answered */
    bool frozen;                       /* FREEZE was requested, and nothing has ended it */
    bool prepare_out;                  /* for this freeze */
    uint64_t prepare_sequence;
    uint32_t freeze;
    uint64_t new_version; /* as agreed */
    bool decision_asked;
    bool decided;
    bool target_has_it;
    bool bound;   /* on this connection, and it is the right target */
    bool cleared; /* the target has sent so */
    bool only_tells;
    bool resolves; /* this process froze nothing */
    bool ended;
    uint64_t batches;
};

static const uint8_t jobs[2 * HAUL_JOB_BYTES];
static const struct digest digests[FAMILY_COUNT] = {{.count = 1}, {.count = 2}};

static struct haul_error error_of(const struct script *script)
{
    static const enum haul_status failures[] = {HAUL_CLOSED, HAUL_TIMEOUT, HAUL_STORE,
                                                HAUL_CANCELLED};
    struct haul_error error = {.status = HAUL_OK};
    (void)haul_error_set(&error, failures[script->b % 4], NULL, 0, "made up by the script");
    return error;
}

/* --- actions ---------------------------------------------------------------------------------- */

static void check_message(struct script *script, const struct message *message)
{
    haul_assert(script->channel_up);
    switch (message->type) {
    case MESSAGE_PREPARE:
        haul_assert(script->frozen && !script->decision_asked);
        script->prepare_out = true;
        script->prepare_sequence = message->as.prepare.frozen_sequence;
        script->freeze = message->as.prepare.freeze;
        script->new_version = message->as.prepare.new_version;
        haul_assert(script->new_version > OLD_VERSION);
        break;
    case MESSAGE_COMMIT:
        haul_assert(script->decided && message->as.commit.new_version == script->new_version);
        haul_assert(script->bound || !script->resolves);
        break;
    case MESSAGE_PLAN:
        haul_assert(script->bound);
        break;
    case MESSAGE_ABORT:
        haul_assert(!script->decision_asked);
        haul_assert(message->as.abort.jobs == NULL || script->bound);
        break;
    default:
        break;
    }
    uint8_t *bytes = NULL;
    size_t size = 0;
    expect_status(message_encode(message, &bytes, &size), HAUL_OK);
    free(bytes);
}

/* `a` 0xff: digests that differ from ours, 0xfe: of an earlier freeze; `b`: the frozen sequence. */
static void check_decide(struct script *script)
{
    haul_assert(script->step == STEP_PREPARED && script->frozen && script->prepare_out);
    haul_assert(script->b == script->prepare_sequence && script->a < 0xfe);
    haul_assert(!script->decision_asked);
    script->decision_asked = true;
}

static void drop_path(struct script *script)
{
    script->channel_up = false;
    script->connecting = false;
    script->bound = false;
    script->asked[SOURCE_ACTION_BIND] = false;
    script->asked[SOURCE_ACTION_OPEN_LINKS] = false;
    script->asked[SOURCE_ACTION_START_COPY] = false;
    script->asked[SOURCE_ACTION_ROUND] = false;
    script->asked[SOURCE_ACTION_DIGEST] = false;
}

static void thaw(struct script *script)
{
    haul_assert(script->frozen);
    script->frozen = false;
    script->prepare_out = false;
}

static void take_action(struct script *script, struct source_action *action)
{
    switch (action->type) {
    case SOURCE_ACTION_SEND:
        check_message(script, &action->message);
        message_release(&action->message);
        return;
    case SOURCE_ACTION_CONNECT:
        haul_assert(!script->connecting && !script->channel_up);
        script->connecting = true;
        return;
    case SOURCE_ACTION_DISCONNECT:
        drop_path(script);
        return;
    case SOURCE_ACTION_FREEZE:
        haul_assert(!script->frozen && !script->decision_asked);
        script->frozen = true;
        break;
    case SOURCE_ACTION_UNFREEZE:
        haul_assert(!script->decision_asked);
        thaw(script);
        script->asked[SOURCE_ACTION_FREEZE] = false; /* a late answer no longer counts */
        return;
    case SOURCE_ACTION_RELEASE:
        haul_assert(script->decided);
        if (!script->resolves) {
            thaw(script);
        }
        return;
    case SOURCE_ACTION_DECIDE:
        check_decide(script);
        break;
    case SOURCE_ACTION_STOP:
        return;
    case SOURCE_ACTION_END:
        script->ended = true;
        return;
    default:
        break;
    }
    haul_assert(!script->asked[action->type]);
    script->asked[action->type] = true;
}

static void check_state(const struct script *script)
{
    enum haul_status outcome = source_session_outcome(script->session)->status;
    haul_assert(script->ended == (source_session_state(script->session) == SOURCE_ENDED));
    if (script->ended) {
        haul_assert(!script->frozen || outcome == HAUL_IN_DOUBT);
        haul_assert(outcome != HAUL_OK || (script->decided && script->target_has_it) ||
                    (script->only_tells && script->cleared));
        haul_assert(!script->decided || outcome == HAUL_OK || outcome == HAUL_IN_DOUBT);
    }
}

static void feed(struct script *script, struct source_event *event)
{
    source_session_event(script->session, event, script->now_ns);
    struct source_action action;
    while (source_session_action(script->session, &action)) {
        haul_assert(!script->ended);
        take_action(script, &action);
    }
    check_state(script);
}

/* --- the target ------------------------------------------------------------------------------- */

static void fill_welcome(const struct script *script, haul_control_Welcome *welcome)
{
    welcome->wire_version = (script->a & 0x80) != 0 ? 0 : MESSAGE_WIRE_VERSION;
    welcome->token.size = (script->a & 0x40) != 0 ? 0 : MESSAGE_TOKEN_BYTES;
    welcome->session.size = MESSAGE_SESSION_BYTES;
    welcome->target_identity.size = (script->a & 0x20) != 0 ? 0 : 6;
    memcpy(welcome->target_identity.bytes, "target", 6);
    welcome->job_phase = script->b % 5;
}

static void fill_accepted(const struct script *script, haul_control_PlanAccepted *accepted)
{
    size_t count = (script->a & 0x80) != 0 ? FAMILY_COUNT - 1 : FAMILY_COUNT;
    accepted->family_ids = calloc(count, sizeof(uint32_t));
    haul_assert(accepted->family_ids != NULL);
    accepted->family_ids_count = (pb_size_t)count;
    accepted->lane = script->a % 4;
    accepted->delta_next_batch = script->b;
}

static void fill_prepared(const struct script *script, haul_control_Prepared *prepared)
{
    prepared->digests = calloc(FAMILY_COUNT, sizeof(*prepared->digests));
    haul_assert(prepared->digests != NULL);
    prepared->digests_count = FAMILY_COUNT;
    prepared->digests[0].count = digests[0].count;
    prepared->digests[1].count = digests[1].count + (script->a == 0xff ? 1 : 0);
    prepared->frozen_sequence = script->b;
    prepared->freeze = script->freeze - (script->a == 0xfe ? 1 : 0);
}

static void feed_message(struct script *script)
{
    static const enum message_type types[] = {
        [STEP_WELCOME] = MESSAGE_WELCOME,     [STEP_ACCEPTED] = MESSAGE_PLAN_ACCEPTED,
        [STEP_PROGRESS] = MESSAGE_PROGRESS,   [STEP_PREPARED] = MESSAGE_PREPARED,
        [STEP_COMMITTED] = MESSAGE_COMMITTED, [STEP_ABORT] = MESSAGE_ABORT,
        [STEP_ABORTED] = MESSAGE_ABORTED,     [STEP_REFUSED] = MESSAGE_REFUSED,
        [STEP_PEER_STOPS] = MESSAGE_STOP,
    };
    static const enum message_type others[] = {MESSAGE_HELLO, MESSAGE_PLAN, MESSAGE_PREPARE,
                                               MESSAGE_COMMIT, MESSAGE_WORKING};
    struct message message;
    message_init(&message,
                 script->step == STEP_MESSAGE ? others[script->a % 5] : types[script->step]);
    if (message.type == MESSAGE_WELCOME) {
        fill_welcome(script, &message.as.welcome);
    } else if (message.type == MESSAGE_PLAN_ACCEPTED) {
        fill_accepted(script, &message.as.plan_accepted);
    } else if (message.type == MESSAGE_PROGRESS) {
        message.as.progress.snapshot_complete = (script->a & 1) != 0;
        message.as.progress.delta_applied_batches = script->b;
    } else if (message.type == MESSAGE_PREPARED) {
        fill_prepared(script, &message.as.prepared);
    } else if (message.type == MESSAGE_COMMITTED) {
        message.as.committed.new_version = script->new_version + (script->a == 0xff ? 1 : 0);
    } else if (message.type == MESSAGE_WORKING) {
        message.as.working.done = script->b;
    } else if (message.type == MESSAGE_ABORT) {
        message.as.abort.status = script->a;
    } else if (message.type == MESSAGE_REFUSED) {
        message.as.refused.status = script->a;
    } else if (message.type == MESSAGE_ABORTED) {
        message.as.aborted.cleared = (script->a & 1) == 0;
        script->cleared = script->cleared || message.as.aborted.cleared;
    }
    if (script->channel_up) {
        enum source_state state = source_session_state(script->session);
        script->target_has_it =
            script->target_has_it ||
            (message.type == MESSAGE_COMMITTED && state == SOURCE_COMMITTING &&
             message.as.committed.new_version == script->new_version) ||
            (message.type == MESSAGE_WELCOME && message.as.welcome.job_phase == JOB_COMMITTED);
        struct source_event event = {.type = SOURCE_EVENT_MESSAGE, .message = &message};
        feed(script, &event);
    }
    message_release(&message);
}

/* --- the driver ------------------------------------------------------------------------------- */

static bool was_asked(struct script *script, enum source_action_type type)
{
    bool asked = script->asked[type];
    script->asked[type] = false;
    return asked;
}

/* The answer to an action, if one was requested. */
static bool fill_answer(struct script *script, struct source_event *event)
{
    switch (script->step) {
    case STEP_LINKS_UP:
        event->type = SOURCE_EVENT_LINKS_UP;
        return was_asked(script, SOURCE_ACTION_OPEN_LINKS);
    case STEP_COPIED:
        event->type = SOURCE_EVENT_COPIED;
        return was_asked(script, SOURCE_ACTION_START_COPY);
    case STEP_ROUND_DONE:
        script->batches += script->a % 4;
        event->type = SOURCE_EVENT_ROUND_DONE;
        event->bytes = script->a % (2 * LAG_BYTES_MAX);
        event->batches = script->batches;
        event->sequence = script->b;
        return was_asked(script, SOURCE_ACTION_ROUND);
    case STEP_FROZEN:
        event->type = SOURCE_EVENT_FROZEN;
        if (script->a % 4 == 3) {
            event->error = error_of(script);
        }
        return was_asked(script, SOURCE_ACTION_FREEZE);
    case STEP_DIGESTED:
        event->type = SOURCE_EVENT_DIGESTED;
        event->digests = digests;
        return was_asked(script, SOURCE_ACTION_DIGEST);
    case STEP_BOUND:
        event->type = SOURCE_EVENT_BOUND;
        if (script->a % 4 == 3) {
            event->error = error_of(script);
        } else if (script->a % 4 == 2) {
            (void)haul_error_set(&event->error, HAUL_MISMATCH, NULL, 0, "made up by the script");
        }
        script->bound = script->asked[SOURCE_ACTION_BIND] && event->error.status == HAUL_OK;
        event->jobs = slice_of(jobs, (size_t)(script->b % 3) * HAUL_JOB_BYTES);
        return was_asked(script, SOURCE_ACTION_BIND);
    default:
        return false;
    }
}

static void answer_decide(struct script *script)
{
    struct source_event event = {.type = SOURCE_EVENT_DECIDED};
    if (!was_asked(script, SOURCE_ACTION_DECIDE)) {
        return;
    }
    if (script->a % 4 == 3) {
        (void)haul_error_set(&event.error, HAUL_IN_DOUBT, NULL, 0, "made up by the script");
    } else if (script->a % 4 == 2) {
        event.error = error_of(script);
    }
    script->decided = event.error.status == HAUL_OK;
    script->decision_asked = script->a % 4 != 2;
    feed(script, &event);
}

static void happen(struct script *script)
{
    struct source_event event = {.type = SOURCE_EVENT_TICK};
    switch (script->step) {
    case STEP_CHANNEL_UP:
        event.type = SOURCE_EVENT_CHANNEL_UP;
        if (!script->connecting) {
            return;
        }
        script->connecting = false;
        script->channel_up = true;
        break;
    case STEP_CHANNEL_DOWN:
        event.type = SOURCE_EVENT_CHANNEL_DOWN;
        event.error = error_of(script);
        if (!script->connecting && !script->channel_up) {
            return;
        }
        script->connecting = false;
        script->channel_up = false;
        break;
    case STEP_LINKS_DOWN:
        event.type = SOURCE_EVENT_LINKS_DOWN;
        event.error = error_of(script);
        if (source_session_state(script->session) < SOURCE_LINKING || !script->channel_up) {
            return;
        }
        break;
    case STEP_FAILED:
    case STEP_CANCEL:
        event.type = script->step == STEP_FAILED ? SOURCE_EVENT_FAILED : SOURCE_EVENT_CANCEL;
        event.error = error_of(script);
        break;
    case STEP_STOP:
        event.type = SOURCE_EVENT_STOP;
        (void)haul_error_set(&event.error, HAUL_STOPPED, NULL, 0, "made up by the script");
        break;
    case STEP_TICK:
        script->now_ns += script->a * (uint64_t)10 * NS_PER_MS;
        event.activity = script->b;
        break;
    default:
        if (!fill_answer(script, &event)) {
            return;
        }
    }
    feed(script, &event);
}

static void play(struct script *script)
{
    if ((script->step >= STEP_WELCOME && script->step <= STEP_MESSAGE) ||
        script->step == STEP_PEER_STOPS) {
        feed_message(script);
    } else if (script->step == STEP_DECIDED) {
        answer_decide(script);
    } else {
        happen(script);
    }
}

static void open_session(struct script *script, struct plan *plan, unsigned flags)
{
    struct source_session_options options = {
        .plan = plan,
        .epoch = EPOCH,
        .identity = "identity",
        .peer_timeout_ms = PEER_TIMEOUT_MS,
        .retry_max_ms = (flags & OPTION_NO_RETRY) != 0 ? 0 : RETRY_MAX_MS,
        .version = {OLD_VERSION, true},
        .decided = (flags & OPTION_DECIDED) != 0,
        .only_tells = (flags & (OPTION_DECIDED | OPTION_ONLY_TELLS)) == OPTION_ONLY_TELLS,
        .continued = (flags & OPTION_CONTINUED) != 0,
    };
    options.source.lag_bytes_max = LAG_BYTES_MAX;
    options.source.freeze_max_ms = PEER_TIMEOUT_MS;
    script->decided = options.decided;
    script->new_version = NEW_VERSION;
    script->resolves = options.decided;
    script->only_tells = options.only_tells;
    script->decision_asked = options.decided;
    expect_status(source_session_create(&options, &script->session), HAUL_OK);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cursor input = cursor_of(data, size);
    struct script script = {.now_ns = NS_PER_S, .connecting = true};
    struct plan_family families[FAMILY_COUNT] = {{.target_id = 0}};
    struct plan plan = {.family_count = FAMILY_COUNT,
                        .families = families,
                        .old_version = OLD_VERSION,
                        .new_version = NEW_VERSION};
    open_session(&script, &plan, cursor_u8(&input));
    for (int i = 0; i < EVENTS_MAX && cursor_left(&input) > 0 && !script.ended; i++) {
        script.step = (enum step)(cursor_u8(&input) % STEP_COUNT);
        script.a = cursor_u8(&input);
        script.b = cursor_u8(&input);
        play(&script);
    }
    source_session_destroy(script.session);
    return 0;
}
