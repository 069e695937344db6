// SPDX-License-Identifier: Apache-2.0
#include "rdma_secret.h"

#include <sys/random.h>

#include <cstring>

#include "rdma_moved.h"
#include "rdma_store.h"
#include "server/server.h"

namespace {

std::string ToHex(const std::string &bytes) {
  static const char *digits = "0123456789abcdef";
  std::string hex;
  for (unsigned char byte : bytes) {
    hex += digits[byte >> 4];
    hex += digits[byte & 15];
  }
  return hex;
}

int DigitOf(char digit) {
  if (digit >= '0' && digit <= '9') return digit - '0';
  return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

// False: these are not the digits of HAUL_KEY_SECRET_BYTES bytes.
bool FromHex(const std::string &hex, uint8_t *bytes) {
  bool sound = hex.size() == 2 * HAUL_KEY_SECRET_BYTES;
  for (size_t i = 0; sound && i < HAUL_KEY_SECRET_BYTES; i++) {
    int high = DigitOf(hex[2 * i]), low = DigitOf(hex[2 * i + 1]);
    sound = high >= 0 && low >= 0;
    bytes[i] = static_cast<uint8_t>(high << 4 | low);
  }
  return sound;
}

}  // namespace

Status RdmaRefuseTls(Server *srv) {
  if (!srv->GetConfig()->tls_replication) return Status::OK();
  return {Status::NotOK,
          "with tls-replication the secret of a haul job may not travel without TLS, as HAUL IMPORT does: set "
          "migrate-transport redis"};
}

StatusOr<std::string> RdmaDrawToken() {
  std::string bytes(HAUL_KEY_SECRET_BYTES, '\0');
  if (getrandom(bytes.data(), bytes.size(), 0) != HAUL_KEY_SECRET_BYTES) return Status::FromErrno("getrandom");
  return ToHex(bytes);
}

bool RdmaIsToken(const std::string &token) {
  uint8_t secret[HAUL_KEY_SECRET_BYTES];
  bool sound = FromHex(token, secret);
  explicit_bzero(secret, sizeof(secret));
  return sound;
}

StatusOr<RdmaKeys> RdmaKeysOf(const std::string &token) {
  haul_key key{};
  if (!FromHex(token, key.secret)) return {Status::NotOK, "the secret of the job is lost or damaged"};
  RdmaJobId(token).copy(key.id, sizeof(key.id) - 1);
  haul_keys *keys = nullptr;
  haul_error error{};
  auto status = haul_keys_create(&key, 1, &keys, &error);
  explicit_bzero(&key, sizeof(key));
  if (status != HAUL_OK) return {Status::NotOK, RdmaErrorText(error)};
  return RdmaKeys(keys, haul_keys_destroy);
}
