// SPDX-License-Identifier: Apache-2.0
// rdma_doubt.cc — RdmaImport, prepared: everything has arrived, the source is away, and only its record shows whether
// it has decided.
//
// The job waits for its source without limit, and an import of other slots needs its place. So another source's request
// ends the doubt, by the first of these that holds:
//
//   - By a topology newer than the source's, other nodes own all of the slots. The decision does not count any more:
//     the source's record of it ends with that topology, and own() would leave the slots out of service.
//   - The source answers HAUL OUTCOME with `void`: it has not decided, and never will by this job
//     (RdmaMigrator::Outcome()). It has durably given up what it could have continued.
//
// Both make haul_job_force_give_up() safe: nobody can be the owner by this job. While the source cannot be asked, the
// import stays, and the other source is asked to try again. Nobody asks before the place is needed: until then the
// source's next MIGRATE continues the job.
#include "cluster/cluster.h"
#include "rdma_import.h"
#include "rdma_log.h"
#include "rdma_moved.h"
#include "rdma_peer.h"
#include "server/server.h"

namespace {

// The thread of the job waits for the answer, and looks after its job meanwhile only as often as this.
constexpr int kAnswerMs = 2 * 1000;

}  // namespace

// With mutex_ and the exclusive guard: another source has asked for the place.
Status RdmaImport::endDoubt() {
  auto running = job_.range.String();
  bool counts = srv_->cluster->GetVersion() > source_version_;
  if (counts && countOwned(job_.range, {job_.node, srv_->cluster->GetMyId()}) == 0) {
    abandonWithLock("by the topology other nodes own the slots");
    return {Status::RedisTryAgain, fmt::format("the import of slot(s) {} is ending", running)};
  }
  asks_ = true;
  findSource();
  return {Status::RedisTryAgain,
          fmt::format("slot(s) {} wait here for the decision of their source {}{}; HAUL ABANDON {} FORCE gives them up",
                      running, job_.node, doubt_.empty() ? "" : " (" + doubt_ + ")", running)};
}

// With mutex_ and a guard: where the source is by the topology. One that owns nothing keeps its last address.
void RdmaImport::findSource() {
  std::vector<SlotInfo> infos;
  if (!srv_->cluster->GetSlotsInfo(&infos)) return;
  for (const auto &info : infos) {
    if (info.nodes.front().id != job_.node) continue;
    source_ = {info.nodes.front().host, info.nodes.front().port};
    return;
  }
}

// Of the thread: the question, if it is due.
void RdmaImport::askSource() {
  std::string token;
  RdmaAddress source;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    if (!std::exchange(asks_, false) || !in_doubt_ || source_.host.empty()) return;
    token = job_.token;
    source = source_;
  }
  auto answer = RdmaAskNode(
      srv_, source, {"haul", "outcome", RdmaJobId(token)}, [this] { return isEnding(); }, kAnswerMs);
  std::lock_guard<std::mutex> lock(mutex_);
  if (!in_doubt_ || owned_ || token != job_.token) return;
  if (answer && *answer == "+haul void") return abandonWithLock("its source has not decided, and has given it up");
  auto doubt = !answer ? answer.Msg() : *answer == "+haul decided" ? "which has decided" : "which answers " + *answer;
  if (doubt != doubt_) RDMA_WARN("[import] Slot(s) {} wait for their source: {}", job_.range.String(), doubt);
  doubt_ = doubt;
}

// With mutex_: end the job even if it is prepared.
void RdmaImport::abandonWithLock(const std::string &reason) {
  abandoned_ = true;
  cancelled_ = false;
  cancelWithLock(reason);
}
