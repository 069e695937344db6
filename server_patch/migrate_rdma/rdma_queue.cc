// SPDX-License-Identifier: Apache-2.0
#include "rdma_queue.h"

#include <algorithm>
#include <chrono>

#include "cluster/cluster.h"
#include "cluster/slot_migrate.h"
#include "fmt/format.h"
#include "rdma_log.h"
#include "rdma_migrate.h"
#include "server/server.h"
#include "string_util.h"
#include "thread_util.h"

namespace {
constexpr auto kPoll = std::chrono::milliseconds(20);
}  // namespace

void RdmaQueue::Stop() {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    drop("the server stops");
  }
  if (thread_.joinable()) thread_.join();
}

Status RdmaQueue::Begin(const std::vector<SlotRange> &ranges, const std::string &node) {
  std::lock_guard<std::mutex> begin_lock(begin_mutex_);
  for (size_t i = 0; i < ranges.size(); i++) {
    for (size_t j = 0; j < i; j++) {
      if (ranges[i].HasOverlap(ranges[j])) {
        return {Status::NotOK, fmt::format("slot(s) {} and {} overlap", ranges[j].String(), ranges[i].String())};
      }
    }
  }
  GET_OR_RET(srv_->cluster->MigrateSlotRange(ranges.front(), node));
  std::unique_lock<std::mutex> lock(mutex_);
  for (size_t i = 1; i < ranges.size(); i++) entries_.push_back({ranges[i], node});
  if (runs_ || entries_.empty()) return Status::OK();
  runs_ = true;
  lock.unlock();
  return startThread();
}

// With begin_mutex_ held.
Status RdmaQueue::startThread() {
  if (thread_.joinable()) thread_.join();  // it has found nothing to do, and takes no guard any more
  auto thread = util::CreateThread("slot-queue", [this] { run(); });
  if (!thread) {
    std::lock_guard<std::mutex> lock(mutex_);
    runs_ = false;
    drop(thread.Msg());
    return thread.ToStatus();
  }
  thread_ = std::move(*thread);
  return Status::OK();
}

Status RdmaQueue::Cancel(const SlotRange &range) {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    auto waiting = std::find_if(entries_.begin(), entries_.end(), [&](const Entry &e) { return e.range == range; });
    if (waiting != entries_.end()) {
      entries_.erase(waiting);
      return Status::OK();
    }
  }
  return srv_->slot_migrator->rdma->Cancel(range);
}

std::string RdmaQueue::Waiting() const {
  std::lock_guard<std::mutex> lock(mutex_);
  return util::StringJoin(
      entries_, [](const Entry &entry) { return entry.range.String(); }, " ");
}

void RdmaQueue::run() {
  while (true) {
    std::this_thread::sleep_for(kPoll);
    {
      std::lock_guard<std::mutex> lock(mutex_);
      if (entries_.empty()) {
        runs_ = false;
        return;
      }
    }
    if (!srv_->slot_migrator->GetMigratingSlotRange().IsValid()) beginNext();
  }
}

// As the command would.
void RdmaQueue::beginNext() {
  auto concurrency = srv_->WorkConcurrencyGuard();
  std::lock_guard<std::mutex> lock(mutex_);
  if (entries_.empty()) return;
  if (!srv_->slot_migrator->rdma->HasSucceeded()) return drop("the migration before them did not succeed");
  auto next = entries_.front();
  entries_.pop_front();
  if (auto s = srv_->cluster->MigrateSlotRange(next.range, next.node); !s) {
    drop(fmt::format("slot(s) {} cannot be migrated: {}", next.range.String(), s.Msg()));
  }
}

void RdmaQueue::drop(const std::string &reason) {
  for (const auto &entry : entries_) {
    RDMA_WARN("[migrate] Slot(s) {} are not migrated: {}", entry.range.String(), reason);
  }
  entries_.clear();
}
