// SPDX-License-Identifier: Apache-2.0
// rdma_filter.h — when Kvrocks' compaction filters keep everything.
//
// While slots move in or out, both sides keep a digest of every record that was sent. A compaction filter that drops
// expired keys, or subkeys whose metadata is gone, would remove records that the digest includes. So the filters drop
// nothing
//
//   from the start of the process until RdmaRefreshFilters() has read libhaul's journals: compactions begin as soon as
//     the database is open, before anybody knows whether a job continues. Only a node of a cluster has journals
//   while a job runs (RdmaMovingGuard)
//   while a journal of a job exists that can continue, also when no process runs it
#pragma once

#include <atomic>

class Server;

inline std::atomic<int> rdma_moving_count = 0;
inline std::atomic<bool> rdma_may_continue = true;  // RdmaRefreshFilters() knows better

// For the filters.
inline bool RdmaKeepsAll(bool cluster_enabled) {
  return cluster_enabled && (rdma_moving_count.load(std::memory_order_relaxed) > 0 ||
                             rdma_may_continue.load(std::memory_order_relaxed));
}

class RdmaMovingGuard {
 public:
  RdmaMovingGuard() { rdma_moving_count++; }
  ~RdmaMovingGuard() { rdma_moving_count--; }
  RdmaMovingGuard(const RdmaMovingGuard &) = delete;
  RdmaMovingGuard &operator=(const RdmaMovingGuard &) = delete;
};

// Read the journals: may a job continue? Call it when a job has ended, before its RdmaMovingGuard goes, and when one
// was given up. Reads the disk; no guard of the server. Thread: any.
void RdmaRefreshFilters(Server *srv);
