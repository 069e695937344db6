// SPDX-License-Identifier: Apache-2.0
#include "rdma_links.h"

#include <utility>

#include "server/server.h"

void RdmaLinks::Add(const SlotRange &range, uint64_t connection) {
  std::lock_guard<std::mutex> lock(mutex_);
  if (range_ != range) connections_.clear();
  range_ = range;
  connections_.insert(connection);
}

void RdmaLinks::CloseAll(Server *srv) {
  std::set<uint64_t> connections;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    std::swap(connections, connections_);
  }
  for (auto connection : connections) {
    int64_t killed = 0;
    srv->KillClient(&killed, /*addr=*/"", connection, /*type=*/0, /*skipme=*/false, /*conn=*/nullptr);
  }
}
