# What every target shares, and the three kinds of target there are:
#   sparky_library(NAME DEPS …)   src/NAME/*.cc → libsparky_NAME.a, and NAME_test from its *_test.cc
#   sparky_program(NAME SOURCES … DEPS …)  a program in bin/
#   fuzzers: *_fuzz.cc beside the code; with the preset `fuzz` each becomes a libFuzzer program,
#            otherwise its corpus (NAME_fuzz.corpus/) is replayed as a test.
set(CMAKE_CXX_STANDARD 23)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)

list(APPEND CMAKE_PREFIX_PATH ${CMAKE_SOURCE_DIR}/.dev/ftxui)  # scripts/ftxui.sh builds it where apt lacks it

option(SPARKY_SANITIZE "comma-separated sanitizers, e.g. address,undefined" "")
option(SPARKY_FUZZ "build libFuzzer programs (clang)" OFF)
option(SPARKY_TORCH "build sparky-sprite, which needs libtorch" ON)

add_compile_options(-Wall -Wextra -Wno-missing-field-initializers -fno-strict-aliasing
                    -ffile-prefix-map=${CMAKE_SOURCE_DIR}/=)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # GCC 12's flow analysis reports impossible paths inside its own std::string and std::vector.
  add_compile_options(-Wno-restrict -Wno-stringop-overflow -Wno-maybe-uninitialized)
endif()
if(SPARKY_SANITIZE)
  string(REPLACE "," ";" _sanitizers "${SPARKY_SANITIZE}")
  foreach(s ${_sanitizers})
    add_compile_options(-fsanitize=${s} -fno-omit-frame-pointer)
    add_link_options(-fsanitize=${s})
  endforeach()
  add_compile_options(-fno-sanitize-recover=all)
endif()
if(SPARKY_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all)
  add_link_options(-fsanitize=address,undefined)
endif()

find_program(CCACHE ccache)
if(CCACHE)
  # Precompiled headers need the sloppiness; the base directory lets checkouts share results.
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env
      CCACHE_BASEDIR=${CMAKE_SOURCE_DIR} CCACHE_NOHASHDIR=1
      CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime ${CCACHE})
  set(CMAKE_C_COMPILER_LAUNCHER ${CMAKE_CXX_COMPILER_LAUNCHER})
endif()

find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
find_package(fmt REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(GTest REQUIRED)
find_package(rapidcheck REQUIRED)
find_package(OpenSSL REQUIRED)
include(GoogleTest)

# The standard headers that most files use, compiled once.
add_library(sparky_pch OBJECT ${CMAKE_SOURCE_DIR}/src/base/pch.cc)
target_precompile_headers(sparky_pch PRIVATE ${CMAKE_SOURCE_DIR}/src/base/pch.h)
target_link_libraries(sparky_pch PUBLIC fmt::fmt)
target_include_directories(sparky_pch PUBLIC ${CMAKE_SOURCE_DIR}/src)

if(SPARKY_FUZZ)
  add_custom_target(fuzzers)
endif()

function(_sparky_tests name deps)
  file(GLOB tests CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*_test.cc)
  if(tests AND NOT SPARKY_FUZZ)
    add_executable(${name}_test ${tests})
    set_target_properties(${name}_test PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/test)
    target_precompile_headers(${name}_test REUSE_FROM sparky_pch)
    target_compile_definitions(${name}_test PRIVATE SPARKY_SOURCE_DIR="${CMAKE_SOURCE_DIR}"
                               SPARKY_BIN_DIR="${CMAKE_BINARY_DIR}/bin")
    target_link_libraries(${name}_test PRIVATE ${deps} GTest::gtest_main rapidcheck Threads::Threads)
    gtest_discover_tests(${name}_test TEST_PREFIX ${name}. DISCOVERY_MODE PRE_TEST
                         PROPERTIES TIMEOUT 600)
  endif()
  file(GLOB fuzzers CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*_fuzz.cc)
  foreach(source ${fuzzers})
    get_filename_component(fuzzer ${source} NAME_WE)
    set(corpus ${CMAKE_CURRENT_SOURCE_DIR}/${fuzzer}.corpus)
    if(SPARKY_FUZZ)
      add_executable(${fuzzer} ${source})
      add_dependencies(fuzzers ${fuzzer})
      set_target_properties(${fuzzer} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/fuzzers)
      target_link_libraries(${fuzzer} PRIVATE ${deps})
      target_link_options(${fuzzer} PRIVATE -fsanitize=fuzzer)
    else()
      add_executable(${fuzzer} ${source} ${CMAKE_SOURCE_DIR}/src/base/fuzz_replay_main.cc)
      set_target_properties(${fuzzer} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/test)
      target_link_libraries(${fuzzer} PRIVATE ${deps})
      add_test(NAME fuzz.${fuzzer} COMMAND ${fuzzer} ${corpus})
    endif()
  endforeach()
endfunction()

function(sparky_library name)
  cmake_parse_arguments(A "" "PCH" "DEPS;PRIVATE_DEPS;TEST_DEPS" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cc)
  list(FILTER sources EXCLUDE REGEX "(_test|_fuzz|_main|/main|/pch)\\.cc$")
  add_library(sparky_${name} STATIC ${sources})
  target_include_directories(sparky_${name} PUBLIC ${CMAKE_SOURCE_DIR}/src)
  if(A_PCH)  # a folder whose files all need some heavy header
    target_precompile_headers(sparky_${name} PRIVATE ${CMAKE_CURRENT_SOURCE_DIR}/${A_PCH})
  else()
    target_precompile_headers(sparky_${name} REUSE_FROM sparky_pch)
  endif()
  target_link_libraries(sparky_${name} PUBLIC fmt::fmt ${A_DEPS} PRIVATE ${A_PRIVATE_DEPS})
  _sparky_tests(${name} "sparky_${name};${A_DEPS};${A_PRIVATE_DEPS};${A_TEST_DEPS}")
endfunction()

function(sparky_program name)
  cmake_parse_arguments(A "" "" "SOURCES;DEPS" ${ARGN})
  add_executable(${name} ${A_SOURCES})
  target_link_libraries(${name} PRIVATE ${A_DEPS})
endfunction()
