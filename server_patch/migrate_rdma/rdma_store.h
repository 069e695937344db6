// SPDX-License-Identifier: Apache-2.0
// rdma_store.h — Kvrocks' storage as libhaul sees it.
//
// haul/rocksdb.hpp makes a store of the rocksdb::DB that engine::Storage has open. Nothing is opened twice, and nothing
// is closed.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cluster/cluster_defs.h"
#include "haul/job.h"
#include "haul/log.h"
#include "haul/migration.h"
#include "haul/rocksdb.hpp"
#include "haul/store.h"
#include "rdma_filter.h"
#include "rdma_options.h"
#include "status.h"

class Server;

// Column families whose keys begin with namespace and slot. "metadata" is copied first: a reader must never find
// subkeys without it.
inline const char *const kRdmaFamilies[] = {"metadata", "default", "zset_score", "stream"};
inline const char *const kRdmaMetadataFamilies[] = {"metadata"};
// Families of the node itself: messages, scripts, indexes. A family in neither list is of a later Kvrocks, and nothing
// is moved until somebody has decided where it belongs.
inline const char *const kRdmaFamiliesOfNode[] = {"pubsub", "propagate", "search", "index"};

// Is it one of kRdmaFamilies?
bool RdmaHoldsSlots(std::string_view family);

class RdmaStore {
 public:
  // The process's only store, while somebody holds it: both roles share the count of ingested files.
  static StatusOr<std::shared_ptr<RdmaStore>> Acquire(Server *srv);
  ~RdmaStore() = default;
  RdmaStore(const RdmaStore &) = delete;
  RdmaStore &operator=(const RdmaStore &) = delete;

  haul_store *Get() const { return store_.get(); }
  const struct haul_log *Log() const { return &log_; }
  // Whether the topology has replicas, set under the server's exclusive guard; connected replicas count as well.
  void SetReplicasExpected(bool expected) { replicas_expected_ = expected; }

 private:
  explicit RdmaStore(Server *srv) : srv_(srv) {}
  Status attach();
  static uint32_t features(void *context);
  static size_t logData(void *context, uint8_t *blob);

  Server *srv_;
  haul::rocks_store store_;
  rocksdb::DB *db_ = nullptr;  // of store_
  std::atomic<bool> replicas_expected_ = false;
  struct haul_log log_ {};
};

// [first key of the first slot, first key after the last slot) of the default namespace: a cluster has no other.
struct RdmaKeyRange {
  explicit RdmaKeyRange(const SlotRange &slots);
  bool operator==(const haul_range &other) const;
  haul_range Get() const;

  std::string start;
  std::string end;
};

// The keys of "index" carry no slot, so they cannot move with their slots. Kvrocks writes none in cluster mode; what a
// standalone node wrote (TS.CREATE with LABELS) must not be left behind.
Status RdmaCheckIndexes(Server *srv);

// Does the topology have replicas? They would miss files that are ingested, because these are not in the write-ahead
// log. Call it under a guard of the server.
bool RdmaTopologyHasReplicas(Server *srv);
haul_transport_list RdmaTransports(const RdmaOptions &options);
haul_lane RdmaLaneMode(const RdmaOptions &options);
haul_wire RdmaWireMode(const RdmaOptions &options);
std::string RdmaErrorText(const haul_error &error);
double RdmaRateMb(const haul_progress &progress);
