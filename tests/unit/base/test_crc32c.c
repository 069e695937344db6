/* SPDX-License-Identifier: Apache-2.0 */
/* test_crc32c.c — published values (RFC 3720, B.4), and pieces against the whole. */
#include "crc32c.h"

#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "check.h"

enum { LARGE_BYTES = 70000 };

static uint8_t source[LARGE_BYTES];
static uint8_t target[LARGE_BYTES + 1];

static void fill_source(void)
{
    for (size_t i = 0; i < sizeof(source); i++) {
        source[i] = (uint8_t)(i * 13 + i / 251);
    }
}

static void test_crc32c__published_inputs__published_values(void)
{
    uint8_t bytes[32];
    check_equal(crc32c("123456789", 9), 0xe3069283);
    memset(bytes, 0, sizeof(bytes));
    check_equal(crc32c(bytes, sizeof(bytes)), 0x8a9136aa);
    memset(bytes, 0xff, sizeof(bytes));
    check_equal(crc32c(bytes, sizeof(bytes)), 0x62a8ab43);
    for (uint8_t i = 0; i < sizeof(bytes); i++) {
        bytes[i] = i;
    }
    check_equal(crc32c(bytes, sizeof(bytes)), 0x46dd794e);
}

static void test_crc32c__nothing__zero(void)
{
    check_equal(crc32c(source, 0), 0);
    check_equal(crc32c_copy(target, source, 0), 0);
}

static void test_crc32c_extend__cut_anywhere__as_the_whole(void)
{
    fill_source();
    uint32_t whole = crc32c(source, 1000);
    for (size_t cut = 0; cut <= 1000; cut++) {
        check_equal(crc32c_extend(crc32c(source, cut), source + cut, 1000 - cut), whole);
    }
}

static void test_crc32c_join__cut_anywhere__as_the_whole(void)
{
    fill_source();
    for (size_t size = 1; size <= LARGE_BYTES; size = size * 3 + 1) {
        for (size_t cut = 0; cut <= size; cut += 1 + size / 100) {
            uint32_t joined =
                crc32c_join(crc32c(source, cut), crc32c(source + cut, size - cut), size - cut);
            check_equal(joined, crc32c(source, size));
        }
    }
}

static void test_crc32c__any_bit_flipped__another_value(void)
{
    fill_source();
    uint32_t whole = crc32c(source, 64);
    for (size_t bit = 0; bit < 64 * 8; bit++) {
        source[bit / 8] ^= (uint8_t)(1u << bit % 8);
        check(crc32c(source, 64) != whole);
        source[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
}

static void test_crc32c_copy__sizes_around_a_piece__copied_and_summed(void)
{
    static const size_t sizes[] = {1, 16383, 16384, 16385, 32768, 32769, LARGE_BYTES};
    fill_source();
    for (size_t i = 0; i < CHECK_COUNT(sizes); i++) {
        memset(target, 0xee, sizeof(target));
        check_equal(crc32c_copy(target, source, sizes[i]), crc32c(source, sizes[i]));
        check(memcmp(target, source, sizes[i]) == 0);
        check_equal(target[sizes[i]], 0xee);
    }
}

/* --- bytes that change meanwhile -------------------------------------------------------------- */

static uint8_t *guarded; /* the copy; its second half is not writable yet */
static size_t guarded_bytes;

/* The first half is copied: now another writer changes the original. */
static void change_source(int number)
{
    (void)number;
    source[guarded_bytes / 4] ^= 0xff;
    (void)mprotect(guarded, guarded_bytes, PROT_READ | PROT_WRITE);
}

/* The CRC is that of the copied bytes, whatever the original contains by then. */
static void test_crc32c_copy__original_changes_meanwhile__sum_of_the_copy(void)
{
    struct sigaction action = {.sa_handler = change_source};
    struct sigaction before;
    fill_source();
    guarded_bytes = 2 * (size_t)sysconf(_SC_PAGESIZE);
    check_or_stop(guarded_bytes <= 16384); /* one piece of the copy */
    guarded = mmap(NULL, guarded_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    check_or_stop(guarded != MAP_FAILED);
    check_or_stop(mprotect(guarded + guarded_bytes / 2, guarded_bytes / 2, PROT_READ) == 0);
    check_or_stop(sigaction(SIGSEGV, &action, &before) == 0);
    uint32_t crc = crc32c_copy(guarded, source, guarded_bytes);
    check_or_stop(sigaction(SIGSEGV, &before, NULL) == 0);
    check_equal(crc, crc32c(guarded, guarded_bytes));
    check_equal(munmap(guarded, guarded_bytes), 0);
}

#ifdef __x86_64__
/* The upper halves of the first eight vector registers, all bits combined. */
__attribute__((target("avx"))) static uint64_t upper_halves(void)
{
    uint64_t bits[2];
    __asm__ volatile("vorps %%ymm0, %%ymm1, %%ymm0\n\t"
                     "vorps %%ymm2, %%ymm0, %%ymm0\n\t"
                     "vorps %%ymm3, %%ymm0, %%ymm0\n\t"
                     "vorps %%ymm4, %%ymm0, %%ymm0\n\t"
                     "vorps %%ymm5, %%ymm0, %%ymm0\n\t"
                     "vorps %%ymm6, %%ymm0, %%ymm0\n\t"
                     "vorps %%ymm7, %%ymm0, %%ymm0\n\t"
                     "vextractf128 $1, %%ymm0, %0\n\t"
                     "vzeroupper"
                     : "=m"(bits)
                     :
                     : "xmm0", "xmm1");
    return bits[0] | bits[1];
}

static void test_crc32c_extend__large__leaves_no_wide_registers_in_use(void)
{
    fill_source();
    if (!__builtin_cpu_supports("avx")) {
        return; /* the processor has no upper halves */
    }
    uint32_t crc = crc32c_extend(0, source, sizeof(source));
    check_equal(upper_halves(), 0);
    check(crc != 0);
}
#endif

static const struct check_test tests[] = {
    CHECK_TEST(test_crc32c__published_inputs__published_values),
    CHECK_TEST(test_crc32c__nothing__zero),
    CHECK_TEST(test_crc32c_extend__cut_anywhere__as_the_whole),
    CHECK_TEST(test_crc32c_join__cut_anywhere__as_the_whole),
    CHECK_TEST(test_crc32c__any_bit_flipped__another_value),
#ifdef __x86_64__
    CHECK_TEST(test_crc32c_extend__large__leaves_no_wide_registers_in_use),
#endif
    CHECK_TEST(test_crc32c_copy__sizes_around_a_piece__copied_and_summed),
    CHECK_TEST(test_crc32c_copy__original_changes_meanwhile__sum_of_the_copy),
};

CHECK_MAIN("crc32c", tests)
