/* SPDX-License-Identifier: Apache-2.0 */
/* version.h — the release of these headers, that of the library which runs, and what a program may
 * expect when the two differ.
 *
 * Compatibility. libhaul.so.0 runs every program that was compiled for an earlier release of
 * libhaul.so.0:
 *
 * - Structs of options begin with `size_bytes`: set it to sizeof of the struct. The library takes
 *   as many members as the program knows, and the rest is default. A program that was compiled with
 *   a later release runs as well, as long as it leaves the members that are new there at zero;
 *   otherwise it is refused (UNSUPPORTED). 0 stands for the struct of release 0.1.
 * - Structs that lie in other structs or in arrays, and those into which the library writes, have
 *   `reserved` members, which are zero.
 * - What the library lends (a result, an owner) grows at its end.
 * - `struct haul_store_ops` is the exception: a program that brings its own store is compiled again
 *   with each minor release.
 *
 * A zeroed struct is always valid, and every number that is zero stands for its default. */
#ifndef HAUL_VERSION_H
#define HAUL_VERSION_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The one place that has them: the build reads them here. */
#define HAUL_VERSION_MAJOR 0
#define HAUL_VERSION_MINOR 1
#define HAUL_VERSION_PATCH 0

/* For comparisons by the preprocessor: #if HAUL_VERSION_NUMBER >= 100 is 0.1.0 or later. */
#define HAUL_VERSION_NUMBER \
    (HAUL_VERSION_MAJOR * 10000 + HAUL_VERSION_MINOR * 100 + HAUL_VERSION_PATCH)

/* Of the library that runs: "0.1.0", and as HAUL_VERSION_NUMBER. Thread: any. */
const char *haul_version_text(void);
uint32_t haul_version_number(void);

#ifdef __cplusplus
}
#endif

#endif
