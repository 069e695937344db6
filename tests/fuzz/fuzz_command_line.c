/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_command_line.c — what people type: numbers, sizes, times, keys, addresses, whole lines; and
 * how numbers are printed.
 *
 *   u8 which (enum which) | text; each argument of a line ends with a newline */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "assertion.h"
#include "bytes.h"
#include "fuzz_target.h"
#include "haul/transport.h"
#include "human_size.h"
#include "key_range.h"
#include "link.h"
#include "option_value.h"
#include "range_option.h"

enum which { NUMBER, SIZE, DURATION, WORD, RANGE, PREFIX, ADDRESS, LINE, PRINTED, WHICH_COUNT };

enum { ARGUMENT_COUNT_MAX = 32, TEXT_BYTES_MAX = 4096 };

static const struct option_rule rule = {.name = "value", .min = 2, .max = 1 << 20};

/* --- values ----------------------------------------------------------------------------------- */

static void check_answer(enum haul_status status, const struct haul_error *error)
{
    haul_assert(status == HAUL_OK || status == HAUL_INVALID);
    haul_assert(status == HAUL_OK || (error->status == status && error->text[0] != '\0'));
}

static bool is_in_range(uint64_t value)
{
    return value >= rule.min && value <= rule.max;
}

static void try_number(const char *text)
{
    struct haul_error error;
    uint64_t wide = 0;
    uint32_t narrow = 0;
    enum haul_status status = option_u64(&rule, text, &wide, &error);
    check_answer(status, &error);
    expect_status(option_u32(&rule, text, &narrow, &error), status);
    if (status == HAUL_OK) {
        haul_assert(is_in_range(wide) && narrow == wide);
        haul_assert(strspn(text, "0123456789") == strlen(text));
    }
}

static void try_size(const char *text)
{
    struct haul_error error;
    uint64_t wide = 0;
    uint32_t narrow = 0;
    enum haul_status status = option_size_u64(&rule, text, &wide, &error);
    check_answer(status, &error);
    expect_status(option_size_u32(&rule, text, &narrow, &error), status);
    haul_assert(status != HAUL_OK || (is_in_range(wide) && narrow == wide));
}

static void try_duration(const char *text)
{
    struct haul_error error;
    uint32_t value = 0;
    enum haul_status status = option_duration(&rule, text, &value, &error);
    check_answer(status, &error);
    haul_assert(status != HAUL_OK || is_in_range(value));
}

static void try_word(const char *text)
{
    struct haul_error error;
    struct name_list names = {.count = 0};
    const char *word = NULL;
    struct haul_transport_list transports = {{HAUL_TRANSPORT_NONE}};
    enum haul_lane lane = HAUL_LANE_AUTO;
    check_answer(option_names(&rule, text, &names, &error), &error);
    check_answer(option_text(&rule, text, &word, &error), &error);
    check_answer(option_transports(&rule, text, &transports, &error), &error);
    check_answer(option_lane(&rule, text, &lane, &error), &error);
    haul_assert(lane <= HAUL_LANE_WRITE_BATCH && transports.items[2] == HAUL_TRANSPORT_NONE);
    haul_assert(names.count == 0 || names.names[0] == text);
}

/* --- keys ------------------------------------------------------------------------------------- */

/* The tool and the library parse ranges alike. */
static void try_range(const char *text, bool is_prefix)
{
    struct haul_error error;
    struct range_list list = {.count = 0};
    struct key_range range;
    enum haul_status status = is_prefix ? option_prefix(&rule, text, &list, &error)
                                        : option_range(&rule, text, &list, &error);
    check_answer(status, &error);
    expect_status(is_prefix ? key_range_parse_prefix(&range, text, &error)
                            : key_range_parse(&range, text, &error),
                  status);
    if (status == HAUL_OK) {
        char printed[32];
        struct haul_slice start = key_range_start(&range);
        haul_assert(list.count == 1);
        haul_assert(slice_compare(list.ranges[0].start, start) == 0);
        haul_assert(slice_compare(list.ranges[0].end, key_range_end(&range)) == 0);
        key_format(start, printed, sizeof(printed));
        haul_assert(memchr(printed, '\0', sizeof(printed)) != NULL);
        key_range_fini(&range);
    }
    range_list_fini(&list);
}

/* --- addresses -------------------------------------------------------------------------------- */

/* Whether this address needs a name server, on which no test may depend. */
static bool needs_look_up(const char *text)
{
    char host[TEXT_BYTES_MAX];
    uint8_t binary[16];
    const char *colon = strrchr(text, ':');
    if (colon == NULL || colon == text) {
        return false;
    }
    size_t size = (size_t)(colon - text);
    bool bracketed = size >= 2 && text[0] == '[' && text[size - 1] == ']';
    (void)snprintf(host, sizeof(host), "%.*s", (int)(bracketed ? size - 2 : size),
                   bracketed ? text + 1 : text);
    return inet_pton(AF_INET, host, binary) != 1 && inet_pton(AF_INET6, host, binary) != 1 &&
           host[0] != '\0';
}

static void try_address(const char *text)
{
    struct haul_error error;
    struct link_address address;
    struct link_address again;
    char printed[LINK_ADDRESS_TEXT_BYTES_MAX];
    char twice[LINK_ADDRESS_TEXT_BYTES_MAX];
    if (needs_look_up(text)) {
        return;
    }
    enum haul_status status = link_address_parse(text, &address, &error);
    haul_assert(status == HAUL_OK || error.status == status);
    if (status == HAUL_OK) {
        link_address_format(&address, printed);
        expect_status(link_address_parse(printed, &again, &error), HAUL_OK);
        link_address_format(&again, twice);
        haul_assert(strcmp(printed, twice) == 0);
    }
}

/* --- lines ------------------------------------------------------------------------------------ */

struct line_options {
    bool flag;
    unsigned count;
    const char *text;
    uint64_t size;
    uint32_t duration;
    struct name_list names;
};

static const struct option_rule line_rules[] = {
    {.name = "flag", .letter = 'f', OPTION_AT(option_flag, struct line_options, flag)},
    {.name = "verbose", .letter = 'v', OPTION_AT(option_count, struct line_options, count)},
    {.name = "text", .value_name = "T", OPTION_AT(option_text, struct line_options, text)},
    {.name = "size",
     .letter = 's',
     .value_name = "S",
     OPTION_AT(option_size_u64, struct line_options, size),
     .max = 1 << 30},
    {.name = "slowly",
     .value_name = "D",
     OPTION_AT(option_duration, struct line_options, duration),
     .max = 1 << 30},
    {.name = "family", .value_name = "N", OPTION_AT(option_names, struct line_options, names)},
};

/* Split the text at its newlines. */
static void try_line(char *text)
{
    char *arguments[ARGUMENT_COUNT_MAX + 2] = {(char[]){"haul"}};
    int count = 1;
    for (char *at = text; at != NULL && count <= ARGUMENT_COUNT_MAX;) {
        arguments[count++] = at;
        at = strchr(at, '\n');
        if (at != NULL) {
            *at++ = '\0';
        }
    }
    struct haul_error error;
    struct line_options options = {.flag = false};
    bool help = false;
    check_answer(option_table_parse(line_rules, sizeof(line_rules) / sizeof(line_rules[0]), count,
                                    arguments, &options, &help, &error),
                 &error);
    haul_assert(options.size <= 1 << 30 && options.duration <= 1 << 30);
}

/* --- printing --------------------------------------------------------------------------------- */

static void try_printed(struct haul_slice bytes)
{
    char text[HUMAN_TEXT_BYTES_MAX];
    double number = 0;
    memcpy(&number, bytes.data, bytes.size < sizeof(number) ? bytes.size : sizeof(number));
    human_bytes(number, text);
    haul_assert(strnlen(text, sizeof(text)) < sizeof(text) && text[0] != '\0');
    human_seconds(number, text);
    haul_assert(strnlen(text, sizeof(text)) < sizeof(text) && text[0] != '\0');
}

static void try_text(enum which which, char *text)
{
    switch (which) {
    case NUMBER:
        try_number(text);
        return;
    case SIZE:
        try_size(text);
        return;
    case DURATION:
        try_duration(text);
        return;
    case WORD:
        try_word(text);
        return;
    case RANGE:
    case PREFIX:
        try_range(text, which == PREFIX);
        return;
    case ADDRESS:
        try_address(text);
        return;
    default:
        try_line(text);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cursor input = cursor_of(data, size);
    enum which which = (enum which)(cursor_u8(&input) % WHICH_COUNT);
    size_t left = cursor_left(&input);
    struct haul_slice bytes = cursor_slice(&input, left < TEXT_BYTES_MAX ? left : TEXT_BYTES_MAX);
    char *text = calloc(bytes.size + 1, 1);
    haul_assert(text != NULL);
    if (bytes.size > 0) {
        memcpy(text, bytes.data, bytes.size);
        if (which == PRINTED) {
            try_printed(bytes);
        }
    }
    if (which != PRINTED) {
        try_text(which, text);
    }
    free(text);
    return 0;
}
