/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* xstate_registers.c — how the guest kernel gives a process its floating-point registers back, on
 * processors with more of them than that kernel's version knows.
 *
 * build.sh appends this to the kernel's arch/x86/um/os-Linux/registers.c, in the place of the function
 * of the same name. A host kernel wants the whole register area or refuses (EFAULT); a processor with
 * AMX tiles has 11,008 bytes of them, the guest keeps 2,696 a thread. Nothing in the guest uses what is
 * beyond, so it is given back in its initial state.
 *
 * Static memory: this kernel has one processor and does not preempt itself. */
#include <string.h>

enum {
    AREA_BYTES_MAX = 64 << 10,
    KEPT_BYTES = FP_SIZE * sizeof(unsigned long),
    /* The XSAVE header begins with a bit for each component that is not in its initial state. */
    HEADER_OFFSET = 512,
    KEPT_COMPONENTS = (1 << 10) - 1, /* x87 to PKRU: those that lie within KEPT_BYTES */
};

static unsigned char area[AREA_BYTES_MAX];
static size_t area_size;

static int measure_area(int pid)
{
    struct iovec whole = {area, sizeof(area)};
    if (ptrace(PTRACE_GETREGSET, pid, NT_X86_XSTATE, &whole) < 0) {
        return -errno;
    }
    area_size = whole.iov_len;
    memset(area, 0, sizeof(area));
    return 0;
}

int restore_fp_registers(int pid, unsigned long *fp_regs)
{
    if (!have_xstate_support) {
        return restore_i387_registers(pid, fp_regs);
    }
    int result = area_size == 0 ? measure_area(pid) : 0;
    if (result < 0) {
        return result;
    }
    memcpy(area, fp_regs, area_size < KEPT_BYTES ? area_size : KEPT_BYTES);
    if (area_size > KEPT_BYTES) {
        unsigned long components;
        memcpy(&components, area + HEADER_OFFSET, sizeof(components));
        components &= KEPT_COMPONENTS;
        memcpy(area + HEADER_OFFSET, &components, sizeof(components));
    }
    struct iovec given = {area, area_size};
    return ptrace(PTRACE_SETREGSET, pid, NT_X86_XSTATE, &given) < 0 ? -errno : 0;
}
