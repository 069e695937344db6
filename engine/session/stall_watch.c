/* SPDX-License-Identifier: Apache-2.0 */
/* stall_watch.c — two counts and a deadline. */
#include "stall_watch.h"

#include "clock.h"

void stall_watch_init(struct stall_watch *watch, uint32_t peer_timeout_ms)
{
    uint64_t timeout_ns = (uint64_t)peer_timeout_ms * NS_PER_MS;
    *watch =
        (struct stall_watch){.limit_ns = timeout_ns * STALL_PEER_TIMEOUTS, .tell_ns = timeout_ns};
}

void stall_watch_note_peer_timeout(struct stall_watch *watch, uint32_t peer_timeout_ms)
{
    uint64_t timeout_ns = (uint64_t)peer_timeout_ms * NS_PER_MS;
    if (timeout_ns > 0 && timeout_ns < watch->tell_ns) {
        watch->tell_ns = timeout_ns;
    }
}

void stall_watch_begin(struct stall_watch *watch, uint64_t now_ns)
{
    watch->moved_ns = now_ns;
    watch->told_ns = watch->told_ns == 0 ? now_ns : watch->told_ns;
}

void stall_watch_note_ours(struct stall_watch *watch, uint64_t count, uint64_t now_ns)
{
    if (count != watch->ours) {
        watch->ours = count;
        watch->moved_ns = now_ns;
    }
}

void stall_watch_note_theirs(struct stall_watch *watch, uint64_t count, uint64_t now_ns)
{
    if (count != watch->theirs) {
        watch->theirs = count;
        watch->moved_ns = now_ns;
    }
}

bool stall_watch_note_working(struct stall_watch *watch, uint64_t done, uint64_t now_ns)
{
    bool grows = done > watch->working;
    if (grows) {
        watch->working = done;
        watch->moved_ns = now_ns;
    }
    return grows;
}

static uint64_t limit_of(const struct stall_watch *watch, bool idle)
{
    return idle ? watch->limit_ns / STALL_PEER_TIMEOUTS * STALL_IDLE_PEER_TIMEOUTS
                : watch->limit_ns;
}

uint64_t stall_watch_deadline_ns(const struct stall_watch *watch, bool idle)
{
    return watch->moved_ns + limit_of(watch, idle);
}

uint32_t stall_watch_limit_s(const struct stall_watch *watch, bool idle)
{
    return (uint32_t)((limit_of(watch, idle) + NS_PER_S - 1) / NS_PER_S);
}

bool stall_watch_must_tell(struct stall_watch *watch, bool bounded, uint64_t now_ns, uint64_t *done)
{
    bool has_news = bounded || watch->ours != watch->told;
    if (!has_news || now_ns - watch->told_ns < watch->tell_ns) {
        return false;
    }
    watch->told = watch->ours;
    watch->told_ns = now_ns;
    *done = ++watch->said;
    return true;
}
