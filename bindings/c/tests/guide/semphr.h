/* SPDX-License-Identifier: MIT OR Apache-2.0 */
typedef struct QueueDefinition *SemaphoreHandle_t;
typedef struct {
  void *words[20];
} StaticSemaphore_t;
SemaphoreHandle_t xSemaphoreCreateMutexStatic(StaticSemaphore_t *memory);
int32_t xSemaphoreTake(SemaphoreHandle_t semaphore, TickType_t ticks);
int32_t xSemaphoreGive(SemaphoreHandle_t semaphore);
