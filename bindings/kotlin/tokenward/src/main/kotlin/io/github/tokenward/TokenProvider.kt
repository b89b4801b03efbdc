package io.github.tokenward

import io.github.tokenward.bridge.FfiConverterTypeTokenProvider
import io.github.tokenward.bridge.customProvider
import io.github.tokenward.bridge.defaultPolicy
import io.github.tokenward.bridge.presetProvider

// What users describe a token service with is generated from the bridge: `bridge/Description.kt`.

/** A service that comes with the library, and what is changed of it. */
public fun TokenProvider(preset: TokenPreset, change: TokenProvider.() -> Unit = {}): TokenProvider {
    checkLibrary()
    return presetProvider(preset).apply(change)
}

/**
 * A service of your own, with the defaults of RFC 6749: Basic authentication, a form body, tokens for the origin of
 * [baseUrl] alone, credentials for servers only.
 *
 * ```
 * val acme = TokenProvider("acme", "https://login.acme.example", "/oauth2/token") {
 *     apiOrigins = listOf("https://api.acme.example")
 *     primaryGrant = TokenGrant.CLIENT_CREDENTIALS
 *     refreshGrant = true
 *     authentication = ClientAuthentication.POST
 *     policy = RefreshPolicy { fractionPermille = 500u }
 * }
 * ```
 *
 * @param name a part of the identity of its tokens.
 * @param baseUrl scheme and authority of the token endpoint; a path may follow.
 * @param tokenPath follows the base URL; `{site}` in it stands for the site of the [TokenIdentity].
 * @param describe says what else is true of it.
 */
public fun TokenProvider(
    name: String,
    baseUrl: String? = null,
    tokenPath: String? = null,
    describe: TokenProvider.() -> Unit = {},
): TokenProvider {
    checkLibrary()
    return customProvider(name).apply {
        this.baseUrl = baseUrl
        this.tokenPath = tokenPath
        describe()
    }
}

/** Another provider, alike but for what is changed of it. */
public fun TokenProvider.copy(change: TokenProvider.() -> Unit): TokenProvider =
    with(FfiConverterTypeTokenProvider) { lift(lower(this@copy)) }.apply(change)

/** What is known at run time alone, such as `TokenIdentity { site = "site-1" }`. */
public fun TokenIdentity(describe: TokenIdentity.() -> Unit): TokenIdentity = TokenIdentity(site = null).apply(describe)

/** The policy of a provider that names none, and what is changed of it. */
public fun RefreshPolicy(change: RefreshPolicy.() -> Unit = {}): RefreshPolicy {
    checkLibrary()
    return defaultPolicy().apply(change)
}

/** The word in snake_case, the same in every language. */
public val TokenReason.code: String get() = if (this == TokenReason.TOO_LONG) "stored_too_long" else name.lowercase()
