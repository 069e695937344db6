// SPDX-License-Identifier: Apache-2.0
#include "rdma_address.h"

#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "fmt/format.h"
#include "parse_util.h"

namespace {

constexpr int kPortMax = 65535;
constexpr const char *kMappedPrefix = "::ffff:";

}  // namespace

StatusOr<RdmaAddress> RdmaAddress::Parse(const std::string &text) {
  auto colon = text.rfind(':');
  if (colon == std::string::npos) return {Status::NotOK, fmt::format("'{}' is not ADDR:PORT", text)};
  auto port = ParseInt<int>(text.substr(colon + 1), NumericRange<int>{0, kPortMax}, 10);
  if (!port) return {Status::NotOK, fmt::format("'{}' does not end with a port up to {}", text, kPortMax)};
  auto host = text.substr(0, colon);
  bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) host = host.substr(1, host.size() - 2);
  if (!bracketed && host.find_first_of(":[] ") != std::string::npos) {
    return {Status::NotOK, fmt::format("'{}': an IPv6 address is written as [ADDR]:PORT", text)};
  }
  if (host == "*") host.clear();
  return RdmaAddress{host, *port};
}

std::string RdmaAddress::String() const {
  bool is_ipv6 = host.find(':') != std::string::npos;
  return fmt::format(is_ipv6 ? "[{}]:{}" : "{}:{}", host.empty() ? "0.0.0.0" : host, port);
}

bool RdmaAddress::IsWildcard() const { return host.empty() || host == "0.0.0.0" || host == "::"; }

std::string RdmaArrivalHost(int fd) {
  sockaddr_storage address{};
  socklen_t size = sizeof(address);
  auto *plain = reinterpret_cast<sockaddr *>(&address);
  if (getsockname(fd, plain, &size) != 0) return "";
  if (address.ss_family != AF_INET && address.ss_family != AF_INET6) return "";
  char host[NI_MAXHOST];
  if (getnameinfo(plain, size, host, sizeof(host), nullptr, 0, NI_NUMERICHOST) != 0) return "";
  std::string text = host;
  // A socket of IPv6 that has accepted a connection of IPv4.
  return text.rfind(kMappedPrefix, 0) == 0 ? text.substr(std::char_traits<char>::length(kMappedPrefix)) : text;
}

RdmaAddress RdmaDefaultListen(const std::string &arrival_host, int redis_port) {
  int port = redis_port + kRdmaPortIncrement;
  return {arrival_host, port <= kPortMax ? port : 0};
}
