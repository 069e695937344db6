/* SPDX-License-Identifier: Apache-2.0 */
/* sized_options.h — reads an option struct of a program that was compiled for another release
 * (haul/version.h). Members that a shorter struct lacks get their defaults; a longer struct must
 * leave the members that this release lacks at zero. */
#ifndef HAUL_SIZED_OPTIONS_H
#define HAUL_SIZED_OPTIONS_H

#include <stddef.h>

#include "haul/status.h"

/* The end of the struct in the release whose last member was `member`: the size that 0 stands
 * for. */
#define SIZED_OPTIONS_END(type, member) \
    (offsetof(type, member) + sizeof(((const type *)NULL)->member))

/* Copies `theirs`, which begins with `size_t size_bytes`, to `ours`, a struct of `our_size_bytes`
 * that begins alike. `ours` is then complete, and its `size_bytes` is the full size.
 * `first_size_bytes` is the size that 0 stands for. Errors: INVALID (not a size that such a struct
 * can have), UNSUPPORTED (a member is set that this release does not have). `ours` is then zeroed.
 * Thread: any. */
enum haul_status sized_options_take(void *ours, size_t our_size_bytes, size_t first_size_bytes,
                                    const void *theirs, struct haul_error *error) HAUL_MUST_CHECK;

#endif
