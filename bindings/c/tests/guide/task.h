/* SPDX-License-Identifier: MIT OR Apache-2.0 */
TickType_t xTaskGetTickCount(void);
