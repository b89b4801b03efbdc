# SPDX-License-Identifier: MIT OR Apache-2.0
# find_package(tokenward 0.1 CONFIG REQUIRED) gives tokenward::tokenward: the header and the archive that fits the
# compiler and CMAKE_C_FLAGS. TOKENWARD_TARGET names the archive where those do not tell.

get_filename_component(_tokenward_root "${CMAKE_CURRENT_LIST_DIR}/../../.." ABSOLUTE)
file(GLOB _tokenward_archives RELATIVE "${_tokenward_root}/lib" "${_tokenward_root}/lib/*/libtokenward_c.a")
string(REPLACE "/libtokenward_c.a" "" _tokenward_targets "${_tokenward_archives}")

set(_tokenward_language C)
if(NOT CMAKE_C_COMPILER)
  set(_tokenward_language CXX)
endif()
separate_arguments(_tokenward_flags UNIX_COMMAND
  "${CMAKE_${_tokenward_language}_COMPILER_ARG1} ${CMAKE_${_tokenward_language}_FLAGS}")
if(CMAKE_${_tokenward_language}_COMPILER_TARGET)
  list(APPEND _tokenward_flags "--target=${CMAKE_${_tokenward_language}_COMPILER_TARGET}")
endif()
if(CMAKE_SYSROOT)
  list(APPEND _tokenward_flags "--sysroot=${CMAKE_SYSROOT}")
endif()
if(CMAKE_SYSTEM_PROCESSOR MATCHES "^cortex-m" AND NOT _tokenward_flags MATCHES "-mcpu=|-march=")
  list(APPEND _tokenward_flags -mthumb "-mcpu=${CMAKE_SYSTEM_PROCESSOR}")
endif()
execute_process(
  COMMAND "${CMAKE_${_tokenward_language}_COMPILER}" ${_tokenward_flags} -x c -E -P "${_tokenward_root}/lib/target.c"
  OUTPUT_VARIABLE _tokenward_compiler ERROR_VARIABLE _tokenward_error)
string(REGEX REPLACE "[\"\n\r]" "" _tokenward_compiler "${_tokenward_compiler}")
set(_tokenward_target "${TOKENWARD_TARGET}")
if(NOT _tokenward_target)
  set(_tokenward_target "${_tokenward_compiler}")
endif()

set(_tokenward_wrong "")
if(NOT _tokenward_target IN_LIST _tokenward_targets)
  string(REPLACE ";" ", " _tokenward_targets "${_tokenward_targets}")
  set(_tokenward_wrong
    "tokenward has no archive for the target \"${_tokenward_target}\" (CMAKE_SYSTEM_PROCESSOR is \
\"${CMAKE_SYSTEM_PROCESSOR}\"). There are: ${_tokenward_targets}. Put -mcpu or -march and the float ABI into \
CMAKE_C_FLAGS, or set TOKENWARD_TARGET to one of them. ${_tokenward_error}")
elseif(_tokenward_compiler MATCHES "linux" AND NOT _tokenward_compiler STREQUAL _tokenward_target)
  set(_tokenward_wrong
    "TOKENWARD_TARGET is ${_tokenward_target}, and this compiler is for ${_tokenward_compiler}: \
${CMAKE_${_tokenward_language}_COMPILER}")
endif()
if(_tokenward_wrong)
  set(tokenward_FOUND FALSE)
  set(tokenward_NOT_FOUND_MESSAGE "${_tokenward_wrong}")
  return()
endif()

if(NOT TARGET tokenward::tokenward)
  add_library(tokenward::tokenward STATIC IMPORTED)
  set_target_properties(tokenward::tokenward PROPERTIES
    IMPORTED_LOCATION "${_tokenward_root}/lib/${_tokenward_target}/libtokenward_c.a"
    INTERFACE_INCLUDE_DIRECTORIES "${_tokenward_root}/include")
endif()
