/* SPDX-License-Identifier: Apache-2.0 */
/* vector_registers.c — the instructions, for each processor. */
#include "vector_registers.h"

#if defined(__x86_64__)

static void wipe_sse(void)
{
    __asm__ volatile("pxor %%xmm0, %%xmm0; pxor %%xmm1, %%xmm1; pxor %%xmm2, %%xmm2;"
                     "pxor %%xmm3, %%xmm3; pxor %%xmm4, %%xmm4; pxor %%xmm5, %%xmm5;"
                     "pxor %%xmm6, %%xmm6; pxor %%xmm7, %%xmm7; pxor %%xmm8, %%xmm8;"
                     "pxor %%xmm9, %%xmm9; pxor %%xmm10, %%xmm10; pxor %%xmm11, %%xmm11;"
                     "pxor %%xmm12, %%xmm12; pxor %%xmm13, %%xmm13; pxor %%xmm14, %%xmm14;"
                     "pxor %%xmm15, %%xmm15"
                     :
                     :
                     : "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8",
                       "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15");
}

/* Whole registers 0 to 15, however wide they are. */
static void wipe_avx(void)
{
    __asm__ volatile("vzeroall"
                     :
                     :
                     : "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8",
                       "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15");
}

/* Registers 16 to 31, which only AVX-512 has. */
__attribute__((target("avx512f"))) static void wipe_avx512(void)
{
    __asm__ volatile("vpxord %%zmm16, %%zmm16, %%zmm16; vpxord %%zmm17, %%zmm17, %%zmm17;"
                     "vpxord %%zmm18, %%zmm18, %%zmm18; vpxord %%zmm19, %%zmm19, %%zmm19;"
                     "vpxord %%zmm20, %%zmm20, %%zmm20; vpxord %%zmm21, %%zmm21, %%zmm21;"
                     "vpxord %%zmm22, %%zmm22, %%zmm22; vpxord %%zmm23, %%zmm23, %%zmm23;"
                     "vpxord %%zmm24, %%zmm24, %%zmm24; vpxord %%zmm25, %%zmm25, %%zmm25;"
                     "vpxord %%zmm26, %%zmm26, %%zmm26; vpxord %%zmm27, %%zmm27, %%zmm27;"
                     "vpxord %%zmm28, %%zmm28, %%zmm28; vpxord %%zmm29, %%zmm29, %%zmm29;"
                     "vpxord %%zmm30, %%zmm30, %%zmm30; vpxord %%zmm31, %%zmm31, %%zmm31"
                     :
                     :
                     : "xmm16", "xmm17", "xmm18", "xmm19", "xmm20", "xmm21", "xmm22", "xmm23",
                       "xmm24", "xmm25", "xmm26", "xmm27", "xmm28", "xmm29", "xmm30", "xmm31");
}

void vector_registers_wipe(void)
{
    if (__builtin_cpu_supports("avx512f")) {
        wipe_avx512();
    }
    if (__builtin_cpu_supports("avx")) {
        wipe_avx();
    } else {
        wipe_sse();
    }
}

#elif defined(__aarch64__)

/* Of 8 to 15 calls preserve a half, so nobody leaves a secret there. */
void vector_registers_wipe(void)
{
    __asm__ volatile("movi v0.2d, #0; movi v1.2d, #0; movi v2.2d, #0; movi v3.2d, #0;"
                     "movi v4.2d, #0; movi v5.2d, #0; movi v6.2d, #0; movi v7.2d, #0;"
                     "movi v16.2d, #0; movi v17.2d, #0; movi v18.2d, #0; movi v19.2d, #0;"
                     "movi v20.2d, #0; movi v21.2d, #0; movi v22.2d, #0; movi v23.2d, #0;"
                     "movi v24.2d, #0; movi v25.2d, #0; movi v26.2d, #0; movi v27.2d, #0;"
                     "movi v28.2d, #0; movi v29.2d, #0; movi v30.2d, #0; movi v31.2d, #0"
                     :
                     :
                     : "v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7", "v16", "v17", "v18", "v19",
                       "v20", "v21", "v22", "v23", "v24", "v25", "v26", "v27", "v28", "v29", "v30",
                       "v31");
}

#else

void vector_registers_wipe(void)
{
}

#endif
