// SPDX-License-Identifier: Apache-2.0
#include "rdma_migrate.h"

#include <sys/socket.h>
#include <sys/time.h>

#include <chrono>
#include <cstdlib>

#include "cluster/cluster.h"
#include "cluster/slot_migrate.h"
#include "common/io_util.h"
#include "rdma_blocked.h"
#include "rdma_log.h"
#include "server/redis_reply.h"
#include "server/server.h"
#include "string_util.h"
#include "time_util.h"

namespace {

constexpr uint32_t kPollMs = 50;
constexpr uint32_t kRetryMs = 60 * 1000;
constexpr uint32_t kResolveRetryMs = 5 * 1000;
// A destination that has taken over no longer listens: ask on its Redis port, not at its old endpoint.
constexpr int kLostReplyMs = 2 * 1000;
constexpr int kAnswerSeconds = 10;

void SetReceiveTimeout(int fd, int seconds) {
  timeval timeout{seconds, 0};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
}

}  // namespace

RdmaMigrator::RdmaMigrator(Server *srv, SlotMigrator *migrator) : srv_(srv), migrator_(migrator) {}

RdmaMigrator::~RdmaMigrator() { StopResolving(); }

void RdmaMigrator::StopResolving() {
  stopping_ = true;
  if (resolver_.joinable()) resolver_.join();
  stopping_ = false;
}

std::string RdmaMigrator::statePath() const { return srv_->GetConfig()->db_dir + "/haul/slots-source"; }

bool RdmaMigrator::isStopping() const { return stopping_ || migrator_->isTerminated(); }

bool RdmaMigrator::isUnwanted() const { return migrator_->stop_migration_ || isStopping() || srv_->IsSlave(); }

// --- agreeing with the destination -------------------------------------------------------------------------------

StatusOr<bool> RdmaMigrator::Negotiate(int fd) {
  if (by_haul_) by_haul_ = GET_OR_RET(agree(fd));
  return by_haul_;
}

// False: the destination does not know the command.
StatusOr<bool> RdmaMigrator::agree(int fd) {
  if (resolving_) return {Status::NotOK, "an earlier hand-over is not confirmed by its destination yet"};
  GET_OR_RET(RdmaCheckIndexes(srv_));
  std::lock_guard<std::mutex> lock(mutex_);
  RdmaState state = state_;
  state.moving = true;
  state.range = migrator_->slot_range_;
  state.version = srv_->cluster->GetVersion();
  state.job_version = static_cast<uint64_t>(std::max<int64_t>(state.version, 0));
  state.node = migrator_->dst_node_;
  state.host = migrator_->dst_ip_;
  state.port = migrator_->dst_port_;
  if (!GET_OR_RET(askEndpoint(fd, &state))) {
    RDMA_INFO("[migrate] The destination does not know migrate-transport haul, use the configured migrate-type");
    return false;
  }
  state_ = state;
  GET_OR_RET(state_.Store(statePath()));
  return true;
}

// Fills in the endpoint and the token. False: the destination does not know the command.
StatusOr<bool> RdmaMigrator::askEndpoint(int fd, RdmaState *state) {
  SetReceiveTimeout(fd, kAnswerSeconds);
  GET_OR_RET(util::SockSend(fd, redis::ArrayOfBulkStrings({"haul", "import", state->range.String(),
                                                           std::to_string(state->job_version)})));
  auto answer = GET_OR_RET(util::SockReadLine(fd));
  if (answer.rfind("-ERR unknown command", 0) == 0) return false;
  auto words = util::Split(answer, " ");
  if (words.size() < 3 || words[0] != "+haul") return {Status::NotOK, "the destination refuses the import: " + answer};
  state->endpoint = (words.size() > 3 ? words[3] : state->host) + ":" + words[1];
  state->token = words[2];
  return true;
}

// The destination may have restarted; it listens again on request.
Status RdmaMigrator::askAgain() {
  UniqueFD fd(GET_OR_RET(util::SockConnect(state_.host, state_.port, kAnswerSeconds * 1000, kAnswerSeconds * 1000)));
  const auto &password = srv_->GetConfig()->requirepass;
  if (!password.empty()) GET_OR_RET(migrator_->authOnDstNode(*fd, password));
  RdmaState state = state_;
  if (!GET_OR_RET(askEndpoint(*fd, &state))) return {Status::NotOK, "the destination no longer supports rdma"};
  std::lock_guard<std::mutex> lock(mutex_);
  state_.endpoint = state.endpoint;
  state_.token = state.token;
  return Status::OK();
}

// --- the stages --------------------------------------------------------------------------------------------------

bool RdmaMigrator::Step() {
  auto &stage = migrator_->current_stage_;
  if (stage == SlotMigrationStage::kStart) {
    by_haul_ = srv_->GetConfig()->migrate_rdma.by == MigrateTransport::kHaul;
  }
  bool is_ours = by_haul_ && (stage == SlotMigrationStage::kSnapshot || stage == SlotMigrationStage::kFailed);
  if (!is_ours) return false;
  auto range = migrator_->slot_range_.load();
  if (stage == SlotMigrationStage::kFailed) {
    RDMA_INFO("[migrate] Failed to migrate a slot(s) {}", range.String());
    migrator_->migrate_failed_slot_range_ = range;
    migrator_->migration_state_ = MigrationState::kFailed;
    stage = SlotMigrationStage::kClean;
    return true;
  }
  auto ended = run();
  if (ended) {
    RDMA_INFO("[migrate] Succeed to migrate slot(s) {}", range.String());
    migrator_->migrate_failed_slot_range_ = SlotRange{-1, -1};
    stage = SlotMigrationStage::kClean;
    migrator_->migration_state_ = MigrationState::kSuccess;
  } else {
    RDMA_ERROR("[migrate] Failed to migrate slot(s) {}: {}", range.String(), ended.Msg());
    stage = SlotMigrationStage::kFailed;
  }
  migrator_->resumeSyncCtx(ended);
  return true;
}

// --- the job -----------------------------------------------------------------------------------------------------

void RdmaMigrator::fillOptions(haul_source_options *options) {
  const auto &config = srv_->GetConfig()->migrate_rdma;
  token_ = RdmaTokenFromHex(state_.token);
  to_ = state_.endpoint;
  keys_ = RdmaKeyRange(state_.range);
  range_ = keys_.Get();
  *options = {};
  options->to = to_.c_str();
  options->transports = RdmaTransports(srv_);
  options->families = kRdmaFamilies;
  options->family_count = std::size(kRdmaFamilies);
  options->metadata_families = kRdmaMetadataFamilies;
  options->metadata_family_count = std::size(kRdmaMetadataFamilies);
  options->ranges = &range_;
  options->range_count = 1;
  options->reader_count = static_cast<uint32_t>(config.readers);
  options->rate_bytes_per_second = static_cast<uint64_t>(config.rate_limit_mb) << 20;
  options->lane = RdmaLaneMode(srv_);
  options->overwrite = true;
  options->freeze_max_ms = static_cast<uint32_t>(config.freeze_max_ms);
  options->retry_max_ms = kRetryMs;
  options->secret = {reinterpret_cast<const uint8_t *>(token_.data()), token_.size()};
  options->hooks.context = this;
  options->hooks.freeze = [](void *self, uint32_t deadline_ms, haul_error *error) {
    return static_cast<RdmaMigrator *>(self)->freeze(deadline_ms, error);
  };
  options->hooks.unfreeze = [](void *self) { static_cast<RdmaMigrator *>(self)->unfreeze(); };
  options->hooks.release = [](void *self, uint64_t) { static_cast<RdmaMigrator *>(self)->release(); };
  options->hooks.version_get = [](void *self, uint64_t *version, haul_error *) {
    *version = static_cast<RdmaMigrator *>(self)->state_.job_version;
    return HAUL_OK;
  };
}

Status RdmaMigrator::run() {
  // libhaul takes its own view, and reads the log after the view's last record.
  srv_->storage->GetDB()->ReleaseSnapshot(migrator_->slot_snapshot_);
  migrator_->slot_snapshot_ = nullptr;
  migrator_->dst_fd_.Reset();

  auto store = GET_OR_RET(RdmaStore::Acquire(srv_));
  RdmaMovingGuard moving;
  haul_source_options options{};
  options.size_bytes = sizeof(options);
  fillOptions(&options);
  options.store = store->Get();
  options.log = store->Log();
  released_ = false;
  haul_migration *migration = nullptr;
  haul_error error{};
  if (haul_source_start(&options, &migration, &error) != HAUL_OK) return {Status::NotOK, RdmaErrorText(error)};
  {
    std::lock_guard<std::mutex> lock(mutex_);
    migration_ = migration;
  }
  auto result = waitForEnd(migration);
  {
    std::lock_guard<std::mutex> lock(mutex_);
    migration_ = nullptr;
  }
  haul_migration_destroy(migration);
  auto ended = conclude(result);
  RdmaRefreshFilters(srv_);
  return ended;
}

haul_result RdmaMigrator::waitForEnd(haul_migration *migration) {
  bool cancelled = false;
  uint64_t released_at = 0;
  while (!haul_migration_ended(migration, kPollMs)) {
    if (cancelled) continue;
    if (released_ && released_at == 0) released_at = util::GetTimeStampMS();
    if (isUnwanted()) {
      RDMA_INFO("[migrate] Stop migrating slot(s) {}", state_.range.String());
      cancelled = true;
    } else if (released_ && util::GetTimeStampMS() - released_at > kLostReplyMs) {
      RDMA_WARN("[migrate] The destination's answer to the hand-over is missing, asking again");
      cancelled = true;
    }
    if (cancelled) haul_migration_cancel(migration);
  }
  return *haul_migration_result(migration);
}

Status RdmaMigrator::conclude(haul_result result) {
  if (result.status != HAUL_OK && released_ && confirm()) {
    result.status = HAUL_OK;
    result.retries++;
  }
  const auto &figures = result.progress;
  double rate = RdmaRateMb(figures);
  auto text = fmt::format(
      "transport: {}, lane: {}, records: {}, bytes: {}, elapsed: {:.3f} s, rate: {:.1f} MB/s, rounds: {}, write pause: "
      "{:.1f} ms, retries: {}",
      haul_transport_name(figures.transport), result.lane == HAUL_LANE_INGEST ? "ingest" : "writebatch",
      figures.records, figures.bytes, figures.seconds, rate, figures.rounds, result.write_pause_ms, result.retries);
  {
    std::lock_guard<std::mutex> lock(mutex_);
    last_info_ = {
        {"last_slot(s)", state_.range.String()},
        {"last_result", haul_status_name(result.status)},
        {"last_transport", haul_transport_name(figures.transport)},
        {"last_fallback_reason", result.fallback_reason},
        {"last_records", std::to_string(figures.records)},
        {"last_bytes", std::to_string(figures.bytes)},
        {"last_seconds", fmt::format("{:.3f}", figures.seconds)},
        {"last_rate_mb", fmt::format("{:.1f}", rate)},
        {"last_write_pause_ms", fmt::format("{:.1f}", result.write_pause_ms)},
        {"last_lag_bytes_at_freeze", std::to_string(result.lag_bytes_at_freeze)},
        {"last_retries", std::to_string(result.retries)},
        {"last_resumed", result.resumed ? "1" : "0"},
    };
  }
  if (result.status == HAUL_OK) {
    RDMA_INFO("[migrate] Succeed to migrate slot(s) {} by haul, {}", state_.range.String(), text);
    frozen_ = false;
    return Status::OK();
  }
  RDMA_ERROR("[migrate] Migration of slot(s) {} by haul ended, {}", state_.range.String(), text);
  if (released_) {
    startResolving();
    return {Status::NotOK, "the slots are handed over, and the destination has not confirmed it yet: " +
                               RdmaErrorText(result.error)};
  }
  if (result.status == HAUL_IN_DOUBT) {
    return {Status::NotOK, "the slots stay write-forbidden until the decision record is read, at the next start: " +
                               RdmaErrorText(result.error)};
  }
  frozen_ = false;
  std::lock_guard<std::mutex> lock(mutex_);
  state_.moving = false;
  if (auto s = state_.Store(statePath()); !s) RDMA_WARN("[migrate] {}", s.Msg());
  return {Status::NotOK, RdmaErrorText(result.error)};
}

// --- hooks -------------------------------------------------------------------------------------------------------

haul_status RdmaMigrator::freeze(uint32_t deadline_ms, haul_error *error) {
  auto start = util::GetTimeStampMS();
  frozen_ = true;
  migrator_->setForbiddenSlotRange(state_.range);
  if (util::GetTimeStampMS() - start > deadline_ms) {
    unfreeze();
    return haul_error_set(error, HAUL_TIMEOUT, nullptr, 0, "commands did not end within %u ms", deadline_ms);
  }
  return HAUL_OK;
}

void RdmaMigrator::unfreeze() {
  migrator_->ReleaseForbiddenSlotRange();
  frozen_ = false;
  RdmaWakeBlocked(srv_, state_.range, false);
}

void RdmaMigrator::release() {
  released_ = true;
  auto address = fmt::format("{}:{}", state_.host, state_.port);
  if (auto s = srv_->cluster->SetSlotRangeMigrated(state_.range, address); !s) {
    // Two owners must never exist: the slots stay forbidden here.
    RDMA_ERROR("[migrate] Cannot redirect clients to the destination: {}", s.Msg());
  }
  RdmaWakeBlocked(srv_, state_.range, true);
  std::lock_guard<std::mutex> lock(mutex_);
  if (state_.moving) state_.MarkMoved(address);
  // The journal has the same information until the destination has confirmed.
  if (auto s = state_.Store(statePath()); !s) RDMA_ERROR("[migrate] {}", s.Msg());
}

// --- after a restart ---------------------------------------------------------------------------------------------

Status RdmaMigrator::Recover() {
  state_ = GET_OR_RET(RdmaState::Load(statePath()));
  haul_job *jobs = nullptr;
  size_t count = 0;
  haul_error error{};
  if (haul_jobs_list(srv_->GetConfig()->db_dir.c_str(), &jobs, &count, &error) != HAUL_OK) {
    return {Status::NotOK, RdmaErrorText(error)};
  }
  bool decided = false, open = false;
  for (size_t i = 0; i < count; i++) {
    if (jobs[i].role != HAUL_JOB_SOURCE) continue;
    decided = decided || jobs[i].claim == HAUL_JOB_YIELDS;
    open = true;
  }
  free(jobs);
  if (decided && state_.moving) state_.MarkMoved(fmt::format("{}:{}", state_.host, state_.port));
  state_.ForgetBefore(srv_->cluster->GetVersion());
  for (const auto &entry : state_.moved) {
    GET_OR_RET(srv_->cluster->SetSlotRangeMigrated(entry.range, entry.address));
    RDMA_INFO("[migrate] Slot(s) {} were handed over to {} before the restart", entry.range.String(),
                             entry.address);
  }
  if (decided) {
    startResolving();
  } else if (open && state_.moving) {
    // Nothing was decided: the slots are served here, and the job continues where it was.
    auto s = srv_->cluster->MigrateSlotRange(state_.range, state_.node);
    RDMA_INFO("[migrate] Slot(s) {} were being migrated to {}:{} before the restart: {}",
                             state_.range.String(), state_.host, state_.port, s ? "resuming" : s.Msg());
  }
  return Status::OK();
}

void RdmaMigrator::OnTopology(int64_t version, std::map<int, std::string> *migrated_slots) {
  std::lock_guard<std::mutex> lock(mutex_);
  bool forgot = state_.ForgetBefore(version);
  for (const auto &entry : state_.moved) {
    // The topology from before the hand-over was set again, as after a restart.
    for (int slot = entry.range.start; slot <= entry.range.end; slot++) (*migrated_slots)[slot] = entry.address;
  }
  if (!forgot) return;
  if (auto s = state_.Store(statePath()); !s) RDMA_WARN("[migrate] {}", s.Msg());
}

void RdmaMigrator::startResolving() {
  if (resolving_.exchange(true)) return;
  if (resolver_.joinable()) resolver_.join();
  resolver_ = std::thread([this] { resolve(); });
}

void RdmaMigrator::resolve() {
  while (!stopping_ && !tellDecision()) {
    for (int i = 0; i < 20 && !stopping_; i++) std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  if (!stopping_) {
    RDMA_INFO("[migrate] The destination has confirmed slot(s) {}", state_.range.String());
    frozen_ = false;
  }
  resolving_ = false;
}

// The answer to the hand-over was lost: within the job there is still time to ask for it.
bool RdmaMigrator::confirm() {
  if (resolving_.exchange(true)) return false;
  auto start = util::GetTimeStampMS();
  bool confirmed = false;
  while (!confirmed && !isUnwanted() && util::GetTimeStampMS() - start < kRetryMs) {
    confirmed = tellDecision();
    for (int i = 0; i < 4 && !confirmed && !isUnwanted(); i++) {
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
  }
  resolving_ = false;
  return confirmed;
}

// Send the decision to the destination. True: it has confirmed.
bool RdmaMigrator::tellDecision() {
  haul_source_options options{};
  options.size_bytes = sizeof(options);
  auto store = RdmaStore::Acquire(srv_);
  haul_error error{};
  haul_migration *migration = nullptr;
  haul_status status = HAUL_UNREACHABLE;
  auto asked = askAgain();
  if (!asked) haul_error_set(&error, status, nullptr, 0, "%s", asked.Msg().c_str());
  if (store && asked) {
    fillOptions(&options);
    options.store = (*store)->Get();
    options.log = (*store)->Log();
    options.transports = {{HAUL_TRANSPORT_TCP}};
    options.retry_max_ms = kResolveRetryMs;
    options.resolve = true;
    status = haul_source_start(&options, &migration, &error);
  }
  if (status == HAUL_OK) {
    while (!haul_migration_ended(migration, kPollMs)) {
      if (isStopping()) haul_migration_cancel(migration);
    }
    status = haul_migration_result(migration)->status;
    error = haul_migration_result(migration)->error;
    haul_migration_destroy(migration);
  }
  if (status == HAUL_OK || status == HAUL_NOT_FOUND) return true;
  RDMA_WARN("[migrate] The destination has not confirmed slot(s) {} yet: {}", state_.range.String(),
                              RdmaErrorText(error));
  return false;
}

// --- reporting ---------------------------------------------------------------------------------------------------

void RdmaMigrator::GetInfo(RdmaFields *fields) {
  std::lock_guard<std::mutex> lock(mutex_);
  if (migration_) {
    haul_progress progress{};
    haul_migration_progress(migration_, &progress);
    fields->emplace_back("migrate_slot(s)", state_.range.String());
    fields->emplace_back("migrate_transport", haul_transport_name(progress.transport));
    fields->emplace_back("migrate_phase", haul_phase_name(progress.phase));
    fields->emplace_back("migrate_records", std::to_string(progress.records));
    fields->emplace_back("migrate_bytes", std::to_string(progress.bytes));
    fields->emplace_back("migrate_bytes_expected", std::to_string(progress.bytes_expected));
    fields->emplace_back("migrate_rate_mb", fmt::format("{:.1f}", RdmaRateMb(progress)));
    fields->emplace_back("migrate_lag_bytes", std::to_string(progress.lag_bytes));
    fields->emplace_back("migrate_rounds", std::to_string(progress.rounds));
  }
  fields->emplace_back("migrate_unconfirmed", resolving_ ? "1" : "0");
  fields->insert(fields->end(), last_info_.begin(), last_info_.end());
}
