// SPDX-License-Identifier: Apache-2.0
// rdma_watch.cc — RdmaMigrator after a restart, and its thread: it gives up what was kept too long, and asks and tells
// other nodes about hand-overs that this node knows only from its database.
#include <algorithm>
#include <chrono>

#include "cluster/slot_migrate.h"
#include "rdma_guard.h"
#include "rdma_log.h"
#include "rdma_migrate.h"
#include "server/server.h"
#include "thread_util.h"
#include "time_util.h"

namespace {

constexpr int kAskPauseMs = 100;
constexpr int kAskPauseMaxMs = 60 * 1000;
// A restarted node waits for a topology before it tells a decision. With one that has not changed since, nobody sends
// it.
constexpr uint64_t kHearMs = 10 * 1000;
constexpr int kWatchMs = 500;

}  // namespace

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
    showFailed(handOver());
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
  int pause_ms = kAskPauseMs;
  int ask_pause_ms = kAskPauseMs;
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
      ask_pause_ms = all ? kAskPauseMs : std::min(2 * ask_pause_ms, kAskPauseMaxMs);
      ask_at = util::GetTimeStampMS() + ask_pause_ms;
    }
    bool quiet = !moving_ && !untold_ && !tell_only_ && !slots_->IsReplica();
    if (quiet && now >= announce_at) {
      bool all = true;
      for (const auto &entry : slots_->ToAnnounce()) all = announce(entry) && all;
      pause_ms = all ? kAskPauseMs : std::min(2 * pause_ms, kAskPauseMaxMs);
      announce_at = util::GetTimeStampMS() + pause_ms;
    }
    lock.lock();
  }
}

// A record of slots that were taken over, from another time of the topology: only their owner knows whether it holds.
// False: it did not say.
bool RdmaMigrator::ask(const RdmaMoved &entry) {
  auto answer = askNode(
      entry, {"haul", "given", entry.range.String(), entry.job, std::to_string(slots_->Version()), slots_->MyId()});
  if (!answer) {
    RDMA_WARN("[import] Cannot ask {} about slot(s) {}: {}", entry.address, entry.range.String(), answer.Msg());
    return false;
  }
  bool given = *answer == "+haul given";
  if (!given && *answer != "+haul unknown") {
    RDMA_WARN("[import] {} does not say yet whether it gave slot(s) {}: {}", entry.address, entry.range.String(),
              *answer);
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
