# SPDX-License-Identifier: Apache-2.0
# migrate_rdma.cmake — Kvrocks with libhaul. It is built from its own source tree, with Kvrocks' RocksDB: a second
# RocksDB in the process, which an installed libhaul.so would bring, must not be.
set(HAUL_SOURCE_DIR "" CACHE PATH "source tree of haul (-DMIGRATE_RDMA=ON)")
if(NOT EXISTS "${HAUL_SOURCE_DIR}/engine/include/haul/migration.h")
  message(FATAL_ERROR "set -DHAUL_SOURCE_DIR to the source tree of haul")
endif()

set(HAUL_TOOL OFF CACHE BOOL "the haul tool")
set(HAUL_TESTS OFF CACHE BOOL "build the tests (CUnit)")
set(HAUL_BENCH OFF CACHE BOOL "build the benchmarks")
set(HAUL_ROCKSDB_INCLUDE ${rocksdb_SOURCE_DIR}/include CACHE PATH "headers of Kvrocks' RocksDB" FORCE)
add_subdirectory(${HAUL_SOURCE_DIR} ${PROJECT_BINARY_DIR}/haul EXCLUDE_FROM_ALL)

find_package(PkgConfig REQUIRED)
pkg_check_modules(MIGRATE_RDMA_DEPS REQUIRED IMPORTED_TARGET libisal libxxhash)
pkg_check_modules(MIGRATE_RDMA_VERBS IMPORTED_TARGET libibverbs librdmacm)
pkg_check_modules(MIGRATE_RDMA_NUMA IMPORTED_TARGET numa) # as haul: when it is there

# libhaul.a shows its public functions and nothing else: its private names cannot meet Kvrocks' libraries.
add_library(haul_for_kvrocks INTERFACE)
add_dependencies(haul_for_kvrocks haul_static)
target_include_directories(haul_for_kvrocks INTERFACE ${HAUL_SOURCE_DIR}/base/include
  ${HAUL_SOURCE_DIR}/rdma/include ${HAUL_SOURCE_DIR}/engine/include)
target_link_libraries(haul_for_kvrocks INTERFACE ${PROJECT_BINARY_DIR}/haul/libhaul.a rocksdb_with_headers
  PkgConfig::MIGRATE_RDMA_DEPS)
if(MIGRATE_RDMA_NUMA_FOUND)
  target_link_libraries(haul_for_kvrocks INTERFACE PkgConfig::MIGRATE_RDMA_NUMA)
endif()
if(HAUL_RDMA)
  target_link_libraries(haul_for_kvrocks INTERFACE PkgConfig::MIGRATE_RDMA_VERBS)
endif()

file(GLOB MIGRATE_RDMA_SRCS CONFIGURE_DEPENDS ${CMAKE_CURRENT_LIST_DIR}/*.cc)
target_sources(kvrocks_objs PRIVATE ${MIGRATE_RDMA_SRCS})
target_include_directories(kvrocks_objs PUBLIC ${PROJECT_SOURCE_DIR})
target_compile_definitions(kvrocks_objs PUBLIC MIGRATE_RDMA)
target_link_libraries(kvrocks_objs PUBLIC haul_for_kvrocks)
add_dependencies(kvrocks_objs haul_static)
