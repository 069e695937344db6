// SPDX-License-Identifier: Apache-2.0
// rdma_state.h — the state that survives a restart: the peer that this node was giving slots to or taking them from,
// and the slots that have changed hands since the topology was last set.
//
// One small file for each role below <db-dir>/haul: "slots-source" and "slots-target". It is replaced whole
// (written aside, synced, renamed, directory synced), so it is either the old or the new one. It lies with the
// database: when a full synchronization replaces the database, the state goes with it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cluster/cluster_defs.h"
#include "status.h"

// Slots that have changed hands: away from this node to `address` (source), or to this node (target). Valid until the
// topology has a newer version than at the hand-over: then the controller's topology counts.
struct RdmaMoved {
  SlotRange range;
  int64_t version = -1;
  std::string address;  // host:port; "-" for the target
};

struct RdmaState {
  std::vector<RdmaMoved> moved;

  // The job, whose progress is in a journal of libhaul's.
  bool moving = false;
  SlotRange range;
  int64_t version = -1;       // of the cluster's topology when the job began
  uint64_t job_version = 0;   // the config version that both sides put into the job
  std::string node;           // source: id of the destination
  std::string host;           // source: of the destination
  int port = 0;               // source: Redis port of the destination
  std::string endpoint;       // source: where the destination listens; target: where it listens
  std::string token;          // hexadecimal
  uint64_t ingest_seq = 0;    // target: the log up to here lacks what was ingested as files; 0: nothing was

  // A missing file is an empty state; a damaged one is an error.
  static StatusOr<RdmaState> Load(const std::string &path);
  Status Store(const std::string &path) const;

  // The job is done: its slots have changed hands.
  void MarkMoved(const std::string &address);
  // Forget slots that a topology of this version covers. True: something was forgotten.
  bool ForgetBefore(int64_t topology_version);
};

std::string RdmaTokenToHex(const std::string &token);
std::string RdmaTokenFromHex(const std::string &hex);  // empty: not hexadecimal
