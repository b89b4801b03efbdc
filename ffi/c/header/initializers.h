#ifdef __cplusplus
/** The bytes of a string. */
#define TOKENWARD_BYTES(string) reinterpret_cast<const uint8_t *>(string)
#else
/** The bytes of a string. */
#define TOKENWARD_BYTES(string) ((const uint8_t *)(string))
#endif

/** Initializes a #tokenward_span from a string literal, also in a `static const`. */
#define TOKENWARD_TEXT(literal) { TOKENWARD_BYTES(literal), sizeof(literal) - 1 }

/**
 * The span of a NUL-terminated string. NULL is empty.
 *
 * @code
 * const tokenward_credentials client = { .client_id = tokenward_text(id), .client_secret = tokenward_text(secret) };
 * int32_t result = tokenward_begin(manager, now_ms, &client, buffer, sizeof buffer, &request);
 * tokenward_wipe(secret, sizeof secret);
 * return result;
 * @endcode
 */
static inline tokenward_span tokenward_text(const char *string) {
  tokenward_span span = { TOKENWARD_BYTES(string), 0 };
  while (string && string[span.len] != '\0') {
    span.len++;
  }
  return span;
}

/** Initializes a list of a #tokenward_provider from an array, also in a `static const`. */
#define TOKENWARD_LIST(array) { (array), sizeof(array) / sizeof *(array) }

/** Initializes a #tokenward_policy: refresh at 80 % of the lifetime; see its members. */
#define TOKENWARD_POLICY_DEFAULT { @POLICY@ }

/**
 * Checks a description and makes it available as a service: tokenward_describe_abi() with this header's version.
 *
 * @code
 * tokenward_config config = { .access_capacity = 2048, .now_ms = now_ms };
 * int32_t result = tokenward_describe(&acme, &config.service);
 * if (result != TOKENWARD_OK) return result;
 * return tokenward_init(&manager, memory, sizeof memory, &config);
 * @endcode
 *
 * @param[in] mine A `const tokenward_provider *`, which must live for as long as the service is used.
 * @param[out] service A `const tokenward_service *`: written on success.
 * @return What tokenward_describe_abi() returns.
 */
#define tokenward_describe(mine, service) \
  tokenward_describe_abi((mine), (service), TOKENWARD_ABI_VERSION, sizeof(tokenward_provider))

/**
 * Copies the description of a service, to be changed and described again: a preset with another policy.
 *
 * @code
 * static tokenward_policy patient = TOKENWARD_POLICY_DEFAULT;
 * static tokenward_provider mine; // both must live for as long as the service is used
 * patient.max_backoff_ms = 3600000;
 * mine = tokenward_provider_of(&tokenward_flute_production);
 * mine.policy = &patient;
 * return tokenward_describe(&mine, &config.service);
 * @endcode
 */
static inline tokenward_provider tokenward_provider_of(const tokenward_service *service) {
  return *(const tokenward_provider *)(const void *)service;
}

/** Bytes that a manager takes in addition to its slots. */
#define TOKENWARD_MANAGER_HEAD (528 + 16 * sizeof(void *))

/** Words of memory for a manager with slots of these sizes in bytes:
 * `static uint64_t memory[TOKENWARD_MANAGER_WORDS(2048, 512)];` */
#define TOKENWARD_MANAGER_WORDS(access_capacity, refresh_capacity) \
  ((TOKENWARD_MANAGER_HEAD + (access_capacity) + (refresh_capacity) + 7) / 8)

/** Words of memory for a device authorization whose codes, as the service sends them, take so many bytes: 512 will do as a
 * rule. `static uint64_t device_memory[TOKENWARD_DEVICE_WORDS(512)];` */
#define TOKENWARD_DEVICE_WORDS(codes) ((176 + (codes) + 7) / 8)

/** Bytes that hold any snapshot of a manager with slots of these sizes. */
#define TOKENWARD_SNAPSHOT_BYTES(access_capacity, refresh_capacity) ((access_capacity) + (refresh_capacity) + 192)

/** Bytes that hold the `Authorization` value with any token of a slot of this size, and the NUL behind it. */
#define TOKENWARD_HEADER_BYTES(access_capacity) ((access_capacity) + sizeof "Bearer ")

/**
 * Bytes that hold any token request: of the token endpoint's URL, of all credentials together, of the scope, and of the
 * slot for the refresh token. All may be escaped; only control characters in a JSON body take more.
 */
#define TOKENWARD_REQUEST_BYTES(url, credentials, scope, refresh_capacity) \
  ((url) + 4 * (credentials) + 3 * ((scope) > (refresh_capacity) ? (scope) : (refresh_capacity)) + 128)

/**
 * Makes a manager without a token in the caller's memory: tokenward_init_abi() with this header's version.
 *
 * @code
 * static uint64_t memory[TOKENWARD_MANAGER_WORDS(2048, 512)];
 * tokenward_config config = { .service = &tokenward_flute_production, .now_ms = now_ms, .seed = serial_number };
 * config.access_capacity = 2048;
 * config.refresh_capacity = 512;
 * int32_t result = tokenward_init(&manager, memory, sizeof memory, &config);
 * if (result != TOKENWARD_OK) return result;
 * @endcode
 *
 * @param[out] out The manager, a `tokenward_manager *`: written on success.
 * @param[in,out] memory Memory of #TOKENWARD_MANAGER_WORDS words: the manager's for as long as it is used.
 * @param[in] size Bytes of the memory: `sizeof memory`.
 * @param[in] config A `const tokenward_config *`.
 * @return What tokenward_init_abi() returns.
 */
#define tokenward_init(out, memory, size, config) \
  tokenward_init_abi((out), (memory), (size), (config), TOKENWARD_ABI_VERSION, sizeof(tokenward_config))
