// SPDX-License-Identifier: Apache-2.0
// rdma_address.h — ADDR:PORT, also with an IPv6 address, and the addresses at which this node can be reached.
#pragma once

#include <string>

#include "status.h"

struct RdmaAddress {
  std::string host;  // without brackets; empty: every address of the node
  int port = 0;      // 0: the system chooses

  // "ADDR:PORT", "[ADDR]:PORT", or "*:PORT" and ":PORT" for every address. An IPv6 address needs its brackets.
  static StatusOr<RdmaAddress> Parse(const std::string &text);
  std::string String() const;
  bool IsWildcard() const;
};

// The address of this node that the peer of a connection has connected to; empty: not a connection of IP.
std::string RdmaArrivalHost(int fd);

// Where an import listens without `migrate-rdma-listen`: at the address by which its source came in. So it listens
// nowhere that `bind` does not allow.
constexpr int kRdmaPortIncrement = 15000;  // not 20000: 26379 is Sentinel's
RdmaAddress RdmaDefaultListen(const std::string &arrival_host, int redis_port);
