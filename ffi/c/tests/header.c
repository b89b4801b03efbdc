/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Compiled as every C and C++ that the header promises; linked and run by the first of them. */

#include <tokenward/tokenward.h>

static uint64_t memory[TOKENWARD_MANAGER_WORDS(64, 0)];
static const tokenward_span scope = TOKENWARD_TEXT("read");
static const tokenward_policy policy = TOKENWARD_POLICY_DEFAULT;

int main(void) {
  tokenward_manager *manager = NULL;
  tokenward_provider provider;
  tokenward_poll_result poll;
  tokenward_config config = { &provider, { NULL, 0 }, 64, 0, 0, 0 };
  if (tokenward_provider_opower(&provider, tokenward_text("https://utility.example")) != TOKENWARD_OK) {
    return 1;
  }
  provider.scope = scope;
  provider.policy = policy;
  if (tokenward_init(&manager, memory, sizeof memory, &config) != TOKENWARD_OK) {
    return 2;
  }
  if (tokenward_poll(manager, 0, &poll) != TOKENWARD_OK || poll.next != TOKENWARD_NEXT_REQUEST) {
    return 3;
  }
  return tokenward_wipe(memory, sizeof memory) == TOKENWARD_OK ? 0 : 4;
}
