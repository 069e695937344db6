// SPDX-License-Identifier: Apache-2.0
// rdma_fields.h — the names that the configuration file uses for the settings of rdma_options.h.
#pragma once

#include <vector>

#include "config/config_type.h"
#include "rdma_options.h"

inline const std::vector<ConfigEnum<MigrateTransport>> migrate_transports{{"redis", MigrateTransport::kRedis},
                                                                          {"haul", MigrateTransport::kHaul}};

inline const std::vector<ConfigEnum<RdmaTransport>> rdma_transports{
    {"auto", RdmaTransport::kAuto}, {"rdma", RdmaTransport::kRdma}, {"tcp", RdmaTransport::kTcp}};

inline const std::vector<ConfigEnum<RdmaLane>> rdma_lanes{
    {"auto", RdmaLane::kAuto}, {"ingest", RdmaLane::kIngest}, {"writebatch", RdmaLane::kWriteBatch}};
