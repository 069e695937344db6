/* SPDX-License-Identifier: Apache-2.0 */
/* test_trust_options.c — which options of trust go together, and what they load. */
#include "trust_options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "haul/log.h"

enum { PATH_BYTES = 128, LINE_BYTES = 256 };

static struct haul_error error;
static char said[LINE_BYTES]; /* the last line of the log */

static void keep_line(void *context, enum haul_log_level level, const char *line)
{
    (void)context;
    (void)level;
    (void)snprintf(said, sizeof(said), "%s", line);
}

static const struct haul_log log_sink = {.write = keep_line, .level_max = HAUL_LOG_WARNING};

static struct haul_keys *loaded; /* what the library's readers return */
static struct haul_certificate_files seen;
static char seen_key[PATH_BYTES]; /* "": none */

enum haul_status __wrap_haul_keys_load(const char *path, struct haul_keys **keys,
                                       struct haul_error *failed);
enum haul_status __wrap_haul_keys_load(const char *path, struct haul_keys **keys,
                                       struct haul_error *failed)
{
    (void)failed;
    (void)snprintf(seen_key, sizeof(seen_key), "%s", path);
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
    seen_key[0] = '\0';
    said[0] = '\0';
}

static void test_load__three_files_and_a_name__certificates(void)
{
    struct trust_options options = {
        .tls = {.certificate = "c", .private_key = "k", .authorities = "a", .peer_name = "n"}};
    begin();
    check_status(trust_options_load(&options, &log_sink, &error), HAUL_OK);
    check(options.keys == loaded);
    check_equal(seen.size_bytes, sizeof(seen));
    check_text(seen.certificate, "c");
    check_text(seen.private_key, "k");
    check_text(seen.authorities, "a");
    check_text(seen.peer_name, "n");
    check_text(seen_key, "");
    trust_options_fini(&options);
}

static void test_load__key__the_key(void)
{
    struct trust_options options = {.key = "f"};
    begin();
    check_status(trust_options_load(&options, &log_sink, &error), HAUL_OK);
    check_text(seen_key, "f");
    check(seen.certificate == NULL);
    trust_options_fini(&options);
}

static void check_refused(struct trust_options options, const char *text)
{
    check_error(trust_options_load(&options, &log_sink, &error), HAUL_INVALID, error);
    check(strstr(error.text, text) != NULL);
    check(options.keys == NULL && seen_key[0] == '\0' && seen.certificate == NULL);
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

/* --- the service manager's credential --------------------------------------------------------- */

static char directory[PATH_BYTES];
static char credential[PATH_BYTES + 16];

static void begin_credentials(void)
{
    begin();
    (void)snprintf(directory, sizeof(directory), "/tmp/haul-test-XXXXXX");
    check_or_stop(mkdtemp(directory) != NULL);
    (void)snprintf(credential, sizeof(credential), "%s/haul.key", directory);
    check_or_stop(setenv("CREDENTIALS_DIRECTORY", directory, 1) == 0);
}

static void end_credentials(void)
{
    (void)unlink(credential);
    (void)rmdir(directory);
    (void)unsetenv("CREDENTIALS_DIRECTORY");
    haul_keys_destroy(loaded);
}

/* Whatever it is: a file, a link that leads nowhere, a directory. */
static void check_taken_and_never_insecure(void)
{
    struct trust_options options = {.insecure = false};
    check_status(trust_options_load(&options, &log_sink, &error), HAUL_OK);
    check_text(seen_key, credential);
    check_text(said, "");
    seen_key[0] = '\0';
    check_refused((struct trust_options){.insecure = true}, "credential");
}

static void test_load__credential__the_key_and_not_insecure(void)
{
    begin_credentials();
    FILE *file = fopen(credential, "we");
    check_or_stop(file != NULL && fclose(file) == 0);
    check_taken_and_never_insecure();
    end_credentials();
}

static void test_load__credential_is_a_link_to_nothing__the_key_and_not_insecure(void)
{
    begin_credentials();
    check_or_stop(symlink("/nonexistent", credential) == 0);
    check_taken_and_never_insecure();
    end_credentials();
}

static void test_load__credential_is_a_directory__the_key_and_not_insecure(void)
{
    begin_credentials();
    check_or_stop(mkdir(credential, 0700) == 0);
    check_taken_and_never_insecure();
    check_equal(rmdir(credential), 0);
    end_credentials();
}

static void test_load__key_or_certificates_beside_a_credential__those(void)
{
    struct trust_options by_key = {.key = "f"};
    struct trust_options by_tls = {
        .tls = {.certificate = "c", .private_key = "k", .authorities = "a"}};
    begin_credentials();
    check_or_stop(symlink("/nonexistent", credential) == 0);
    check_status(trust_options_load(&by_key, &log_sink, &error), HAUL_OK);
    check_text(seen_key, "f");
    seen_key[0] = '\0';
    check_status(trust_options_load(&by_tls, &log_sink, &error), HAUL_OK);
    check_text(seen_key, "");
    end_credentials();
}

static void check_no_key(bool insecure)
{
    struct trust_options options = {.insecure = insecure};
    said[0] = '\0';
    check_status(trust_options_load(&options, &log_sink, &error), HAUL_OK);
    check(options.keys == NULL);
    check_text(seen_key, "");
}

static void test_load__credentials_without_haul_key__no_key_and_a_line(void)
{
    begin_credentials();
    check_no_key(false);
    check(strstr(said, "no haul.key among the service manager's credentials") != NULL);
    check_no_key(true);
    check(said[0] != '\0');
    check_or_stop(unsetenv("CREDENTIALS_DIRECTORY") == 0);
    check_no_key(false);
    check_text(said, "");
    end_credentials();
}

/* ENOTDIR, for one: nobody knows whether a key was meant. */
static void test_load__credentials_that_cannot_be_looked_at__auth(void)
{
    struct trust_options options = {.insecure = false};
    begin_credentials();
    check_or_stop(setenv("CREDENTIALS_DIRECTORY", "/dev/null", 1) == 0);
    check_error(trust_options_load(&options, &log_sink, &error), HAUL_AUTH, error);
    check(strstr(error.text, "/dev/null/haul.key") != NULL);
    options.insecure = true;
    check_error(trust_options_load(&options, &log_sink, &error), HAUL_AUTH, error);
    end_credentials();
}

static const struct check_test tests[] = {
    CHECK_TEST(test_load__credential__the_key_and_not_insecure),
    CHECK_TEST(test_load__credential_is_a_link_to_nothing__the_key_and_not_insecure),
    CHECK_TEST(test_load__credential_is_a_directory__the_key_and_not_insecure),
    CHECK_TEST(test_load__key_or_certificates_beside_a_credential__those),
    CHECK_TEST(test_load__credentials_without_haul_key__no_key_and_a_line),
    CHECK_TEST(test_load__credentials_that_cannot_be_looked_at__auth),
    CHECK_TEST(test_load__three_files_and_a_name__certificates),
    CHECK_TEST(test_load__key__the_key),
    CHECK_TEST(test_load__options_that_exclude_each_other__invalid),
    CHECK_TEST(test_load__one_of_three_is_missing__invalid_and_named),
};

CHECK_MAIN("trust_options", tests)
