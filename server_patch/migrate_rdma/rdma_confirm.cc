// SPDX-License-Identifier: Apache-2.0
#include "rdma_confirm.h"

#include "cluster/cluster.h"
#include "cluster/slot_migrate.h"
#include "rdma_import.h"
#include "rdma_log.h"
#include "rdma_migrate.h"
#include "rdma_slots.h"
#include "server/server.h"

StatusOr<std::string> RdmaConfirm(Server *srv, const SlotRange &range, const std::string &job,
                                  const std::string &source) {
  if (srv->rdma_slots->IsReplica()) return {Status::RedisTryAgain, "this node is a replica"};
  if (srv->rdma_slots->HasTaken(job)) {
    if (!srv->rdma_slots->ConfirmTaken(range, job, source)) {
      return {Status::RedisTryAgain, "by the topology that this node knows, the slots are not the sender's"};
    }
    return "haul taken";
  }
  if (!srv->rdma_slots->IsOwner(range, source)) {
    return {Status::RedisTryAgain, "by the topology that this node knows, the slots are not the sender's"};
  }
  return "haul unknown";
}

Status RdmaAbandon(Server *srv, const SlotRange &range) {
  RDMA_WARN("[migrate] HAUL ABANDON: forget what the topology does not show about slot(s) {}", range.String());
  bool found = srv->rdma_slots->Forget(range);
  found = srv->slot_migrator->rdma->Abandon(range) || found;
  found = srv->rdma_import->Abandon(range) || found;
  if (!found) return {Status::NotOK, fmt::format("nothing is known about slot(s) {}", range.String())};
  return Status::OK();
}
