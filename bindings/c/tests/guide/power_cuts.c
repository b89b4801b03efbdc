/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The guide's loop, clock and slots over flash that loses power: at every operation and every byte, many refreshes. */
#include <setjmp.h>

#include "device.h"

static long operations, cut_at = -1;
static jmp_buf power;
static int erased;

/* One byte changes, or half an erase: here the power may go. */
static void operation(void) {
  if (operations++ == cut_at) longjmp(power, 1);
}

bool flash_erase(int slot) {
  operation();
  memset(flash[slot], 0xff, SLOT_BYTES / 2);
  operation();
  memset(flash[slot], 0xff, SLOT_BYTES);
  erased++;
  return true;
}

bool flash_write(int slot, size_t at, const uint8_t *bytes, size_t len) {
  for (size_t i = 0; i < len; i++) {
    operation();
    flash[slot][at + i] &= bytes[i];
  }
  return true;
}

bool http_post(const tokenward_request *request, uint8_t *to, size_t cap, tokenward_http_answer *answer) {
  const int before = serial;
  rotates(request, to, cap, answer);
  CHECK(presented == before);
  return true;
}

void token_wanted(uint64_t id, tokenward_reason reason) {
  (void)id;
  CHECK(reason == TOKENWARD_REASON_NONE);
}

static tokenward_manager *boot(void) {
  tokenward_manager *manager = token_start(1);
  CHECK(manager != NULL);
  return manager;
}

/* The refresh token that flash holds after a restart: rN, or 0 where there is none. */
static int stored(void) {
  tokenward_request request;
  tokenward_poll_result next;
  tokenward_manager *manager = boot();
  char body[512] = { 0 };
  CHECK(token_step(manager, &client, buf, sizeof buf) == 0);
  CHECK(tokenward_poll(manager, clock_ms(), &next) == TOKENWARD_OK && next.next == TOKENWARD_NEXT_REQUEST);
  CHECK(tokenward_begin(manager, clock_ms(), &client, buf, sizeof buf, &request) == TOKENWARD_OK);
  memcpy(body, request.body.ptr, request.body.len);
  const char *found = strstr(body, "refresh_token=r");
  return found == NULL ? 0 : atoi(found + strlen("refresh_token=r"));
}

/* A device without power cuts: the loop asks when it says it will, and flash is written once for each rotation. */
static void a_day(void) {
  ticks = UINT32_MAX - 3600000; /* it wraps within the day */
  tokenward_manager *manager = boot();
  const uint64_t start = clock_ms();
  while (clock_ms() - start < 86400000) {
    const uint64_t again = settled(manager);
    CHECK(again != TOKENWARD_NEVER && has_token(manager));
    ticks += (uint32_t)(again - clock_ms());
  }
  CHECK(serial > 24 && serial < 40 && erased == serial);
  CHECK(stored() == serial);
  printf("guide: %d refreshes a day, each written once\n", serial);
}

/* Every cut leaves the token from before or the new one. */
int main(void) {
  static volatile long cuts;
  memset(flash, 0xff, sizeof flash);
  a_day();
  for (cut_at = 0;; cut_at++) {
    static volatile int before;
    operations = -1000000; /* no cut while the device starts */
    before = stored();
    CHECK(before == serial);
    tokenward_manager *manager = boot();
    CHECK(token_step(manager, &client, buf, sizeof buf) == 0);
    operations = 0;
    if (setjmp(power) == 0) {
      settled(manager);
      break;
    }
    cuts++;
    operations = -1000000;
    int after = stored();
    CHECK(after == before || after == serial);
    /* What the service rotated and flash does not know is lost to a cut: the test puts the service back. */
    serial = after;
  }
  CHECK(cuts > 100);
  printf("guide: %ld power cuts, none of which lost what was stored\n", cuts);
  return 0;
}
