/* SPDX-License-Identifier: Apache-2.0 */
/* bench_source.c — how fast reader threads turn a database into blocks: scan from a snapshot,
 * encode in place, digest, CRC32C; no network.
 *
 * It connects the production modules as source_copy does, with itself in place of the links: blocks
 * come out of the outbox and return to the pool, at once or (--held) after that many others, as if
 * they were on the way. In the latter case the encoder writes to memory that has left the caches.
 * The database lies in the page cache: a first pass, which is not measured, reads all of it.
 *
 * The CPU time is the process's, including that of the thread that takes the blocks. */
#include <getopt.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "batch_history.h"
#include "bench_database.h"
#include "haul/transport.h"
#include "reader_pool.h"

enum {
    PASS_COUNT_DEFAULT = 5,
    PASS_COUNT_MAX = 1000,
    STREAM_BYTES = 256 << 20, /* as source_intent.c */
    HELD_COUNT_MAX = HAUL_SLOT_COUNT_DEFAULT / 2,
};
#define DATABASE_BYTES_DEFAULT (UINT64_C(1) << 30)
#define EPOCH 1

struct settings {
    uint64_t database_bytes;
    uint32_t value_bytes;
    uint32_t batch_bytes;
    uint32_t pass_count;
    uint32_t reader_count;
    uint32_t held_count; /* blocks that are out at any time */
    bool json;
};

struct seconds {
    double cpu;
    double wall;
};

struct source_bench {
    const struct settings *settings;
    struct bench_database database;
    struct haul_store *store;
    struct haul_snapshot *snapshot;
    struct plan plan;
    struct outbox outbox;
    struct batch_history *histories;
    struct reader_pool *readers;
    struct block *held[HELD_COUNT_MAX]; /* "on the way", oldest at held_at */
    uint32_t held_at;
    uint64_t blocks;
    struct digest digest; /* of the last pass */
};

static double read_clock(clockid_t clock)
{
    struct timespec now;
    (void)clock_gettime(clock, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static struct seconds now(void)
{
    return (struct seconds){read_clock(CLOCK_PROCESS_CPUTIME_ID), read_clock(CLOCK_MONOTONIC)};
}

/* --- one pass --------------------------------------------------------------------------------- */

static void take_blocks(struct source_bench *bench)
{
    struct block *block;
    while ((block = outbox_take(&bench->outbox)) != NULL) {
        struct block *oldest = block;
        if (bench->settings->held_count > 0) {
            oldest = bench->held[bench->held_at];
            bench->held[bench->held_at] = block;
            bench->held_at = (bench->held_at + 1) % bench->settings->held_count;
        }
        if (oldest != NULL) {
            outbox_give_back(&bench->outbox, oldest);
        }
        bench->blocks++;
    }
}

/* Run all tasks of one type, and add their digests to that of the pass. */
static enum haul_status run_tasks(struct source_bench *bench, enum reader_task_type type,
                                  size_t count, struct haul_error *error)
{
    struct pollfd fds[] = {{.fd = mailbox_fd(bench->outbox.filled), .events = POLLIN},
                           {.fd = reader_pool_fd(bench->readers), .events = POLLIN}};
    for (uint32_t i = 0; i < count; i++) {
        struct reader_task task = {.type = type, .index = i};
        enum haul_status status = reader_pool_submit(bench->readers, &task);
        if (status != HAUL_OK) {
            return haul_error_set(error, status, NULL, 0, "the readers take no task");
        }
    }
    enum haul_status status = HAUL_OK;
    for (size_t done = 0; done < count && status == HAUL_OK; done++) {
        struct reader_result result;
        while ((status = reader_pool_result(bench->readers, &result)) == HAUL_AGAIN) {
            (void)poll(fds, 2, -1);
            take_blocks(bench);
        }
        if (status == HAUL_OK) {
            *error = result.error;
            status = result.error.status;
            digest_join(&bench->digest, &result.digest);
        }
    }
    take_blocks(bench);
    return status;
}

/* COPY: every stream. DIGEST: only the same scan and digest. */
static enum haul_status run_pass(struct source_bench *bench, enum reader_task_type type,
                                 struct seconds *spent, struct haul_error *error)
{
    enum haul_status status;
    size_t task_count = type == READER_COPY ? bench->plan.stream_count : bench->plan.family_count;
    bench->digest = (struct digest){0};
    for (uint32_t i = 0; type == READER_COPY && i < task_count; i++) {
        batch_history_truncate(&bench->histories[i], 0);
    }
    struct seconds begin = now();
    status = run_tasks(bench, type, task_count, error);
    struct seconds end = now();
    *spent = (struct seconds){end.cpu - begin.cpu, end.wall - begin.wall};
    if (status == HAUL_OK && (bench->digest.count != bench->database.record_count ||
                              bench->digest.bytes != bench->database.bytes)) {
        status = haul_error_set(error, HAUL_CORRUPT, NULL, 0, "%" PRIu64 " of %" PRIu64 " records",
                                bench->digest.count, bench->database.record_count);
    }
    return status;
}

/* Only the scan: RocksDB's share of the time. */
static enum haul_status run_scan(struct source_bench *bench, struct seconds *spent,
                                 struct haul_error *error)
{
    const struct haul_store_ops *ops = bench->store->ops;
    struct haul_slice all = {0};
    struct haul_scan *scan = NULL;
    struct haul_record record;
    uint64_t bytes = 0;
    struct seconds begin = now();
    enum haul_status status = ops->scan_open(
        bench->store, bench->snapshot, bench->plan.families[0].family.id, all, all, &scan, error);
    if (status != HAUL_OK) {
        return status;
    }
    while ((status = ops->scan_next(scan, &record, error)) == HAUL_OK) {
        bytes += record.key.size + record.value.size;
    }
    ops->scan_close(scan);
    struct seconds end = now();
    *spent = (struct seconds){end.cpu - begin.cpu, end.wall - begin.wall};
    bool complete = bytes == bench->database.bytes;
    return status == HAUL_NOT_FOUND && complete ? HAUL_OK : HAUL_CORRUPT;
}

/* --- life ------------------------------------------------------------------------------------- */

static enum haul_status open_source(struct source_bench *bench, struct haul_error *error)
{
    struct haul_rocks_options options = {.size_bytes = sizeof(options)};
    enum haul_status status =
        haul_rocks_store_open(bench->database.path, &options, &bench->store, error);
    if (status != HAUL_OK) {
        return status;
    }
    uint64_t sequence;
    status = bench->store->ops->snapshot_open(bench->store, &bench->snapshot, &sequence, error);
    if (status == HAUL_OK) {
        struct haul_source_options source = {.size_bytes = sizeof(source), .store = bench->store};
        status = plan_make(&bench->plan, bench->store, &source, STREAM_BYTES, error);
    }
    return status;
}

static enum haul_status start(struct source_bench *bench, struct haul_error *error)
{
    enum haul_status status = outbox_init(&bench->outbox, HAUL_SLOT_COUNT_DEFAULT,
                                          HAUL_SLOT_SIZE_BYTES_DEFAULT, EPOCH, error);
    if (status != HAUL_OK) {
        return status;
    }
    atomic_store(&bench->outbox.batch_bytes, bench->settings->batch_bytes);
    bench->histories = calloc(bench->plan.stream_count, sizeof(*bench->histories));
    if (bench->histories == NULL) {
        return haul_error_set(error, HAUL_NO_MEMORY, "calloc", 0, "no memory for histories");
    }
    struct reader_pool_options options = {.store = bench->store,
                                          .snapshot = bench->snapshot,
                                          .plan = &bench->plan,
                                          .outbox = &bench->outbox,
                                          .histories = bench->histories,
                                          .thread_count = bench->settings->reader_count,
                                          .task_count_max = PLAN_STREAM_COUNT_MAX};
    return reader_pool_create(&options, &bench->readers, error);
}

/* Also frees a partly built run. */
static void close_source(struct source_bench *bench)
{
    if (bench->outbox.pool != NULL) {
        for (uint32_t i = 0; i < HELD_COUNT_MAX; i++) {
            if (bench->held[i] != NULL) {
                outbox_give_back(&bench->outbox, bench->held[i]);
            }
        }
        outbox_close(&bench->outbox);
    }
    reader_pool_destroy(bench->readers);
    if (bench->outbox.pool != NULL) {
        outbox_fini(&bench->outbox);
    }
    for (size_t i = 0; bench->histories != NULL && i < bench->plan.stream_count; i++) {
        batch_history_fini(&bench->histories[i]);
    }
    free(bench->histories);
    plan_fini(&bench->plan);
    if (bench->snapshot != NULL) {
        bench->store->ops->snapshot_close(bench->store, bench->snapshot);
    }
    if (bench->store != NULL) {
        bench->store->ops->close(bench->store);
    }
    bench_database_remove(&bench->database);
}

/* --- results ---------------------------------------------------------------------------------- */

static int compare_doubles(const void *a, const void *b)
{
    double left = *(const double *)a;
    double right = *(const double *)b;
    return (left > right) - (left < right);
}

/* The lower one of an even number. */
static double median(double *values, uint32_t count)
{
    qsort(values, count, sizeof(*values), compare_doubles);
    return values[(count - 1) / 2];
}

struct figures {
    uint32_t count;
    struct digest digest;
    double source_cpu[PASS_COUNT_MAX];
    double source_wall[PASS_COUNT_MAX];
    double digest_cpu[PASS_COUNT_MAX];
    double scan_cpu[PASS_COUNT_MAX];
};

/* Measures the source path and its first steps alone, in turn, so that all of them see the machine
 * in the same state. */
static enum haul_status measure_once(struct source_bench *bench, struct figures *figures,
                                     struct haul_error *error)
{
    struct seconds source;
    struct seconds digest;
    struct seconds scan;
    enum haul_status status = run_pass(bench, READER_COPY, &source, error);
    if (status == HAUL_OK) {
        status = run_pass(bench, READER_DIGEST, &digest, error);
    }
    if (status == HAUL_OK) {
        status = run_scan(bench, &scan, error);
    }
    if (status != HAUL_OK) {
        return status;
    }
    if (!digest_equal(&figures->digest, &bench->digest)) {
        return haul_error_set(error, HAUL_CORRUPT, NULL, 0, "two passes, two digests");
    }
    double gigabytes = (double)bench->database.bytes / 1e9;
    figures->source_cpu[figures->count] = gigabytes / source.cpu;
    figures->source_wall[figures->count] = gigabytes / source.wall;
    figures->digest_cpu[figures->count] = gigabytes / digest.cpu;
    figures->scan_cpu[figures->count] = gigabytes / scan.cpu;
    figures->count++;
    return HAUL_OK;
}

static enum haul_status measure(struct source_bench *bench, struct figures *figures,
                                struct haul_error *error)
{
    struct seconds spent;
    enum haul_status status = run_pass(bench, READER_COPY, &spent, error); /* into the page cache */
    figures->digest = bench->digest;
    bench->blocks = 0;
    while (status == HAUL_OK && figures->count < bench->settings->pass_count) {
        status = measure_once(bench, figures, error);
    }
    bench->blocks /= figures->count == 0 ? 1 : figures->count;
    return status;
}

static void print(const struct source_bench *bench, struct figures *figures)
{
    const struct settings *settings = bench->settings;
    double cpu = median(figures->source_cpu, figures->count);
    double wall = median(figures->source_wall, figures->count);
    double digest = median(figures->digest_cpu, figures->count);
    double scan = median(figures->scan_cpu, figures->count);
    const char *format =
        settings->json
            ? "{\"value_bytes\": %" PRIu32 ", \"records\": %" PRIu64 ", \"bytes\": %" PRIu64
              ", \"blocks\": %" PRIu64 ", \"passes\": %" PRIu32
              ", \"gb_per_cpu_second\": %.4f, \"gb_per_second\": %.4f"
              ", \"scan_and_digest_gb_per_cpu_second\": %.4f"
              ", \"scan_gb_per_cpu_second\": %.4f}\n"
            : "source, values of %" PRIu32 " bytes: %" PRIu64 " records, %" PRIu64
              " bytes, %" PRIu64 " blocks, medians of %" PRIu32 " passes\n"
              "  GB per CPU second     %.3f\n"
              "  GB/s by the clock     %.3f\n"
              "  GB per CPU second of its first steps alone: scan and digest %.3f, scan %.3f\n";
    (void)printf(format, settings->value_bytes, bench->database.record_count, bench->database.bytes,
                 bench->blocks, figures->count, cpu, wall, digest, scan);
}

/* --- the command line ------------------------------------------------------------------------- */

static const char usage_text[] =
    "Usage: bench_source [options]\n"
    "  --value-size SIZE  of a record, 1 to 1M (default 1000)\n"
    "  --size SIZE        of the database (default 1G)\n"
    "  --batch-size SIZE  of a batch (default 1M, what a migration begins with)\n"
    "  --passes N         measured passes (default 5)\n"
    "  --readers N        threads that read (default 1)\n"
    "  --held N           blocks that are on the way at any time, 0 to 8 (default 0)\n"
    "  --json             one JSON document instead of a line\n"
    "Sizes take K, M or G (powers of 1024). The database is made in $TMPDIR and removed.\n";

/* False: not a number in this range. */
static bool parse_size(const char *text, uint64_t min, uint64_t max, uint64_t *value)
{
    static const char units[] = "KMG";
    char *end;
    if (*text < '0' || *text > '9') {
        return false;
    }
    uint64_t number = strtoull(text, &end, 10);
    const char *unit = *end == '\0' ? NULL : strchr(units, *end);
    if (number > UINT64_C(1) << 32 || (*end != '\0' && (unit == NULL || end[1] != '\0'))) {
        return false;
    }
    number <<= unit == NULL ? 0 : 10 * (unit - units + 1);
    *value = number;
    return number >= min && number <= max;
}

/* Returns 0 to continue, otherwise the exit code + 1. */
static int parse(int argc, char **argv, struct settings *settings)
{
    static const struct option options[] = {{"value-size", required_argument, NULL, 'v'},
                                            {"size", required_argument, NULL, 's'},
                                            {"batch-size", required_argument, NULL, 'b'},
                                            {"passes", required_argument, NULL, 'p'},
                                            {"readers", required_argument, NULL, 'r'},
                                            {"held", required_argument, NULL, 'o'},
                                            {"json", no_argument, NULL, 'j'},
                                            {"help", no_argument, NULL, 'h'},
                                            {0}};
    uint64_t value_bytes = settings->value_bytes;
    uint64_t batch_bytes = settings->batch_bytes;
    uint64_t pass_count = settings->pass_count;
    uint64_t held_count = settings->held_count;
    uint64_t reader_count = settings->reader_count;
    bool good = true;
    int option;
    while (good && (option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
        if (option == 'h') {
            (void)fputs(usage_text, stdout);
            return 1;
        }
        good = option == 'j' ||
               (option == 'v' && parse_size(optarg, 1, BENCH_VALUE_BYTES_MAX, &value_bytes)) ||
               (option == 's' &&
                parse_size(optarg, 1, UINT64_C(1) << 40, &settings->database_bytes)) ||
               (option == 'b' &&
                parse_size(optarg, 4096, HAUL_SLOT_SIZE_BYTES_DEFAULT - SLOT_HEADER_BYTES,
                           &batch_bytes)) ||
               (option == 'p' && parse_size(optarg, 1, PASS_COUNT_MAX, &pass_count)) ||
               (option == 'r' && parse_size(optarg, 1, HAUL_READER_COUNT_MAX, &reader_count)) ||
               (option == 'o' && parse_size(optarg, 0, HELD_COUNT_MAX, &held_count));
        settings->json = settings->json || option == 'j';
    }
    if (!good || optind != argc) {
        (void)fputs(usage_text, stderr);
        return 3;
    }
    settings->value_bytes = (uint32_t)value_bytes;
    settings->batch_bytes = (uint32_t)batch_bytes;
    settings->pass_count = (uint32_t)pass_count;
    settings->held_count = (uint32_t)held_count;
    settings->reader_count = (uint32_t)reader_count;
    return 0;
}

static enum haul_status run(struct source_bench *bench, struct haul_error *error)
{
    struct figures *figures = calloc(1, sizeof(*figures));
    if (figures == NULL) {
        return haul_error_set(error, HAUL_NO_MEMORY, "calloc", 0, "no memory for the figures");
    }
    enum haul_status status = bench_database_make(&bench->database, bench->settings->database_bytes,
                                                  bench->settings->value_bytes, error);
    if (status == HAUL_OK) {
        status = open_source(bench, error);
    }
    if (status == HAUL_OK) {
        status = start(bench, error);
    }
    if (status == HAUL_OK) {
        status = measure(bench, figures, error);
    }
    if (status == HAUL_OK) {
        print(bench, figures);
    }
    free(figures);
    return status;
}

int main(int argc, char **argv)
{
    struct settings settings = {.database_bytes = DATABASE_BYTES_DEFAULT,
                                .value_bytes = 1000,
                                .batch_bytes = HAUL_BATCH_SIZE_BYTES_MIN_DEFAULT,
                                .reader_count = 1,
                                .pass_count = PASS_COUNT_DEFAULT};
    int exit_code = parse(argc, argv, &settings);
    if (exit_code != 0) {
        return exit_code - 1;
    }
    struct source_bench bench = {.settings = &settings};
    struct haul_error error = {.status = HAUL_OK};
    enum haul_status status = run(&bench, &error);
    close_source(&bench);
    if (status != HAUL_OK) {
        char line[512];
        haul_error_format(&error, line, sizeof(line));
        (void)fprintf(stderr, "bench_source: %s\n", line);
        return 1;
    }
    return 0;
}
