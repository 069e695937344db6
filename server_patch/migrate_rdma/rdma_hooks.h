// SPDX-License-Identifier: Apache-2.0
// rdma_hooks.h — what Kvrocks' own files call, and all they see of this: config.h includes it, so that the patch
// needs no include anywhere else. Under MIGRATE_RDMA only.
#pragma once

#include <cstdint>
#include <map>
#include <sstream>
#include <string>

#include "rdma_fields.h"
#include "status.h"

class Server;
struct SlotRange;

// Make both sides and take up what an earlier process has left. Before clients are served.
Status RdmaRecover(Server *srv);
// End an import and wait for it: the database is about to be replaced.
void RdmaStopImport(Server *srv);
// The topology was told; under the exclusive guard.
void RdmaOnTopology(Server *srv, int64_t version, std::map<int, std::string> *migrated_slots);

// CLUSTER IMPORT: does the state belong to an import by rdma, or would it disturb one?
bool RdmaTakesImport(Server *srv, int state);
Status RdmaImportState(Server *srv, const SlotRange &range, int state);

// FLUSHDB and FLUSHALL wait while slots change hands: nobody could say which side they were for.
Status RdmaCheckFlush(Server *srv);
// A replica that goes on in the log at this sequence number would miss ingested files. Says so in `output`.
bool RdmaNeedsFullSync(Server *srv, uint64_t next_seq, std::string *output);
// INFO migration.
void RdmaAppendInfo(Server *srv, std::ostringstream *stream, int *section_count);
