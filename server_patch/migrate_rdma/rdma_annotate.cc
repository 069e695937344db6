// SPDX-License-Identifier: Apache-2.0
#include "rdma_annotate.h"

#include <cstring>
#include <string>

#include "storage/redis_db.h"
#include "storage/redis_metadata.h"
#include "storage/storage.h"

namespace {

// The subkeys of one key and version, which follow each other, have the same text.
struct Last {
  std::string prefix;
  std::string text;
};

RedisType TypeOf(engine::Storage *storage, const InternalKey &subkey) {
  std::string raw;
  auto key = ComposeNamespaceKey(subkey.GetNamespace(), subkey.GetKey(), /*slot_id_encoded=*/true);
  auto *family = storage->GetCFHandle(ColumnFamilyID::Metadata);
  if (!storage->GetDB()->Get(rocksdb::ReadOptions(), family, key, &raw).ok()) return kRedisNone;
  Metadata metadata(kRedisNone, /*generate_version=*/false);
  bool is_its_key = metadata.Decode(raw).ok() && metadata.version == subkey.GetVersion();
  return is_its_key ? metadata.Type() : kRedisNone;
}

std::string Annotation(RedisType type) {
  if (type != kRedisList) return redis::WriteBatchLogData(type).Encode();
  return redis::WriteBatchLogData(type, {std::to_string(kRedisCmdRPush)}).Encode();
}

}  // namespace

size_t RdmaAnnotate(engine::Storage *storage, const char *family, haul_slice key, uint8_t *blob) {
  // The other families' records say themselves what they are.
  if (family != engine::kPrimarySubkeyColumnFamilyName) return 0;
  thread_local Last last;
  rocksdb::Slice bytes(reinterpret_cast<const char *>(key.data), key.size);
  InternalKey subkey(bytes, /*slot_id_encoded=*/true);
  rocksdb::Slice prefix(bytes.data(), bytes.size() - subkey.GetSubKey().size());
  if (prefix != last.prefix) last = {prefix.ToString(), Annotation(TypeOf(storage, subkey))};
  if (last.text.size() > HAUL_LOG_DATA_BYTES_MAX) return 0;
  memcpy(blob, last.text.data(), last.text.size());
  return last.text.size();
}
