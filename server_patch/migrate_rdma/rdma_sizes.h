// SPDX-License-Identifier: Apache-2.0
// rdma_sizes.h — how large slots are, for tools that plan migrations.
#pragma once

#include <cstdint>
#include <vector>

#include "cluster/cluster_defs.h"
#include "status.h"

class Server;

// A command that asks for more would keep its worker's other clients waiting.
constexpr size_t kRdmaSizesMax = 1024;

// Bytes of each range on disk, compressed, and in memory before they are flushed: RocksDB's estimate, exact to about a
// block for each of its files. Blocks of indexes may have to be read. A guard of the server.
StatusOr<std::vector<uint64_t>> RdmaSizes(Server *srv, const std::vector<SlotRange> &ranges);
