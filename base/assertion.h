/* SPDX-License-Identifier: Apache-2.0 */
/* assertion.h — checks for programmer errors; operating errors are returned, never asserted. */
#ifndef HAUL_ASSERTION_H
#define HAUL_ASSERTION_H

/* Print what failed and where, then abort. */
__attribute__((noreturn, cold)) void haul_assert_fail(const char *condition, const char *file,
                                                      int line);

/* Control plane: stays on in release. Never with a side effect. */
#define haul_assert(condition) \
    ((condition) ? (void)0 : haul_assert_fail(#condition, __FILE__, __LINE__))

/* Hot loops: on unless NDEBUG. */
#ifdef NDEBUG
#define haul_debug_assert(condition) ((void)sizeof(condition))
#else
#define haul_debug_assert(condition) haul_assert(condition)
#endif

#define haul_unreachable() haul_assert_fail("unreachable", __FILE__, __LINE__)

#endif
