/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Zephyr's names that the guide uses, declared as its documentation has them; nothing is linked. */
#include <stdint.h>
struct k_mutex {
  uint32_t owner;
};
typedef struct {
  int64_t ticks;
} k_timeout_t;
#define K_FOREVER ((k_timeout_t){ -1 })
#define K_MUTEX_DEFINE(name) struct k_mutex name = { 0 }
int k_mutex_lock(struct k_mutex *mutex, k_timeout_t timeout);
int k_mutex_unlock(struct k_mutex *mutex);
int64_t k_uptime_get(void);
