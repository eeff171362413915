# Compiler set-up and the three functions that every folder's CMakeLists.txt uses.

find_program(CABINETFS_CCACHE ccache)
if(CABINETFS_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CABINETFS_CCACHE})
endif()

find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)

add_compile_options(-Wall -Wextra -Wpedantic -Wshadow -Wconversion)
if(CABINETFS_WERROR)
  add_compile_options(-Werror)
endif()
if(CABINETFS_THREAD_SAFETY)
  add_compile_options(-Wthread-safety -Werror=thread-safety)
endif()
if(CABINETFS_SANITIZE)
  # Half the compile time of -O2 -g, and line numbers in reports all the same.
  add_compile_options(-fsanitize=${CABINETFS_SANITIZE} -fno-omit-frame-pointer -O1 -g1)
  add_link_options(-fsanitize=${CABINETFS_SANITIZE})
  if(CABINETFS_SANITIZE MATCHES "undefined")
    add_compile_options(-fno-sanitize-recover=undefined)
  endif()
  add_compile_options(${CABINETFS_SANITIZE_OPTIONS})
endif()
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # g++ 12 warns of overlapping copies in std::string (GCC bug 105651) and of places outside of a growing std::vector that
  # cannot happen, at -O3 only.
  add_compile_options($<$<CONFIG:Release>:-Wno-restrict> $<$<CONFIG:Release>:-Wno-array-bounds>)
endif()
add_compile_definitions(_FILE_OFFSET_BITS=64)

# Several files of a target are compiled as one: most of the time goes into headers that they share. What stands in
# anonymous namespaces meets there, so names must differ within a target. `-DCMAKE_UNITY_BUILD=OFF` compiles each alone.
option(CMAKE_UNITY_BUILD "compile several files as one" ON)
set(CMAKE_UNITY_BUILD_BATCH_SIZE 8 CACHE STRING "how many")

# Adds those of the given folders that hold a CMakeLists.txt.
function(cabinet_add_subdirectories)
  foreach(dir IN LISTS ARGN)
    if(EXISTS ${CMAKE_CURRENT_SOURCE_DIR}/${dir}/CMakeLists.txt)
      add_subdirectory(${dir})
    endif()
  endforeach()
endfunction()

# cabinet_library(NAME SOURCES a.cc ... LIBS x ...): a static library that sees the project root.
function(cabinet_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LIBS" ${ARGN})
  add_library(${name} STATIC ${ARG_SOURCES})
  target_include_directories(${name} PUBLIC ${PROJECT_SOURCE_DIR})
  target_link_libraries(${name} PUBLIC ${ARG_LIBS} Threads::Threads)
endfunction()

# cabinet_test(NAME SOURCES a.cc ... LIBS x ... LABELS unit ... TIMEOUT 60): one GoogleTest program, one CTest entry.
function(cabinet_test name)
  cmake_parse_arguments(ARG "" "TIMEOUT" "SOURCES;LIBS;LABELS" ${ARGN})
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 120)
  endif()
  find_package(GTest REQUIRED)
  add_executable(${name} ${ARG_SOURCES})
  target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR})
  target_link_libraries(${name} PRIVATE ${ARG_LIBS} GTest::gtest GTest::gmock GTest::gtest_main Threads::Threads)
  add_test(NAME ${name} COMMAND ${name})
  if(CABINETFS_SANITIZE MATCHES thread)
    math(EXPR ARG_TIMEOUT "${ARG_TIMEOUT} * 4")
  endif()
  set_tests_properties(${name} PROPERTIES LABELS "${ARG_LABELS}" TIMEOUT ${ARG_TIMEOUT})
  cabinet_label(${name} ${ARG_LABELS})
endfunction()

# cabinet_label(TARGET LABEL...): `tests_LABEL` builds all programs of that label.
function(cabinet_label name)
  foreach(label IN LISTS ARGN)
    if(NOT TARGET tests_${label})
      add_custom_target(tests_${label})
    endif()
    add_dependencies(tests_${label} ${name})
  endforeach()
endfunction()
