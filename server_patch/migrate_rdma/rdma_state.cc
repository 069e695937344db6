// SPDX-License-Identifier: Apache-2.0
#include "rdma_state.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <map>
#include <sstream>

#include "fmt/format.h"
#include "parse_util.h"
#include "rdma_secret.h"
#include "unique_fd.h"

namespace {

constexpr const char *kHeader = "haul-slots 2";

// A file of this name is left of a crash, or a link that somebody planted.
Status WriteSynced(const std::string &path, const std::string &content) {
  (void)unlink(path.c_str());
  UniqueFD fd(open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
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

template <typename Number>
Status ReadNumber(std::map<std::string, std::string> *values, const char *name, Number *number) {
  *number = GET_OR_RET(ParseInt<Number>((*values)[name], 10).Prefixed(fmt::format("'{}' is no number", name)));
  return Status::OK();
}

Status Parse(std::istream *file, RdmaState *state) {
  std::string line;
  if (!std::getline(*file, line) || line != kHeader) return {Status::NotOK, "it has another format"};
  std::map<std::string, std::string> values;
  bool complete = false;
  while (std::getline(*file, line)) {
    auto space = line.find(' ');
    complete = complete || line == "end";
    if (space != std::string::npos) values[line.substr(0, space)] = line.substr(space + 1);
  }
  if (!complete) return {Status::NotOK, "its end is missing"};
  state->moving = values["moving"] == "yes";
  state->ingest = values["ingest"] == "yes";
  GET_OR_RET(ReadNumber(&values, "start", &state->range.start));
  GET_OR_RET(ReadNumber(&values, "end-slot", &state->range.end));
  GET_OR_RET(ReadNumber(&values, "job-version", &state->job_version));
  GET_OR_RET(ReadNumber(&values, "port", &state->port));
  state->node = values["node"];
  state->host = values["host"];
  state->endpoint = values["endpoint"];
  state->token = values["token"];
  if (state->moving && !state->range.IsValid()) return {Status::NotOK, "its slots are no slots"};
  // Nothing may be opened without it.
  if (state->moving && !RdmaIsToken(state->token)) return {Status::NotOK, "the secret of its job is missing"};
  return Status::OK();
}

}  // namespace

StatusOr<RdmaState> RdmaState::Load(const std::string &path) {
  RdmaState state;
  std::ifstream file(path);
  if (!file) return state;
  if (auto s = Parse(&file, &state); !s) {
    return {Status::NotOK,
            fmt::format("{} is damaged: {}. Remove it: an unfinished migration then starts over", path, s.Msg())};
  }
  return state;
}

Status RdmaState::Store(const std::string &path) const {
  std::ostringstream text;
  text << kHeader << "\nmoving " << (moving ? "yes" : "no") << "\nstart " << range.start << "\nend-slot " << range.end
       << "\njob-version " << job_version << "\nnode " << node << "\nhost " << host << "\nport " << port
       << "\nendpoint " << endpoint << "\ntoken " << token << "\ningest " << (ingest ? "yes" : "no") << "\nend\n";
  auto directory = path.substr(0, path.rfind('/'));
  if (mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST) return Status::FromErrno("create " + directory);
  auto aside = path + ".tmp";
  GET_OR_RET(WriteSynced(aside, text.str()));
  if (rename(aside.c_str(), path.c_str()) != 0) return Status::FromErrno("rename " + aside);
  return SyncDirectory(directory);
}
