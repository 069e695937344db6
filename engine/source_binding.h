/* SPDX-License-Identifier: Apache-2.0 */
/* source_binding.h — the beginning of a source session: from Welcome over the records (BIND) to
 * what the target is told, which is the plan, the end of earlier jobs, or a Stop. The states and
 * invariants are in source_session.h. */
#ifndef HAUL_SOURCE_BINDING_H
#define HAUL_SOURCE_BINDING_H

#include "source_machine.h"

void source_binding_on_welcome(struct source_session *session, const haul_control_Welcome *welcome,
                               uint64_t now_ns);
/* The records are looked at, and name the target. */
void source_binding_on_bound(struct source_session *session, const struct source_event *event,
                             uint64_t now_ns);

#endif
