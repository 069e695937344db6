/* SPDX-License-Identifier: Apache-2.0 */
/* sim_codec.c — zstd as engine/wire/payload_codec.c sees it (by the linker's --wrap). */
#include "sim_codec.h"

#include <stdlib.h>
#include <string.h>
#define ZSTD_STATIC_LINKING_ONLY /* contexts with an allocator of their own */
#include <zstd.h>

#include "clock.h"
#include "sim_kernel.h"

ZSTD_CCtx *__wrap_ZSTD_createCCtx(void);
ZSTD_DCtx *__wrap_ZSTD_createDCtx(void);
size_t __real_ZSTD_compressCCtx(ZSTD_CCtx *context, void *out, size_t capacity, const void *in,
                                size_t size, int level);
size_t __wrap_ZSTD_compressCCtx(ZSTD_CCtx *context, void *out, size_t capacity, const void *in,
                                size_t size, int level);
size_t __real_ZSTD_decompressDCtx(ZSTD_DCtx *context, void *out, size_t capacity, const void *in,
                                  size_t size);
size_t __wrap_ZSTD_decompressDCtx(ZSTD_DCtx *context, void *out, size_t capacity, const void *in,
                                  size_t size);

/* Between a fast and a slow processor. */
static const uint32_t pack_us_max[] = {1, 30, 5000};

struct sim_codec_figures sim_codec_figures;
static struct sim_random *chance;
static uint32_t pack_us;

void sim_codec_init(struct sim_random *random)
{
    memset(&sim_codec_figures, 0, sizeof(sim_codec_figures));
    chance = random;
    pack_us = 0;
}

static void *allocate(void *ignored, size_t size)
{
    (void)ignored;
    return malloc(size);
}

static void release(void *ignored, void *memory)
{
    (void)ignored;
    free(memory);
}

static const ZSTD_customMem own_memory = {allocate, release, NULL};

ZSTD_CCtx *__wrap_ZSTD_createCCtx(void)
{
    return ZSTD_createCCtx_advanced(own_memory);
}

ZSTD_DCtx *__wrap_ZSTD_createDCtx(void)
{
    return ZSTD_createDCtx_advanced(own_memory);
}

size_t __wrap_ZSTD_compressCCtx(ZSTD_CCtx *context, void *out, size_t capacity, const void *in,
                                size_t size, int level)
{
    if (pack_us == 0) {
        uint32_t count = sizeof(pack_us_max) / sizeof(pack_us_max[0]);
        pack_us = pack_us_max[sim_random_below(chance, count)];
    }
    size_t packed = __real_ZSTD_compressCCtx(context, out, capacity, in, size, level);
    sim_codec_figures.packed += !ZSTD_isError(packed);
    sim_codec_figures.kept += ZSTD_isError(packed) != 0;
    sim_sleep(sim_random_below(chance, pack_us * NS_PER_US));
    return packed;
}

size_t __wrap_ZSTD_decompressDCtx(ZSTD_DCtx *context, void *out, size_t capacity, const void *in,
                                  size_t size)
{
    size_t unpacked = __real_ZSTD_decompressDCtx(context, out, capacity, in, size);
    sim_codec_figures.unpacked += !ZSTD_isError(unpacked);
    return unpacked;
}
