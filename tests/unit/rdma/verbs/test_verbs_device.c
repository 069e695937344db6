/* SPDX-License-Identifier: Apache-2.0 */
/* test_verbs_device.c — unexpected devices: of another transport, without inline data, with many
 * interrupts, or limited by a control group. */
#include "verbs_fixture.h"

/* From the request on; the last poll's events are in `events`. */
static size_t connect_to_device(void)
{
    check_or_stop(fixture_connect(NULL) == HAUL_OK);
    size_t count = fixture_step(RDMA_CM_EVENT_ADDR_RESOLVED);
    return count > 0 ? count : fixture_step(RDMA_CM_EVENT_ROUTE_RESOLVED);
}

static void check_transport(enum ibv_transport_type transport, const char *text)
{
    fixture_begin();
    fake.device.transport_type = transport;
    (void)snprintf(fake.device.name, sizeof(fake.device.name), "card7");
    fixture_check_closed(connect_to_device(), HAUL_UNSUPPORTED);
    check_text(events[0].error->text, text);
    check(strstr(events[0].error->hint, "RoCE") != NULL);
    check_equal(fake.connects, 0);
    fixture_end();
}

static void test_link_connect__device_speaks_iwarp__unsupported_at_once(void)
{
    check_transport(IBV_TRANSPORT_IWARP, "the RDMA device card7 speaks iWARP");
}

static void test_link_connect__device_of_another_kind__unsupported_at_once(void)
{
    check_transport(IBV_TRANSPORT_USNIC_UDP,
                    "the RDMA device card7 speaks neither InfiniBand nor RoCE");
    check_transport(IBV_TRANSPORT_UNSPECIFIED,
                    "the RDMA device card7 speaks neither InfiniBand nor RoCE");
}

static void test_listener_accept__device_speaks_iwarp__unsupported_and_the_peer_is_told(void)
{
    struct verbs_refusal refusal;
    fixture_begin();
    fake.device.transport_type = IBV_TRANSPORT_IWARP;
    check_status(fixture_accept(NULL), HAUL_UNSUPPORTED);
    check_status(verbs_refusal_decode(fake.shown, fake.shown_size, &refusal), HAUL_OK);
    check_status(refusal.status, HAUL_UNSUPPORTED);
    check(fake_is_clean());
}

static void test_link_connect__messages_smaller_than_any_slot__unsupported(void)
{
    fixture_begin();
    fake.message_bytes_max = HAUL_SLOT_SIZE_BYTES_MIN - 1;
    fixture_check_closed(connect_to_device(), HAUL_UNSUPPORTED);
    check_text(events[0].error->text,
               "the RDMA device limits messages to 4095 bytes; haul needs 4096");
    fixture_end();
}

/* The calls that create an object, including the opening of the device. */
static void test_link_connect__control_group_allows_no_more__limit_names_the_file(void)
{
    static const unsigned calls[] = {
        0, /* ibv_open_device */
        3, /* ibv_alloc_pd, after two queries */
        4, /* ibv_reg_mr */
        7, /* ibv_create_cq, after another region and the channel */
        8, /* ibv_create_qp */
    };
    for (size_t i = 0; i < CHECK_COUNT(calls); i++) {
        fixture_begin();
        check_or_stop(fixture_connect(NULL) == HAUL_OK);
        check_or_stop(fixture_step(RDMA_CM_EVENT_ADDR_RESOLVED) == 0);
        fake.fail_at = fake.call_count + calls[i] + 1;
        fake.fail_code = EAGAIN;
        fixture_check_closed(fixture_step(RDMA_CM_EVENT_ROUTE_RESOLVED), HAUL_LIMIT);
        check(strstr(events[0].error->text, "control group") != NULL);
        check(strstr(events[0].error->hint, "rdma.max") != NULL);
        check_status(events[0].status, HAUL_LIMIT);
        check_equal(events[0].error->code, EAGAIN);
        fixture_end();
    }
}

/* One block arrives and its slot is released: a credit frame is due. */
static const struct fake_write *report_one(void)
{
    struct verbs_description ours;
    uint8_t bytes[LINK_DESCRIPTION_BYTES_MAX];
    const struct slot_header header = {.type = SLOT_DATA,
                                       .kind = SLOT_KIND_DELTA,
                                       .epoch = EPOCH,
                                       .sequence = FIRST_SEQUENCE,
                                       .payload_size_bytes = 10};
    size_t size = link_describe(tested, bytes);
    check_or_stop(verbs_description_decode(bytes, size, &ours, NULL) == HAUL_OK);
    slot_header_encode(&header, (uint8_t *)(uintptr_t)ours.address);
    fake_arrive(imm_pack(SLOT_DATA, FIRST_SEQUENCE), SLOT_HEADER_BYTES + 10);
    check_or_stop(fixture_poll() == 1 && events[0].type == LINK_RECEIVED);
    link_release((struct link_rx){tested}, events[0].block);
    (void)link_arm(tested);
    check_or_stop(fake.write_count == 1);
    return &fake.writes[0];
}

static void check_record(const struct fake_write *write)
{
    struct credit_frame record;
    check_equal(write->size_bytes, CREDIT_FRAME_BYTES);
    check_status(credit_frame_decode(write->data, CREDIT_RECORD_MAGIC, NULL, &record), HAUL_OK);
    check_equal(record.freed, 1);
}

static void test_link_release__device_inlines__record_needs_no_memory(void)
{
    fixture_open_receiver();
    int regions = fake.regions;
    const struct fake_write *write = report_one();
    check_equal(regions, 1); /* the ring */
    check(write->inlined);
    check_record(write);
    fixture_end();
}

static void test_link_release__device_inlines_nothing__record_in_registered_memory(void)
{
    fixture_begin();
    fake.inlines_nothing = true;
    check_or_stop(fixture_accept(NULL) == HAUL_OK);
    check_or_stop(fixture_step(RDMA_CM_EVENT_ESTABLISHED) == 1);
    fixture_bind();
    check_equal(fake.regions, 2);
    const struct fake_write *write = report_one();
    check(!write->inlined);
    check_equal(write->lkey, 101); /* of the second region */
    check_record(write);
    fixture_end();
}

static void test_listener_accept__inlines_nothing_and_nth_call_fails__nothing_left(void)
{
    unsigned n = 0;
    bool stood = false;
    while (!stood) {
        fixture_begin();
        fake.inlines_nothing = true;
        fake.fail_at = ++n;
        stood = fixture_accept(NULL) == HAUL_OK;
        check(stood == (fake.call_count < n));
        fixture_end();
    }
    check(n > 15);
}

static void test_link_connect__device_with_three_interrupts__all_are_used(void)
{
    enum { VECTORS = 3 };
    bool used[VECTORS] = {false};
    for (int i = 0; i < VECTORS; i++) {
        fixture_begin();
        fake.vector_count = VECTORS;
        check_equal(connect_to_device(), 0);
        check_or_stop(fake.last_vector < VECTORS);
        used[fake.last_vector] = true;
        fixture_end();
    }
    check(used[0] && used[1] && used[2]);
}

static const struct check_test tests[] = {
    CHECK_TEST(test_link_connect__device_speaks_iwarp__unsupported_at_once),
    CHECK_TEST(test_link_connect__device_of_another_kind__unsupported_at_once),
    CHECK_TEST(test_link_connect__messages_smaller_than_any_slot__unsupported),
    CHECK_TEST(test_listener_accept__device_speaks_iwarp__unsupported_and_the_peer_is_told),
    CHECK_TEST(test_link_connect__control_group_allows_no_more__limit_names_the_file),
    CHECK_TEST(test_link_release__device_inlines__record_needs_no_memory),
    CHECK_TEST(test_link_release__device_inlines_nothing__record_in_registered_memory),
    CHECK_TEST(test_listener_accept__inlines_nothing_and_nth_call_fails__nothing_left),
    CHECK_TEST(test_link_connect__device_with_three_interrupts__all_are_used),
};
CHECK_MAIN("verbs_device", tests)
