// SPDX-License-Identifier: Apache-2.0
// rdma_confirm.h — the commands about slots that have changed hands: HAUL CONFIRM, GIVEN and ABANDON.
#pragma once

#include <string>

#include "cluster/cluster_defs.h"
#include "status.h"

class Server;

// HAUL CONFIRM <slots> <job> <source-id>, from the node that gave the slots, or from its successor: does this node own
// them by that job? "haul taken": yes, and they are in service. "haul unknown": it does not, and by the topology, which
// both nodes know, it never will but from this source. "haul over": it did once, and the topology has given them to the
// sender since. TRYAGAIN: the two do not know the same topology. Exclusive guard.
StatusOr<std::string> RdmaConfirm(Server *srv, const SlotRange &range, const std::string &job,
                                  const std::string &source);

// HAUL GIVEN <slots> <job> <version> <taker-id>, from a node whose record says that it has taken the slots, and which
// knows a topology of another version than that in which it did: has this node, their owner by the topology, given them
// by that job to it, or to the node that it has succeeded? "haul given"; "haul unknown": no, they are served here.
// TRYAGAIN: this node cannot tell yet. Exclusive guard.
StatusOr<std::string> RdmaGiven(Server *srv, const SlotRange &range, const std::string &job, int64_t version,
                                const std::string &taker);

// HAUL ABANDON <slots> FORCE, from an operator: forget everything about these slots that the topology does not show. It
// alone counts for them from now on. On a source whose destination is lost for good, the slots are served here again;
// if the destination is not lost, both serve them. Exclusive guard.
Status RdmaAbandon(Server *srv, const SlotRange &range);
