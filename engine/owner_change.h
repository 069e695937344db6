/* SPDX-License-Identifier: Apache-2.0 */
/* owner_change.h — what an operator does about the ownership record, below haul/owner.h:
 * `directory` is `<database>/haul`, and files are reached by `calls` (NULL: the system's). Errors
 * are those that haul/owner.h names. Thread: any. */
#ifndef HAUL_OWNER_CHANGE_H
#define HAUL_OWNER_CHANGE_H

#include "file_calls.h"
#include "haul/owner.h"

enum haul_status owner_reclaim(const struct file_calls *calls, const char *directory,
                               const struct haul_owner_selection *selection, bool accept_two_owners,
                               struct haul_error *error) HAUL_MUST_CHECK;
enum haul_status owner_forget(const struct file_calls *calls, const char *directory,
                              bool accept_two_owners, struct haul_error *error) HAUL_MUST_CHECK;
enum haul_status owner_adopt(const struct file_calls *calls, const char *directory,
                             bool accept_two_owners, struct haul_error *error) HAUL_MUST_CHECK;
/* Is there a journal that was not made in this directory? */
enum haul_status owner_look_copied(const struct file_calls *calls, const char *directory,
                                   bool *copied, struct haul_error *error) HAUL_MUST_CHECK;
enum haul_status owner_rebuild(const struct file_calls *calls, const char *directory,
                               bool accept_two_owners, struct haul_error *error) HAUL_MUST_CHECK;

#endif
