/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_drop.c — `haul drop`: delete the copies of handed-over ranges. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

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
     .help = "delete them; without this option the ranges are only listed",
     .group = "How",
     AT(option_flag, yes)},
    {.name = "accept-loss",
     .help = "also delete what its new owner is known to have lost",
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

static bool is_selected(const struct drop_options *options, const char *family)
{
    bool selected = options->families.count == 0;
    for (size_t i = 0; i < options->families.count; i++) {
        selected = selected || strcmp(options->families.names[i], family) == 0;
    }
    return selected;
}

static bool is_released(const struct drop_options *options, const struct haul_owner *owner,
                        const char *family)
{
    static const struct haul_range everything;
    bool all = options->ranges.count == 0;
    bool released = false;
    for (size_t i = 0; i < (all ? 1 : options->ranges.count); i++) {
        const struct haul_range *range = all ? &everything : &options->ranges.ranges[i];
        released = released || haul_owner_state_of(owner, family, range) == HAUL_OWNER_RELEASED;
    }
    return released;
}

/* The database has no column family with a part of the selection that is given away. Does the
 * record have one? Then its owner has dropped it, and the copy with it. */
static enum haul_status look_for_dropped(const struct drop_options *options,
                                         struct haul_error *error)
{
    struct haul_owner *owner = NULL;
    bool found = false;
    enum haul_status status = haul_owner_read(options->database, &owner, error);
    for (size_t i = 0; status == HAUL_OK && i < owner->range_count; i++) {
        const char *family = owner->ranges[i].family;
        found = found || (is_selected(options, family) && is_released(options, owner, family));
    }
    haul_owner_free(owner);
    return status == HAUL_OK && !found ? nothing_to_drop(options, error) : status;
}

static int report(const struct haul_owner_dropped *dropped, struct output *output)
{
    char bytes[HUMAN_TEXT_BYTES_MAX];
    human_bytes((double)dropped->bytes, bytes);
    if (output->options.json) {
        json_output_drop(dropped);
    } else if (!output->options.quiet && dropped->ranges == 0) {
        (void)printf("nothing left to delete: the column families that were handed over are "
                     "gone\n");
    } else if (!output->options.quiet) {
        (void)printf("deleted %zu range%s, about %s\n", dropped->ranges,
                     dropped->ranges == 1 ? "" : "s", bytes);
    }
    return EXIT_CODE_OK;
}

/* List what would be deleted, and report the error that requests --yes. Returns the exit code. */
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

/* An open for writing opens every column family, and one of the others can be the obstacle. Then no
 * `drop` will ever succeed. */
static void hint_owner_deletes(const struct drop_options *options, enum haul_status status,
                               struct haul_error *error)
{
    struct haul_error reason;
    char word[SHELL_WORD_BYTES_MAX];
    if ((status == HAUL_UNSUPPORTED || status == HAUL_MISMATCH) &&
        haul_rocks_store_check_families(options->database, &reason) == status) {
        haul_error_hint(error,
                        "delete what `haul owner --db %s` lists as given away with the program "
                        "that has the database, or embed libhaul there",
                        shell_word(options->database, "DIR", word, sizeof(word)));
    }
}

static enum haul_status delete_ranges(const struct drop_options *options,
                                      const struct haul_owner_selection *selection,
                                      struct haul_owner_dropped *dropped, struct output *output,
                                      struct haul_error *error)
{
    struct haul_rocks_options rocks = {
        .size_bytes = sizeof(rocks), .wal_dir = options->wal_dir, .log = &output->log};
    struct haul_store *store = NULL;
    enum haul_status status = database_open(options->database, &rocks, &store, output, error);
    if (status == HAUL_OK) {
        status = haul_owner_drop(store, selection, dropped, error);
        store->ops->close(store);
    } else {
        hint_owner_deletes(options, status, error);
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
    bool none = status == HAUL_OK && released->range_count == 0;
    if (none) {
        status = look_for_dropped(options, &error);
    }
    if (status == HAUL_OK && !none && !options->yes) {
        int exit_code = list(released, output);
        haul_owner_free(released);
        return exit_code;
    }
    haul_owner_free(released);
    if (status == HAUL_OK && !none) {
        status = delete_ranges(options, &selection, &dropped, output, &error);
    }
    return status == HAUL_OK ? report(&dropped, output) : command_failed(status, &error, 0, output);
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
    .summary = "delete the source's copies of handed-over ranges",
    .synopsis = "--db DIR [options] [--yes]",
    .details =
        "A source keeps its copy of what it has handed over. 'haul drop' deletes exactly that,\n"
        "within --cf, --range and --prefix; ranges that it took back stay. 'haul owner' shows\n"
        "the ranges.\n"
        "\n" SELECTION_HELP "\n"
        "Examples:\n"
        "  haul drop --db /data/a\n"
        "  haul drop --db /data/a --cf default --prefix user: --yes\n",
    .rules = rules,
    .rule_count = sizeof(rules) / sizeof(rules[0]),
    .needs_threads = true,
    .run = run_drop,
};
