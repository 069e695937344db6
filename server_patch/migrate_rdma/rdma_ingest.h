// SPDX-License-Identifier: Apache-2.0
// rdma_ingest.h — table files that an import ingests are not in the write-ahead log. Whoever reads the log misses them:
// replicas, CDC readers, and an outgoing migration of this node. Two rules follow:
//
//   an import ingests only if nobody reads the log when it begins; otherwise it uses write batches
//   from its beginning to its end a replica is told to come back later; after it, one that is as far as the log was
//   before needs a full synchronization
//
// The second rule's mark is in the database (column family "propagate", key "haul.ingested"), so that a replica, a
// backup and a promoted replica have it.
#pragma once

#include <cstdint>

#include "rdma_guard.h"
#include "status.h"

class Server;

// May an import that begins now ingest files? Exclusive guard.
bool RdmaMayIngest(Server *srv);

// Everything is ingested: replicas must have more of the log than there is now. Takes the shared guard.
Status RdmaMarkIngested(Server *srv, const RdmaGuard::GivesUp &gives_up);

// PSYNC from this sequence number on: an error if the replica would miss ingested files. A guard of the server is held.
Status RdmaCheckPSync(Server *srv, uint64_t next_seq);
