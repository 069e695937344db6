/* SPDX-License-Identifier: Apache-2.0 */
/* wire_mode.h — how data travels: what one side wants, and what two sides agree on.
 *
 * Both insist on the stronger of their two modes, so no peer lowers the other's. Without a key
 * there is only NONE: nothing could be authenticated. */
#ifndef HAUL_WIRE_MODE_H
#define HAUL_WIRE_MODE_H

#include <stdbool.h>
#include <stdint.h>

#include "haul/migration.h"

/* Resolve AUTO. Errors: INVALID (no such mode, or one that needs a key). */
enum haul_status wire_mode_resolve(bool has_key, enum haul_wire *wire,
                                   struct haul_error *error) HAUL_MUST_CHECK;
/* The stronger of ours and the peer's number, which an earlier release leaves at 0. A number that
 * this build does not know is stronger than all others. */
uint32_t wire_mode_agree(enum haul_wire ours, uint32_t theirs);
/* May this side, which wants `ours`, use what the peer has agreed on? */
bool wire_mode_fits(enum haul_wire ours, bool has_key, uint32_t agreed);

/* Whom a side trusts with these options. */
enum haul_trust wire_mode_trust(const struct haul_keys *keys, bool insecure);
/* Warn if that is anybody. */
void wire_mode_warn(const struct haul_keys *keys, bool insecure, const struct haul_log *log);

#endif
