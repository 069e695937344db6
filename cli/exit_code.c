/* SPDX-License-Identifier: Apache-2.0 */
/* exit_code.c — the table that maps a status to an exit code. */
#include "exit_code.h"

int exit_code_of(enum haul_status status, int signal_number)
{
    switch (status) {
    case HAUL_OK:
        return EXIT_CODE_OK;
    case HAUL_CANCELLED:
        return EXIT_CODE_CANCELLED;
    case HAUL_STOPPED:
        return signal_number > 0 ? EXIT_CODE_SIGNAL + signal_number : EXIT_CODE_TEMPORARY;
    case HAUL_INVALID:
        return EXIT_CODE_USAGE;
    case HAUL_UNSUPPORTED:
    case HAUL_NOT_FOUND:
    case HAUL_EXISTS:
    case HAUL_VERSION:
    case HAUL_MISMATCH:
    case HAUL_NOT_EMPTY:
    case HAUL_UNCONFIRMED:
        return EXIT_CODE_PREFLIGHT;
    case HAUL_AUTH:
        return EXIT_CODE_AUTH;
    case HAUL_AGAIN:
    case HAUL_BUSY:
    case HAUL_TIMEOUT:
    case HAUL_CLOSED:
    case HAUL_REFUSED:
    case HAUL_UNREACHABLE:
        return EXIT_CODE_TEMPORARY;
    case HAUL_CORRUPT:
        return EXIT_CODE_INTEGRITY;
    case HAUL_IO:
    case HAUL_NO_SPACE:
    case HAUL_PROTOCOL:
    case HAUL_FENCED:
    case HAUL_GAP:
    case HAUL_STORE:
        return EXIT_CODE_PERMANENT;
    case HAUL_NO_MEMORY:
    case HAUL_LIMIT:
        return EXIT_CODE_LIMIT;
    case HAUL_IN_DOUBT:
        return EXIT_CODE_IN_DOUBT;
    case HAUL_INTERNAL:
        return EXIT_CODE_OTHER;
    }
    return EXIT_CODE_OTHER;
}

bool exit_code_is_retryable(int exit_code)
{
    return exit_code == EXIT_CODE_TEMPORARY || exit_code == EXIT_CODE_LIMIT ||
           exit_code > EXIT_CODE_SIGNAL;
}

const char *exit_code_table(void)
{
    return "  0    success; of a send: committed and verified\n"
           "  1    other failure, including internal errors of the tool\n"
           "  2    usage: unknown option or invalid value\n"
           "  3    refused before any data moved: no such database, target range not empty,\n"
           "       versions or column families that do not match, a risk that was not accepted\n"
           "  4    authentication failed\n"
           "  5    temporary: peer unreachable or busy, timeout, connection lost, database\n"
           "       locked, port in use; run the command again\n"
           "  6    integrity: checksum or digest mismatch; `verify`: the databases differ\n"
           "  7    permanent: database or file error, protocol violation, fenced, log too short\n"
           "  8    a system limit was reached: memory, locked memory, descriptors\n"
           "  9    cancelled by `haul cancel`: nothing of the job is kept\n"
           "  10   in doubt: the decision record determines who owns the range\n"
           "  130  stopped by SIGINT, 143: by SIGTERM, 129: by SIGHUP; what has arrived is kept,\n"
           "       and the same command continues\n";
}
