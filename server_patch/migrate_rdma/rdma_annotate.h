// SPDX-License-Identifier: Apache-2.0
// rdma_annotate.h — readers of the write-ahead log (POLLUPDATES, kvrocks2redis) know the type of a subkey only from the
// LogData in front of it. What arrives with the source's log has it; what is copied gets it here, as upstream's
// raw-key-value does it.
#pragma once

#include <cstddef>
#include <cstdint>

#include "haul/migration.h"

namespace engine {
class Storage;
}

// The hook `annotate` of libhaul, without its context. The record's key must be in "metadata" already: that family is
// copied first. Thread: any.
size_t RdmaAnnotate(engine::Storage *storage, const char *family, haul_slice key, uint8_t *blob);
