/* SPDX-License-Identifier: Apache-2.0 */
/* probe.h — static tracepoints (USDT) of the provider "haul": docs/PROBES.md lists them.
 *
 * A probe is one no-op instruction until a tracer is attached. Without <sys/sdt.h> (Debian:
 * systemtap-sdt-dev), or with HAUL_NO_PROBES, there are no probes. Arguments are always evaluated:
 * pass only numbers that are at hand and cost nothing. */
#ifndef HAUL_PROBE_H
#define HAUL_PROBE_H

#if defined(__has_include) && !defined(HAUL_NO_PROBES)
#if __has_include(<sys/sdt.h>)
#include <sys/sdt.h>
#define HAUL_HAS_PROBES 1
#endif
#endif

#ifdef HAUL_HAS_PROBES
#define PROBE2(name, a, b) DTRACE_PROBE2(haul, name, a, b)
#define PROBE3(name, a, b, c) DTRACE_PROBE3(haul, name, a, b, c)
#else
#define PROBE2(name, a, b) ((void)(a), (void)(b))
#define PROBE3(name, a, b, c) ((void)(a), (void)(b), (void)(c))
#endif

#endif
