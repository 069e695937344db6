# SPDX-License-Identifier: Apache-2.0
# migrate_rdma.cmake — links Kvrocks with a libhaul.a for Kvrocks' own RocksDB: built from haul's source tree
# (-DHAUL_SOURCE_DIR=...), or an installed one that was built for that RocksDB (HAUL_ROCKSDB_INCLUDE). The shared
# library would bring a second RocksDB into the process, which must contain only one.
set(HAUL_SOURCE_DIR "" CACHE PATH "source tree of haul; empty: an installed one (-DMIGRATE_RDMA=ON)")

if(HAUL_SOURCE_DIR)
  if(NOT EXISTS "${HAUL_SOURCE_DIR}/engine/include/haul/migration.h")
    message(FATAL_ERROR "HAUL_SOURCE_DIR is not a source tree of haul: ${HAUL_SOURCE_DIR}")
  endif()
  set(HAUL_TOOL OFF CACHE BOOL "the haul tool")
  set(HAUL_TESTS OFF CACHE BOOL "build the tests (CUnit)")
  set(HAUL_BENCH OFF CACHE BOOL "build the benchmarks")
  set(HAUL_ROCKSDB_INCLUDE ${rocksdb_SOURCE_DIR}/include CACHE PATH "headers of Kvrocks' RocksDB" FORCE)
  add_subdirectory(${HAUL_SOURCE_DIR} ${PROJECT_BINARY_DIR}/haul EXCLUDE_FROM_ALL)
else()
  find_package(haul 0.1 CONFIG REQUIRED COMPONENTS static)
  file(STRINGS ${rocksdb_SOURCE_DIR}/include/rocksdb/version.h MIGRATE_RDMA_ROCKSDB
    REGEX "^#define ROCKSDB_(MAJOR|MINOR|PATCH) ")
  list(TRANSFORM MIGRATE_RDMA_ROCKSDB REPLACE "[^0-9]" "")
  list(JOIN MIGRATE_RDMA_ROCKSDB "." MIGRATE_RDMA_ROCKSDB)
  if(NOT "${haul_ROCKSDB_VERSION}" STREQUAL MIGRATE_RDMA_ROCKSDB)
    message(FATAL_ERROR "${haul_DIR}: this libhaul was built for RocksDB '${haul_ROCKSDB_VERSION}', Kvrocks has "
      "${MIGRATE_RDMA_ROCKSDB}: build it with -DHAUL_ROCKSDB_INCLUDE=${rocksdb_SOURCE_DIR}/include")
  endif()
endif()
# After libhaul.a on the linker's command line: libhaul.a needs both.
set_property(TARGET haul::static APPEND PROPERTY INTERFACE_LINK_LIBRARIES rocksdb_with_headers zstd)

set(MIGRATE_RDMA_SOURCES
  cmd_haul
  rdma_address
  rdma_annotate
  rdma_blocked
  rdma_commands
  rdma_confirm
  rdma_decided
  rdma_doubt
  rdma_hooks
  rdma_import
  rdma_import_job
  rdma_info
  rdma_ingest
  rdma_kept
  rdma_links
  rdma_migrate
  rdma_moved
  rdma_peer
  rdma_probe
  rdma_question
  rdma_queue
  rdma_report
  rdma_secret
  rdma_shown
  rdma_sizes
  rdma_slots
  rdma_state
  rdma_store
  rdma_taken
  rdma_watch
)
foreach(MIGRATE_RDMA_SOURCE IN LISTS MIGRATE_RDMA_SOURCES)
  target_sources(kvrocks_objs PRIVATE ${CMAKE_CURRENT_LIST_DIR}/${MIGRATE_RDMA_SOURCE}.cc)
endforeach()
target_compile_definitions(kvrocks_objs PUBLIC MIGRATE_RDMA)
target_link_libraries(kvrocks_objs PUBLIC haul::static)
