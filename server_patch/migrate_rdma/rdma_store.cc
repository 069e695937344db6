// SPDX-License-Identifier: Apache-2.0
#include "rdma_store.h"

#include <algorithm>
#include <cstring>
#include <iterator>
#include <mutex>

#include "cluster/cluster.h"
#include "db_util.h"
#include "rdma_log.h"
#include "server/server.h"
#include "storage/redis_metadata.h"
#include "storage/storage.h"

namespace {

void WriteLog(void *, haul_log_level level, const char *line) {
  if (level == HAUL_LOG_ERROR) {
    RDMA_ERROR("[migrate] haul: {}", line);
  } else if (level == HAUL_LOG_WARNING) {
    RDMA_WARN("[migrate] haul: {}", line);
  } else {
    RDMA_INFO("[migrate] haul: {}", line);
  }
}

template <size_t N>
bool Contains(const char *const (&names)[N], std::string_view name) {
  return std::find(std::begin(names), std::end(names), name) != std::end(names);
}

}  // namespace

bool RdmaHoldsSlots(std::string_view family) { return Contains(kRdmaFamilies, family); }

StatusOr<std::shared_ptr<RdmaStore>> RdmaStore::Acquire(Server *srv) {
  static std::mutex mutex;
  static std::weak_ptr<RdmaStore> current;
  std::lock_guard<std::mutex> guard(mutex);
  auto store = current.lock();
  if (store && store->db_ == srv->storage->GetDB()) return store;
  store = std::shared_ptr<RdmaStore>(new RdmaStore(srv));
  GET_OR_RET(store->attach());
  current = store;
  return store;
}

Status RdmaStore::attach() {
  for (const auto &family : engine::ColumnFamilyConfigs::ListAllColumnFamilies()) {
    if (!RdmaHoldsSlots(family.Name()) && !Contains(kRdmaFamiliesOfNode, family.Name())) {
      return {Status::NotOK, fmt::format("migrate-transport haul does not know the column family '{}'", family.Name())};
    }
  }
  log_ = {WriteLog, nullptr, HAUL_LOG_INFO};
  db_ = srv_->storage->GetDB();
  haul_error error{};
  if (store_.attach(db_, *srv_->storage->GetCFHandles(), &error, features, this, logData) != HAUL_OK) {
    return {Status::NotOK, RdmaErrorText(error)};
  }
  return Status::OK();
}

uint32_t RdmaStore::features(void *context) {
  auto *self = static_cast<RdmaStore *>(context);
  uint32_t features = HAUL_STORE_WAL | HAUL_STORE_INGEST;
  bool followed = self->replicas_expected_ || !self->srv_->GetSlaveHostAndPort().empty();
  return followed ? features | HAUL_STORE_FOLLOWERS : features;
}

// As Storage ends its own batches. A replica that comes back is asked whether its log is of the same lineage as this
// one's; a batch that does not say so would let it go on with a log that is not.
size_t RdmaStore::logData(void *context, uint8_t *blob) {
  auto *storage = static_cast<RdmaStore *>(context)->srv_->storage;
  auto id = storage->GetConfig()->use_rsid_psync ? storage->GetReplIdFromDbEngine() : "";
  if (id.length() != kReplIdLength) return 0;
  auto text = ServerLogData(kReplIdLog, id).Encode();
  memcpy(blob, text.data(), text.size());
  return text.size();
}

RdmaKeyRange::RdmaKeyRange(const SlotRange &slots)
    : start(ComposeSlotKeyPrefix(kDefaultNamespace, slots.start)),
      end(ComposeSlotKeyPrefix(kDefaultNamespace, slots.end + 1)) {}

haul_range RdmaKeyRange::Get() const {
  return {{reinterpret_cast<const uint8_t *>(start.data()), start.size()},
          {reinterpret_cast<const uint8_t *>(end.data()), end.size()}};
}

bool RdmaKeyRange::operator==(const haul_range &other) const {
  return other.start.size == start.size() && other.end.size == end.size() &&
         memcmp(other.start.data, start.data(), start.size()) == 0 &&
         memcmp(other.end.data, end.data(), end.size()) == 0;
}

Status RdmaCheckIndexes(Server *srv) {
  auto *family = srv->storage->GetCFHandle(ColumnFamilyID::Index);
  auto indexes = util::UniqueIterator(srv->storage->GetDB()->NewIterator(rocksdb::ReadOptions(), family));
  indexes->SeekToFirst();
  if (indexes->Valid()) {
    return {Status::NotOK,
            "the column family 'index' is not empty, and its keys belong to no slot: delete the time "
            "series with labels, or set migrate-transport redis"};
  }
  if (auto s = indexes->status(); !s.ok()) {
    return {Status::NotOK, "cannot read the column family 'index': " + s.ToString()};
  }
  return Status::OK();
}

bool RdmaTopologyHasReplicas(Server *srv) {
  auto replicas = srv->cluster->GetReplicas(srv->cluster->GetMyId());
  return replicas && !replicas->empty();
}

haul_transport_list RdmaTransports(const RdmaOptions &options) {
  switch (options.transport) {
    case RdmaTransport::kRdma:
      return {{HAUL_TRANSPORT_VERBS}};
    case RdmaTransport::kTcp:
      return {{HAUL_TRANSPORT_TCP}};
    default:
      return {};
  }
}

haul_lane RdmaLaneMode(const RdmaOptions &options) {
  switch (options.lane) {
    case RdmaLane::kIngest:
      return HAUL_LANE_INGEST;
    case RdmaLane::kWriteBatch:
      return HAUL_LANE_WRITE_BATCH;
    default:
      return HAUL_LANE_AUTO;
  }
}

haul_wire RdmaWireMode(const RdmaOptions &options) {
  switch (options.wire) {
    case RdmaWire::kNone:
      return HAUL_WIRE_NONE;
    case RdmaWire::kAuth:
      return HAUL_WIRE_AUTH;
    default:
      return HAUL_WIRE_SECURE;
  }
}

std::string RdmaErrorText(const haul_error &error) {
  char line[HAUL_LOG_LINE_BYTES_MAX];
  auto shown = error;
  if (strstr(shown.hint, "`haul ") != nullptr) shown.hint[0] = '\0';  // of the tool, which has no business here
  haul_error_format(&shown, line, sizeof(line));
  return line;
}

double RdmaRateMb(const haul_progress &progress) {
  return progress.seconds > 0 ? static_cast<double>(progress.bytes) / progress.seconds / (1 << 20) : 0;
}
