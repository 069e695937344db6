// SPDX-License-Identifier: Apache-2.0
// rdma_links.h — the connections that sent CLUSTER IMPORT to begin one of Kvrocks' own imports.
//
// Such a connection may go on writing (APPLYBATCH looks at no slot) when its import has ended long ago, for example if
// its source hung. An import by haul closes those of the last import when it begins.
#pragma once

#include <cstdint>
#include <mutex>
#include <set>

#include "cluster/cluster_defs.h"

class Server;

// Thread: any.
class RdmaLinks {
 public:
  void Add(const SlotRange &range, uint64_t connection);
  // A guard of the server: CONFIG SET workers changes what this goes through.
  void CloseAll(Server *srv);

 private:
  std::mutex mutex_;
  SlotRange range_{-1, -1};
  std::set<uint64_t> connections_;
};
