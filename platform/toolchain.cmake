# How everything is compiled and linked, packages included.
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

# Warnings of our own code are errors where they are known: in the course's own checkout, with the compiler that its tests
# run with. Another version may know new ones, and a sanitizer's instrumentation confuses some.
set(werror OFF)
if(EXISTS ${PROJECT_SOURCE_DIR}/solutions AND NOT LAB_SANITIZE AND NOT CMAKE_CROSSCOMPILING
   AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION MATCHES "^12\\.")
  set(werror ON)
endif()
option(LAB_WERROR "Treat warnings of the course's own code as errors" ${werror})

# GCC collects its garbage from 128 MB on, which takes a tenth of a build. Few of our files need more than 512 MB.
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  add_compile_options(--param=ggc-min-heapsize=524288)
endif()

# mold links a test program in a tenth of the time that ld needs, lld in a third. LDFLAGS with -fuse-ld=... has the last word.
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

# A second build of the same text costs nothing where ccache is installed.
find_program(LAB_CCACHE ccache)
if(LAB_CCACHE AND NOT DEFINED CMAKE_CXX_COMPILER_LAUNCHER AND NOT MSVC)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${LAB_CCACHE})
endif()
