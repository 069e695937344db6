/* SPDX-License-Identifier: Apache-2.0 */
/* version.h — the release of these headers and of the running library, and what a program may
 * expect when the two differ.
 *
 * Compatibility. libhaul.so.0 runs every program that was compiled for an earlier release of
 * libhaul.so.0:
 *
 * - Option structs begin with `size_bytes`: set it to sizeof of the struct. The library reads the
 *   members that the program has and uses defaults for the rest. A program that was compiled for a
 *   later release also runs, as long as it leaves the members that are new there at zero;
 *   otherwise the library refuses it (UNSUPPORTED). 0 stands for the struct of release 0.1.
 * - Structs that are embedded in other structs or in arrays, and those that the library fills, have
 *   `reserved` members, which are zero.
 * - Structs that the library lends (a result, an owner) grow at their end.
 * - `struct haul_store_ops` is the exception: a program with a store of its own must be recompiled
 *   for each minor release.
 *
 * A zeroed struct is always valid, and every number that is zero stands for its default. */
#ifndef HAUL_VERSION_H
#define HAUL_VERSION_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The only definition: the build reads the numbers from here. */
#define HAUL_VERSION_MAJOR 0
#define HAUL_VERSION_MINOR 1
#define HAUL_VERSION_PATCH 0

/* For comparisons by the preprocessor: HAUL_VERSION_NUMBER >= 100 means 0.1.0 or later. */
#define HAUL_VERSION_NUMBER \
    (HAUL_VERSION_MAJOR * 10000 + HAUL_VERSION_MINOR * 100 + HAUL_VERSION_PATCH)

/* The running library's version: "0.1.0", and as HAUL_VERSION_NUMBER. Thread: any. */
const char *haul_version_text(void);
uint32_t haul_version_number(void);

#ifdef __cplusplus
}
#endif

#endif
