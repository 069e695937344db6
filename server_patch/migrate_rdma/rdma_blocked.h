// SPDX-License-Identifier: Apache-2.0
// rdma_blocked.h — clients that wait in BLPOP, BLMOVE, BZPOPMIN, XREAD BLOCK and the like while their slot moves.
//
// Kvrocks executes a waiting command long after the check that every other command passes: when a write to its key
// wakes the client. By then the slot may be frozen or gone. So the check is repeated under the concurrency guard:
//
//   the slot is frozen     RdmaMustWait(): the client waits on. Unfreezing wakes it, and it tries again
//   the slot is gone       RdmaTellsMoved(): the client gets MOVED
//   neither                the command is executed
//
// RdmaWakeBlocked() wakes those who wait for a slot, at both events.
#pragma once

#include <string>
#include <vector>

#include "cluster/cluster_defs.h"

class Server;

namespace redis {
class Connection;
struct CommandAttributes;
}  // namespace redis

// Call both under the concurrency guard, which must be held until the command has been executed. Before, put the client
// back on the lists of waiting clients: the write that woke it has taken it off.
//
// True: the client waits on. Leave its write event enabled: the event of RdmaWakeBlocked() may have come already.
bool RdmaMustWait(redis::Connection *conn, const redis::CommandAttributes *attributes,
                  const std::vector<std::string> &args);
// True: the client has got its answer, MOVED or CLUSTERDOWN.
bool RdmaTellsMoved(redis::Connection *conn, const redis::CommandAttributes *attributes,
                    const std::vector<std::string> &args);

// Wake clients that wait for keys of these slots: all of them if the slots are `gone`, else those that RdmaMustWait()
// keeps waiting. Thread: any; the caller holds no guard of the server, or the concurrency guard.
void RdmaWakeBlocked(Server *srv, const SlotRange &slots, bool gone);

// The part that reads Server's lists; a friend of Server.
class RdmaBlockedLists {
 public:
  static void KeepStreamReader(Server *srv, const std::string &key, redis::Connection *conn);
  static void WakeKeys(Server *srv, const SlotRange &slots);
  static void WakeStreamReaders(Server *srv, const SlotRange &slots, bool gone);
};
