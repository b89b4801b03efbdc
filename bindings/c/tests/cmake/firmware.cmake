# SPDX-License-Identifier: MIT OR Apache-2.0
# A toolchain file as firmware projects have it. -DGCC: the compiler's prefix, -DCPU: its flags.
set(CMAKE_SYSTEM_NAME Generic)
set(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY)
list(APPEND CMAKE_TRY_COMPILE_PLATFORM_VARIABLES GCC CPU)
set(CMAKE_C_COMPILER ${GCC}gcc)
set(CMAKE_CXX_COMPILER ${GCC}g++)
set(CMAKE_C_FLAGS_INIT "${CPU} -Os -ffunction-sections -fdata-sections")
set(CMAKE_CXX_FLAGS_INIT "${CMAKE_C_FLAGS_INIT} -fno-exceptions -fno-rtti")
