/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The guide's loop and slots with the guide's seal, over a PSA whose MAC is no good one but differs with every byte. */
#include "device.h"
#include "seal.c"
#include "steady_flash.h"

psa_key_id_t seal_key = 7;

static bool fails;
static int starts, finishes;

psa_status_t psa_mac_abort(psa_mac_operation_t *one) {
  memset(one, 0, sizeof *one);
  return PSA_SUCCESS;
}

psa_status_t psa_mac_sign_setup(psa_mac_operation_t *one, psa_key_id_t key, psa_algorithm_t alg) {
  CHECK(key == seal_key && alg == PSA_ALG_HMAC(PSA_ALG_SHA_256) && one->words[0] == 0);
  starts++;
  for (int i = 0; i < 4; i++) one->words[i] = 0xcbf29ce484222325u + key + (uint64_t)i;
  return fails ? PSA_ERROR_HARDWARE_FAILURE : PSA_SUCCESS;
}

psa_status_t psa_mac_update(psa_mac_operation_t *one, const uint8_t *input, size_t input_length) {
  CHECK(one->words[0] != 0);
  for (size_t i = 0; i < input_length; i++) {
    for (int k = 0; k < 4; k++) one->words[k] = (one->words[k] ^ input[i]) * (0x100000001b3u + 2 * (uint64_t)k);
  }
  return PSA_SUCCESS;
}

psa_status_t psa_mac_sign_finish(psa_mac_operation_t *one, uint8_t *mac, size_t mac_size, size_t *mac_length) {
  CHECK(one->words[0] != 0 && mac_size == 32);
  finishes++;
  if (fails) return PSA_ERROR_HARDWARE_FAILURE;
  memcpy(mac, one->words, *mac_length = 32);
  return psa_mac_abort(one);
}

bool http_post(const tokenward_request *request, uint8_t *to, size_t cap, tokenward_http_answer *answer) {
  return rotates(request, to, cap, answer);
}

void token_wanted(uint64_t id, tokenward_reason reason) {
  (void)id;
  CHECK(reason == TOKENWARD_REASON_NONE);
}

/* A restart with flash as it is, and what the first request presents. */
static int presents(void) {
  static uint64_t memory[TOKENWARD_MANAGER_WORDS(64, 64)];
  tokenward_config config = { .access_capacity = 64, .refresh_capacity = 64, .now_ms = clock_ms() };
  tokenward_manager *manager;
  config.storage.kind = &tokenward_storage_own_with_seal;
  config.storage.seal = &device_seal;
  config.storage.stored = TOKENWARD_SNAPSHOT_REFRESH_TOKEN;
  config.storage.slots = SLOTS;
  CHECK(tokenward_describe(&acme, &config.service) == TOKENWARD_OK);
  CHECK(tokenward_init(&manager, memory, sizeof memory, &config) == TOKENWARD_OK);
  settled(manager);
  CHECK(has_token(manager) && starts == finishes);
  return presented;
}

int main(void) {
  memset(flash, 0xff, sizeof flash);
  CHECK(presents() == 0);
  CHECK(presents() == 1);
  CHECK(presents() == 2);
  /* The newest is in slot 0; where it is changed the older one counts. */
  flash[0][100] ^= 1;
  CHECK(presents() == 2);
  CHECK(presents() == 4);
  /* A PSA that fails opens nothing that it did not seal, and nothing that it did. */
  fails = true;
  CHECK(presents() == 0);
  CHECK(presents() == 0);
  printf("guide: %d seals of the device's own\n", finishes);
  return 0;
}
