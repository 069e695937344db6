/* SPDX-License-Identifier: Apache-2.0 */
/* test_certificate_files.c — files of certificates: read, and those that are refused. */
#include "haul/certificate_files.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "key_ring.h"
#include "made_certificate.h"

enum { PATH_BYTES = 64 };

static char directory[] = "/tmp/haul-test-XXXXXX";
static char chain[PATH_BYTES], private_key[PATH_BYTES], authorities[PATH_BYTES];
static struct made_certificate authority, ours;
static struct haul_certificate_files files;
static struct haul_keys *keys;
static struct haul_error error;

static void write_file(const char *path, const char *text, mode_t mode)
{
    FILE *file = fopen(path, "we");
    check_or_stop(file != NULL && fputs(text, file) >= 0 && fclose(file) == 0);
    check_or_stop(chmod(path, mode) == 0);
}

static void begin(void)
{
    const struct made_options of_authority = {.is_authority = true};
    const struct made_options of_ours = {.alternative_name = "DNS:db7.example"};
    (void)snprintf(directory, sizeof(directory), "/tmp/haul-test-XXXXXX");
    check_or_stop(mkdtemp(directory) != NULL);
    (void)snprintf(chain, PATH_BYTES, "%s/chain", directory);
    (void)snprintf(private_key, PATH_BYTES, "%s/key", directory);
    (void)snprintf(authorities, PATH_BYTES, "%s/ca", directory);
    made_certificate_create(&authority, "haul test authority", &of_authority, NULL);
    made_certificate_create(&ours, "db7", &of_ours, &authority);
    write_file(chain, ours.pem, 0644);
    write_file(private_key, ours.key_pem, 0600);
    write_file(authorities, authority.pem, 0644);
    files = (struct haul_certificate_files){.size_bytes = sizeof(files),
                                            .certificate = chain,
                                            .private_key = private_key,
                                            .authorities = authorities};
}

static void end(void)
{
    haul_keys_destroy(keys);
    keys = NULL;
    made_certificate_destroy(&authority);
    made_certificate_destroy(&ours);
    (void)unlink(chain);
    (void)unlink(private_key);
    (void)unlink(authorities);
    check_equal(rmdir(directory), 0);
}

static void refuse(enum haul_status expected, const char *text)
{
    check_error(haul_keys_load_certificates(&files, &keys, &error), expected, error);
    check(strstr(error.text, text) != NULL);
    check(keys == NULL);
}

static void test_load__good_files__named_by_the_certificate(void)
{
    begin();
    files.peer_name = "10.0.0.7";
    check_status(haul_keys_load_certificates(&files, &keys, &error), HAUL_OK);
    check_or_stop(keys != NULL);
    check_text(haul_keys_id(keys, 0), "db7.example");
    check_text(key_ring_certificates(keys)->peer_name, "10.0.0.7");
    end();
}

static void test_load__private_key_that_others_can_read__auth(void)
{
    static const mode_t modes[] = {0604, 0620, 0640, 0666};
    begin();
    for (size_t i = 0; i < CHECK_COUNT(modes); i++) {
        check_equal(chmod(private_key, modes[i]), 0);
        refuse(HAUL_AUTH, "others can read the key");
        check(strstr(error.hint, "chmod 600") != NULL);
    }
    end();
}

static void test_load__a_file_is_missing__not_found(void)
{
    begin();
    (void)unlink(authorities);
    refuse(HAUL_NOT_FOUND, authorities);
    (void)unlink(chain);
    refuse(HAUL_NOT_FOUND, chain);
    (void)unlink(private_key);
    refuse(HAUL_NOT_FOUND, private_key);
    end();
}

static void test_load__a_path_is_missing__invalid(void)
{
    begin();
    files.authorities = NULL;
    refuse(HAUL_INVALID, "no authority");
    files.private_key = NULL;
    refuse(HAUL_INVALID, "no private key");
    files.certificate = NULL;
    refuse(HAUL_INVALID, "no certificate");
    end();
}

static void test_load__a_name_that_is_none__invalid(void)
{
    char endless[KEY_PEER_NAME_BYTES_MAX + 1];
    begin();
    memset(endless, 'a', sizeof(endless) - 1);
    endless[sizeof(endless) - 1] = '\0';
    const char *const names[] = {"",          "*.example",    "db*.example",  ".example",
                                 ".",         "db3.example.", "db3..example", "..example",
                                 "two hosts", "a/b",          "a\tb",         endless};
    for (size_t i = 0; i < CHECK_COUNT(names); i++) {
        files.peer_name = names[i];
        refuse(HAUL_INVALID, "no host name");
    }
    end();
}

static void test_load__too_large__limit(void)
{
    begin();
    check_equal(truncate(authorities, (1 << 20) + 1), 0);
    refuse(HAUL_LIMIT, authorities);
    end();
}

static void test_load__no_pem__corrupt_and_nothing_left(void)
{
    begin();
    write_file(private_key, "hello\n", 0600);
    refuse(HAUL_CORRUPT, private_key);
    end();
}

static void test_load__struct_of_another_size__invalid(void)
{
    begin();
    files.size_bytes = 3;
    check_status(haul_keys_load_certificates(&files, &keys, &error), HAUL_INVALID);
    check(keys == NULL);
    end();
}

static const struct check_test tests[] = {
    CHECK_TEST(test_load__good_files__named_by_the_certificate),
    CHECK_TEST(test_load__private_key_that_others_can_read__auth),
    CHECK_TEST(test_load__a_file_is_missing__not_found),
    CHECK_TEST(test_load__a_path_is_missing__invalid),
    CHECK_TEST(test_load__a_name_that_is_none__invalid),
    CHECK_TEST(test_load__too_large__limit),
    CHECK_TEST(test_load__no_pem__corrupt_and_nothing_left),
    CHECK_TEST(test_load__struct_of_another_size__invalid),
};

CHECK_MAIN("certificate_files", tests)
