/* SPDX-License-Identifier: Apache-2.0 */
/* sized_options.h — takes an option struct from a program that was compiled with another release
 * (haul/version.h): shorter ones get defaults, longer ones must not ask for what is not here. */
#ifndef HAUL_SIZED_OPTIONS_H
#define HAUL_SIZED_OPTIONS_H

#include <stddef.h>

#include "haul/status.h"

/* Where the struct of the release ends that had `member` last: the size that 0 stands for. */
#define SIZED_OPTIONS_END(type, member) \
    (offsetof(type, member) + sizeof(((const type *)NULL)->member))

/* Copies `theirs`, which begins with `size_t size_bytes`, to `ours`, a struct of
 * `our_size_bytes` that begins alike. `ours` is complete then, and its `size_bytes` the whole.
 * `first_size_bytes` is the size that 0 stands for.
 * Errors: INVALID (no size that such a struct can have), UNSUPPORTED (a member that this release
 * does not have is set). `ours` is zeroed then. Thread: any. */
enum haul_status sized_options_take(void *ours, size_t our_size_bytes, size_t first_size_bytes,
                                    const void *theirs, struct haul_error *error) HAUL_MUST_CHECK;

#endif
