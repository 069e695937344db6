// SPDX-License-Identifier: Apache-2.0
// rdma_rate.h — migrate-rdma-rate-limit-mb, which a running migration follows.
#pragma once

#include <atomic>
#include <cstdint>

#include "haul/migration.h"

// The setting as CONFIG SET has left it: a job's thread must not read Config, which a command may be writing.
inline std::atomic<int> rdma_rate_limit_mb = 0;

class RdmaRateLimit {
 public:
  uint64_t BytesPerSecond() const { return static_cast<uint64_t>(mb_) << 20; }
  // Pass a changed setting on. Call it now and then.
  void Follow(haul_migration *migration) {
    int mb = rdma_rate_limit_mb;
    if (mb == mb_) return;
    mb_ = mb;
    haul_migration_rate(migration, BytesPerSecond());
  }

 private:
  int mb_ = rdma_rate_limit_mb;
};
