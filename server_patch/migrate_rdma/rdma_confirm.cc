// SPDX-License-Identifier: Apache-2.0
#include "rdma_confirm.h"

#include <algorithm>

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
  if (srv->rdma_slots->WasTaken(job)) return srv->rdma_slots->IsOwner(range, source) ? "haul over" : "haul taken";
  if (!srv->rdma_slots->IsOwner(range, source)) {
    return {Status::RedisTryAgain, "by the topology that this node knows, the slots are not the sender's"};
  }
  return "haul unknown";
}

StatusOr<std::string> RdmaGiven(Server *srv, const SlotRange &range, const std::string &job, int64_t version,
                                const std::string &taker) {
  auto *cluster = srv->cluster.get();
  if (srv->rdma_slots->IsReplica()) return {Status::RedisTryAgain, "this node is a replica"};
  if (cluster->GetVersion() < version) return {Status::RedisTryAgain, "this node knows an older topology"};
  if (srv->slot_migrator->GetMigratingSlotRange().HasOverlap(range) && !srv->slot_migrator->rdma->IsHandingOver()) {
    return {Status::RedisTryAgain, "these slots are being migrated"};
  }
  int given = 0;
  for (const auto &entry : srv->rdma_slots->FindGiven(range)) {
    if (entry.job != job || !srv->rdma_slots->HasSucceeded(entry.to, taker)) continue;
    given += std::min(entry.range.end, range.end) - std::max(entry.range.start, range.start) + 1;
  }
  if (given == range.end - range.start + 1) return "haul given";
  if (given == 0 && srv->rdma_slots->IsOwner(range, cluster->GetMyId())) return "haul unknown";
  return {Status::RedisTryAgain, "by the topology that this node knows, it does not own these slots"};
}

Status RdmaAbandon(Server *srv, const SlotRange &range) {
  bool found = srv->rdma_slots->Forget(range);
  found = srv->slot_migrator->rdma->Abandon(range) || found;
  found = srv->rdma_import->Abandon(range) || found;
  if (!found) return {Status::NotOK, fmt::format("nothing is known about slot(s) {}", range.String())};
  RDMA_WARN("[migrate] HAUL ABANDON: forgot what the topology does not show about slot(s) {}", range.String());
  return Status::OK();
}
