// SPDX-License-Identifier: Apache-2.0
#include "rdma_moved.h"

#include <algorithm>
#include <sstream>

#include "fmt/format.h"
#include "parse_util.h"
#include "vendor/sha1.h"

namespace {

constexpr size_t kEndedMax = 256;
constexpr size_t kSettledMax = 256;

const char *Header(bool is_given) { return is_given ? "haul-given 1" : "haul-taken 1"; }

bool RdmaMoved::*Flag(bool is_given) { return is_given ? &RdmaMoved::confirmed : &RdmaMoved::suspended; }

// "slots START END VERSION FROM TO ADDRESS JOB FLAG"; "-" stands for an empty word.
std::string FormatEntry(const RdmaMoved &entry, bool flag) {
  auto word = [](const std::string &text) { return text.empty() ? std::string("-") : text; };
  return fmt::format("slots {} {} {} {} {} {} {} {}\n", entry.range.start, entry.range.end, entry.version,
                     word(entry.from), word(entry.to), word(entry.address), word(entry.job), flag ? 1 : 0);
}

bool ParseEntry(std::istringstream *words, RdmaMoved *entry, bool *flag) {
  *words >> entry->range.start >> entry->range.end >> entry->version >> entry->from >> entry->to >> entry->address >>
      entry->job >> *flag;
  for (auto *word : {&entry->from, &entry->to, &entry->address, &entry->job}) {
    if (*word == "-") word->clear();
  }
  return static_cast<bool>(*words) && entry->range.IsValid();
}

Status Damaged(bool is_given, const std::string &line) {
  return {
      Status::NotOK,
      fmt::format("key {} of column family propagate, the slots that changed hands by haul, is damaged or of a newer "
                  "release ('{}'): start the release that wrote it, and let the topology be set (CLUSTERX SETNODES)",
                  RdmaMovedList::Key(is_given), line)};
}

}  // namespace

std::string RdmaJobId(const std::string &token) {
  SHA1_CTX context;
  unsigned char digest[20];
  SHA1Init(&context);
  SHA1Update(&context, reinterpret_cast<const unsigned char *>(token.data()), static_cast<uint32_t>(token.size()));
  SHA1Final(digest, &context);
  std::string id;
  for (int i = 0; i < 8; i++) id += fmt::format("{:02x}", digest[i]);
  return id;
}

StatusOr<RdmaAddress> RdmaMoved::Address() const {
  auto colon = address.rfind(':');
  if (colon == std::string::npos) return {Status::NotOK, fmt::format("'{}' is no address", address)};
  auto port = GET_OR_RET(ParseInt<int>(address.substr(colon + 1), 10).Prefixed(address));
  return RdmaAddress{address.substr(0, colon), port};
}

std::vector<RdmaMoved> RdmaMoved::Without(const SlotRange &outside) const {
  if (!range.HasOverlap(outside)) return {*this};
  std::vector<RdmaMoved> parts;
  if (range.start < outside.start) {
    parts.push_back(*this);
    parts.back().range.end = outside.start - 1;
  }
  if (range.end > outside.end) {
    parts.push_back(*this);
    parts.back().range.start = outside.end + 1;
  }
  return parts;
}

std::vector<RdmaMoved> RdmaMovedList::Overlapping(const SlotRange &range) const {
  std::vector<RdmaMoved> found;
  for (const auto &entry : entries) {
    if (entry.range.HasOverlap(range)) found.push_back(entry);
  }
  return found;
}

bool RdmaMovedList::HasJob(const std::string &job) const {
  return std::any_of(entries.begin(), entries.end(), [&](const RdmaMoved &entry) { return entry.job == job; });
}

bool RdmaMovedList::HadJob(const std::string &job) const {
  return HasJob(job) || std::find(ended.begin(), ended.end(), job) != ended.end();
}

void RdmaMovedList::Remove(const SlotRange &range) {
  std::vector<RdmaMoved> kept;
  for (const auto &entry : entries) {
    for (const auto &part : entry.Without(range)) kept.push_back(part);
  }
  entries = std::move(kept);
}

void RdmaMovedList::NoteEnded(const std::string &job) {
  if (!ended.empty() && ended.back() == job) return;
  ended.push_back(job);
  if (ended.size() > kEndedMax) ended.erase(ended.begin());
}

std::string RdmaMovedList::Format(bool is_given) const {
  std::string text = std::string(Header(is_given)) + "\n";
  for (const auto &entry : entries) text += FormatEntry(entry, entry.*Flag(is_given));
  for (const auto &job : ended) text += "ended " + job + "\n";
  return text;
}

StatusOr<RdmaMovedList> RdmaMovedList::Parse(const std::string &text, bool is_given) {
  RdmaMovedList list;
  std::istringstream lines(text);
  std::string line;
  if (!std::getline(lines, line) || line != Header(is_given)) return Damaged(is_given, line);
  while (std::getline(lines, line)) {
    std::istringstream words(line);
    std::string kind, job;
    RdmaMoved entry;
    words >> kind;
    if (kind == "slots" && ParseEntry(&words, &entry, &(entry.*Flag(is_given)))) {
      list.entries.push_back(entry);
    } else if (kind == "ended" && words >> job) {
      list.ended.push_back(job);
    } else {
      return Damaged(is_given, line);
    }
  }
  return list;
}

void RdmaSettledList::Add(const RdmaSettled &settled) {
  Remove(settled.entry.range);
  entries.push_back(settled);
  if (entries.size() > kSettledMax) entries.erase(entries.begin());
}

void RdmaSettledList::Remove(const SlotRange &range) {
  std::vector<RdmaSettled> kept;
  for (const auto &settled : entries) {
    for (const auto &part : settled.entry.Without(range)) kept.push_back({settled.is_given, settled.until, part});
  }
  entries = std::move(kept);
}

// "given|taken UNTIL slots ...", as in the other lists.
std::string RdmaSettledList::Format() const {
  std::string text;
  for (const auto &settled : entries) {
    text += fmt::format("{} {} {}", settled.is_given ? "given" : "taken", settled.until,
                        FormatEntry(settled.entry, settled.entry.*Flag(settled.is_given)));
  }
  return text;
}

StatusOr<RdmaSettledList> RdmaSettledList::Parse(const std::string &text) {
  RdmaSettledList list;
  std::istringstream lines(text);
  std::string line;
  while (std::getline(lines, line)) {
    std::istringstream words(line);
    std::string side, kind;
    RdmaSettled settled;
    words >> side >> settled.until >> kind;
    settled.is_given = side == "given";
    if ((!settled.is_given && side != "taken") || kind != "slots" ||
        !ParseEntry(&words, &settled.entry, &(settled.entry.*Flag(settled.is_given)))) {
      return {Status::NotOK, fmt::format("key {} of column family propagate is damaged ('{}')", kKey, line)};
    }
    list.entries.push_back(settled);
  }
  return list;
}

std::string RdmaFormatMoving(const std::optional<RdmaMoved> &moving) {
  return moving ? FormatEntry(*moving, /*flag=*/false) : "";
}

std::optional<RdmaMoved> RdmaParseMoving(const std::string &text) {
  std::istringstream words(text);
  std::string kind;
  RdmaMoved entry;
  bool ignored = false;
  if (!(words >> kind) || kind != "slots" || !ParseEntry(&words, &entry, &ignored)) return std::nullopt;
  return entry;
}
