// SPDX-License-Identifier: Apache-2.0
#include "rdma_ingest.h"

#include "cluster/cluster.h"
#include "cluster/slot_migrate.h"
#include "commands/error_constants.h"
#include "parse_util.h"
#include "rdma_import.h"
#include "rdma_key.h"
#include "rdma_log.h"
#include "rdma_store.h"
#include "server/server.h"
#include "storage/storage.h"

namespace {

constexpr const char *kIngested = "haul.ingested";

// Somebody has polled for changes since this process started.
bool HasCdcReaders(Server *srv) {
  auto stat = srv->stats.commands_stats.find("pollupdates");
  return stat != srv->stats.commands_stats.end() && stat->second.calls > 0;
}

}  // namespace

bool RdmaMayIngest(Server *srv) {
  const char *reader = nullptr;
  if (RdmaLaneMode(srv->GetConfig()->migrate_rdma) == HAUL_LANE_WRITE_BATCH) return false;
  if (RdmaTopologyHasReplicas(srv) || srv->GetReplicaCount() > 0) reader = "this node has replicas";
  if (HasCdcReaders(srv)) reader = "POLLUPDATES is in use";
  if (srv->slot_migrator->IsMigrationInProgress()) reader = "a migration from this node is running";
  if (!reader) return true;
  RDMA_INFO("[import] Use write batches: {}", reader);
  return false;
}

Status RdmaMarkIngested(Server *srv, const RdmaGuard::GivesUp &gives_up) {
  // Not while an EXEC gathers its writes.
  auto concurrency = RdmaGuard::Shared(srv, gives_up);
  if (!concurrency) return {Status::NotOK, "the import is ending"};
  // No replica was let in since the import began, so none has more of the log than this, plus what this writes.
  auto last_seq = srv->storage->LatestSeqNumber() + 1;
  auto ctx = engine::Context::NoTransactionContext(srv->storage);
  return srv->storage->WriteToPropagateCF(ctx, RdmaKey(kIngested), std::to_string(last_seq))
      .Prefixed("cannot record what replicas must not miss");
}

Status RdmaCheckPSync(Server *srv, uint64_t next_seq) {
  // The answer that makes a replica come back in ten seconds, instead of fetching everything now and then again.
  if (srv->rdma_import && srv->rdma_import->IsIngesting()) return {Status::RedisLoading, redis::errRestoringBackup};

  std::string text;
  auto *family = srv->storage->GetCFHandle(ColumnFamilyID::Propagate);
  auto s = srv->storage->GetDB()->Get(rocksdb::ReadOptions(), family, RdmaKey(kIngested), &text);
  if (s.IsNotFound()) return Status::OK();
  auto last_seq = s.ok() ? ParseInt<uint64_t>(text, 10) : StatusOr<uint64_t>(UINT64_MAX);
  if (last_seq && next_seq > *last_seq) return Status::OK();
  srv->stats.IncrPSyncErrCount();
  return {Status::RedisExecErr, "the log lacks ingested files, please use fullsync"};
}
