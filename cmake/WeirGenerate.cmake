# weir_generate(TARGET file.proto... [PREFIX name] [IMPORTS folder...])
#
# Makes C code of .proto files with protoc and protoc-gen-weir, and adds it to a target with the folder
# of its headers. A file's path below the current source folder (or below a folder of IMPORTS) is the
# path in `import` and `#include`: proto/a.proto is "proto/a.weir.h".
#   PREFIX   begins C names instead of the package
#   IMPORTS  more folders in which imported files are looked for
# The generator is the target weir::protoc-gen-weir, or the program that WEIR_PROTOC_GEN_WEIR names.

find_program(WEIR_PROTOC protoc DOC "the protocol buffers compiler")

# The name under which protoc knows a file: relative to the first folder that holds it.
function(weir__proto_name path folders out)
  foreach(folder IN LISTS folders)
    cmake_path(IS_PREFIX folder "${path}" NORMALIZE inside)
    if(inside)
      cmake_path(RELATIVE_PATH path BASE_DIRECTORY "${folder}" OUTPUT_VARIABLE name)
      set(${out} "${name}" PARENT_SCOPE)
      return()
    endif()
  endforeach()
  message(FATAL_ERROR "weir_generate: ${path} is in none of ${folders}; add its folder to IMPORTS")
endfunction()

function(weir_generate target)
  cmake_parse_arguments(ARG "" "PREFIX" "IMPORTS" ${ARGN})
  if(NOT WEIR_PROTOC)
    message(FATAL_ERROR "weir_generate: protoc was not found; install protobuf-compiler")
  endif()
  set(plugin "${WEIR_PROTOC_GEN_WEIR}")
  if(NOT plugin)
    set(plugin $<TARGET_FILE:weir::protoc-gen-weir>)
    set(plugin_target weir::protoc-gen-weir)
  endif()

  set(out ${CMAKE_CURRENT_BINARY_DIR}/${target}.weir)
  file(MAKE_DIRECTORY ${out})
  set(folders)
  foreach(folder IN LISTS ARG_IMPORTS ITEMS ${CMAKE_CURRENT_SOURCE_DIR})
    cmake_path(ABSOLUTE_PATH folder BASE_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR} NORMALIZE)
    list(APPEND folders ${folder})
  endforeach()
  list(TRANSFORM folders PREPEND "-I" OUTPUT_VARIABLE flags)
  if(ARG_PREFIX)
    list(APPEND flags "--weir_opt=prefix=${ARG_PREFIX}")
  endif()

  foreach(file IN LISTS ARG_UNPARSED_ARGUMENTS)
    cmake_path(ABSOLUTE_PATH file BASE_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR} NORMALIZE)
    weir__proto_name(${file} "${folders}" name)
    string(REGEX REPLACE "\\.proto$" "" base "${name}")
    add_custom_command(
      OUTPUT ${out}/${base}.weir.c ${out}/${base}.weir.h
      COMMAND ${WEIR_PROTOC} --plugin=protoc-gen-weir=${plugin} --weir_out=${out} ${flags} ${name}
      DEPENDS ${file} ${plugin_target}
      COMMENT "Generating ${base}.weir.c and .h"
      VERBATIM)
    target_sources(${target} PRIVATE ${out}/${base}.weir.c ${out}/${base}.weir.h)
  endforeach()
  target_include_directories(${target} PUBLIC $<BUILD_INTERFACE:${out}>)
endfunction()
