// SPDX-License-Identifier: Apache-2.0
#include "rdma_peer.h"

#include <sys/socket.h>
#include <sys/time.h>

#include "common/io_util.h"
#include "fmt/format.h"
#include "server/redis_reply.h"
#include "server/server.h"

namespace {

constexpr int kSecondMs = 1000;

StatusOr<std::string> Password(Server *srv, const RdmaGuard::GivesUp &gives_up) {
  auto concurrency = RdmaGuard::Shared(srv, gives_up);
  if (!concurrency) return {Status::NotOK, "the wait for this node's settings was ended"};
  return srv->GetConfig()->requirepass;
}

}  // namespace

StatusOr<UniqueFD> RdmaConnect(Server *srv, const std::string &host, int port, const RdmaGuard::GivesUp &gives_up,
                               int limit_ms) {
  auto password = GET_OR_RET(Password(srv, gives_up));
  auto where = fmt::format("{}:{}", host, port);
  UniqueFD fd(
      GET_OR_RET(util::SockConnect(host, port, limit_ms, limit_ms).Prefixed("cannot connect to the node at " + where)));
  timeval limit{limit_ms / kSecondMs, 0};
  setsockopt(*fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
  if (password.empty()) return fd;
  auto answer = GET_OR_RET(RdmaExchange(*fd, {"auth", password}).Prefixed("cannot authenticate at " + where));
  if (answer != "+OK") return {Status::NotOK, fmt::format("cannot authenticate at {}: {}", where, answer)};
  return fd;
}

StatusOr<std::string> RdmaExchange(int fd, const std::vector<std::string> &words) {
  GET_OR_RET(util::SockSend(fd, redis::ArrayOfBulkStrings(words)).Prefixed("send"));
  return util::SockReadLine(fd).Prefixed("receive");
}

StatusOr<std::string> RdmaAskNode(Server *srv, const RdmaAddress &node, const std::vector<std::string> &words,
                                  const RdmaGuard::GivesUp &gives_up, int limit_ms) {
  auto fd = GET_OR_RET(RdmaConnect(srv, node.host, node.port, gives_up, limit_ms));
  return RdmaExchange(*fd, words);
}
