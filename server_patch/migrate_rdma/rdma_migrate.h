// SPDX-License-Identifier: Apache-2.0
// rdma_migrate.h — the source of `migrate-transport haul`: the work of SlotMigrator's state machine in its stages.
//
//   kStart     Negotiate(): HAUL IMPORT on the authenticated connection; an unknown command means a destination
//              without the patch, and upstream's migration takes over
//   kSnapshot  Step(): the whole job by libhaul; its hooks forbid writes to the slots, allow them, or hand them over
//   kFailed    Step(): the destination needs no further message
//
// One record in libhaul's journal decides the hand-over. After it this node answers MOVED for the slots, also after a
// restart, and repeats the decision until the destination has confirmed (confirm(), resolve()). Before it the slots
// stay here.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "cluster/cluster_defs.h"
#include "rdma_options.h"
#include "rdma_state.h"
#include "rdma_store.h"
#include "status.h"

class Server;
class SlotMigrator;

class RdmaMigrator {
 public:
  RdmaMigrator(Server *srv, SlotMigrator *migrator);
  ~RdmaMigrator();
  RdmaMigrator(const RdmaMigrator &) = delete;
  RdmaMigrator &operator=(const RdmaMigrator &) = delete;

  // Resume what an earlier process has left. Call it before clients are served.
  Status Recover();
  // The topology has changed, under the exclusive guard. Slots that were handed over under this topology, or a newer
  // one, are put (back) into the cluster's record.
  void OnTopology(int64_t version, std::map<int, std::string> *migrated_slots);

  // Do the stage that SlotMigrator is in, and set the next one. False: the stage is upstream's.
  bool Step();
  // False: this job is upstream's, by configuration or because the destination does not know the command.
  StatusOr<bool> Negotiate(int fd);
  // The database is about to be closed.
  void StopResolving();
  // Are writes to the slots forbidden, or was the hand-over decided and not yet confirmed?
  bool IsHandingOver() const { return frozen_ || resolving_; }
  void GetInfo(RdmaFields *fields);

 private:
  std::string statePath() const;
  StatusOr<bool> agree(int fd);
  StatusOr<bool> askEndpoint(int fd, RdmaState *state);
  Status askAgain();
  void fillOptions(haul_source_options *options);
  Status run();
  haul_result waitForEnd(haul_migration *migration);
  Status conclude(haul_result result);
  void startResolving();
  void resolve();
  bool confirm();
  bool tellDecision();
  bool isStopping() const;
  bool isUnwanted() const;

  haul_status freeze(uint32_t deadline_ms, haul_error *error);
  void unfreeze();
  void release();

  Server *srv_;
  SlotMigrator *migrator_;
  bool by_haul_ = false;  // the job of SlotMigrator's thread
  std::atomic<bool> frozen_ = false;
  std::atomic<bool> released_ = false;
  std::atomic<bool> resolving_ = false;
  std::atomic<bool> stopping_ = false;
  std::thread resolver_;

  std::string token_;
  std::string to_;
  RdmaKeyRange keys_{SlotRange(0, 0)};
  haul_range range_{};

  std::mutex mutex_;  // guards what follows
  RdmaState state_;
  haul_migration *migration_ = nullptr;
  RdmaFields last_info_;
};
