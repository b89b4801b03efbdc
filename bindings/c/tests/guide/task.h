/* SPDX-License-Identifier: MIT OR Apache-2.0 */
uint32_t xTaskGetTickCount(void);
