// SPDX-License-Identifier: Apache-2.0
// rdma_moved.h — slots that have changed hands by libhaul (rdma_slots.h), and the text that keeps them in the database.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cluster/cluster_defs.h"
#include "rdma_address.h"
#include "status.h"

struct RdmaMoved {
  SlotRange range;
  int64_t version = -1;    // of the newest topology that one of the nodes knew when the slots changed hands
  std::string from;        // id of the node that gave them
  std::string to;          // id of the node that took them
  std::string address;     // of `to`: host:port
  std::string job;         // RdmaJobId(token)
  bool confirmed = false;  // given: `to` has answered that it owns them
  bool suspended = false;  // taken: not in service
  bool succeeded = false;  // given: by the topology another node has replaced `to`. Not stored
  bool unsure = false;     // it was read from the database, under a newer topology than its own. Not stored
  std::string owner;  // taken and suspended: id of the owner by the topology, and `address` its address. Not stored

  // Of `address`: everything before its last colon, also of an IPv6 address, which has no brackets here.
  StatusOr<RdmaAddress> Address() const;
  // The parts outside the range.
  std::vector<RdmaMoved> Without(const SlotRange &outside) const;
};

// The public name of the job that has this token (hexadecimal); 16 digits, which do not give the token away.
std::string RdmaJobId(const std::string &token);

// One of RdmaSlots' two lists. "given" stores `confirmed` of each entry, "taken" stores `suspended`.
struct RdmaMovedList {
  std::vector<RdmaMoved> entries;
  std::vector<std::string> ended;  // jobs whose entries have ended, the newest 256, the newest last

  std::vector<RdmaMoved> Overlapping(const SlotRange &range) const;
  bool HasJob(const std::string &job) const;
  bool HadJob(const std::string &job) const;  // has it, or one of `ended` is it
  void Remove(const SlotRange &range);        // the parts of entries that overlap, without a note in `ended`
  void NoteEnded(const std::string &job);

  std::string Format(bool is_given) const;
  static StatusOr<RdmaMovedList> Parse(const std::string &text, bool is_given);
  // Where column family "propagate" has the text.
  static const char *Key(bool is_given) { return is_given ? "haul.given" : "haul.taken"; }
};

// An entry that a topology has ended, kept because the node may start under an older one: nodes.conf could not be
// written, or is another's copy.
struct RdmaSettled {
  bool is_given = false;
  int64_t until = -1;  // version of the topology that has ended it
  RdmaMoved entry;
};

// The newest 256, the newest last. No two overlap: what happened to a slot before its last change of hands does not
// matter under any topology.
struct RdmaSettledList {
  std::vector<RdmaSettled> entries;

  void Add(const RdmaSettled &settled);
  void Remove(const SlotRange &range);

  std::string Format() const;
  static StatusOr<RdmaSettledList> Parse(const std::string &text);
  // Where column family "propagate" has the text. A key of its own: releases before it take an unknown line of the
  // others for damage.
  static constexpr const char *kKey = "haul.settled";
};

// Slots that a job of this node is moving, for its replicas: the third key, "haul.moving". Empty: none.
std::string RdmaFormatMoving(const std::optional<RdmaMoved> &moving);
// Nothing: no job, or not this format.
std::optional<RdmaMoved> RdmaParseMoving(const std::string &text);
