package io.github.tokenward

import io.github.tokenward.bridge.CoreException
import io.github.tokenward.bridge.CoreRequest
import io.github.tokenward.bridge.OutcomeRecord
import kotlinx.coroutines.async
import kotlinx.coroutines.withTimeout
import java.io.IOException

// The executor: it does what `poll` says. One flight is under way at a time.

/** Ends when the token is usable and nothing is to be done, or when nothing more comes of waiting. */
internal suspend fun TokenManager.fly(flight: Any) {
    var failure: TokenwardException? = null
    var prepared: Prepared? = null
    var isFirst = true
    while (true) {
        vault.settle()?.let { failure = it }
        val now = clock.instant()
        val poll = aboard(flight) { core.poll(now) }
        when (val next = poll.next) {
            is TokenNext.Load, is TokenNext.Store -> {}
            is TokenNext.Request -> {
                // The app may be slow to answer: `poll` is asked again before anything is sent.
                if (prepared == null) {
                    prepared = prepare()
                    continue
                }
                val begun = begin(flight, now, prepared.credentials) ?: continue
                failure = request(flight, begun, now, prepared.lent.takeIf { isFirst })
                prepared = null
                isFirst = false
                if (failure == null && isUsable) return
            }
            is TokenNext.Supply -> {
                val ask = program(next.reason) ?: return needsSignIn(next.reason, poll.usable)
                failure = supply(flight, next.id, ask)
                if (failure == null && isUsable) return
            }
            else -> {
                if (poll.usable) return
                val later = poll.pollAt?.let(::until)
                if (failure is TokenwardException.TemporarilyUnavailable) {
                    throw TokenwardException.TemporarilyUnavailable(later, failure.status, failure.error)
                }
                failure?.let { throw it }
                sleep(poll.pollAt, TokenwardException.TemporarilyUnavailable(later))
            }
        }
    }
}

private val TokenManager.isUsable: Boolean get() = core.poll(clock.instant()).usable

/** What a request is made of that the manager does not keep, and the token of the parent that opens the token endpoint. */
private class Prepared(val credentials: Credentials, val lent: Authorization? = null)

private suspend fun TokenManager.prepare(): Prepared = when (source) {
    is TokenSource.Kind.Credentials -> Prepared(asked(source.credentials))
    is TokenSource.Kind.Parent -> source.manager.authorize("POST", bridged { core.tokenUrl() }).let {
        Prepared(Credentials.bearer(it.header.removePrefix("Bearer ")), it)
    }
    else -> Prepared(Credentials.NONE)
}

/** Null where `poll` has something else to say by now. */
private fun TokenManager.begin(flight: Any, now: ULong, with: Credentials): CoreRequest? = try {
    aboard(flight) { core.begin(now, with.clientId, with.clientSecret, with.username, with.password, with.bearer) }
} catch (refused: CoreException.State) {
    if (refused.code == "wrong_credentials") throw refused else null
}

/** Sends it; why no token came. Of a 401 the parent is told whose token was [lent]. */
private suspend fun TokenManager.request(
    flight: Any,
    request: CoreRequest,
    begunAt: ULong,
    lent: Authorization?,
): TokenwardException? {
    val id = request.id()
    val response = try {
        request.use { send(it, begunAt) }
    } catch (failed: TokenwardException) {
        unlessStale { core.failed(clock.instant(), id) }
        return failed.takeUnless { it is TokenwardException.TemporarilyUnavailable }
    }
    val status = response.status.coerceIn(0, 0xFFFF)
    val headers = response.headers.flatMap { listOf(it.name, it.value) }
    val refusal = try {
        val outcome = core.answer(clock.instant(), id, status.toUInt(), headers, response.body, clock.unixTime())
        when (outcome) {
            is OutcomeRecord.Token -> return stored(flight, outcome.generation)
            is OutcomeRecord.Error -> TokenwardException.TemporarilyUnavailable(null, status, outcome.code)
        }
    } catch (refused: CoreException) {
        // Signed out, or another token was installed meanwhile.
        if (refused is CoreException.State) return null
        // A gateway in trouble: whatever its body is, it says nothing about the answer.
        if (status >= 500 || status in TROUBLE) TokenwardException.TemporarilyUnavailable(null, status) else refused.typed()
    }
    if (status != 401 || lent == null || source !is TokenSource.Kind.Parent) return refusal
    val challenges = response.headers.filter { it.name.equals("WWW-Authenticate", ignoreCase = true) }.map { it.value }
    val decision = source.manager.rejected(lent.generation, status, challenges.joinToString("\n").ifEmpty { null })
    // With another token of the parent the same request may do.
    return if (decision == RetryDecision.Retry) bridged { core.retry() }.let { null } else refusal
}

private suspend fun TokenManager.send(request: CoreRequest, begunAt: ULong): TransportResponse {
    // The core checks where the request goes, the parent only where its token goes.
    if (source is TokenSource.Kind.Parent && request.url() != core.tokenUrl()) throw TokenwardException.Internal("internal")
    val headers = request.headers().chunked(2) { (name, value) -> TransportHeader(name, value) }
    val sent = TransportRequest(request.method(), request.url(), headers, request.body())
    val response = asked {
        // Others count on it that nothing is sent later, and this process may have slept.
        val isLate = (clock.instant() - begunAt).toLong() > timeout.inWholeMilliseconds / 4
        if (isLate) throw TokenwardException.TemporarilyUnavailable(null)
        checkNotNull(transport).send(sent)
    }
    sent.body?.fill(0)
    if (response.body.size <= TokenTransport.MAX_BODY_BYTES) return response
    throw TokenwardException.Transport(IOException("the answer is too long"))
}

/** What can be asked for a token without a person. */
internal fun TokenManager.program(reason: TokenReason): (suspend () -> IssuedToken)? = when (source) {
    is TokenSource.Kind.Fixed -> source.token
    is TokenSource.Kind.Backend -> source.token
    else -> null
}.takeIf { reason !in MISCONFIGURED }

/** Why no token came. */
private suspend fun TokenManager.supply(flight: Any, id: ULong, ask: suspend () -> IssuedToken): TokenwardException? {
    unlessStale { aboard(flight) { core.took(clock.instant(), id) } }
    return try {
        stored(flight, vault.keep(asked(ask), id))
    } catch (_: CoreException.State) {
        // Signed out, or another token was installed meanwhile.
        null
    } catch (failed: Exception) {
        unlessStale { core.supplyFailed(clock.instant(), id, failed !is CoreException) }
        (failed as? CoreException)?.typed() ?: failed as? TokenwardException ?: throw failed
    }
}

private fun TokenManager.stored(flight: Any, generation: ULong): TokenwardException? {
    vault.settle()
    if (this.flight === flight) refreshed(generation)
    return null
}

private fun TokenManager.needsSignIn(reason: TokenReason, isUsable: Boolean) {
    if (told.add(reason)) vault.report(TokenEvent.NeedsSignIn(reason))
    if (isUsable) return
    val code = reason.code
    throw if (reason in MISCONFIGURED) TokenwardException.Configuration(code) else TokenwardException.SignInRequired(code)
}

/** Asks the app, or its transport. What comes too late counts no more, even of a function that blocks its thread. */
private suspend fun <T> TokenManager.asked(call: suspend () -> T): T {
    val answer = scope.async(io) { call() }
    return try {
        withTimeout(timeout) { answer.await() }
    } catch (failed: Throwable) {
        answer.cancel()
        throw failed as? TokenwardException ?: TokenwardException.Transport(failed)
    }
}

private val TROUBLE = setOf(408, 425, 429)
private val MISCONFIGURED = setOf(
    TokenReason.INVALID_CLIENT,
    TokenReason.UNAUTHORIZED_CLIENT,
    TokenReason.UNSUPPORTED_GRANT_TYPE,
    TokenReason.INVALID_SCOPE,
    TokenReason.INVALID_REQUEST,
)
