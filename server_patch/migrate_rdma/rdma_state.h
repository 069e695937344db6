// SPDX-License-Identifier: Apache-2.0
// rdma_state.h — the running job of a node, so that a restart does not lose it.
//
// One small file for each role below <db-dir>/haul, beside libhaul's journals: "slots-source" and "slots-target". It is
// replaced whole (written aside, synced, renamed, directory synced), so it is either the old or the new one. The token
// of the job must never reach the database: replicas, backups and the log of the database are read by others. What has
// changed hands is in the database (rdma_slots.h).
#pragma once

#include <cstdint>
#include <string>

#include "cluster/cluster_defs.h"
#include "status.h"

struct RdmaState {
  bool moving = false;  // is there a job? Its progress is in a journal of libhaul's
  SlotRange range;
  uint64_t job_version = 0;  // of the topology when the job began; both sides put it into the job
  std::string node;          // id of the other node
  std::string host;          // source: of the destination
  int port = 0;              // source: Redis port of the destination
  std::string endpoint;      // source: where the destination listens; target: where it listens
  std::string token;         // rdma_secret.h; kept after the end, for a lost last message
  bool ingest = false;       // target: the job may ingest files, which the log then lacks

  // A missing file is an empty state. The error of a damaged one names the file and what to do.
  static StatusOr<RdmaState> Load(const std::string &path);
  Status Store(const std::string &path) const;
};
