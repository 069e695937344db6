// SPDX-License-Identifier: Apache-2.0
// cmd_haul.cc — HAUL IMPORT <slot|start-end> <version>: a source requests, on its authenticated connection, an
// endpoint for sending the slots by haul. The answer, on one line: port, one-time token, and a host if it differs from
// the one that the source has connected to.
#include "cluster/cluster.h"
#include "commands/commander.h"
#include "commands/error_constants.h"
#include "parse_util.h"
#include "rdma_import.h"
#include "server/server.h"

namespace redis {

class CommandHaul : public Commander {
 public:
  Status Parse(const std::vector<std::string> &args) override {
    if (args.size() != 4 || !util::EqualICase(args[1], "import")) {
      return {Status::RedisParseErr, "HAUL command, HAUL IMPORT <slot range> <version>"};
    }
    GET_OR_RET(CommandTable::ParseSlotRanges(args[2], slot_ranges_));
    if (slot_ranges_.size() != 1) return {Status::RedisParseErr, errInvalidSyntax};
    version_ = GET_OR_RET(ParseInt<uint64_t>(args[3], 10));
    return Status::OK();
  }

  Status Execute([[maybe_unused]] engine::Context &ctx, Server *srv, Connection *conn, std::string *output) override {
    if (!srv->GetConfig()->cluster_enabled) return {Status::RedisExecErr, "Cluster mode is not enabled"};

    srv->rdma_import->SetJobVersion(version_);
    GET_OR_RET(srv->cluster->ImportSlotRange(conn, slot_ranges_[0], kImportByRdma));
    std::string host, token;
    int port = 0;
    srv->rdma_import->GetEndpoint(&host, &port, &token);
    *output = SimpleString(fmt::format("haul {} {}{}{}", port, token, host.empty() ? "" : " ", host));
    return Status::OK();
  }

 private:
  std::vector<SlotRange> slot_ranges_;
  uint64_t version_ = 0;
};

REDIS_REGISTER_COMMANDS(Cluster, MakeCmdAttr<CommandHaul>("haul", -2, "no-script exclusive admin no-multi", NO_KEY), )

}  // namespace redis
