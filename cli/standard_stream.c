/* SPDX-License-Identifier: Apache-2.0 */
/* standard_stream.c — redirects closed standard descriptors to /dev/null. */
#include "standard_stream.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

bool standard_stream_open_all(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        /* open(2) returns the lowest free number, which is this one: those below are open by
         * now. */
        if (fcntl(fd, F_GETFD) < 0 && errno == EBADF && open("/dev/null", O_RDWR) != fd) {
            return false;
        }
    }
    return true;
}
