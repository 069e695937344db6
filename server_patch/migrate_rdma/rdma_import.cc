// SPDX-License-Identifier: Apache-2.0
#include "rdma_import.h"

#include <algorithm>
#include <chrono>

#include "cluster/cluster.h"
#include "cluster/slot_migrate.h"
#include "rdma_address.h"
#include "rdma_ingest.h"
#include "rdma_log.h"
#include "rdma_migrate.h"
#include "rdma_slots.h"
#include "server/server.h"
#include "thread_util.h"

namespace {

// After this time without its source, another source may replace an import.
constexpr auto kQuietTime = std::chrono::seconds(2);

Status TryAgain(const std::string &text) { return {Status::RedisTryAgain, text}; }

}  // namespace

RdmaImport::~RdmaImport() {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    stopping_ = true;
    closing_ = true;
    if (migration_) haul_migration_stop(migration_);
    changed_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
}

std::string RdmaImport::statePath() const { return srv_->GetConfig()->db_dir + "/haul/slots-target"; }

// Set the state that the rest of the server sees.
void RdmaImport::markImport(const SlotRange &range, int status) {
  std::lock_guard<std::mutex> guard(srv_->slot_import->mutex_);
  srv_->slot_import->import_slot_range_ = range;
  srv_->slot_import->import_status_ = status;
}

Status RdmaImport::Recover() {
  std::lock_guard<std::mutex> lock(mutex_);
  job_ = GET_OR_RET(RdmaState::Load(statePath()));
  if (job_.moving) {
    active_ = true;
    owned_ = srv_->rdma_slots->WasTaken(RdmaJobId(job_.token));
    ingesting_ = job_.ingest && !owned_;
    source_version_ = static_cast<int64_t>(job_.job_version);
    markImport(job_.range, owned_ ? kImportSuccess : kImportStart);
    chooseEndpoint("");
    quiet_since_ = std::chrono::steady_clock::now();
    RDMA_INFO("[import] Slot(s) {} were being imported by haul before the restart", job_.range.String());
  }
  thread_ = GET_OR_RET(util::CreateThread("haul-import", [this] { loop(); }));
  return Status::OK();
}

// --- the source's request ----------------------------------------------------------------------------------------

// How many of the slots do these nodes own by the topology?
int RdmaImport::countOwned(const SlotRange &range, const std::vector<std::string> &nodes) const {
  std::vector<SlotInfo> infos;
  if (!srv_->cluster->GetSlotsInfo(&infos)) return 0;
  int owned = 0;
  for (const auto &info : infos) {
    bool counts = std::find(nodes.begin(), nodes.end(), info.nodes.front().id) != nodes.end();
    if (!counts || !range.HasOverlap({info.start, info.end})) continue;
    owned += std::min(range.end, info.end) - std::max(range.start, info.start) + 1;
  }
  return owned;
}

bool RdmaImport::isOwnedBy(const SlotRange &range, const std::vector<std::string> &nodes) const {
  return countOwned(range, nodes) == range.end - range.start + 1;
}

bool RdmaImport::OwnsAnyOf(const SlotRange &range) const {
  return countOwned(range, {srv_->cluster->GetMyId()}) > 0 || !srv_->rdma_slots->FindTaken(range).empty();
}

// Is this a job of this node's: one that can be continued, or the last one, whose slots it has taken over?
bool RdmaImport::isKnown(const std::string &job) const {
  return isNamed(job) && (job_.moving || srv_->rdma_slots->WasTaken(job));
}

// Is this the newest job here? Secrets of others are gone.
bool RdmaImport::isNamed(const std::string &job) const {
  return RdmaIsToken(job_.token) && job == RdmaJobId(job_.token);
}

// Whether a source may give slots to this node is a question of the topology. A job that both nodes know is past that
// question: own() asks it again.
//
// A source with an older topology than this node's must learn the newer one first: by that one it may be no owner any
// more. A source with a newer one is accepted if the slots are its own by this node's topology as well. Then they are
// its own by the newest topology that either node knows, because a source sends a version only while the slots are its
// own by that version (RdmaMigrator::question()). Two nodes of the same version know no more either. The cases:
//
//   - A still newer topology, which neither knows, has another owner: as with equal versions, the first of the two to
//     get it ends the job (OnTopology() on both sides), or puts the slots out of service (RdmaSlots::ServeTaken()).
//   - By a topology between the two versions, the slots were another node's for a while. The source has passed that
//     one, so it must not count when it comes here late: OnTopology() skips what is older than source_version_, and the
//     record of the hand-over gets the newer of the two versions (RdmaSlots::AddTaken()). Only if it names this node,
//     whose clients write then, the import ends.
//   - By the newer topology this node is no master, or has left: the source gives slots to masters of its own topology
//     only (Cluster::MigrateSlotRange(), RdmaMigrator::whyNotAnyMore()).
//   - By this node's topology another node owns the slots, and by the newer one the source does: this node may get that
//     topology any moment. TRYAGAIN.
//   - This node has taken the slots before, and the newer topology shows that they went back: this node does not know
//     that, and serves them. Refused below.
Status RdmaImport::checkRequest(const RdmaImportRequest &request) const {
  auto *cluster = srv_->cluster.get();
  if (!request.range.IsValid()) return {Status::NotOK, errSlotRangeInvalid};
  if (cluster->GetVersion() < 0) return TryAgain("this node does not know the topology yet");
  if (cluster->IsNotMaster()) return {Status::NotOK, "Slave can't import slot"};
  GET_OR_RET(RdmaRefuseTls(srv_));
  if (!request.job.empty()) {
    return isKnown(request.job) ? Status::OK() : Status{Status::NotOK, "haul: no such job"};
  }
  bool is_owner = isOwnedBy(request.range, {request.source});
  if (request.version < cluster->GetVersion() || (request.version > cluster->GetVersion() && !is_owner)) {
    return TryAgain(
        fmt::format("the topology has version {} here, and {} at the source", cluster->GetVersion(), request.version));
  }
  if (request.source == cluster->GetMyId()) return {Status::NotOK, "a node imports no slots from itself"};
  if (!is_owner) {
    return {Status::NotOK, fmt::format("by topology version {} the source does not own slot(s) {}", request.version,
                                       request.range.String())};
  }
  for (const auto &entry : srv_->rdma_slots->FindTaken(request.range)) {
    if (entry.suspended) continue;
    return {
        Status::NotOK,
        fmt::format("this node has taken over slot(s) {} already: let the topology show it. Only if what was written "
                    "to them here since may be lost: HAUL ABANDON {} FORCE",
                    entry.range.String(), entry.range.String())};
  }
  return Status::OK();
}

StatusOr<std::string> RdmaImport::Begin(const RdmaImportRequest &request) {
  std::lock_guard<std::mutex> lock(mutex_);
  GET_OR_RET(checkRequest(request));
  if (active_) return beginWhileActive(request);
  // As upstream: the same slots may be imported anew, for example when the source of that import is lost.
  if (auto range = srv_->slot_import->GetSlotRange(); range.IsValid() && range != request.range) {
    return {Status::NotOK, fmt::format("only one importing job is allowed, current importing: {}", range.String())};
  }
  if (request.job.empty()) {
    GET_OR_RET(beginNew(request));
  } else {
    // A source that missed the end of a job asks for it, by now perhaps this node's successor.
    job_.range = request.range;
    job_.node = request.source;
    owned_ = srv_->rdma_slots->WasTaken(request.job);
    is_new_ = false;
    source_version_ = std::max(static_cast<int64_t>(job_.job_version), request.version);
  }
  chooseEndpoint(request.arrival_host);
  failure_.clear();
  endpoint_.clear();
  cancelled_ = abandoned_ = in_doubt_ = connected_ = yields_ = false;
  asks_ = false;
  doubt_.clear();
  source_ = {};
  quiet_since_ = std::chrono::steady_clock::now();
  srv_->rdma_slots->EndImportingLinks();
  // What one of them still writes is a command that waits for this guard: the job removes that when it begins to copy.
  links.CloseAll(srv_);
  active_ = true;
  // Behind active_: from then on no closed connection ends the import that this names (RdmaIsImporting()).
  if (is_new_) markImport(job_.range, kImportStart);
  changed_.notify_all();
  return request.job.empty() ? job_.token : request.job;
}

StatusOr<std::string> RdmaImport::beginWhileActive(const RdmaImportRequest &request) {
  auto running = job_.range.String();
  if (cancelled_) return TryAgain(fmt::format("the import of slot(s) {} is ending", running));
  // A source that does not name a prepared job has lost it, and answers so when it is asked: endDoubt().
  bool same = job_.range == request.range && job_.node == request.source &&
              ((request.job.empty() && !in_doubt_) || isNamed(request.job));
  if (same) {
    // The source has lost what it knew of the job: its next one has the version of now.
    if (request.job.empty()) job_.job_version = static_cast<uint64_t>(request.version);
    source_version_ = std::max(source_version_, request.version);
    return request.job.empty() ? job_.token : request.job;
  }
  if (in_doubt_ && !connected_) return endDoubt();
  bool quiet = !connected_ && std::chrono::steady_clock::now() - quiet_since_ > kQuietTime;
  // The source waits for its turn, for some seconds.
  if (!quiet) return TryAgain("only one importing job is allowed, current importing: " + running);
  cancelWithLock("another source takes its place");
  return TryAgain(fmt::format("the import of slot(s) {} is ending", running));
}

Status RdmaImport::beginNew(const RdmaImportRequest &request) {
  auto token = GET_OR_RET(RdmaDrawToken());
  // Its data may by now be data of slots that are served here.
  forgets_ = job_.range.IsValid() && OwnsAnyOf(job_.range);
  job_ = {};
  job_.moving = true;
  job_.range = request.range;
  job_.job_version = static_cast<uint64_t>(request.version);
  source_version_ = request.version;
  job_.node = request.source;
  job_.token = token;
  job_.ingest = RdmaMayIngest(srv_);
  is_new_ = true;
  owned_ = false;
  // From now on a replica that continues with the log might miss a file.
  ingesting_ = job_.ingest;
  srv_->rdma_slots->Forget(request.range);
  // Slots that this node had handed over return.
  auto *migrator = srv_->slot_migrator.get();
  if (request.range.HasOverlap(migrator->GetForbiddenSlotRange())) migrator->ReleaseForbiddenSlotRange();
  RDMA_INFO("[import] Start importing slot(s) {} by haul from {}", request.range.String(), request.source);
  return Status::OK();
}

// A job that listened before listens there again. A guard of the server, or before clients are served.
void RdmaImport::chooseEndpoint(const std::string &arrival_host) {
  const auto *config = srv_->GetConfig();
  options_ = config->migrate_rdma;
  auto set = RdmaAddress::Parse(options_.listen);
  told_host_ = set && !set->IsWildcard() ? set->host : "";
  if (!job_.endpoint.empty()) return;
  listens_by_default_ = options_.listen.empty();
  auto host = arrival_host.empty() ? config->binds.front() : arrival_host;
  job_.endpoint = listens_by_default_ ? RdmaDefaultListen(host, config->port).String() : options_.listen;
}

StatusOr<std::string> RdmaImport::Endpoint(const std::string &job) const {
  std::lock_guard<std::mutex> lock(mutex_);
  if (!isNamed(job)) return {Status::NotOK, "haul: no such job"};
  if (!failure_.empty()) return {Status::NotOK, failure_};
  if (!active_) return {Status::NotOK, fmt::format("the import of slot(s) {} has ended", job_.range.String())};
  return endpoint_.empty() ? std::string("preparing") : endpoint_;
}

bool RdmaImport::hasImported(const SlotRange &range) const {
  std::lock_guard<std::mutex> guard(srv_->slot_import->mutex_);
  return srv_->slot_import->import_status_ == kImportSuccess && srv_->slot_import->import_slot_range_ == range;
}

Status RdmaImport::Command(const SlotRange &range, int state) {
  std::lock_guard<std::mutex> lock(mutex_);
  if (state == kImportSuccess && hasImported(range)) return Status::OK();
  if (OwnsAnyOf(range)) {
    return {Status::NotOK, fmt::format("too late: slot(s) {} are this node's, with what clients have written to them",
                                       range.String())};
  }
  auto running = job_.range.String();
  if (state != kImportFailed || range != job_.range) {
    return {Status::NotOK, fmt::format("slot(s) {} are being imported by haul", running)};
  }
  if (in_doubt_) {
    return {Status::NotOK, fmt::format("the source of slot(s) {} may have decided; HAUL ABANDON {} FORCE gives them up",
                                       running, running)};
  }
  cancelWithLock("cancelled by CLUSTER IMPORT");
  return Status::OK();
}

// --- ends from outside -------------------------------------------------------------------------------------------

void RdmaImport::OnTopology(bool force) {
  std::lock_guard<std::mutex> lock(mutex_);
  if (force) source_version_ = srv_->cluster->GetVersion();
  if (!active_ || owned_ || !job_.moving || isOwnedBy(job_.range, {job_.node})) return;
  if (countOwned(job_.range, {srv_->cluster->GetMyId()}) > 0) return yield();
  // The source has passed this one, and the slots are its own by a newer one.
  if (srv_->cluster->GetVersion() < source_version_) return;
  if (in_doubt_) {
    RDMA_WARN(
        "[import] Slot(s) {} no longer belong to their source, and it may have decided: the next import, or HAUL "
        "ABANDON {} FORCE, gives them up",
        job_.range.String(), job_.range.String());
    return;
  }
  cancelWithLock("by the topology the slots no longer belong to their source");
}

// The topology has made this node the owner, not the source's decision. From now on clients' writes count, and nothing
// that the job still writes or removes may come behind them. With the exclusive guard.
void RdmaImport::yield() {
  if (yields_) return;
  RDMA_WARN("[import] Slot(s) {} are this node's by the topology: the import ends, and what has arrived of it stays",
            job_.range.String());
  yields_ = true;
  srv_->slot_migrator->rdma->ForbidWrites(job_.range);
  if (migration_) haul_migration_stop(migration_);
  changed_.notify_all();
}

void RdmaImport::Cancel(const std::string &reason) {
  std::lock_guard<std::mutex> lock(mutex_);
  cancelWithLock(reason);
}

void RdmaImport::cancelWithLock(const std::string &reason) {
  if (!active_ || cancelled_) return;
  RDMA_INFO("[import] Cancel importing slot(s) {}: {}", job_.range.String(), reason);
  cancelled_ = true;
  if (migration_) haul_migration_cancel(migration_);
  changed_.notify_all();
}

bool RdmaImport::Abandon(const SlotRange &range) {
  std::lock_guard<std::mutex> lock(mutex_);
  if (!active_ || owned_ || !range.HasOverlap(job_.range)) return false;
  abandonWithLock("given up by HAUL ABANDON");
  return true;
}

bool RdmaImport::Close(const std::function<bool()> &gives_up) {
  std::unique_lock<std::mutex> lock(mutex_);
  closing_ = true;
  if (migration_) haul_migration_stop(migration_);
  changed_.notify_all();
  while (active_) {
    if (gives_up()) {
      closing_ = false;
      return false;
    }
    changed_.wait_for(lock, std::chrono::milliseconds(20));
  }
  // The job belongs to the database that goes.
  job_ = {};
  ingesting_ = false;
  closing_ = false;
  return true;
}
