// SPDX-License-Identifier: Apache-2.0
// rdma_report.h — what INFO migration and CLUSTER INFO show of one side: the running job and the last one.
//
// The thread of a job calls Begin(), Update() every poll, and End(). INFO reads what they have left here: a command
// never waits for a job, its locks, the network or the disk.
#pragma once

#include <atomic>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "cluster/cluster_defs.h"
#include "haul/migration.h"

using RdmaFields = std::vector<std::pair<std::string, std::string>>;

// On one line of INFO.
std::string RdmaOneLine(std::string text);

// Bytes a second over the last seconds, by figures that come at any intervals.
class RdmaRate {
 public:
  void Note(double seconds, uint64_t bytes);
  double BytesPerSecond() const { return rate_; }

 private:
  double seconds_ = 0;
  uint64_t bytes_ = 0;
  double rate_ = 0;
};

// Thread: any.
class RdmaReport {
 public:
  // `side`: the prefix of all names, "migrate" or "import".
  explicit RdmaReport(std::string side) : side_(std::move(side)) {}
  RdmaReport(const RdmaReport &) = delete;
  RdmaReport &operator=(const RdmaReport &) = delete;

  // `peer`: the id of the other node.
  void Begin(const SlotRange &slots, const std::string &peer);
  haul_phase Update(haul_migration *migration);
  // `owned`: the destination owns the slots, whatever became of the last message.
  void End(const haul_result &result, bool owned);
  // A job that never began.
  void Refuse(const SlotRange &slots, const std::string &peer, const std::string &error);

  // The fields of INFO migration.
  void Append(RdmaFields *fields) const;
  // The fields of CLUSTER INFO: only of a running job.
  void AppendProgress(RdmaFields *fields) const;

 private:
  std::string name(const char *field) const { return side_ + "_" + field; }
  void appendRunning(RdmaFields *fields) const;

  const std::string side_;
  mutable std::mutex mutex_;  // guards what follows, for moments; taken last
  bool runs_ = false;
  SlotRange slots_;
  std::string peer_;
  haul_progress progress_{};
  RdmaRate rate_;
  RdmaFields last_;
};
