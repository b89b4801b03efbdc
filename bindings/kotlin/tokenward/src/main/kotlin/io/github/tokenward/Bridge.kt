package io.github.tokenward

import io.github.tokenward.bridge.CoreException
import io.github.tokenward.bridge.ErrorCodeRecord
import io.github.tokenward.bridge.PolicyRecord
import io.github.tokenward.bridge.ProviderRecord
import io.github.tokenward.bridge.RouteRecord
import io.github.tokenward.bridge.customProvider
import io.github.tokenward.bridge.errorSentence
import io.github.tokenward.bridge.version
import kotlin.time.Duration
import kotlin.time.Duration.Companion.milliseconds
import kotlin.time.Duration.Companion.seconds
import io.github.tokenward.bridge.preset as presetRecord

/** The version of this package; the native library must have the same. */
internal const val VERSION = "0.1.0"

/** The defaults of a custom provider. Whoever makes a provider comes by here, so that the library is checked first. */
internal val CUSTOM: Provider by lazy {
    checkLibrary(::version)
    bridged { customProvider() }.toProvider()
}

/** Refuses a native library that is missing or of another version. */
internal fun checkLibrary(version: () -> String) {
    val found = try {
        version()
    } catch (missing: LinkageError) {
        throw TokenwardException.IncompatibleLibrary(VERSION, null, missing)
    } catch (differs: RuntimeException) {
        // The bridge's own checksums.
        throw TokenwardException.IncompatibleLibrary(VERSION, null, differs)
    }
    if (found != VERSION) throw TokenwardException.IncompatibleLibrary(VERSION, found, null)
}

internal fun preset(
    name: String,
    environment: Environment? = null,
    baseUrl: String? = null,
    issuedBy: IssuedBy? = null,
): Provider {
    CUSTOM
    return bridged { presetRecord(name, environment?.word, baseUrl, issuedBy?.word) }.toProvider()
}

/** Calls the core; what it refuses becomes an exception of this package. */
internal inline fun <T> bridged(call: () -> T): T = try {
    call()
} catch (refused: CoreException) {
    throw refused.typed()
}

internal fun CoreException.typed(): TokenwardException = when (this) {
    is CoreException.NotAllowed ->
        if (code == "server_only") TokenwardException.Configuration(code) else TokenwardException.NotAllowed(code)
    // A URL that the caller gave.
    is CoreException.Input if code == "bad_url" -> TokenwardException.NotAllowed(code)
    is CoreException.Input if code == "invalid_provider" || code == "invalid_argument" ->
        TokenwardException.Configuration(code)
    is CoreException.Input, is CoreException.Capacity -> TokenwardException.BadAnswer(code)
    is CoreException.State ->
        if (code == "not_usable") TokenwardException.TemporarilyUnavailable(null) else TokenwardException.Configuration(code)
    is CoreException.Internal -> TokenwardException.Internal(code)
}

internal val CoreException.code: String
    get() = when (this) {
        is CoreException.Input -> code
        is CoreException.Capacity -> code
        is CoreException.State -> code
        is CoreException.NotAllowed -> code
        is CoreException.Internal -> code
    }

/** What a person should do about an error code or a reason. */
internal fun sentence(code: String): String = errorSentence(code)

internal fun Provider.toRecord(sharedStorage: Boolean): ProviderRecord = ProviderRecord(
    name = name,
    environment = environment,
    baseUrl = baseUrl,
    tokenPath = tokenPath,
    anyHttps = apiOrigins == ApiOrigins.AnyHttps,
    baseUrlOrigin = apiOrigins == ApiOrigins.BaseUrl,
    apiOrigins = (apiOrigins as? ApiOrigins.Listed)?.origins.orEmpty(),
    allowLoopbackHttp = allowLoopbackHttp,
    grants = grants.map { it.word },
    authentication = authentication.word,
    body = body.word,
    scope = scope,
    memberPath = memberPath,
    errorPath = errorPath,
    errorCodes = errorCodes.map { (service, standard) -> ErrorCodeRecord(service, standard) },
    tokenTypeRequired = tokenTypeRequired,
    tokenTypeAliases = tokenTypeAliases,
    tokenAlphabet = tokenAlphabet.word,
    missingLifetime = when (missingLifetime) {
        is MissingLifetime.JwtExpiry -> "jwt_expiry_else"
        is MissingLifetime.Assume -> "assume"
        MissingLifetime.Never -> "never"
        MissingLifetime.Refuse -> "refuse"
    },
    missingLifetimeSeconds = when (missingLifetime) {
        is MissingLifetime.JwtExpiry -> missingLifetime.orElse.wholeSeconds()
        is MissingLifetime.Assume -> missingLifetime.lifetime.wholeSeconds()
        MissingLifetime.Never, MissingLifetime.Refuse -> 0uL
    },
    zeroLifetime = zeroLifetime.word,
    routes = routes.map { RouteRecord(it.method, it.path, it.token.word) },
    exposure = exposure.word,
    policy = policy.toRecord(sharedStorage),
)

private fun RefreshPolicy.toRecord(sharedStorage: Boolean) = PolicyRecord(
    fractionPermille = fractionPermille.checked(),
    marginMs = margin.wholeMillis(),
    minIntervalMs = minInterval.wholeMillis(),
    jitterPermille = jitterPermille.checked(),
    startupSpreadMs = startupSpread.wholeMillis(),
    responseTimeoutMs = responseTimeout.wholeMillis(),
    firstBackoffMs = firstBackoff.wholeMillis(),
    maxBackoffMs = maxBackoff.wholeMillis(),
    maxLifetimeS = maxLifetime.wholeSeconds(),
    refreshAttempts = refreshAttempts.checked(),
    sharedStorage = sharedStorage,
)

private fun ProviderRecord.toProvider() = Provider(
    name = name,
    environment = environment,
    baseUrl = baseUrl,
    tokenPath = tokenPath,
    apiOrigins = when {
        anyHttps -> ApiOrigins.AnyHttps
        baseUrlOrigin -> ApiOrigins.BaseUrl
        else -> ApiOrigins.Listed(apiOrigins)
    },
    allowLoopbackHttp = allowLoopbackHttp,
    grants = grants.map { it.entry<Grant>() },
    authentication = authentication.entry(),
    body = body.entry(),
    scope = scope,
    memberPath = memberPath,
    errorPath = errorPath,
    errorCodes = errorCodes.associate { it.service to it.standard },
    tokenTypeRequired = tokenTypeRequired,
    tokenTypeAliases = tokenTypeAliases,
    tokenAlphabet = tokenAlphabet.entry(),
    missingLifetime = when (missingLifetime) {
        "jwt_expiry_else" -> MissingLifetime.JwtExpiry(missingLifetimeSeconds.toLong().seconds)
        "assume" -> MissingLifetime.Assume(missingLifetimeSeconds.toLong().seconds)
        "never" -> MissingLifetime.Never
        else -> MissingLifetime.Refuse
    },
    zeroLifetime = zeroLifetime.entry(),
    routes = routes.map { Route(it.method, it.path, it.token.entry()) },
    exposure = exposure.entry(),
    policy = with(policy) {
        RefreshPolicy(
            fractionPermille = fractionPermille.toInt(),
            margin = marginMs.toLong().milliseconds,
            minInterval = minIntervalMs.toLong().milliseconds,
            jitterPermille = jitterPermille.toInt(),
            startupSpread = startupSpreadMs.toLong().milliseconds,
            responseTimeout = responseTimeoutMs.toLong().milliseconds,
            firstBackoff = firstBackoffMs.toLong().milliseconds,
            maxBackoff = maxBackoffMs.toLong().milliseconds,
            maxLifetime = maxLifetimeS.toLong().seconds,
            refreshAttempts = refreshAttempts.toInt(),
        )
    },
)

/** The core's word for an entry: `client_credentials` for `CLIENT_CREDENTIALS`. */
private val Enum<*>.word: String get() = name.lowercase()

private inline fun <reified E : Enum<E>> String.entry(): E = enumValueOf(uppercase())

private fun Int.checked(): UInt = if (this >= 0) toUInt() else throw TokenwardException.Configuration("invalid_argument")

private fun Duration.wholeMillis(): ULong =
    if (this >= Duration.ZERO) inWholeMilliseconds.toULong() else throw TokenwardException.Configuration("invalid_argument")

internal fun Duration.wholeSeconds(): ULong =
    if (this >= Duration.ZERO) inWholeSeconds.toULong() else throw TokenwardException.Configuration("invalid_argument")
