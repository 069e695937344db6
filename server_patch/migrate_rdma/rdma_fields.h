// SPDX-License-Identifier: Apache-2.0
// rdma_fields.h — the names that the configuration file uses for the settings of rdma_options.h.
#pragma once

#include <climits>
#include <string>
#include <vector>

#include "config/config_type.h"
#include "rdma_address.h"
#include "rdma_options.h"
#include "rdma_rate.h"

inline const std::vector<ConfigEnum<MigrateTransport>> migrate_transports{{"redis", MigrateTransport::kRedis},
                                                                          {"haul", MigrateTransport::kHaul}};

inline const std::vector<ConfigEnum<RdmaTransport>> rdma_transports{
    {"auto", RdmaTransport::kAuto}, {"rdma", RdmaTransport::kRdma}, {"tcp", RdmaTransport::kTcp}};

inline const std::vector<ConfigEnum<RdmaLane>> rdma_lanes{
    {"auto", RdmaLane::kAuto}, {"ingest", RdmaLane::kIngest}, {"writebatch", RdmaLane::kWriteBatch}};

inline const std::vector<ConfigEnum<RdmaWire>> rdma_wires{
    {"secure", RdmaWire::kSecure}, {"auth", RdmaWire::kAuth}, {"none", RdmaWire::kNone}};

class RdmaListenField : public StringField {
 public:
  explicit RdmaListenField(std::string *receiver) : StringField(receiver, "") {}
  Status Set(const std::string &value) override {
    if (!value.empty()) GET_OR_RET(RdmaAddress::Parse(value));
    return StringField::Set(value);
  }
};

class RdmaRateField : public IntField {
 public:
  explicit RdmaRateField(int *receiver) : IntField(receiver, 0, 0, INT_MAX) {}
  Status Set(const std::string &value) override {
    GET_OR_RET(IntField::Set(value));
    int64_t number = 0;
    GET_OR_RET(ToNumber(&number));
    rdma_rate_limit_mb = static_cast<int>(number);
    return Status::OK();
  }
};
