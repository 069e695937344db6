// SPDX-License-Identifier: Apache-2.0
#include "rdma_question.h"

#include <chrono>
#include <thread>
#include <vector>

#include "fmt/format.h"
#include "parse_util.h"
#include "rdma_address.h"
#include "rdma_moved.h"
#include "rdma_peer.h"
#include "rdma_secret.h"
#include "string_util.h"

namespace {

using Clock = std::chrono::steady_clock;

constexpr auto kAgreeTime = std::chrono::seconds(10);
constexpr auto kPrepareTime = std::chrono::seconds(30);
constexpr auto kAgreePause = std::chrono::milliseconds(100);
constexpr auto kPreparePause = std::chrono::milliseconds(20);

bool BeginsWith(const std::string &text, const char *start) { return text.rfind(start, 0) == 0; }

// Builds of the patch before HAUL IMPORT ... KEYED take the word for the token of a job, or count it as one too many.
bool KnowsNoKeys(const std::string &line) {
  return line == "-ERR haul: no job with this token" || BeginsWith(line, "-ERR wrong number of arguments");
}

Status GivenUp() { return {Status::NotOK, "the migration was ended"}; }

// HAUL IMPORT, until the destination accepts it.
StatusOr<RdmaAnswer> Agree(int fd, const RdmaQuestion &question) {
  auto end = Clock::now() + kAgreeTime;
  while (true) {
    RdmaAnswer answer;
    answer.version = question.version();
    // In this order: the slots are the source's by this version.
    if (question.gives_up()) return GivenUp();
    std::vector<std::string> words = {"haul", "import", question.range.String(), std::to_string(answer.version),
                                      question.source,        "keyed"};
    auto job = question.token.empty() ? "" : RdmaJobId(question.token);
    if (!job.empty()) words.push_back(job);
    auto line = GET_OR_RET(RdmaExchange(fd, words));
    if (BeginsWith(line, "-ERR unknown command")) {
      answer.known = false;
      return answer;
    }
    auto parts = util::Split(line, " ");
    if (parts.size() == 3 && parts[0] == "+haul" && parts[1] == "preparing") {
      answer.token = !job.empty() && parts[2] == job ? question.token : parts[2];
      if (RdmaIsToken(answer.token)) return answer;
    }
    if (KnowsNoKeys(line)) {
      return {Status::NotOK,
              "the destination's build knows no keys, and this node sends no slots without: install the source's build "
              "on the destination, or set migrate-transport redis"};
    }
    if (!BeginsWith(line, "-TRYAGAIN") || Clock::now() >= end) {
      return {Status::NotOK, "the destination refuses the import: " + line};
    }
    std::this_thread::sleep_for(kAgreePause);
  }
}

// HAUL ENDPOINT, until the destination listens.
StatusOr<std::string> WaitForEndpoint(int fd, const RdmaQuestion &question, const std::string &job) {
  auto end = Clock::now() + kPrepareTime;
  while (!question.gives_up()) {
    auto line = GET_OR_RET(RdmaExchange(fd, {"haul", "endpoint", job}));
    auto parts = util::Split(line, " ");
    if (parts.size() < 2 || parts[0] != "+haul") {
      return {Status::NotOK, "the destination cannot receive: " + line};
    }
    if (parts[1] != "preparing") {
      auto port = GET_OR_RET(ParseInt<int>(parts[1], NumericRange<int>{1, 65535}, 10));
      return RdmaAddress{parts.size() > 2 ? parts[2] : question.host, port}.String();
    }
    if (Clock::now() >= end) {
      return {Status::NotOK, fmt::format("the destination does not listen after {} s", kPrepareTime.count())};
    }
    std::this_thread::sleep_for(kPreparePause);
  }
  return GivenUp();
}

}  // namespace

StatusOr<RdmaAnswer> RdmaAsk(int fd, const RdmaQuestion &question) {
  auto answer = GET_OR_RET(Agree(fd, question));
  if (answer.known) answer.endpoint = GET_OR_RET(WaitForEndpoint(fd, question, RdmaJobId(answer.token)));
  return answer;
}
