// SPDX-License-Identifier: Apache-2.0
// rdma_question.h — the source's question to a destination, on an authenticated Redis connection:
//
//   HAUL IMPORT <slots> <version> <source-id> KEYED         +haul preparing <secret>
//   HAUL IMPORT <slots> <version> <source-id> KEYED <job>   +haul preparing <job>
//   HAUL ENDPOINT <job>                                     +haul preparing, or +haul <port> [host]
//
// The destination checks and marks at once, and prepares on a thread of its own. TRYAGAIN means that it is busy, or
// that the nodes' topologies differ, as while a controller sends the next one: asked again for ten seconds.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "cluster/cluster_defs.h"
#include "status.h"

struct RdmaQuestion {
  SlotRange range;
  std::function<int64_t()> version;  // of the topology as of now; called for each attempt
  std::string source;                // id of this node
  std::string token;                 // hexadecimal, of the job to continue; empty: a new job
  std::string host;                  // of the destination, for data unless it names another
  std::function<bool()> gives_up;    // asked after each version(), and between two messages
};

struct RdmaAnswer {
  bool known = true;     // false: the destination does not know the command
  std::string endpoint;  // ADDR:PORT
  std::string token;     // hexadecimal
  int64_t version = -1;  // the topology's, as sent to the destination
};

// Blocks the caller: up to ten seconds for each message, half a minute for the destination's preparation. Call it with
// no lock held.
StatusOr<RdmaAnswer> RdmaAsk(int fd, const RdmaQuestion &question);
