/* SPDX-License-Identifier: Apache-2.0 */
/* exit_code.h — the tool's exit codes, and the code of each status. */
#ifndef HAUL_EXIT_CODE_H
#define HAUL_EXIT_CODE_H

#include <stdbool.h>

#include "haul/status.h"

enum exit_code {
    EXIT_CODE_OK = 0,
    EXIT_CODE_OTHER = 1,
    EXIT_CODE_USAGE = 2,
    EXIT_CODE_PREFLIGHT = 3,
    EXIT_CODE_AUTH = 4,
    EXIT_CODE_TEMPORARY = 5,
    EXIT_CODE_INTEGRITY = 6,
    EXIT_CODE_PERMANENT = 7,
    EXIT_CODE_LIMIT = 8,
    EXIT_CODE_CANCELLED = 9,
    EXIT_CODE_IN_DOUBT = 10,
    EXIT_CODE_SIGNAL = 128, /* plus the signal's number */
};

/* The exit code of a status; `signal_number` is the signal that stopped the command, or 0. */
int exit_code_of(enum haul_status status, int signal_number);

/* Whether the same command may succeed when it is run again. A job that a signal stopped can
 * continue; a cancelled one cannot. */
bool exit_code_is_retryable(int exit_code);

/* The table as printed by --help: "  0    committed and verified\n" ... */
const char *exit_code_table(void);

#endif
