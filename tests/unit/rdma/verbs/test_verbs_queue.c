/* SPDX-License-Identifier: Apache-2.0 */
/* test_verbs_queue.c — request ids, limits of the device, impossible completions. */
#include "check.h"
#include "verbs_fake.h"
#include "verbs_queue.h"

static struct verbs_device device;
static struct verbs_queue queue;

static void open_queue(void)
{
    fake_reset();
    struct rdma_cm_id id = {.verbs = &fake.shared, .port_num = 1};
    check_or_stop(verbs_device_open(&device, &fake_api, &id, NULL) == HAUL_OK);
    check_or_stop(verbs_queue_open(&queue, &device, 4, 4, NULL) == HAUL_OK);
    fake.qp_state = IBV_QPS_RTS;
    check_or_stop(verbs_queue_fill(&queue, NULL) == HAUL_OK);
}

static void close_queue(void)
{
    verbs_queue_close(&queue);
    verbs_device_close(&device);
    check(fake_is_clean());
}

static void write_one(uint32_t index)
{
    const struct verbs_write write = {.kind = VERBS_WORK_BLOCK, .index = index};
    check_or_stop(verbs_queue_write(&queue, &write, NULL) == HAUL_OK);
}

static void test_verbs_work_id__largest_parts__come_back(void)
{
    uint64_t id = verbs_work_id(VERBS_WORK_CLOSE, UINT64_C(0x1234567ffffff), UINT32_MAX);
    check_equal(verbs_work_kind(id), VERBS_WORK_CLOSE);
    check_equal(verbs_work_generation(id), 0xffffff);
    check_equal(verbs_work_index(id), UINT32_MAX);
}

static void test_verbs_queue_open__more_than_the_device_has__unsupported(void)
{
    fake_reset();
    struct rdma_cm_id id = {.verbs = &fake.shared, .port_num = 1};
    check_or_stop(verbs_device_open(&device, &fake_api, &id, NULL) == HAUL_OK);
    check_status(verbs_queue_open(&queue, &device, 1601, 4, NULL), HAUL_UNSUPPORTED);
    check_status(verbs_queue_open(&queue, &device, 4, 1601, NULL), HAUL_UNSUPPORTED);
    device.completions_max = 100;
    check_status(verbs_queue_open(&queue, &device, 50, 51, NULL), HAUL_UNSUPPORTED);
    close_queue();
}

static void test_verbs_queue_open__memory_lock_reached__limit(void)
{
    struct haul_error error;
    fake_reset();
    struct rdma_cm_id id = {.verbs = &fake.shared, .port_num = 1};
    check_or_stop(verbs_device_open(&device, &fake_api, &id, NULL) == HAUL_OK);
    fake.fail_at = fake.call_count + 3; /* channel, completion queue, queue pair */
    fake.fail_code = ENOMEM;
    check_status(verbs_queue_open(&queue, &device, 4, 4, &error), HAUL_LIMIT);
    check_text(error.call, "ibv_create_qp");
    close_queue();
}

static void test_verbs_queue_peek__looked_at_twice__same_completion(void)
{
    struct verbs_completion first;
    struct verbs_completion second;
    open_queue();
    write_one(7);
    fake_complete_write(IBV_WC_SUCCESS);
    check_status(verbs_queue_peek(&queue, &first, NULL), HAUL_OK);
    check_status(verbs_queue_peek(&queue, &second, NULL), HAUL_OK);
    check_equal(first.index, 7);
    check_equal(second.index, 7);
    verbs_queue_take(&queue);
    check_status(verbs_queue_peek(&queue, &first, NULL), HAUL_AGAIN);
    close_queue();
}

static void test_verbs_queue_peek__completed_twice__io(void)
{
    struct verbs_completion completion;
    open_queue();
    write_one(0);
    write_one(1);
    fake_complete_write(IBV_WC_SUCCESS);
    fake_push_completion((struct ibv_wc){.wr_id = fake.writes[0].id});
    check_status(verbs_queue_peek(&queue, &completion, NULL), HAUL_OK);
    verbs_queue_take(&queue);
    check_status(verbs_queue_peek(&queue, &completion, NULL), HAUL_IO);
    close_queue();
}

static void test_verbs_queue_peek__nothing_posted__io(void)
{
    struct verbs_completion completion;
    open_queue();
    fake_push_completion((struct ibv_wc){.wr_id = verbs_work_id(VERBS_WORK_BLOCK, 0, 0)});
    check_status(verbs_queue_peek(&queue, &completion, NULL), HAUL_IO);
    close_queue();
}

static void test_verbs_queue_peek__error__nothing_of_it_is_read_but_status(void)
{
    struct verbs_completion completion;
    open_queue();
    fake_push_completion((struct ibv_wc){.wr_id = fake.receives[0],
                                         .status = IBV_WC_WR_FLUSH_ERR,
                                         .opcode = IBV_WC_RECV_RDMA_WITH_IMM,
                                         .imm_data = 99,
                                         .byte_len = 99});
    check_status(verbs_queue_peek(&queue, &completion, NULL), HAUL_OK);
    check_equal(completion.kind, VERBS_WORK_RECEIVE);
    check_equal(completion.status, IBV_WC_WR_FLUSH_ERR);
    check(!completion.with_immediate);
    check_equal(completion.size_bytes, 0);
    close_queue();
}

static void test_verbs_queue_fail__requests_outstanding__queue_runs_empty(void)
{
    struct verbs_completion completion;
    open_queue();
    write_one(0);
    check(!verbs_queue_is_empty(&queue));
    verbs_queue_fail(&queue);
    for (int i = 0; i < 5; i++) {
        check_status(verbs_queue_peek(&queue, &completion, NULL), HAUL_OK);
        check_equal(completion.status, IBV_WC_WR_FLUSH_ERR);
        verbs_queue_take(&queue);
    }
    check(verbs_queue_is_empty(&queue));
    close_queue();
}

static void test_verbs_queue_close__notification_not_taken__still_acknowledged(void)
{
    open_queue();
    check_status(verbs_queue_arm(&queue, VERBS_NOTIFY_ANY, NULL), HAUL_OK);
    write_one(0);
    fake_complete_write(IBV_WC_SUCCESS);
    close_queue();
    check_equal(fake.notifications_acked, 1);
}

static const struct check_test tests[] = {
    CHECK_TEST(test_verbs_work_id__largest_parts__come_back),
    CHECK_TEST(test_verbs_queue_open__more_than_the_device_has__unsupported),
    CHECK_TEST(test_verbs_queue_open__memory_lock_reached__limit),
    CHECK_TEST(test_verbs_queue_peek__looked_at_twice__same_completion),
    CHECK_TEST(test_verbs_queue_peek__completed_twice__io),
    CHECK_TEST(test_verbs_queue_peek__nothing_posted__io),
    CHECK_TEST(test_verbs_queue_peek__error__nothing_of_it_is_read_but_status),
    CHECK_TEST(test_verbs_queue_fail__requests_outstanding__queue_runs_empty),
    CHECK_TEST(test_verbs_queue_close__notification_not_taken__still_acknowledged),
};
CHECK_MAIN("verbs_queue", tests)
