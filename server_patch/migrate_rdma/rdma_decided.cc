// SPDX-License-Identifier: Apache-2.0
// rdma_decided.cc — RdmaMigrator's jobs that were decided and not confirmed; what a restart leaves; commands.
#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>

#include "cluster/cluster.h"
#include "cluster/slot_migrate.h"
#include "parse_util.h"
#include "rdma_guard.h"
#include "rdma_log.h"
#include "rdma_migrate.h"
#include "rdma_peer.h"
#include "rdma_question.h"
#include "server/server.h"
#include "thread_util.h"
#include "time_util.h"

namespace {

constexpr uint32_t kPollMs = 50;
constexpr uint32_t kResolveRetryMs = 5 * 1000;
constexpr int kTellPauseMs = 100;
constexpr int kTellPauseMaxMs = 60 * 1000;
// A restarted node waits for a topology before it tells a decision. With one that has not changed since, nobody sends
// it.
constexpr uint64_t kHearMs = 10 * 1000;
constexpr int kWatchMs = 500;

bool SplitHostPort(const std::string &address, std::string *host, int *port) {
  auto colon = address.rfind(':');
  if (colon == std::string::npos) return false;
  auto number = ParseInt<int>(address.substr(colon + 1), 10);
  if (!number) return false;
  *host = address.substr(0, colon);
  *port = *number;
  return true;
}

}  // namespace

// --- telling the destination -------------------------------------------------------------------------------------

Status RdmaMigrator::tell() {
  telling_ = true;
  taken_back_ = false;
  std::string last;
  Status ended;
  for (int wait_ms = kTellPauseMs;; wait_ms = std::min(2 * wait_ms, kTellPauseMaxMs)) {
    if (isStopping()) {
      ended = {Status::NotOK, "the destination has not confirmed them yet: " + last};
      break;
    }
    if (slots_->IsReplica() || !slots_->HasGiven(job_id_)) {
      RDMA_INFO("[migrate] Slot(s) {}: {}, the destination is not told any more", job_.range.String(),
                slots_->IsReplica() ? "this node is a replica now" : "the topology knows their owner");
      ended = slots_->IsReplica() ? forgetJobs() : endJobs(true);
      if (ended) storeState(false);
      break;
    }
    auto s = tellOnce();
    if (s && taken_back_) continue;  // the entry has ended
    if (s) {
      RDMA_INFO("[migrate] The destination has confirmed slot(s) {}", job_.range.String());
      confirmed();
      break;
    }
    if (s.Msg() != last) {
      RDMA_WARN("[migrate] The destination has not confirmed slot(s) {} yet: {}", job_.range.String(), s.Msg());
    }
    last = s.Msg();
    waitToTell(wait_ms);
  }
  telling_ = false;
  if (!isStopping()) frozen_ = false;
  if (!ended && !isStopping()) RDMA_WARN("[migrate] {}", ended.Msg());
  if (isStopping() || !taken_back_) return isStopping() ? ended : Status::OK();
  released_ = false;
  return {Status::NotOK, "the slots are served here again"};
}

void RdmaMigrator::waitToTell(int ms) {
  auto end = util::GetTimeStampMS() + ms;
  while (util::GetTimeStampMS() < end && !isLeaving() && slots_->HasGiven(job_id_)) {
    std::this_thread::sleep_for(std::chrono::milliseconds(kPollMs));
  }
}

Status RdmaMigrator::tellOnce() {
  bool all = true;
  for (const auto &entry : slots_->FindGiven(job_.range)) {
    if (entry.job != job_id_) continue;
    SplitHostPort(entry.address, &job_.host, &job_.port);  // it may have moved since
    auto answer = GET_OR_RET(askConfirmed(entry));
    if (answer == Confirmation::kOver || (answer == Confirmation::kUnknown && entry.succeeded)) {
      return takeBack(answer);
    }
    all = all && answer == Confirmation::kTaken;
  }
  // It owns them, and does not need libhaul's last message.
  return all ? endJobs(true) : resolve();
}

// The destination was replaced before it took the slots over, and its successor knows nothing of them: by the topology,
// which both nodes know, it never will. Or it knows that the topology has given them back since.
Status RdmaMigrator::takeBack(Confirmation answer) {
  RDMA_WARN("[migrate] Slot(s) {} are served here again: {}", job_.range.String(),
            answer == Confirmation::kOver ? "the topology has given them back since"
                                          : "the destination was replaced before it took them over");
  auto exclusivity = RdmaGuard::Exclusive(srv_, [this] { return isLeaving(); });
  if (!exclusivity) return {Status::NotOK, "this node stops, or is a replica"};
  for (const auto &entry : slots_->FindGiven(job_.range)) {
    if (entry.job == job_id_) slots_->Forget(entry.range);
  }
  taken_back_ = true;
  return Status::OK();
}

StatusOr<RdmaMigrator::Confirmation> RdmaMigrator::askConfirmed(const RdmaMoved &entry) {
  std::string host;
  int port = 0;
  if (!SplitHostPort(entry.address, &host, &port)) return {Status::NotOK, "no address: " + entry.address};
  auto fd = GET_OR_RET(RdmaConnect(srv_, host, port, [this] { return isLeaving(); }));
  auto answer = GET_OR_RET(RdmaExchange(*fd, {"haul", "confirm", entry.range.String(), entry.job, slots_->MyId()}));
  if (answer == "+haul taken") return Confirmation::kTaken;
  if (answer == "+haul unknown") return Confirmation::kUnknown;
  if (answer == "+haul over") return Confirmation::kOver;
  return {Status::NotOK, fmt::format("{}:{} answers {}", host, port, answer)};
}

// Let libhaul send the decision to the destination.
Status RdmaMigrator::resolve() {
  auto fd = GET_OR_RET(RdmaConnect(srv_, job_.host, job_.port, [this] { return isLeaving(); }));
  auto request = question(job_);
  request.gives_up = [this] { return isLeaving(); };
  auto answer = GET_OR_RET(RdmaAsk(*fd, request));
  if (!answer.known || answer.token != job_.token) return {Status::NotOK, "the destination does not know the job"};
  job_.endpoint = answer.endpoint;

  auto store = GET_OR_RET(RdmaStore::Acquire(srv_));
  haul_source_options options{};
  fillOptions(&options);
  options.store = store->Get();
  options.log = store->Log();
  options.transports = {{HAUL_TRANSPORT_TCP}};
  options.retry_max_ms = kResolveRetryMs;
  options.resolve = true;
  haul_error error{};
  haul_migration *migration = nullptr;
  auto status = haul_source_start(&options, &migration, &error);
  if (status == HAUL_OK) {
    while (!haul_migration_ended(migration, kPollMs)) {
      if (isLeaving()) haul_migration_cancel(migration);
    }
    status = haul_migration_result(migration)->status;
    error = haul_migration_result(migration)->error;
    haul_migration_destroy(migration);
  }
  if (status == HAUL_OK || status == HAUL_NOT_FOUND) return Status::OK();
  return {Status::NotOK, RdmaErrorText(error)};
}

void RdmaMigrator::confirmed() {
  slots_->ConfirmGiven(job_id_);
  // Before the last trace of the job is gone.
  if (auto s = slots_->Store(); !s) RDMA_WARN("[migrate] {}", s.Msg());
  storeState(false);
  frozen_ = false;
}

// --- libhaul's journals ------------------------------------------------------------------------------------------

Status RdmaMigrator::lookAtJobs(Left *left) const {
  haul_job *jobs = nullptr;
  size_t count = 0;
  haul_error error{};
  *left = Left::kNothing;
  if (haul_jobs_list(srv_->GetConfig()->db_dir.c_str(), &jobs, &count, &error) != HAUL_OK) {
    return {Status::NotOK, RdmaErrorText(error)};
  }
  for (size_t i = 0; i < count; i++) {
    if (jobs[i].role != HAUL_JOB_SOURCE || std::string(jobs[i].phase) == "ABORTED") continue;
    if (jobs[i].claim == HAUL_JOB_YIELDS) *left = Left::kDecided;
    if (*left == Left::kNothing) *left = Left::kUndecided;
  }
  free(jobs);
  return Status::OK();
}

// End the decided jobs as handed over, or give the others up.
Status RdmaMigrator::endJobs(bool decided) {
  haul_job *jobs = nullptr;
  size_t count = 0;
  haul_error error{};
  auto store = GET_OR_RET(RdmaStore::Acquire(srv_));
  if (haul_jobs_list(srv_->GetConfig()->db_dir.c_str(), &jobs, &count, &error) != HAUL_OK) {
    return {Status::NotOK, RdmaErrorText(error)};
  }
  Status result;
  for (size_t i = 0; i < count; i++) {
    if (jobs[i].role != HAUL_JOB_SOURCE || (jobs[i].claim == HAUL_JOB_YIELDS) != decided) continue;
    auto status = decided ? haul_job_end_decided(store->Get(), &jobs[i], true, &error)
                          : haul_job_give_up(store->Get(), &jobs[i], &error);
    if (status != HAUL_OK && status != HAUL_NOT_FOUND) result = {Status::NotOK, RdmaErrorText(error)};
  }
  free(jobs);
  return result;
}

// The jobs belong to what this node was before it became a replica: the database, which they need, may be gone.
Status RdmaMigrator::forgetJobs() {
  std::error_code error;
  auto folder = srv_->GetConfig()->db_dir + "/haul";
  for (const auto &file : std::filesystem::directory_iterator(folder, error)) {
    if (file.path().filename().string().rfind("source-", 0) == 0) std::filesystem::remove(file.path(), error);
  }
  if (error) return {Status::NotOK, fmt::format("cannot remove the jobs in {}: {}", folder, error.message())};
  return Status::OK();
}

void RdmaMigrator::storeState(bool moving) {
  job_.moving = moving;
  auto s = job_.Store(statePath());
  if (!s) RDMA_WARN("[migrate] {}", s.Msg());
  if (s && !moving) closeToken(job_.token);
}

// --- after a restart ---------------------------------------------------------------------------------------------

Status RdmaMigrator::Recover() {
  job_ = GET_OR_RET(RdmaState::Load(statePath()));
  job_id_ = RdmaJobId(job_.token);
  Left left = Left::kNothing;
  GET_OR_RET(lookAtJobs(&left));
  if (!job_.moving && left == Left::kDecided) {
    return {Status::NotOK, fmt::format("{} does not name the slots of a job that was decided: `haul resolve` or `haul "
                                       "owner` on {} ends that",
                                       statePath(), srv_->GetConfig()->db_dir)};
  }
  started_ms_ = util::GetTimeStampMS();
  if (job_.moving && left != Left::kNothing) openToken(job_.token);
  if (job_.moving && left == Left::kDecided) {
    recoverDecided();
  } else if (job_.moving && left == Left::kUndecided && !slots_->IsReplica()) {
    migrator_->dst_node_ = job_.node;
    migrator_->migrate_failed_slot_range_ = job_.range;
    migrator_->migration_state_ = MigrationState::kFailed;
    keep(job_);
  } else {
    showLast();
  }
  watcher_ = GET_OR_RET(util::CreateThread("haul-watch", [this] { watch(); }));
  return Status::OK();
}

// The slots answer MOVED at once; the destination is told when this node has heard of the topology.
void RdmaMigrator::recoverDecided() {
  if (!slots_->WasGiven(job_id_)) slots_->AddGiven(handOver());
  RDMA_INFO("[migrate] Slot(s) {} were handed over before the restart, {}:{} has not confirmed it", job_.range.String(),
            job_.host, job_.port);
  migrator_->dst_node_ = job_.node;
  migrator_->slot_range_ = job_.range;
  migrator_->migration_state_ = MigrationState::kStarted;
  untold_ = true;
  telling_ = true;
}

// Give the decision to SlotMigrator's thread.
void RdmaMigrator::beginTelling() {
  if (!untold_.exchange(false) || isStopping()) return;
  tell_only_ = true;
  auto job = std::make_unique<SlotMigrationJob>(job_.range, job_.host, job_.port, 0, 1, 1);
  std::lock_guard<std::mutex> guard(migrator_->job_mutex_);
  migrator_->migration_job_ = std::move(job);
  migrator_->job_cv_.notify_one();
}

void RdmaMigrator::StopWatching() {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    stopping_ = true;
    wake_.notify_all();
  }
  if (watcher_.joinable()) watcher_.join();
  // Its destructor joins only a thread that has said that it runs.
  while (migrator_->t_.joinable() && migrator_->thread_state_ == SlotMigrator::ThreadState::Uninitialized) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

void RdmaMigrator::watch() {
  std::unique_lock<std::mutex> lock(mutex_);
  int pause_ms = kTellPauseMs;
  int ask_pause_ms = kTellPauseMs;
  uint64_t announce_at = 0, ask_at = 0;
  while (!stopping_) {
    wake_.wait_for(lock, std::chrono::milliseconds(kWatchMs));
    if (stopping_) return;
    auto now = util::GetTimeStampMS();
    bool outdated = kept_ && (now > kept_until_ms_ || slots_->IsReplica());
    lock.unlock();
    if (outdated) giveUpOutdated();
    if (untold_ && now > started_ms_ + kHearMs) beginTelling();
    if (now >= ask_at && !slots_->IsReplica()) {
      bool all = true;
      for (const auto &entry : slots_->ToAsk()) all = ask(entry) && all;
      ask_pause_ms = all ? kTellPauseMs : std::min(2 * ask_pause_ms, kTellPauseMaxMs);
      ask_at = util::GetTimeStampMS() + ask_pause_ms;
    }
    bool quiet = !moving_ && !untold_ && !tell_only_ && !slots_->IsReplica();
    if (quiet && now >= announce_at) {
      bool all = true;
      for (const auto &entry : slots_->ToAnnounce()) all = announce(entry) && all;
      pause_ms = all ? kTellPauseMs : std::min(2 * pause_ms, kTellPauseMaxMs);
      announce_at = util::GetTimeStampMS() + pause_ms;
    }
    lock.lock();
  }
}

// A record of slots that were taken over, from another time of the topology: only their owner knows whether it holds.
// False: it did not say.
bool RdmaMigrator::ask(const RdmaMoved &entry) {
  std::string host, answer;
  int port = 0;
  if (!SplitHostPort(entry.address, &host, &port)) return false;
  auto exchange = [&]() -> Status {
    auto fd = GET_OR_RET(RdmaConnect(srv_, host, port, [this] { return isLeaving(); }));
    answer = GET_OR_RET(RdmaExchange(*fd, {"haul", "given", entry.range.String(), entry.job,
                                           std::to_string(slots_->Version()), slots_->MyId()}));
    return Status::OK();
  };
  if (auto s = exchange(); !s) {
    RDMA_WARN("[import] Cannot ask {} about slot(s) {}: {}", entry.address, entry.range.String(), s.Msg());
    return false;
  }
  bool given = answer == "+haul given";
  if (!given && answer != "+haul unknown") {
    RDMA_WARN("[import] {} does not say yet whether it gave slot(s) {}: {}", entry.address, entry.range.String(), answer);
    return false;
  }
  auto exclusivity = RdmaGuard::Exclusive(srv_, [this] { return isLeaving(); });
  if (!exclusivity) return false;
  if (given) return slots_->ConfirmTaken(entry.range, entry.job, entry.owner);
  RDMA_WARN("[import] Slot(s) {} are not this node's: {}, their owner by the topology, has not given them",
            entry.range.String(), entry.address);
  slots_->DenyTaken(entry);
  return true;
}

// The owner that took slots from this node's predecessor has put them out of service until it hears from this node.
bool RdmaMigrator::announce(const RdmaMoved &entry) {
  auto taken = askConfirmed(entry);
  if (!taken) {
    RDMA_WARN("[migrate] Cannot confirm the hand-over of slot(s) {} to {}: {}", entry.range.String(), entry.address,
              taken.Msg());
    return false;
  }
  if (*taken == Confirmation::kTaken) {
    RDMA_INFO("[migrate] Confirmed the hand-over of slot(s) {} to {}", entry.range.String(), entry.address);
    slots_->Announced(entry);
    auto exclusivity = RdmaGuard::Exclusive(srv_, [this] { return isLeaving(); });
    if (exclusivity) showLast();
    return true;
  }
  // It has never owned them, and by the topology that both know it never will, or it does not own them any more.
  RDMA_WARN("[migrate] Slot(s) {} are served here again: {} {}", entry.range.String(), entry.address,
            *taken == Confirmation::kOver ? "has seen that the topology gave them back" : "has not taken them over");
  auto exclusivity = RdmaGuard::Exclusive(srv_, [this] { return isLeaving(); });
  if (!exclusivity) return false;
  slots_->Forget(entry.range);
  endShowingUnconfirmed();
  if (migrator_->GetMigratingSlotRange().IsValid()) return true;
  migrator_->migrate_failed_slot_range_ = entry.range;
  migrator_->forbidden_slot_range_ = SlotRange{-1, -1};
  migrator_->migration_state_ = MigrationState::kFailed;
  return true;
}

// --- commands ------------------------------------------------------------------------------------------------------

void RdmaMigrator::OnTopology() {
  std::lock_guard<std::mutex> lock(mutex_);
  std::string reason = watches_ && !released_ ? whyNotAnyMore() : "";
  if (!reason.empty()) {
    RDMA_WARN("[migrate] Cancel migrating slot(s) {}: by the topology {}", running_range_.String(), reason);
    lost_ = true;
    lost_reason_ = reason;
    if (migration_) haul_migration_cancel(migration_);
  }
  releaseForbidden();
  showLast();
  beginTelling();
}

// CLUSTER INFO of a restarted node, or of a promoted replica: the controller has not published it yet, and a state that
// does not name these slots makes it believe that they never moved.
void RdmaMigrator::showLast() {
  endShowingUnconfirmed();
  bool busy = migrator_->GetMigratingSlotRange().IsValid() || migrator_->GetForbiddenSlotRange().IsValid();
  if (busy || slots_->IsReplica()) return;
  auto given = slots_->LastGiven();
  if (given) given->confirmed && !given->unsure ? show(*given) : showUnconfirmed(*given);
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

// A controller publishes what CLUSTER INFO calls a success.
void RdmaMigrator::show(const RdmaMoved &entry) {
  migrator_->dst_node_ = entry.to;
  migrator_->forbidden_slot_range_ = entry.range;
  shown_range_ = entry.range;
  migrator_->migration_state_ = MigrationState::kSuccess;
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

void RdmaMigrator::OnReset() {
  Forget();
  endShowingUnconfirmed();
  migrator_->forbidden_slot_range_ = SlotRange{-1, -1};
  migrator_->migrate_failed_slot_range_ = SlotRange{-1, -1};
  migrator_->migration_state_ = MigrationState::kNone;
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
