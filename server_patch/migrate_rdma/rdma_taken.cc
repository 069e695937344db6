// SPDX-License-Identifier: Apache-2.0
// rdma_taken.cc — RdmaSlots, the taker's half: slots that this node took over, in service or not.
#include <algorithm>

#include "cluster/cluster.h"
#include "rdma_guard.h"
#include "rdma_log.h"
#include "rdma_slots.h"
#include "server/server.h"

Status RdmaSlots::AddTaken(RdmaMoved entry) {
  {
    auto concurrency = RdmaGuard::Shared(srv_, [this] { return isEnding(); });
    if (!concurrency) return {Status::NotOK, "this node has become a replica, or stops"};
    entry.version = std::max(entry.version, srv_->cluster->GetVersion());
    std::lock_guard<std::mutex> lock(mutex_);
    if (!taken_.HasJob(entry.job)) {
      taken_.Remove(entry.range);
      settled_.Remove(entry.range);
      taken_.entries.push_back(entry);
    }
  }
  return Store();
}

bool RdmaSlots::ServeTaken(const std::string &job) {
  auto *cluster = srv_->cluster.get();
  std::lock_guard<std::mutex> lock(mutex_);
  bool served = true;
  for (auto &entry : taken_.entries) {
    if (entry.job != job) continue;
    bool suspended = false, counts = cluster->GetVersion() >= entry.version;
    for (int slot = entry.range.start; slot <= entry.range.end; slot++) {
      const auto &owner = cluster->slots_nodes_[slot];
      suspended = suspended || (counts && owner && owner->id != entry.from && owner->id != cluster->myid_);
    }
    entry.version = std::max(entry.version, cluster->GetVersion());
    entry.suspended = suspended;
    served = served && !suspended;
    given_.Remove(entry.range);
    for (int slot = entry.range.start; slot <= entry.range.end; slot++) cluster->migrated_slots_.erase(slot);
    markDirty();
  }
  apply();
  return served;
}

void RdmaSlots::EndImportingLinks() {
  if (auto &myself = srv_->cluster->myself_) myself->importing_slot_range = SlotRange{-1, -1};
}

bool RdmaSlots::IsOwner(const SlotRange &range, const std::string &node) const {
  for (int slot = range.start; slot <= range.end; slot++) {
    const auto &owner = srv_->cluster->slots_nodes_[slot];
    if (!owner || owner->id != node) return false;
  }
  return true;
}

bool RdmaSlots::ConfirmTaken(const SlotRange &range, const std::string &job, const std::string &source) {
  std::lock_guard<std::mutex> lock(mutex_);
  std::vector<RdmaMoved> list;
  bool all = true;
  for (const auto &entry : taken_.entries) {
    SlotRange both{std::max(entry.range.start, range.start), std::min(entry.range.end, range.end)};
    bool concerned = entry.job == job && both.IsValid() && entry.suspended;
    if (!concerned || !IsOwner(both, source)) {
      all = all && !concerned;
      list.push_back(entry);
      continue;
    }
    for (const auto &part : entry.Without(both)) list.push_back(part);
    list.push_back(entry);
    list.back().range = both;
    list.back().suspended = list.back().unsure = false;
    list.back().from = source;
    RDMA_INFO("[import] Slot(s) {} are in service again: their owner knows of the hand-over", both.String());
    markDirty();
  }
  taken_.entries = std::move(list);
  apply();
  return all;
}

std::vector<RdmaMoved> RdmaSlots::ToAsk() const {
  std::lock_guard<std::mutex> lock(mutex_);
  std::vector<RdmaMoved> found;
  for (const auto &entry : taken_.entries) {
    if (entry.suspended && !entry.owner.empty()) found.push_back(entry);
  }
  return found;
}

void RdmaSlots::DenyTaken(const RdmaMoved &denied) {
  std::lock_guard<std::mutex> lock(mutex_);
  auto same = [&](const RdmaMoved &entry) {
    return entry.job == denied.job && entry.range == denied.range && entry.suspended && entry.owner == denied.owner;
  };
  auto found = std::find_if(taken_.entries.begin(), taken_.entries.end(), same);
  if (found == taken_.entries.end()) return;
  for (int slot = found->range.start; slot <= found->range.end; slot++) end(*found, slot, /*is_given=*/false);
  taken_.entries.erase(found);
  markDirty();
}

bool RdmaSlots::HasTaken(const std::string &job) const {
  std::lock_guard<std::mutex> lock(mutex_);
  return taken_.HasJob(job);
}

bool RdmaSlots::WasTaken(const std::string &job) const {
  std::lock_guard<std::mutex> lock(mutex_);
  return taken_.HadJob(job);
}

std::vector<RdmaMoved> RdmaSlots::FindTaken(const SlotRange &range) const {
  std::lock_guard<std::mutex> lock(mutex_);
  return taken_.Overlapping(range);
}
