# Options for compiling and linking everything, including packages.
set(LAB_SANITIZE "" CACHE STRING "asan (address, leak, undefined behaviour), tsan (data races) or nothing")
if(LAB_SANITIZE STREQUAL "asan")
  add_compile_options(-O1 -g1 -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer)
  add_link_options(-fsanitize=address,undefined)
elseif(LAB_SANITIZE STREQUAL "tsan")
  add_compile_options(-O1 -g1 -fsanitize=thread -fno-omit-frame-pointer)
  add_link_options(-fsanitize=thread)
elseif(LAB_SANITIZE)
  message(FATAL_ERROR "LAB_SANITIZE is '${LAB_SANITIZE}'; it must be asan, tsan or empty")
endif()

# Warnings of the project's own code are errors in the course's own checkout, with the compiler that its tests use. Another
# version may have new warnings, and a sanitizer's instrumentation causes false ones.
set(werror OFF)
if(EXISTS ${PROJECT_SOURCE_DIR}/solutions AND NOT LAB_SANITIZE AND NOT CMAKE_CROSSCOMPILING
   AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION MATCHES "^12\\.")
  set(werror ON)
endif()
option(LAB_WERROR "Treat warnings of the course's own code as errors" ${werror})

# GCC collects garbage above 128 MB, which takes a tenth of a build. Few files of the project need more than 512 MB.
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  add_compile_options(--param=ggc-min-heapsize=524288)
endif()

# mold links a test program in a tenth of the time that ld needs, lld in a third. LDFLAGS with -fuse-ld=... has priority.
if(CMAKE_SYSTEM_NAME STREQUAL "Linux" AND NOT "$ENV{LDFLAGS} ${CMAKE_EXE_LINKER_FLAGS} ${CMAKE_CXX_FLAGS}" MATCHES "-fuse-ld=")
  find_program(LAB_MOLD mold)
  find_program(LAB_LLD ld.lld)
  foreach(linker IN ITEMS mold lld)
    string(TOUPPER LAB_${linker} found)
    if(${found} AND NOT LAB_LINKER)
      include(CheckCXXSourceCompiles)
      set(CMAKE_REQUIRED_LINK_OPTIONS -fuse-ld=${linker})
      check_cxx_source_compiles("int main() {}" LAB_LINKS_WITH_${linker})
      unset(CMAKE_REQUIRED_LINK_OPTIONS)
      if(LAB_LINKS_WITH_${linker})
        set(LAB_LINKER ${linker})
      endif()
    endif()
  endforeach()
  if(LAB_LINKER)
    add_link_options(-fuse-ld=${LAB_LINKER})
  endif()
endif()

# With ccache, a second build of the same text costs nothing.
find_program(LAB_CCACHE ccache)
if(LAB_CCACHE AND NOT DEFINED CMAKE_CXX_COMPILER_LAUNCHER AND NOT MSVC)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${LAB_CCACHE})
endif()
