// SPDX-License-Identifier: Apache-2.0
#include "rdma_sizes.h"

#include <algorithm>
#include <functional>

#include "rdma_store.h"
#include "rocksdb/db.h"
#include "server/server.h"
#include "storage/storage.h"

StatusOr<std::vector<uint64_t>> RdmaSizes(Server *srv, const std::vector<SlotRange> &ranges) {
  std::vector<RdmaKeyRange> keys(ranges.begin(), ranges.end());
  std::vector<rocksdb::Range> wanted;
  for (const auto &range : keys) wanted.emplace_back(range.start, range.end);
  rocksdb::SizeApproximationOptions options;
  options.include_memtables = true;
  std::vector<uint64_t> sums(ranges.size()), sizes(ranges.size());
  for (auto *family : *srv->storage->GetCFHandles()) {
    if (!RdmaHoldsSlots(family->GetName())) continue;
    auto status = srv->storage->GetDB()->GetApproximateSizes(options, family, wanted.data(),
                                                             static_cast<int>(wanted.size()), sizes.data());
    if (!status.ok()) return {Status::NotOK, status.ToString()};
    std::transform(sums.begin(), sums.end(), sizes.begin(), sums.begin(), std::plus<>());
  }
  return sums;
}
