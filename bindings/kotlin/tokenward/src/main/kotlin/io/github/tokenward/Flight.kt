package io.github.tokenward

import io.github.tokenward.bridge.AssertionRecord
import io.github.tokenward.bridge.CoreException
import io.github.tokenward.bridge.CoreRequest
import io.github.tokenward.bridge.OutcomeRecord
import io.github.tokenward.bridge.PollRecord
import kotlinx.coroutines.async
import kotlinx.coroutines.withTimeout
import java.io.IOException
import kotlin.time.Duration

// The executor: it does what `poll` says. One flight is under way at a time.

/** Ends when the token is usable and nothing is to be done, or when nothing more comes of waiting. */
internal suspend fun TokenManager.fly(flight: Any) {
    var trouble: Trouble? = null
    var prepared: Signed? = null
    var isFirst = true
    while (true) {
        vault.settle()?.let { trouble = Trouble(it) }
        val now = clock.instant()
        val poll = aboard(flight) { core.poll(now) }
        when (val next = poll.next) {
            is TokenNext.Load, is TokenNext.Store -> {}
            is TokenNext.Request -> {
                // The app may be slow to answer: `poll` is asked again before anything is sent.
                if (prepared == null) {
                    prepared = signed(prepare())
                    continue
                }
                val begun = begin(flight, now, prepared) ?: continue
                val lent = prepared.prepared.lent.takeIf { isFirst }
                trouble = asking(flight) { request(flight, begun, now, lent) }?.also(::tell)
                prepared = null
                isFirst = false
                if (trouble == null && isUsable) return
            }
            is TokenNext.Supply -> {
                val ask = program(next.reason) ?: return needsSignIn(next.reason, poll, trouble?.answer)
                trouble = asking(flight) { supply(flight, next.id, ask) }?.also(::tell)
                if (trouble == null && isUsable) return
            }
            else -> {
                if (poll.usable) return
                prepared = null
                val later = poll.pollAt?.let(::until)
                sleep(poll.pollAt, (trouble ?: Trouble()).told(later))
            }
        }
    }
}

private val TokenManager.isUsable: Boolean get() = core.poll(clock.instant()).usable

/** Why no token came, for whoever will not wait until there is another try. */
private class Trouble(val cause: Throwable? = null, val answer: ServiceAnswer? = null) {
    fun told(retryAfter: Duration?): TokenwardException = if (answer?.isRefusal == true) {
        TokenwardException.Configuration(REFUSED, answer = answer)
    } else {
        TokenwardException.TemporarilyUnavailable(retryAfter, answer, cause)
    }
}

/** The service is there and will not give a token for this: waiting mends nothing. */
private val ServiceAnswer.isRefusal: Boolean
    get() = status in 400..499 && status !in listOf(408, 425, 429) && error != "slow_down"

private fun TokenManager.tell(trouble: Trouble) {
    val code = if (trouble.answer?.error != null) REFUSED else (trouble.cause as? TokenwardException)?.code ?: NO_ANSWER
    vault.report(TokenEvent.RefreshFailed(code, trouble.answer, core.poll(clock.instant()).pollAt?.let(::until)))
}

/** What a request is made of that the manager does not keep, and the token of the parent that opens the token endpoint. */
internal class Prepared(val credentials: Credentials, val lent: Authorization? = null)

/** The same for one request. */
internal class Signed(val prepared: Prepared, val assertion: AssertionRecord) {
    val credentials get() = prepared.credentials
}

internal suspend fun TokenManager.prepare(): Prepared = when (source) {
    is TokenSource.Kind.Credentials -> Prepared(askedAPerson(source.credentials))
    is TokenSource.Kind.Parent -> source.manager.authorize("POST", bridged { core.tokenUrl() }).let {
        Prepared(Credentials.bearer(it.header.substringAfterLast(' ')), it)
    }
    else -> Prepared(Credentials.NONE)
}

/** What an assertion is made of, anew for each request: whether the client authenticates by one the provider says. */
internal suspend fun TokenManager.signed(prepared: Prepared): Signed {
    val (credentials, signer) = prepared.credentials to prepared.credentials.signer
    val assertion = AssertionRecord(
        randomBytes(ASSERTION_BYTES),
        clock.unixTime(),
        credentials.keyId,
        signer?.certificateThumbprint,
        signer?.algorithm,
        null,
    )
    if (signer == null) return Signed(prepared, assertion)
    val input = bridged { core.signingInput(credentials.clientId, assertion) } ?: return Signed(prepared, assertion)
    return Signed(prepared, assertion.copy(signature = askedAPerson { signer.sign(input) }))
}

/** What a function of the app's brings: a person may be asked, who takes as long as a person takes. */
private suspend fun <T> TokenManager.askedAPerson(call: suspend () -> T): T = try {
    asked(Duration.INFINITE, call)
} catch (failed: Exception) {
    throw failed as? TokenwardException ?: TokenwardException.Transport(failed)
}

/** Null where `poll` has something else to say by now. */
private fun TokenManager.begin(flight: Any, now: ULong, with: Signed): CoreRequest? = try {
    aboard(flight) {
        with(with.credentials) {
            core.begin(now, clientId, clientSecret, username, password, bearer, with.assertion, values, parameters)
        }
    }
} catch (refused: CoreException.State) {
    if (refused.code in NOTHING_TO_SEND) null else throw refused
}

/** Sends it; why no token came. Of a 401 the parent is told whose token was [lent]. */
private suspend fun TokenManager.request(flight: Any, request: CoreRequest, begunAt: ULong, lent: Authorization?): Trouble? {
    val id = request.id()
    val response = try {
        request.use { send(it, begunAt) }
    } catch (failed: Exception) {
        unlessStale { core.failed(clock.instant(), id) }
        return Trouble(failed)
    }
    val status = response.status.coerceIn(0, 0xFFFF)
    val headers = response.headers.flatMap { listOf(it.name, it.value) }
    val trouble = try {
        val outcome = core.answer(clock.instant(), id, status.toUInt(), headers, response.body, clock.unixTime())
        when (outcome) {
            is OutcomeRecord.Token -> return stored(flight)
            is OutcomeRecord.Error -> Trouble(null, ServiceAnswer(status, outcome.code))
        }
    } catch (refused: CoreException) {
        // Signed out, or another token was installed meanwhile.
        if (refused is CoreException.State) return null
        Trouble(refused.typed(), ServiceAnswer(status))
    }
    if (status != 401 || lent == null || source !is TokenSource.Kind.Parent) return trouble
    val challenges = response.headers.filter { it.name.equals("WWW-Authenticate", ignoreCase = true) }.map { it.value }
    val decision = source.manager.rejected(lent.generation, status, challenges.joinToString("\n").ifEmpty { null })
    if (decision is RetryDecision.Surface) {
        val isOver = decision.reason == TokenReason.REVOKED || decision.reason == TokenReason.NO_TOKEN
        return if (isOver) throw TokenwardException.SignInRequired(decision.reason.code) else trouble
    }
    // With another token of the parent the same request may do.
    core.retry()
    return null
}

internal suspend fun TokenManager.send(request: CoreRequest, begunAt: ULong): TransportResponse {
    val carrier = transport ?: throw TokenwardException.Configuration(TRANSPORT_MISSING)
    // The core checks where the request goes, the parent only where its token goes.
    if (source is TokenSource.Kind.Parent && request.url() != core.tokenUrl()) throw TokenwardException.Internal("internal")
    val headers = request.headers().chunked(2) { (name, value) -> TransportHeader(name, value) }
    val sent = TransportRequest(request.method(), request.url(), headers, request.body())
    val response = asked {
        // Others count on it that nothing is sent later, and this process may have slept.
        if ((clock.instant() - begunAt).toLong() > timeout.inWholeMilliseconds / 4) throw IOException("too late to be sent")
        carrier.send(sent)
    }
    sent.body?.fill(0)
    return if (response.body.size <= TokenTransport.MAX_BODY_BYTES) response else throw IOException("the answer is too long")
}

/** What can be asked for a token without a person. */
internal fun TokenManager.program(reason: TokenReason): (suspend () -> IssuedToken)? = when (source) {
    is TokenSource.Kind.Fixed -> source.token
    is TokenSource.Kind.Backend -> source.token
    else -> null
}.takeIf { reason !in MISCONFIGURED }

/** Why no token came. */
private suspend fun TokenManager.supply(flight: Any, id: ULong, ask: suspend () -> IssuedToken): Trouble? {
    unlessStale { aboard(flight) { core.took(clock.instant(), id) } }
    return try {
        val token = asked(call = ask)
        vault.admit { vault.take(token, id) }
        stored(flight)
    } catch (_: CoreException.State) {
        // Signed out, or another token was installed meanwhile.
        null
    } catch (failed: Exception) {
        unlessStale { core.supplyFailed(clock.instant(), id, failed !is CoreException) }
        Trouble((failed as? CoreException)?.typed() ?: failed)
    }
}

private fun TokenManager.stored(flight: Any): Trouble? {
    vault.settle()
    synchronized(vault.lock) { if (this.flight === flight) refreshed() }
    return null
}

private fun TokenManager.needsSignIn(reason: TokenReason, poll: PollRecord, answer: ServiceAnswer?) {
    if (told.add(reason)) vault.report(TokenEvent.NeedsSignIn(reason, signInBy(poll)))
    if (poll.usable) return
    val code = reason.code
    if (reason in MISCONFIGURED) throw TokenwardException.Configuration(code, answer = answer)
    throw TokenwardException.SignInRequired(code, answer)
}

/** Asks the app, or its transport. What comes too late counts no more, even of a function that blocks its thread. */
internal suspend fun <T> TokenManager.asked(limit: Duration = timeout, call: suspend () -> T): T {
    val answer = scope.async(io) { call() }
    try {
        return withTimeout(limit) { answer.await() }
    } catch (failed: Error) {
        // Of the app's own: the manager goes on.
        throw IOException(failed)
    } finally {
        answer.cancel()
    }
}

/** Why `begin` writes nothing where `poll` has something else to say by now. */
internal val NOTHING_TO_SEND = setOf("not_due", "request_in_flight")
private const val ASSERTION_BYTES = 16
internal const val NO_ANSWER = "no_answer"

private val MISCONFIGURED = setOf(
    TokenReason.INVALID_CLIENT,
    TokenReason.UNAUTHORIZED_CLIENT,
    TokenReason.UNSUPPORTED_GRANT_TYPE,
    TokenReason.INVALID_SCOPE,
    TokenReason.INVALID_REQUEST,
)
