// SPDX-License-Identifier: Apache-2.0
// rdma_queue.h — slot ranges that wait for the end of the running migration, and its cancellation.
//
// CLUSTERX MIGRATE "0-99 200-299" NODE: the first range begins, the others wait here. Each begins when the one before
// it has succeeded; when one fails or is cancelled, the rest is dropped, and the log names it. Nothing waits across a
// restart.
#pragma once

#include <deque>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "cluster/cluster_defs.h"
#include "status.h"

class Server;

// Thread: any.
class RdmaQueue {
 public:
  explicit RdmaQueue(Server *srv) : srv_(srv) {}
  ~RdmaQueue() { Stop(); }
  RdmaQueue(const RdmaQueue &) = delete;
  RdmaQueue &operator=(const RdmaQueue &) = delete;

  // Begin the first range, let the others follow. Concurrency guard.
  Status Begin(const std::vector<SlotRange> &ranges, const std::string &node);
  // End the running migration of this range, or take the range off the queue. Refused once the hand-over is decided.
  Status Cancel(const SlotRange &range);
  // Before the server's members are destroyed: drop what waits, end the thread.
  void Stop();
  // "5-10 20-29", or "".
  std::string Waiting() const;

 private:
  struct Entry {
    SlotRange range;
    std::string node;
  };

  Status startThread();
  void run();
  void beginNext();
  void drop(const std::string &reason);  // with mutex_ held

  Server *srv_;
  std::thread thread_;        // guarded by begin_mutex_
  std::mutex begin_mutex_;    // one Begin() at a time; taken before mutex_
  mutable std::mutex mutex_;  // guards what follows, for moments; taken behind the server's guards
  std::deque<Entry> entries_;
  bool runs_ = false;  // the thread looks at the queue
};
