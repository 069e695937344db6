#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# install.sh — installs into an empty prefix and builds a consumer the ways an embedder would.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/harness.sh"
suite install "$@"
consumer=$root/tests/integration/consumer.c

install_here() {
    DESTDIR='' cmake --install "$build" --prefix "$work/prefix" >install.log 2>&1 ||
        { cat install.log; fail 'cmake --install'; }
    libraries=$(dirname "$(find "$work/prefix" -name libhaul.so)")
    export PKG_CONFIG_PATH=$libraries/pkgconfig
}

# says_not_found PROGRAM
says_not_found() {
    equal "$(LD_LIBRARY_PATH=${libraries:-} "$1")" 'NOT_FOUND copying'
}

test_install__prefix__holds_the_tool_and_the_library() {
    install_here
    run 0 "$work/prefix/bin/haul" version
    [[ -L $libraries/libhaul.so && -L $libraries/libhaul.so.0 && -f $libraries/libhaul.a ]]
    [[ -f $work/prefix/include/haul/migration.h ]]
    equal "$(find "$work/prefix/include" -type f ! -path '*/include/haul/*.h' ! -path '*/include/haul/rocksdb.hpp' | wc -l)" 0
}

test_pkg_config__shared__builds_and_runs() {
    install_here
    local flags
    flags=$(pkg-config --cflags --libs haul)
    # shellcheck disable=SC2086 # flags are words
    "${CC:-gcc}" -std=gnu17 -Wall -Wextra -Werror "$consumer" -o shared $flags
    says_not_found ./shared
    readelf -d shared | grep -q 'libhaul\.so\.0'
}

test_pkg_config__static__builds_and_runs() {
    install_here
    local flags others
    flags=$(pkg-config --cflags haul)
    others=$(pkg-config --static --libs-only-l haul | sed 's/-lhaul//')
    # shellcheck disable=SC2086
    "${CC:-gcc}" -std=gnu17 "$consumer" -o static $flags "$libraries/libhaul.a" $others
    says_not_found ./static
    ! readelf -d static | grep -q 'libhaul'
}

# An installation may be moved: haul.pc names directories relative to its own.
test_pkg_config__moved_prefix__builds_and_runs() {
    install_here
    mv "$work/prefix" "$work/elsewhere"
    libraries=$(dirname "$(find "$work/elsewhere" -name libhaul.so)")
    export PKG_CONFIG_PATH=$libraries/pkgconfig
    local flags
    flags=$(pkg-config --cflags --libs haul)
    [[ $flags != *"$work/prefix"* ]] || fail "$flags"
    # shellcheck disable=SC2086
    "${CC:-gcc}" -std=gnu17 -Wall -Wextra -Werror "$root/examples/copy_range.c" -o copy_range $flags
    run 1 env LD_LIBRARY_PATH="$libraries" ./copy_range none b a z
    grep -q '^copy_range: .*none' err
}

# The header for rocksdb::DB, with only what is installed.
test_pkg_config__cxx_header__builds_and_runs() {
    install_here
    local flags
    flags=$(pkg-config --cflags --libs haul)
    cat >attach.cc <<'CXX'
#include <haul/rocksdb.hpp>
int main()
{
    haul::rocks_store store;
    haul_error error{};
    return store.attach(nullptr, {}, &error) == HAUL_INVALID && store.get() == nullptr ? 0 : 1;
}
CXX
    # shellcheck disable=SC2086
    "${CXX:-g++}" -std=c++17 -Wall -Wextra -Werror attach.cc -o attach $flags -lrocksdb
    LD_LIBRARY_PATH=$libraries ./attach
}

# A program that uses RocksDB's C++ headers itself has the same inline functions as the library.
test_pkg_config__static_beside_rocksdb_of_its_own__builds_and_runs() {
    install_here
    local flags others
    flags=$(pkg-config --cflags haul)
    others=$(pkg-config --static --libs-only-l haul | sed 's/-lhaul//')
    cat >database.cc <<'CXX'
#include <rocksdb/convenience.h>
#include <rocksdb/db.h>
#include <rocksdb/table.h>
bool uses_options()
{
    rocksdb::Options options;
    rocksdb::DBOptions database(options);
    rocksdb::ColumnFamilyOptions family(options);
    rocksdb::BlockBasedTableOptions table;
    rocksdb::ConfigOptions config;
    rocksdb::DBOptions other;
    return rocksdb::GetDBOptionsFromString(config, database, "max_open_files=7", &other).ok() &&
           other.max_open_files == 7 && family.comparator != nullptr && table.block_size > 0;
}
static const bool tried = uses_options();
CXX
    "${CXX:-g++}" -std=c++17 -O2 -c database.cc
    # shellcheck disable=SC2086
    "${CC:-gcc}" -std=gnu17 -c "$consumer" -o consumer.o $flags
    # shellcheck disable=SC2086
    "${CXX:-g++}" database.o consumer.o -o beside "$libraries/libhaul.a" $others -lrocksdb
    says_not_found ./beside
}

test_headers__cxx_program__builds_and_runs() {
    install_here
    local flags
    flags=$(pkg-config --cflags --libs haul)
    # shellcheck disable=SC2086
    "${CXX:-g++}" -std=c++17 -Wall -Wextra -Werror -x c++ "$consumer" -o cxx $flags
    says_not_found ./cxx
}

# build_consumer TARGET COMMAND ARGUMENTS...: a project that gets haul by that command of CMake;
# out/consumer.
build_consumer() {
    local target=$1 command=$2
    shift 2
    mkdir project
    cat >project/CMakeLists.txt <<CMAKE
cmake_minimum_required(VERSION 3.25)
project(consumer LANGUAGES C CXX)
set(HAUL_TOOL OFF)
set(HAUL_TESTS OFF)
set(HAUL_BENCH OFF)
$command($*)
add_executable(consumer consumer.c)
target_link_libraries(consumer PRIVATE $target)
CMAKE
    cp "$consumer" project/
    # Not optimized: what is found and linked is the same.
    cmake -S project -B out -DCMAKE_PREFIX_PATH="$work/prefix" -DCMAKE_BUILD_TYPE=Debug \
        -DCMAKE_C_FLAGS_DEBUG=-O0 -DCMAKE_CXX_FLAGS_DEBUG=-O0 >cmake.log 2>&1 || { cat cmake.log; false; }
    cmake --build out --target consumer -j 2 >>cmake.log 2>&1 || { cat cmake.log; false; }
}

test_find_package__config__builds_and_runs() {
    install_here
    build_consumer haul::haul find_package haul 0.1 CONFIG REQUIRED
    says_not_found out/consumer
}

test_find_package__static_component__builds_and_runs() {
    install_here
    build_consumer haul::static find_package haul 0.1 CONFIG REQUIRED COMPONENTS static
    says_not_found out/consumer
    ! readelf -d out/consumer | grep -q 'libhaul'
}

test_add_subdirectory__static__builds_and_runs() {
    build_consumer haul::static add_subdirectory "$root" haul EXCLUDE_FROM_ALL
    says_not_found out/consumer
    ! readelf -d out/consumer | grep -q 'libhaul'
}

test_static_library__private_names__are_local() {
    install_here
    equal "$(nm -g --defined-only "$libraries/libhaul.a" | awk '$3 != "" && $3 !~ /^haul_/' | wc -l)" 0
}

run_tests
