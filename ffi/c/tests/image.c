/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What an image takes that keeps a token by client_credentials and refresh_token, with Basic authentication, a Bearer
 * header and one preset; with a kind of storage as STORAGE also what it takes to survive a restart; with DEVICE, SIGN_IN or SIGN_IN_STORED
 * also what obtains the first token of a person; with ALGORITHM what a client's own key signs. Linked and measured, not run. */

#include <tokenward/tokenward.h>

#ifdef PART
/* Another service, which names nothing but what PART says: what each part takes. */
static const tokenward_provider service = {
  .name = TOKENWARD_TEXT("acme"),
  .base_url = TOKENWARD_TEXT("https://login.acme.example"),
  .token_path = TOKENWARD_TEXT("/oauth2/token"),
  .primary_grant = TOKENWARD_GRANT_CLIENT_CREDENTIALS,
  .refresh_grant = true,
  PART
};
#else
#define service tokenward_flute_sandbox
#endif

typedef void function(void);

static uint64_t memory[TOKENWARD_MANAGER_WORDS(512, 256)];

function *const used[] = {
  (function *)tokenward_init_abi,
  (function *)tokenward_poll,
  (function *)tokenward_begin,
  (function *)tokenward_answer_parsed,
  (function *)tokenward_failed,
  (function *)tokenward_authorize,
  (function *)tokenward_rejected_parsed,
  (function *)tokenward_wipe,
#ifdef STORAGE
  (function *)tokenward_loaded,
  (function *)tokenward_load_failed,
  (function *)tokenward_snapshot,
  (function *)tokenward_stored,
  (function *)tokenward_store_failed,
#endif
#ifdef ALGORITHM
  (function *)tokenward_signing_input,
#endif
#ifdef DEVICE
  (function *)tokenward_device_init,
  (function *)tokenward_device_start,
  (function *)tokenward_device_poll,
  (function *)tokenward_device_shown,
  (function *)tokenward_device_begin,
  (function *)tokenward_device_answer,
  (function *)tokenward_device_failed,
#endif
#ifdef SIGN_IN
  (function *)tokenward_sign_in_new,
  (function *)tokenward_sign_in_url,
  (function *)tokenward_sign_in_callback,
  (function *)tokenward_sign_in_begin,
  (function *)tokenward_sign_in_answer,
#endif
#ifdef SIGN_IN_STORED
  (function *)tokenward_sign_in_seal,
  (function *)tokenward_sign_in_open,
  (function *)tokenward_sign_in_deleted,
#endif
};

volatile uintptr_t kept;

void _start(void);
void _start(void) {
  kept = (uintptr_t)used;
  kept = (uintptr_t)&service;
  kept = (uintptr_t)memory;
#ifdef STORAGE
  kept = (uintptr_t)&STORAGE;
#endif
#ifdef ALGORITHM
  kept = (uintptr_t)&ALGORITHM;
#endif
}
