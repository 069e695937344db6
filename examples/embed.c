/* SPDX-License-Identifier: Apache-2.0 */
/* embed.c — a server that keeps writing while a range of its database moves to another host.
 *
 *   haul recv --db /data/b --listen 127.0.0.1:7447 --once     somewhere
 *   embed /data/a 127.0.0.1:7447                              gives ["user:", "user;") away
 *
 * A writer puts keys into the range, through a gate. haul freezes the gate for the last part of the
 * log, and then either releases the range (it has moved: refuse) or unfreezes it (it has not:
 * accept). After a restart, the server reads who owns the range before it serves it, and holds
 * writes while a job that was frozen has not continued. */
#include <haul/job.h>
#include <haul/migration.h>
#include <haul/owner.h>
#include <pthread.h>
#include <rocksdb/c.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum gate { OPEN, HELD, FROZEN, MOVED, CLOSING };

static const struct haul_range users = {.start = {(const uint8_t *)"user:", 5},
                                        .end = {(const uint8_t *)"user;", 5}};
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards the next three */
static enum gate gate;
static unsigned long written, refused;
static rocksdb_t *db;
static struct haul_error error;

static void check(bool good, const char *what)
{
    if (!good) {
        (void)fprintf(stderr, "embed: %s\n", what);
        exit(1);
    }
}

/* The writer holds the lock while it puts, so under the lock every accepted write is stored. */
static void set_gate(enum gate to)
{
    pthread_mutex_lock(&lock);
    gate = to;
    pthread_mutex_unlock(&lock);
}

static void let_go(void)
{
    pthread_mutex_lock(&lock);
    gate = gate == HELD ? OPEN : gate;
    pthread_mutex_unlock(&lock);
}

static enum haul_status freeze(void *context, uint32_t deadline_ms, struct haul_error *why)
{
    (void)context, (void)deadline_ms, (void)why;
    set_gate(FROZEN);
    return HAUL_OK;
}

static void unfreeze(void *context)
{
    (void)context, set_gate(OPEN);
}

static void release(void *context, uint64_t new_version)
{
    (void)context, (void)new_version, set_gate(MOVED);
}

static void *write_users(void *options)
{
    for (enum gate now = OPEN; now != CLOSING; usleep(200)) {
        char key[32], *failure = NULL;
        pthread_mutex_lock(&lock);
        now = gate;
        if (now == OPEN) {
            int size = snprintf(key, sizeof(key), "user:%08lu", written++);
            rocksdb_put(db, options, key, (size_t)size, "new", 3, &failure);
        }
        refused += now == HELD || now == FROZEN ||
                   now == MOVED; /* a server would send its client the reason */
        pthread_mutex_unlock(&lock);
        check(failure == NULL, failure);
    }
    return NULL;
}

/* Every program with such a database checks this before its first write. */
static bool is_ours(struct haul_store *store)
{
    struct haul_owner *owner = NULL;
    check(haul_owner_of_store(store, &owner, &error) == HAUL_OK, error.text);
    bool ours = owner->origin == HAUL_OWNER_SAME &&
                haul_owner_state_of(owner, "default", &users) != HAUL_OWNER_RELEASED;
    haul_owner_free(owner);
    return ours;
}

/* Was a job frozen, and not decided, when the program ended? */
static bool is_in_doubt(const char *directory)
{
    struct haul_job *jobs = NULL;
    size_t count = 0;
    check(haul_jobs_list(directory, &jobs, &count, &error) == HAUL_OK, error.text);
    bool in_doubt = false;
    for (size_t i = 0; i < count; i++) {
        in_doubt |= jobs[i].role == HAUL_JOB_SOURCE && jobs[i].claim == HAUL_JOB_IN_DOUBT;
    }
    free(jobs);
    return in_doubt;
}

static void move_users(struct haul_store *store, const char *to)
{
    struct haul_migration *migration = NULL;
    struct haul_source_options options = {.size_bytes = sizeof(options), .store = store, .to = to};
    options.ranges = &users;
    options.range_count = 1;
    options.hooks = (struct haul_hooks){.freeze = freeze, .unfreeze = unfreeze, .release = release};
    check(haul_source_start(&options, &migration, &error) == HAUL_OK, error.text);
    let_go(); /* the job continues */
    while (!haul_migration_ended(migration, 1000)) {
    }
    const struct haul_result *result = haul_migration_result(migration);
    (void)printf("%s, pause %.1f ms\n", haul_status_name(result->status), result->write_pause_ms);
    haul_migration_destroy(migration);
}

int main(int argc, char **argv)
{
    char *failure = NULL;
    rocksdb_column_family_handle_t *handle = NULL;
    rocksdb_options_t *options = rocksdb_options_create();
    rocksdb_options_set_WAL_ttl_seconds(options,
                                        3600); /* more than the longest job and an outage */
    check(argc == 3, "usage: embed DB ADDR:PORT");
    db = rocksdb_open_column_families(options, argv[1], 1, (const char *[]){"default"},
                                      (const rocksdb_options_t *[]){options}, &handle, &failure);
    check(failure == NULL, failure);
    struct haul_store *store = NULL;
    struct haul_rocks_family family = {.name = "default", .handle = handle, .options = options};
    struct haul_rocks_database database = {.size_bytes = sizeof(database), .path = argv[1]};
    database.db = db;
    database.families = &family;
    database.family_count = 1;
    check(haul_rocks_store_attach(&database, &store, &error) == HAUL_OK, error.text);

    pthread_t writer;
    rocksdb_writeoptions_t *writing = rocksdb_writeoptions_create();
    bool ours = is_ours(store);
    set_gate(!ours ? MOVED : is_in_doubt(argv[1]) ? HELD : OPEN);
    (void)pthread_create(&writer, NULL, write_users, writing);
    if (ours) {
        move_users(store, argv[2]);
    }
    usleep(20000);
    set_gate(CLOSING);
    (void)pthread_join(writer, NULL);
    (void)printf("%lu written, %lu refused\n", written, refused);
    rocksdb_writeoptions_destroy(writing);
    haul_store_close(store);
    rocksdb_column_family_handle_destroy(handle);
    rocksdb_close(db);
    rocksdb_options_destroy(options);
    return 0;
}
