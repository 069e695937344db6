// SPDX-License-Identifier: Apache-2.0
// rdma_import.h — the destination of `migrate-transport haul`.
//
//   HAUL IMPORT, on the source's authenticated connection -> Begin: a haul target that listens for this one job,
//                                                            with a token that only this source gets
//   the source's data connection                          -> libhaul copies, catches up, compares
//   the source has decided                                -> own(): imported on disk, then the slots are served
//   failure, cancel, role change                          -> libhaul clears the slots in all column families
//
// One import at a time, as upstream. Until own() only the source serves the slots: clients are redirected there, even
// with ASKING. The files (rdma_state.h, libhaul's journal) let a restarted node listen again with the same token, so
// that the source continues where it was.
#pragma once

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "cluster/cluster_defs.h"
#include "cluster/slot_import.h"
#include "rdma_options.h"
#include "rdma_state.h"
#include "rdma_store.h"
#include "status.h"

class Server;

// A state of CLUSTER IMPORT that no client can set.
constexpr int kImportByRdma = kImportNone + 1;

class RdmaImport {
 public:
  explicit RdmaImport(Server *srv);
  ~RdmaImport();
  RdmaImport(const RdmaImport &) = delete;
  RdmaImport &operator=(const RdmaImport &) = delete;

  // Resume what an earlier process has left. Call it before clients are served.
  Status Recover();
  // The topology has changed: it now covers what was imported under an older one.
  void OnTopology(int64_t version);

  // A state of CLUSTER IMPORT, under the exclusive guard: kImportByRdma begins an import; while one runs, kImportFailed
  // cancels it and every other state is refused.
  Status Command(const SlotRange &range, int state);
  bool IsActive() const { return active_; }
  // The endpoint of the import that Command() has begun; host "": the address that the source has connected to.
  void GetEndpoint(std::string *host, int *port, std::string *token);
  void SetJobVersion(uint64_t version) { wanted_version_ = version; }

  // End the import: the slots are cleared. Returns at once; WaitIdle() waits for the end.
  void Cancel(const std::string &reason);
  void WaitIdle();

  // Would a replica that continues at this sequence number miss ingested files?
  bool IsBehindIngest(uint64_t next_seq) const { return next_seq <= ingest_seq_; }
  void GetInfo(RdmaFields *fields);

 private:
  Status begin(const SlotRange &range);
  bool hasTaken(const SlotRange &range) const;
  Status listen(std::string *address);
  Status startTarget();
  void run();
  haul_result waitForEnd();
  bool listenAgain(const haul_result &result);
  void finish(const haul_result &result);
  void giveUpLeftOver();
  std::string statePath() const;
  void markImport(const SlotRange &range, int status);

  haul_status reserve(const haul_reservation &wanted, haul_error *error);
  haul_status own(haul_error *error);
  static haul_status onReserve(void *context, const haul_reservation *wanted, haul_error *error);
  static bool onWasOwned(void *context, const uint8_t *job);
  static haul_status onOwn(void *context, uint64_t new_version, haul_error *error);
  static haul_status onVersion(void *context, uint64_t *version, haul_error *error);

  Server *srv_;
  std::atomic<bool> active_ = false;
  std::atomic<bool> cancelled_ = false;
  std::atomic<bool> owned_ = false;  // the running job has reached its end
  std::atomic<uint64_t> ingest_seq_ = 0;
  uint64_t wanted_version_ = 0;  // under the exclusive guard
  bool may_ingest_ = false;

  std::mutex mutex_;  // guards the members below; the server's guards are taken before it or not at all
  std::condition_variable idle_;
  std::thread thread_;
  RdmaState state_;
  std::shared_ptr<RdmaStore> store_;
  haul_migration *migration_ = nullptr;
  std::unique_ptr<RdmaMovingGuard> moving_;
  std::string token_;
  std::string last_info_;
};
