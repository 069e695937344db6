/* SPDX-License-Identifier: Apache-2.0 */
/* test_wire_mode.c — what two sides agree on, and that no peer lowers it. */
#include "wire_mode.h"

#include <string.h>

#include "check.h"
#include "key_ring.h"

static struct haul_error error;

static void test_haul_wire_name__every_mode__there_and_back(void)
{
    for (int mode = HAUL_WIRE_AUTO; mode <= HAUL_WIRE_SECURE; mode++) {
        enum haul_wire parsed = HAUL_WIRE_SECURE;
        check_status(haul_wire_parse(haul_wire_name((enum haul_wire)mode), &parsed), HAUL_OK);
        check_equal(parsed, mode);
    }
    enum haul_wire untouched = HAUL_WIRE_AUTH;
    check_status(haul_wire_parse("plain", &untouched), HAUL_INVALID);
    check_equal(untouched, HAUL_WIRE_AUTH);
    check(haul_wire_name((enum haul_wire)(HAUL_WIRE_SECURE + 1)) == NULL);
}

static void test_haul_trust_name__every_trust__named(void)
{
    const struct key_pem none = {.text = {.data = NULL}, .path = ""};
    const struct key_certificates empty = {.chain = none, .private_key = none, .authorities = none};
    const struct haul_key key = {.id = "a"};
    struct haul_keys *keys = NULL;
    struct haul_keys *certificates = NULL;
    check_status(haul_keys_create(&key, 1, &keys, NULL), HAUL_OK);
    check_status(key_ring_create_certificates(&empty, "us", &certificates, NULL), HAUL_OK);
    check_text(haul_trust_name(wire_mode_trust(keys, false)), "key");
    check_text(haul_trust_name(wire_mode_trust(certificates, false)), "certificate");
    check_text(haul_trust_name(wire_mode_trust(NULL, true)), "anybody");
    check_text(haul_trust_name(wire_mode_trust(NULL, false)), "host");
    haul_keys_destroy(keys);
    haul_keys_destroy(certificates);
    check(haul_trust_name((enum haul_trust)9) == NULL);
}

static void test_wire_mode_resolve__with_and_without_a_key__as_documented(void)
{
    static const struct {
        enum haul_wire wanted;
        bool has_key;
        enum haul_wire resolved; /* AUTO: refused */
    } rows[] = {
        {HAUL_WIRE_AUTO, true, HAUL_WIRE_SECURE},   {HAUL_WIRE_AUTO, false, HAUL_WIRE_NONE},
        {HAUL_WIRE_NONE, true, HAUL_WIRE_NONE},     {HAUL_WIRE_NONE, false, HAUL_WIRE_NONE},
        {HAUL_WIRE_AUTH, true, HAUL_WIRE_AUTH},     {HAUL_WIRE_AUTH, false, HAUL_WIRE_AUTO},
        {HAUL_WIRE_SECURE, true, HAUL_WIRE_SECURE}, {HAUL_WIRE_SECURE, false, HAUL_WIRE_AUTO},
        {(enum haul_wire)4, true, HAUL_WIRE_AUTO},
    };
    for (size_t i = 0; i < CHECK_COUNT(rows); i++) {
        enum haul_wire wire = rows[i].wanted;
        bool refused = rows[i].resolved == HAUL_WIRE_AUTO;
        check_status(wire_mode_resolve(rows[i].has_key, &wire, &error),
                     refused ? HAUL_INVALID : HAUL_OK);
        check(refused || wire == rows[i].resolved);
    }
}

/* Whatever the other side asks for, ours is the least; and what we cannot have is not agreed on. */
static void test_wire_mode_fits__every_pair__never_less_than_ours(void)
{
    for (uint32_t ours = HAUL_WIRE_NONE; ours <= HAUL_WIRE_SECURE; ours++) {
        for (uint32_t theirs = 0; theirs < 6; theirs++) {
            uint32_t agreed = wire_mode_agree((enum haul_wire)ours, theirs);
            check(agreed >= ours && agreed >= theirs);
            check(agreed == ours || agreed == theirs);
            bool known = agreed <= HAUL_WIRE_SECURE;
            check(wire_mode_fits((enum haul_wire)ours, true, agreed) == known);
            check(wire_mode_fits((enum haul_wire)ours, true, theirs) ==
                  (theirs <= HAUL_WIRE_SECURE && (theirs == 0 ? 1 : theirs) >= ours));
            check(wire_mode_fits((enum haul_wire)ours, false, agreed) ==
                  (agreed == HAUL_WIRE_NONE));
        }
    }
}

static const struct check_test tests[] = {
    CHECK_TEST(test_haul_wire_name__every_mode__there_and_back),
    CHECK_TEST(test_haul_trust_name__every_trust__named),
    CHECK_TEST(test_wire_mode_resolve__with_and_without_a_key__as_documented),
    CHECK_TEST(test_wire_mode_fits__every_pair__never_less_than_ours),
};
CHECK_MAIN("wire_mode", tests)
