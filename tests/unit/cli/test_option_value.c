/* SPDX-License-Identifier: Apache-2.0 */
/* test_option_value.c — numbers, sizes, times and names of a command line. */
#include "option_value.h"

#include <stdio.h>
#include <string.h>

#include "check.h"
#include "haul/migration.h"
#include "haul/transport.h"

static struct haul_error error;

static const struct option_rule size_rule = {
    .name = "size", .parse = option_size_u64, .min = 0, .max = UINT64_C(1) << 50};
static const struct option_rule duration_rule = {
    .name = "time", .parse = option_duration, .min = 100, .max = 86400000};
static const struct option_rule number_rule = {
    .name = "number", .parse = option_u64, .min = 3, .max = 1000};

static uint64_t size_of(const char *text)
{
    uint64_t value = UINT64_MAX;
    enum haul_status status = option_size_u64(&size_rule, text, &value, &error);
    if (status != HAUL_OK) {
        (void)printf("'%s': %s\n", text, error.text);
    }
    check_status(status, HAUL_OK);
    return value;
}

static uint32_t duration_of(const char *text)
{
    uint32_t value = 0;
    check_status(option_duration(&duration_rule, text, &value, &error), HAUL_OK);
    return value;
}

/* Refused, and the previous value stays. */
static void check_refused(const struct option_rule *rule, const char *text)
{
    uint64_t value = 77;
    enum haul_status status = rule->parse(rule, text, &value, &error);
    if (status == HAUL_OK) {
        (void)printf("--%s takes '%s'\n", rule->name, text);
    }
    check_status(status, HAUL_INVALID);
    check_equal(value, 77);
    check(error.hint[0] != '\0');
}

static void test_option_size_u64__each_unit__its_bytes(void)
{
    check_equal(size_of("0"), 0);
    check_equal(size_of("1"), 1);
    check_equal(size_of("1K"), UINT64_C(1) << 10);
    check_equal(size_of("1M"), UINT64_C(1) << 20);
    check_equal(size_of("1G"), UINT64_C(1) << 30);
    check_equal(size_of("1T"), UINT64_C(1) << 40);
    check_equal(size_of("1KiB"), UINT64_C(1) << 10);
    check_equal(size_of("1MiB"), UINT64_C(1) << 20);
    check_equal(size_of("1GiB"), UINT64_C(1) << 30);
    check_equal(size_of("1kB"), 1000);
    check_equal(size_of("1MB"), 1000000);
    check_equal(size_of("1GB"), 1000000000);
    check_equal(size_of("8kbit"), 1000);
    check_equal(size_of("8mbit"), 1000000);
    check_equal(size_of("8gbit"), 1000000000);
}

/* A value one beyond 64 bits must not become a number. */
static void test_option_size_u64__two_to_the_64th__refused(void)
{
    const struct option_rule rule = {
        .name = "size", .parse = option_size_u64, .min = 0, .max = UINT64_MAX};
    check_refused(&rule, "16777216T");
    check_refused(&rule, "17179869184G");
}

static void test_option_size_u64__fraction__of_the_unit(void)
{
    check_equal(size_of("1.5K"), 1536);
    check_equal(size_of("0.5G"), UINT64_C(1) << 29);
    check_equal(size_of("2.5MB"), 2500000);
    check_equal(size_of("1.9"), 1);
}

/* The value that a hint names as the largest is accepted. */
static void test_option_u64__largest_values__taken(void)
{
    static const struct option_rule version_rule = {
        .name = "version", .parse = option_u64, .min = 0, .max = UINT64_MAX - 1};
    static const struct option_rule free_rule = {
        .name = "free", .parse = option_size_u64, .min = 0, .max = INT64_MAX};
    uint64_t value = 0;
    check_status(option_u64(&version_rule, "18446744073709551614", &value, &error), HAUL_OK);
    check_equal(value, UINT64_MAX - 1);
    check_status(option_u64(&version_rule, "1000000000000000000", &value, &error), HAUL_OK);
    check_equal(value, UINT64_C(1000000000000000000));
    check_refused(&version_rule, "18446744073709551615");
    check_refused(&version_rule, "18446744073709551616");
    check_status(option_size_u64(&free_rule, "9223372036854775807", &value, &error), HAUL_OK);
    check_equal(value, INT64_MAX);
    check_status(option_size_u64(&free_rule, "8000000T", &value, &error), HAUL_OK);
    check_equal(value, UINT64_C(8000000) << 40);
    check_refused(&free_rule, "9223372036854775808");
    check_refused(&free_rule, "99999999T");
}

/* Beyond 2^53 a double has gaps. */
static void test_option_size_u64__large_whole_number__exact(void)
{
    struct option_rule wide = size_rule;
    uint64_t value = 0;
    wide.max = UINT64_MAX;
    check_status(option_size_u64(&wide, "9007199254740993", &value, &error), HAUL_OK);
    check_equal(value, UINT64_C(9007199254740993));
}

static void test_option_size_u64__not_a_size__invalid(void)
{
    static const char *const texts[] = {"",     "-1",    "+1",  " 1",   "1 K",     "K",
                                        "1k",   "1KB",   "1Kx", "inf",  "0x10",    "nan",
                                        "1e30", "1.2.3", "1,5", "1PiB", "2000000T"};
    for (size_t i = 0; i < CHECK_COUNT(texts); i++) {
        check_refused(&size_rule, texts[i]);
    }
    check_refused(&size_rule, "18446744073709551616");
    check_refused(&size_rule, "99999999999999999999999");
}

static void test_option_size_u64__out_of_range__hint_names_the_range(void)
{
    const struct option_rule rule = {
        .name = "slot", .parse = option_size_u64, .min = 4096, .max = (64 << 20) + 1};
    uint64_t value = 0;
    check_status(option_size_u64(&rule, "4K", &value, &error), HAUL_OK);
    check_equal(value, 4096);
    check_status(option_size_u64(&rule, "67108865", &value, &error), HAUL_OK);
    check_equal(value, 67108865);
    check_refused(&rule, "4095");
    check_text(error.text, "invalid value '4095' for --slot");
    check_text(error.hint,
               "bytes from 4K to 67108865, with K, M or G (powers of 1024), MB or mbit");
    check_refused(&rule, "67108866");
}

static void test_option_size_u32__size__thirty_two_bits_are_written(void)
{
    const struct option_rule rule = {.name = "slot", .min = 0, .max = UINT32_MAX};
    uint32_t values[2] = {0, 9};
    check_error(option_size_u32(&rule, "4G", &values, &error), HAUL_INVALID, error);
    check_status(option_size_u32(&rule, "1M", &values, &error), HAUL_OK);
    check_equal(values[0], 1 << 20);
    check_equal(values[1], 9);
}

static void test_option_duration__each_unit__its_milliseconds(void)
{
    check_equal(duration_of("500ms"), 500);
    check_equal(duration_of("5"), 5000);
    check_equal(duration_of("5s"), 5000);
    check_equal(duration_of("2m"), 120000);
    check_equal(duration_of("1h"), 3600000);
    check_equal(duration_of("1.5s"), 1500);
    check_equal(duration_of("0.1"), 100);
    check_equal(duration_of("24h"), 86400000);
}

static void test_option_duration__not_a_time__invalid(void)
{
    static const char *const texts[] = {"", "-5s", "5 s", "5sec", "99ms", "25h", "5d", "s"};
    for (size_t i = 0; i < CHECK_COUNT(texts); i++) {
        check_refused(&duration_rule, texts[i]);
    }
    check_text(error.hint, "a time from 100ms to 86400s: 500ms, 5s, 2m");
}

static void test_option_u64__bounds__inside_taken_outside_refused(void)
{
    uint64_t value = 0;
    check_status(option_u64(&number_rule, "3", &value, &error), HAUL_OK);
    check_equal(value, 3);
    check_status(option_u64(&number_rule, "1000", &value, &error), HAUL_OK);
    check_equal(value, 1000);
    check_refused(&number_rule, "2");
    check_refused(&number_rule, "1001");
    check_refused(&number_rule, "4.0");
    check_refused(&number_rule, "4K");
    check_text(error.hint, "a number from 3 to 1000");
}

static void test_option_u32__number__thirty_two_bits_are_written(void)
{
    const struct option_rule rule = {.name = "count", .min = 0, .max = UINT32_MAX};
    uint32_t values[2] = {0, 9};
    check_status(option_u32(&rule, "4294967295", &values, &error), HAUL_OK);
    check_equal(values[0], UINT32_MAX);
    check_equal(values[1], 9);
    check_error(option_u32(&rule, "4294967296", &values, &error), HAUL_INVALID, error);
}

static void test_option_names__names__appended_until_the_list_is_full(void)
{
    const struct option_rule rule = {.name = "cf", .parse = option_names};
    static struct name_list list;
    char name[HAUL_NAME_BYTES_MAX + 1];
    memset(name, 'n', sizeof(name));
    name[HAUL_NAME_BYTES_MAX] = '\0';
    check_error(option_names(&rule, "", &list, &error), HAUL_INVALID, error);
    check_error(option_names(&rule, name, &list, &error), HAUL_INVALID, error);
    check_equal(list.count, 0);
    name[HAUL_NAME_BYTES_MAX - 1] = '\0';
    for (size_t i = 0; i < HAUL_FAMILY_COUNT_MAX; i++) {
        check_status(option_names(&rule, name, &list, &error), HAUL_OK);
    }
    check_equal(list.count, HAUL_FAMILY_COUNT_MAX);
    check(list.names[HAUL_FAMILY_COUNT_MAX - 1] == name);
    check_error(option_names(&rule, "more", &list, &error), HAUL_INVALID, error);
    check_text(error.hint, "names of 1 to 127 bytes, at most 256 names");
}

static void test_option_text__empty__invalid(void)
{
    const struct option_rule rule = {.name = "db"};
    const char *text = NULL;
    check_error(option_text(&rule, "", &text, &error), HAUL_INVALID, error);
    check(text == NULL);
    check_status(option_text(&rule, "/db", &text, &error), HAUL_OK);
    check_text(text, "/db");
}

static void test_option_count__given_again__counts(void)
{
    unsigned count = 0;
    bool flag = false;
    check_status(option_count(&number_rule, NULL, &count, &error), HAUL_OK);
    check_status(option_count(&number_rule, NULL, &count, &error), HAUL_OK);
    check_equal(count, 2);
    check_status(option_flag(&number_rule, NULL, &flag, &error), HAUL_OK);
    check(flag);
}

static void test_option_transports__lane_compression__names_and_nothing_else(void)
{
    const struct option_rule rule = {.name = "choice"};
    struct haul_transport_list transports = {{HAUL_TRANSPORT_NONE}};
    enum haul_lane lane = HAUL_LANE_AUTO;
    enum haul_compression compression = HAUL_COMPRESSION_AUTO;
    check_status(option_transports(&rule, "tcp,rdma", &transports, &error), HAUL_OK);
    check_equal(transports.items[0], HAUL_TRANSPORT_TCP);
    check_equal(transports.items[1], HAUL_TRANSPORT_VERBS);
    check_equal(transports.items[2], HAUL_TRANSPORT_NONE);
    static const char *const none[] = {"TCP",      "",     "tcp,",    "tcp,tcp",
                                       "loopback", "none", "auto,tcp"};
    for (size_t i = 0; i < CHECK_COUNT(none); i++) {
        check_error(option_transports(&rule, none[i], &transports, &error), HAUL_INVALID, error);
        check_text(error.hint, "auto, rdma, tcp, or both separated by a comma");
    }
    check_equal(transports.items[0], HAUL_TRANSPORT_TCP);
    check_status(option_transports(&rule, "auto", &transports, &error), HAUL_OK);
    check_equal(transports.items[0], HAUL_TRANSPORT_NONE);
    check_status(option_lane(&rule, "ingest", &lane, &error), HAUL_OK);
    check_equal(lane, HAUL_LANE_INGEST);
    check_status(option_lane(&rule, "writebatch", &lane, &error), HAUL_OK);
    check_equal(lane, HAUL_LANE_WRITE_BATCH);
    check_status(option_lane(&rule, "auto", &lane, &error), HAUL_OK);
    check_equal(lane, HAUL_LANE_AUTO);
    check_error(option_lane(&rule, "", &lane, &error), HAUL_INVALID, error);
    check_text(error.hint, "auto, ingest or writebatch");
    check_status(option_compression(&rule, "on", &compression, &error), HAUL_OK);
    check_equal(compression, HAUL_COMPRESSION_ON);
    check_status(option_compression(&rule, "off", &compression, &error), HAUL_OK);
    check_equal(compression, HAUL_COMPRESSION_OFF);
    check_status(option_compression(&rule, "auto", &compression, &error), HAUL_OK);
    check_equal(compression, HAUL_COMPRESSION_AUTO);
    check_error(option_compression(&rule, "of", &compression, &error), HAUL_INVALID, error);
    check_text(error.hint, "auto, off or on");
}

static const struct check_test tests[] = {
    CHECK_TEST(test_option_size_u64__each_unit__its_bytes),
    CHECK_TEST(test_option_size_u64__two_to_the_64th__refused),
    CHECK_TEST(test_option_size_u64__fraction__of_the_unit),
    CHECK_TEST(test_option_u64__largest_values__taken),
    CHECK_TEST(test_option_size_u64__large_whole_number__exact),
    CHECK_TEST(test_option_size_u64__not_a_size__invalid),
    CHECK_TEST(test_option_size_u64__out_of_range__hint_names_the_range),
    CHECK_TEST(test_option_size_u32__size__thirty_two_bits_are_written),
    CHECK_TEST(test_option_duration__each_unit__its_milliseconds),
    CHECK_TEST(test_option_duration__not_a_time__invalid),
    CHECK_TEST(test_option_u64__bounds__inside_taken_outside_refused),
    CHECK_TEST(test_option_u32__number__thirty_two_bits_are_written),
    CHECK_TEST(test_option_names__names__appended_until_the_list_is_full),
    CHECK_TEST(test_option_text__empty__invalid),
    CHECK_TEST(test_option_count__given_again__counts),
    CHECK_TEST(test_option_transports__lane_compression__names_and_nothing_else),
};
CHECK_MAIN("option_value", tests)
