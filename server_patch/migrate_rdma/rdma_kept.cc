// SPDX-License-Identifier: Apache-2.0
// rdma_kept.cc — RdmaMigrator's jobs that broke off before the decision: kept for a while, and given up for good.
//
// A job can be decided only with its token, which statePath() keeps from one process to the next. So whoever has made
// statePath() forget a token may answer that the job is void.
#include "cluster/slot_migrate.h"
#include "rdma_log.h"
#include "rdma_migrate.h"
#include "server/server.h"
#include "time_util.h"

namespace {

constexpr uint64_t kKeepMs = 10 * 60 * 1000;
constexpr uint64_t kGiveUpPauseMs = 5 * 1000;  // after the disk has refused it

}  // namespace

void RdmaMigrator::keep(const RdmaState &state) {
  RDMA_INFO("[migrate] The job of slot(s) {} is kept for {} minutes: the same MIGRATE continues it",
            state.range.String(), kKeepMs / 60000);
  std::lock_guard<std::mutex> lock(mutex_);
  keepFor(state, kKeepMs, "nobody continued it");
}

// With mutex_.
void RdmaMigrator::keepFor(const RdmaState &state, uint64_t ms, const std::string &end) {
  kept_ = state;
  kept_until_ms_ = util::GetTimeStampMS() + ms;
  kept_end_ = end;
  kept_guard_ = std::make_unique<RdmaMovingGuard>();
}

// With mutex_: the thread of watch() gives it up.
void RdmaMigrator::endKept(const std::string &reason) {
  kept_until_ms_ = 0;
  kept_end_ = reason;
  wake_.notify_all();
}

std::optional<RdmaState> RdmaMigrator::takeKept() {
  std::lock_guard<std::mutex> lock(mutex_);
  auto kept = kept_;
  kept_.reset();
  kept_guard_.reset();
  return kept;
}

// Until it succeeds, the job stays kept, and its destination is told that it is open.
Status RdmaMigrator::giveUp(const RdmaState &kept, const std::string &reason) {
  RDMA_INFO("[migrate] Give up the kept job of slot(s) {}: {}", kept.range.String(), reason);
  auto database = srv_->storage->ReadLockGuard();
  auto s = slots_->IsReplica() || srv_->storage->IsClosing() ? forgetJobs() : endJobs(false);
  auto over = kept;
  over.moving = false;
  if (s) s = over.Store(statePath());
  if (s) {
    closeToken(kept.token);
    return s;
  }
  RDMA_WARN("[migrate] The job of slot(s) {} cannot be given up yet: {}", kept.range.String(), s.Msg());
  std::lock_guard<std::mutex> lock(mutex_);
  keepFor(kept, kGiveUpPauseMs, reason);
  return s;
}

// The next migration waits for the end of this: it writes the same files, and giving up ends every undecided job.
void RdmaMigrator::giveUpOutdated() {
  std::lock_guard<std::mutex> one(give_up_mutex_);
  std::string reason;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    reason = slots_->IsReplica() ? "this node is a replica now" : kept_end_;
  }
  auto kept = takeKept();
  if (kept) (void)giveUp(*kept, reason);  // if that fails, it is due again soon
}

// --- the token -----------------------------------------------------------------------------------------------------

// Before anything of the job can be decided. False: its destination was answered that this token is void.
bool RdmaMigrator::openToken(const std::string &token) {
  std::lock_guard<std::mutex> lock(mutex_);
  if (void_jobs_.count(RdmaJobId(token)) > 0) return false;
  open_token_ = token;
  return true;
}

// After statePath() has forgotten the token: nobody can decide the job any more, not even a later process. If it was
// decided, RdmaSlots has it by now.
void RdmaMigrator::closeToken(const std::string &token) {
  std::lock_guard<std::mutex> lock(mutex_);
  if (open_token_ == token) open_token_.clear();
}

StatusOr<std::string> RdmaMigrator::Outcome(const std::string &job) {
  if (slots_->IsReplica() || slots_->Version() < 0) {
    return {Status::RedisTryAgain, "this node is a replica, or does not know the topology yet"};
  }
  std::lock_guard<std::mutex> lock(mutex_);
  // Looked at first: what is closed is in RdmaSlots, or was not decided.
  bool open = !open_token_.empty() && job == RdmaJobId(open_token_);
  if (slots_->WasGiven(job)) return std::string("haul decided");
  if (!open) {
    void_jobs_.insert(job);
    return std::string("haul void");
  }
  if (kept_ && RdmaJobId(kept_->token) == job) endKept("the destination needs the place");
  return {Status::RedisTryAgain, "the job is not over yet"};
}
