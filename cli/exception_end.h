/* SPDX-License-Identifier: Apache-2.0 */
/* exception_end.h — ends the process on a C++ exception that RocksDB does not catch: out of memory
 * or threads is exit code 8 with an error line, not an abort. Databases and jobs survive it like a
 * crash. */
#ifndef HAUL_EXCEPTION_END_H
#define HAUL_EXCEPTION_END_H

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

/* From now on, for the command of this name (borrowed); `json`: with its document on stdout. */
void exception_end_install(const char *command, bool json);

#ifdef __cplusplus
}
#endif

#endif
