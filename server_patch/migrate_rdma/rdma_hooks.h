// SPDX-License-Identifier: Apache-2.0
// rdma_hooks.h — the functions that Kvrocks' own files call. Under MIGRATE_RDMA only.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "server/server.h"
#include "status.h"

struct SlotRange;

// Create both sides and resume what an earlier process has left. Before clients are served.
Status RdmaRecover(Server *srv);
// The database is about to be replaced, and no migration runs: end an import, wait for it, and forget all jobs. False:
// `gives_up` ended the wait. The caller holds no guard.
bool RdmaStopImport(Server *srv, const std::function<bool()> &gives_up);
// The topology was set, with FORCE or without. Exclusive guard.
void RdmaOnTopology(Server *srv, bool force);
// CLUSTER RESET has succeeded. Exclusive guard.
void RdmaOnReset(Server *srv);
// Remove <db-dir>/haul: the state and the journals of jobs, none of which runs.
void RdmaRemoveFiles(Server *srv);
// End all threads: the server is about to be destroyed.
void RdmaStop(Server *srv);

// CLUSTER IMPORT: would it interfere with an import by haul? If not, a beginning is noted.
bool RdmaTakesImport(Server *srv, redis::Connection *conn, const SlotRange &range, int state);
Status RdmaImportState(Server *srv, const SlotRange &range, int state);
// A connection of Kvrocks' own import has closed: is the import that runs another one, by haul?
bool RdmaIsImporting(Server *srv);

// FLUSHDB and FLUSHALL are refused during a hand-over, when it is undecided which side they apply to.
Status RdmaCheckFlush(Server *srv);
// PSYNC: an error for a replica that would miss ingested files (rdma_ingest.h).
Status RdmaCheckPSync(Server *srv, uint64_t next_seq);
// INFO migration, and the lines about running jobs in CLUSTER INFO.
Server::InfoEntries RdmaInfo(Server *srv);
std::string RdmaClusterInfo(Server *srv);

// CLUSTERX MIGRATE with several ranges: one after the other. `args`: the words of the command.
bool RdmaTakesRanges(Server *srv, const std::vector<SlotRange> &ranges);
Status RdmaMigrateRanges(Server *srv, const std::vector<SlotRange> &ranges, const std::vector<std::string> &args,
                         std::string *output);
