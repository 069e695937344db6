// SPDX-License-Identifier: Apache-2.0
// rdma_hooks.h — the functions that Kvrocks' own files call. Under MIGRATE_RDMA only.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "server/server.h"
#include "status.h"

struct SlotRange;

// Create both sides and resume what an earlier process has left. Before clients are served.
Status RdmaRecover(Server *srv);
// End an import and wait for it: the database is about to be replaced.
void RdmaStopImport(Server *srv);
// The topology was set; under the exclusive guard.
void RdmaOnTopology(Server *srv, int64_t version, std::map<int, std::string> *migrated_slots);

// CLUSTER IMPORT: does the state belong to an import by haul, or would it interfere with one?
bool RdmaTakesImport(Server *srv, int state);
Status RdmaImportState(Server *srv, const SlotRange &range, int state);

// FLUSHDB and FLUSHALL are refused during a hand-over, when it is undecided which side they apply to.
Status RdmaCheckFlush(Server *srv);
// Would a replica that continues in the log at this sequence number miss ingested files? Then `output` gets the answer.
bool RdmaNeedsFullSync(Server *srv, uint64_t next_seq, std::string *output);
// INFO migration.
Server::InfoEntries RdmaInfo(Server *srv);
