// SPDX-License-Identifier: Apache-2.0
#include "rdma_probe.h"

#include <fcntl.h>
#include <linux/tcp.h>  // not <netinet/tcp.h>, whose tcp_info ends before the bytes acknowledged
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <deque>
#include <random>
#include <utility>
#include <vector>

#include "fmt/format.h"
#include "rdma_peer.h"
#include "server/redis_reply.h"
#include "server/server.h"
#include "thread_util.h"
#include "time_util.h"

namespace {

using Clock = std::chrono::steady_clock;

constexpr size_t kConnections = 4;
constexpr size_t kPayloadBytes = 256 * 1024;
constexpr uint64_t kBytesMax = uint64_t{256} << 20;
constexpr auto kTimeMin = std::chrono::milliseconds(1000);
constexpr auto kTimeMax = std::chrono::milliseconds(3000);
constexpr int kRoundTrips = 20;
constexpr auto kWindow = std::chrono::milliseconds(200);
constexpr int kSliceMs = 20;
constexpr int64_t kKeptMs = 60 * 1000;

struct Connection {
  UniqueFD fd;
  size_t sent = 0;  // of the message
};

struct Line {
  uint64_t acknowledged = 0;  // bytes, of all connections
  uint32_t round_trip_us = UINT32_MAX;
};

// Not zeros: lines between sites may compress.
std::string Message() {
  std::string payload(kPayloadBytes, '\0');
  std::minstd_rand random(1);
  for (auto &byte : payload) byte = static_cast<char>(random() >> 8);
  return redis::ArrayOfBulkStrings({"haul", "sink", payload});
}

// The other node knows SINK, and lets this one use it.
StatusOr<Connection> Open(Server *srv, const RdmaAddress &node, uint64_t rate_max, const RdmaGuard::GivesUp &gives_up) {
  Connection connection{GET_OR_RET(RdmaConnect(srv, node.host, node.port, gives_up)), 0};
  auto answer = GET_OR_RET(RdmaExchange(*connection.fd, {"haul", "sink", "x"}));
  if (answer != "+OK") return {Status::NotOK, fmt::format("{} answers {}", node.String(), answer)};
  if (rate_max > 0) {
    uint64_t share = std::max<uint64_t>(rate_max / kConnections, 1);
    if (setsockopt(*connection.fd, SOL_SOCKET, SO_MAX_PACING_RATE, &share, sizeof(share)) != 0) {
      return Status::FromErrno("cannot limit the rate");
    }
  }
  if (fcntl(*connection.fd, F_SETFL, O_NONBLOCK) != 0) return Status::FromErrno();
  return connection;
}

StatusOr<Line> Look(const std::vector<Connection> &connections) {
  Line line;
  for (const auto &connection : connections) {
    tcp_info info{};
    socklen_t size = sizeof(info);
    if (getsockopt(*connection.fd, IPPROTO_TCP, TCP_INFO, &info, &size) != 0) return Status::FromErrno();
    line.acknowledged += info.tcpi_bytes_acked;
    line.round_trip_us = std::min(line.round_trip_us, info.tcpi_min_rtt);
  }
  return line;
}

// What the socket takes now, and what the peer has answered.
Status Push(Connection *connection, const std::string &message) {
  char answers[4096];
  while (true) {
    auto size = recv(*connection->fd, answers, sizeof(answers), 0);
    if (size == 0) return {Status::NotOK, "the node has closed the connection"};
    if (size < 0 && errno != EAGAIN && errno != EINTR) return Status::FromErrno();
    if (size < 0) break;
  }
  while (true) {
    auto size = send(*connection->fd, message.data() + connection->sent, message.size() - connection->sent,
                     MSG_NOSIGNAL | MSG_DONTWAIT);
    if (size < 0) return errno == EAGAIN || errno == EINTR ? Status::OK() : Status::FromErrno();
    connection->sent = (connection->sent + size) % message.size();
  }
}

void WaitForSpace(const std::vector<Connection> &connections) {
  std::vector<pollfd> polled;
  for (const auto &connection : connections) polled.push_back({*connection.fd, POLLOUT, 0});
  poll(polled.data(), polled.size(), kSliceMs);
}

// The rate of the busiest window so far, bytes a second.
class BusiestWindow {
 public:
  void Add(Clock::time_point when, uint64_t acknowledged) {
    samples_.emplace_back(when, acknowledged);
    while (samples_.size() > 2 && when - samples_[1].first >= kWindow) samples_.pop_front();
    auto passed = std::chrono::duration<double>(when - samples_.front().first);
    if (passed < kWindow) return;
    rate_ = std::max(rate_, static_cast<double>(acknowledged - samples_.front().second) / passed.count());
  }
  uint64_t Rate() const { return static_cast<uint64_t>(rate_); }

 private:
  std::deque<std::pair<Clock::time_point, uint64_t>> samples_;
  double rate_ = 0;
};

StatusOr<std::string> Measure(Server *srv, const RdmaAddress &node, uint64_t rate_max,
                              const RdmaGuard::GivesUp &gives_up) {
  std::vector<Connection> connections;
  for (size_t i = 0; i < kConnections; i++) {
    connections.push_back(GET_OR_RET(Open(srv, node, rate_max, gives_up)));
  }
  const auto message = Message();
  const auto first = GET_OR_RET(Look(connections));
  const auto began = Clock::now();
  const auto enough = std::clamp<Clock::duration>(
      std::chrono::microseconds(uint64_t{first.round_trip_us} * kRoundTrips), kTimeMin, kTimeMax);
  BusiestWindow window;
  Line line = first;
  while (Clock::now() - began < enough && line.acknowledged - first.acknowledged < kBytesMax) {
    if (gives_up()) return {Status::NotOK, "the node stops"};
    for (auto &connection : connections) GET_OR_RET(Push(&connection, message));
    WaitForSpace(connections);
    line = GET_OR_RET(Look(connections));
    window.Add(Clock::now(), line.acknowledged);
  }
  auto rate = window.Rate();
  if (rate == 0) {  // all bytes went within one window
    rate = static_cast<uint64_t>(static_cast<double>(line.acknowledged - first.acknowledged) /
                                 std::chrono::duration<double>(Clock::now() - began).count());
  }
  return fmt::format("{} {}", line.round_trip_us, rate);
}

int64_t NowMs() { return static_cast<int64_t>(util::GetTimeStampMS()); }

}  // namespace

void RdmaProbe::Stop() {
  stopping_ = true;
  std::thread thread;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    thread = std::move(thread_);
  }
  if (thread.joinable()) thread.join();
}

StatusOr<std::string> RdmaProbe::Ask(const RdmaAddress &node, uint64_t rate_max) {
  std::lock_guard<std::mutex> lock(mutex_);
  bool same = node.String() == node_.String() && rate_max == rate_max_;
  if (runs_ && !same) return {Status::RedisTryAgain, "haul: the line to " + node_.String() + " is being measured"};
  if (runs_) return std::string("measuring");
  if (same && NowMs() - ended_ms_ < kKeptMs) {
    if (!failure_.empty()) return {Status::NotOK, failure_};
    return answer_;
  }
  node_ = node;
  rate_max_ = rate_max;
  ended_ms_ = -kKeptMs;
  GET_OR_RET(begin());
  return std::string("measuring");
}

// With mutex_ held.
Status RdmaProbe::begin() {
  if (thread_.joinable()) thread_.join();  // it takes the mutex no more
  if (stopping_) return {Status::NotOK, "the node stops"};
  thread_ = GET_OR_RET(util::CreateThread("haul-probe", [this, node = node_, rate_max = rate_max_] {
    auto answer = Measure(srv_, node, rate_max, [this] { return stopping_.load(); });
    std::lock_guard<std::mutex> lock(mutex_);
    answer_ = answer ? *answer : "";
    failure_ = answer ? "" : answer.Msg();
    ended_ms_ = NowMs();
    runs_ = false;
  }));
  runs_ = true;
  return Status::OK();
}
