// SPDX-License-Identifier: Apache-2.0
// rdma_migrate.h — the source of `migrate-transport haul`: it does the work of SlotMigrator's state machine.
//
//   start()   agree with the destination (rdma_question.h); one without haul gets upstream's migration
//   run()     the job by libhaul; its hooks forbid writes to the slots, allow them, or hand the slots over
//   tell()    the decision is durable, the destination has not confirmed it: tell it until it has
//
// One record in libhaul's journal decides the hand-over. Before it the slots stay here. After it this node answers
// MOVED for them (rdma_slots.h), also after a restart, and CLUSTER INFO says `start` until the destination has
// confirmed, and then `success`: never `fail`. tell() ends as well when the topology knows better, when this node has
// become a replica, and by HAUL ABANDON. The one way back: the destination was replaced before it took the slots
// over, and its successor says that it knows nothing of them.
//
// A job that broke off before the decision is kept for ten minutes: the next MIGRATE of the same slots to the same node
// continues it. A restarted node continues nothing by itself. A destination that was prepared cannot end such a job
// alone, and asks (HAUL OUTCOME) when it needs the place: the job is then given up at once.
#pragma once

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "cluster/cluster_defs.h"
#include "rdma_options.h"
#include "rdma_probe.h"
#include "rdma_queue.h"
#include "rdma_rate.h"
#include "rdma_report.h"
#include "rdma_secret.h"
#include "rdma_slots.h"
#include "rdma_state.h"
#include "rdma_store.h"
#include "status.h"

class Server;
class SlotMigrator;
class SyncMigrateContext;
struct RdmaQuestion;

class RdmaMigrator {
 public:
  RdmaMigrator(Server *srv, SlotMigrator *migrator, RdmaSlots *slots);
  ~RdmaMigrator();
  RdmaMigrator(const RdmaMigrator &) = delete;
  RdmaMigrator &operator=(const RdmaMigrator &) = delete;

  // Look at what an earlier process has left, after RdmaSlots has. Before clients are served.
  Status Recover();
  // The topology was set, and RdmaSlots knows it. Exclusive guard.
  void OnTopology();
  // CLUSTER RESET. Exclusive guard.
  void OnReset();
  // The database is about to be replaced, and with it the files: forget the kept job. WaitNoMigrateProcessing() has
  // ended the running one.
  void Forget();
  // Before the server's members are destroyed.
  void StopWatching();

  // CLUSTERX MIGRATE, before upstream's checks of the slots. Nothing: let these go on. A guard of the server.
  std::optional<Status> Migrate(const SlotRange &range, const std::string &node, SyncMigrateContext *context);
  // End the job of these slots if it is not decided yet. A guard of the server.
  Status Cancel(const SlotRange &range);
  // HAUL OUTCOME, from a destination that is prepared: what became of this job? "haul decided": it was
  // handed over. "haul void": it was not, and never will be, also after a restart. TRYAGAIN: it is still open; if it is
  // only kept, it is being given up. A guard of the server.
  StatusOr<std::string> Outcome(const std::string &job);
  // HAUL ABANDON, after RdmaSlots has forgotten the slots: end what belongs to them. Exclusive guard. True: there was.
  bool Abandon(const SlotRange &range);

  // Refuse writes to slots that the topology has given to this node, until their import has ended. Exclusive guard.
  void ForbidWrites(const SlotRange &range);
  void AllowWrites();

  // The thread of SlotMigrator, at each stage of a job: do the whole job. False: the stage is upstream's.
  bool Step();

  // Are writes to the slots forbidden, or was the hand-over decided and not yet confirmed?
  bool IsHandingOver() const { return frozen_ || telling_ || announcing_; }
  // Does a job of this node read the log of the database?
  bool IsMoving() const { return moving_; }
  // Has the last migration of this node succeeded?
  bool HasSucceeded() const;
  void GetInfo(RdmaFields *fields);
  // Of a replica, for CLUSTER INFO: its master's job, or its last hand-over that the topology does not show. A guard of
  // the server.
  std::string InfoOfReplica() const;

  RdmaReport report{"migrate"};
  RdmaQueue queue;
  RdmaProbe probe;

 private:
  enum class Left { kNothing, kUndecided, kDecided };
  enum class Confirmation { kTaken, kUnknown, kOver };  // an answer to HAUL CONFIRM

  std::string statePath() const;
  bool isStopping() const;
  bool isUnwanted() const;
  bool isLeaving() const;
  void pause(int ms) const;

  StatusOr<bool> start();
  Status beginWatch();
  StatusOr<bool> agree(const std::optional<RdmaState> &kept);
  RdmaQuestion question(const RdmaState &job);
  Status run();
  Status fillOptions(haul_source_options *options);
  Status runOnce(haul_result *result);
  void waitForEnd(haul_migration *migration);
  void askWhetherEnded();
  Status conclude(haul_result *result);
  Status settle(haul_result *result);
  void logEnd(const haul_result &result);
  void end(const Status &result);
  void cleanAndAnswer(const Status &result);

  Status tell();
  void waitToTell(int ms);
  Status tellOnce();
  Status takeBack(Confirmation answer);
  StatusOr<std::string> askNode(const RdmaMoved &entry, const std::vector<std::string> &words);
  StatusOr<Confirmation> askConfirmed(const RdmaMoved &entry);
  Status resolve();
  void confirmed();

  static Status refuseGiven(const RdmaMoved &given);
  Status lookAtJobs(Left *left) const;
  Status endJobs(bool decided);
  Status forgetJobs();
  bool openToken(const std::string &token);
  void closeToken(const std::string &token);
  void keep(const RdmaState &state);
  void keepFor(const RdmaState &state, uint64_t ms, const std::string &end);
  void endKept(const std::string &reason);
  Status giveUp(const RdmaState &kept, const std::string &reason);
  void giveUpOutdated();
  Status readOptions();
  void setWorking(bool works);
  std::optional<RdmaState> takeKept();
  void storeState(bool moving);

  std::string whyNotAnyMore() const;
  void releaseForbidden();
  void recoverDecided();
  void beginTelling();
  void watch();
  bool announce(const RdmaMoved &entry);
  bool ask(const RdmaMoved &entry);
  void showLast();
  void show(const RdmaMoved &entry);
  void showUnconfirmed(const RdmaMoved &entry);
  void showFailed(const RdmaMoved &entry);
  void endShowingUnconfirmed();
  void showNothing();

  haul_status freeze(uint32_t deadline_ms, haul_error *error);
  void unfreeze();
  RdmaMoved handOver() const;
  void release();

  Server *srv_;
  SlotMigrator *migrator_;
  RdmaSlots *slots_;
  std::atomic<bool> frozen_ = false;
  std::atomic<bool> released_ = false;
  std::atomic<bool> telling_ = false;
  std::atomic<bool> announcing_ = false;  // a predecessor's hand-over is shown as a running job until announce() ends
  std::atomic<bool> moving_ = false;
  std::atomic<SlotRange> shown_range_ = SlotRange{-1, -1};       // of the last success
  std::atomic<SlotRange> import_range_ = SlotRange{-1, -1};      // of ForbidWrites()
  std::atomic<SlotRange> forbidden_before_ = SlotRange{-1, -1};  // what it has replaced
  std::atomic<bool> lost_ = false;       // the slots of the running job are no longer this node's, or it was cancelled
  std::atomic<bool> untold_ = false;     // a decision of an earlier process waits for beginTelling()
  std::atomic<bool> tell_only_ = false;  // the next job of SlotMigrator's thread is that decision

  // Of SlotMigrator's thread, and of libhaul's hooks while it waits for them.
  RdmaState job_;
  std::string job_id_;
  bool taken_back_ = false;
  RdmaKeys trust_{nullptr, haul_keys_destroy};  // of the job
  std::string to_;
  RdmaOptions options_;  // as of the beginning of the job
  RdmaRateLimit rate_;
  RdmaKeyRange keys_{SlotRange(0, 0)};
  haul_range range_{};

  bool was_replica_ = false;  // by the topology before the last one. Exclusive guard
  uint64_t started_ms_ = 0;
  std::thread watcher_;

  std::mutex give_up_mutex_;  // giving the kept job up, or taking it; before mutex_, and during writes to the disk

  mutable std::mutex mutex_;  // guards what follows, for moments; taken after the guards, before RdmaSlots' mutex
  std::condition_variable wake_;
  bool stopping_ = false;
  bool works_ = false;  // SlotMigrator's thread is in Step()
  haul_migration *migration_ = nullptr;
  bool watches_ = false;  // the topology must not take away what follows
  SlotRange running_range_;
  std::string running_node_;
  std::string lost_reason_;  // why the running job has been ended from outside; empty: by a command
  std::optional<RdmaState> kept_;
  uint64_t kept_until_ms_ = 0;
  std::unique_ptr<RdmaMovingGuard> kept_guard_;
  std::string kept_end_;               // why it is given up when its time is over
  std::string open_token_;             // of the job that may still be decided; statePath() has it, too
  std::set<std::string> void_jobs_;    // those about which Outcome() has answered so
  std::string doubt_;                  // why the owner of the running job's slots is unknown here
};
