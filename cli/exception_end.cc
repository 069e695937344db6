/* SPDX-License-Identifier: Apache-2.0 */
/* exception_end.cc — the std::terminate handler. Memory may be exhausted: it only calls
 * write(2). */
#include "exception_end.h"

#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <exception>
#include <new>
#include <system_error>

extern "C" {
#include "exit_code.h"
}

namespace
{

const char *command_name = "";
bool wants_json = false;

struct Cause {
    const char *code;
    const char *message;
    const char *hint;
};

constexpr Cause kNoMemory = {"NO_MEMORY", "out of memory",
                             "raise the limit of address space (ulimit -v), or free some memory"};
constexpr Cause kNoThread = {
    "LIMIT", "the system gives this process no more threads",
    "raise the limits (ulimit -u, ulimit -v, pids.max of the control group)"};

void Put(int fd, const char *text)
{
    ssize_t written = write(fd, text, std::strlen(text));
    static_cast<void>(written);
}

[[noreturn]] void End(const Cause &cause)
{
    for (const char *part : {"haul: error: ", cause.message, ": ", cause.hint, "\n"}) {
        Put(STDERR_FILENO, part);
    }
    if (wants_json) {
        for (const char *part : {R"({"schema_version":1,"command":")", command_name,
                                 R"(","status":"failed","exit_code":8,"error":{"code":")",
                                 cause.code, R"(","message":")", cause.message, R"(","hint":")",
                                 cause.hint, R"(","retryable":true}})", "\n"}) {
            Put(STDOUT_FILENO, part);
        }
    }
    _exit(EXIT_CODE_LIMIT);
}

[[noreturn]] void OnTerminate()
{
    try {
        if (std::exception_ptr thrown = std::current_exception()) {
            std::rethrow_exception(thrown);
        }
    } catch (const std::bad_alloc &) {
        End(kNoMemory);
    } catch (const std::system_error &failure) {
        if (failure.code() == std::errc::resource_unavailable_try_again) {
            End(kNoThread);
        }
    } catch (...) {
    }
    std::abort();
}

} // namespace

void exception_end_install(const char *command, bool json)
{
    command_name = command;
    wants_json = json;
    std::set_terminate(OnTerminate);
}
