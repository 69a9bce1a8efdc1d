# The packages of the project: the installed ones if possible, otherwise by FetchContent.
# The cross-build uses Debian's header-only packages, too. /usr/include itself must never be on the
# cross-compiler's path, so the only folder that is needed is linked into the build tree.
include(FetchContent)
set(FETCHCONTENT_QUIET ON)

function(lab_header_package target folder)   # folder, and more: below /usr/include, for example CLI
  if(TARGET ${target} OR NOT CMAKE_CROSSCOMPILING)
    return()
  endif()
  find_path(${folder}_HOST_DIR NAMES ${folder} PATHS /usr/include NO_DEFAULT_PATH NO_CMAKE_FIND_ROOT_PATH)
  if(NOT ${folder}_HOST_DIR)
    return()
  endif()
  set(dir ${CMAKE_BINARY_DIR}/packages/${folder})
  file(MAKE_DIRECTORY ${dir})
  foreach(entry IN ITEMS ${folder} ${ARGN})
    file(CREATE_LINK ${${folder}_HOST_DIR}/${entry} ${dir}/${entry} SYMBOLIC)
  endforeach()
  add_library(lab_${folder}_headers INTERFACE)
  target_include_directories(lab_${folder}_headers SYSTEM INTERFACE ${dir})
  add_library(${target} ALIAS lab_${folder}_headers)
endfunction()

# GoogleTest: the installed library. Debian also ships its source, for builds that need their own: ThreadSanitizer must
# instrument the library.
set(INSTALL_GTEST OFF CACHE BOOL "" FORCE)
set(BUILD_GMOCK OFF CACHE BOOL "" FORCE)
set(gtest_force_shared_crt ON CACHE BOOL "" FORCE)
set(gtest_source URL https://github.com/google/googletest/archive/refs/tags/v1.14.0.tar.gz)
if(EXISTS /usr/src/googletest/CMakeLists.txt)
  set(gtest_source SOURCE_DIR /usr/src/googletest)
endif()
if(NOT CMAKE_CROSSCOMPILING AND NOT LAB_SANITIZE STREQUAL "tsan")
  set(gtest_installed FIND_PACKAGE_ARGS NAMES GTest)
endif()
FetchContent_Declare(googletest ${gtest_source} ${gtest_installed})

lab_header_package(CLI11::CLI11 CLI)
lab_header_package(nlohmann_json::nlohmann_json nlohmann)
FetchContent_Declare(cli11
  URL https://github.com/CLIUtils/CLI11/archive/refs/tags/v2.3.2.tar.gz
  FIND_PACKAGE_ARGS NAMES CLI11)
FetchContent_Declare(nlohmann_json
  URL https://github.com/nlohmann/json/releases/download/v3.11.3/json.tar.xz
  FIND_PACKAGE_ARGS)

FetchContent_MakeAvailable(googletest)
if(TARGET gtest AND NOT MSVC)   # compiled here for each platform; not part of any measurement
  target_compile_options(gtest PRIVATE -O0 -g0 $<$<STREQUAL:${LAB_SANITIZE},asan>:-fno-sanitize=undefined>)
endif()
if(NOT TARGET CLI11::CLI11)
  FetchContent_MakeAvailable(cli11)
endif()
if(NOT TARGET nlohmann_json::nlohmann_json)
  FetchContent_MakeAvailable(nlohmann_json)
endif()
if(NOT TARGET GTest::gtest)
  add_library(GTest::gtest ALIAS gtest)
endif()
