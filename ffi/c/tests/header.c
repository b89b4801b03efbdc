/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Compiled as every C and C++ that the header promises; linked and run by the first of them. */

#include <tokenward/tokenward.h>

static uint64_t memory[TOKENWARD_MANAGER_WORDS(64, 0)];
static const tokenward_span scope = TOKENWARD_TEXT("read");
static const tokenward_policy policy = TOKENWARD_POLICY_DEFAULT;
static const tokenward_span origins[] = { TOKENWARD_TEXT("https://api.example") };
static const tokenward_text_list listed = TOKENWARD_LIST(origins);

int main(void) {
  tokenward_manager *manager = NULL;
  tokenward_provider provider = tokenward_provider_of(&tokenward_opower);
  tokenward_poll_result poll;
  tokenward_config config = { NULL, { NULL, 0 }, { NULL, 0 }, { NULL, 0 }, { NULL, 0 }, 64, 0, 0, 0, { NULL, NULL, 0, 0, 0, false }, 0 };
  config.base_url = tokenward_text("https://utility.example");
  provider.authentication = &tokenward_authentication_post;
  provider.scope = scope;
  provider.policy = &policy;
  provider.api_origins = listed;
  if (tokenward_describe(&provider, &config.service) != TOKENWARD_OK) {
    return 1;
  }
  if (tokenward_init(&manager, memory, sizeof memory, &config) != TOKENWARD_OK) {
    return 2;
  }
  if (tokenward_poll(manager, 0, &poll) != TOKENWARD_OK || poll.next != TOKENWARD_NEXT_REQUEST) {
    return 3;
  }
  return tokenward_wipe(memory, sizeof memory) == TOKENWARD_OK ? 0 : 4;
}
