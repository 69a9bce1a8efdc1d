# Configuring hundreds of mutants takes a second, so they are added only on demand (`lab` sets this).
option(LAB_MUTANTS "Add the programs that prove the tests" OFF)

# add_lab(): called by each labNN_x/CMakeLists.txt. It creates three variants of the lab's program and of its tests:
#
#   labNN_x             the student's lab N over the student's own labs 1..N-1   ("their server grows under their hands")
#   labNN_x_graded      the student's lab N over the reference labs 1..N-1       (decides the grade)
#   labNN_x_solution    the reference for all labs
#
# and, with LAB_MUTANTS, from each file tests/mutants/labNN_x/NAME.cpp, labNN_x_mutant_NAME over the reference labs.
#
# VARIANT_measured is the program with counters, for `lab bench N`; it is built only on demand.
# VARIANT_test has the tests of each variant; it starts VARIANT, which is in the same folder.
#   add_lab(GIVEN a.cpp PROGRAM b.cpp)   GIVEN: given sources of the lab, part of its program, its tests, and those of
#                                        every later lab. PROGRAM: given sources in addition to main.cpp, part of this
#                                        program and every later lab's. TESTED_WITH libraries: for its tests.
#
# Student code is the one file labNN_x/x.cpp; everything else in the folder is given. With LAB_STUDENT_DIR it is the file
# of that name below another folder: `lab grade` on Windows copies students' files there, one after another.
function(add_lab)
  cmake_parse_arguments(arg "" "" "GIVEN;PROGRAM;TESTED_WITH" ${ARGN})
  get_filename_component(lab ${CMAKE_CURRENT_SOURCE_DIR} NAME)
  string(REGEX MATCH "^lab[0-9]+" number ${lab})
  string(REGEX REPLACE "^lab[0-9]+_" "" concept ${lab})
  get_property(earlier GLOBAL PROPERTY LAB_NAMES)
  set_property(GLOBAL APPEND PROPERTY LAB_NAMES ${lab})

  # Given code: this lab's headers and sources over those of the labs before it.
  add_library(${lab}_given INTERFACE)
  target_include_directories(${lab}_given INTERFACE ${CMAKE_CURRENT_SOURCE_DIR})
  target_link_libraries(${lab}_given INTERFACE win32)
  if(earlier)
    list(GET earlier -1 last)
    target_link_libraries(${lab}_given INTERFACE ${last}_given)
  else()
    find_package(Threads REQUIRED)
    target_link_libraries(${lab}_given INTERFACE Threads::Threads)
  endif()
  if(arg_GIVEN)
    add_library(${lab}_given_code OBJECT ${arg_GIVEN})
    target_link_libraries(${lab}_given_code PRIVATE ${lab}_given lab_options)
  endif()

  foreach(side IN ITEMS student solution)
    set(source ${CMAKE_CURRENT_SOURCE_DIR}/${concept}.cpp)
    if(side STREQUAL solution)
      set(source ${PROJECT_SOURCE_DIR}/solutions/${lab}/${concept}.cpp)
    elseif(LAB_STUDENT_DIR)
      set(source ${LAB_STUDENT_DIR}/${lab}/${concept}.cpp)
    endif()
    if(EXISTS ${source})
      add_library(${lab}_code_${side} OBJECT ${source})
      set(options_student lab_student_options)
      set(options_solution lab_options)
      target_link_libraries(${lab}_code_${side} PRIVATE ${lab}_given ${options_${side}} lab_no_lucky_values)
      set_target_properties(${lab}_code_${side} PROPERTIES FOLDER ${lab})
      if(MSVC AND LAB_STUDENT_DIR AND side STREQUAL student)
        target_compile_options(${lab}_code_${side} PRIVATE "/sourceDependencies${source}.json")   # what it includes
      endif()
    endif()
  endforeach()

  add_library(${lab}_main OBJECT main.cpp)
  target_link_libraries(${lab}_main PRIVATE ${lab}_given lab_options)
  if(arg_PROGRAM)
    add_library(${lab}_program OBJECT ${arg_PROGRAM})
    target_link_libraries(${lab}_program PRIVATE ${lab}_given lab_options CLI11::CLI11)
  endif()
  set(test_source ${PROJECT_SOURCE_DIR}/tests/${lab}_test.cpp)
  if(EXISTS ${test_source})
    add_library(${lab}_test_code OBJECT ${test_source})
    target_link_libraries(${lab}_test_code PRIVATE ${lab}_given test_support ${arg_TESTED_WITH} lab_test_options)
    if(NOT MSVC)
      target_precompile_headers(${lab}_test_code REUSE_FROM test_headers)
    endif()
  endif()

  lab_variant(${lab} student student)
  lab_variant(${lab}_graded student solution)
  lab_variant(${lab}_solution solution solution)

  # Programs that must fail the tests, or pass them although they are written differently: tests/mutants/LAB/NAME.cpp
  # replaces the student's file. They are built only on demand; LAB_mutants builds those of this lab.
  if(NOT LAB_MUTANTS)
    return()
  endif()
  file(GLOB mutants CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/mutants/${lab}/*.cpp)
  foreach(source IN LISTS mutants)
    get_filename_component(name ${source} NAME_WE)
    add_library(${lab}_code_${name} OBJECT EXCLUDE_FROM_ALL ${source})
    target_link_libraries(${lab}_code_${name} PRIVATE ${lab}_given lab_mutant_options)
    precompile_for_mutants(${lab} ${concept} ${lab}_code_${name})
    set_target_properties(${lab}_code_${name} PROPERTIES FOLDER ${lab}/mutants)
    lab_variant(${lab}_mutant_${name} ${name} solution)
  endforeach()
endfunction()

# There are hundreds of mutants. The headers that nearly all of one lab include are compiled once.
function(precompile_for_mutants lab concept target)
  if(MSVC)
    return()
  endif()
  if(NOT TARGET ${lab}_mutant_headers)
    file(WRITE ${CMAKE_CURRENT_BINARY_DIR}/mutant_headers.cpp "")
    add_library(${lab}_mutant_headers OBJECT EXCLUDE_FROM_ALL ${CMAKE_CURRENT_BINARY_DIR}/mutant_headers.cpp)
    target_link_libraries(${lab}_mutant_headers PRIVATE ${lab}_given lab_mutant_options)
    target_precompile_headers(${lab}_mutant_headers PRIVATE ${CMAKE_CURRENT_SOURCE_DIR}/${concept}.h <algorithm> <array> <atomic>
      <chrono> <cstring> <functional> <map> <memory> <mutex> <string> <thread> <unordered_map> <vector>)
  endif()
  target_precompile_headers(${target} REUSE_FROM ${lab}_mutant_headers)
endfunction()

# For add_lab(), in its scope: the program `variant` and `variant`_test. `top` and `below` select the code of this lab
# and of the earlier ones: student, solution or a mutant's name.
function(lab_variant variant top below)
  set(objects ${lab}_code_${top})
  if(TARGET ${lab}_given_code)
    list(APPEND objects ${lab}_given_code)
  endif()
  foreach(other IN LISTS earlier)
    list(APPEND objects ${other}_code_${below})
    if(TARGET ${other}_given_code)
      list(APPEND objects ${other}_given_code)
    endif()
  endforeach()
  foreach(object IN LISTS objects)
    if(NOT TARGET ${object})
      return()   # a copy without the solutions: only the student's own chain is built
    endif()
  endforeach()

  set(program_objects ${lab}_main)
  foreach(any IN LISTS earlier lab)
    if(TARGET ${any}_program)
      list(APPEND program_objects ${any}_program)
    endif()
  endforeach()
  add_executable(${variant})
  target_link_libraries(${variant} PRIVATE ${program_objects} ${objects} ${lab}_given)
  set_target_properties(${variant} PROPERTIES FOLDER ${lab})
  if(TARGET bench_measured AND variant MATCHES "_(graded|solution)$")   # for `lab bench N`
    set(counted ${program_objects})
    list(REMOVE_ITEM counted lab06_pool_program)   # its operator new; bench_measured replaces it
    add_executable(${variant}_measured EXCLUDE_FROM_ALL)
    target_link_libraries(${variant}_measured PRIVATE bench_measured ${counted} ${objects} ${lab}_given)
    set_target_properties(${variant}_measured PROPERTIES FOLDER ${lab})
  endif()
  if(TARGET ${lab}_test_code)
    add_executable(${variant}_test)
    target_link_libraries(${variant}_test PRIVATE ${lab}_test_code ${objects} ${lab}_given test_support ${arg_TESTED_WITH})
    if(NOT variant MATCHES "_mutant_")   # `lab test` builds the program of a mutant if one of its tests starts it
      add_dependencies(${variant}_test ${variant})
    endif()
    set_target_properties(${variant}_test PROPERTIES FOLDER ${lab})
  endif()

  if(variant MATCHES "_mutant_")
    if(NOT MSVC AND NOT LAB_SANITIZE)   # there are hundreds of them; only a sanitizer reads the symbols
      target_link_options(${variant} PRIVATE -s)
      if(TARGET ${variant}_test)
        target_link_options(${variant}_test PRIVATE -s)
      endif()
    endif()
    set_target_properties(${variant} PROPERTIES EXCLUDE_FROM_ALL ON FOLDER ${lab}/mutants)
    if(TARGET ${variant}_test)
      set_target_properties(${variant}_test PROPERTIES EXCLUDE_FROM_ALL ON FOLDER ${lab}/mutants)
      if(NOT TARGET ${lab}_mutants)
        add_custom_target(${lab}_mutants)
      endif()
      add_dependencies(${lab}_mutants ${variant} ${variant}_test)
    endif()
  elseif(TARGET ${variant}_test)
    set(label student)
    if(variant MATCHES "_solution$")
      set(label solution)
    endif()
    gtest_discover_tests(${variant}_test TEST_PREFIX ${variant}. DISCOVERY_MODE PRE_TEST DISCOVERY_TIMEOUT 60
                         PROPERTIES "LABELS;${number};LABELS;${label}" TIMEOUT 60)
  endif()
endfunction()
