// SPDX-License-Identifier: Apache-2.0
#include "rdma_blocked.h"

#include <memory>
#include <mutex>
#include <set>

#include "cluster/cluster.h"
#include "cluster/redis_slot.h"
#include "cluster/slot_migrate.h"
#include "commands/commander.h"
#include "rdma_migrate.h"
#include "server/redis_connection.h"
#include "server/server.h"
#include "server/worker.h"

namespace {

// Readers of streams that RdmaMustWait() keeps waiting. Only they may be woken when the slot is unfrozen: XREADGROUP
// ends with its first wake-up. Weak, because a reader leaves Server's list when its client disconnects.
// Guarded by Server::blocked_stream_consumers_mu_.
std::set<std::weak_ptr<StreamConsumer>, std::owner_less<>> kept_readers;

Status CanExecute(redis::Connection *conn, const redis::CommandAttributes *attributes,
                  const std::vector<std::string> &args) {
  auto *srv = conn->GetServer();
  if (!srv->GetConfig()->cluster_enabled) return Status::OK();
  return srv->cluster->CanExecByMySelf(attributes, args, conn);
}

}  // namespace

bool RdmaMustWait(redis::Connection *conn, const redis::CommandAttributes *attributes,
                  const std::vector<std::string> &args) {
  auto *srv = conn->GetServer();
  if (!CanExecute(conn, attributes, args).Is<Status::RedisTryAgain>()) return false;
  // Upstream's own migration does not wake clients.
  if (!srv->slot_migrator->rdma || !srv->slot_migrator->rdma->IsHandingOver()) return false;

  attributes->ForEachKeyRange(
      [&](const std::vector<std::string> &tokens, const redis::CommandKeyRange &range) {
        range.ForEachKey([&](const std::string &key) { RdmaBlockedLists::KeepStreamReader(srv, key, conn); }, tokens);
      },
      args);
  // Unfrozen before the reader was kept? Then nobody wakes it.
  return CanExecute(conn, attributes, args).Is<Status::RedisTryAgain>();
}

bool RdmaTellsMoved(redis::Connection *conn, const redis::CommandAttributes *attributes,
                    const std::vector<std::string> &args) {
  auto s = CanExecute(conn, attributes, args);
  if (!s.Is<Status::RedisMoved>() && !s.Is<Status::RedisClusterDown>()) return false;
  conn->Reply(redis::Error(s));
  return true;
}

void RdmaWakeBlocked(Server *srv, const SlotRange &slots, bool gone) {
  RdmaBlockedLists::WakeKeys(srv, slots);
  RdmaBlockedLists::WakeStreamReaders(srv, slots, gone);
}

void RdmaBlockedLists::KeepStreamReader(Server *srv, const std::string &key, redis::Connection *conn) {
  std::lock_guard<std::mutex> guard(srv->blocked_stream_consumers_mu_);
  auto found = srv->blocked_stream_consumers_.find(key);
  if (found == srv->blocked_stream_consumers_.end()) return;
  for (const auto &reader : found->second) {
    if (reader->owner == conn->Owner() && reader->fd == conn->GetFD()) kept_readers.insert(reader);
  }
}

// A client that is woken and finds nothing waits on, so all of them are woken, and none is taken off its list.
void RdmaBlockedLists::WakeKeys(Server *srv, const SlotRange &slots) {
  std::lock_guard<std::mutex> guard(srv->blocking_keys_mu_);
  for (const auto &[key, clients] : srv->blocking_keys_) {
    if (!slots.Contains(GetSlotIdFromKey(key))) continue;
    // An error means that the client has gone.
    for (const auto &client : clients) (void)client.owner->EnableWriteEvent(client.fd);
  }
}

void RdmaBlockedLists::WakeStreamReaders(Server *srv, const SlotRange &slots, bool gone) {
  std::lock_guard<std::mutex> guard(srv->blocked_stream_consumers_mu_);
  for (const auto &[key, readers] : srv->blocked_stream_consumers_) {
    if (!slots.Contains(GetSlotIdFromKey(key))) continue;
    for (const auto &reader : readers) {
      if (gone || kept_readers.count(reader) > 0) (void)reader->owner->EnableWriteEvent(reader->fd);
    }
  }
  kept_readers.clear();
}
