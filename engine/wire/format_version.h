/* SPDX-License-Identifier: Apache-2.0 */
/* format_version.h — the formats that both sides of a job must agree on. Hello and Welcome carry
 * them; docs/PROTOCOL.md describes each version. */
#ifndef HAUL_FORMAT_VERSION_H
#define HAUL_FORMAT_VERSION_H

enum {
    MESSAGE_WIRE_VERSION = 1,   /* of batches */
    JOURNAL_FORMAT_VERSION = 2, /* of the journals that this release writes */
};

#endif
