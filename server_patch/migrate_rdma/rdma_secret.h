// SPDX-License-Identifier: Apache-2.0
// rdma_secret.h — the secret of one job: 32 random bytes that the destination draws and hands to the source with its
// answer to HAUL IMPORT, over the cluster's own connection.
//
// It is the pre-shared key under which the two nodes open haul's connections, and encrypts all that they carry. Both
// keep it in RdmaState, in hexadecimal, until the job is over; it is never in the database. Everybody else knows the
// job by RdmaJobId(), which does not lead back to it.
#pragma once

#include <memory>
#include <string>

#include "haul/key.h"
#include "status.h"

class Server;

using RdmaKeys = std::unique_ptr<haul_keys, decltype(&haul_keys_destroy)>;

// The nodes of a cluster with tls-replication trust no connection without TLS, and the secret would travel over one: an
// error that says so. A guard of the server.
Status RdmaRefuseTls(Server *srv);
// In hexadecimal.
StatusOr<std::string> RdmaDrawToken();
bool RdmaIsToken(const std::string &token);
// For both sides of its job. An error: the token is empty or damaged, and nothing may be opened with it.
StatusOr<RdmaKeys> RdmaKeysOf(const std::string &token);
