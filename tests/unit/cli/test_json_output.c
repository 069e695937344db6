/* SPDX-License-Identifier: Apache-2.0 */
/* test_json_output.c — the document of --json: one line, with the members that a script relies
 * on. */
#include "json_output.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "exit_code.h"

static char text[16384];
static FILE *captured;
static int kept_stdout;

static const struct haul_error none = {.status = HAUL_OK};

static void capture(void)
{
    (void)fflush(stdout);
    captured = tmpfile();
    kept_stdout = dup(STDOUT_FILENO);
    check_or_stop(captured != NULL && kept_stdout >= 0);
    check_or_stop(dup2(fileno(captured), STDOUT_FILENO) >= 0);
}

/* Reads back what was printed since capture(); it is one line. */
static void finish(void)
{
    (void)fflush(stdout);
    (void)dup2(kept_stdout, STDOUT_FILENO);
    (void)close(kept_stdout);
    rewind(captured);
    size_t size = fread(text, 1, sizeof(text) - 1, captured);
    (void)fclose(captured);
    text[size] = '\0';
    check_or_stop(size > 0 && text[size - 1] == '\n');
    text[size - 1] = '\0';
    check(strchr(text, '\n') == NULL);
}

static void check_member(const char *member)
{
    if (strstr(text, member) == NULL) {
        (void)printf("no %s in %s\n", member, text);
    }
    check(strstr(text, member) != NULL);
}

static void test_json_output_error__failure__code_message_hint_and_retryable(void)
{
    struct haul_error error;
    haul_error_set(&error, HAUL_BUSY, NULL, 0, "the database is in use");
    haul_error_hint(&error, "stop the server");
    capture();
    json_output_error("send", &error, EXIT_CODE_TEMPORARY);
    finish();
    check_text(text,
               "{\"schema_version\":1,\"command\":\"send\",\"status\":\"failed\",\"exit_code\":5,"
               "\"error\":{\"code\":\"BUSY\",\"message\":\"the database is in use\","
               "\"hint\":\"stop the server\",\"retryable\":true}}");
    capture();
    json_output_error("send", &error, EXIT_CODE_PREFLIGHT);
    finish();
    check_member("\"retryable\":false");
}

static void test_json_output_version__success__error_is_null(void)
{
    capture();
    json_output_version("1.2.3", "tcp");
    finish();
    check_text(text,
               "{\"schema_version\":1,\"command\":\"version\",\"status\":\"ok\",\"exit_code\":0,"
               "\"error\":null,\"version\":\"1.2.3\",\"transports\":\"tcp\"}");
}

/* The document is pure ASCII on one line, whatever a message contains. */
static void test_json_output_error__any_bytes__ascii_and_told_apart(void)
{
    struct haul_error error = {.status = HAUL_IO};
    (void)snprintf(error.text, sizeof(error.text), "a\"b\\c\x7f gr\xc3\xbc\xc3\x9f");
    capture();
    json_output_error("send", &error, EXIT_CODE_PERMANENT);
    finish();
    check_member("a\\\"b\\\\c\\u007f gr\\u00FC\\u00DF");
    (void)snprintf(error.text, sizeof(error.text), "bad \xff end");
    capture();
    json_output_error("send", &error, EXIT_CODE_PERMANENT);
    finish();
    check_member("bad \\\\xff end");
}

static void test_json_output_migration__result__every_figure(void)
{
    struct haul_family_result family = {.records = 11, .bytes = 22};
    struct haul_option_difference difference = {.family = "f"};
    static struct haul_result result = {.job = {0xab, 0x01},
                                        .verified = true,
                                        .lane = HAUL_LANE_INGEST,
                                        .old_version = 4,
                                        .new_version = 5,
                                        .retries = 2,
                                        .told_count = 21,
                                        .yielded_count = 22,
                                        .write_pause_ms = 1.5,
                                        .warning = "look at it",
                                        .link_count = 3,
                                        .crc_errors = 1,
                                        .lag_bytes_at_freeze = 77,
                                        .family_count = 1,
                                        .option_difference_count = 1};
    (void)snprintf(family.name, sizeof(family.name), "default");
    (void)snprintf(family.digest, sizeof(family.digest), "d1");
    (void)snprintf(difference.name, sizeof(difference.name), "ttl");
    (void)snprintf(difference.source, sizeof(difference.source), "1");
    (void)snprintf(difference.target, sizeof(difference.target), "2");
    result.families[0] = family;
    result.option_differences = &difference;
    result.progress.records = 100;
    result.progress.bytes = 200;
    result.progress.wire_bytes = 150;
    result.progress.durable_records = 90;
    result.progress.durable_bytes = 180;
    result.progress.pinned_log_bytes = 23;
    result.progress.pinned_table_bytes = 24;
    result.progress.seconds = 2.5;
    result.progress.rounds = 6;
    result.progress.wire = HAUL_WIRE_SECURE;
    result.progress.trust = HAUL_TRUST_KEY;
    result.link = (struct haul_link_stats){.blocks_sent = 9,
                                           .blocks_received = 10,
                                           .bytes_sent = 11,
                                           .bytes_received = 12,
                                           .credit_stalls = 13,
                                           .credits_sent = 14,
                                           .credits_received = 15,
                                           .crc_errors = 16,
                                           .sleeps = 17};
    capture();
    json_output_migration("send", &result, NULL, &none, EXIT_CODE_OK);
    finish();
    check_member("\"status\":\"ok\",\"exit_code\":0,\"error\":null,"
                 "\"job\":\"ab010000000000000000000000000000\",\"verified\":true,\"resumed\":false,"
                 "\"records\":100,\"bytes\":200,\"wire_bytes\":150,");
    check_member("\"fallback_reason\":null,\"wire\":\"secure\",\"trust\":\"key\",\"lane\":"
                 "\"ingest\",\"rounds\":6,"
                 "\"lag_bytes_at_freeze\":77,");
    check_member("\"durable_records\":90,\"durable_bytes\":180,\"pinned_log_bytes\":23,"
                 "\"pinned_table_bytes\":24,\"seconds\":2.5,\"transport\":");
    check_member("\"lag_bytes_at_freeze\":77,\"write_pause_ms\":1.5,\"old_version\":4,"
                 "\"new_version\":5,\"retries\":2,\"told_jobs\":21,\"yielded_jobs\":22,"
                 "\"warning\":\"look at it\",\"links\":3,");
    check_member("\"links\":3,\"crc_errors\":1,"
                 "\"load\":null,\"link\":{\"blocks_sent\":9,\"blocks_received\":10,"
                 "\"bytes_sent\":11,\"bytes_received\":12,\"credit_stalls\":13,"
                 "\"credits_sent\":14,\"credits_received\":15,\"crc_errors\":16,"
                 "\"sleeps\":17},");
    check_member(
        "\"families\":[{\"name\":\"default\",\"records\":11,\"bytes\":22,\"digest\":\"d1\"}],");
    check_member("\"option_differences\":[{\"family\":\"f\",\"option\":\"ttl\",\"source\":\"1\","
                 "\"target\":\"2\"}]");
}

/* A command that failed before there was a job. */
static void test_json_output_migration__no_job__null(void)
{
    static const struct haul_result nothing;
    struct haul_error error;
    haul_error_set(&error, HAUL_NOT_EMPTY, NULL, 0, "records there");
    capture();
    json_output_migration("send", &nothing, NULL, &error, EXIT_CODE_PREFLIGHT);
    finish();
    check_member("\"job\":null,\"verified\":false");
    check_member("\"families\":[],\"option_differences\":[]");
}

static void test_json_output_ledger__verdict__complete_only_when_all_is_there(void)
{
    struct haul_error error;
    haul_error_set(&error, HAUL_CORRUPT, NULL, 0, "lost");
    capture();
    json_output_ledger(12, &none, EXIT_CODE_OK);
    finish();
    check_member("\"keys_checked\":12,\"complete\":true");
    capture();
    json_output_ledger(12, &error, EXIT_CODE_INTEGRITY);
    finish();
    check_member("\"keys_checked\":12,\"complete\":false");
}

static void test_json_output_verify__two_scans__both_and_the_verdict(void)
{
    struct haul_family_result families[2] = {{.records = 1}, {.records = 2}};
    const struct json_output_scan one = {.families = families, .count = 1};
    const struct json_output_scan two = {.families = families, .count = 2};
    struct haul_error error;
    haul_error_set(&error, HAUL_CORRUPT, NULL, 0, "they differ");
    capture();
    json_output_verify(&one, &two, &error, EXIT_CODE_INTEGRITY);
    finish();
    check_member("\"equal\":false,\"families\":[{\"name\":\"\",\"records\":1,");
    check_member("\"families_with\":[{\"name\":\"\",\"records\":1,\"bytes\":0,\"digest\":null},"
                 "{\"name\":\"\",\"records\":2,");
}

static void test_json_output_status__jobs__as_the_journals_say(void)
{
    struct haul_job job = {.role = HAUL_JOB_TARGET, .id = {0x0f}, .epoch = 3, .durable_records = 9};
    (void)snprintf(job.phase, sizeof(job.phase), "COPYING");
    capture();
    json_output_status(&(struct json_output_jobs){
        .directory = "/data/a", .record_way_out = "", .jobs = &job, .count = 1});
    finish();
    check_member("\"running\":null,\"jobs\":[{\"job\":\"0f000000000000000000000000000000\",");
    check_member("\"phase\":\"COPYING\",");
    check_member("\"epoch\":3,\"condition\":\"sound\",\"peer\":null,\"durable_records\":9,");
    check_member("\"way_out\":\"haul recv --db /data/a\",");
    check_member("\"over\":[],\"record_way_out\":null}");
    capture();
    json_output_cancel(2, &none, EXIT_CODE_OK);
    finish();
    check_member("\"command\":\"cancel\",\"status\":\"ok\",\"exit_code\":0,\"error\":null,"
                 "\"cancelled\":2");
}

static void test_json_output_owner__record__ranges_and_the_newest_jobs(void)
{
    struct haul_owner_range range = {.state = HAUL_OWNER_RELEASED,
                                     .family = "f",
                                     .range = {.start = {(const uint8_t *)"a\xff", 2}},
                                     .peer = "p",
                                     .job = {0xcd}};
    struct haul_owner_job jobs[3] = {{.act = HAUL_OWNER_TOOK, .peer = "", .new_version = 1},
                                     {.act = HAUL_OWNER_GAVE, .peer = "", .new_version = 2},
                                     {.act = HAUL_OWNER_RECLAIMED, .peer = "", .new_version = 3}};
    const struct haul_owner owner = {.identity = "id",
                                     .origin = HAUL_OWNER_COPY,
                                     .config_version = 9,
                                     .ranges = &range,
                                     .range_count = 1,
                                     .jobs = jobs,
                                     .job_count = 3};
    capture();
    json_output_owner(&owner, NULL, 2);
    finish();
    check_member("\"action\":null,\"identity\":\"id\",\"origin\":\"copy\",\"config_version\":9,");
    check_member(
        "\"ranges\":[{\"state\":\"released\",\"family\":\"f\",\"start\":\"0x61ff\",\"end\":\"\","
        "\"peer\":\"p\",\"job\":\"cd000000000000000000000000000000\"}],\"job_count\":3,");
    check_member("\"jobs\":[{\"job\":null,\"act\":\"gave\",\"result\":\"OK\",\"peer\":null,"
                 "\"old_version\":0,\"new_version\":2,");
    check_member("\"act\":\"reclaimed\"");
    check(strstr(text, "\"act\":\"took\"") == NULL);
    capture();
    json_output_owner(&owner, "reclaim", 9);
    finish();
    check_member("\"action\":\"reclaim\"");
    check_member("\"act\":\"took\"");
}

static void test_json_output_drop__what_went__ranges_and_bytes(void)
{
    capture();
    json_output_drop(&(struct haul_owner_dropped){.ranges = 2, .bytes = 77});
    finish();
    check_member("\"command\":\"drop\",\"status\":\"ok\",\"exit_code\":0,\"error\":null,"
                 "\"ranges\":2,\"bytes\":77");
}

/* Our JSON has no numbers that large; a negative one would be worse. */
static void test_json_output_drop__more_than_63_bits__the_largest(void)
{
    capture();
    json_output_drop(&(struct haul_owner_dropped){.ranges = 1, .bytes = UINT64_MAX});
    finish();
    check_member("\"bytes\":9223372036854775807");
}

static const struct check_test tests[] = {
    CHECK_TEST(test_json_output_error__failure__code_message_hint_and_retryable),
    CHECK_TEST(test_json_output_version__success__error_is_null),
    CHECK_TEST(test_json_output_error__any_bytes__ascii_and_told_apart),
    CHECK_TEST(test_json_output_migration__result__every_figure),
    CHECK_TEST(test_json_output_migration__no_job__null),
    CHECK_TEST(test_json_output_ledger__verdict__complete_only_when_all_is_there),
    CHECK_TEST(test_json_output_verify__two_scans__both_and_the_verdict),
    CHECK_TEST(test_json_output_status__jobs__as_the_journals_say),
    CHECK_TEST(test_json_output_owner__record__ranges_and_the_newest_jobs),
    CHECK_TEST(test_json_output_drop__what_went__ranges_and_bytes),
    CHECK_TEST(test_json_output_drop__more_than_63_bits__the_largest),
};
CHECK_MAIN("json_output", tests)
