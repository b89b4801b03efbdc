/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The guide's loop, clock and slots over flash that loses power: at every operation and every byte, many refreshes. */
#include <setjmp.h>
#include <string.h>

#include "acme.c"
#include "check.h"
#include "clock.c"
#include "loop.c"
#include "slots.c"

static uint8_t flash[2][SLOT_BYTES];
static long operations, cut_at;
static jmp_buf power;
static uint32_t ticks;
static int serial, erased;

uint32_t tick_count(void) { return ticks; }
void token_lock(void) {}
void token_unlock(void) {}

tokenward_span snapshot_key(void) {
  static const uint8_t key[32] = { 1, 2, 3 };
  return (tokenward_span){ key, sizeof key };
}

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

bool flash_write(int slot, const uint8_t *bytes, size_t len) {
  for (size_t i = 0; i < len; i++) {
    operation();
    flash[slot][i] &= bytes[i];
  }
  return true;
}

bool flash_read(int slot, uint8_t *bytes, size_t len) {
  memcpy(bytes, flash[slot], len);
  return true;
}

/* A service that rotates; what it last gave is what must be presented. */
bool http_post(const tokenward_request *request, uint8_t *buf, size_t cap, tokenward_http_answer *answer) {
  char presented[32];
  snprintf(presented, sizeof presented, "refresh_token=r%d", serial);
  char sent[512] = { 0 };
  CHECK(request->body.len < sizeof sent);
  memcpy(sent, request->body.ptr, request->body.len);
  CHECK(serial == 0 || strstr(sent, presented) != NULL);
  serial++;
  int len = snprintf((char *)buf, cap,
                     "{\"access_token\":\"a%d\",\"token_type\":\"Bearer\",\"expires_in\":3600,\"refresh_token\":\"r%d\"}", serial,
                     serial);
  CHECK(len > 0 && (size_t)len < cap);
  answer->status = 200;
  answer->body = (tokenward_span){ buf, (size_t)len };
  return true;
}

static tokenward_manager *boot(void) {
  tokenward_manager *manager = token_start(1);
  CHECK(manager != NULL);
  return manager;
}

/* The refresh token that flash holds after a restart: rN, or 0 where there is none. */
static int stored(void) {
  uint8_t sealed_state[512];
  size_t len;
  tokenward_manager *manager = boot();
  if (!restore_token(manager, NULL)) return 0;
  CHECK(tokenward_snapshot(manager, clock_ms(), NULL, TOKENWARD_SNAPSHOT_REFRESH_TOKEN, snapshot_key(), sealed_state,
                           sizeof sealed_state, &len) == TOKENWARD_OK);
  for (size_t i = 0; i + 4 < len; i++) {
    char digits[4] = { (char)sealed_state[i + 1], (char)sealed_state[i + 2], (char)sealed_state[i + 3], 0 };
    if (sealed_state[i] == 'r' && digits[0] >= '1' && digits[0] <= '9') return atoi(digits);
  }
  CHECK(!"a snapshot without the refresh token");
  return 0;
}

/* A device without power cuts: the loop asks when it says it will, and flash is written once for each rotation. */
static void a_day(void) {
  tokenward_credentials credentials = { .client_id = tokenward_text("id"), .client_secret = tokenward_text("secret") };
  static uint8_t buf[2048];
  cut_at = -1;
  ticks = UINT32_MAX - 3600000; /* it wraps within the day */
  tokenward_manager *manager = boot();
  const uint64_t start = clock_ms();
  while (clock_ms() - start < 86400000) {
    uint64_t again = token_step(manager, &credentials, buf, sizeof buf);
    CHECK(again > clock_ms() && again != TOKENWARD_NEVER);
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
  tokenward_credentials credentials = { .client_id = tokenward_text("id"), .client_secret = tokenward_text("secret") };
  static uint8_t buf[2048];
  for (cut_at = 0;; cut_at++) {
    static volatile int before;
    operations = -1000000; /* no cut while the device starts */
    before = stored();
    CHECK(before == serial);
    tokenward_manager *manager = boot();
    CHECK(restore_token(manager, NULL));
    operations = 0;
    if (setjmp(power) == 0) {
      token_step(manager, &credentials, buf, sizeof buf);
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
