/* SPDX-License-Identifier: Apache-2.0 */
/* test_trust_options.c — which options of trust go together, and what they load. */
#include "trust_options.h"

#include <string.h>

#include "check.h"

static struct haul_error error;

static struct haul_keys *loaded; /* what the library's readers return */
static struct haul_certificate_files seen;
static const char *seen_key;

enum haul_status __wrap_haul_keys_load(const char *path, struct haul_keys **keys,
                                       struct haul_error *failed);
enum haul_status __wrap_haul_keys_load(const char *path, struct haul_keys **keys,
                                       struct haul_error *failed)
{
    (void)failed;
    seen_key = path;
    *keys = loaded;
    return HAUL_OK;
}

enum haul_status __wrap_haul_keys_load_certificates(const struct haul_certificate_files *files,
                                                    struct haul_keys **keys,
                                                    struct haul_error *failed);
enum haul_status __wrap_haul_keys_load_certificates(const struct haul_certificate_files *files,
                                                    struct haul_keys **keys,
                                                    struct haul_error *failed)
{
    (void)failed;
    seen = *files;
    *keys = loaded;
    return HAUL_OK;
}

static void begin(void)
{
    const struct haul_key key = {.id = "a"};
    check_or_stop(haul_keys_create(&key, 1, &loaded, NULL) == HAUL_OK);
    memset(&seen, 0, sizeof(seen));
    seen_key = NULL;
}

static void test_load__three_files_and_a_name__certificates(void)
{
    struct trust_options options = {
        .tls = {.certificate = "c", .private_key = "k", .authorities = "a", .peer_name = "n"}};
    begin();
    check_status(trust_options_load(&options, &error), HAUL_OK);
    check(options.keys == loaded);
    check_equal(seen.size_bytes, sizeof(seen));
    check_text(seen.certificate, "c");
    check_text(seen.private_key, "k");
    check_text(seen.authorities, "a");
    check_text(seen.peer_name, "n");
    check(seen_key == NULL);
    trust_options_fini(&options);
}

static void test_load__key__the_key(void)
{
    struct trust_options options = {.key = "f"};
    begin();
    check_status(trust_options_load(&options, &error), HAUL_OK);
    check_text(seen_key, "f");
    check(seen.certificate == NULL);
    trust_options_fini(&options);
}

static void check_refused(struct trust_options options, const char *text)
{
    check_error(trust_options_load(&options, &error), HAUL_INVALID, error);
    check(strstr(error.text, text) != NULL);
    check(options.keys == NULL && seen_key == NULL && seen.certificate == NULL);
}

static void test_load__options_that_exclude_each_other__invalid(void)
{
    const struct haul_certificate_files all = {
        .certificate = "c", .private_key = "k", .authorities = "a"};
    begin();
    check_refused((struct trust_options){.key = "f", .insecure = true}, "--key out");
    check_refused((struct trust_options){.tls = all, .insecure = true}, "--tls-* out");
    check_refused((struct trust_options){.key = "f", .tls = all}, "both a key and certificates");
    check_refused((struct trust_options){.key = "f", .tls = {.peer_name = "n"}},
                  "both a key and certificates");
    haul_keys_destroy(loaded);
}

static void test_load__one_of_three_is_missing__invalid_and_named(void)
{
    begin();
    check_refused((struct trust_options){.tls = {.private_key = "k", .authorities = "a"}},
                  "--tls-cert is missing");
    check_refused((struct trust_options){.tls = {.certificate = "c", .authorities = "a"}},
                  "--tls-key is missing");
    check_refused((struct trust_options){.tls = {.certificate = "c", .private_key = "k"}},
                  "--tls-ca is missing");
    check_refused((struct trust_options){.tls = {.peer_name = "n"}}, "--tls-cert is missing");
    haul_keys_destroy(loaded);
}

static const struct check_test tests[] = {
    CHECK_TEST(test_load__three_files_and_a_name__certificates),
    CHECK_TEST(test_load__key__the_key),
    CHECK_TEST(test_load__options_that_exclude_each_other__invalid),
    CHECK_TEST(test_load__one_of_three_is_missing__invalid_and_named),
};

CHECK_MAIN("trust_options", tests)
