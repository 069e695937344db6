// SPDX-License-Identifier: Apache-2.0
#include "rdma_state.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <sstream>

#include "parse_util.h"
#include "unique_fd.h"

namespace {

constexpr const char *kHeader = "haul-slots 1";

// "<start> <end> <version> <address>"
StatusOr<RdmaMoved> ParseMoved(const std::string &text) {
  std::istringstream words(text);
  RdmaMoved moved;
  words >> moved.range.start >> moved.range.end >> moved.version >> moved.address;
  if (!words || !moved.range.IsValid()) return {Status::NotOK, "a damaged line: " + text};
  return moved;
}

Status WriteSynced(const std::string &path, const std::string &content) {
  UniqueFD fd(open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!fd) return Status::FromErrno("create " + path);
  if (write(*fd, content.data(), content.size()) != static_cast<ssize_t>(content.size())) {
    return Status::FromErrno("write " + path);
  }
  if (fsync(*fd) != 0) return Status::FromErrno("sync " + path);
  return Status::OK();
}

Status SyncDirectory(const std::string &path) {
  UniqueFD fd(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd || fsync(*fd) != 0) return Status::FromErrno("sync " + path);
  return Status::OK();
}

}  // namespace

StatusOr<RdmaState> RdmaState::Load(const std::string &path) {
  RdmaState state;
  std::ifstream file(path);
  if (!file) return state;

  std::string line;
  if (!std::getline(file, line) || line != kHeader) return {Status::NotOK, path + " is not a slot state file"};
  std::map<std::string, std::string> values;
  bool complete = false;
  while (std::getline(file, line)) {
    auto space = line.find(' ');
    if (line == "end") complete = true;
    if (space == std::string::npos) continue;
    auto name = line.substr(0, space), value = line.substr(space + 1);
    if (name == "moved") {
      state.moved.push_back(GET_OR_RET(ParseMoved(value)));
    } else {
      values[name] = value;
    }
  }
  if (!complete) return {Status::NotOK, path + " is truncated"};

  state.moving = values["moving"] == "yes";
  state.range.start = GET_OR_RET(ParseInt<int>(values["start"], 10));
  state.range.end = GET_OR_RET(ParseInt<int>(values["end"], 10));
  state.version = GET_OR_RET(ParseInt<int64_t>(values["version"], 10));
  state.job_version = GET_OR_RET(ParseInt<uint64_t>(values["job-version"], 10));
  state.port = GET_OR_RET(ParseInt<int>(values["port"], 10));
  state.ingest_seq = GET_OR_RET(ParseInt<uint64_t>(values["ingest-seq"], 10));
  state.node = values["node"];
  state.host = values["host"];
  state.endpoint = values["endpoint"];
  state.token = values["token"];
  return state;
}

Status RdmaState::Store(const std::string &path) const {
  std::ostringstream text;
  text << kHeader;
  for (const auto &entry : moved) {
    text << "\nmoved " << entry.range.start << ' ' << entry.range.end << ' ' << entry.version << ' ' << entry.address;
  }
  text << "\nmoving " << (moving ? "yes" : "no") << "\nstart " << range.start << "\nend " << range.end
       << "\nversion " << version << "\njob-version " << job_version << "\nnode " << node << "\nhost " << host
       << "\nport " << port << "\nendpoint " << endpoint << "\ntoken " << token << "\ningest-seq " << ingest_seq
       << "\nend\n";
  auto directory = path.substr(0, path.rfind('/'));
  if (mkdir(directory.c_str(), 0755) != 0 && errno != EEXIST) return Status::FromErrno("create " + directory);
  auto aside = path + ".tmp";
  GET_OR_RET(WriteSynced(aside, text.str()));
  if (rename(aside.c_str(), path.c_str()) != 0) return Status::FromErrno("rename " + aside);
  return SyncDirectory(directory);
}

void RdmaState::MarkMoved(const std::string &address) {
  moving = false;
  moved.push_back({range, version, address});
}

bool RdmaState::ForgetBefore(int64_t topology_version) {
  auto size = moved.size();
  moved.erase(std::remove_if(moved.begin(), moved.end(),
                             [&](const RdmaMoved &entry) { return entry.version < topology_version; }),
              moved.end());
  return moved.size() != size;
}

std::string RdmaTokenToHex(const std::string &token) {
  static const char *digits = "0123456789abcdef";
  std::string hex;
  for (unsigned char byte : token) {
    hex += digits[byte >> 4];
    hex += digits[byte & 15];
  }
  return hex;
}

std::string RdmaTokenFromHex(const std::string &hex) {
  std::string token;
  if (hex.size() % 2 != 0) return "";
  for (size_t i = 0; i < hex.size(); i += 2) {
    auto byte = ParseInt<unsigned>(hex.substr(i, 2), 16);
    if (!byte) return "";
    token += static_cast<char>(*byte);
  }
  return token;
}
