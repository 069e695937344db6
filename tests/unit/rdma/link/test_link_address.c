/* SPDX-License-Identifier: Apache-2.0 */
/* test_link_address.c — the text forms of addresses; numeric ones only, so that no test needs a
 * name server. What a resolver can answer instead is made up here. */
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <string.h>

#include "check.h"
#include "link.h"
#include "link_sockaddr.h"

static int answer; /* of the resolver; 0: the real one's */

int __real_getaddrinfo(const char *host, const char *port, const struct addrinfo *hints,
                       struct addrinfo **found);
int __wrap_getaddrinfo(const char *host, const char *port, const struct addrinfo *hints,
                       struct addrinfo **found);

int __wrap_getaddrinfo(const char *host, const char *port, const struct addrinfo *hints,
                       struct addrinfo **found)
{
    errno = EIO;
    return answer != 0 ? answer : __real_getaddrinfo(host, port, hints, found);
}

static void check_round_trip(const char *text, int family)
{
    struct link_address address;
    char formatted[LINK_ADDRESS_TEXT_BYTES_MAX];
    check_status(link_address_parse(text, &address, NULL), HAUL_OK);
    check_equal(link_sockaddr_of(&address)->ss_family, family);
    link_address_format(&address, formatted);
    check_text(formatted, text);
}

static void test_link_address_parse__ipv4__same_text_again(void)
{
    check_round_trip("10.1.2.3:7447", AF_INET);
    check_round_trip("0.0.0.0:0", AF_INET);
    check_round_trip("255.255.255.255:65535", AF_INET);
}

static void test_link_address_parse__ipv6_in_brackets__same_text_again(void)
{
    check_round_trip("[::1]:5", AF_INET6);
    check_round_trip("[2001:db8::7]:65535", AF_INET6);
    check_round_trip("[2001:db8:1111:2222:3333:4444:5555:6666]:65535", AF_INET6);
}

static void test_link_address_format__link_local__with_its_zone(void)
{
    static const char *const longest = "[fe80:1111:2222:3333:4444:5555:6666:7777%4294967295]:65535";
    check_round_trip("[fe80::77%lo]:7447", AF_INET6);
    check_round_trip("[fe80::77%999999]:7447", AF_INET6); /* of an interface that has no name */
    check_round_trip(longest, AF_INET6);
}

/* A scope of an address that is valid everywhere is noise. */
static void test_link_address_format__scope_of_another_address__left_out(void)
{
    struct link_address address;
    char formatted[LINK_ADDRESS_TEXT_BYTES_MAX];
    check_or_stop(link_address_parse("[2001:db8::7]:5", &address, NULL) == HAUL_OK);
    ((struct sockaddr_in6 *)link_sockaddr(&address))->sin6_scope_id = 1;
    link_address_format(&address, formatted);
    check_text(formatted, "[2001:db8::7]:5");
}

static void test_link_address_same_host__pairs__only_the_host_counts(void)
{
    static const struct {
        const char *a;
        const char *b;
        bool same;
    } cases[] = {
        {"10.1.2.3:1", "10.1.2.3:2", true},
        {"10.1.2.3:1", "10.1.2.4:1", false},
        {"[2001:db8::7]:1", "[2001:db8::7]:2", true},
        {"[2001:db8::7]:1", "[2001:db8::8]:1", false},
        {"127.0.0.1:1", "[::1]:1", false},
    };
    struct link_address a;
    struct link_address b;
    for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
        check_or_stop(link_address_parse(cases[i].a, &a, NULL) == HAUL_OK);
        check_or_stop(link_address_parse(cases[i].b, &b, NULL) == HAUL_OK);
        check_equal(link_address_same_host(&a, &b), cases[i].same);
        check_equal(link_address_same_host(&b, &a), cases[i].same);
    }
    link_sockaddr(&a)->ss_family = AF_UNIX; /* of unknown properties */
    check(!link_address_same_host(&a, &a));
}

static void test_link_address_parse__link_local_without_zone__invalid_and_told_to_add_it(void)
{
    struct link_address address;
    struct haul_error error = {.status = HAUL_OK};
    check_status(link_address_parse("[fe80::77]:7447", &address, &error), HAUL_INVALID);
    check(strstr(error.hint, "[fe80::77%eth0]:7447") != NULL);
}

static void test_link_address_parse__sizes__those_of_the_family(void)
{
    struct link_address address;
    check_status(link_address_parse("127.0.0.1:1", &address, NULL), HAUL_OK);
    check_equal(address.size, sizeof(struct sockaddr_in));
    check_status(link_address_parse("[::1]:1", &address, NULL), HAUL_OK);
    check_equal(address.size, sizeof(struct sockaddr_in6));
}

static void test_link_address_parse__no_host__any_address(void)
{
    struct link_address address;
    check_status(link_address_parse(":7447", &address, NULL), HAUL_OK);
    check(link_sockaddr_of(&address)->ss_family == AF_INET ||
          link_sockaddr_of(&address)->ss_family == AF_INET6);
}

static void test_link_address_parse__no_such_form__invalid_with_a_hint(void)
{
    static const char *const wrong[] = {
        "",        "10.0.0.1",      "10.0.0.1:",   "10.0.0.1:x",       "10.0.0.1:-1",
        "1:65536", "10.0.0.1:+5",   "10.0.0.1:5 ", "10.0.0.1:0x10",    "::1:5",
        "[::1]",   "[::1:5",        "::1]:5",      "10.0.0.1:9999999", "10.0.0.1:123456789",
        "[]:5:",   "2001:db8::7:5",
    };
    for (size_t i = 0; i < CHECK_COUNT(wrong); i++) {
        struct link_address address;
        struct haul_error error = {.status = HAUL_OK};
        check_status(link_address_parse(wrong[i], &address, &error), HAUL_INVALID);
        check_status(error.status, HAUL_INVALID);
        check(strstr(error.hint, "for example") != NULL);
    }
}

static void test_link_address_parse__host_too_long__invalid(void)
{
    struct link_address address;
    char text[400];
    memset(text, 'a', sizeof(text));
    memcpy(text + sizeof(text) - 3, ":5", 3);
    check_status(link_address_parse(text, &address, NULL), HAUL_INVALID);
}

static void test_link_address_parse__empty_brackets__invalid(void)
{
    struct link_address address;
    check_status(link_address_parse("[]:5", &address, NULL), HAUL_INVALID);
}

static void test_link_address_parse__name_in_brackets__invalid(void)
{
    struct link_address address;
    check_status(link_address_parse("[localhost]:5", &address, NULL), HAUL_INVALID);
}

static void test_link_address_format__unknown_family__question_mark(void)
{
    struct link_address address;
    char text[LINK_ADDRESS_TEXT_BYTES_MAX];
    memset(&address, 0, sizeof(address));
    link_address_format(&address, text);
    check_text(text, "?:0");
}

/* A test machine's cards need not be on a NUMA node; but the query must end well for any
 * address. */
static void test_link_address_node__addresses_of_all_kinds__a_node_or_none(void)
{
    static const char *const texts[] = {"127.0.0.1:1", "192.0.2.1:1", "[::1]:1", "[2001:db8::7]:1"};
    struct link_address address;
    for (size_t i = 0; i < CHECK_COUNT(texts); i++) {
        check_or_stop(link_address_parse(texts[i], &address, NULL) == HAUL_OK);
        check(link_address_node(&address) >= -1);
    }
    check_or_stop(link_address_parse("192.0.2.1:1", &address, NULL) == HAUL_OK);
    check_equal(link_address_node(&address), -1);
    memset(&address, 0, sizeof(address));
    check_equal(link_address_node(&address), -1);
}

static void test_link_addresses_next__some__each_once_and_then_anew(void)
{
    struct link_addresses all = {.count = 3};
    check(link_addresses_next(&all));
    check_equal(all.at, 1);
    check(link_addresses_next(&all));
    check_equal(all.at, 2);
    check(!link_addresses_next(&all));
    check_equal(all.at, 0);
    check(link_addresses_next(&all));
}

static void test_link_addresses_found__second_of_two__it_is_the_first_now(void)
{
    struct link_addresses all = {.count = 2};
    check(link_addresses_next(&all));
    link_addresses_found(&all);
    check_equal(all.at, 1);
    check(link_addresses_next(&all));
    check_equal(all.at, 0);
    check(!link_addresses_next(&all));
}

static void test_link_addresses_next__one_only__none(void)
{
    struct link_addresses one;
    check_or_stop(link_addresses_parse("127.0.0.1:1", &one, NULL) == HAUL_OK);
    check_equal(one.count, 1);
    check(!link_addresses_next(&one));
    check_equal(one.at, 0);
}

/* A resolver that is down for a moment is no wrong name: the same command may succeed later. */
static void test_link_address_parse__resolver_fails__passes_or_not(void)
{
    static const struct {
        int answer;
        enum haul_status status;
        const char *hint;
    } cases[] = {
        {EAI_AGAIN, HAUL_UNREACHABLE, "the resolver does not answer"},
        {EAI_SYSTEM, HAUL_UNREACHABLE, "the resolver does not answer"},
        {EAI_MEMORY, HAUL_NO_MEMORY, ""},
        {EAI_NONAME, HAUL_NOT_FOUND, "check the name"},
        {EAI_FAIL, HAUL_NOT_FOUND, "check the name"},
    };
    for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
        struct link_address address;
        struct haul_error error = {.status = HAUL_OK};
        answer = cases[i].answer;
        check_error(link_address_parse("db7:7447", &address, &error), cases[i].status, error);
        answer = 0;
        check(strstr(error.text, "cannot resolve 'db7'") != NULL);
        check(strstr(error.hint, cases[i].hint) != NULL);
        check_equal(error.code, cases[i].answer == EAI_SYSTEM ? EIO : 0);
    }
}

static const struct check_test tests[] = {
    CHECK_TEST(test_link_address_parse__resolver_fails__passes_or_not),
    CHECK_TEST(test_link_address_parse__ipv4__same_text_again),
    CHECK_TEST(test_link_address_parse__ipv6_in_brackets__same_text_again),
    CHECK_TEST(test_link_address_format__link_local__with_its_zone),
    CHECK_TEST(test_link_address_format__scope_of_another_address__left_out),
    CHECK_TEST(test_link_address_same_host__pairs__only_the_host_counts),
    CHECK_TEST(test_link_address_parse__link_local_without_zone__invalid_and_told_to_add_it),
    CHECK_TEST(test_link_address_parse__sizes__those_of_the_family),
    CHECK_TEST(test_link_address_parse__no_host__any_address),
    CHECK_TEST(test_link_address_parse__no_such_form__invalid_with_a_hint),
    CHECK_TEST(test_link_address_parse__host_too_long__invalid),
    CHECK_TEST(test_link_address_parse__empty_brackets__invalid),
    CHECK_TEST(test_link_address_parse__name_in_brackets__invalid),
    CHECK_TEST(test_link_address_node__addresses_of_all_kinds__a_node_or_none),
    CHECK_TEST(test_link_addresses_next__some__each_once_and_then_anew),
    CHECK_TEST(test_link_addresses_found__second_of_two__it_is_the_first_now),
    CHECK_TEST(test_link_addresses_next__one_only__none),
    CHECK_TEST(test_link_address_format__unknown_family__question_mark),
};

CHECK_MAIN("link_address", tests)
