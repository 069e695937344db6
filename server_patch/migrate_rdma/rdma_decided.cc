// SPDX-License-Identifier: Apache-2.0
// rdma_decided.cc — RdmaMigrator's jobs that were decided and not confirmed, and what libhaul's journals say of jobs.
#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>

#include "cluster/slot_migrate.h"
#include "rdma_guard.h"
#include "rdma_log.h"
#include "rdma_migrate.h"
#include "rdma_peer.h"
#include "rdma_question.h"
#include "server/server.h"
#include "time_util.h"

namespace {

constexpr uint32_t kPollMs = 50;
constexpr uint32_t kResolveRetryMs = 5 * 1000;
constexpr int kTellPauseMs = 100;
constexpr int kTellPauseMaxMs = 60 * 1000;

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
    auto address = GET_OR_RET(entry.Address());
    job_.host = address.host;  // it may have moved since
    job_.port = address.port;
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

// One command to the node at the entry's address. Its answer is one line.
StatusOr<std::string> RdmaMigrator::askNode(const RdmaMoved &entry, const std::vector<std::string> &words) {
  auto address = GET_OR_RET(entry.Address());
  return RdmaAskNode(srv_, address, words, [this] { return isLeaving(); });
}

StatusOr<RdmaMigrator::Confirmation> RdmaMigrator::askConfirmed(const RdmaMoved &entry) {
  auto answer = GET_OR_RET(askNode(entry, {"haul", "confirm", entry.range.String(), entry.job, slots_->MyId()}));
  if (answer == "+haul taken") return Confirmation::kTaken;
  if (answer == "+haul unknown") return Confirmation::kUnknown;
  if (answer == "+haul over") return Confirmation::kOver;
  return {Status::NotOK, fmt::format("{} answers {}", entry.address, answer)};
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
  GET_OR_RET(fillOptions(&options));
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
  trust_.reset();
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
