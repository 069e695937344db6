// SPDX-License-Identifier: Apache-2.0
// rdma_info.cc — the hooks that report migrations, and CLUSTERX MIGRATE with several ranges.
#include "cluster/slot_migrate.h"
#include "rdma_hooks.h"
#include "rdma_import.h"
#include "rdma_migrate.h"
#include "rdma_slots.h"
#include "server/redis_reply.h"
#include "server/server.h"
#include "string_util.h"

Server::InfoEntries RdmaInfo(Server *srv) {
  Server::InfoEntries entries;
  if (!srv->rdma_import || srv->IsLoading()) return entries;
  RdmaFields fields;
  srv->slot_migrator->rdma->GetInfo(&fields);
  srv->rdma_import->GetInfo(&fields);
  for (const auto &[name, value] : fields) entries.emplace_back(name, value);
  return entries;
}

std::string RdmaClusterInfo(Server *srv) {
  if (!srv->rdma_import || srv->IsLoading()) return "";
  if (srv->rdma_slots->IsReplica()) return srv->slot_migrator->rdma->InfoOfReplica();
  RdmaFields fields;
  srv->slot_migrator->rdma->report.AppendProgress(&fields);
  srv->rdma_import->report.AppendProgress(&fields);
  std::string text;
  for (const auto &[name, value] : fields) text += fmt::format("{}: {}\r\n", name, value);
  return text;
}

bool RdmaTakesRanges(Server *srv, const std::vector<SlotRange> &ranges) {
  return ranges.size() > 1 && srv->GetConfig()->migrate_rdma.by == MigrateTransport::kHaul;
}

// CLUSTERX MIGRATE <ranges> <node> [ASYNC|SYNC]
Status RdmaMigrateRanges(Server *srv, const std::vector<SlotRange> &ranges, const std::vector<std::string> &args,
                         std::string *output) {
  if (args.size() > 4 && util::EqualICase(args[4], "sync")) {
    return {Status::RedisExecErr, "several slot ranges are migrated one after the other: use ASYNC"};
  }
  GET_OR_RET(srv->slot_migrator->rdma->queue.Begin(ranges, args[3]));
  *output = redis::RESP_OK;
  return Status::OK();
}
