// SPDX-License-Identifier: Apache-2.0
// rdma_filter.h — when Kvrocks' compaction filters keep everything.
//
// While slots move in or out, both sides keep a digest of every record that was sent. A compaction filter that drops
// expired keys, or subkeys whose metadata is gone, would remove records that the digest includes. So the filters drop
// nothing while somebody holds an RdmaMovingGuard: a job that runs, or one that broke off and may be continued. A node
// of a cluster also keeps everything from its start until RdmaRecover() has seen what an earlier process has left,
// because compactions begin as soon as the database is open.
#pragma once

#include <atomic>

inline std::atomic<int> rdma_moving_count = 0;
inline std::atomic<bool> rdma_recovered = false;

// For the filters.
inline bool RdmaKeepsAll(bool cluster_enabled) {
  return cluster_enabled &&
         (rdma_moving_count.load(std::memory_order_relaxed) > 0 || !rdma_recovered.load(std::memory_order_relaxed));
}

class RdmaMovingGuard {
 public:
  RdmaMovingGuard() { rdma_moving_count++; }
  ~RdmaMovingGuard() { rdma_moving_count--; }
  RdmaMovingGuard(const RdmaMovingGuard &) = delete;
  RdmaMovingGuard &operator=(const RdmaMovingGuard &) = delete;
};
