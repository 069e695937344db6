/* SPDX-License-Identifier: Apache-2.0 */
/* consumer.c — the smallest program that embeds libhaul; built by install.sh in C and in C++. */
#include <haul/link_bench.h>
#include <haul/log.h>
#include <haul/migration.h>
#include <haul/slice.h>
#include <haul/status.h>
#include <haul/store.h>
#include <haul/transport.h>
#include <haul/verify.h>
#include <stdio.h>

int main(void)
{
    struct haul_rocks_options options = {};
    struct haul_store *store = NULL;
    struct haul_error error;
    enum haul_status status = haul_rocks_store_open("no/such/database", &options, &store, &error);
    (void)printf("%s %s\n", haul_status_name(status), haul_phase_name(HAUL_PHASE_COPYING));
    return status == HAUL_NOT_FOUND ? 0 : 1;
}
