// SPDX-License-Identifier: Apache-2.0
// rdma_probe.h — the line from this node to another one, measured for tools that plan migrations.
//
// Bytes are sent to the Redis port of the other node (HAUL SINK), which drops them, over as many connections as libhaul
// takes to a distant peer, for one to three seconds and at most 256 MB: a line fills in some twenty round trips. The
// kernel says how many of them the peer has acknowledged, and what the shortest round trip was. Clients share the line
// meanwhile, and the other node's threads. The rate is that of the busiest fifth of a second, because the first ones
// are slow.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <string>
#include <thread>

#include "rdma_address.h"
#include "status.h"

class Server;

// Thread: any.
class RdmaProbe {
 public:
  explicit RdmaProbe(Server *srv) : srv_(srv) {}
  ~RdmaProbe() { Stop(); }
  RdmaProbe(const RdmaProbe &) = delete;
  RdmaProbe &operator=(const RdmaProbe &) = delete;

  // "measuring", or "<round trip in us> <bytes a second>", of at most a minute ago. `rate_max`: bytes a second to send
  // at most; 0: no limit. The first call begins; one line is measured at a time. A guard of the server, for
  // moments.
  StatusOr<std::string> Ask(const RdmaAddress &node, uint64_t rate_max);
  // Before the server's members are destroyed.
  void Stop();

 private:
  Status begin();

  Server *srv_;
  std::atomic<bool> stopping_ = false;
  std::thread thread_;  // guarded by mutex_
  std::mutex mutex_;    // guards what follows, for moments
  bool runs_ = false;
  RdmaAddress node_;  // of the last measurement; port 0: there was none
  uint64_t rate_max_ = 0;
  std::string answer_;
  std::string failure_;  // instead of an answer
  int64_t ended_ms_ = 0;
};
