/* SPDX-License-Identifier: Apache-2.0 */
/* test_tls_certificate_files.c — what the files of an operator may lack, and what is said then. */
#include <stdlib.h>
#include <string.h>

#include "tls_certificates.h"
#include "tls_fixture.h"

static struct key_pem pem(const char *text, const char *path)
{
    return (struct key_pem){.text = {.data = (const uint8_t *)text, .size = strlen(text)},
                            .path = path};
}

static enum haul_status check_files(const char *chain, const char *key, const char *authorities,
                                    char name[KEY_PEER_NAME_BYTES_MAX])
{
    const struct key_certificates certificates = {.chain = pem(chain, "chain.pem"),
                                                  .private_key = pem(key, "key.pem"),
                                                  .authorities = pem(authorities, "ca.pem")};
    return tls_certificates_check(&certificates, name, &error);
}

static void check_wrong(const char *chain, const char *key, const char *authorities,
                        enum haul_status expected, const char *text)
{
    char name[KEY_PEER_NAME_BYTES_MAX];
    check_error(check_files(chain, key, authorities, name), expected, error);
    check(strstr(error.text, text) != NULL);
    check(error.hint[0] != '\0');
}

static void test_check__good_files__name_of_the_certificate(void)
{
    char name[KEY_PEER_NAME_BYTES_MAX];
    make_all();
    check_status(check_files(ours.pem, ours.key_pem, authority.pem, name), HAUL_OK);
    check_text(name, "a.example");
    made_certificate_create(&other, "Data Base 7", &(struct made_options){.ends_s = 60},
                            &authority);
    check_status(check_files(other.pem, other.key_pem, authority.pem, name), HAUL_OK);
    check_text(name, "Data?Base?7");
    destroy_all();
}

static void test_check__no_pem_or_damaged__corrupt_and_the_file_named(void)
{
    make_all();
    check_wrong("", ours.key_pem, authority.pem, HAUL_CORRUPT, "chain.pem");
    check_wrong(ours.key_pem, ours.key_pem, authority.pem, HAUL_CORRUPT, "chain.pem");
    check_wrong(ours.pem, ours.pem, authority.pem, HAUL_CORRUPT, "key.pem");
    check_wrong(ours.pem, ours.key_pem, "hello", HAUL_CORRUPT, "ca.pem");
    char *damaged = strdup(ours.pem);
    check_or_stop(damaged != NULL);
    damaged[strlen(damaged) / 2] = '*'; /* no digit of base 64 */
    check_wrong(damaged, ours.key_pem, authority.pem, HAUL_CORRUPT, "chain.pem");
    free(damaged);
    destroy_all();
}

static void test_check__key_encrypted_or_of_another__invalid(void)
{
    make_all();
    check_wrong(ours.pem, theirs.key_pem, authority.pem, HAUL_INVALID, "key.pem is not that of");
    made_certificate_create(
        &other, "a", &(struct made_options){.ends_s = 60, .passphrase = "secret"}, &authority);
    check_wrong(other.pem, other.key_pem, authority.pem, HAUL_INVALID, "key.pem is encrypted");
    destroy_all();
}

static void test_check__not_valid_now__auth_with_the_date(void)
{
    make_all();
    made_certificate_create(&other, "a", &(struct made_options){.ends_s = -60}, &authority);
    check_wrong(other.pem, other.key_pem, authority.pem, HAUL_AUTH, "expired on");
    made_certificate_destroy(&other);
    made_certificate_create(&other, "a", &(struct made_options){.begins_s = 3600}, &authority);
    check_wrong(other.pem, other.key_pem, authority.pem, HAUL_AUTH, "not valid before");
    made_certificate_destroy(&other);
    made_certificate_create(&other, "ca", &(struct made_options){.ends_s = -60}, NULL);
    check_wrong(ours.pem, ours.key_pem, other.pem, HAUL_AUTH, "expired on");
    /* Beside one that is valid it does no harm. */
    char name[KEY_PEER_NAME_BYTES_MAX];
    (void)strncat(other.pem, authority.pem, sizeof(other.pem) - strlen(other.pem) - 1);
    check_status(check_files(ours.pem, ours.key_pem, other.pem, name), HAUL_OK);
    destroy_all();
}

static void test_check__too_many_certificates__invalid(void)
{
    make_all();
    made_certificate_create(&other, "a",
                            &(struct made_options){.padding_bytes = TLS_CERTIFICATES_BYTES_MAX},
                            &authority);
    check_wrong(other.pem, other.key_pem, authority.pem, HAUL_INVALID, "which is more than");
    destroy_all();
}

static const struct check_test tests[] = {
    CHECK_TEST(test_check__good_files__name_of_the_certificate),
    CHECK_TEST(test_check__no_pem_or_damaged__corrupt_and_the_file_named),
    CHECK_TEST(test_check__key_encrypted_or_of_another__invalid),
    CHECK_TEST(test_check__not_valid_now__auth_with_the_date),
    CHECK_TEST(test_check__too_many_certificates__invalid),
};

CHECK_MAIN("tls_certificate_files", tests)
