// SPDX-License-Identifier: Apache-2.0
// rdma_commands.cc — what commands do to RdmaMigrator: a new topology, CLUSTER RESET, CLUSTERX MIGRATE, HAUL CANCEL and
// HAUL ABANDON.
#include <utility>

#include "cluster/cluster.h"
#include "cluster/slot_migrate.h"
#include "rdma_log.h"
#include "rdma_migrate.h"
#include "server/server.h"

void RdmaMigrator::OnTopology() {
  std::lock_guard<std::mutex> lock(mutex_);
  std::string reason = watches_ && !released_ ? whyNotAnyMore() : "";
  if (!reason.empty()) {
    RDMA_WARN("[migrate] Cancel migrating slot(s) {}: by the topology {}", running_range_.String(), reason);
    lost_ = true;
    lost_reason_ = "by the topology " + reason;
    if (migration_) haul_migration_cancel(migration_);
  }
  // What this node showed as a master is over, also when it becomes one again.
  bool was_replica = std::exchange(was_replica_, slots_->IsReplica());
  if (was_replica || was_replica_) showNothing();
  releaseForbidden();
  showLast();
  beginTelling();
}

// With mutex_ and a guard: what the running job has lost by the topology.
std::string RdmaMigrator::whyNotAnyMore() const {
  auto *cluster = srv_->cluster.get();
  if (!slots_->IsOwner(running_range_, cluster->myid_)) return "they are not all this node's";
  auto target = cluster->nodes_.find(running_node_);
  if (target == cluster->nodes_.end() || target->second->role != kClusterMaster)
    return "their destination is no master";
  return "";
}

void RdmaMigrator::OnReset() {
  Forget();
  showNothing();
}

void RdmaMigrator::Forget() {
  std::lock_guard<std::mutex> one(give_up_mutex_);
  takeKept();
  std::lock_guard<std::mutex> lock(mutex_);
  open_token_.clear();
}

// A repetition is refused as well, as by upstream: it changes nothing, and CLUSTER INFO goes on reporting the hand-over
// (`start` until the destination has confirmed it by the job's name, then `success`).
Status RdmaMigrator::refuseGiven(const RdmaMoved &given) {
  auto text = fmt::format("slot(s) {} to {}, which the topology does not show", given.range.String(), given.address);
  return {Status::NotOK, "Can't migrate slot which has been migrated: " + text};
}

std::optional<Status> RdmaMigrator::Migrate(const SlotRange &range, const std::string &node,
                                            SyncMigrateContext *context) {
  auto *cluster = srv_->cluster.get();
  const auto &migrated = cluster->migrated_slots_;
  beginTelling();
  if (auto given = slots_->FindGiven(range); !given.empty()) return refuseGiven(given.front());
  auto found = migrated.lower_bound(range.start);
  bool moved = found != migrated.end() && found->first <= range.end;
  // Upstream refuses everything between the first and the last migrated slot.
  if (moved || migrated.empty()) return std::nullopt;
  const auto &target = cluster->nodes_[node];
  if (cluster->IsNotMaster() || !slots_->IsOwner(range, cluster->myid_) || target->role != kClusterMaster ||
      target == cluster->myself_) {
    return std::nullopt;
  }
  return migrator_->PerformSlotRangeMigration(node, target->host, target->port, range, context);
}

Status RdmaMigrator::Cancel(const SlotRange &range) {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    if (kept_ && kept_->range == range) {
      endKept("HAUL CANCEL");
      return Status::OK();
    }
  }
  auto running = migrator_->GetMigratingSlotRange();
  if (running != range) {
    auto others = running.IsValid() ? fmt::format("; slot(s) {} are", running.String()) : "";
    return {Status::NotOK, fmt::format("slot(s) {} are not being migrated{}", range.String(), others)};
  }
  if (released_ || telling_ || announcing_) return {Status::NotOK, "too late: the slots are handed over"};
  migrator_->SetStopMigrationFlag(true);
  return Status::OK();
}

bool RdmaMigrator::Abandon(const SlotRange &range) {
  endShowingUnconfirmed();
  bool found = migrator_->GetMigratingSlotRange().HasOverlap(range);
  std::lock_guard<std::mutex> lock(mutex_);
  if (found && works_ && !released_) lost_ = true;
  if (kept_ && kept_->range.HasOverlap(range)) {
    endKept("HAUL ABANDON");
    found = true;
  }
  beginTelling();
  showLast();
  return found;
}
