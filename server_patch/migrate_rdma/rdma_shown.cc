// SPDX-License-Identifier: Apache-2.0
// rdma_shown.cc — what RdmaMigrator's node shows of its hand-overs: the state in CLUSTER INFO, and the range to which
// SlotMigrator forbids writes.
#include "cluster/cluster.h"
#include "cluster/slot_migrate.h"
#include "rdma_migrate.h"
#include "server/server.h"

// CLUSTER INFO of a restarted node, or of a promoted replica: the controller has not published it yet, and a state that
// does not name these slots makes it believe that they never moved.
void RdmaMigrator::showLast() {
  endShowingUnconfirmed();
  bool busy = migrator_->GetMigratingSlotRange().IsValid() || migrator_->GetForbiddenSlotRange().IsValid();
  if (busy || slots_->IsReplica()) return;
  auto left = slots_->TakeLeftMoving();
  if (left && slots_->FindGiven(left->range).empty()) return showFailed(*left);
  auto given = slots_->LastGiven();
  if (given) given->confirmed && !given->unsure ? show(*given) : showUnconfirmed(*given);
}

void RdmaMigrator::showFailed(const RdmaMoved &entry) {
  migrator_->dst_node_ = entry.to;
  migrator_->migrate_failed_slot_range_ = entry.range;
  migrator_->migration_state_ = MigrationState::kFailed;
}

// As a job that runs: announce() ends it.
void RdmaMigrator::showUnconfirmed(const RdmaMoved &entry) {
  announcing_ = true;
  migrator_->dst_node_ = entry.to;
  migrator_->slot_range_ = entry.range;
  migrator_->migration_state_ = MigrationState::kStarted;
}

void RdmaMigrator::endShowingUnconfirmed() {
  if (!announcing_.exchange(false)) return;
  migrator_->slot_range_ = SlotRange{-1, -1};
  migrator_->migration_state_ = MigrationState::kNone;
}

// Unless a job runs here: that ends by itself.
void RdmaMigrator::showNothing() {
  endShowingUnconfirmed();
  if (migrator_->GetMigratingSlotRange().IsValid()) return;
  migrator_->forbidden_slot_range_ = SlotRange{-1, -1};
  migrator_->migrate_failed_slot_range_ = SlotRange{-1, -1};
  migrator_->migration_state_ = MigrationState::kNone;
}

// A controller publishes what CLUSTER INFO calls a success.
void RdmaMigrator::show(const RdmaMoved &entry) {
  migrator_->dst_node_ = entry.to;
  migrator_->forbidden_slot_range_ = entry.range;
  shown_range_ = entry.range;
  migrator_->migration_state_ = MigrationState::kSuccess;
}

// A controller asks the node that it is about to make the master, perhaps before that knows. To find no migration there
// would mean that the slots have stayed. Upstream shows nothing of a replica; these are SlotMigrator's lines.
std::string RdmaMigrator::InfoOfReplica() const {
  auto moving = slots_->MovingOfMaster();
  if (!moving) return "";
  return fmt::format("migrating_slot(s): {}\r\ndestination_node: {}\r\nmigrating_state: start\r\n",
                     moving->range.String(), moving->to);
}

// The slots of the last hand-over by haul stay write-forbidden, until they come back.
void RdmaMigrator::releaseForbidden() {
  auto *cluster = srv_->cluster.get();
  auto range = migrator_->GetForbiddenSlotRange();
  bool ours = range.IsValid() && range == shown_range_.load();
  if (!ours || IsHandingOver() || migrator_->IsMigrationInProgress()) return;
  for (int slot = range.start; slot <= range.end; slot++) {
    const auto &owner = cluster->slots_nodes_[slot];
    bool is_here = owner && owner->id == cluster->myid_ && cluster->migrated_slots_.count(slot) == 0;
    if (!is_here) continue;
    migrator_->ReleaseForbiddenSlotRange();
    return;
  }
}

// The server has one forbidden range. That of a running migration stays: then the import ends without it.
void RdmaMigrator::ForbidWrites(const SlotRange &range) {
  if (migrator_->GetMigratingSlotRange().IsValid()) return;
  import_range_ = range;
  forbidden_before_ = migrator_->GetForbiddenSlotRange();
  migrator_->forbidden_slot_range_ = range;
}

void RdmaMigrator::AllowWrites() {
  auto range = import_range_.exchange(SlotRange{-1, -1});
  if (!range.IsValid() || range != migrator_->GetForbiddenSlotRange()) return;
  migrator_->forbidden_slot_range_ = forbidden_before_.load();
}
