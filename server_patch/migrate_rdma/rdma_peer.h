// SPDX-License-Identifier: Apache-2.0
// rdma_peer.h — a connection to the Redis port of another node of the cluster, authenticated as SlotMigrator does it.
//
// Every wait ends after `limit_ms`, whole seconds. Call these with no lock held.
#pragma once

#include <string>
#include <vector>

#include "rdma_address.h"
#include "rdma_guard.h"
#include "status.h"
#include "unique_fd.h"

class Server;

constexpr int kRdmaPeerLimitMs = 10 * 1000;

// Takes the shared guard for a moment, until `gives_up`: CONFIG SET may be writing the password.
StatusOr<UniqueFD> RdmaConnect(Server *srv, const std::string &host, int port, const RdmaGuard::GivesUp &gives_up,
                               int limit_ms = kRdmaPeerLimitMs);
// Send one command; its answer is one line, with its first byte.
StatusOr<std::string> RdmaExchange(int fd, const std::vector<std::string> &words);
// The same on a connection of its own.
StatusOr<std::string> RdmaAskNode(Server *srv, const RdmaAddress &node, const std::vector<std::string> &words,
                                  const RdmaGuard::GivesUp &gives_up, int limit_ms = kRdmaPeerLimitMs);
