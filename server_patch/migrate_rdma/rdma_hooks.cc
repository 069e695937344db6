// SPDX-License-Identifier: Apache-2.0
#include "rdma_hooks.h"

#include <chrono>
#include <filesystem>
#include <thread>

#include "cluster/slot_migrate.h"
#include "rdma_filter.h"
#include "rdma_import.h"
#include "rdma_log.h"
#include "rdma_migrate.h"
#include "rdma_slots.h"
#include "server/server.h"

Status RdmaRecover(Server *srv) {
  srv->rdma_slots = std::make_shared<RdmaSlots>(srv);
  srv->slot_migrator->rdma = std::make_shared<RdmaMigrator>(srv, srv->slot_migrator.get(), srv->rdma_slots.get());
  srv->rdma_import = std::make_shared<RdmaImport>(srv);
  GET_OR_RET(srv->rdma_slots->Recover());
  GET_OR_RET(srv->rdma_import->Recover());
  GET_OR_RET(srv->slot_migrator->rdma->Recover());
  rdma_recovered = true;
  return Status::OK();
}

void RdmaStop(Server *srv) {
  if (!srv->rdma_slots) return;
  srv->slot_migrator->rdma->queue.Stop();
  srv->slot_migrator->rdma->probe.Stop();
  srv->slot_migrator->rdma->StopWatching();
  srv->rdma_import.reset();
  srv->slot_migrator.reset();
  srv->rdma_slots.reset();
}

bool RdmaStopImport(Server *srv, const std::function<bool()> &gives_up) {
  if (!srv->GetConfig()->cluster_enabled) return true;
  // Replication starts before RdmaRecover(), and may want to replace the database at once.
  while (!rdma_recovered) {
    if (gives_up()) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  if (!srv->rdma_import->Close(gives_up)) return false;
  srv->slot_migrator->rdma->Forget();
  RdmaRemoveFiles(srv);
  return true;
}

void RdmaOnTopology(Server *srv, bool force) {
  if (!srv || !srv->rdma_slots) return;  // nodes.conf is being loaded
  srv->rdma_slots->OnTopology(force);
  srv->slot_migrator->rdma->OnTopology();
  srv->rdma_import->OnTopology(force);
}

void RdmaOnReset(Server *srv) {
  if (!srv->rdma_slots) return;
  srv->rdma_slots->OnReset();
  srv->slot_migrator->rdma->OnReset();
  RdmaRemoveFiles(srv);
}

// The jobs in <db-dir>/haul belong to what this node was. A full synchronization has moved the database before to
// <db-dir>.tmp, where RocksDB's DestroyDB leaves foreign files, and the next one cannot move anything there.
void RdmaRemoveFiles(Server *srv) {
  const auto &directory = srv->GetConfig()->db_dir;
  for (const auto &path : {directory + "/haul", directory + ".tmp/haul"}) {
    std::error_code error;
    std::filesystem::remove_all(path, error);
    if (error) RDMA_WARN("[migrate] Cannot remove {}: {}", path, error.message());
  }
}

bool RdmaTakesImport(Server *srv, redis::Connection *conn, const SlotRange &range, int state) {
  if (srv->rdma_import->IsActive() || srv->rdma_import->OwnsAnyOf(range)) return true;
  if (state == kImportStart) srv->rdma_import->links.Add(range, conn->GetID());
  return false;
}

bool RdmaIsImporting(Server *srv) { return srv->rdma_import && srv->rdma_import->IsActive(); }

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
