/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What a client that signs its requests presents (RFC 7523), and its own key, by OpenSSL. */
#include <string.h>
#include <sys/random.h>

#include <openssl/evp.h>
#include <openssl/pem.h>

#include "gateway.h"

/* The key in a file, read anew for each request as other secrets are. NULL: logged. */
static EVP_PKEY *key_in(const char *file) {
  static char pem[KEY_CAPACITY];
  uint64_t age_s;
  EVP_PKEY *key = NULL;
  const ssize_t len = config_private(file, pem, sizeof pem, &age_s);
  if (len < 0) return NULL;
  BIO *memory = BIO_new_mem_buf(pem, (int)len);
  if (memory != NULL) key = PEM_read_bio_PrivateKey(memory, NULL, NULL, NULL);
  BIO_free(memory);
  tokenward_wipe(pem, sizeof pem);
  if (key == NULL) log_line(LOG_ERROR, "%s: no private key in PEM", file);
  return key;
}

/* How a key signs; NULL where it is of another kind. A curve other than P-256 is told by its signature. */
static const tokenward_algorithm_part *algorithm_of(const EVP_PKEY *key) {
  switch (EVP_PKEY_base_id(key)) {
    case EVP_PKEY_EC: return &tokenward_algorithm_es256;
    case EVP_PKEY_RSA: return &tokenward_algorithm_rs256;
    case EVP_PKEY_ED25519: return &tokenward_algorithm_eddsa;
    default: return NULL;
  }
}

/* Signs with the key; how long the signature is, 0: not. */
static size_t signature_by(EVP_PKEY *key, const uint8_t *input, size_t len, uint8_t *signature, size_t capacity) {
  const EVP_MD *hash = EVP_PKEY_base_id(key) == EVP_PKEY_ED25519 ? NULL : EVP_sha256();
  EVP_MD_CTX *context = EVP_MD_CTX_new();
  const bool done = context != NULL && EVP_DigestSignInit(context, NULL, hash, NULL, key) == 1 &&
                    EVP_DigestSign(context, signature, &capacity, input, len) == 1;
  EVP_MD_CTX_free(context);
  return done ? capacity : 0;
}

int32_t sign_request(const settings *from, const tokenward_manager *manager, tokenward_credentials *credentials) {
  static tokenward_assertion assertion;
  static uint8_t input[REQUEST_CAPACITY], signature[KEY_CAPACITY];
  memset(&assertion, 0, sizeof assertion);
  assertion.wall_s = *clock_wall();
  assertion.key_id = from->key_id;
  if (getrandom(assertion.random, sizeof assertion.random, 0) != (ssize_t)sizeof assertion.random) {
    return TOKENWARD_ERR_NOT_RANDOM;
  }
  credentials->assertion = &assertion;
  if (from->key_file == NULL) return TOKENWARD_OK;
  EVP_PKEY *key = key_in(from->key_file);
  if (key == NULL) return TOKENWARD_ERR_WRONG_CREDENTIALS;
  size_t len = 0;
  assertion.algorithm = algorithm_of(key);
  int32_t code = tokenward_signing_input(manager, credentials, input, sizeof input, &len);
  if (code == TOKENWARD_OK) {
    assertion.signature = (tokenward_span){ signature, signature_by(key, input, len, signature, sizeof signature) };
  }
  EVP_PKEY_free(key);
  return code;
}
