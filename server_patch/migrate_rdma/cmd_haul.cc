// SPDX-License-Identifier: Apache-2.0
// cmd_haul.cc — what the nodes of a cluster say to each other about slots that move by haul. Every answer is one
// line, except for that of SIZES.
//
//   HAUL IMPORT <slots> <version> <source-id> KEYED [<job>]
//                                                         from a source: may it send these slots? `version` is that of
//                                                         the topology that it knows, `job` the one to continue.
//                                                         haul preparing <secret>, or of a job to continue
//                                                         haul preparing <job>
//   HAUL ENDPOINT <job>                                   where does the data go?
//                                                         haul preparing, or haul <port> [host]
//   HAUL OUTCOME <job>                                    from a destination that is prepared, to the source of its
//                                                         job: RdmaMigrator::Outcome(). haul decided, or haul void
//   HAUL CONFIRM <slots> <job> <source-id>                rdma_confirm.h
//   HAUL GIVEN <slots> <job> <version> <taker-id>         rdma_confirm.h
//   HAUL ABANDON <slots> FORCE                            from an operator: rdma_confirm.h. OK
//   HAUL CANCEL <slots>                                   from an operator, to a source: end the migration of these
//                                                         slots, or take them off the queue. OK
//   HAUL SIZES <slots> [<slots> ...]                      from a tool that plans migrations: rdma_sizes.h. An integer
//                                                         for each range
//   HAUL PROBE <node-id> [<MB/s>]                         from such a tool, to a source: rdma_probe.h.
//                                                         haul measuring, or haul <microseconds> <bytes a second>
//   HAUL SINK <bytes>                                     from a node that measures: nothing is done with them. OK
//
// A job is named by RdmaJobId(). Its secret is in one answer and nowhere else, because MONITOR and SLOWLOG show what
// nodes send. Builds that had no secret know neither KEYED nor OUTCOME, and are refused.
#include <unordered_map>

#include "cluster/cluster.h"
#include "cluster/slot_migrate.h"
#include "commands/commander.h"
#include "commands/error_constants.h"
#include "parse_util.h"
#include "rdma_address.h"
#include "rdma_confirm.h"
#include "rdma_import.h"
#include "rdma_migrate.h"
#include "rdma_sizes.h"
#include "rdma_slots.h"
#include "server/server.h"
#include "string_util.h"

namespace redis {

class CommandHaul : public Commander {
 public:
  // Those that check or change what the topology means for a slot.
  static bool IsExclusive(const std::string &subcommand) {
    return !util::EqualICase(subcommand, "endpoint") && !util::EqualICase(subcommand, "outcome") &&
           !util::EqualICase(subcommand, "sizes") && !util::EqualICase(subcommand, "probe") && !IsSink(subcommand);
  }

  static bool IsSink(const std::string &subcommand) { return util::EqualICase(subcommand, "sink"); }

  Status Parse(const std::vector<std::string> &args) override {
    auto found = subcommands().find(util::ToLower(args[1]));
    if (found == subcommands().end()) return {Status::RedisParseErr, "HAUL: unknown subcommand"};
    subcommand_ = &found->second;
    if (args.size() < subcommand_->words_min || args.size() > subcommand_->words_max) {
      return {Status::RedisParseErr, errWrongNumOfArguments};
    }
    return Status::OK();
  }

  Status Execute([[maybe_unused]] engine::Context &ctx, Server *srv, Connection *conn, std::string *output) override {
    if (!srv->GetConfig()->cluster_enabled) return {Status::RedisExecErr, "Cluster mode is not enabled"};
    *output = GET_OR_RET((this->*subcommand_->execute)(srv, conn));
    return Status::OK();
  }

 private:
  struct Subcommand {
    size_t words_min, words_max;
    // Its value: the answer as the client gets it.
    StatusOr<std::string> (CommandHaul::*execute)(Server *srv, Connection *conn);
  };

  static const std::unordered_map<std::string, Subcommand> &subcommands() {
    static const std::unordered_map<std::string, Subcommand> table = {
        {"import", {5, 7, &CommandHaul::import}},   {"endpoint", {3, 3, &CommandHaul::endpoint}},
        {"outcome", {3, 3, &CommandHaul::outcome}}, {"confirm", {5, 5, &CommandHaul::confirm}},
        {"given", {6, 6, &CommandHaul::given}},     {"abandon", {4, 4, &CommandHaul::abandon}},
        {"cancel", {3, 3, &CommandHaul::cancel}},   {"sizes", {3, 2 + kRdmaSizesMax, &CommandHaul::sizes}},
        {"probe", {3, 4, &CommandHaul::probe}},     {"sink", {3, 3, &CommandHaul::sink}},
    };
    return table;
  }

  static StatusOr<SlotRange> parseRange(const std::string &text) {
    std::vector<SlotRange> ranges;
    GET_OR_RET(CommandTable::ParseSlotRanges(text, ranges));
    if (ranges.size() != 1) return {Status::RedisParseErr, errInvalidSyntax};
    return ranges.front();
  }

  StatusOr<std::string> import(Server *srv, Connection *conn) {
    if (args_.size() < 6 || !util::EqualICase(args_[5], "keyed")) {
      return {Status::RedisExecErr,
              "haul: the source's build knows no keys, and this node takes no slots without: "
              "install the destination's build on the source, or set migrate-transport redis"};
    }
    RdmaImportRequest request;
    request.range = GET_OR_RET(parseRange(args_[2]));
    request.version = GET_OR_RET(ParseInt<int64_t>(args_[3], NumericRange<int64_t>{0, INT64_MAX}, 10));
    request.source = args_[4];
    if (args_.size() > 6) request.job = args_[6];
    request.arrival_host = RdmaArrivalHost(conn->GetFD());
    return SimpleString("haul preparing " + GET_OR_RET(srv->rdma_import->Begin(request)));
  }

  StatusOr<std::string> endpoint(Server *srv, Connection *) {
    return SimpleString("haul " + GET_OR_RET(srv->rdma_import->Endpoint(args_[2])));
  }

  StatusOr<std::string> outcome(Server *srv, Connection *) {
    return SimpleString(GET_OR_RET(srv->slot_migrator->rdma->Outcome(args_[2])));
  }

  StatusOr<std::string> confirm(Server *srv, Connection *) {
    return SimpleString(GET_OR_RET(RdmaConfirm(srv, GET_OR_RET(parseRange(args_[2])), args_[3], args_[4])));
  }

  StatusOr<std::string> given(Server *srv, Connection *) {
    auto version = GET_OR_RET(ParseInt<int64_t>(args_[4], NumericRange<int64_t>{0, INT64_MAX}, 10));
    return SimpleString(GET_OR_RET(RdmaGiven(srv, GET_OR_RET(parseRange(args_[2])), args_[3], version, args_[5])));
  }

  StatusOr<std::string> abandon(Server *srv, Connection *) {
    if (!util::EqualICase(args_[3], "force")) {
      return {Status::RedisParseErr, "HAUL ABANDON <slots> FORCE: two nodes may own the slots afterwards"};
    }
    GET_OR_RET(RdmaAbandon(srv, GET_OR_RET(parseRange(args_[2]))));
    return RESP_OK;
  }

  StatusOr<std::string> cancel(Server *srv, Connection *) {
    GET_OR_RET(srv->slot_migrator->rdma->queue.Cancel(GET_OR_RET(parseRange(args_[2]))));
    return RESP_OK;
  }

  StatusOr<std::string> sizes(Server *srv, Connection *) {
    std::vector<SlotRange> ranges;
    for (size_t i = 2; i < args_.size(); i++) ranges.push_back(GET_OR_RET(parseRange(args_[i])));
    auto sizes = GET_OR_RET(RdmaSizes(srv, ranges));
    std::string answer = MultiLen(sizes.size());
    for (auto size : sizes) answer += Integer(size);
    return answer;
  }

  StatusOr<std::string> probe(Server *srv, Connection *) {
    constexpr uint64_t kMaxMb = INT32_MAX;
    uint64_t rate_mb = 0;
    if (args_.size() > 3) rate_mb = GET_OR_RET(ParseInt<uint64_t>(args_[3], NumericRange<uint64_t>{0, kMaxMb}, 10));
    if (args_[2] == srv->rdma_slots->MyId()) return {Status::RedisExecErr, "that is this node"};
    auto node = GET_OR_RET(srv->rdma_slots->AddressOf(args_[2]));
    return SimpleString("haul " + GET_OR_RET(srv->slot_migrator->rdma->probe.Ask(node, rate_mb << 20)));
  }

  StatusOr<std::string> sink(Server *, Connection *) { return RESP_OK; }

  const Subcommand *subcommand_ = nullptr;
};

static uint64_t GenerateHaulFlag(uint64_t flags, const std::vector<std::string> &args) {
  if (args.size() < 2) return flags;
  if (CommandHaul::IsSink(args[1])) return flags | kCmdSkipMonitor;
  return CommandHaul::IsExclusive(args[1]) ? flags | kCmdExclusive : flags;
}

REDIS_REGISTER_COMMANDS(Cluster,
                        MakeCmdAttr<CommandHaul>("haul", -3, "no-script admin no-multi", NO_KEY, GenerateHaulFlag), )

}  // namespace redis
