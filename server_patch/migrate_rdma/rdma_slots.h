// SPDX-License-Identifier: Apache-2.0
// rdma_slots.h — the slots that have changed hands by libhaul and that the topology does not know of yet.
//
//   given  this node, or the master that this node has succeeded, handed them over: they answer MOVED here
//   taken  this node, or the master that this node has succeeded, took them over: they are served here
//
// Both lists are in the database (column family "propagate", keys "haul.given" and "haul.taken"), so replicas, backups
// and checkpoints have them, and a full synchronization replaces them with the rest. A third key, "haul.moving", names
// the slots of the job that runs: only to show it on replicas, and after the node's end. Every change of the topology
// is compared with them. What it does with a slot depends on the owner that the topology names:
//
//   given  this node: the topology does not know of the hand-over, the slot keeps answering MOVED
//          another node: it knows, the entry ends
//   taken  this node: it knows, the entry ends
//          the node that gave it: it does not know, the slot stays in service
//          a third node, as after a failover of the giver: the slot is out of service, its data stays. ConfirmTaken()
//          puts it back: that node has the record, too
//
// A topology counts if its version is newer than that of the hand-over: the newest that one of the two nodes knew then.
// The taker's may have been older than the giver's (RdmaImport::checkRequest()), so one between the two may still come
// to the taker. By such a one a third node owned the slots before the giver did, which does not suspend them. If it
// names the taker, it ends the entry nevertheless: the slots cannot have gone back to the giver without the taker, so
// versions were counted at each node apart (CLUSTERX SETSLOT at one node after the other), and the taker owns them by
// the only topology that it has. FORCE ends everything.
//
// A topology that ends an entry may be lost again: Kvrocks takes it into memory first, and nodes.conf may not be
// writable, or the node be killed in between, or somebody puts an older nodes.conf in its place. So what a topology has
// ended is kept (key "haul.settled", the newest 256 ranges), and counts again if the node starts under an older one.
//
// A record can outlive its truth: a backup, a copy of the database and a replica that lost its master have it, and have
// not seen what the topology did since. So what is read from the database counts at once only under the topology that
// it was written in. Under a newer one, taken slots are out of service until the owner by the topology says that it
// gave them (HAUL GIVEN, asked by RdmaMigrator's watch), and given slots answer MOVED while HAUL CONFIRM asks the
// taker.
#pragma once

#include <atomic>
#include <condition_variable>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "cluster/cluster_defs.h"
#include "rdma_address.h"
#include "rdma_moved.h"
#include "status.h"

class Server;

// Thread: any, unless a comment names a guard of the server that the caller holds. `no guard` means that the caller
// holds none: the call takes them.
class RdmaSlots {
 public:
  explicit RdmaSlots(Server *srv) : srv_(srv) {}
  ~RdmaSlots();
  RdmaSlots(const RdmaSlots &) = delete;
  RdmaSlots &operator=(const RdmaSlots &) = delete;

  // Read the lists, put their slots into the cluster's record, start the thread that stores changes. Before clients
  // are served.
  Status Recover();
  // The topology was set. Exclusive guard.
  void OnTopology(bool force);
  // CLUSTER RESET: forget everything. Exclusive guard.
  void OnReset();
  // Of the last topology, for threads that hold no guard.
  bool IsReplica() const { return is_replica_; }
  int64_t Version() const { return version_; }
  std::string MyId() const;
  // Of the node with this id. A guard of the server.
  StatusOr<RdmaAddress> AddressOf(const std::string &node) const;

  // --- the giver ---
  // The slots answer MOVED from now on; sets `version`. Exclusive guard. Store() must follow, without the guard.
  void AddGiven(RdmaMoved entry);
  // The destination owns the job's slots.
  void ConfirmGiven(const std::string &job);
  bool HasGiven(const std::string &job) const;
  // Was the job's hand-over recorded here? Also when its entry has ended, for the newest 256 jobs.
  bool WasGiven(const std::string &job) const;
  // What has to be settled with the new owner: it has not confirmed, or the predecessor of this node gave it, and the
  // owner has to be told that this node knows of it.
  std::vector<RdmaMoved> ToAnnounce() const;
  void Announced(const RdmaMoved &entry);
  // The entries that overlap.
  std::vector<RdmaMoved> FindGiven(const SlotRange &range) const;
  // The newest entry.
  std::optional<RdmaMoved> LastGiven() const;
  // A job of this node begins, or has ended: its replicas show it (CLUSTER INFO), so that whoever promotes one of them
  // does not take it for one that never was. Soon on disk.
  void SetMoving(const std::optional<RdmaMoved> &entry);
  // What the job of an earlier process, or of the predecessor, was moving when it ended; the second call: nothing. If
  // FindGiven() does not have it, it has failed.
  std::optional<RdmaMoved> TakeLeftMoving();
  // Of a replica: what its master is moving, or has handed over last, as the database has it. A guard of the server.
  std::optional<RdmaMoved> MovingOfMaster() const;

  // --- the taker ---
  // Record on disk that the slots were taken over; `version`: that of the giver. They are not served yet. No guard.
  Status AddTaken(RdmaMoved entry);
  // Put the job's slots in service if the topology allows it. False: suspended, another node owns them. Exclusive
  // guard.
  bool ServeTaken(const std::string &job);
  // `source` says that they were given to this node. If it owns them by the topology, what is suspended is in service
  // again. False: something stays suspended. Exclusive guard.
  bool ConfirmTaken(const SlotRange &range, const std::string &job, const std::string &source);
  // Suspended slots, a part for each owner, which has to be asked about them.
  std::vector<RdmaMoved> ToAsk() const;
  // Its owner by the topology has not given them: forget the entry of ToAsk(). Exclusive guard.
  void DenyTaken(const RdmaMoved &entry);
  // Is the node the former one, or its successor by the topology? A guard of the server.
  bool HasSucceeded(const std::string &former, const std::string &node) const;
  // Does the topology give all these slots to the node? A guard of the server.
  bool IsOwner(const SlotRange &range, const std::string &node) const;
  // Is there an entry of the job?
  bool HasTaken(const std::string &job) const;
  // As WasGiven().
  bool WasTaken(const std::string &job) const;
  std::vector<RdmaMoved> FindTaken(const SlotRange &range) const;
  // Connections of Kvrocks' own import, and those that say ASKING, reach its slots no longer. Exclusive guard.
  void EndImportingLinks();

  // Forget entries that overlap, in both lists: the topology alone counts for them. Exclusive guard. True: there were.
  bool Forget(const SlotRange &range);

  // Write the lists, and wait until they are on disk. No guard.
  Status Store();

 private:
  enum class Verdict { kKeep, kSuspend, kEnd };
  using Keys = std::map<std::string, std::string>;

  StatusOr<std::string> readKey(const char *key) const;
  StatusOr<RdmaMovedList> read(bool is_given) const;
  Status load();
  Status writeChanges();
  void writeAtOnce();
  void note();
  void clear();
  void judge(bool force);
  void apply();
  void end(const RdmaMoved &entry, int slot, bool is_given);
  void reviveSettled(RdmaMovedList *given, RdmaMovedList *taken);
  Verdict judgeGiven(const RdmaMoved &entry, int slot, bool force) const;
  Verdict judgeTaken(const RdmaMoved &entry, int slot, bool force) const;
  std::string addressOf(const RdmaMoved &entry) const;
  void mark(RdmaMoved *part, bool is_given) const;
  bool isSucceeded(const RdmaMoved &entry) const;
  bool isEnding() const;
  void markDirty();
  void run();

  Server *srv_;
  std::atomic<bool> is_replica_ = false;
  std::atomic<int64_t> version_ = -1;

  std::mutex store_mutex_;  // one Store() at a time; taken first of all
  std::thread thread_;

  mutable std::mutex mutex_;  // guards what follows; taken last, for moments
  std::condition_variable changed_;
  RdmaMovedList given_, taken_;
  RdmaSettledList settled_;
  std::optional<RdmaMoved> moving_, left_moving_;
  Keys stored_;  // what Store() has written to the database; empty: it may have something else
  std::string my_id_;
  bool dirty_ = false;
  bool stopping_ = false;
};
