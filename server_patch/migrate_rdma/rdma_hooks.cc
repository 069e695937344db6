// SPDX-License-Identifier: Apache-2.0
#include "rdma_hooks.h"

#include <filesystem>
#include <mutex>

#include "cluster/slot_migrate.h"
#include "rdma_filter.h"
#include "rdma_import.h"
#include "rdma_log.h"
#include "rdma_migrate.h"
#include "server/server.h"

namespace {

// The replication thread may replace the database while the main thread still starts the server.
std::mutex recover_mutex;

}  // namespace

Status RdmaRecover(Server *srv) {
  std::lock_guard<std::mutex> lock(recover_mutex);
  srv->slot_migrator->rdma = std::make_shared<RdmaMigrator>(srv, srv->slot_migrator.get());
  srv->rdma_import = std::make_shared<RdmaImport>(srv);
  auto guard = srv->storage->ReadLockGuard();
  if (srv->storage->IsClosing()) return Status::OK();  // the database that comes has nothing to resume
  GET_OR_RET(srv->rdma_import->Recover());
  GET_OR_RET(srv->slot_migrator->rdma->Recover());
  RdmaRefreshFilters(srv);
  return Status::OK();
}

// Journals and state belong to the database that goes. They must go before it: replication moves the old directory
// aside, and RocksDB, which removes it later, leaves foreign files, so the next move would fail.
void RdmaStopImport(Server *srv) {
  std::lock_guard<std::mutex> lock(recover_mutex);
  if (srv->rdma_import) {
    srv->rdma_import->Cancel("the database is replaced");
    srv->rdma_import->WaitIdle();
    srv->slot_migrator->rdma->StopResolving();
  }
  std::error_code error;
  std::filesystem::remove_all(srv->GetConfig()->db_dir + "/haul", error);
  if (error) RDMA_ERROR("[migrate] Cannot remove {}/haul: {}", srv->GetConfig()->db_dir, error.message());
  rdma_may_continue = false;
}

void RdmaOnTopology(Server *srv, int64_t version, std::map<int, std::string> *migrated_slots) {
  if (!srv || !srv->rdma_import) return;  // nodes.conf is being loaded
  srv->rdma_import->OnTopology(version);
  srv->slot_migrator->rdma->OnTopology(version, migrated_slots);
}

bool RdmaTakesImport(Server *srv, int state) { return state == kImportByRdma || srv->rdma_import->IsActive(); }

Status RdmaImportState(Server *srv, const SlotRange &range, int state) {
  return srv->rdma_import->Command(range, state);
}

Status RdmaCheckFlush(Server *srv) {
  if (srv->rdma_import->IsActive()) {
    return {Status::RedisExecErr, "slots are being imported by haul; CLUSTER IMPORT <range> 2 cancels that"};
  }
  if (srv->slot_migrator->rdma->IsHandingOver()) {
    return {Status::RedisTryAgain, "slots are being handed over by haul"};
  }
  return Status::OK();
}

bool RdmaNeedsFullSync(Server *srv, uint64_t next_seq, std::string *output) {
  if (!srv->rdma_import || !srv->rdma_import->IsBehindIngest(next_seq)) return false;
  *output = "the log lacks ingested files, please use fullsync";
  return true;
}

Server::InfoEntries RdmaInfo(Server *srv) {
  Server::InfoEntries entries;
  if (!srv->rdma_import || srv->IsLoading()) return entries;
  RdmaFields fields;
  srv->slot_migrator->rdma->GetInfo(&fields);
  srv->rdma_import->GetInfo(&fields);
  for (const auto &[name, value] : fields) entries.emplace_back(name, value);
  return entries;
}
