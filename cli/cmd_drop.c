/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_drop.c — `haul drop`: delete the copies of what was handed over. */
#include <inttypes.h>
#include <stdio.h>

#include "command.h"
#include "database_open.h"
#include "exit_code.h"
#include "haul/owner.h"
#include "haul/store.h"
#include "human_size.h"
#include "json_output.h"
#include "migration_options.h"
#include "option_value.h"
#include "output.h"
#include "owner_text.h"
#include "range_option.h"
#include "shell_word.h"

struct drop_options {
    struct output_options output;
    const char *database;
    const char *wal_dir;
    struct name_list families;
    struct range_list ranges;
    bool yes;
    bool accept_loss;
};

#define AT(parser, member) OPTION_AT(parser, struct drop_options, member)

static const struct option_rule rules[] = {
    {.name = "db",
     .value_name = "DIR",
     .help = "the database that gave the ranges",
     .group = "Where",
     AT(option_text, database)},
    WAL_DIR_RULE(struct drop_options),
    SELECTION_OPTION_RULES(struct drop_options),
    {.name = "yes",
     .help = "do it; without this the ranges are only listed",
     .group = "How",
     AT(option_flag, yes)},
    {.name = "accept-loss",
     .help = "also what the database that was given it has lost since",
     .group = "How",
     AT(option_flag, accept_loss)},
    OUTPUT_OPTION_RULES,
};

static enum haul_status nothing_to_drop(const struct drop_options *options,
                                        struct haul_error *error)
{
    char word[SHELL_WORD_BYTES_MAX];
    bool all = options->families.count + options->ranges.count == 0;
    haul_error_set(error, HAUL_NOT_FOUND, NULL, 0, "nothing of %s%s was handed over",
                   all ? "" : "what is selected in ", options->database);
    haul_error_hint(error, "`haul owner --db %s` shows what it owns",
                    shell_word(options->database, "DIR", word, sizeof(word)));
    return HAUL_NOT_FOUND;
}

/* What would go, and the error that asks for --yes. Returns the exit code. */
static int list(const struct haul_owner *released, struct output *output)
{
    struct haul_error error = {.status = HAUL_OK};
    haul_error_set(&error, HAUL_UNCONFIRMED, NULL, 0, "nothing was deleted");
    haul_error_hint(&error, "with --yes the records of these ranges are deleted");
    int exit_code = exit_code_of(HAUL_UNCONFIRMED, 0);
    for (size_t i = 0; i < released->range_count; i++) {
        char where[OWNER_TEXT_RANGE_BYTES_MAX];
        owner_text_range(&released->ranges[i], where);
        if (!output->options.json && !output->options.quiet) {
            (void)printf("given away, and still here: %s\n", where);
        }
    }
    output_error(output, &error);
    if (output->options.json) {
        json_output_drop_list(released, &error, exit_code);
    }
    return exit_code;
}

static enum haul_status delete_ranges(const struct drop_options *options,
                                      const struct haul_owner_selection *selection,
                                      struct haul_owner_dropped *dropped, struct output *output,
                                      struct haul_error *error)
{
    struct haul_rocks_options rocks = {.wal_dir = options->wal_dir, .log = &output->log};
    struct haul_store *store = NULL;
    enum haul_status status = database_open(options->database, &rocks, &store, output, error);
    if (status == HAUL_OK) {
        status = haul_owner_drop(store, selection, dropped, error);
        store->ops->close(store);
    }
    return status == HAUL_NOT_FOUND && error->hint[0] == '\0' ? nothing_to_drop(options, error)
                                                              : status;
}

static int drop(const struct drop_options *options, struct output *output)
{
    struct haul_error error = {.status = HAUL_OK};
    struct haul_owner_dropped dropped = {.ranges = 0};
    struct haul_owner *released = NULL;
    const struct haul_owner_selection selection = {.families = options->families.names,
                                                   .family_count = options->families.count,
                                                   .ranges = options->ranges.ranges,
                                                   .range_count = options->ranges.count,
                                                   .accept_loss = options->accept_loss};
    enum haul_status status =
        haul_owner_read_released(options->database, &selection, &released, &error);
    if (status == HAUL_OK && released->range_count == 0) {
        status = nothing_to_drop(options, &error);
    }
    if (status == HAUL_OK && !options->yes) {
        int exit_code = list(released, output);
        haul_owner_free(released);
        return exit_code;
    }
    haul_owner_free(released);
    if (status == HAUL_OK) {
        status = delete_ranges(options, &selection, &dropped, output, &error);
    }
    if (status != HAUL_OK) {
        return command_failed(status, &error, 0, output);
    }
    if (output->options.json) {
        json_output_drop(&dropped);
    } else if (!output->options.quiet) {
        char bytes[HUMAN_TEXT_BYTES_MAX];
        human_bytes((double)dropped.bytes, bytes);
        (void)printf("deleted %zu range%s, about %s\n", dropped.ranges,
                     dropped.ranges == 1 ? "" : "s", bytes);
    }
    return EXIT_CODE_OK;
}

static int run_drop(const struct command *command, int argc, char **argv)
{
    struct drop_options options = {.database = NULL};
    struct output output;
    int exit_code = 0;
    if (command_parse(command, argc, argv, &options, &exit_code)) {
        output_init(&output, command->name, &options.output);
        exit_code = options.database == NULL ? command_missing("--db DIR", &output)
                                             : drop(&options, &output);
        output_fini(&output);
    }
    range_list_fini(&options.ranges);
    return exit_code;
}

const struct command command_drop = {
    .name = "drop",
    .summary = "delete the source's copies of ranges that were handed over",
    .synopsis = "--db DIR [options] [--yes]",
    .details =
        "A source keeps its copy of what it has handed over. 'haul drop' deletes exactly that,\n"
        "within --cf, --range and --prefix; what it took back meanwhile stays. 'haul owner'\n"
        "shows the ranges.\n"
        "\n" SELECTION_HELP "\n"
        "Examples:\n"
        "  haul drop --db /data/a\n"
        "  haul drop --db /data/a --cf default --prefix user: --yes\n",
    .rules = rules,
    .rule_count = sizeof(rules) / sizeof(rules[0]),
    .needs_threads = true,
    .run = run_drop,
};
