/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_keygen.c — `haul keygen`: the file that lets two hosts trust each other. */
#include <stdio.h>

#include "command.h"
#include "exit_code.h"
#include "haul/key_file.h"
#include "json_output.h"
#include "option_value.h"

struct keygen_options {
    struct output_options output;
    const char *file;
    const char *id;
    bool rotate;
    bool retire;
};

#define AT(parser, member) OPTION_AT(parser, struct keygen_options, member)

static const struct option_rule rules[] = {
    {.name = "rotate",
     .help = "add a new key to FILE: it is used first, the former one is still accepted",
     .group = "What",
     AT(option_flag, rotate)},
    {.name = "retire", .help = "remove the former key from FILE", AT(option_flag, retire)},
    {.name = "id",
     .value_name = "NAME",
     .help = "name of the new key, which logs show (default: random digits)",
     AT(option_text, id)},
    OUTPUT_OPTION_RULES,
    {.value_name = "FILE",
     .help = "the file; a new one unless --rotate or --retire is given",
     .group = "Where",
     AT(option_text, file)},
};

static enum haul_status change(const struct keygen_options *options, struct haul_error *error)
{
    if (options->rotate && options->retire) {
        return haul_error_set(error, HAUL_INVALID, NULL, 0,
                              "--rotate and --retire exclude each other");
    }
    if (options->retire && options->id != NULL) {
        return haul_error_set(error, HAUL_INVALID, NULL, 0,
                              "--retire makes no key: --id names none");
    }
    if (options->retire) {
        return haul_key_file_retire(options->file, error);
    }
    return options->rotate ? haul_key_file_rotate(options->file, options->id, error)
                           : haul_key_file_make(options->file, options->id, error);
}

/* What the file has now. */
static int report(const struct keygen_options *options, struct output *output)
{
    struct haul_error error = {.status = HAUL_OK};
    struct haul_keys *keys = NULL;
    enum haul_status status = haul_keys_load(options->file, &keys, &error);
    if (status != HAUL_OK) {
        return command_failed(status, &error, 0, output);
    }
    if (options->output.json) {
        json_output_keygen(options->file, keys);
    } else if (!options->output.quiet) {
        bool two = haul_keys_count(keys) == 2;
        (void)printf("%s: key %s%s%s\n", options->file, haul_keys_id(keys, 0),
                     two ? ", and the former key " : "", two ? haul_keys_id(keys, 1) : "");
        (void)printf("copy it to the other hosts, readable by its user only, and give it to both "
                     "sides: --key FILE\n");
    }
    haul_keys_destroy(keys);
    return EXIT_CODE_OK;
}

static int run_keygen(const struct command *command, int argc, char **argv)
{
    struct keygen_options options = {.file = NULL};
    struct output output;
    int exit_code = 0;
    if (!command_parse(command, argc, argv, &options, &exit_code)) {
        return exit_code;
    }
    output_init(&output, command->name, &options.output);
    struct haul_error error = {.status = HAUL_OK};
    enum haul_status status = options.file == NULL ? HAUL_INVALID : change(&options, &error);
    if (options.file == NULL) {
        exit_code = command_missing("FILE", &output);
    } else if (status != HAUL_OK) {
        exit_code = command_failed(status, &error, 0, &output);
    } else {
        exit_code = report(&options, &output);
    }
    output_fini(&output);
    return exit_code;
}

const struct command command_keygen = {
    .name = "keygen",
    .summary = "make the key by which two hosts trust each other",
    .synopsis = "[options] FILE",
    .details =
        "Sender and receiver with the same file authenticate each other and encrypt what they\n"
        "say. To change the key without an interruption: --rotate, copy the file to every\n"
        "host, receivers first, restart them, and then --retire in the same way.\n"
        "\n"
        "Examples:\n"
        "  haul keygen /etc/haul/key\n"
        "  haul recv --db /data/b --key /etc/haul/key\n"
        "  haul send --db /data/a --to 10.0.0.7:7447 --key /etc/haul/key\n",
    .rules = rules,
    .rule_count = sizeof(rules) / sizeof(rules[0]),
    .run = run_keygen,
};
