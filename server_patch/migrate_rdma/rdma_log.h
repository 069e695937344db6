// SPDX-License-Identifier: Apache-2.0
// rdma_log.h — Kvrocks' logger, whose functions (info) have become macros (INFO) in 2.15.
#pragma once

#include "logging.h"

#ifdef INFO
#define RDMA_INFO(...) INFO(__VA_ARGS__)
#define RDMA_WARN(...) WARN(__VA_ARGS__)
#define RDMA_ERROR(...) ERROR(__VA_ARGS__)
#else
#define RDMA_INFO(...) ::info(__VA_ARGS__)
#define RDMA_WARN(...) ::warn(__VA_ARGS__)
#define RDMA_ERROR(...) ::error(__VA_ARGS__)
#endif
