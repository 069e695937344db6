/* SPDX-License-Identifier: Apache-2.0 */
/* owner_copy.h — an operator's actions on a copy, a restored backup or a database that was set
 * back, below haul/owner.h. Errors are those that haul/owner.h names. Thread: any. */
#ifndef HAUL_OWNER_COPY_H
#define HAUL_OWNER_COPY_H

#include "haul/owner.h"
#include "instance.h"

/* Which database do the folder's records belong to? Errors: those of instance_look and of reading
 * journals. */
enum haul_status owner_look_origin(const struct instance_place *place, struct instance_view *view,
                                   enum haul_owner_origin *origin,
                                   struct haul_error *error) HAUL_MUST_CHECK;
enum haul_status owner_forget(const struct instance_place *place, bool accept_two_owners,
                              struct haul_error *error) HAUL_MUST_CHECK;
enum haul_status owner_adopt(const struct instance_place *place, bool accept_two_owners,
                             struct haul_error *error) HAUL_MUST_CHECK;

#endif
