/* SPDX-License-Identifier: Apache-2.0 */
/* option_table.c — getopt_long over a table of rules. */
#include "option_table.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "spelling.h"

enum {
    RULE_COUNT_MAX = 48,
    /* getopt_long returns these values for rules; smaller values are letters. */
    LONG_BASE = 1000,
    HELP_COLUMN = 30,
    OPTION_NAME_BYTES_MAX = 64,
};

/* The arguments of getopt_long, built from the rules. */
struct long_options {
    struct option list[RULE_COUNT_MAX + 2];
    char letters[2 * RULE_COUNT_MAX + 4];
};

static void make_long_options(const struct option_rule *rules, size_t rule_count,
                              struct long_options *made)
{
    memset(made, 0, sizeof(*made));
    char *letter = made->letters;
    *letter++ = ':'; /* makes getopt_long distinguish a missing value from an unknown option */
    *letter++ = 'h';
    for (size_t i = 0; i < rule_count; i++) {
        made->list[i] = (struct option){
            .name = rules[i].name,
            .has_arg = rules[i].value_name == NULL ? no_argument : required_argument,
            .val = LONG_BASE + (int)i,
        };
        if (rules[i].letter != 0) {
            *letter++ = (char)rules[i].letter;
            if (rules[i].value_name != NULL) {
                *letter++ = ':';
            }
        }
    }
    made->list[rule_count] = (struct option){.name = "help", .val = 'h'};
}

static const struct option_rule *find_rule(const struct option_rule *rules, size_t rule_count,
                                           int value)
{
    if (value >= LONG_BASE) {
        return &rules[value - LONG_BASE];
    }
    for (size_t i = 0; i < rule_count; i++) {
        if (rules[i].letter == value) {
            return &rules[i];
        }
    }
    return NULL;
}

/* The option that a mistyped one most resembles; NULL: none. */
static const char *nearest_option(const struct option_rule *rules, size_t rule_count,
                                  const char *given)
{
    char name[OPTION_NAME_BYTES_MAX];
    (void)snprintf(name, sizeof(name), "%.*s", (int)strcspn(given, "="), given);
    const char *nearest = NULL;
    size_t smallest = spelling_distance_max(name) + 1;
    for (size_t i = 0; i < rule_count; i++) {
        size_t distance = spelling_distance(rules[i].name, name);
        if (distance < smallest) {
            smallest = distance;
            nearest = rules[i].name;
        }
    }
    return nearest;
}

static enum haul_status bad_option(const struct option_rule *rules, size_t rule_count, int found,
                                   const char *given, struct haul_error *error)
{
    if (found == ':') {
        return haul_error_set(error, HAUL_INVALID, NULL, 0, "option '%s' requires a value", given);
    }
    haul_error_set(error, HAUL_INVALID, NULL, 0, "unknown option '%s'", given);
    const char *nearest =
        strncmp(given, "--", 2) == 0 ? nearest_option(rules, rule_count, given + 2) : NULL;
    if (nearest != NULL) {
        haul_error_hint(error, "did you mean '--%s'?", nearest);
    }
    return HAUL_INVALID;
}

enum haul_status option_table_parse(const struct option_rule *rules, size_t rule_count, int argc,
                                    char **argv, void *options, bool *help,
                                    struct haul_error *error)
{
    struct long_options made;
    if (rule_count > RULE_COUNT_MAX) {
        return haul_error_set(error, HAUL_INTERNAL, NULL, 0, "too many option rules");
    }
    const struct option_rule *alone =
        rule_count > 0 && rules[rule_count - 1].name == NULL ? &rules[rule_count - 1] : NULL;
    size_t named_count = alone != NULL ? rule_count - 1 : rule_count;
    make_long_options(rules, named_count, &made);
    optind = 0; /* glibc: start over, even after an earlier scan */
    opterr = 0;
    *help = false;
    for (;;) {
        int before = optind == 0 ? 1 : optind;
        int found = getopt_long(argc, argv, made.letters, made.list, NULL);
        if (found == -1) {
            break;
        }
        if (found == 'h') {
            *help = true;
            return HAUL_OK;
        }
        if (found == '?' || found == ':') {
            return bad_option(rules, named_count, found, argv[before], error);
        }
        const struct option_rule *rule = find_rule(rules, named_count, found);
        void *target = (char *)options + rule->offset;
        enum haul_status status = rule->parse(rule, optarg, target, error);
        if (status != HAUL_OK) {
            return status;
        }
    }
    if (optind < argc && alone != NULL) {
        enum haul_status status =
            alone->parse(alone, argv[optind++], (char *)options + alone->offset, error);
        if (status != HAUL_OK) {
            return status;
        }
    }
    if (optind < argc) {
        return haul_error_set(error, HAUL_INVALID, NULL, 0, "unexpected argument '%s'",
                              argv[optind]);
    }
    return HAUL_OK;
}

/* --- help ------------------------------------------------------------------------------------- */

/* Print the help text in its column, with further lines indented to it. */
static void print_help_text(int used, const char *text)
{
    if (used >= HELP_COLUMN) {
        (void)printf("\n");
        used = 0;
    }
    for (;;) {
        int size = (int)strcspn(text, "\n");
        (void)printf("%*s%.*s\n", HELP_COLUMN - used, "", size, text);
        if (text[size] == '\0') {
            return;
        }
        text += size + 1;
        used = 0;
    }
}

void option_table_print(const struct option_rule *rules, size_t rule_count)
{
    for (size_t i = 0; i < rule_count; i++) {
        const struct option_rule *rule = &rules[i];
        if (rule->group != NULL) {
            (void)printf("%s%s:\n", i == 0 ? "" : "\n", rule->group);
        }
        int used = rule->name == NULL  ? printf("  %s", rule->value_name)
                   : rule->letter != 0 ? printf("  -%c, --%s", rule->letter, rule->name)
                                       : printf("      --%s", rule->name);
        if (rule->name != NULL && rule->value_name != NULL) {
            used += printf(" %s", rule->value_name);
        }
        print_help_text(used, rule->help);
    }
    int used = printf("  -h, --help");
    print_help_text(used, "this page");
}
