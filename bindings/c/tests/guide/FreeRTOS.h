/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* FreeRTOS' names that the guide uses, declared as its documentation has them; nothing is linked. */
#include <stdint.h>
#ifndef configTICK_RATE_HZ
#define configTICK_RATE_HZ ((TickType_t)100)
#endif
#ifdef TICKS_OF_16_BITS
typedef uint16_t TickType_t;
#else
typedef uint32_t TickType_t;
#endif
#define portMAX_DELAY UINT32_MAX
