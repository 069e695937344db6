// SPDX-License-Identifier: Apache-2.0
// rdma_guard.h — the server's guards, waited for with an end.
//
// Whoever holds a guard may be waiting for a thread of ours: SETNODES joins the replication thread, which waits for the
// end of an import. So our threads give up instead of waiting for ever. They wait in the lock itself: one that is only
// tried now and then starves while clients keep it busy.
#pragma once

#include <pthread.h>

#include <chrono>
#include <ctime>
#include <functional>
#include <mutex>
#include <shared_mutex>

#include "server/server.h"

class RdmaGuard {
 public:
  // Asked about every 20 ms.
  using GivesUp = std::function<bool()>;

  // Like Server::WorkExclusivityGuard(). The result owns nothing when `gives_up` ended the wait.
  static std::unique_lock<std::shared_mutex> Exclusive(Server *srv, const GivesUp &gives_up) {
    auto &mutex = srv->works_concurrency_rw_lock_;
    if (!wait(pthread_rwlock_timedwrlock, mutex.native_handle(), gives_up)) return {};
    return {mutex, std::adopt_lock};
  }

  // The same, until a point in time.
  static std::unique_lock<std::shared_mutex> ExclusiveUntil(Server *srv, std::chrono::steady_clock::time_point end) {
    return Exclusive(srv, [end] { return std::chrono::steady_clock::now() >= end; });
  }

  // Like Server::WorkConcurrencyGuard().
  static std::shared_lock<std::shared_mutex> Shared(Server *srv, const GivesUp &gives_up) {
    auto &mutex = srv->works_concurrency_rw_lock_;
    if (!wait(pthread_rwlock_timedrdlock, mutex.native_handle(), gives_up)) return {};
    return {mutex, std::adopt_lock};
  }

 private:
  static constexpr int64_t kSliceNs = 20 * 1000 * 1000;
  static constexpr int64_t kSecondNs = 1000 * 1000 * 1000;

  static bool wait(int (*lock)(pthread_rwlock_t *, const timespec *), void *handle, const GivesUp &gives_up) {
    auto *rwlock = static_cast<pthread_rwlock_t *>(handle);
    while (!gives_up()) {
      timespec end{};
      clock_gettime(CLOCK_REALTIME, &end);
      int64_t ns = end.tv_nsec + kSliceNs;
      end.tv_sec += ns / kSecondNs;
      end.tv_nsec = ns % kSecondNs;
      if (lock(rwlock, &end) == 0) return true;
    }
    return false;
  }
};
