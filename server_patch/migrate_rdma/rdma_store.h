// SPDX-License-Identifier: Apache-2.0
// rdma_store.h — Kvrocks' storage as libhaul sees it.
//
// libhaul reads and writes through RocksDB's C API. This store gives it handles of that API around the rocksdb::DB that
// engine::Storage has open; it opens nothing twice and closes nothing.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "cluster/cluster_defs.h"
#include "haul/job.h"
#include "haul/log.h"
#include "haul/migration.h"
#include "haul/store.h"
#include "status.h"

class Server;

// Column families whose keys begin with namespace and slot. The others hold scripts, messages and indexes of the
// node itself. "metadata" is copied first: a reader must never find subkeys without it.
inline const char *const kRdmaFamilies[] = {"metadata", "default", "zset_score", "stream"};
inline const char *const kRdmaMetadataFamilies[] = {"metadata"};

class RdmaStore {
 public:
  // The process's only store, while somebody holds it: both roles share the count of ingested files.
  static StatusOr<std::shared_ptr<RdmaStore>> Acquire(Server *srv);
  ~RdmaStore();
  RdmaStore(const RdmaStore &) = delete;
  RdmaStore &operator=(const RdmaStore &) = delete;

  haul_store *Get() const { return store_; }
  const struct haul_log *Log() const { return &log_; }
  // Whether the topology has replicas, set under the server's exclusive guard; connected replicas count as well.
  void SetReplicasExpected(bool expected) { replicas_expected_ = expected; }

 private:
  explicit RdmaStore(Server *srv) : srv_(srv) {}
  Status attach();
  static uint32_t features(void *context);

  Server *srv_;
  haul_store *store_ = nullptr;
  std::atomic<bool> replicas_expected_ = false;
  struct haul_log log_ {};
  struct Handles;
  std::shared_ptr<Handles> handles_;
};

// [first key of the first slot, first key after the last slot) of the default namespace: a cluster has no other.
struct RdmaKeyRange {
  explicit RdmaKeyRange(const SlotRange &slots);
  bool operator==(const haul_range &other) const;
  haul_range Get() const;

  std::string start;
  std::string end;
};

// Does the topology have replicas? They would miss files that are ingested, because these are not in the write-ahead
// log. Call it under a guard of the server.
bool RdmaTopologyHasReplicas(Server *srv);
haul_transport_list RdmaTransports(Server *srv);
haul_lane RdmaLaneMode(Server *srv);
std::string RdmaErrorText(const haul_error &error);
double RdmaRateMb(const haul_progress &progress);
