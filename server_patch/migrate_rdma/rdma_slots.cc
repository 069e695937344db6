// SPDX-License-Identifier: Apache-2.0
#include "rdma_slots.h"

#include <algorithm>
#include <chrono>
#include <iterator>
#include <utility>

#include "cluster/cluster.h"
#include "cluster/slot_migrate.h"
#include "rdma_guard.h"
#include "rdma_key.h"
#include "rdma_log.h"
#include "server/server.h"
#include "storage/storage.h"
#include "thread_util.h"

namespace {

constexpr const char *kMovingKey = "haul.moving";
constexpr auto kRetry = std::chrono::seconds(1);

}  // namespace

// --- storage -----------------------------------------------------------------------------------------------------

RdmaSlots::~RdmaSlots() {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    stopping_ = true;
    changed_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
}

Status RdmaSlots::Recover() {
  note();
  if (!is_replica_) {
    GET_OR_RET(load());
    judge(/*force=*/false);
  }
  thread_ = GET_OR_RET(util::CreateThread("haul-slots", [this] { run(); }));
  return Status::OK();
}

// Empty: there is no such key.
StatusOr<std::string> RdmaSlots::readKey(const char *key) const {
  std::string text;
  auto ctx = engine::Context::NoTransactionContext(srv_->storage);
  auto *family = srv_->storage->GetCFHandle(ColumnFamilyID::Propagate);
  auto s = srv_->storage->Get(ctx, ctx.GetReadOptions(), family, RdmaKey(key), &text);
  if (!s.ok() && !s.IsNotFound()) return {Status::NotOK, fmt::format("cannot read key {}: {}", key, s.ToString())};
  return text;
}

StatusOr<RdmaMovedList> RdmaSlots::read(bool is_given) const {
  auto text = GET_OR_RET(readKey(RdmaMovedList::Key(is_given)));
  if (text.empty()) return RdmaMovedList{};
  return RdmaMovedList::Parse(text, is_given);
}

Status RdmaSlots::load() {
  auto given = GET_OR_RET(read(/*is_given=*/true));
  auto taken = GET_OR_RET(read(/*is_given=*/false));
  auto moving = GET_OR_RET(readKey(kMovingKey));
  auto settled = RdmaSettledList::Parse(GET_OR_RET(readKey(RdmaSettledList::kKey)));
  if (!settled) RDMA_ERROR("[migrate] {}", settled.Msg());
  settled_ = settled ? std::move(*settled) : RdmaSettledList{};
  reviveSettled(&given, &taken);
  for (auto &entry : given.entries) {
    RDMA_INFO("[migrate] Slot(s) {} were handed over to {} at topology version {}{}", entry.range.String(),
              entry.address, entry.version, entry.confirmed ? "" : ", not confirmed yet");
    entry.unsure = entry.version != version_;
  }
  for (auto &entry : taken.entries) {
    RDMA_INFO("[import] Slot(s) {} were taken over at topology version {}{}", entry.range.String(), entry.version,
              entry.suspended ? ", not in service" : "");
    entry.unsure = entry.version != version_ || !HasSucceeded(entry.to, srv_->cluster->myid_);
  }
  std::lock_guard<std::mutex> lock(mutex_);
  given_ = std::move(given);
  taken_ = std::move(taken);
  moving_.reset();
  left_moving_ = RdmaParseMoving(moving);
  stored_.clear();
  dirty_ = false;
  if (left_moving_) markDirty();
  return Status::OK();
}

// The newest last, so that it has the last word about a slot.
void RdmaSlots::reviveSettled(RdmaMovedList *given, RdmaMovedList *taken) {
  for (const auto &[is_given, until, entry] : settled_.entries) {
    if (until <= version_) continue;
    RDMA_WARN("[{}] The topology of this node, version {}, is older than {}, by which slot(s) {} had changed hands",
              is_given ? "migrate" : "import", version_.load(), until, entry.range.String());
    given->Remove(entry.range);
    taken->Remove(entry.range);
    (is_given ? given : taken)->entries.push_back(entry);
  }
}

bool RdmaSlots::HasSucceeded(const std::string &former, const std::string &node) const {
  const auto &nodes = srv_->cluster->nodes_;
  auto found = nodes.find(former);
  if (former == node || found == nodes.end()) return true;
  return found->second->role == kClusterSlave && found->second->master_id == node;
}

Status RdmaSlots::Store() {
  std::lock_guard<std::mutex> one(store_mutex_);
  std::shared_lock<std::shared_mutex> database;
  Status s;
  {
    // Not while an EXEC gathers its writes. Nor after the database was closed for a full synchronization, which waits
    // for this guard first.
    auto concurrency = RdmaGuard::Shared(srv_, [this] { return isEnding(); });
    if (!concurrency || srv_->IsLoading()) return {Status::NotOK, "the database belongs to another node's master now"};
    database = srv_->storage->ReadLockGuard();
    s = writeChanges();
  }
  // Also without a change: who calls waits for all that is written.
  if (s) s = srv_->storage->SyncWAL();
  if (s) return s;
  std::lock_guard<std::mutex> lock(mutex_);
  stored_.clear();
  if (!is_replica_) markDirty();
  return s.Prefixed("cannot record the slots that changed hands");
}

// With the shared guard and store_mutex_, or the exclusive guard: the keys whose text the database does not have yet.
Status RdmaSlots::writeChanges() {
  Keys changed;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    Keys now = {{RdmaMovedList::Key(true), given_.Format(/*is_given=*/true)},
                {RdmaMovedList::Key(false), taken_.Format(/*is_given=*/false)},
                {RdmaSettledList::kKey, settled_.Format()},
                {kMovingKey, RdmaFormatMoving(moving_)}};
    std::set_difference(now.begin(), now.end(), stored_.begin(), stored_.end(), std::inserter(changed, changed.end()));
    stored_ = std::move(now);
    dirty_ = false;
  }
  auto ctx = engine::Context::NoTransactionContext(srv_->storage);
  for (const auto &[key, text] : changed) GET_OR_RET(srv_->storage->WriteToPropagateCF(ctx, RdmaKey(key), text));
  return Status::OK();
}

// With the exclusive guard: a kill right after the command's answer does not bring back what it has ended. run() syncs
// it, and tries again.
void RdmaSlots::writeAtOnce() {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    if (!dirty_ || is_replica_ || srv_->IsLoading()) return;
  }
  auto s = writeChanges();
  std::lock_guard<std::mutex> lock(mutex_);
  if (!s) stored_.clear();
  markDirty();
}

bool RdmaSlots::isEnding() const {
  std::lock_guard<std::mutex> lock(mutex_);
  return stopping_ || is_replica_;
}

void RdmaSlots::markDirty() {
  dirty_ = true;
  changed_.notify_all();
}

// Stores what was changed under the exclusive guard.
void RdmaSlots::run() {
  std::unique_lock<std::mutex> lock(mutex_);
  while (!stopping_) {
    if (!dirty_) {
      changed_.wait(lock);
      continue;
    }
    lock.unlock();
    auto s = Store();
    lock.lock();
    if (!s) {
      if (dirty_) RDMA_WARN("[migrate] {}", s.Msg());
      changed_.wait_for(lock, kRetry);
    }
  }
}

// --- the topology ------------------------------------------------------------------------------------------------

void RdmaSlots::note() {
  auto *cluster = srv_->cluster.get();
  is_replica_ = srv_->IsSlave() || (cluster->myself_ && cluster->myself_->role == kClusterSlave);
  version_ = cluster->GetVersion();
  std::lock_guard<std::mutex> lock(mutex_);
  my_id_ = cluster->myid_;
}

std::string RdmaSlots::MyId() const {
  std::lock_guard<std::mutex> lock(mutex_);
  return my_id_;
}

StatusOr<RdmaAddress> RdmaSlots::AddressOf(const std::string &node) const {
  const auto &nodes = srv_->cluster->nodes_;
  auto found = nodes.find(node);
  if (found == nodes.end()) return {Status::NotOK, "the topology has no such node"};
  return RdmaAddress{found->second->host, found->second->port};
}

// With mutex_: nothing of what this node was counts any more, and its database may be another's.
void RdmaSlots::clear() {
  given_ = taken_ = {};
  settled_ = {};
  moving_.reset();
  left_moving_.reset();
  stored_.clear();
}

void RdmaSlots::OnTopology(bool force) {
  bool was_replica = is_replica_;
  note();
  if (is_replica_) {
    // The master's lists count, and arrive with its database.
    std::lock_guard<std::mutex> lock(mutex_);
    clear();
    dirty_ = false;
    return;
  }
  if (was_replica) {
    if (auto s = load(); !s) RDMA_ERROR("[migrate] {}", s.Msg());
  }
  judge(force);
  writeAtOnce();
}

void RdmaSlots::OnReset() {
  std::unique_lock<std::mutex> lock(mutex_);
  if (!given_.entries.empty() || !taken_.entries.empty()) RDMA_WARN("[migrate] CLUSTER RESET: forget all hand-overs");
  clear();
  my_id_.clear();
  is_replica_ = false;
  version_ = -1;
  markDirty();
  lock.unlock();
  writeAtOnce();
}

// What the topology's owner of a slot means for an entry that holds it.
RdmaSlots::Verdict RdmaSlots::judgeGiven(const RdmaMoved &entry, int slot, bool force) const {
  auto *cluster = srv_->cluster.get();
  if (force) return Verdict::kEnd;
  if (cluster->GetVersion() <= entry.version) return Verdict::kKeep;
  const auto &owner = cluster->slots_nodes_[slot];
  return !owner || owner->id == cluster->myid_ ? Verdict::kKeep : Verdict::kEnd;
}

RdmaSlots::Verdict RdmaSlots::judgeTaken(const RdmaMoved &entry, int slot, bool force) const {
  auto *cluster = srv_->cluster.get();
  const auto &owner = cluster->slots_nodes_[slot];
  if (force || (owner && owner->id == cluster->myid_)) return Verdict::kEnd;
  if (entry.unsure) return Verdict::kSuspend;
  if (cluster->GetVersion() <= entry.version) return entry.suspended ? Verdict::kSuspend : Verdict::kKeep;
  return !owner || owner->id == entry.from ? Verdict::kKeep : Verdict::kSuspend;
}

// Where the slots' new owner is reached now: it may have moved, or its replica may have succeeded it.
std::string RdmaSlots::addressOf(const RdmaMoved &entry) const {
  const auto &nodes = srv_->cluster->nodes_;
  auto node = nodes.find(entry.to);
  if (node != nodes.end() && node->second->role == kClusterSlave) node = nodes.find(node->second->master_id);
  if (node == nodes.end()) return entry.address;
  return fmt::format("{}:{}", node->second->host, node->second->port);
}

bool RdmaSlots::isSucceeded(const RdmaMoved &entry) const {
  const auto &nodes = srv_->cluster->nodes_;
  auto node = nodes.find(entry.to);
  return node != nodes.end() && node->second->role == kClusterSlave;
}

// What this topology says about a part whose slots it treats alike.
void RdmaSlots::mark(RdmaMoved *part, bool is_given) const {
  if (is_given) {
    part->address = addressOf(*part);
    part->succeeded = isSucceeded(*part);
    return;
  }
  const auto &owner = srv_->cluster->slots_nodes_[part->range.start];
  part->owner = owner ? owner->id : "";
  part->address = owner ? fmt::format("{}:{}", owner->host, owner->port) : "";
}

void RdmaSlots::end(const RdmaMoved &entry, int slot, bool is_given) {
  if (is_given) {
    given_.NoteEnded(entry.job);
    srv_->cluster->migrated_slots_.erase(slot);
    // Returned by force: writes are welcome again.
    const auto &owner = srv_->cluster->slots_nodes_[slot];
    bool returned = owner && owner->id == srv_->cluster->myid_;
    if (returned && srv_->slot_migrator->GetForbiddenSlotRange().Contains(slot)) {
      srv_->slot_migrator->ReleaseForbiddenSlotRange();
    }
    return;
  }
  taken_.NoteEnded(entry.job);
  srv_->cluster->imported_slots_.erase(slot);
}

// Each run of slots with the same verdict becomes an entry of its own, or none. Exclusive guard.
void RdmaSlots::judge(bool force) {
  std::lock_guard<std::mutex> lock(mutex_);
  bool changed = force && !settled_.entries.empty();
  if (force) settled_ = {};
  for (bool is_given : {true, false}) {
    auto &list = is_given ? given_.entries : taken_.entries;
    std::vector<RdmaMoved> kept;
    for (const auto &entry : list) {
      auto judged = [&](int slot) {
        return is_given ? judgeGiven(entry, slot, force) : judgeTaken(entry, slot, force);
      };
      for (int slot = entry.range.start; slot <= entry.range.end;) {
        auto verdict = judged(slot);
        RdmaMoved part = entry;
        part.range.start = slot;
        const auto &owner = srv_->cluster->slots_nodes_[slot];
        auto is_alike = [&](int other) {
          return judged(other) == verdict && (is_given || srv_->cluster->slots_nodes_[other] == owner);
        };
        while (slot <= entry.range.end && is_alike(slot)) {
          if (verdict == Verdict::kEnd) end(entry, slot, is_given);
          part.range.end = slot++;
        }
        part.suspended = verdict == Verdict::kSuspend;
        mark(&part, is_given);
        changed = changed || verdict == Verdict::kEnd || part.suspended != entry.suspended;
        if (part.suspended && !entry.suspended) {
          RDMA_WARN("[import] Slot(s) {} are out of service: {}", part.range.String(),
                    part.unsure ? "the topology has changed since they were taken over, and its owner is asked"
                                : "by the topology a third node owns them");
        }
        if (verdict != Verdict::kEnd) {
          kept.push_back(part);
        } else if (!force) {
          settled_.Add({is_given, version_, part});
        }
      }
    }
    list = std::move(kept);
  }
  if (changed) markDirty();
  apply();
}

// With mutex_ and the exclusive guard: what the lists mean for clients.
void RdmaSlots::apply() {
  auto *cluster = srv_->cluster.get();
  for (const auto &entry : given_.entries) {
    for (int slot = entry.range.start; slot <= entry.range.end; slot++) cluster->migrated_slots_[slot] = entry.address;
  }
  for (const auto &entry : taken_.entries) {
    for (int slot = entry.range.start; slot <= entry.range.end; slot++) {
      if (entry.suspended) {
        cluster->imported_slots_.erase(slot);
      } else {
        cluster->imported_slots_.insert(slot);
      }
    }
  }
}

// --- the giver ---------------------------------------------------------------------------------------------------

void RdmaSlots::AddGiven(RdmaMoved entry) {
  auto *cluster = srv_->cluster.get();
  entry.version = cluster->GetVersion();
  for (int slot = entry.range.start; slot <= entry.range.end; slot++) {
    // The topology has changed since the decision, and knows better already.
    const auto &owner = cluster->slots_nodes_[slot];
    if (owner && owner->id != cluster->myid_) entry.version = cluster->GetVersion() - 1;
  }
  {
    std::lock_guard<std::mutex> lock(mutex_);
    given_.Remove(entry.range);
    taken_.Remove(entry.range);
    settled_.Remove(entry.range);
    given_.entries.push_back(entry);
    markDirty();
  }
  judge(/*force=*/false);
}

void RdmaSlots::ConfirmGiven(const std::string &job) {
  std::lock_guard<std::mutex> lock(mutex_);
  for (auto &entry : given_.entries) {
    if (entry.job != job || entry.confirmed) continue;
    entry.confirmed = true;
    markDirty();
  }
}

bool RdmaSlots::HasGiven(const std::string &job) const {
  std::lock_guard<std::mutex> lock(mutex_);
  return given_.HasJob(job);
}

bool RdmaSlots::WasGiven(const std::string &job) const {
  std::lock_guard<std::mutex> lock(mutex_);
  return given_.HadJob(job);
}

std::vector<RdmaMoved> RdmaSlots::ToAnnounce() const {
  std::lock_guard<std::mutex> lock(mutex_);
  std::vector<RdmaMoved> found;
  for (const auto &entry : given_.entries) {
    bool unsettled = entry.from != my_id_ || !entry.confirmed || entry.succeeded || entry.unsure;
    if (!my_id_.empty() && unsettled) found.push_back(entry);
  }
  return found;
}

void RdmaSlots::Announced(const RdmaMoved &announced) {
  std::lock_guard<std::mutex> lock(mutex_);
  for (auto &entry : given_.entries) {
    if (entry.job != announced.job || entry.range != announced.range) continue;
    entry.from = my_id_;
    entry.confirmed = true;
    entry.succeeded = entry.unsure = false;
    markDirty();
  }
}

std::vector<RdmaMoved> RdmaSlots::FindGiven(const SlotRange &range) const {
  std::lock_guard<std::mutex> lock(mutex_);
  return given_.Overlapping(range);
}

void RdmaSlots::SetMoving(const std::optional<RdmaMoved> &entry) {
  std::lock_guard<std::mutex> lock(mutex_);
  moving_ = entry;
  left_moving_.reset();
  markDirty();
}

std::optional<RdmaMoved> RdmaSlots::TakeLeftMoving() {
  std::lock_guard<std::mutex> lock(mutex_);
  return std::exchange(left_moving_, std::nullopt);
}

std::optional<RdmaMoved> RdmaSlots::MovingOfMaster() const {
  if (auto text = readKey(kMovingKey)) {
    if (auto moving = RdmaParseMoving(*text)) return moving;
  }
  auto list = read(/*is_given=*/true);
  if (!list || list->entries.empty()) return std::nullopt;
  return list->entries.back();
}

std::optional<RdmaMoved> RdmaSlots::LastGiven() const {
  std::lock_guard<std::mutex> lock(mutex_);
  if (given_.entries.empty()) return std::nullopt;
  return given_.entries.back();
}

bool RdmaSlots::Forget(const SlotRange &range) {
  std::unique_lock<std::mutex> lock(mutex_);
  bool found = false;
  for (bool is_given : {true, false}) {
    auto &list = is_given ? given_ : taken_;
    for (const auto &entry : list.Overlapping(range)) {
      found = true;
      for (int slot = std::max(entry.range.start, range.start); slot <= std::min(entry.range.end, range.end); slot++) {
        end(entry, slot, is_given);
      }
    }
    list.Remove(range);
  }
  settled_.Remove(range);
  if (!found) return false;
  markDirty();
  lock.unlock();
  writeAtOnce();
  return true;
}
