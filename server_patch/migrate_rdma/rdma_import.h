// SPDX-License-Identifier: Apache-2.0
// rdma_import.h — the destination of `migrate-transport haul`.
//
//   HAUL IMPORT, on the source's authenticated connection -> Begin(): checked and marked, under the exclusive guard
//   a thread of ours                                      -> leftovers removed, a haul target listens for this one job,
//                                                            with a secret that only this source gets
//   HAUL ENDPOINT                                         -> Endpoint(): where it listens
//   the source's data connection                          -> libhaul copies, catches up, compares
//   the source has decided                                -> own(): recorded on disk, then the slots are served
//   failure, cancel                                       -> libhaul clears the slots in all column families
//   prepared, and the source is away                      -> it waits, until another source comes (rdma_doubt.cc)
//
// One import at a time, as upstream. Until own() only the source serves the slots: clients are redirected there, even
// with ASKING. A job is known by its name, also after a restart: the files (rdma_state.h, libhaul's journal) let the
// node listen again, so that the source continues where it was, or learns that the slots were taken over.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "cluster/cluster_defs.h"
#include "cluster/slot_import.h"
#include "rdma_address.h"
#include "rdma_links.h"
#include "rdma_options.h"
#include "rdma_report.h"
#include "rdma_secret.h"
#include "rdma_state.h"
#include "rdma_store.h"
#include "status.h"

class Server;

// What a source sends with HAUL IMPORT.
struct RdmaImportRequest {
  SlotRange range;
  int64_t version = -1;      // of the topology that the source knows
  std::string source;        // its id
  std::string job;           // RdmaJobId() of the one to continue; empty: a new job
  std::string arrival_host;  // the address of this node that it has connected to; empty: unknown
};

class RdmaImport {
 public:
  explicit RdmaImport(Server *srv) : srv_(srv) {}
  ~RdmaImport();
  RdmaImport(const RdmaImport &) = delete;
  RdmaImport &operator=(const RdmaImport &) = delete;

  // Start the thread, and resume what an earlier process has left. Before clients are served, after the slots that
  // changed hands are known.
  Status Recover();
  // The topology was set, with FORCE or without. Exclusive guard.
  void OnTopology(bool force);

  // HAUL IMPORT. Exclusive guard. Returns the job's secret, or `job` of the request.
  StatusOr<std::string> Begin(const RdmaImportRequest &request);
  // HAUL ENDPOINT: "preparing", "<port>", or "<port> <host>" if data must go to another address.
  StatusOr<std::string> Endpoint(const std::string &job) const;
  // A state of CLUSTER IMPORT, while an import by haul runs: kImportFailed cancels it, others are refused, but for
  // kImportSuccess of what has been imported. Exclusive guard.
  Status Command(const SlotRange &range, int state);

  bool IsActive() const { return active_; }
  // Does this node own one of the slots, by the topology or because it has taken it over? A guard of the server.
  bool OwnsAnyOf(const SlotRange &range) const;
  // Can table files arrive that the write-ahead log does not have?
  bool IsIngesting() const { return ingesting_; }

  // End the import: the slots are cleared. Returns at once. Thread: any.
  void Cancel(const std::string &reason);
  // An operator gives up a job that waits for its source's decision: HAUL ABANDON. False: no such import. Thread: any.
  bool Abandon(const SlotRange &range);
  // The database is about to be closed: end the import, without any guard of the server, and wait for it. False:
  // `gives_up` ended the wait.
  bool Close(const std::function<bool()> &gives_up);
  void GetInfo(RdmaFields *fields) const { report.Append(fields); }

  RdmaReport report{"import"};
  RdmaLinks links;

 private:
  Status checkRequest(const RdmaImportRequest &request) const;
  StatusOr<std::string> beginWhileActive(const RdmaImportRequest &request);
  Status beginNew(const RdmaImportRequest &request);
  bool isNamed(const std::string &job) const;
  bool isKnown(const std::string &job) const;
  bool hasImported(const SlotRange &range) const;
  int countOwned(const SlotRange &range, const std::vector<std::string> &nodes) const;
  bool isOwnedBy(const SlotRange &range, const std::vector<std::string> &nodes) const;
  void chooseEndpoint(const std::string &arrival_host);
  void cancelWithLock(const std::string &reason);
  void yield();
  bool isEnding() const;

  Status endDoubt();
  void findSource();
  void askSource();
  void abandonWithLock(const std::string &reason);

  void loop();
  void runJob(RdmaState job, bool is_new);
  std::optional<std::string> prepare(RdmaState *job, bool is_new);
  Status tryToPrepare(RdmaState *job, bool is_new);
  bool waitToTryAgain(const std::string &failure);
  Status listen(RdmaState *job);
  Status startTarget(RdmaState *job);
  void publish(const RdmaState &job);
  haul_result waitForEnd(bool is_new);
  bool listenAgain(const haul_result &result);
  void destroyMigration();
  void finish(const haul_result &result);
  void removeLeftOvers(bool force);
  void forgetLeftOvers();
  bool mayBeDecided() const;
  void setEnded(RdmaState *job);
  void setIdle(const std::string &failure);
  std::string statePath() const;
  void markImport(const SlotRange &range, int status);

  haul_status reserve(const haul_reservation &wanted, haul_error *error) const;
  haul_status own(haul_error *error);
  static haul_status onReserve(void *context, const haul_reservation *wanted, haul_error *error);
  static bool onWasOwned(void *context, const uint8_t *job);
  static haul_status onOwn(void *context, uint64_t new_version, haul_error *error);
  static haul_status onVersion(void *context, uint64_t *version, haul_error *error);
  static size_t onAnnotate(void *context, const char *family, haul_slice key, haul_slice value, uint8_t *blob);

  Server *srv_;
  std::atomic<bool> active_ = false;
  std::atomic<bool> cancelled_ = false;
  std::atomic<bool> abandoned_ = false;  // cancelled, even if the source may have decided
  std::atomic<bool> yields_ = false;    // the slots are this node's by the topology: nothing more is written or removed
  std::atomic<bool> closing_ = false;   // take no guard of the server any more
  std::atomic<bool> owned_ = false;     // the job has reached its end
  std::atomic<bool> in_doubt_ = false;  // the source may have decided, and is away
  std::atomic<bool> connected_ = false;  // a source is at work
  std::atomic<bool> ingesting_ = false;

  // Members of the thread.
  std::shared_ptr<RdmaStore> store_;
  std::unique_ptr<RdmaMovingGuard> moving_;
  RdmaKeys keys_{nullptr, haul_keys_destroy};  // of the job

  // Guards what follows. Held for moments, never during disk or network; the server's guards are taken before it.
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  bool stopping_ = false;
  bool is_new_ = false;   // a job of which nothing exists yet
  bool forgets_ = false;  // what an earlier job has left is not to be removed
  bool listens_by_default_ = false;
  RdmaOptions options_;    // as of the beginning of the job
  std::string told_host_;  // the source must send data there; empty: to the host that it has connected to
  // Of the topology by which the source owns the slots. An older one does not count.
  int64_t source_version_ = -1;
  bool asks_ = false;   // in doubt, and another source needs the place: the source is to be asked
  std::string doubt_;   // why the source's answer does not end the doubt
  RdmaAddress source_;  // of the job, by the topology; no host: unknown
  std::chrono::steady_clock::time_point quiet_since_;  // the source is away
  RdmaState job_;                                      // the running job, or the last one
  std::string failure_;                                // why the last job did not listen
  std::string endpoint_;                               // the answer to HAUL ENDPOINT; empty: not yet
  haul_migration *migration_ = nullptr;
  std::thread thread_;
};
