// SPDX-License-Identifier: Apache-2.0
#include "rdma_slots.h"

#include <algorithm>
#include <chrono>
#include <sstream>

#include "cluster/cluster.h"
#include "cluster/slot_migrate.h"
#include "rdma_guard.h"
#include "rdma_log.h"
#include "server/server.h"
#include "storage/storage.h"
#include "thread_util.h"
#include "vendor/sha1.h"

namespace {

constexpr const char *kGivenKey = "haul.given";
constexpr const char *kTakenKey = "haul.taken";
constexpr const char *kGivenHeader = "haul-given 1";
constexpr const char *kTakenHeader = "haul-taken 1";
constexpr size_t kEndedMax = 256;
constexpr auto kRetry = std::chrono::seconds(1);

// "slots START END VERSION FROM TO ADDRESS JOB FLAG"; "-" stands for an empty word.
std::string FormatEntry(const RdmaMoved &entry, bool flag) {
  auto word = [](const std::string &text) { return text.empty() ? std::string("-") : text; };
  return fmt::format("slots {} {} {} {} {} {} {} {}\n", entry.range.start, entry.range.end, entry.version,
                     word(entry.from), word(entry.to), word(entry.address), word(entry.job), flag ? 1 : 0);
}

bool ParseEntry(std::istringstream *words, RdmaMoved *entry, bool *flag) {
  *words >> entry->range.start >> entry->range.end >> entry->version >> entry->from >> entry->to >> entry->address >>
      entry->job >> *flag;
  for (auto *word : {&entry->from, &entry->to, &entry->address, &entry->job}) {
    if (*word == "-") word->clear();
  }
  return static_cast<bool>(*words) && entry->range.IsValid();
}

std::string Format(const char *header, const std::vector<RdmaMoved> &list, const std::vector<std::string> &ended,
                   bool RdmaMoved::*flag) {
  std::string text = std::string(header) + "\n";
  for (const auto &entry : list) text += FormatEntry(entry, entry.*flag);
  for (const auto &job : ended) text += "ended " + job + "\n";
  return text;
}

Status Damaged(const char *key, const std::string &line) {
  return {
      Status::NotOK,
      fmt::format("key {} of column family propagate, the slots that changed hands by haul, is damaged or of a newer "
                  "release ('{}'): start the release that wrote it, and let the topology be set (CLUSTERX SETNODES)",
                  key, line)};
}

Status Parse(const char *key, const char *header, const std::string &text, std::vector<RdmaMoved> *list,
             std::vector<std::string> *ended, bool RdmaMoved::*flag) {
  std::istringstream lines(text);
  std::string line;
  if (!std::getline(lines, line) || line != header) return Damaged(key, line);
  while (std::getline(lines, line)) {
    std::istringstream words(line);
    std::string kind, job;
    RdmaMoved entry;
    words >> kind;
    if (kind == "slots" && ParseEntry(&words, &entry, &(entry.*flag))) {
      list->push_back(entry);
    } else if (kind == "ended" && words >> job) {
      ended->push_back(job);
    } else {
      return Damaged(key, line);
    }
  }
  return Status::OK();
}

// The parts of the entry outside the range.
std::vector<RdmaMoved> Without(const RdmaMoved &entry, const SlotRange &range) {
  std::vector<RdmaMoved> parts;
  if (!entry.range.HasOverlap(range)) return {entry};
  if (entry.range.start < range.start) {
    parts.push_back(entry);
    parts.back().range.end = range.start - 1;
  }
  if (entry.range.end > range.end) {
    parts.push_back(entry);
    parts.back().range.start = range.end + 1;
  }
  return parts;
}

std::vector<RdmaMoved> Overlapping(const std::vector<RdmaMoved> &list, const SlotRange &range) {
  std::vector<RdmaMoved> found;
  for (const auto &entry : list) {
    if (entry.range.HasOverlap(range)) found.push_back(entry);
  }
  return found;
}

void NoteEnded(std::vector<std::string> *ended, const std::string &job) {
  if (!ended->empty() && ended->back() == job) return;
  ended->push_back(job);
  if (ended->size() > kEndedMax) ended->erase(ended->begin());
}

bool Contains(const std::vector<std::string> &jobs, const std::string &job) {
  return std::find(jobs.begin(), jobs.end(), job) != jobs.end();
}

bool HasJob(const std::vector<RdmaMoved> &list, const std::string &job) {
  return std::any_of(list.begin(), list.end(), [&](const RdmaMoved &entry) { return entry.job == job; });
}

}  // namespace

std::string RdmaJobId(const std::string &token) {
  SHA1_CTX context;
  unsigned char digest[20];
  SHA1Init(&context);
  SHA1Update(&context, reinterpret_cast<const unsigned char *>(token.data()), static_cast<uint32_t>(token.size()));
  SHA1Final(digest, &context);
  std::string id;
  for (int i = 0; i < 8; i++) id += fmt::format("{:02x}", digest[i]);
  return id;
}

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

Status RdmaSlots::load() {
  Lists lists;
  auto ctx = engine::Context::NoTransactionContext(srv_->storage);
  auto *family = srv_->storage->GetCFHandle(ColumnFamilyID::Propagate);
  for (bool is_given : {true, false}) {
    std::string text;
    const char *key = is_given ? kGivenKey : kTakenKey;
    auto s = srv_->storage->Get(ctx, ctx.GetReadOptions(), family, key, &text);
    if (s.IsNotFound()) continue;
    if (!s.ok()) return {Status::NotOK, fmt::format("cannot read key {}: {}", key, s.ToString())};
    GET_OR_RET(is_given ? Parse(key, kGivenHeader, text, &lists.given, &lists.given_ended, &RdmaMoved::confirmed)
                        : Parse(key, kTakenHeader, text, &lists.taken, &lists.taken_ended, &RdmaMoved::suspended));
  }
  for (const auto &entry : lists.given) {
    RDMA_INFO("[migrate] Slot(s) {} were handed over to {} at topology version {}{}", entry.range.String(),
              entry.address, entry.version, entry.confirmed ? "" : ", not confirmed yet");
  }
  for (const auto &entry : lists.taken) {
    RDMA_INFO("[import] Slot(s) {} were taken over at topology version {}{}", entry.range.String(), entry.version,
              entry.suspended ? ", not in service" : "");
  }
  for (auto *list : {&lists.given, &lists.taken}) {
    for (auto &entry : *list) entry.unsure = entry.version != version_;
  }
  for (auto &entry : lists.taken) entry.unsure = entry.unsure || !HasSucceeded(entry.to, srv_->cluster->myid_);
  std::lock_guard<std::mutex> lock(mutex_);
  lists_ = std::move(lists);
  dirty_ = false;
  return Status::OK();
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
  {
    // Not while an EXEC gathers its writes. Nor after the database was closed for a full synchronization, which waits
    // for this guard first.
    auto concurrency = RdmaGuard::Shared(srv_, [this] { return isEnding(); });
    if (!concurrency || srv_->IsLoading()) return {Status::NotOK, "the database belongs to another node's master now"};
    database = srv_->storage->ReadLockGuard();
    std::string given, taken;
    {
      std::lock_guard<std::mutex> lock(mutex_);
      given = Format(kGivenHeader, lists_.given, lists_.given_ended, &RdmaMoved::confirmed);
      taken = Format(kTakenHeader, lists_.taken, lists_.taken_ended, &RdmaMoved::suspended);
      dirty_ = false;
    }
    auto ctx = engine::Context::NoTransactionContext(srv_->storage);
    auto s = srv_->storage->WriteToPropagateCF(ctx, kGivenKey, given);
    if (s) s = srv_->storage->WriteToPropagateCF(ctx, kTakenKey, taken);
    if (!s) {
      std::lock_guard<std::mutex> lock(mutex_);
      dirty_ = !is_replica_;
      return s.Prefixed("cannot record the slots that changed hands");
    }
  }
  return srv_->storage->SyncWAL();
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

void RdmaSlots::OnTopology(bool force) {
  bool was_replica = is_replica_;
  note();
  if (is_replica_) {
    // The master's lists count, and arrive with its database.
    std::lock_guard<std::mutex> lock(mutex_);
    lists_ = {};
    dirty_ = false;
    return;
  }
  if (was_replica) {
    if (auto s = load(); !s) RDMA_ERROR("[migrate] {}", s.Msg());
  }
  judge(force);
}

void RdmaSlots::OnReset() {
  std::lock_guard<std::mutex> lock(mutex_);
  if (!lists_.given.empty() || !lists_.taken.empty()) RDMA_WARN("[migrate] CLUSTER RESET: forget all hand-overs");
  lists_ = {};
  my_id_.clear();
  is_replica_ = false;
  version_ = -1;
  markDirty();
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
    NoteEnded(&lists_.given_ended, entry.job);
    srv_->cluster->migrated_slots_.erase(slot);
    // Returned by force: writes are welcome again.
    const auto &owner = srv_->cluster->slots_nodes_[slot];
    bool returned = owner && owner->id == srv_->cluster->myid_;
    if (returned && srv_->slot_migrator->GetForbiddenSlotRange().Contains(slot)) {
      srv_->slot_migrator->ReleaseForbiddenSlotRange();
    }
    return;
  }
  NoteEnded(&lists_.taken_ended, entry.job);
  srv_->cluster->imported_slots_.erase(slot);
}

// Each run of slots with the same verdict becomes an entry of its own, or none. Exclusive guard.
void RdmaSlots::judge(bool force) {
  std::lock_guard<std::mutex> lock(mutex_);
  bool changed = false;
  for (bool is_given : {true, false}) {
    auto &list = is_given ? lists_.given : lists_.taken;
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
        if (verdict != Verdict::kEnd) kept.push_back(part);
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
  for (const auto &entry : lists_.given) {
    for (int slot = entry.range.start; slot <= entry.range.end; slot++) cluster->migrated_slots_[slot] = entry.address;
  }
  for (const auto &entry : lists_.taken) {
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

void RdmaSlots::forgetIn(std::vector<RdmaMoved> *list, const SlotRange &range) {
  std::vector<RdmaMoved> kept;
  for (const auto &entry : *list) {
    for (const auto &part : Without(entry, range)) kept.push_back(part);
  }
  *list = std::move(kept);
}

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
    forgetIn(&lists_.given, entry.range);
    forgetIn(&lists_.taken, entry.range);
    lists_.given.push_back(entry);
    markDirty();
  }
  judge(/*force=*/false);
}

void RdmaSlots::ConfirmGiven(const std::string &job) {
  std::lock_guard<std::mutex> lock(mutex_);
  for (auto &entry : lists_.given) {
    if (entry.job != job || entry.confirmed) continue;
    entry.confirmed = true;
    markDirty();
  }
}

bool RdmaSlots::HasGiven(const std::string &job) const {
  std::lock_guard<std::mutex> lock(mutex_);
  return HasJob(lists_.given, job);
}

bool RdmaSlots::WasGiven(const std::string &job) const {
  std::lock_guard<std::mutex> lock(mutex_);
  return HasJob(lists_.given, job) || Contains(lists_.given_ended, job);
}

std::vector<RdmaMoved> RdmaSlots::ToAnnounce() const {
  std::lock_guard<std::mutex> lock(mutex_);
  std::vector<RdmaMoved> found;
  for (const auto &entry : lists_.given) {
    if (!my_id_.empty() && (entry.from != my_id_ || !entry.confirmed || entry.succeeded || entry.unsure)) found.push_back(entry);
  }
  return found;
}

void RdmaSlots::Announced(const RdmaMoved &announced) {
  std::lock_guard<std::mutex> lock(mutex_);
  for (auto &entry : lists_.given) {
    if (entry.job != announced.job || entry.range != announced.range) continue;
    entry.from = my_id_;
    entry.confirmed = true;
    entry.succeeded = entry.unsure = false;
    markDirty();
  }
}

std::vector<RdmaMoved> RdmaSlots::FindGiven(const SlotRange &range) const {
  std::lock_guard<std::mutex> lock(mutex_);
  return Overlapping(lists_.given, range);
}

std::optional<RdmaMoved> RdmaSlots::LastGiven() const {
  std::lock_guard<std::mutex> lock(mutex_);
  if (lists_.given.empty()) return std::nullopt;
  return lists_.given.back();
}

// --- the taker ---------------------------------------------------------------------------------------------------

Status RdmaSlots::AddTaken(RdmaMoved entry) {
  {
    auto concurrency = RdmaGuard::Shared(srv_, [this] { return isEnding(); });
    if (!concurrency) return {Status::NotOK, "this node has become a replica, or stops"};
    entry.version = std::max(entry.version, srv_->cluster->GetVersion());
    std::lock_guard<std::mutex> lock(mutex_);
    if (!HasJob(lists_.taken, entry.job)) {
      forgetIn(&lists_.taken, entry.range);
      lists_.taken.push_back(entry);
    }
  }
  return Store();
}

bool RdmaSlots::ServeTaken(const std::string &job) {
  auto *cluster = srv_->cluster.get();
  std::lock_guard<std::mutex> lock(mutex_);
  bool served = true;
  for (auto &entry : lists_.taken) {
    if (entry.job != job) continue;
    bool suspended = false, counts = cluster->GetVersion() >= entry.version;
    for (int slot = entry.range.start; slot <= entry.range.end; slot++) {
      const auto &owner = cluster->slots_nodes_[slot];
      suspended = suspended || (counts && owner && owner->id != entry.from && owner->id != cluster->myid_);
    }
    entry.version = std::max(entry.version, cluster->GetVersion());
    entry.suspended = suspended;
    served = served && !suspended;
    forgetIn(&lists_.given, entry.range);
    for (int slot = entry.range.start; slot <= entry.range.end; slot++) cluster->migrated_slots_.erase(slot);
    markDirty();
  }
  apply();
  return served;
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
  for (const auto &entry : lists_.taken) {
    SlotRange both{std::max(entry.range.start, range.start), std::min(entry.range.end, range.end)};
    bool concerned = entry.job == job && both.IsValid() && entry.suspended;
    if (!concerned || !IsOwner(both, source)) {
      all = all && !concerned;
      list.push_back(entry);
      continue;
    }
    for (const auto &part : Without(entry, both)) list.push_back(part);
    list.push_back(entry);
    list.back().range = both;
    list.back().suspended = list.back().unsure = false;
    list.back().from = source;
    RDMA_INFO("[import] Slot(s) {} are in service again: their owner knows of the hand-over", both.String());
    markDirty();
  }
  lists_.taken = std::move(list);
  apply();
  return all;
}

std::vector<RdmaMoved> RdmaSlots::ToAsk() const {
  std::lock_guard<std::mutex> lock(mutex_);
  std::vector<RdmaMoved> found;
  for (const auto &entry : lists_.taken) {
    if (entry.suspended && !entry.owner.empty()) found.push_back(entry);
  }
  return found;
}

void RdmaSlots::DenyTaken(const RdmaMoved &denied) {
  std::lock_guard<std::mutex> lock(mutex_);
  auto same = [&](const RdmaMoved &entry) {
    return entry.job == denied.job && entry.range == denied.range && entry.suspended && entry.owner == denied.owner;
  };
  auto found = std::find_if(lists_.taken.begin(), lists_.taken.end(), same);
  if (found == lists_.taken.end()) return;
  for (int slot = found->range.start; slot <= found->range.end; slot++) end(*found, slot, /*is_given=*/false);
  lists_.taken.erase(found);
  markDirty();
}

bool RdmaSlots::HasTaken(const std::string &job) const {
  std::lock_guard<std::mutex> lock(mutex_);
  return HasJob(lists_.taken, job);
}

bool RdmaSlots::WasTaken(const std::string &job) const {
  std::lock_guard<std::mutex> lock(mutex_);
  return HasJob(lists_.taken, job) || Contains(lists_.taken_ended, job);
}

std::vector<RdmaMoved> RdmaSlots::FindTaken(const SlotRange &range) const {
  std::lock_guard<std::mutex> lock(mutex_);
  return Overlapping(lists_.taken, range);
}

bool RdmaSlots::Forget(const SlotRange &range) {
  std::lock_guard<std::mutex> lock(mutex_);
  bool found = false;
  for (bool is_given : {true, false}) {
    auto &list = is_given ? lists_.given : lists_.taken;
    for (const auto &entry : Overlapping(list, range)) {
      found = true;
      for (int slot = std::max(entry.range.start, range.start); slot <= std::min(entry.range.end, range.end); slot++) {
        end(entry, slot, is_given);
      }
    }
    forgetIn(&list, range);
  }
  if (found) markDirty();
  return found;
}
