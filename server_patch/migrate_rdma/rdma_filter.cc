// SPDX-License-Identifier: Apache-2.0
#include "rdma_filter.h"

#include <cstdlib>
#include <mutex>
#include <string_view>

#include "haul/job.h"
#include "rdma_log.h"
#include "rdma_store.h"
#include "server/server.h"

namespace {

// Is there anything left to compare between the two sides?
bool MayContinue(const haul_job &job) {
  std::string_view phase = job.phase;
  return job.condition == HAUL_JOB_SOUND && phase != "COMMITTED" && phase != "RELEASED" && phase != "ABORTED";
}

}  // namespace

void RdmaRefreshFilters(Server *srv) {
  static std::mutex mutex;  // the last one to read the journals is the last one to write the result
  std::lock_guard<std::mutex> lock(mutex);
  haul_job *jobs = nullptr;
  size_t count = 0;
  haul_error error{};
  if (haul_jobs_list(srv->GetConfig()->db_dir.c_str(), &jobs, &count, &error) != HAUL_OK) {
    RDMA_WARN("[migrate] Cannot read the journals of migrations, compactions keep expired keys: {}",
              RdmaErrorText(error));
    return;
  }
  bool may_continue = false;
  for (size_t i = 0; i < count; i++) may_continue = may_continue || MayContinue(jobs[i]);
  free(jobs);
  rdma_may_continue = may_continue;
}
