# A layer sees its own headers, its own source folder, and the public headers of the layers it uses;
# nothing else is on its search path. A wrong include is "No such file or directory" at that line.

set(WEIR_LAYERS_DIR ${PROJECT_BINARY_DIR}/layers)

# weir_layer(NAME USES layer... SOURCES file... LIBRARIES target...)
function(weir_layer name)
  cmake_parse_arguments(ARG "" "" "USES;SOURCES;LIBRARIES" ${ARGN})
  set(view ${WEIR_LAYERS_DIR}/${name}/weir)
  file(MAKE_DIRECTORY ${view})
  foreach(layer IN LISTS ARG_USES ITEMS ${name})
    file(CREATE_LINK ${PROJECT_SOURCE_DIR}/include/weir/${layer} ${view}/${layer} SYMBOLIC)
  endforeach()

  add_library(weir_${name} OBJECT ${ARG_SOURCES})
  set_target_properties(weir_${name} PROPERTIES POSITION_INDEPENDENT_CODE ON)
  target_include_directories(weir_${name} PRIVATE ${WEIR_LAYERS_DIR}/${name}
                                                  ${CMAKE_CURRENT_SOURCE_DIR})
  target_compile_definitions(weir_${name} PRIVATE WEIR_LOG_MODULE="${name}")
  target_link_libraries(weir_${name} PRIVATE weir_warnings ${ARG_LIBRARIES})
  set_property(GLOBAL APPEND PROPERTY WEIR_LAYERS ${name})
  set_property(GLOBAL APPEND PROPERTY WEIR_LIBRARIES ${ARG_LIBRARIES})
  set_property(GLOBAL PROPERTY WEIR_LAYER_USES_${name} ${ARG_USES})
  set_property(GLOBAL PROPERTY WEIR_LAYER_LIBRARIES_${name} ${ARG_LIBRARIES})
endfunction()

# weir_layer_test(LAYER file_test.c [LIBRARIES target...] [SOURCES more.c...] [LABELS label...]
#                 [POLLERS name...] [RUNNER command...])
# One executable per test file, linked with that layer and those below it only. With pollers it runs
# once more for each of them, which it finds in WEIR_TEST_POLLER.
function(weir_layer_test layer file)
  cmake_parse_arguments(ARG "" "" "LIBRARIES;SOURCES;LABELS;POLLERS;RUNNER" ${ARGN})
  if(NOT WEIR_TESTS)
    return()
  endif()
  get_filename_component(test ${file} NAME_WE)
  set(target ${layer}_${test})
  get_property(uses GLOBAL PROPERTY WEIR_LAYER_USES_${layer})
  add_executable(${target} ${file} ${ARG_SOURCES})
  target_include_directories(${target} PRIVATE ${WEIR_LAYERS_DIR}/${layer}
                                               ${CMAKE_CURRENT_SOURCE_DIR}
                                               ${PROJECT_SOURCE_DIR}/tests/support)
  target_link_libraries(${target} PRIVATE weir_warnings weir_test_main weir_${layer}
                                          ${ARG_LIBRARIES})
  foreach(l IN LISTS uses ITEMS ${layer})
    get_property(libs GLOBAL PROPERTY WEIR_LAYER_LIBRARIES_${l})
    target_link_libraries(${target} PRIVATE ${libs})
    if(NOT l STREQUAL layer)
      target_link_libraries(${target} PRIVATE weir_${l})
    endif()
  endforeach()
  add_test(NAME ${layer}.${test} COMMAND ${ARG_RUNNER} $<TARGET_FILE:${target}>)
  set(names ${layer}.${test})
  foreach(poller IN LISTS ARG_POLLERS)
    add_test(NAME ${layer}.${test}.${poller} COMMAND ${ARG_RUNNER} $<TARGET_FILE:${target}>)
    set_tests_properties(${layer}.${test}.${poller} PROPERTIES ENVIRONMENT WEIR_TEST_POLLER=${poller})
    list(APPEND names ${layer}.${test}.${poller})
  endforeach()
  set_tests_properties(${names} PROPERTIES LABELS "unit;${layer};${ARG_LABELS}" TIMEOUT 300)
endfunction()

# weir_fuzz_program(NAME): libFuzzer when the fuzz preset is on; in every other build the program
# becomes a test that runs its seeds (tests/fuzz/seeds/<name>/*) and fixed random inputs.
function(weir_fuzz_program name)
  if(WEIR_FUZZ)
    target_link_options(${name} PRIVATE -fsanitize=fuzzer)
  else()
    target_sources(${name} PRIVATE ${PROJECT_SOURCE_DIR}/tests/support/fuzz_main.c)
    add_test(NAME fuzz.${name} COMMAND ${name} ${PROJECT_SOURCE_DIR}/tests/fuzz/seeds/${name})
    set_tests_properties(fuzz.${name} PROPERTIES LABELS "unit;fuzz" TIMEOUT 300)
  endif()
endfunction()

# weir_fuzzer(LAYER file_fuzz.c): a weir_fuzz_program() that sees what the layer sees.
function(weir_fuzzer layer file)
  cmake_parse_arguments(ARG "" "" "LIBRARIES;SOURCES" ${ARGN})
  if(NOT WEIR_TESTS)
    return()
  endif()
  get_filename_component(name ${file} NAME_WE)
  get_property(uses GLOBAL PROPERTY WEIR_LAYER_USES_${layer})
  add_executable(${name} ${file} ${ARG_SOURCES})
  target_include_directories(${name} PRIVATE ${WEIR_LAYERS_DIR}/${layer}
                                             ${PROJECT_SOURCE_DIR}/tests/support)
  target_link_libraries(${name} PRIVATE weir_warnings weir_${layer} ${ARG_LIBRARIES})
  foreach(l IN LISTS uses ITEMS ${layer})
    get_property(libs GLOBAL PROPERTY WEIR_LAYER_LIBRARIES_${l})
    target_link_libraries(${name} PRIVATE ${libs})
    if(NOT l STREQUAL layer)
      target_link_libraries(${name} PRIVATE weir_${l})
    endif()
  endforeach()
  weir_fuzz_program(${name})
endfunction()
