// SPDX-License-Identifier: Apache-2.0
#include "rdma_report.h"

#include <algorithm>

#include "fmt/format.h"

namespace {

// A rate over less than this says little; one over much more does not follow a changed limit.
constexpr double kRateSeconds = 2;
constexpr double kBytesPerMb = 1 << 20;

double RateMb(uint64_t bytes, double seconds) {
  return seconds > 0 ? static_cast<double>(bytes) / seconds / kBytesPerMb : 0;
}

double Percent(const haul_progress &progress) {
  if (progress.phase > HAUL_PHASE_COPYING && progress.phase < HAUL_PHASE_RETRYING) return 100;
  if (progress.bytes_expected == 0) return 0;
  return std::min(100.0, 100.0 * static_cast<double>(progress.bytes) / static_cast<double>(progress.bytes_expected));
}

// -1: unknown. What is left of the copy, and the log that has to follow.
int64_t EtaSeconds(const haul_progress &progress, double bytes_per_second) {
  if (bytes_per_second < 1 || progress.bytes_expected == 0) return -1;
  uint64_t left = progress.bytes_expected > progress.bytes ? progress.bytes_expected - progress.bytes : 0;
  return static_cast<int64_t>(static_cast<double>(left + progress.lag_bytes) / bytes_per_second);
}

}  // namespace

std::string RdmaOneLine(std::string text) {
  std::replace_if(
      text.begin(), text.end(), [](char c) { return c == '\r' || c == '\n'; }, ' ');
  return text;
}

void RdmaRate::Note(double seconds, uint64_t bytes) {
  double elapsed = seconds - seconds_;
  if (elapsed < 0 || bytes < bytes_) {  // another attempt counts from 0
    *this = {};
    elapsed = seconds;
  }
  if (elapsed <= 0 || (elapsed < kRateSeconds && rate_ > 0)) return;
  rate_ = static_cast<double>(bytes - bytes_) / elapsed;
  seconds_ = seconds;
  bytes_ = bytes;
}

void RdmaReport::Begin(const SlotRange &slots, const std::string &peer) {
  std::lock_guard<std::mutex> lock(mutex_);
  runs_ = true;
  slots_ = slots;
  peer_ = peer;
  progress_ = {};
  progress_.phase = HAUL_PHASE_CONNECTING;
  rate_ = {};
}

haul_phase RdmaReport::Update(haul_migration *migration) {
  haul_progress progress{};
  haul_migration_progress(migration, &progress);
  std::lock_guard<std::mutex> lock(mutex_);
  progress_ = progress;
  rate_.Note(progress.seconds, progress.bytes);
  return progress.phase;
}

void RdmaReport::End(const haul_result &result, bool owned) {
  std::lock_guard<std::mutex> lock(mutex_);
  const auto &figures = result.progress;
  auto status = owned ? HAUL_OK : result.status;
  runs_ = false;
  last_ = {
      {name("last_slot(s)"), slots_.String()},
      {name("last_node"), peer_},
      {name("last_result"), haul_status_name(status)},
      {name("last_error"), status == HAUL_OK ? "" : RdmaOneLine(result.error.text)},
      {name("last_transport"), haul_transport_name(figures.transport)},
      {name("last_wire"), haul_wire_name(figures.wire)},
      {name("last_fallback_reason"), RdmaOneLine(result.fallback_reason)},
      {name("last_lane"), haul_lane_name(result.lane)},
      {name("last_records"), std::to_string(figures.records)},
      {name("last_bytes"), std::to_string(figures.bytes)},
      {name("last_seconds"), fmt::format("{:.3f}", figures.seconds)},
      {name("last_rate_mb"), fmt::format("{:.1f}", RateMb(figures.bytes, figures.seconds))},
      {name("last_write_pause_ms"), fmt::format("{:.1f}", result.write_pause_ms)},
      {name("last_lag_bytes_at_freeze"), std::to_string(result.lag_bytes_at_freeze)},
      {name("last_retries"), std::to_string(result.retries)},
      {name("last_resumed"), result.resumed ? "1" : "0"},
  };
}

void RdmaReport::Refuse(const SlotRange &slots, const std::string &peer, const std::string &error) {
  std::lock_guard<std::mutex> lock(mutex_);
  runs_ = false;
  last_ = {{name("last_slot(s)"), slots.String()},
           {name("last_node"), peer},
           {name("last_result"), haul_status_name(HAUL_REFUSED)},
           {name("last_error"), RdmaOneLine(error)}};
}

// With mutex_ held.
void RdmaReport::appendRunning(RdmaFields *fields) const {
  const auto &now = progress_;
  double rate = rate_.BytesPerSecond();
  auto add = [&](const char *field, std::string value) { fields->emplace_back(name(field), std::move(value)); };
  add("slot(s)", slots_.String());
  add("node", peer_);
  add("phase", haul_phase_name(now.phase));
  add("transport", haul_transport_name(now.transport));
  add("wire", haul_wire_name(now.wire));
  add("records", std::to_string(now.records));
  add("bytes", std::to_string(now.bytes));
  if (now.bytes_expected > 0) {
    add("bytes_expected", std::to_string(now.bytes_expected));
    add("percent", fmt::format("{:.1f}", Percent(now)));
    add("eta_seconds", std::to_string(EtaSeconds(now, rate)));
  }
  add("rate_mb", fmt::format("{:.1f}", rate / kBytesPerMb));
  add("seconds", fmt::format("{:.1f}", now.seconds));
}

void RdmaReport::AppendProgress(RdmaFields *fields) const {
  std::lock_guard<std::mutex> lock(mutex_);
  if (runs_) appendRunning(fields);
}

void RdmaReport::Append(RdmaFields *fields) const {
  std::lock_guard<std::mutex> lock(mutex_);
  auto add = [&](const char *field, uint64_t value) { fields->emplace_back(name(field), std::to_string(value)); };
  if (runs_) {
    appendRunning(fields);
    add("wire_bytes", progress_.wire_bytes);
    add("durable_bytes", progress_.durable_bytes);
  }
  if (runs_ && side_ == "migrate") {  // libhaul has them on the source only
    add("lag_bytes", progress_.lag_bytes);
    add("rounds", progress_.rounds);
    add("pinned_log_bytes", progress_.pinned_log_bytes);
    add("pinned_table_bytes", progress_.pinned_table_bytes);
  }
  fields->insert(fields->end(), last_.begin(), last_.end());
}
