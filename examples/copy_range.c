/* SPDX-License-Identifier: Apache-2.0 */
/* copy_range.c — hands a range of keys over from one database to another within one process.
 *
 *   copy_range FROM TO START END     copy_range /data/a /data/b user: user;
 *
 * Both ends run here and meet on 127.0.0.1; on two hosts each process starts one of them. No other
 * process may have the databases open. FROM keeps its copy and records that TO owns the range. */
#include <haul/migration.h>
#include <stdio.h>
#include <string.h>

static int fail(const struct haul_error *error)
{
    char line[1024];
    haul_error_format(error, line, sizeof(line));
    (void)fprintf(stderr, "copy_range: %s\n", line);
    return 1;
}

static int copy_range(struct haul_store *from, struct haul_store *to, struct haul_range range)
{
    struct haul_error error;
    struct haul_migration *source = NULL;
    struct haul_migration *target = NULL;
    struct haul_target_options take = {
        .size_bytes = sizeof(take), .store = to, .listen = "127.0.0.1:0", .once = true};
    if (haul_target_start(&take, &target, &error) != HAUL_OK) {
        return fail(&error);
    }
    struct haul_source_options give = {.size_bytes = sizeof(give),
                                       .store = from,
                                       .to = haul_migration_address(target),
                                       .ranges = &range,
                                       .range_count = 1};
    if (haul_source_start(&give, &source, &error) != HAUL_OK) {
        haul_migration_destroy(target);
        return fail(&error);
    }
    while (!haul_migration_ended(source, 1000) || !haul_migration_ended(target, 1000)) {
    }
    const struct haul_result *result = haul_migration_result(source);
    int code = result->status == HAUL_OK ? 0 : fail(&result->error);
    (void)printf("%llu records, %s\n", (unsigned long long)result->progress.records,
                 result->verified ? "verified" : "not verified");
    haul_migration_destroy(source);
    haul_migration_destroy(target);
    return code;
}

int main(int argc, char **argv)
{
    if (argc != 5) {
        (void)fprintf(stderr, "usage: copy_range FROM TO START END\n");
        return 2;
    }
    struct haul_error error;
    struct haul_store *from = NULL;
    struct haul_store *to = NULL;
    struct haul_rocks_options old = {.size_bytes = sizeof(old)};
    struct haul_rocks_options new = {.size_bytes = sizeof(new), .create_if_missing = true};
    if (haul_rocks_store_open(argv[1], &old, &from, &error) != HAUL_OK) {
        return fail(&error);
    }
    int code = 1;
    if (haul_rocks_store_open(argv[2], &new, &to, &error) == HAUL_OK) {
        code = copy_range(from, to,
                          (struct haul_range){{(const uint8_t *)argv[3], strlen(argv[3])},
                                              {(const uint8_t *)argv[4], strlen(argv[4])}});
        haul_store_close(to);
    } else {
        (void)fail(&error);
    }
    haul_store_close(from);
    return code;
}
