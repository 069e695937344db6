/* SPDX-License-Identifier: Apache-2.0 */
/* vector_registers.h — wipes what copies of secrets leave in the processor.
 *
 * The C library copies, compares and searches with vector registers, and does not clear them. A new
 * thread inherits them, and the dynamic linker saves them on a thread's stack when a function is
 * called for the first time: a key would lie there until something else does. */
#ifndef HAUL_VECTOR_REGISTERS_H
#define HAUL_VECTOR_REGISTERS_H

/* Call it after the last use of a secret, before threads are created. Clears the vector registers
 * that calls do not preserve, on x86-64 and AArch64. Elsewhere it does nothing. Thread: any. */
void vector_registers_wipe(void);

#endif
