# SPDX-License-Identifier: Apache-2.0
# rocksdb.cmake — selects the RocksDB: the installed one, or the one that an embedder links. Either
# way the target is PkgConfig::ROCKSDB.
include(CheckCSourceCompiles)
if(HAUL_ROCKSDB_INCLUDE)
    add_library(haul_rocksdb INTERFACE)
    target_include_directories(haul_rocksdb SYSTEM INTERFACE ${HAUL_ROCKSDB_INCLUDE})
    add_library(PkgConfig::ROCKSDB ALIAS haul_rocksdb)
    set(CMAKE_REQUIRED_INCLUDES ${HAUL_ROCKSDB_INCLUDE})
    file(STRINGS ${HAUL_ROCKSDB_INCLUDE}/rocksdb/version.h HAUL_ROCKSDB_VERSION
        REGEX "^#define ROCKSDB_(MAJOR|MINOR|PATCH) ")
    list(TRANSFORM HAUL_ROCKSDB_VERSION REPLACE "[^0-9]" "")
    list(JOIN HAUL_ROCKSDB_VERSION "." HAUL_ROCKSDB_VERSION)
else()
    pkg_check_modules(ROCKSDB REQUIRED IMPORTED_TARGET rocksdb)
    set(CMAKE_REQUIRED_INCLUDES ${ROCKSDB_INCLUDE_DIRS})
endif()
# Since RocksDB 9, calls that enable deletions are always counted, without an argument.
set(CMAKE_REQUIRED_QUIET ON)
set(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY)
check_c_source_compiles("#include <rocksdb/c.h>
void unpin(rocksdb_t *db, char **message);
void unpin(rocksdb_t *db, char **message) { rocksdb_enable_file_deletions(db, message); }"
    HAUL_ROCKSDB_COUNTED_DELETIONS)
unset(CMAKE_TRY_COMPILE_TARGET_TYPE)
unset(CMAKE_REQUIRED_QUIET)
unset(CMAKE_REQUIRED_INCLUDES)
