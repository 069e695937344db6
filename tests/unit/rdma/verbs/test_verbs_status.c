/* SPDX-License-Identifier: Apache-2.0 */
/* test_verbs_status.c — how the error numbers of the RDMA libraries are mapped. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "check.h"
#include "link_sockaddr.h"
#include "verbs_cm.h"
#include "verbs_fake.h"

struct meaning {
    int code;
    enum haul_status status;
};

static void test_verbs_status__every_known_number__its_status(void)
{
    static const struct meaning meanings[] = {
        {0, HAUL_OK},
        {EAGAIN, HAUL_AGAIN},
        {ENOMEM, HAUL_NO_MEMORY},
        {EMFILE, HAUL_LIMIT},
        {ENFILE, HAUL_LIMIT},
        {ENODEV, HAUL_UNSUPPORTED},
        {ENOENT, HAUL_UNSUPPORTED},
        {ENXIO, HAUL_UNSUPPORTED},
        {EADDRNOTAVAIL, HAUL_UNSUPPORTED},
        {ENOSYS, HAUL_UNSUPPORTED},
        {EOPNOTSUPP, HAUL_UNSUPPORTED},
        {EACCES, HAUL_UNSUPPORTED},
        {EPERM, HAUL_UNSUPPORTED},
        {EADDRINUSE, HAUL_BUSY},
        {ECONNREFUSED, HAUL_REFUSED},
        {ENETUNREACH, HAUL_UNREACHABLE},
        {EHOSTUNREACH, HAUL_UNREACHABLE},
        {ENETDOWN, HAUL_UNREACHABLE},
        {ETIMEDOUT, HAUL_TIMEOUT},
        {EINVAL, HAUL_IO},
    };
    for (size_t i = 0; i < CHECK_COUNT(meanings); i++) {
        check_status(verbs_status(meanings[i].code), meanings[i].status);
    }
}

static void test_verbs_fail__number_that_says_nothing__io(void)
{
    struct haul_error error;
    check_status(verbs_fail(&error, "call", 0, "it did not work"), HAUL_IO);
    check_status(verbs_fail(&error, "call", EAGAIN, "it did not work"), HAUL_IO);
    check_text(error.text, "it did not work");
    check_equal(error.code, EAGAIN);
}

static void test_verbs_check__three_ways_to_fail__the_number(void)
{
    struct haul_error error;
    errno = ENOMEM;
    check_status(verbs_check(-1, "call", "minus one", &error), HAUL_NO_MEMORY);
    check_status(verbs_check(-EMFILE, "call", "minus errno", &error), HAUL_LIMIT);
    check_status(verbs_check(ETIMEDOUT, "call", "errno", &error), HAUL_TIMEOUT);
    check_status(verbs_check(0, "call", "fine", &error), HAUL_OK);
    errno = ENODEV;
    check_status(verbs_check_made(NULL, "call", "nothing made", &error), HAUL_UNSUPPORTED);
    check_status(verbs_check_made(&error, "call", "made", &error), HAUL_OK);
}

/* All are counted, the first is reported. */
static void test_verbs_leak_note__three_ways_to_fail__the_first_and_how_many(void)
{
    static const struct {
        int result;
        int code;
    } cases[] = {{-1, EIO}, {-ENODEV, ENODEV}, {ENXIO, ENXIO}};
    for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
        struct verbs_leak leak = {.count = 0};
        verbs_leak_note(&leak, 0, "fine");
        check_equal(leak.count, 0);
        check(leak.call == NULL);
        errno = EIO;
        verbs_leak_note(&leak, cases[i].result, "first");
        verbs_leak_note(&leak, ENODEV, "second");
        verbs_leak_note(&leak, EBUSY, "third");
        check_equal(leak.count, 3);
        check_text(leak.call, "first");
        check_equal(leak.code, cases[i].code);
    }
}

static void test_verbs_set_nonblocking__descriptor__set(void)
{
    struct haul_error error;
    int fds[2];
    check_or_stop(pipe(fds) == 0);
    check_status(verbs_set_nonblocking(fds[0], &error), HAUL_OK);
    check((fcntl(fds[0], F_GETFL) & O_NONBLOCK) != 0);
    check_equal(close(fds[0]) + close(fds[1]), 0);
}

static void test_verbs_set_nonblocking__no_descriptor__io(void)
{
    struct haul_error error;
    check_status(verbs_set_nonblocking(-1, &error), HAUL_IO);
    check_text(error.call, "fcntl");
}

static void test_verbs_cm_fail_address__every_known_number__its_status(void)
{
    static const struct meaning meanings[] = {
        {ENODEV, HAUL_UNSUPPORTED},
        {EADDRNOTAVAIL, HAUL_UNSUPPORTED},
        {ENOENT, HAUL_UNSUPPORTED},
        {ENXIO, HAUL_UNSUPPORTED},
        {EADDRINUSE, HAUL_BUSY},
        {ETIMEDOUT, HAUL_UNREACHABLE},
        {ENETUNREACH, HAUL_UNREACHABLE},
        {EHOSTUNREACH, HAUL_UNREACHABLE},
        {ENOMEM, HAUL_NO_MEMORY},
        {EINVAL, HAUL_IO},
        {0, HAUL_IO},
        {EAGAIN, HAUL_IO},
    };
    struct link_address address;
    check_or_stop(link_address_parse("10.1.2.3:4", &address, NULL) == HAUL_OK);
    for (size_t i = 0; i < CHECK_COUNT(meanings); i++) {
        struct haul_error error;
        check_status(verbs_cm_fail_address(&address, "call", meanings[i].code, &error),
                     meanings[i].status);
        check(strstr(error.text, "10.1.2.3:4") != NULL);
    }
}

static void test_verbs_cm_open__no_channel__limit_or_no_device(void)
{
    static const struct meaning meanings[] = {{EMFILE, HAUL_LIMIT},
                                              {ENFILE, HAUL_LIMIT},
                                              {ENOMEM, HAUL_NO_MEMORY},
                                              {ENODEV, HAUL_UNSUPPORTED}};
    for (size_t i = 0; i < CHECK_COUNT(meanings); i++) {
        struct rdma_event_channel *channel = NULL;
        fake_reset();
        fake.fail_at = 1;
        fake.fail_code = meanings[i].code;
        check_status(verbs_cm_open(&fake_api, &channel, NULL), meanings[i].status);
        check(fake_is_clean());
    }
}

/* A channel with an invalid descriptor. */
static struct rdma_event_channel *make_dead_channel(void)
{
    struct rdma_event_channel *channel = fake_create_event_channel();
    (void)close(channel->fd);
    channel->fd = -1;
    return channel;
}

static void test_verbs_cm_open__dead_descriptor__io_and_nothing_left(void)
{
    struct rdma_event_channel *channel = NULL;
    struct verbs_api api = fake_api;
    fake_reset();
    api.create_event_channel = make_dead_channel;
    check_status(verbs_cm_open(&api, &channel, NULL), HAUL_IO);
    check(fake_is_clean());
}

static int event_errno;

static int fail_get_cm_event(struct rdma_event_channel *channel, struct rdma_cm_event **event)
{
    (void)channel;
    (void)event;
    errno = event_errno;
    return -1;
}

static void test_verbs_cm_next__reading_fails__again_or_the_error(void)
{
    static const struct meaning meanings[] = {
        {EAGAIN, HAUL_AGAIN}, {EINTR, HAUL_AGAIN}, {ENODEV, HAUL_UNSUPPORTED}, {EIO, HAUL_IO}};
    struct verbs_api api = fake_api;
    fake_reset();
    api.get_cm_event = fail_get_cm_event;
    for (size_t i = 0; i < CHECK_COUNT(meanings); i++) {
        struct verbs_cm_event event;
        event_errno = meanings[i].code;
        check_status(verbs_cm_next(&api, NULL, &event, NULL), meanings[i].status);
    }
}

static void test_verbs_cm_peer__address_of_the_sixth_version__its_size(void)
{
    struct rdma_cm_id id = {.verbs = NULL};
    struct link_address address;
    id.route.addr.dst_addr.sa_family = AF_INET6;
    id.route.addr.src_addr.sa_family = AF_INET6;
    verbs_cm_peer(&id, &address);
    check_equal(address.size, sizeof(struct sockaddr_in6));
    verbs_cm_local(&id, &address);
    check_equal(link_sockaddr_of(&address)->ss_family, AF_INET6);
}

static const struct check_test tests[] = {
    CHECK_TEST(test_verbs_status__every_known_number__its_status),
    CHECK_TEST(test_verbs_fail__number_that_says_nothing__io),
    CHECK_TEST(test_verbs_check__three_ways_to_fail__the_number),
    CHECK_TEST(test_verbs_leak_note__three_ways_to_fail__the_first_and_how_many),
    CHECK_TEST(test_verbs_set_nonblocking__descriptor__set),
    CHECK_TEST(test_verbs_set_nonblocking__no_descriptor__io),
    CHECK_TEST(test_verbs_cm_fail_address__every_known_number__its_status),
    CHECK_TEST(test_verbs_cm_open__no_channel__limit_or_no_device),
    CHECK_TEST(test_verbs_cm_open__dead_descriptor__io_and_nothing_left),
    CHECK_TEST(test_verbs_cm_next__reading_fails__again_or_the_error),
    CHECK_TEST(test_verbs_cm_peer__address_of_the_sixth_version__its_size),
};

CHECK_MAIN("verbs_status", tests)
