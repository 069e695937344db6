/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_owner.c — `haul owner`: show which ranges a database owns, gave away or took over, and
 * resolve states that no job can end. */
#include <stdio.h>

#include "command.h"
#include "database_open.h"
#include "exit_code.h"
#include "haul/owner.h"
#include "json_output.h"
#include "option_value.h"
#include "output.h"
#include "owner_text.h"
#include "range_option.h"
#include "shell_word.h"

enum { JOB_COUNT_DEFAULT = 10 };

struct owner_options {
    struct output_options output;
    const char *database;
    struct name_list families;
    struct range_list ranges;
    bool reclaim;
    bool forget;
    bool adopt;
    bool rebuild;
    bool accept_two_owners;
    uint32_t job_count_max;
};

#define AT(parser, member) OPTION_AT(parser, struct owner_options, member)

static const struct option_rule rules[] = {
    {.name = "db",
     .value_name = "DIR",
     .help = "the database; it may be open",
     .group = "Where",
     AT(option_text, database)},
    {.name = "jobs",
     .value_name = "N",
     .help = "show the last N jobs (default 10)",
     .group = "What to show",
     AT(option_u32, job_count_max),
     .min = 1,
     .max = 8192},
    {.name = "reclaim",
     .help = "the target is lost: take back what it was given (with --cf, --range or\n"
             "--prefix: that part)",
     .group = "What to change",
     AT(option_flag, reclaim)},
    {.name = "forget",
     .help = "this is a copy or a rehearsal: make it a database of its own, without the\n"
             "record and the unfinished jobs",
     AT(option_flag, forget)},
    {.name = "adopt",
     .help = "this is the original, moved to another file system, restored, repaired\n"
             "or set back",
     AT(option_flag, adopt)},
    {.name = "rebuild",
     .help = "the record is damaged: rebuild it from the journals",
     AT(option_flag, rebuild)},
    {.name = "accept-two-owners",
     .help = "proceed although two databases may then own the same keys",
     AT(option_flag, accept_two_owners)},
    SELECTION_OPTION_RULES(struct owner_options),
    OUTPUT_OPTION_RULES,
};

static const char *action_of(const struct owner_options *options)
{
    return options->reclaim   ? "reclaim"
           : options->forget  ? "forget"
           : options->adopt   ? "adopt"
           : options->rebuild ? "rebuild"
                              : NULL;
}

static enum haul_status check(const struct owner_options *options, struct haul_error *error)
{
    int actions = options->reclaim + options->forget + options->adopt + options->rebuild;
    if (actions > 1) {
        haul_error_set(error, HAUL_INVALID, NULL, 0,
                       "--reclaim, --forget, --adopt and --rebuild exclude each other");
    } else if (options->accept_two_owners && actions == 0) {
        haul_error_set(error, HAUL_INVALID, NULL, 0, "--accept-two-owners changes nothing alone");
    } else if (!options->reclaim && options->families.count + options->ranges.count > 0) {
        haul_error_set(error, HAUL_INVALID, NULL, 0,
                       "--cf, --range and --prefix belong to --reclaim");
    } else {
        return HAUL_OK;
    }
    return HAUL_INVALID;
}

static enum haul_status change(const struct owner_options *options, struct haul_error *error)
{
    struct haul_owner_selection selection = {.families = options->families.names,
                                             .family_count = options->families.count,
                                             .ranges = options->ranges.ranges,
                                             .range_count = options->ranges.count};
    bool accept = options->accept_two_owners;
    if (options->reclaim) {
        return haul_owner_reclaim(options->database, &selection, accept, error);
    }
    if (options->forget) {
        return haul_owner_forget(options->database, accept, error);
    }
    if (options->adopt) {
        return haul_owner_adopt(options->database, accept, error);
    }
    return options->rebuild ? haul_owner_rebuild(options->database, accept, error) : HAUL_OK;
}

static enum haul_status read_record(const struct owner_options *options, struct haul_owner **owner,
                                    struct haul_error *error)
{
    enum haul_status status = haul_owner_read(options->database, owner, error);
    if (status == HAUL_CORRUPT && error->hint[0] == '\0') {
        char word[SHELL_WORD_BYTES_MAX];
        haul_error_hint(error, "`haul owner --db %s --rebuild` makes it again",
                        shell_word(options->database, "DIR", word, sizeof(word)));
    }
    return status;
}

static int run_on(const struct owner_options *options, struct output *output)
{
    struct haul_error error = {.status = HAUL_OK};
    struct haul_owner *owner = NULL;
    const char *action = action_of(options);
    size_t job_count_max = options->job_count_max == 0 ? JOB_COUNT_DEFAULT : options->job_count_max;
    enum haul_status status = check(options, &error);
    if (status == HAUL_OK) {
        status = database_check(options->database, &error);
    }
    if (status == HAUL_OK && action != NULL) {
        database_adopt_owner(options->database, output);
        status = change(options, &error);
        if (status == HAUL_NOT_FOUND && error.hint[0] == '\0') {
            char word[SHELL_WORD_BYTES_MAX];
            haul_error_hint(&error, "`haul owner --db %s` shows the record as it is",
                            shell_word(options->database, "DIR", word, sizeof(word)));
        }
    }
    if (status == HAUL_OK) {
        status = read_record(options, &owner, &error);
    }
    if (status != HAUL_OK) {
        return command_failed(status, &error, 0, output);
    }
    if (output->options.json) {
        json_output_owner(owner, action, job_count_max);
    } else if (action == NULL || !output->options.quiet) {
        owner_text_print(owner, options->database, job_count_max);
    }
    haul_owner_free(owner);
    return EXIT_CODE_OK;
}

static int run_owner(const struct command *command, int argc, char **argv)
{
    struct owner_options options = {.database = NULL};
    struct output output;
    int exit_code = 0;
    if (command_parse(command, argc, argv, &options, &exit_code)) {
        output_init(&output, command->name, &options.output);
        exit_code = options.database == NULL ? command_missing("--db DIR", &output)
                                             : run_on(&options, &output);
        output_fini(&output);
    }
    range_list_fini(&options.ranges);
    return exit_code;
}

const struct command command_owner = {
    .name = "owner",
    .summary = "show which ranges a database owns, gave away or took over",
    .synopsis = "--db DIR [options]",
    .details =
        "Changes nothing without an action. An action that may leave keys with two owners prints\n"
        "the risk and ends with exit code 3, unless --accept-two-owners is given. The state that\n"
        "needs each action: docs/OPERATIONS.md.\n"
        "\n" SELECTION_HELP "\n"
        "Examples:\n"
        "  haul owner --db /data/a\n"
        "  haul owner --db /data/a --json | jq '.ranges[] | select(.state == \"released\")'\n"
        "  haul owner --db /data/a --reclaim --prefix user: --accept-two-owners\n"
        "  haul owner --db /rehearsal/a --forget\n",
    .rules = rules,
    .rule_count = sizeof(rules) / sizeof(rules[0]),
    .run = run_owner,
};
