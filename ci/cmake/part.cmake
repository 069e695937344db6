# SPDX-License-Identifier: Apache-2.0
# part.cmake — the folders of a layer.
#
# haul_part(LAYER FOLDER [USES part...] [HIDES part...] [LIBS library...]): the files of FOLDER become an
# object library haul_LAYER_FOLDER. It sees the headers of its own folder, of the parts that it uses
# or hides (LAYER_FOLDER), and of the parts that these use, and no others: an include against the
# order of the folders does not compile, and tests/structure proves it. Users of the part do not see
# what it hides. LIBS are the foreign libraries that its files include.
#
# haul_transport(NAME [ABSENT]): declares that the table NAME_link_ops is part of this build, or is
# not. rdma/*/transport.cmake calls it and haul_part; see rdma/link/link_ops.h.
#
# haul_layer(LAYER part...): links the parts of a layer into one library, whose users see the public
# headers only; haul_private_headers, for tests, has all headers.
# Write the include directories of a target for tests/structure, one per line.
function(haul_write_include_path part target)
    file(GENERATE OUTPUT ${PROJECT_BINARY_DIR}/parts/${part} CONTENT
        "$<JOIN:$<REMOVE_DUPLICATES:$<TARGET_PROPERTY:${target},INCLUDE_DIRECTORIES>>,\n>\n")
endfunction()

function(haul_part layer folder)
    cmake_parse_arguments(PARSE_ARGV 2 arg "" "" "USES;HIDES;LIBS")
    set(name haul_${layer}_${folder})
    set(home ${CMAKE_CURRENT_SOURCE_DIR}/${folder})
    file(GLOB sources CONFIGURE_DEPENDS ${home}/*.c ${home}/*.cc)
    add_library(${name}_headers INTERFACE)
    target_include_directories(${name}_headers INTERFACE ${home})
    foreach(used IN LISTS arg_USES)
        target_link_libraries(${name}_headers INTERFACE haul_${used}_headers)
    endforeach()
    add_library(${name} OBJECT ${sources})
    foreach(hidden IN LISTS arg_HIDES)
        target_link_libraries(${name} PRIVATE haul_${hidden}_headers)
    endforeach()
    target_include_directories(${name} PRIVATE ${CMAKE_CURRENT_SOURCE_DIR}/include)
    target_link_libraries(${name} PRIVATE ${name}_headers haul_base_headers haul_base ${arg_LIBS})
    haul_write_include_path(${layer}_${folder} ${name})
    set_property(GLOBAL APPEND PROPERTY HAUL_PARTS ${name})
    set_property(GLOBAL APPEND PROPERTY HAUL_PARTS_OF_${layer} ${name})
endfunction()

function(haul_transport name)
    set(value table)
    if(ARGN STREQUAL ABSENT)
        set(value NULL)
    endif()
    set_property(GLOBAL APPEND_STRING PROPERTY HAUL_TRANSPORTS_BUILT
        "#define BUILT_${name}(table) ${value}\n")
endfunction()

function(haul_write_transports file)
    get_property(lines GLOBAL PROPERTY HAUL_TRANSPORTS_BUILT)
    file(CONFIGURE OUTPUT ${file} CONTENT "/* Made by rdma/CMakeLists.txt. */\n${lines}" @ONLY)
endfunction()

function(haul_layer layer)
    get_property(parts GLOBAL PROPERTY HAUL_PARTS_OF_${layer})
    list(TRANSFORM parts REPLACE "(.+)" "$<TARGET_OBJECTS:\\1>" OUTPUT_VARIABLE objects)
    add_library(haul_${layer} STATIC ${objects} ${ARGN})
    set_target_properties(haul_${layer} PROPERTIES LINKER_LANGUAGE CXX)
    target_include_directories(haul_${layer} PUBLIC ${CMAKE_CURRENT_SOURCE_DIR}/include)
    foreach(part IN LISTS parts)
        target_link_libraries(haul_private_headers INTERFACE ${part}_headers)
    endforeach()
endfunction()

add_library(haul_private_headers INTERFACE)
foreach(layer base rdma engine)
    target_include_directories(haul_private_headers INTERFACE ${PROJECT_SOURCE_DIR}/${layer}/include)
endforeach()
target_include_directories(haul_private_headers INTERFACE ${PROJECT_SOURCE_DIR}/base)
