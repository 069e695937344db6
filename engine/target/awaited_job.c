/* SPDX-License-Identifier: Apache-2.0 */
/* awaited_job.c — which job is awaited, and for how long. */
#include "awaited_job.h"

#include <string.h>

#include "clock.h"

enum {
    /* For a source that does not announce how long it retries. */
    WAIT_MS_DEFAULT = 10000,
    /* Its last attempt may begin at the end of that time and needs a moment to connect. */
    MARGIN_MS = 5000,
};

/* The source may notice the loss later than the target, by its own timeout. */
static uint64_t wait_of(const haul_control_Hello *hello)
{
    uint64_t retry_ms = hello->retry_ms;
    if (retry_ms == 0) {
        return WAIT_MS_DEFAULT;
    }
    retry_ms = retry_ms < AWAITED_JOB_RETRY_MS_MAX ? retry_ms : AWAITED_JOB_RETRY_MS_MAX;
    uint64_t timeout_ms = hello->peer_timeout_ms;
    timeout_ms = timeout_ms < AWAITED_JOB_RETRY_MS_MAX ? timeout_ms : AWAITED_JOB_RETRY_MS_MAX;
    return retry_ms + timeout_ms + MARGIN_MS;
}

uint64_t awaited_job_begin(struct awaited_job *awaited, const haul_control_Hello *hello,
                           uint32_t wait_ms, uint64_t now_ns)
{
    uint64_t chosen_ms = wait_ms > 0 ? wait_ms : wait_of(hello);
    *awaited = (struct awaited_job){
        .waits = true, .hello = *hello, .until_ns = now_ns + chosen_ms * NS_PER_MS};
    return chosen_ms;
}

void awaited_job_end(struct awaited_job *awaited)
{
    memset(awaited, 0, sizeof(*awaited));
}

bool awaited_job_is(const struct awaited_job *awaited, const haul_control_Hello *hello)
{
    const haul_control_Hello *lost = &awaited->hello;
    bool same_job = lost->job.size == hello->job.size &&
                    memcmp(lost->job.bytes, hello->job.bytes, lost->job.size) == 0;
    bool same_source = lost->source_identity.size == hello->source_identity.size &&
                       memcmp(lost->source_identity.bytes, hello->source_identity.bytes,
                              lost->source_identity.size) == 0;
    return !awaited->waits || same_job || same_source;
}

bool awaited_job_is_over(const struct awaited_job *awaited, uint64_t now_ns)
{
    return awaited->waits && now_ns >= awaited->until_ns;
}
