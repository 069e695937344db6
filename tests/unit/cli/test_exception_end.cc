/* SPDX-License-Identifier: Apache-2.0 */
/* test_exception_end.cc — how an uncaught exception ends a process. */
#include "exception_end.h"

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <new>
#include <stdexcept>
#include <string>
#include <system_error>

extern "C" {
#include "check.h"
}

namespace
{

struct Ended {
    int status;
    std::string out;
    std::string err;
};

std::string ReadAll(int fd)
{
    char part[512];
    std::string text;
    for (ssize_t size; (size = read(fd, part, sizeof(part))) > 0;) {
        text.append(part, static_cast<size_t>(size));
    }
    close(fd);
    return text;
}

template <typename Thrown> [[noreturn]] void Throw(const Thrown &thrown)
{
    throw thrown;
}

template <typename Thrown> [[noreturn]] void ThrowUncaught(const Thrown &thrown, bool json) noexcept
{
    exception_end_install("send", json);
    Throw(thrown);
}

/* Throws in a process of its own. */
template <typename Thrown> Ended EndBy(const Thrown &thrown, bool json)
{
    int out[2] = {-1, -1};
    int err[2] = {-1, -1};
    check_or_stop(pipe(out) == 0 && pipe(err) == 0);
    pid_t child = fork();
    if (child == 0) {
        struct rlimit no_core = {0, 0};
        setrlimit(RLIMIT_CORE, &no_core);
        dup2(out[1], STDOUT_FILENO);
        dup2(err[1], STDERR_FILENO);
        ThrowUncaught(thrown, json);
    }
    close(out[1]);
    close(err[1]);
    Ended ended = {0, ReadAll(out[0]), ReadAll(err[0])};
    check_equal(waitpid(child, &ended.status, 0), child);
    return ended;
}

bool EndsWithEight(const Ended &ended)
{
    return WIFEXITED(ended.status) && WEXITSTATUS(ended.status) == 8;
}

void test_exception_end__no_memory__exit_code_8_and_one_line()
{
    Ended ended = EndBy(std::bad_alloc(), false);
    check(EndsWithEight(ended));
    check(ended.err.rfind("haul: error: out of memory", 0) == 0);
    check(ended.err.find('\n') == ended.err.size() - 1);
    check(ended.out.empty());
}

void test_exception_end__no_thread__exit_code_8_and_a_document()
{
    Ended ended = EndBy(
        std::system_error(std::make_error_code(std::errc::resource_unavailable_try_again)), true);
    check(EndsWithEight(ended));
    check(ended.err.find("no more threads") != std::string::npos);
    check(ended.out.find(R"("command":"send","status":"failed","exit_code":8)") !=
          std::string::npos);
}

void test_exception_end__a_fault_of_the_program__aborts()
{
    Ended ended = EndBy(std::logic_error("bug"), true);
    check(WIFSIGNALED(ended.status) && WTERMSIG(ended.status) == SIGABRT);
    check(ended.out.empty());
}

const struct check_test tests[] = {
    CHECK_TEST(test_exception_end__no_memory__exit_code_8_and_one_line),
    CHECK_TEST(test_exception_end__no_thread__exit_code_8_and_a_document),
    CHECK_TEST(test_exception_end__a_fault_of_the_program__aborts),
};

} // namespace

CHECK_MAIN("exception_end", tests)
