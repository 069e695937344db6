/* SPDX-License-Identifier: Apache-2.0 */
/* controller_absent.c — controller.h in a build without libcurl. */
#include "controller.h"

enum haul_status controller_open(const char *url, uint32_t timeout_ms,
                                 struct controller **controller, struct haul_error *error)
{
    (void)url;
    (void)timeout_ms;
    *controller = NULL;
    haul_error_set(error, HAUL_UNSUPPORTED, NULL, 0, "this build cannot talk to a controller");
    haul_error_hint(error, "build haul again with libcurl (Debian: libcurl4-openssl-dev)");
    return HAUL_UNSUPPORTED;
}

void controller_close(struct controller *controller)
{
    (void)controller;
}

enum haul_status controller_check(struct controller *controller, struct haul_error *error)
{
    (void)controller;
    return haul_error_set(error, HAUL_UNSUPPORTED, NULL, 0, "this build has no libcurl");
}

enum haul_status controller_find_shard(struct controller *controller, const char *master,
                                       int *shard, struct haul_error *error)
{
    (void)controller;
    (void)master;
    *shard = -1;
    return haul_error_set(error, HAUL_UNSUPPORTED, NULL, 0, "this build has no libcurl");
}

enum haul_status controller_migrate(struct controller *controller, struct slot_range slots,
                                    int shard, struct haul_error *error)
{
    (void)controller;
    (void)slots;
    (void)shard;
    return haul_error_set(error, HAUL_UNSUPPORTED, NULL, 0, "this build has no libcurl");
}
