// SPDX-License-Identifier: Apache-2.0
#include "rdma_migrate.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "cluster/cluster.h"
#include "cluster/slot_migrate.h"
#include "cluster/sync_migrate_context.h"
#include "rdma_blocked.h"
#include "rdma_guard.h"
#include "rdma_import.h"
#include "rdma_log.h"
#include "rdma_peer.h"
#include "rdma_question.h"
#include "server/server.h"
#include "time_util.h"

namespace {

constexpr uint32_t kPollMs = 50;
constexpr uint32_t kRetryMs = 60 * 1000;
constexpr int kAskEndedMs = 1000;
constexpr int kAskEndedLimitMs = 2 * 1000;
// A destination that has taken over no longer listens: ask on its Redis port, not at its old endpoint.
constexpr int kLostReplyMs = 2 * 1000;
constexpr int kDoubtPauseMs = 1000;
constexpr int kDoubtPauseMaxMs = 60 * 1000;

// After these the same call continues the job (haul/migration.h).
bool CanContinue(haul_status status) {
  switch (status) {
    case HAUL_STOPPED:
    case HAUL_BUSY:
    case HAUL_TIMEOUT:
    case HAUL_CLOSED:
    case HAUL_REFUSED:
    case HAUL_UNREACHABLE:
      return true;
    default:
      return false;
  }
}

}  // namespace

RdmaMigrator::RdmaMigrator(Server *srv, SlotMigrator *migrator, RdmaSlots *slots)
    : queue(srv), probe(srv), srv_(srv), migrator_(migrator), slots_(slots) {}

RdmaMigrator::~RdmaMigrator() { StopWatching(); }

std::string RdmaMigrator::statePath() const { return srv_->GetConfig()->db_dir + "/haul/slots-source"; }

bool RdmaMigrator::isStopping() const { return migrator_->isTerminated(); }

bool RdmaMigrator::isUnwanted() const {
  return lost_ || migrator_->stop_migration_ || isStopping() || slots_->IsReplica();
}

// This node is about to have nothing to say about its slots.
bool RdmaMigrator::isLeaving() const { return isStopping() || slots_->IsReplica(); }

// Waits, and returns early when the job stops being wanted meanwhile.
void RdmaMigrator::pause(int ms) const {
  bool unwanted = isUnwanted();
  for (int waited = 0; waited < ms && !isStopping() && isUnwanted() == unwanted; waited += static_cast<int>(kPollMs)) {
    std::this_thread::sleep_for(std::chrono::milliseconds(kPollMs));
  }
}

// --- the stages of SlotMigrator --------------------------------------------------------------------------------------

bool RdmaMigrator::Step() {
  if (migrator_->current_stage_ != SlotMigrationStage::kStart) return false;
  released_ = false;
  setWorking(true);
  auto by_haul = start();
  if (by_haul && !*by_haul) {
    setWorking(false);
    return false;
  }
  if (!by_haul) report.Refuse(migrator_->slot_range_, migrator_->dst_node_, by_haul.Msg());
  migrator_->current_stage_ = SlotMigrationStage::kSnapshot;
  moving_ = true;
  auto result = by_haul ? run() : by_haul.ToStatus();
  end(result);
  moving_ = false;
  setWorking(false);
  cleanAndAnswer(result);
  return true;
}

// What ends a job must not end the next one, so lost_ is set only while one is here.
void RdmaMigrator::setWorking(bool works) {
  std::lock_guard<std::mutex> lock(mutex_);
  works_ = works;
  watches_ = lost_ = false;
}

void RdmaMigrator::end(const Status &result) {
  auto range = migrator_->slot_range_.load();
  if (result) {
    migrator_->migrate_failed_slot_range_ = SlotRange{-1, -1};
    auto concurrency = RdmaGuard::Shared(srv_, [this] { return isLeaving(); });
    // CLUSTER INFO names the slots of a success from here. They may be this node's own again by now.
    if (concurrency && slots_->HasGiven(job_id_)) migrator_->forbidden_slot_range_ = range;
    shown_range_ = range;
    migrator_->migration_state_ = MigrationState::kSuccess;
  } else if (released_ || frozen_) {
    RDMA_WARN("[migrate] The hand-over of slot(s) {} is left for the next start: {}", range.String(), result.Msg());
  } else {
    RDMA_ERROR("[migrate] Failed to migrate slot(s) {} by haul: {}", range.String(), result.Msg());
    migrator_->migrate_failed_slot_range_ = range;
    migrator_->migration_state_ = MigrationState::kFailed;
  }
}

// SYNC is answered when the next MIGRATE is accepted: clean() ends this one's claim. A next one waits for the lock
// before it leaves a context of its own.
void RdmaMigrator::cleanAndAnswer(const Status &result) {
  std::lock_guard<std::mutex> lock(migrator_->blocking_mutex_);
  migrator_->clean();
  if (auto *context = std::exchange(migrator_->blocking_context_, nullptr)) context->Resume(result);
}

// --- agreeing with the destination -----------------------------------------------------------------------------------

// False: the job is upstream's, by configuration or because the destination does not know the command.
StatusOr<bool> RdmaMigrator::start() {
  if (tell_only_.exchange(false)) {  // Recover() has filled in the job
    released_ = true;
    return true;
  }
  GET_OR_RET(readOptions());
  auto range = migrator_->slot_range_.load();
  std::optional<RdmaState> kept;
  {
    std::lock_guard<std::mutex> one(give_up_mutex_);
    kept = takeKept();
  }
  if (srv_->rdma_import->IsIngesting()) {
    // Ingested files leave a gap in the log, which upstream's migration takes for its end.
    if (kept) keep(*kept);
    return {Status::NotOK, "slots are being imported as table files; try again after that"};
  }
  // Migrate() has looked. Since then this node may have been a replica, and got the record of its master.
  auto given = slots_->FindGiven(range);
  bool is_kept = kept && kept->range == range && kept->node == migrator_->dst_node_ && given.empty();
  if (kept && !is_kept) GET_OR_RET(giveUp(*kept, "another migration begins"));
  if (!given.empty()) return refuseGiven(given.front());
  if (options_.by == MigrateTransport::kHaul) {
    auto known = agree(is_kept ? kept : std::nullopt);
    if (!known && is_kept) keep(*kept);
    if (GET_OR_RET(std::move(known))) return true;
    RDMA_WARN("[migrate] The destination of slot(s) {} does not know migrate-transport haul: upstream's migration",
              range.String());
  }
  if (is_kept) GET_OR_RET(giveUp(*kept, "it is migrated without haul now"));
  return false;
}

Status RdmaMigrator::readOptions() {
  auto concurrency = RdmaGuard::Shared(srv_, [this] { return isUnwanted(); });
  if (!concurrency) return {Status::NotOK, "the migration was ended"};
  options_ = srv_->GetConfig()->migrate_rdma;
  return options_.by == MigrateTransport::kHaul ? RdmaRefuseTls(srv_) : Status::OK();
}

// False: the destination does not know the command.
StatusOr<bool> RdmaMigrator::agree(const std::optional<RdmaState> &kept) {
  GET_OR_RET(RdmaCheckIndexes(srv_));
  GET_OR_RET(beginWatch());
  RdmaState job = kept.value_or(RdmaState{});
  job.moving = true;
  job.range = migrator_->slot_range_;
  job.node = migrator_->dst_node_;
  job.host = migrator_->dst_ip_;
  job.port = migrator_->dst_port_;
  auto fd = GET_OR_RET(RdmaConnect(srv_, job.host, job.port, [this] { return isUnwanted(); }));
  auto asked = RdmaAsk(*fd, question(job));
  if (!asked && kept && asked.Msg().find("haul: no such job") != std::string::npos) {
    return agree(std::nullopt);  // the destination has given it up
  }
  auto answer = GET_OR_RET(std::move(asked));
  if (!answer.known) return false;
  if (!kept || answer.token != kept->token) {
    job.job_version = static_cast<uint64_t>(answer.version);
    // The destination does not know an earlier one, perhaps because it has lost its database.
    if (auto s = endJobs(false); !s) RDMA_WARN("[migrate] {}", s.Msg());
  }
  job.token = answer.token;
  job.endpoint = answer.endpoint;
  if (!openToken(job.token)) return {Status::NotOK, "the destination is about to end this job: try again"};
  GET_OR_RET(job.Store(statePath()));
  job_ = job;
  job_id_ = RdmaJobId(job.token);
  return true;
}

// From here on OnTopology() ends the job if the slots are not this node's any more, or their destination is no master.
Status RdmaMigrator::beginWatch() {
  auto concurrency = RdmaGuard::Shared(srv_, [this] { return isUnwanted(); });
  if (!concurrency) return {Status::NotOK, "the migration was ended"};
  std::lock_guard<std::mutex> lock(mutex_);
  running_range_ = migrator_->slot_range_;
  running_node_ = migrator_->dst_node_;
  watches_ = true;
  lost_reason_.clear();
  auto reason = whyNotAnyMore();
  return reason.empty() ? Status::OK() : Status{Status::NotOK, "by the topology " + reason};
}

RdmaQuestion RdmaMigrator::question(const RdmaState &job) {
  RdmaQuestion question;
  question.range = job.range;
  // A destination that knows an older topology believes that the slots are this node's by this version. With the guard,
  // OnTopology() is through with the version: if it took the slots away, gives_up() returns true from now on.
  question.version = [this] {
    auto concurrency = RdmaGuard::Shared(srv_, [this] { return isUnwanted(); });
    return slots_->Version();
  };
  question.source = slots_->MyId();
  question.token = job.token;
  question.host = job.host;
  question.gives_up = [this] { return isUnwanted(); };
  return question;
}

// --- the job -----------------------------------------------------------------------------------------------------

Status RdmaMigrator::fillOptions(haul_source_options *options) {
  trust_ = GET_OR_RET(RdmaKeysOf(job_.token));
  to_ = job_.endpoint;
  keys_ = RdmaKeyRange(job_.range);
  range_ = keys_.Get();
  *options = {};
  options->size_bytes = sizeof(*options);
  options->to = to_.c_str();
  options->transports = RdmaTransports(options_);
  options->families = kRdmaFamilies;
  options->family_count = std::size(kRdmaFamilies);
  options->metadata_families = kRdmaMetadataFamilies;
  options->metadata_family_count = std::size(kRdmaMetadataFamilies);
  options->ranges = &range_;
  options->range_count = 1;
  options->reader_count = static_cast<uint32_t>(options_.readers);
  rate_.Reset();
  options->rate_bytes_per_second = rate_.BytesPerSecond();
  options->lane = RdmaLaneMode(options_);
  options->wire = RdmaWireMode(options_);
  options->overwrite = true;
  options->log_data = true;
  options->freeze_max_ms = static_cast<uint32_t>(options_.freeze_max_ms);
  options->retry_max_ms = kRetryMs;
  options->keys = trust_.get();
  options->hooks.context = this;
  options->hooks.freeze = [](void *self, uint32_t deadline_ms, haul_error *error) {
    return static_cast<RdmaMigrator *>(self)->freeze(deadline_ms, error);
  };
  options->hooks.unfreeze = [](void *self) { static_cast<RdmaMigrator *>(self)->unfreeze(); };
  options->hooks.release = [](void *self, uint64_t) { static_cast<RdmaMigrator *>(self)->release(); };
  options->hooks.version_get = [](void *self, uint64_t *version, haul_error *) {
    *version = static_cast<RdmaMigrator *>(self)->job_.job_version;
    return HAUL_OK;
  };
  return Status::OK();
}

Status RdmaMigrator::run() {
  if (released_) return tell();
  RdmaMovingGuard moving;
  report.Begin(job_.range, job_.node);
  slots_->SetMoving(handOver());
  haul_result result{};
  auto s = runOnce(&result);
  if (s) {
    s = conclude(&result);
  } else {
    report.Refuse(job_.range, job_.node, s.Msg());
    storeState(false);
  }
  slots_->SetMoving(std::nullopt);
  return s;
}

Status RdmaMigrator::runOnce(haul_result *result) {
  auto store = GET_OR_RET(RdmaStore::Acquire(srv_));
  haul_source_options options{};
  GET_OR_RET(fillOptions(&options));
  options.store = store->Get();
  options.log = store->Log();
  haul_migration *migration = nullptr;
  haul_error error{};
  if (haul_source_start(&options, &migration, &error) != HAUL_OK) return {Status::NotOK, RdmaErrorText(error)};
  {
    std::lock_guard<std::mutex> lock(mutex_);
    migration_ = migration;
  }
  waitForEnd(migration);
  *result = *haul_migration_result(migration);
  {
    std::lock_guard<std::mutex> lock(mutex_);
    migration_ = nullptr;
    if (result->status == HAUL_CANCELLED && !lost_reason_.empty()) {
      result->status = haul_error_set(&result->error, HAUL_MISMATCH, nullptr, 0, "%s", lost_reason_.c_str());
    }
  }
  haul_migration_destroy(migration);
  trust_.reset();
  return Status::OK();
}

void RdmaMigrator::waitForEnd(haul_migration *migration) {
  bool ending = false;
  uint64_t released_at = 0, ask_at = util::GetTimeStampMS() + kAskEndedMs;
  while (!haul_migration_ended(migration, kPollMs)) {
    auto phase = report.Update(migration);
    rate_.Follow(migration);
    if (ending) continue;
    if (released_ && released_at == 0) released_at = util::GetTimeStampMS();
    bool is_away = !released_ && (phase == HAUL_PHASE_CONNECTING || phase == HAUL_PHASE_RETRYING);
    if (is_away && util::GetTimeStampMS() > ask_at) {
      askWhetherEnded();
      ask_at = util::GetTimeStampMS() + kAskEndedMs;
    }
    if (isStopping()) {  // the next MIGRATE continues it
      haul_migration_stop(migration);
      ending = true;
    } else if (isUnwanted()) {
      RDMA_INFO("[migrate] Stop migrating slot(s) {}", job_.range.String());
      haul_migration_cancel(migration);
      ending = true;
    } else if (released_ && util::GetTimeStampMS() - released_at > kLostReplyMs) {
      RDMA_WARN("[migrate] The destination's answer to the hand-over is missing, asking again");
      haul_migration_cancel(migration);
      ending = true;
    }
  }
}

// libhaul would try until kRetryMs to reach a destination that has ended the job, or that has lost it.
void RdmaMigrator::askWhetherEnded() {
  auto answer = RdmaAskNode(
      srv_, {job_.host, job_.port}, {"haul", "endpoint", job_id_}, [this] { return isUnwanted(); },
      kAskEndedLimitMs);
  if (!answer || answer->rfind("-ERR ", 0) != 0) return;
  std::lock_guard<std::mutex> lock(mutex_);
  if (!lost_) lost_reason_ = "the destination has ended the job: " + answer->substr(5);
  lost_ = true;
}

Status RdmaMigrator::conclude(haul_result *result) {
  Status settled;
  if (result->status == HAUL_IN_DOUBT && !released_) settled = settle(result);
  report.End(*result, released_);
  logEnd(*result);
  if (!settled) return settled;
  if (result->status == HAUL_OK) {
    confirmed();
    return Status::OK();
  }
  if (released_) return tell();
  frozen_ = false;
  bool keeps = CanContinue(result->status) && (isStopping() || !isUnwanted());
  storeState(keeps);
  if (keeps) keep(job_);
  return {Status::NotOK, RdmaErrorText(result->error)};
}

// The record of the decision could not be written, or read. Until it can, nobody writes to the slots.
Status RdmaMigrator::settle(haul_result *result) {
  for (int wait_ms = kDoubtPauseMs;; wait_ms = std::min(2 * wait_ms, kDoubtPauseMaxMs)) {
    auto text = RdmaErrorText(result->error);
    RDMA_ERROR("[migrate] Slot(s) {} stay write-forbidden until it is known whether they were handed over: {}",
               job_.range.String(), text);
    {
      std::lock_guard<std::mutex> lock(mutex_);
      doubt_ = text;
    }
    Left left = Left::kNothing;
    auto looked = lookAtJobs(&left);
    if (looked && left == Left::kDecided) {
      release();
      break;
    }
    bool here = looked && (left == Left::kNothing || (isUnwanted() && !isStopping() && endJobs(false)));
    if (here) {
      unfreeze();
      break;
    }
    if (isStopping()) return {Status::NotOK, "it is unknown whether the slots were handed over: " + text};
    pause(wait_ms);
    if (looked && agree(job_) && runOnce(result) && (result->status != HAUL_IN_DOUBT || released_)) break;
  }
  std::lock_guard<std::mutex> lock(mutex_);
  doubt_.clear();
  return Status::OK();
}

void RdmaMigrator::logEnd(const haul_result &result) {
  const auto &figures = result.progress;
  double rate = RdmaRateMb(figures);
  auto text = fmt::format(
      "transport: {}, lane: {}, records: {}, bytes: {}, elapsed: {:.3f} s, rate: {:.1f} MB/s, rounds: {}, write pause: "
      "{:.1f} ms, retries: {}",
      haul_transport_name(figures.transport), result.lane == HAUL_LANE_INGEST ? "ingest" : "writebatch",
      figures.records, figures.bytes, figures.seconds, rate, figures.rounds, result.write_pause_ms, result.retries);
  if (result.status == HAUL_OK) {
    RDMA_INFO("[migrate] Succeed to migrate slot(s) {} by haul, {}", job_.range.String(), text);
  } else {
    RDMA_ERROR("[migrate] Migration of slot(s) {} by haul ended, {}", job_.range.String(), text);
  }
}

// --- hooks -------------------------------------------------------------------------------------------------------

haul_status RdmaMigrator::freeze(uint32_t deadline_ms, haul_error *error) {
  auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(deadline_ms);
  frozen_ = true;
  auto exclusivity = RdmaGuard::ExclusiveUntil(srv_, end);
  if (!exclusivity) {
    return haul_error_set(error, HAUL_TIMEOUT, nullptr, 0, "commands did not end within %u ms", deadline_ms);
  }
  migrator_->forbidden_slot_range_ = job_.range;
  return HAUL_OK;
}

void RdmaMigrator::unfreeze() {
  migrator_->ReleaseForbiddenSlotRange();
  frozen_ = false;
  RdmaWakeBlocked(srv_, job_.range, /*gone=*/false);
}

// What RdmaSlots records of the decided job.
RdmaMoved RdmaMigrator::handOver() const {
  RdmaMoved entry;
  entry.range = job_.range;
  entry.from = slots_->MyId();
  entry.to = job_.node;
  entry.address = fmt::format("{}:{}", job_.host, job_.port);
  entry.job = job_id_;
  return entry;
}

void RdmaMigrator::release() {
  released_ = true;
  if (slots_->WasGiven(job_id_)) return;
  {
    auto exclusivity = RdmaGuard::Exclusive(srv_, [this] { return slots_->IsReplica(); });
    if (!exclusivity) return;  // the new master's database counts
    slots_->AddGiven(handOver());
  }
  RdmaWakeBlocked(srv_, job_.range, /*gone=*/true);
  // The journal has the same information until the destination has confirmed.
  if (auto s = slots_->Store(); !s) RDMA_ERROR("[migrate] {}", s.Msg());
}

// --- reporting ---------------------------------------------------------------------------------------------------

bool RdmaMigrator::HasSucceeded() const { return migrator_->migration_state_ == MigrationState::kSuccess; }

void RdmaMigrator::GetInfo(RdmaFields *fields) {
  report.Append(fields);
  fields->emplace_back("migrate_unconfirmed", telling_ || announcing_ ? "1" : "0");
  fields->emplace_back("migrate_queued", queue.Waiting());
  std::lock_guard<std::mutex> lock(mutex_);
  fields->emplace_back("migrate_in_doubt", RdmaOneLine(doubt_));
  fields->emplace_back("migrate_kept_slot(s)", kept_ ? kept_->range.String() : "");
}
