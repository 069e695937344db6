/* SPDX-License-Identifier: Apache-2.0 */
/* main.c — finds the command and runs it. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "command.h"
#include "exit_code.h"
#include "haul/text_escape.h"
#include "spelling.h"
#include "standard_stream.h"

static const struct command *const commands[] = {
    &command_recv,    &command_send,  &command_status,  &command_cancel, &command_resume,
    &command_resolve, &command_owner, &command_drop,    &command_verify, &command_keygen,
    &command_cluster, &command_bench, &command_version,
};

enum { COMMAND_COUNT = sizeof(commands) / sizeof(commands[0]) };

static void print_overview(void)
{
    (void)printf("haul: move key ranges between live RocksDB databases, over RDMA or TCP\n"
                 "\n"
                 "Usage: haul COMMAND [options]\n"
                 "\n"
                 "Commands:\n");
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        (void)printf("  %-10s %s\n", commands[i]->name, commands[i]->summary);
    }
    (void)printf("\n"
                 "'haul COMMAND --help' lists the options, with examples.\n"
                 "\n"
                 "Example, in two terminals:\n"
                 "  haul recv --db /data/b --listen 127.0.0.1:7447 --once\n"
                 "  haul send --db /data/a --to 127.0.0.1:7447\n"
                 "\n"
                 "Exit codes:\n%s",
                 exit_code_table());
}

static const struct command *find_command(const char *name)
{
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        if (strcmp(commands[i]->name, name) == 0) {
            return commands[i];
        }
    }
    return NULL;
}

static bool is_any(const char *text, const char *a, const char *b)
{
    return strcmp(text, a) == 0 || strcmp(text, b) == 0;
}

/* The command that a mistyped `name` most resembles; NULL: none. */
static const char *nearest_command(const char *name)
{
    const char *nearest = NULL;
    size_t smallest = spelling_distance_max(name) + 1;
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        size_t distance = spelling_distance(commands[i]->name, name);
        if (distance < smallest) {
            smallest = distance;
            nearest = commands[i]->name;
        }
    }
    return nearest;
}

static int report_unknown(const char *name)
{
    char safe[128];
    const char *nearest = nearest_command(name);
    (void)haul_text_escape(name, strlen(name), safe, sizeof(safe));
    if (nearest != NULL) {
        (void)fprintf(stderr, "haul: error: unknown command '%s': did you mean 'haul %s'?\n", safe,
                      nearest);
    } else {
        (void)fprintf(stderr, "haul: error: unknown command '%s': see 'haul --help'\n", safe);
    }
    return EXIT_CODE_USAGE;
}

static int run(int argc, char **argv)
{
    if (argc < 2) {
        (void)fprintf(stderr, "haul: error: no command given: see 'haul --help'\n");
        return EXIT_CODE_USAGE;
    }
    const char *name = argv[1];
    if (is_any(name, "--help", "-h") || (strcmp(name, "help") == 0 && argc == 2)) {
        print_overview();
        return EXIT_CODE_OK;
    }
    if (is_any(name, "--version", "-V")) {
        name = "version";
    }
    bool help = strcmp(name, "help") == 0;
    const struct command *command = find_command(help ? argv[2] : name);
    if (command == NULL) {
        return report_unknown(help ? argv[2] : name);
    }
    if (help) {
        command_help(command);
        return EXIT_CODE_OK;
    }
    return command->run(command, argc - 1, argv + 1);
}

/* The thread that prints figures takes it as soon as it runs; a command without one must not be
 * killed by the request. */
static void hold_figures_request(void)
{
    sigset_t set;
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGUSR1);
    (void)sigprocmask(SIG_BLOCK, &set, NULL);
}

int main(int argc, char **argv)
{
    hold_figures_request();
    if (!standard_stream_open_all()) {
        return EXIT_CODE_OTHER; /* no stream is open to report the cause */
    }
    /* A broken pipe and a file over the size limit are errors to report; their signals must not
     * kill the process. */
    (void)signal(SIGPIPE, SIG_IGN);
    (void)signal(SIGXFSZ, SIG_IGN);
    /* The owner must be able to open the files again, RocksDB's above all, whatever the umask
     * is. */
    (void)umask(umask(S_IRWXU) & ~(mode_t)S_IRWXU);
    int exit_code = run(argc, argv);
    if ((fflush(stdout) != 0 || ferror(stdout)) && exit_code == EXIT_CODE_OK) {
        (void)fprintf(stderr, "haul: error: cannot write the result: check stdout\n");
        return EXIT_CODE_OTHER;
    }
    return exit_code;
}
