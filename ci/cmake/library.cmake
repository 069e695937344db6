# SPDX-License-Identifier: Apache-2.0
# library.cmake — libhaul.so, libhaul.a and how to find them: haul.pc and find_package(haul CONFIG).
#
# For an embedder's own RocksDB (HAUL_ROCKSDB_INCLUDE) only libhaul.a is built: a shared library would
# bring another RocksDB.
#
# Both libraries export exactly the symbols of ci/exported-symbols.txt; everything else is local, so
# that private names (credit_init, message_decode) cannot clash with those of an embedder. The layers
# are compiled with default visibility; the list applies through a version script in the shared
# library, and by making other symbols local in the only object of the static library.
include(CMakePackageConfigHelpers)
find_package(nanopb REQUIRED)

set(HAUL_SYMBOLS_FILE ${PROJECT_SOURCE_DIR}/ci/exported-symbols.txt)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${HAUL_SYMBOLS_FILE})
file(STRINGS ${HAUL_SYMBOLS_FILE} haul_symbols REGEX "^[a-z]")
list(JOIN haul_symbols ";\n        " haul_symbols_text)
set(version_script ${PROJECT_BINARY_DIR}/libhaul.map)
file(CONFIGURE OUTPUT ${version_script} @ONLY CONTENT
"HAUL_@PROJECT_VERSION_MAJOR@ {
    global:
        @haul_symbols_text@;
    local:
        *;
};
")
list(JOIN haul_symbols "\n" haul_symbols_lines)
set(keep_list ${PROJECT_BINARY_DIR}/libhaul.keep)
file(CONFIGURE OUTPUT ${keep_list} @ONLY CONTENT "@haul_symbols_lines@\n")

get_property(haul_parts GLOBAL PROPERTY HAUL_PARTS)
list(TRANSFORM haul_parts REPLACE "(.+)" "$<TARGET_OBJECTS:\\1>" OUTPUT_VARIABLE haul_objects)
list(APPEND haul_objects $<TARGET_OBJECTS:haul_base> $<TARGET_OBJECTS:haul_control>)

# --- shared ---
if(NOT HAUL_ROCKSDB_INCLUDE)
    add_library(haul_shared SHARED ${haul_objects})
    set_target_properties(haul_shared PROPERTIES OUTPUT_NAME haul EXPORT_NAME haul
        VERSION ${PROJECT_VERSION} SOVERSION 0 LINKER_LANGUAGE CXX LINK_DEPENDS ${version_script})
    target_include_directories(haul_shared INTERFACE $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
    target_link_options(haul_shared PRIVATE -Wl,--version-script=${version_script} -Wl,-z,defs)
    if(HAUL_SANITIZER MATCHES "address|thread|undefined")
        # The executable brings the sanitizer's run-time.
        target_link_options(haul_shared PRIVATE -Wl,-z,undefs)
    endif()
    target_link_libraries(haul_shared PRIVATE $<BUILD_INTERFACE:haul_build> Threads::Threads
        PkgConfig::ISAL PkgConfig::OPENSSL PkgConfig::XXHASH PkgConfig::ROCKSDB
        PkgConfig::ZSTD nanopb::protobuf-nanopb-static)
    if(HAUL_RDMA)
        target_link_libraries(haul_shared PRIVATE PkgConfig::VERBS)
    endif()
    if(NUMA_FOUND)
        target_link_libraries(haul_shared PRIVATE PkgConfig::NUMA)
    endif()
    target_link_libraries(haul_shared PRIVATE ${HAUL_IPSEC_MB_LIBRARY})
endif()

# --- static ---
set(static_library ${PROJECT_BINARY_DIR}/libhaul.a)
set(static_object ${PROJECT_BINARY_DIR}/libhaul.o)
add_custom_command(OUTPUT ${static_library}
    COMMAND ${CMAKE_LINKER} -r --force-group-allocation -o ${static_object} ${haul_objects} $<TARGET_FILE:nanopb::protobuf-nanopb-static>
    COMMAND ${CMAKE_OBJCOPY} --keep-global-symbols=${keep_list} ${static_object}
    COMMAND ${CMAKE_COMMAND} -E rm -f ${static_library}
    COMMAND ${CMAKE_AR} rcs ${static_library} ${static_object}
    DEPENDS ${haul_objects} haul_base haul_rdma haul_engine haul_control ${keep_list}
    COMMENT "Making libhaul.a" COMMAND_EXPAND_LISTS VERBATIM)
add_custom_target(haul_static ALL DEPENDS ${static_library})

# --- how to find them ---
# The dependencies of libhaul.a; an embedder with its own RocksDB also has that one's zstd.
set(HAUL_STATIC_REQUIRES "libisal libxxhash openssl")
if(NOT HAUL_ROCKSDB_INCLUDE)
    string(APPEND HAUL_STATIC_REQUIRES " rocksdb libzstd")
endif()
if(NUMA_FOUND)
    string(APPEND HAUL_STATIC_REQUIRES " numa")
endif()
if(HAUL_RDMA)
    string(APPEND HAUL_STATIC_REQUIRES " librdmacm libibverbs")
endif()
set(HAUL_STATIC_LIBS "-lpthread -lstdc++")
if(HAUL_IPSEC_MB_LIBRARY)
    get_filename_component(ipsec_mb_directory ${HAUL_IPSEC_MB_LIBRARY} DIRECTORY)
    string(PREPEND HAUL_STATIC_LIBS "-L${ipsec_mb_directory} -lIPSec_MB ")
endif()
# haul::static for a project that has this source tree as a subdirectory: the same as in the installed package.
separate_arguments(static_requires UNIX_COMMAND "${HAUL_STATIC_REQUIRES}")
pkg_check_modules(HAUL_REQUIRES REQUIRED IMPORTED_TARGET GLOBAL ${static_requires})
# A C++ program has its standard library already, perhaps linked statically; a second one breaks its exceptions.
set(HAUL_CXX_LIBRARY "$<$<NOT:$<LINK_LANGUAGE:CXX>>:stdc++>")
add_library(haul::static STATIC IMPORTED GLOBAL)
set_target_properties(haul::static PROPERTIES IMPORTED_LOCATION ${static_library}
    INTERFACE_LINK_LIBRARIES "PkgConfig::HAUL_REQUIRES;${HAUL_IPSEC_MB_LIBRARY};${CMAKE_THREAD_LIBS_INIT};${HAUL_CXX_LIBRARY}")
foreach(layer base rdma engine)
    target_include_directories(haul::static INTERFACE ${PROJECT_SOURCE_DIR}/${layer}/include)
endforeach()
add_dependencies(haul::static haul_static)

file(RELATIVE_PATH HAUL_PREFIX_FROM_PACKAGE /${CMAKE_INSTALL_LIBDIR}/cmake/haul /)
# The installed files may be moved, and `cmake --install --prefix` may name another prefix than the configuration.
if(IS_ABSOLUTE "${CMAKE_INSTALL_LIBDIR}" OR IS_ABSOLUTE "${CMAKE_INSTALL_INCLUDEDIR}")
    set(HAUL_PC_PREFIX ${CMAKE_INSTALL_PREFIX})
    set(HAUL_PC_LIBDIR ${CMAKE_INSTALL_FULL_LIBDIR})
    set(HAUL_PC_INCLUDEDIR ${CMAKE_INSTALL_FULL_INCLUDEDIR})
else()
    file(RELATIVE_PATH prefix_from_pc /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
    string(REGEX REPLACE "/$" "" prefix_from_pc ${prefix_from_pc})
    set(HAUL_PC_PREFIX "\${pcfiledir}/${prefix_from_pc}")
    set(HAUL_PC_LIBDIR "\${prefix}/${CMAKE_INSTALL_LIBDIR}")
    set(HAUL_PC_INCLUDEDIR "\${prefix}/${CMAKE_INSTALL_INCLUDEDIR}")
endif()
configure_file(${CMAKE_CURRENT_LIST_DIR}/haul.pc.in ${PROJECT_BINARY_DIR}/haul.pc @ONLY)
configure_file(${CMAKE_CURRENT_LIST_DIR}/haulConfig.cmake.in ${PROJECT_BINARY_DIR}/haulConfig.cmake @ONLY)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/haulConfigVersion.cmake
    COMPATIBILITY SameMinorVersion)

set(package_directory ${CMAKE_INSTALL_LIBDIR}/cmake/haul)
install(FILES ${static_library} DESTINATION ${CMAKE_INSTALL_LIBDIR})
foreach(layer base rdma engine)
    install(DIRECTORY ${PROJECT_SOURCE_DIR}/${layer}/include/haul
        DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN "*.h" PATTERN "*.hpp")
endforeach()
install(FILES ${PROJECT_BINARY_DIR}/haul.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
if(TARGET haul_shared)
    install(TARGETS haul_shared EXPORT haulTargets LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
    install(EXPORT haulTargets NAMESPACE haul:: DESTINATION ${package_directory})
endif()
install(FILES ${PROJECT_BINARY_DIR}/haulConfig.cmake ${PROJECT_BINARY_DIR}/haulConfigVersion.cmake
    DESTINATION ${package_directory})
