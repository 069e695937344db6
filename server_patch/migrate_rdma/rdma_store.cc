// SPDX-License-Identifier: Apache-2.0
#include "rdma_store.h"

#include <rocksdb/c.h>
#include <rocksdb/db.h>
#include <rocksdb/options.h>

#include <cstring>
#include <mutex>

#include "cluster/cluster.h"
#include "server/server.h"
#include "storage/redis_metadata.h"
#include "storage/storage.h"

// RocksDB's C API wraps its objects in these structs, but has no function that wraps an existing object. attach()
// checks through the C API that the handles work before it trusts them.
struct rocksdb_t {
  rocksdb::DB *rep;
};
struct rocksdb_column_family_handle_t {
  rocksdb::ColumnFamilyHandle *rep;
};
struct rocksdb_options_t {
  rocksdb::Options rep;
};

struct RdmaStore::Handles {
  rocksdb_t db{nullptr};
  std::vector<std::unique_ptr<rocksdb_column_family_handle_t>> families;
  std::vector<std::unique_ptr<rocksdb_options_t>> options;
};

namespace {

void WriteLog(void *, haul_log_level level, const char *line) {
  if (level == HAUL_LOG_ERROR) {
    LOG(ERROR) << "[migrate] haul: " << line;
  } else if (level == HAUL_LOG_WARNING) {
    LOG(WARNING) << "[migrate] haul: " << line;
  } else {
    LOG(INFO) << "[migrate] haul: " << line;
  }
}

// Does the C API understand the wrapped handles?
bool IsUnderstood(rocksdb_t *db, rocksdb_column_family_handle_t *family, rocksdb_options_t *options) {
  size_t size = 0;
  char *name = rocksdb_column_family_handle_get_name(family, &size);
  bool same_name = name && std::string(name, size) == family->rep->GetName();
  rocksdb_free(name);
  uint64_t count = 0;
  auto same_db = rocksdb_property_int_cf(db, family, "rocksdb.num-immutable-mem-table", &count) == 0;
  return same_name && same_db && rocksdb_column_family_handle_get_id(family) == family->rep->GetID() &&
         rocksdb_options_get_write_buffer_size(options) == options->rep.write_buffer_size &&
         rocksdb_options_get_max_background_jobs(options) == options->rep.max_background_jobs;
}

}  // namespace

StatusOr<std::shared_ptr<RdmaStore>> RdmaStore::Acquire(Server *srv) {
  static std::mutex mutex;
  static std::weak_ptr<RdmaStore> current;
  std::lock_guard<std::mutex> guard(mutex);
  auto store = current.lock();
  if (store && store->handles_->db.rep == srv->storage->GetDB()) return store;
  store = std::shared_ptr<RdmaStore>(new RdmaStore(srv));
  GET_OR_RET(store->attach());
  current = store;
  return store;
}

RdmaStore::~RdmaStore() { haul_store_close(store_); }

Status RdmaStore::attach() {
  log_ = {WriteLog, nullptr, HAUL_LOG_INFO};
  handles_ = std::make_shared<Handles>();
  auto *db = srv_->storage->GetDB();
  handles_->db.rep = db;
  std::vector<haul_rocks_family> families;
  for (auto *handle : *srv_->storage->GetCFHandles()) {
    handles_->families.emplace_back(new rocksdb_column_family_handle_t{handle});
    handles_->options.emplace_back(new rocksdb_options_t{db->GetOptions(handle)});
    auto *family = handles_->families.back().get();
    auto *options = handles_->options.back().get();
    if (!IsUnderstood(&handles_->db, family, options)) {
      return {Status::NotOK, "this RocksDB's C API does not understand the handles of its C++ API"};
    }
    families.push_back({handle->GetName().c_str(), family, options, handle->GetComparator()->Name(), nullptr});
  }
  haul_rocks_database database{};
  database.size_bytes = sizeof(database);
  database.path = srv_->GetConfig()->db_dir.c_str();
  database.db = &handles_->db;
  database.families = families.data();
  database.family_count = families.size();
  database.features = features;
  database.context = this;
  haul_error error{};
  if (haul_rocks_store_attach(&database, &store_, &error) != HAUL_OK) return {Status::NotOK, RdmaErrorText(error)};
  return Status::OK();
}

uint32_t RdmaStore::features(void *context) {
  auto *self = static_cast<RdmaStore *>(context);
  uint32_t features = HAUL_STORE_WAL | HAUL_STORE_INGEST;
  bool followed = self->replicas_expected_ || !self->srv_->GetSlaveHostAndPort().empty();
  return followed ? features | HAUL_STORE_FOLLOWERS : features;
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

bool RdmaTopologyHasReplicas(Server *srv) {
  auto replicas = srv->cluster->GetReplicas(srv->cluster->GetMyId());
  return replicas && !replicas->empty();
}

haul_transport_list RdmaTransports(Server *srv) {
  switch (srv->GetConfig()->migrate_rdma.transport) {
    case RdmaTransport::kRdma:
      return {{HAUL_TRANSPORT_VERBS}};
    case RdmaTransport::kTcp:
      return {{HAUL_TRANSPORT_TCP}};
    default:
      return {};
  }
}

haul_lane RdmaLaneMode(Server *srv) {
  switch (srv->GetConfig()->migrate_rdma.lane) {
    case RdmaLane::kIngest:
      return HAUL_LANE_INGEST;
    case RdmaLane::kWriteBatch:
      return HAUL_LANE_WRITE_BATCH;
    default:
      return HAUL_LANE_AUTO;
  }
}

std::string RdmaErrorText(const haul_error &error) {
  char line[HAUL_LOG_LINE_BYTES_MAX];
  haul_error_format(&error, line, sizeof(line));
  return line;
}

double RdmaRateMb(const haul_progress &progress) {
  return progress.seconds > 0 ? static_cast<double>(progress.bytes) / progress.seconds / (1 << 20) : 0;
}
