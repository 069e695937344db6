/* SPDX-License-Identifier: Apache-2.0 */
/* owner.c — the ownership record as an operator and an embedder see it. */
#include "haul/owner.h"

#include <stdlib.h>

static enum haul_status not_yet(struct haul_error *error)
{
    return haul_error_set(error, HAUL_UNSUPPORTED, NULL, 0, "not supported by this release");
}

enum haul_status haul_owner_read(const char *directory, struct haul_owner **owner,
                                 struct haul_error *error)
{
    (void)directory;
    (void)owner;
    return not_yet(error);
}

enum haul_status haul_owner_of_store(struct haul_store *store, struct haul_owner **owner,
                                     struct haul_error *error)
{
    (void)store;
    (void)owner;
    return not_yet(error);
}

void haul_owner_free(struct haul_owner *owner)
{
    free(owner);
}

enum haul_owner_state haul_owner_state_of(const struct haul_owner *owner, const char *family,
                                          const struct haul_range *range)
{
    (void)owner;
    (void)family;
    (void)range;
    return HAUL_OWNER_OWN;
}

const char *haul_owner_state_name(enum haul_owner_state state)
{
    static const char *const names[] = {[HAUL_OWNER_OWN] = "own",
                                        [HAUL_OWNER_RELEASED] = "released",
                                        [HAUL_OWNER_IMPORTED] = "imported"};
    return names[state];
}

const char *haul_owner_act_name(enum haul_owner_act act)
{
    static const char *const names[] = {[HAUL_OWNER_GAVE] = "gave",
                                        [HAUL_OWNER_TOOK] = "took",
                                        [HAUL_OWNER_RECLAIMED] = "reclaimed"};
    return names[act];
}

enum haul_status haul_owner_reclaim(const char *directory,
                                    const struct haul_owner_selection *selection,
                                    bool accept_two_owners, struct haul_error *error)
{
    (void)directory;
    (void)selection;
    (void)accept_two_owners;
    return not_yet(error);
}

enum haul_status haul_owner_forget(const char *directory, bool accept_two_owners,
                                   struct haul_error *error)
{
    (void)directory;
    (void)accept_two_owners;
    return not_yet(error);
}

enum haul_status haul_owner_adopt(const char *directory, bool accept_two_owners,
                                  struct haul_error *error)
{
    (void)directory;
    (void)accept_two_owners;
    return not_yet(error);
}

enum haul_status haul_owner_rebuild(const char *directory, bool accept_two_owners,
                                    struct haul_error *error)
{
    (void)directory;
    (void)accept_two_owners;
    return not_yet(error);
}

enum haul_status haul_owner_drop(struct haul_store *store,
                                 const struct haul_owner_selection *selection,
                                 struct haul_owner_dropped *dropped, struct haul_error *error)
{
    (void)store;
    (void)selection;
    (void)dropped;
    return not_yet(error);
}
