/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_bench.c — `haul bench link`: measures the bare link. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "command.h"
#include "exit_code.h"
#include "haul/link_bench.h"
#include "human_size.h"
#include "json_output.h"
#include "migration_options.h"
#include "option_value.h"
#include "output.h"
#include "signal_watch.h"

enum { SIZE_BYTES_DEFAULT = 1 << 20, MS_DEFAULT = 5000 };

struct bench_options {
    struct output_options output;
    enum haul_transport transport;
    uint32_t size_bytes;
    uint32_t duration_ms;
    uint32_t link_count;
    const char *to;
    const char *serve;
    const char *both;
    bool without_crc;
    bool keep_serving;
    bool insecure;
    uint32_t slot_count;
    uint32_t slot_size_bytes;
    uint32_t peer_timeout_ms;
};

static enum haul_status parse_transport(const struct option_rule *rule, const char *text,
                                        void *target, struct haul_error *error)
{
    for (unsigned value = HAUL_TRANSPORT_VERBS; value <= HAUL_TRANSPORT_LOOPBACK; value++) {
        if (strcmp(text, haul_transport_name((enum haul_transport)value)) == 0) {
            *(enum haul_transport *)target = (enum haul_transport)value;
            return HAUL_OK;
        }
    }
    haul_error_set(error, HAUL_INVALID, NULL, 0, "invalid value '%s' for --%s", text, rule->name);
    haul_error_hint(error, "rdma, tcp or loopback");
    return HAUL_INVALID;
}

#define AT(parser, member) OPTION_AT(parser, struct bench_options, member)

static const struct option_rule rules[] = {
    {.name = "transport",
     .value_name = "NAME",
     .help = "rdma, tcp or loopback (memory to memory in one process)",
     .group = "Link",
     AT(parse_transport, transport)},
    {.name = "to",
     .value_name = "ADDR:PORT",
     .help = "send to a bench that listens there",
     AT(option_text, to)},
    {.name = "serve",
     .value_name = "ADDR:PORT",
     .help = "listen there for a bench that sends",
     AT(option_text, serve)},
    {.name = "both",
     .value_name = "ADDR:PORT",
     .help = "run both ends here, over this address (default for tcp: 127.0.0.1)",
     AT(option_text, both)},
    {.name = "insecure",
     .help = "with --to and --serve: trust other hosts than this one, and the network\n"
             "between (a benchmark has no key)",
     AT(option_flag, insecure)},
    {.name = "size",
     .value_name = "SIZE",
     .help = "payload of a block (default 1M)",
     .group = "Run",
     AT(option_size_u32, size_bytes),
     .min = 1,
     .max = HAUL_SLOT_SIZE_BYTES_MAX - 64},
    {.name = "seconds",
     .value_name = "TIME",
     .help = "how long to send (default 5)",
     AT(option_duration, duration_ms),
     .min = 10,
     .max = 3600000},
    {.name = "links",
     .value_name = "N",
     .help = "parallel links (default 1)",
     AT(option_u32, link_count),
     .min = 1,
     .max = HAUL_LINK_COUNT_MAX},
    {.name = "no-crc", .help = "omit the payload checksums", AT(option_flag, without_crc)},
    {.name = "keep", .help = "serve one run after another", AT(option_flag, keep_serving)},
    LINK_OPTION_RULES(struct bench_options, "16, with rdma 8", "large enough for a block"),
    OUTPUT_OPTION_RULES,
};

/* is_cancelled and on_listening share one context in the library's options. */
struct bench_context {
    struct signal_watch watch;
    struct output *output;
};

static bool bench_is_cancelled(void *context)
{
    struct bench_context *bench = context;
    return signal_watch_is_cancelled(&bench->watch);
}

static void bench_on_listening(void *context, const char *address)
{
    struct bench_context *bench = context;
    output_line(bench->output, "listening on %s", address);
}

static void print_result(const struct bench_options *given,
                         const struct haul_link_bench_result *result)
{
    char bytes[HUMAN_TEXT_BYTES_MAX];
    char seconds[HUMAN_TEXT_BYTES_MAX];
    char speed[HUMAN_TEXT_BYTES_MAX];
    human_bytes((double)result->bytes, bytes);
    human_seconds(result->seconds, seconds);
    human_bytes(result->bytes_per_second, speed);
    (void)printf("%s: %s in %s, %s/s; %" PRIu64 " blocks of %" PRIu32 " bytes, %" PRIu32
                 " link%s, %.2f CPU s\n",
                 haul_transport_name(result->transport), bytes, seconds, speed, result->blocks,
                 given->size_bytes, given->link_count, given->link_count == 1 ? "" : "s",
                 result->cpu_seconds);
}

static enum haul_status measure(const struct bench_options *given, struct bench_context *context,
                                struct haul_link_bench_result *result, struct haul_error *error)
{
    struct haul_link_bench_options options = {
        .size_bytes = sizeof(options),
        .transport = given->transport,
        .address = given->to,
        .payload_size_bytes = given->size_bytes,
        .seconds = given->duration_ms / 1000.0,
        .link_count = given->link_count,
        .without_crc = given->without_crc,
        .keep_serving = given->keep_serving,
        .link = {.slot_count = given->slot_count,
                 .slot_size_bytes = given->slot_size_bytes,
                 .peer_timeout_ms = given->peer_timeout_ms},
        .is_cancelled = bench_is_cancelled,
        .context = context,
        .on_listening = bench_on_listening,
        .log = &context->output->log,
        .insecure = given->insecure,
    };
    if (given->to != NULL) {
        return haul_link_bench_run(&options, result, error);
    }
    if (given->serve != NULL) {
        options.address = given->serve;
        return haul_link_bench_serve(&options, result, error);
    }
    options.address = given->both;
    return haul_link_bench_both(&options, result, error);
}

static int bench_link(const struct bench_options *given, struct output *output)
{
    struct haul_error error = {.status = HAUL_OK};
    struct bench_context context = {.output = output};
    enum haul_status status = signal_watch_init(&context.watch, output, &error);
    if (status != HAUL_OK) {
        return command_failed(status, &error, 0, output);
    }
    signal_watch_set_polled(&context.watch);
    struct haul_link_bench_result result = {.bytes = 0};
    status = measure(given, &context, &result, &error);
    int number = signal_watch_number(&context.watch);
    signal_watch_fini(&context.watch);
    /* The figures of a run that was stopped early are still valid; the exit code reports the
     * stop. */
    if (status == HAUL_OK && number != 0) {
        status = haul_error_set(&error, HAUL_STOPPED, NULL, 0, "stopped by signal %d", number);
    }
    if (status != HAUL_OK) {
        return command_failed(status, &error, number, output);
    }
    if (output->options.json) {
        json_output_bench(&result, given->link_count, given->size_bytes, &error, EXIT_CODE_OK);
    } else if (!output->options.quiet) {
        print_result(given, &result);
    }
    return EXIT_CODE_OK;
}

static int usage(const char *what, const char *hint, struct output *output)
{
    struct haul_error error;
    haul_error_set(&error, HAUL_INVALID, NULL, 0, "%s", what);
    haul_error_hint(&error, "%s", hint);
    return command_failed(HAUL_INVALID, &error, 0, output);
}

static int run_link(const struct bench_options *options, struct output *output)
{
    int ends = (options->to != NULL) + (options->serve != NULL) + (options->both != NULL);
    if (options->transport == HAUL_TRANSPORT_NONE) {
        return command_missing("--transport NAME", output);
    }
    if (ends > 1) {
        return usage("--to, --serve and --both exclude each other", "give only one of them",
                     output);
    }
    if (ends > 0 && options->transport == HAUL_TRANSPORT_LOOPBACK) {
        return usage("the loopback link has no address", "omit --to, --serve and --both", output);
    }
    return bench_link(options, output);
}

static int run_bench(const struct command *command, int argc, char **argv)
{
    struct bench_options options = {
        .size_bytes = SIZE_BYTES_DEFAULT, .duration_ms = MS_DEFAULT, .link_count = 1};
    bool has_subject = argc > 1 && strcmp(argv[1], "link") == 0;
    struct output output;
    int exit_code = 0;
    int skipped = has_subject ? 1 : 0;
    if (!command_parse(command, argc - skipped, argv + skipped, &options, &exit_code)) {
        return exit_code;
    }
    output_init(&output, command->name, &options.output);
    exit_code = has_subject ? run_link(&options, &output) : command_missing("'link'", &output);
    output_fini(&output);
    return exit_code;
}

const struct command command_bench = {
    .name = "bench",
    .summary = "measure the bare link, like ib_write_bw or iperf3",
    .synopsis = "link --transport rdma|tcp|loopback [--to ADDR:PORT | --serve ADDR:PORT] [options]",
    .details = "Without --to and --serve both ends run in this process.\n"
               "\n"
               "Examples:\n"
               "  haul bench link --transport loopback\n"
               "  haul bench link --transport tcp --size 4M --seconds 2 --links 2 --json\n"
               "  haul bench link --transport rdma --serve 10.0.0.7:7448 --insecure\n"
               "  haul bench link --transport rdma --to 10.0.0.7:7448 --insecure\n",
    .rules = rules,
    .rule_count = sizeof(rules) / sizeof(rules[0]),
    .needs_threads = true,
    .run = run_bench,
};
