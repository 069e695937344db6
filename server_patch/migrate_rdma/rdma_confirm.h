// SPDX-License-Identifier: Apache-2.0
// rdma_confirm.h — the commands about slots that have changed hands: HAUL CONFIRM and HAUL ABANDON.
#pragma once

#include <string>

#include "cluster/cluster_defs.h"
#include "status.h"

class Server;

// HAUL CONFIRM <slots> <job> <source-id>, from the node that gave the slots, or from its successor: does this node own
// them by that job? "haul taken": yes, and they are in service. "haul unknown": it does not, and by the topology, which
// both nodes know, it never will but from this source. TRYAGAIN: the two do not know the same topology. Exclusive
// guard.
StatusOr<std::string> RdmaConfirm(Server *srv, const SlotRange &range, const std::string &job,
                                  const std::string &source);

// HAUL ABANDON <slots> FORCE, from an operator: forget everything about these slots that the topology does not show. It
// alone counts for them from now on. On a source whose destination is lost for good, the slots are served here again;
// if the destination is not lost, both serve them. Exclusive guard.
Status RdmaAbandon(Server *srv, const SlotRange &range);
