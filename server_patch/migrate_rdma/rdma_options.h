// SPDX-License-Identifier: Apache-2.0
// rdma_options.h — the configuration of `migrate-transport haul`, and a count that the compaction filters check.
#pragma once

#include <atomic>
#include <string>

// Who moves the slots: Kvrocks' own migration, or libhaul.
enum class MigrateTransport { kRedis = 0, kHaul };
enum class RdmaTransport { kAuto = 0, kRdma, kTcp };
enum class RdmaLane { kAuto = 0, kIngest, kWriteBatch };

struct RdmaOptions {
  MigrateTransport by = MigrateTransport::kRedis;
  std::string listen;  // ADDR:PORT; empty: the address by which the source reaches this node, Redis port + 20000
  RdmaTransport transport = RdmaTransport::kAuto;
  RdmaLane lane = RdmaLane::kAuto;
  int readers = 1;
  int rate_limit_mb = 0;  // 0: none
  int freeze_max_ms = 500;
};

// While slots move in or out, both sides keep a digest of every record that was sent. A compaction filter that drops
// expired keys, or subkeys whose metadata is gone, would remove records that the digest includes. So the filters keep
// everything until the last migration has ended.
inline std::atomic<int> rdma_moving_count = 0;
inline bool RdmaKeepsAll() { return rdma_moving_count.load(std::memory_order_relaxed) > 0; }

class RdmaMovingGuard {
 public:
  RdmaMovingGuard() { rdma_moving_count++; }
  ~RdmaMovingGuard() { rdma_moving_count--; }
  RdmaMovingGuard(const RdmaMovingGuard &) = delete;
  RdmaMovingGuard &operator=(const RdmaMovingGuard &) = delete;
};
