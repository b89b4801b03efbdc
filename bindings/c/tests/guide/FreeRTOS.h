/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* FreeRTOS' names that the guide uses, declared as its documentation has them; nothing is linked. */
#include <stdint.h>
#define portMAX_DELAY UINT32_MAX
#define portTICK_PERIOD_MS ((uint32_t)10)
