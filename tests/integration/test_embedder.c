/* SPDX-License-Identifier: Apache-2.0 */
/* test_embedder.c — whole migrations between databases that a server has open: attached stores, a
 * shared secret, a version register and ownership of its own. */
#include <rocksdb/c.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "check.h"
#include "haul/migration.h"
#include "haul/verify.h"
#include "migration_wait.h"
#include "rocks_fixture.h"

enum { WAIT_MS = 60000, VERSION = 5, KEY_COUNT = 2000 };

/* A server: its database with two families, and what its hooks recorded. */
struct server {
    struct rocks_fixture place; /* only the directory */
    rocksdb_options_t *options;
    rocksdb_t *db;
    rocksdb_column_family_handle_t *handles[2];
    struct haul_store *store;
    uint32_t features;
    int reserve_count;
    int own_count;
    int freeze_count;
    int release_count;
};

static const char *const family_names[] = {"metadata", "default"};
static const struct haul_slice right_secret = {(const uint8_t *)"0123456789abcdef", 16};
static const struct haul_slice wrong_secret = {(const uint8_t *)"0123456789abcdeX", 16};

static struct server a;
static struct server b;
static struct haul_result source_result;
static struct haul_result target_result;

/* --- hooks ------------------------------------------------------------------------------------ */

static uint32_t features(void *context)
{
    return ((struct server *)context)->features;
}

static enum haul_status version_get(void *context, uint64_t *version, struct haul_error *error)
{
    (void)context;
    (void)error;
    *version = VERSION;
    return HAUL_OK;
}

static enum haul_status reserve(void *context, const struct haul_reservation *wanted,
                                struct haul_error *error)
{
    (void)error;
    ((struct server *)context)->reserve_count++;
    check_equal(wanted->range_count, 1);
    check_equal(wanted->ranges[0].start.size, 1);
    return HAUL_OK;
}

static enum haul_status own(void *context, uint64_t new_version, struct haul_error *error)
{
    (void)error;
    check_equal(new_version, VERSION + 1);
    ((struct server *)context)->own_count++;
    return HAUL_OK;
}

static enum haul_status freeze(void *context, uint32_t deadline_ms, struct haul_error *error)
{
    (void)deadline_ms;
    (void)error;
    ((struct server *)context)->freeze_count++;
    return HAUL_OK;
}

static void release(void *context, uint64_t new_version)
{
    check_equal(new_version, VERSION + 1);
    ((struct server *)context)->release_count++;
}

/* --- servers ---------------------------------------------------------------------------------- */

static void server_open(struct server *server)
{
    char *message = NULL;
    memset(server, 0, sizeof(*server));
    rocks_fixture_make_directory(&server->place);
    server->features = HAUL_STORE_WAL | HAUL_STORE_INGEST;
    server->options = rocksdb_options_create();
    rocksdb_options_set_create_if_missing(server->options, 1);
    rocksdb_options_set_create_missing_column_families(server->options, 1);
    const rocksdb_options_t *options[] = {server->options, server->options};
    server->db = rocksdb_open_column_families(server->options, server->place.path, 2, family_names,
                                              options, server->handles, &message);
    check_or_stop(message == NULL);
    struct haul_rocks_family families[2];
    for (size_t i = 0; i < 2; i++) {
        families[i] = (struct haul_rocks_family){
            .name = family_names[i], .handle = server->handles[i], .options = server->options};
    }
    struct haul_rocks_database database = {.path = server->place.path,
                                           .db = server->db,
                                           .families = families,
                                           .family_count = 2,
                                           .features = features,
                                           .context = server};
    struct haul_error error;
    check_or_stop(haul_rocks_store_attach(&database, &server->store, &error) == HAUL_OK);
}

static void server_close(struct server *server)
{
    haul_store_close(server->store);
    rocksdb_column_family_handle_destroy(server->handles[0]);
    rocksdb_column_family_handle_destroy(server->handles[1]);
    rocksdb_close(server->db);
    rocksdb_options_destroy(server->options);
    rocks_fixture_close(&server->place);
}

static void open_both(void)
{
    server_open(&a);
    server_open(&b);
}

static void close_both(void)
{
    server_close(&a);
    server_close(&b);
}

/* A value of NULL deletes. */
static void write_key(struct server *server, size_t family, const char *key, const char *value)
{
    char *message = NULL;
    rocksdb_writeoptions_t *options = rocksdb_writeoptions_create();
    if (value == NULL) {
        rocksdb_delete_cf(server->db, options, server->handles[family], key, strlen(key), &message);
    } else {
        rocksdb_put_cf(server->db, options, server->handles[family], key, strlen(key), value,
                       strlen(value), &message);
    }
    rocksdb_writeoptions_destroy(options);
    check_or_stop(message == NULL);
}

/* Inside and outside the range [k, l), in both families. */
static void fill(struct server *server)
{
    char key[32];
    for (int i = 0; i < KEY_COUNT; i++) {
        (void)snprintf(key, sizeof(key), "k%06d", i);
        write_key(server, 0, key, "metadata");
        write_key(server, 1, key, "subkey");
        key[0] = 'j';
        write_key(server, 0, key, "another's");
    }
}

static bool has_key(struct server *server, size_t family, const char *key)
{
    uint8_t *value = NULL;
    size_t size = 0;
    struct haul_error error;
    uint32_t id = rocksdb_column_family_handle_get_id(server->handles[family]);
    enum haul_status status =
        server->store->ops->get(server->store, NULL, id, text_slice(key), &value, &size, &error);
    free(value);
    return status == HAUL_OK;
}

/* --- migrations ------------------------------------------------------------------------------- */

static struct haul_migration *listen_at(struct server *server)
{
    struct haul_target_options options = {
        .size_bytes = sizeof(options),
        .store = server->store,
        .listen = "127.0.0.1:0",
        .transports = {{HAUL_TRANSPORT_TCP}},
        .link = {.peer_timeout_ms = 10000},
        .once = true,
        .secret = right_secret,
        .allow_overwrite = true,
        .hooks = {.context = server, .reserve = reserve, .own = own, .version_get = version_get},
    };
    struct haul_migration *target = NULL;
    struct haul_error error;
    check_or_stop(haul_target_start(&options, &target, &error) == HAUL_OK);
    return target;
}

static enum haul_status send_to(struct server *server, struct haul_migration *target,
                                struct haul_slice secret)
{
    struct haul_range range = {.start = text_slice("k"), .end = text_slice("l")};
    struct haul_source_options options = {
        .store = server->store,
        .to = haul_migration_address(target),
        .transports = {{HAUL_TRANSPORT_TCP}},
        .link = {.peer_timeout_ms = 10000},
        .families = family_names,
        .family_count = 2,
        .metadata_families = family_names,
        .metadata_family_count = 1,
        .ranges = &range,
        .range_count = 1,
        .overwrite = true,
        .freeze_max_ms = 30000,
        .secret = secret,
        .hooks = {.context = server,
                  .freeze = freeze,
                  .release = release,
                  .version_get = version_get},
    };
    struct haul_migration *source = NULL;
    struct haul_error error;
    check_or_stop(haul_source_start(&options, &source, &error) == HAUL_OK);
    enum haul_status status = migration_wait(source, WAIT_MS, &source_result);
    haul_migration_destroy(source);
    return status;
}

static void finish_target(struct haul_migration *target)
{
    (void)migration_wait(target, WAIT_MS, &target_result);
    haul_migration_destroy(target);
}

static void move(struct server *from, struct server *to)
{
    struct haul_migration *target = listen_at(to);
    enum haul_status status = send_to(from, target, right_secret);
    check_status(status, HAUL_OK);
    if (status != HAUL_OK) {
        haul_migration_cancel(target);
    }
    finish_target(target);
    check_status(target_result.status, HAUL_OK);
}

static size_t differences(void)
{
    struct haul_range range = {.start = text_slice("k"), .end = text_slice("l")};
    struct haul_verify_options options = {.ranges = &range, .range_count = 1};
    static struct haul_family_result results[2][HAUL_FAMILY_COUNT_MAX];
    size_t counts[2] = {0, 0};
    struct haul_error error;
    check_status(haul_verify_scan(a.store, &options, results[0], &counts[0], &error), HAUL_OK);
    check_status(haul_verify_scan(b.store, &options, results[1], &counts[1], &error), HAUL_OK);
    return haul_verify_differences(results[0], counts[0], results[1], counts[1], NULL);
}

/* --- tests ------------------------------------------------------------------------------------ */

static void test_embedder__range_of_two_families__equal_and_handed_over_once(void)
{
    open_both();
    fill(&a);
    move(&a, &b);
    check_equal(differences(), 0);
    check(has_key(&b, 0, "k000001") && has_key(&b, 1, "k000001"));
    check(!has_key(&b, 0, "j000001"));
    check_equal(b.reserve_count, 1);
    check_equal(b.own_count, 1);
    check_equal(a.release_count, 1);
    check(a.freeze_count >= 1);
    check_equal(source_result.lane, HAUL_LANE_INGEST);
    close_both();
}

/* The same target, still waiting for its one source. */
static void test_embedder__other_secret__auth_and_the_right_one_is_served(void)
{
    open_both();
    fill(&a);
    struct haul_migration *target = listen_at(&b);
    check_status(send_to(&a, target, wrong_secret), HAUL_AUTH);
    check_status(send_to(&a, target, slice_of(NULL, 0)), HAUL_AUTH);
    check_equal(b.reserve_count, 0);
    check(!has_key(&b, 0, "k000001"));
    check_status(send_to(&a, target, right_secret), HAUL_OK);
    finish_target(target);
    check_status(target_result.status, HAUL_OK);
    check_equal(differences(), 0);
    close_both();
}

static void test_embedder__followers_on_the_target__write_batch_lane(void)
{
    open_both();
    fill(&a);
    b.features |= HAUL_STORE_FOLLOWERS;
    uint64_t before = b.store->ops->sequence(b.store);
    move(&a, &b);
    check_equal(source_result.lane, HAUL_LANE_WRITE_BATCH);
    /* Every record has a place in the log that followers read. */
    check(b.store->ops->sequence(b.store) >= before + 2 * KEY_COUNT);
    check_equal(differences(), 0);
    close_both();
}

/* Old records on the first owner's disk must not come back. */
static void test_embedder__there_and_back_with_deletes__nothing_comes_back(void)
{
    open_both();
    fill(&a);
    move(&a, &b);
    write_key(&b, 1, "k000001", NULL);
    write_key(&b, 0, "k000002", NULL);
    write_key(&b, 1, "knew", "new");
    move(&b, &a);
    check_equal(differences(), 0);
    check(!has_key(&a, 1, "k000001"));
    check(!has_key(&a, 0, "k000002"));
    check(has_key(&a, 1, "knew"));
    check(has_key(&a, 0, "j000001"));
    close_both();
}

static const struct check_test tests[] = {
    CHECK_TEST(test_embedder__range_of_two_families__equal_and_handed_over_once),
    CHECK_TEST(test_embedder__other_secret__auth_and_the_right_one_is_served),
    CHECK_TEST(test_embedder__followers_on_the_target__write_batch_lane),
    CHECK_TEST(test_embedder__there_and_back_with_deletes__nothing_comes_back),
};

CHECK_MAIN("embedder", tests)
