// SPDX-License-Identifier: Apache-2.0
// rdma_options.h — the configuration of `migrate-transport haul`.
#pragma once

#include <string>

// Who moves the slots: Kvrocks' own migration, or libhaul.
enum class MigrateTransport { kRedis = 0, kHaul };
enum class RdmaTransport { kAuto = 0, kRdma, kTcp };
enum class RdmaLane { kAuto = 0, kIngest, kWriteBatch };
enum class RdmaWire { kSecure = 0, kAuth, kNone };

struct RdmaOptions {
  MigrateTransport by = MigrateTransport::kRedis;
  std::string listen;  // ADDR:PORT; empty: the address by which the source reaches this node, Redis port + 15000
  RdmaTransport transport = RdmaTransport::kAuto;
  RdmaLane lane = RdmaLane::kAuto;
  RdmaWire wire = RdmaWire::kSecure;  // of two nodes the stronger one counts
  int readers = 1;
  int rate_limit_mb = 0;  // 0: none
  int freeze_max_ms = 500;
};
