// SPDX-License-Identifier: Apache-2.0
// rdma_rate.h — migrate-rdma-rate-limit-mb, which a running migration follows.
//
// CONFIG SET writes Config under the exclusive guard. A thread of ours, which holds no guard, reads none of it: a job
// has a copy of its settings (RdmaOptions) that was made under a guard when it began. This setting alone is followed.
#pragma once

#include <atomic>
#include <cstdint>

#include "haul/migration.h"

// The setting as CONFIG SET has left it: a job's thread must not read Config, which a command may be writing.
inline std::atomic<int> rdma_rate_limit_mb = 0;

class RdmaRateLimit {
 public:
  // The setting as of now, for the beginning of an attempt.
  void Reset() { mb_ = rdma_rate_limit_mb; }
  uint64_t BytesPerSecond() const { return static_cast<uint64_t>(mb_) << 20; }
  // Pass a changed setting on. Call it now and then.
  void Follow(haul_migration *migration) {
    int mb = rdma_rate_limit_mb;
    if (mb == mb_) return;
    mb_ = mb;
    haul_migration_rate(migration, BytesPerSecond());
  }

 private:
  int mb_ = 0;
};
