// SPDX-License-Identifier: Apache-2.0
// rdma_import_job.cc — the thread of RdmaImport: prepares and ends one import after another; and libhaul's hooks.
#include <dirent.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <thread>

#include "cluster/cluster.h"
#include "cluster/slot_migrate.h"
#include "rdma_address.h"
#include "rdma_annotate.h"
#include "rdma_guard.h"
#include "rdma_import.h"
#include "rdma_ingest.h"
#include "rdma_log.h"
#include "rdma_migrate.h"
#include "rdma_slots.h"
#include "server/server.h"

namespace {

constexpr uint32_t kPollMs = 100;
// A source that got the key connects at once; one that missed the answer does so within its retry time.
constexpr auto kFirstContact = std::chrono::seconds(60);
// A source keeps an interrupted job for ten minutes.
constexpr auto kReturn = std::chrono::minutes(11);
constexpr auto kListenPause = std::chrono::seconds(1);

uint32_t Milliseconds(std::chrono::milliseconds time) { return static_cast<uint32_t>(time.count()); }

}  // namespace

// --- the thread --------------------------------------------------------------------------------------------------

void RdmaImport::loop() {
  std::unique_lock<std::mutex> lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return stopping_ || active_; });
    if (!active_ || stopping_) return;
    RdmaState job = job_;
    bool is_new = is_new_;
    lock.unlock();
    runJob(job, is_new);
    lock.lock();
  }
}

// Nobody can be waited for, or written for, any more.
bool RdmaImport::isEnding() const { return closing_ || yields_ || srv_->rdma_slots->IsReplica(); }

void RdmaImport::runJob(RdmaState job, bool is_new) {
  if (srv_->rdma_slots->IsReplica()) {
    forgetLeftOvers();
    setEnded(&job);
    setIdle("");
    return;
  }
  while (auto failed = prepare(&job, is_new)) {
    RDMA_ERROR("[import] Cannot receive slot(s) {}: {}", job.range.String(), *failed);
    store_.reset();
    moving_.reset();
    if (is_new) markImport(job.range, kImportFailed);
    if (is_new || !waitToTryAgain(*failed)) {
      setIdle(*failed);
      return;
    }
  }
  publish(job);
  if (job.moving) report.Begin(job.range, job.node);
  auto result = waitForEnd(is_new);
  while (listenAgain(result)) result = waitForEnd(is_new);
  finish(result);
}

// An interrupted job: its source may come back as soon as this node can listen again. False: it is to end.
bool RdmaImport::waitToTryAgain(const std::string &failure) {
  std::unique_lock<std::mutex> lock(mutex_);
  failure_ = failure;
  changed_.wait_for(lock, kListenPause, [this] { return cancelled_ || closing_ || yields_; });
  return !cancelled_ && !isEnding();
}

// The reason if this node cannot receive the job.
std::optional<std::string> RdmaImport::prepare(RdmaState *job, bool is_new) {
  auto s = tryToPrepare(job, is_new);
  if (s) return std::nullopt;
  destroyMigration();
  return s.Msg();
}

Status RdmaImport::tryToPrepare(RdmaState *job, bool is_new) {
  store_ = GET_OR_RET(RdmaStore::Acquire(srv_));
  moving_ = std::make_unique<RdmaMovingGuard>();
  if (is_new && forgets_) {
    forgetLeftOvers();
  } else if (is_new) {
    removeLeftOvers(/*force=*/false);
  } else {
    in_doubt_ = !owned_ && mayBeDecided();
  }
  store_->SetReplicasExpected(!job->ingest);
  keys_ = GET_OR_RET(RdmaKeysOf(job->token));
  GET_OR_RET(listen(job));
  // A question about a job of the past leaves nothing to remember.
  return job->moving ? job->Store(statePath()) : Status::OK();
}

Status RdmaImport::listen(RdmaState *job) {
  auto s = startTarget(job);
  auto address = RdmaAddress::Parse(job->endpoint);
  if (s || !is_new_ || !listens_by_default_ || !address) return s;
  RDMA_WARN("[import] {}; use any free port. migrate-rdma-listen chooses another", s.Msg());
  job->endpoint = RdmaAddress{address->host, 0}.String();
  return startTarget(job);
}

// The endpoint gets the real port: the node listens there again after a restart.
Status RdmaImport::startTarget(RdmaState *job) {
  RdmaOptions config;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    config = options_;
  }
  haul_target_options options{};
  options.size_bytes = sizeof(options);
  options.store = store_->Get();
  options.listen = job->endpoint.c_str();
  options.transports = RdmaTransports(config);
  options.once = true;
  options.resume_wait_ms = Milliseconds(kReturn);
  options.lane = job->ingest ? RdmaLaneMode(config) : HAUL_LANE_WRITE_BATCH;
  options.wire = RdmaWireMode(config);
  options.keys = keys_.get();
  options.allow_overwrite = true;  // of the agreed slots: reserve refuses every other plan
  options.hooks.context = this;
  options.hooks.reserve = onReserve;
  options.hooks.own = onOwn;
  options.hooks.was_owned = onWasOwned;
  options.hooks.version_get = onVersion;
  options.hooks.annotate = onAnnotate;
  options.log = store_->Log();
  haul_error error{};
  haul_migration *migration = nullptr;
  if (haul_target_start(&options, &migration, &error) != HAUL_OK) return {Status::NotOK, RdmaErrorText(error)};
  auto asked = RdmaAddress::Parse(job->endpoint), real = RdmaAddress::Parse(haul_migration_address(migration));
  if (asked && real) job->endpoint = RdmaAddress{asked->host, real->port}.String();
  std::lock_guard<std::mutex> lock(mutex_);
  migration_ = migration;
  if (cancelled_) haul_migration_cancel(migration);
  if (closing_ || yields_) haul_migration_stop(migration);
  return Status::OK();
}

// HAUL ENDPOINT answers from now on.
void RdmaImport::publish(const RdmaState &job) {
  auto address = RdmaAddress::Parse(job.endpoint);
  std::lock_guard<std::mutex> lock(mutex_);
  job_.endpoint = job.endpoint;
  failure_.clear();
  // The source has reached this node by a name of its own, which is the right one also behind a translator of
  // addresses, unless data have an address of their own.
  bool own_host = address && address->host == told_host_ && !told_host_.empty();
  endpoint_ = fmt::format("{}{}", address ? address->port : 0, own_host ? " " + address->host : "");
  quiet_since_ = std::chrono::steady_clock::now();
  RDMA_INFO("[import] Slot(s) {}: listening on {}", job.range.String(), job.endpoint);
}

haul_result RdmaImport::waitForEnd(bool is_new) {
  bool contacted = false, stopped = false;
  auto patience = is_new || owned_ ? std::chrono::steady_clock::duration(kFirstContact) : kReturn;
  while (!haul_migration_ended(migration_, kPollMs)) {
    haul_progress progress{};
    haul_migration_progress(migration_, &progress);
    report.Update(migration_);
    connected_ = progress.phase != HAUL_PHASE_LISTENING && progress.phase != HAUL_PHASE_RETRYING;
    contacted = contacted || connected_;
    askSource();
    std::lock_guard<std::mutex> lock(mutex_);
    if (connected_) quiet_since_ = std::chrono::steady_clock::now();
    if (isEnding() && !stopped) {
      // Without a trace: what has arrived is the database of another node by now.
      haul_migration_stop(migration_);
      stopped = true;
    }
    if (srv_->storage->ReachedDBSizeLimit()) cancelWithLock("the size limit of the database is reached");
    bool quiet = !contacted && std::chrono::steady_clock::now() - quiet_since_ > patience;
    if (quiet && !in_doubt_) cancelWithLock("the source did not connect");
  }
  return *haul_migration_result(migration_);
}

// Wait without limit for a source that may have decided: only its record shows who owns the slots.
bool RdmaImport::listenAgain(const haul_result &result) {
  if (owned_ || result.status != HAUL_IN_DOUBT || abandoned_ || isEnding()) return false;
  in_doubt_ = true;
  cancelled_ = false;
  destroyMigration();
  RdmaState job;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    job = job_;
  }
  while (!abandoned_ && !isEnding()) {
    auto s = startTarget(&job);
    if (s) return true;
    RDMA_ERROR("[import] Cannot listen for the source of slot(s) {}: {}", job.range.String(), s.Msg());
    askSource();
    std::unique_lock<std::mutex> lock(mutex_);
    changed_.wait_for(lock, kListenPause, [this] { return abandoned_ || closing_ || yields_; });
  }
  return false;
}

void RdmaImport::destroyMigration() {
  haul_migration *migration = nullptr;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    std::swap(migration, migration_);
  }
  // Waits for hooks, which take mutex_.
  if (migration) haul_migration_destroy(migration);
}

void RdmaImport::finish(const haul_result &result) {
  destroyMigration();
  RdmaState job;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    job = job_;
  }
  if (job.moving) report.End(result, owned_);
  bool kept = !owned_ && isEnding() && !yields_;
  if (owned_ && job.moving) {
    RDMA_INFO("[import] Imported slot(s) {} by haul: {} bytes in {:.2f} s", job.range.String(), result.progress.bytes,
              result.progress.seconds);
  } else if (!owned_) {
    RDMA_WARN("[import] Failed to import slot(s) {} by haul: {}", job.range.String(), RdmaErrorText(result.error));
    if (srv_->rdma_slots->IsReplica() || yields_) {
      forgetLeftOvers();
    } else if (!kept) {
      removeLeftOvers(abandoned_);
    }
  }
  if (!kept || srv_->rdma_slots->IsReplica()) setEnded(&job);
  keys_.reset();
  if (!owned_) markImport(job.range, kImportFailed);
  store_.reset();
  moving_.reset();
  setIdle("");
}

void RdmaImport::setEnded(RdmaState *job) {
  if (!job->moving) return;
  job->moving = false;
  if (auto s = job->Store(statePath()); !s) RDMA_WARN("[import] {}", s.Msg());
  std::lock_guard<std::mutex> lock(mutex_);
  job_ = *job;
}

void RdmaImport::setIdle(const std::string &failure) {
  if (yields_) srv_->slot_migrator->rdma->AllowWrites();
  std::lock_guard<std::mutex> lock(mutex_);
  failure_ = failure;
  endpoint_.clear();
  connected_ = in_doubt_ = ingesting_ = false;
  active_ = false;
  changed_.notify_all();
}

// --- jobs that nobody will finish --------------------------------------------------------------------------------

// What an import that failed, or that another one replaces, has left: its data is removed.
void RdmaImport::removeLeftOvers(bool force) {
  haul_job *jobs = nullptr;
  size_t count = 0;
  haul_error error{};
  if (haul_jobs_list(srv_->GetConfig()->db_dir.c_str(), &jobs, &count, &error) != HAUL_OK) return;
  for (size_t i = 0; i < count; i++) {
    if (jobs[i].role != HAUL_JOB_TARGET) continue;
    auto status = force ? haul_job_force_give_up(store_->Get(), &jobs[i], /*accept_two_owners=*/true, &error)
                        : haul_job_give_up(store_->Get(), &jobs[i], &error);
    if (status != HAUL_OK) RDMA_WARN("[import] Cannot give up an earlier job: {}", RdmaErrorText(error));
  }
  free(jobs);
}

// The data of a left-over job is not this node's to remove any more: it belongs to slots that are served here by now,
// or to another master's database. So only the journal goes.
void RdmaImport::forgetLeftOvers() {
  auto folder = srv_->GetConfig()->db_dir + "/haul";
  DIR *directory = opendir(folder.c_str());
  if (!directory) return;
  while (const auto *file = readdir(directory)) {
    std::string name = file->d_name;
    if (name.rfind("target-", 0) != 0) continue;
    if (unlink((folder + "/" + name).c_str()) != 0) RDMA_WARN("[import] Cannot remove {}: {}", name, strerror(errno));
  }
  closedir(directory);
}

bool RdmaImport::mayBeDecided() const {
  haul_job *jobs = nullptr;
  size_t count = 0;
  haul_error error{};
  if (haul_jobs_list(srv_->GetConfig()->db_dir.c_str(), &jobs, &count, &error) != HAUL_OK) return false;
  bool may = std::any_of(jobs, jobs + count, [](const haul_job &job) {
    return job.role == HAUL_JOB_TARGET && job.claim == HAUL_JOB_IN_DOUBT;
  });
  free(jobs);
  return may;
}

// --- hooks -------------------------------------------------------------------------------------------------------

haul_status RdmaImport::reserve(const haul_reservation &wanted, haul_error *error) const {
  // Only the slots that were agreed upon. Clients cannot write to them: an import by haul marks no connection as one
  // that may.
  SlotRange range;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    range = job_.range;
  }
  if (wanted.range_count != 1 || !(RdmaKeyRange(range) == wanted.ranges[0])) {
    return haul_error_set(error, HAUL_AUTH, nullptr, 0, "not the slots that this import was agreed for");
  }
  for (size_t i = 0; i < wanted.family_count; i++) {
    if (!RdmaHoldsSlots(wanted.families[i])) {
      return haul_error_set(error, HAUL_AUTH, nullptr, 0, "column family '%s' holds no slots", wanted.families[i]);
    }
  }
  return HAUL_OK;
}

// The source has decided. Everything is on disk before the slots are served.
haul_status RdmaImport::own(haul_error *error) {
  if (owned_) return HAUL_OK;
  auto gives_up = [this] { return isEnding(); };
  auto fail = [error](haul_status status, const std::string &text) {
    return haul_error_set(error, status, nullptr, 0, "%s", text.c_str());
  };
  // A restarted node without nodes.conf.
  if (srv_->rdma_slots->Version() < 0) return fail(HAUL_BUSY, "this node does not know the topology yet");
  if (isEnding()) return fail(HAUL_BUSY, "this node is ending the import");
  RdmaState job;
  RdmaMoved entry;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    job = job_;
    entry.version = source_version_;
  }
  entry.range = job.range;
  entry.from = job.node;
  entry.to = srv_->rdma_slots->MyId();
  entry.job = RdmaJobId(job.token);
  if (job.ingest) {
    if (auto s = RdmaMarkIngested(srv_, gives_up); !s) return fail(HAUL_STORE, s.Msg());
  }
  if (auto s = srv_->rdma_slots->AddTaken(entry); !s) return fail(HAUL_STORE, s.Msg());
  auto exclusivity = RdmaGuard::Exclusive(srv_, gives_up);
  if (!exclusivity) return fail(HAUL_BUSY, "this node is ending the import");
  bool served = srv_->rdma_slots->ServeTaken(entry.job);
  if (!served) RDMA_WARN("[import] Slot(s) {} were handed over, but another node owns them", job.range.String());
  markImport(job.range, kImportSuccess);
  owned_ = true;
  ingesting_ = false;
  return HAUL_OK;
}

haul_status RdmaImport::onReserve(void *context, const haul_reservation *wanted, haul_error *error) {
  return static_cast<RdmaImport *>(context)->reserve(*wanted, error);
}

haul_status RdmaImport::onOwn(void *context, uint64_t, haul_error *error) {
  return static_cast<RdmaImport *>(context)->own(error);
}

// Only the source of this job has its key.
bool RdmaImport::onWasOwned(void *context, const uint8_t *) { return static_cast<RdmaImport *>(context)->owned_; }

haul_status RdmaImport::onVersion(void *context, uint64_t *version, haul_error *) {
  auto *self = static_cast<RdmaImport *>(context);
  std::lock_guard<std::mutex> lock(self->mutex_);
  *version = self->job_.job_version;
  return HAUL_OK;
}

size_t RdmaImport::onAnnotate(void *context, const char *family, haul_slice key, haul_slice, uint8_t *blob) {
  return RdmaAnnotate(static_cast<RdmaImport *>(context)->srv_->storage, family, key, blob);
}
