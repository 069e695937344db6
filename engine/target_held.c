/* SPDX-License-Identifier: Apache-2.0 */
/* target_held.c — the last sequence number and the size of the list of tables, then and now. */
#include "target_held.h"

#include <stdio.h>

#include "manifest_progress.h"

struct journal_held target_held_now(struct haul_store *store)
{
    const struct manifest_progress listed =
        manifest_progress_of(store->ops->directory(store), false);
    return (struct journal_held){.sequence = store->ops->sequence(store),
                                 .manifest = listed.file,
                                 .manifest_bytes = listed.bytes};
}

enum target_held target_held_compare(const struct journal_state *state,
                                     const struct journal_held *now)
{
    const struct journal_held *then = &state->held;
    const struct manifest_progress before = {.file = then->manifest, .bytes = then->manifest_bytes};
    const struct manifest_progress after = {.file = now->manifest, .bytes = now->manifest_bytes};
    if (!state->has_held) {
        return TARGET_HELD_SAME;
    }
    /* Who opens a database begins a new list: a shorter one of the same number is an old one. */
    bool cut = after.file != 0 && manifest_progress_is_before(&after, &before);
    if (cut || now->sequence < then->sequence) {
        return TARGET_HELD_SET_BACK;
    }
    bool written = now->sequence != UINT64_MAX && now->sequence > then->sequence;
    return written ? TARGET_HELD_WRITTEN : TARGET_HELD_SAME;
}

void target_held_explain(enum target_held held, char *text, size_t text_size_bytes)
{
    static const char *const what[] = {
        [TARGET_HELD_SAME] = "",
        [TARGET_HELD_WRITTEN] = "something else has written to the target, here or elsewhere, "
                                "since everything was there",
        [TARGET_HELD_SET_BACK] = "the target was set back since everything was there"};
    (void)snprintf(text, text_size_bytes, "%s%s", what[held],
                   held == TARGET_HELD_SAME ? ""
                                            : ": compare, `haul verify --db DIR --to ADDR:PORT` on "
                                              "the source, before `haul drop` there");
}
