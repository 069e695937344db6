// SPDX-License-Identifier: Apache-2.0
#include "rdma_import.h"

#include <sys/random.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <iterator>

#include "cluster/cluster.h"
#include "cluster/slot_migrate.h"
#include "rdma_log.h"
#include "server/server.h"

namespace {

constexpr int kListenPortIncrement = 20000;
constexpr int kPortMax = 65535;
constexpr int kTokenBytes = 16;
constexpr uint32_t kPollMs = 100;
// A source that got the token connects at once; one that missed the answer does so within its retry time.
constexpr uint64_t kFirstContactMs = 60 * 1000;
constexpr uint32_t kResumeWaitMs = 120 * 1000;

// "ADDR:PORT" or "[ADDR]:PORT"
bool SplitAddress(const std::string &address, std::string *host, int *port) {
  auto colon = address.rfind(':');
  if (colon == std::string::npos) return false;
  *host = address.substr(0, colon);
  *port = std::atoi(address.c_str() + colon + 1);
  return *port > 0;
}

bool IsAnyPort(const std::string &address) {
  return address.size() > 2 && address.compare(address.size() - 2, 2, ":0") == 0;
}

bool IsWildcard(const std::string &host) { return host.empty() || host == "0.0.0.0" || host == "[::]" || host == "*"; }

}  // namespace

RdmaImport::RdmaImport(Server *srv) : srv_(srv) {}

RdmaImport::~RdmaImport() {
  Cancel("the server stops");
  if (thread_.joinable()) thread_.join();
}

std::string RdmaImport::statePath() const { return srv_->GetConfig()->db_dir + "/haul/slots-target"; }

// Set the state that the rest of the server sees.
void RdmaImport::markImport(const SlotRange &range, int status) {
  std::lock_guard<std::mutex> guard(srv_->slot_import->mutex_);
  srv_->slot_import->import_slot_range_ = range;
  srv_->slot_import->import_status_ = status;
}

// --- beginning ---------------------------------------------------------------------------------------------------

Status RdmaImport::Command(const SlotRange &range, int state) {
  if (state == kImportByRdma) return begin(range);
  std::unique_lock<std::mutex> lock(mutex_);
  if (state == kImportFailed && range == state_.range) {
    lock.unlock();
    Cancel("cancelled by CLUSTER IMPORT");
    return Status::OK();
  }
  return {Status::NotOK, fmt::format("slot(s) {} are being imported by haul", state_.range.String())};
}

Status RdmaImport::begin(const SlotRange &range) {
  std::lock_guard<std::mutex> lock(mutex_);
  if (active_) {
    if (state_.range == range && !cancelled_) return Status::OK();  // the same source has returned
    return {Status::NotOK,
            fmt::format("only one importing job is allowed, current importing: {}", state_.range.String())};
  }
  if (srv_->slot_import->GetSlotRange().IsValid()) {
    return {Status::NotOK, fmt::format("only one importing job is allowed, current importing: {}",
                                       srv_->slot_import->GetSlotRange().String())};
  }
  if (thread_.joinable()) thread_.join();
  store_ = GET_OR_RET(RdmaStore::Acquire(srv_));
  if (hasTaken(range)) {
    // The source missed the end of the job, and asks for it with the earlier token.
    std::string again;
    owned_ = true;
    return listen(&again);
  }
  giveUpLeftOver();

  owned_ = false;
  token_.resize(kTokenBytes);
  if (getrandom(token_.data(), token_.size(), 0) != kTokenBytes) return Status::FromErrno("getrandom");
  state_.moving = true;
  state_.range = range;
  state_.version = srv_->cluster->GetVersion();
  state_.job_version = wanted_version_;
  state_.token = RdmaTokenToHex(token_);
  state_.endpoint.clear();
  std::string address;
  if (auto s = listen(&address); !s) {
    state_.moving = false;
    store_.reset();
    return s;
  }
  if (auto s = state_.Store(statePath()); !s) {
    haul_migration_cancel(migration_);
    return s;
  }
  // Slots that this node has handed over return: drop its record of the hand-over.
  if (range.HasOverlap(srv_->slot_migrator->GetForbiddenSlotRange())) srv_->slot_migrator->ReleaseForbiddenSlotRange();
  RDMA_INFO("[import] Start importing slot(s) {} by haul, listening on {}", range.String(), address);
  return Status::OK();
}

// With mutex_ held: are these the slots of the last job, and was it finished here under the current topology?
bool RdmaImport::hasTaken(const SlotRange &range) const {
  return !state_.token.empty() && state_.range == range && !state_.moved.empty() &&
         state_.moved.back().range == range && state_.moved.back().version == srv_->cluster->GetVersion();
}

// With mutex_ held: open the target, start the thread that waits for its end.
Status RdmaImport::listen(std::string *address) {
  auto *config = srv_->GetConfig();
  if (state_.endpoint.empty()) state_.endpoint = config->migrate_rdma.listen;
  if (state_.endpoint.empty()) {
    // With such a high Redis port the system chooses; the answer tells the source.
    int port = config->port + kListenPortIncrement;
    state_.endpoint = fmt::format("0.0.0.0:{}", port <= kPortMax ? port : 0);
  }
  bool has_replicas = RdmaTopologyHasReplicas(srv_);
  store_->SetReplicasExpected(has_replicas);
  may_ingest_ = RdmaLaneMode(srv_) != HAUL_LANE_WRITE_BATCH && !has_replicas;
  GET_OR_RET(startTarget());
  *address = haul_migration_address(migration_);
  if (IsAnyPort(state_.endpoint)) state_.endpoint = *address;  // the same one after a restart
  cancelled_ = false;
  active_ = true;
  // From now on a replica that continues with the log might miss a file.
  if (may_ingest_ && !owned_) ingest_seq_ = UINT64_MAX;
  if (!owned_) markImport(state_.range, kImportStart);
  thread_ = std::thread([this] { run(); });
  return Status::OK();
}

Status RdmaImport::startTarget() {
  haul_target_options options{};
  options.size_bytes = sizeof(options);
  options.store = store_->Get();
  options.listen = state_.endpoint.c_str();
  options.transports = RdmaTransports(srv_);
  options.once = true;
  options.resume_wait_ms = kResumeWaitMs;
  options.lane = RdmaLaneMode(srv_);
  options.secret = {reinterpret_cast<const uint8_t *>(token_.data()), token_.size()};
  options.hooks.context = this;
  options.hooks.reserve = onReserve;
  options.hooks.own = onOwn;
  options.hooks.was_owned = onWasOwned;
  options.hooks.version_get = onVersion;
  options.log = store_->Log();
  haul_error error{};
  moving_ = std::make_unique<RdmaMovingGuard>();
  if (haul_target_start(&options, &migration_, &error) != HAUL_OK) {
    migration_ = nullptr;
    moving_.reset();
    return {Status::NotOK, RdmaErrorText(error)};
  }
  return Status::OK();
}

void RdmaImport::GetEndpoint(std::string *host, int *port, std::string *token) {
  std::lock_guard<std::mutex> lock(mutex_);
  host->clear();
  *port = 0;
  SplitAddress(state_.endpoint, host, port);
  if (IsWildcard(*host)) host->clear();
  *token = state_.token;
}

Status RdmaImport::Recover() {
  std::lock_guard<std::mutex> lock(mutex_);
  state_ = GET_OR_RET(RdmaState::Load(statePath()));
  ingest_seq_ = state_.ingest_seq;
  state_.ForgetBefore(srv_->cluster->GetVersion());
  for (const auto &entry : state_.moved) {
    GET_OR_RET(srv_->cluster->SetSlotRangeImported(entry.range));
    markImport(entry.range, kImportSuccess);
    RDMA_INFO("[import] Slot(s) {} were taken over before the restart", entry.range.String());
  }
  token_ = RdmaTokenFromHex(state_.token);
  if (!state_.moving || srv_->IsSlave()) return Status::OK();

  // Already taken over: only the source's last question is open.
  owned_ = hasTaken(state_.range);
  store_ = GET_OR_RET(RdmaStore::Acquire(srv_));
  std::string address;
  if (auto s = listen(&address); !s) {
    // The received data stays on disk, and out of service; the next import of this node clears it.
    RDMA_ERROR("[import] Cannot resume importing slot(s) {}: {}", state_.range.String(), s.Msg());
    store_.reset();
    return Status::OK();
  }
  RDMA_INFO("[import] Resume importing slot(s) {} by haul, listening on {}", state_.range.String(),
                           address);
  return Status::OK();
}

void RdmaImport::OnTopology(int64_t version) {
  std::lock_guard<std::mutex> lock(mutex_);
  bool forgot = state_.ForgetBefore(version);
  for (const auto &entry : state_.moved) {
    // The topology from before the hand-over was set again, as after a restart.
    if (auto s = srv_->cluster->SetSlotRangeImported(entry.range); !s) RDMA_ERROR("[import] {}", s.Msg());
  }
  if (!forgot) return;
  if (auto s = state_.Store(statePath()); !s) RDMA_WARN("[import] {}", s.Msg());
}

// Give up a job that nobody will finish, as after a destination could not listen again: its data is removed.
void RdmaImport::giveUpLeftOver() {
  haul_job *jobs = nullptr;
  size_t count = 0;
  haul_error error{};
  if (haul_jobs_list(srv_->GetConfig()->db_dir.c_str(), &jobs, &count, &error) != HAUL_OK) return;
  for (size_t i = 0; i < count; i++) {
    if (jobs[i].role != HAUL_JOB_TARGET) continue;
    if (haul_job_give_up(store_->Get(), &jobs[i], &error) != HAUL_OK) {
      RDMA_WARN("[import] Cannot give up an earlier job: {}", RdmaErrorText(error));
    }
  }
  free(jobs);
}

// --- ending ------------------------------------------------------------------------------------------------------

void RdmaImport::Cancel(const std::string &reason) {
  std::lock_guard<std::mutex> lock(mutex_);
  if (!active_ || cancelled_) return;
  RDMA_INFO("[import] Cancel importing slot(s) {}: {}", state_.range.String(), reason);
  cancelled_ = true;
  if (migration_) haul_migration_cancel(migration_);
}

void RdmaImport::WaitIdle() {
  std::unique_lock<std::mutex> lock(mutex_);
  idle_.wait(lock, [this] { return !active_; });
}

// The thread of one import.
void RdmaImport::run() {
  auto result = waitForEnd();
  while (listenAgain(result)) result = waitForEnd();
  finish(result);
}

haul_result RdmaImport::waitForEnd() {
  uint64_t waited_ms = 0;
  bool contacted = false;
  while (!haul_migration_ended(migration_, kPollMs)) {
    haul_progress progress{};
    haul_migration_progress(migration_, &progress);
    contacted = contacted || progress.phase != HAUL_PHASE_LISTENING;
    waited_ms += kPollMs;
    if (srv_->IsSlave()) Cancel("this node became a replica");
    if (srv_->storage->ReachedDBSizeLimit()) Cancel("the size limit of the database is reached");
    if (!contacted && waited_ms > kFirstContactMs) Cancel("the source did not connect");
  }
  return *haul_migration_result(migration_);
}

// Wait without limit for a source that may have decided: only its record shows who owns the slots.
bool RdmaImport::listenAgain(const haul_result &result) {
  std::lock_guard<std::mutex> lock(mutex_);
  if (result.status != HAUL_IN_DOUBT || cancelled_) return false;
  haul_migration_destroy(migration_);
  migration_ = nullptr;
  if (auto s = startTarget(); !s) {
    RDMA_ERROR("[import] Cannot listen for the source of slot(s) {}: {}", state_.range.String(),
                              s.Msg());
    return false;
  }
  return true;
}

void RdmaImport::finish(const haul_result &result) {
  bool taken_over = owned_;
  bool in_doubt = !taken_over && result.status == HAUL_IN_DOUBT;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    haul_migration_destroy(migration_);
    migration_ = nullptr;
  }
  if (!taken_over && !in_doubt && !srv_->IsSlave()) giveUpLeftOver();
  RdmaRefreshFilters(srv_);

  std::lock_guard<std::mutex> lock(mutex_);
  if (taken_over) {
    RDMA_INFO("[import] Imported slot(s) {} by haul: {} bytes in {:.2f} s", state_.range.String(),
                             result.progress.bytes, result.progress.seconds);
  } else {
    RDMA_WARN("[import] Failed to import slot(s) {} by haul: {}", state_.range.String(),
                                RdmaErrorText(result.error));
    markImport(state_.range, kImportFailed);
    ingest_seq_ = state_.ingest_seq;
  }
  if (!in_doubt) {
    state_.moving = false;
    if (auto s = state_.Store(statePath()); !s) RDMA_WARN("[import] {}", s.Msg());
  }
  moving_.reset();
  store_.reset();
  active_ = false;
  idle_.notify_all();
}

// --- hooks -------------------------------------------------------------------------------------------------------

haul_status RdmaImport::reserve(const haul_reservation &wanted, haul_error *error) {
  // Only the slots that were agreed upon. Clients cannot write to them: the slots are marked kImportByRdma, a state
  // in which no connection may use them.
  if (wanted.range_count != 1 || !(RdmaKeyRange(state_.range) == wanted.ranges[0])) {
    return haul_error_set(error, HAUL_AUTH, nullptr, 0, "not the slots that this import was agreed for");
  }
  for (size_t i = 0; i < wanted.family_count; i++) {
    auto is_same = [&](const char *name) { return strcmp(name, wanted.families[i]) == 0; };
    if (std::none_of(std::begin(kRdmaFamilies), std::end(kRdmaFamilies), is_same)) {
      return haul_error_set(error, HAUL_AUTH, nullptr, 0, "column family '%s' holds no slots", wanted.families[i]);
    }
  }
  return HAUL_OK;
}

haul_status RdmaImport::own(haul_error *error) {
  if (owned_) return HAUL_OK;
  uint64_t ingest_seq = state_.ingest_seq;
  if (may_ingest_) {
    // Write a record of its own to the log: later replicas must begin after it. Not while an EXEC collects writes.
    auto concurrency = srv_->WorkConcurrencyGuard();
    auto ctx = engine::Context::NoTransactionContext(srv_->storage);
    if (auto s = srv_->storage->WriteToPropagateCF(ctx, "rdma_ingest", state_.token); !s) {
      return haul_error_set(error, HAUL_STORE, nullptr, 0, "%s", s.Msg().c_str());
    }
    ingest_seq = srv_->storage->LatestSeqNumber();
  }
  auto exclusivity = srv_->WorkExclusivityGuard();
  std::lock_guard<std::mutex> lock(mutex_);
  RdmaState moved = state_;
  moved.MarkMoved("-");
  moved.moving = true;  // until the source has learned of it
  moved.ingest_seq = ingest_seq;
  if (auto s = moved.Store(statePath()); !s) {
    return haul_error_set(error, HAUL_IO, nullptr, 0, "%s", s.Msg().c_str());
  }
  if (auto s = srv_->cluster->SetSlotRangeImported(moved.range); !s) {
    return haul_error_set(error, HAUL_INVALID, nullptr, 0, "%s", s.Msg().c_str());
  }
  markImport(moved.range, kImportSuccess);
  state_ = moved;
  ingest_seq_ = moved.ingest_seq;
  owned_ = true;
  return HAUL_OK;
}

haul_status RdmaImport::onReserve(void *context, const haul_reservation *wanted, haul_error *error) {
  return static_cast<RdmaImport *>(context)->reserve(*wanted, error);
}

haul_status RdmaImport::onOwn(void *context, uint64_t, haul_error *error) {
  return static_cast<RdmaImport *>(context)->own(error);
}

// Only the source of this job has the token.
bool RdmaImport::onWasOwned(void *context, const uint8_t *) { return static_cast<RdmaImport *>(context)->owned_; }

haul_status RdmaImport::onVersion(void *context, uint64_t *version, haul_error *) {
  *version = static_cast<RdmaImport *>(context)->state_.job_version;
  return HAUL_OK;
}

// --- reporting ---------------------------------------------------------------------------------------------------

void RdmaImport::GetInfo(RdmaFields *fields) {
  std::lock_guard<std::mutex> lock(mutex_);
  if (!active_ || !migration_) return;
  haul_progress progress{};
  haul_migration_progress(migration_, &progress);
  fields->emplace_back("import_slot(s)", state_.range.String());
  fields->emplace_back("import_transport", haul_transport_name(progress.transport));
  fields->emplace_back("import_phase", haul_phase_name(progress.phase));
  fields->emplace_back("import_records", std::to_string(progress.records));
  fields->emplace_back("import_bytes", std::to_string(progress.bytes));
  fields->emplace_back("import_rate_mb", fmt::format("{:.1f}", RdmaRateMb(progress)));
}
