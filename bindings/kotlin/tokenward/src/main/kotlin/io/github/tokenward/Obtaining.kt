package io.github.tokenward

import io.github.tokenward.bridge.CoreRequest
import io.github.tokenward.bridge.OutcomeRecord
import io.github.tokenward.bridge.PollRecord
import kotlinx.coroutines.currentCoroutineContext
import kotlinx.coroutines.delay
import kotlinx.coroutines.ensureActive
import kotlinx.coroutines.withContext
import kotlinx.coroutines.withTimeout
import java.io.IOException
import kotlin.coroutines.CoroutineContext
import kotlin.time.Duration
import kotlin.time.Duration.Companion.milliseconds

/** How a token is obtained: from what the core asks for to a token that is stored, or to the reason why there is none. */
internal class Obtaining(
    private val source: TokenSource.Kind,
    private val transport: TokenTransport?,
    private val policy: RefreshPolicy,
    private val keeper: Keeper,
    private val clock: TokenClock,
    private val requestTimeout: Duration,
    private val io: CoroutineContext,
    private val report: (TokenEvent) -> Unit,
) {
    /** Until then there is nothing to do. */
    @Volatile
    var restUntil = 0L
        private set

    /** The reason that was reported last, so that it is reported once. */
    @Volatile private var reported: TokenReason? = null

    /** How often in a row the app had no token that could be used, and until when it is not asked again. */
    @Volatile private var supplyFailures = 0

    @Volatile private var supplyRestUntil = 0L

    @Volatile private var stopped = false

    /**
     * From when on the app is asked for a token that is gone for [reason]; null: never. A static one that was refused is
     * left alone for a while.
     */
    fun asksAppAt(reason: TokenReason): Long? = when {
        suppliers(reason) == null -> null
        source is TokenSource.Kind.Fixed && reason == TokenReason.REVOKED -> supplyRestUntil
        else -> 0
    }

    private fun asksApp(reason: TokenReason) = asksAppAt(reason).let { it != null && it <= clock.now() }

    /** Something changed from outside. */
    fun wake() {
        restUntil = 0
        reported = null
        supplyFailures = 0
        supplyRestUntil = 0
    }

    /** No pause is waited for any more. */
    fun stop() {
        stopped = true
    }

    /** One flight. Ends when there is a token that is not due, or one that can still be used. */
    suspend fun run() {
        try {
            obtain(keeper.session())
        } finally {
            restUntil = rest()
        }
    }

    private suspend fun obtain(session: Int) {
        var waited = Duration.ZERO
        var refused = false
        var parentRenewed = false
        while (true) {
            val poll = withContext(io) { keeper.poll(session) }
            if (keeper.isSignedOut) throw TokenwardException.SignInRequired(SIGNED_OUT)
            val pauseUntil = when (val next = poll.next) {
                TokenNext.Nothing -> return
                is TokenNext.Request -> {
                    when (request(session)) {
                        Asked.TOKEN -> return
                        Asked.REFUSED -> refused = true
                        // With another token of the parent the same request may do.
                        Asked.PARENT_RENEWED -> {
                            refused = parentRenewed
                            if (!parentRenewed) keeper.retry()
                            parentRenewed = true
                        }
                        Asked.NOT_DUE -> {}
                    }
                    continue
                }
                is TokenNext.Supply -> {
                    val token = suppliers(next.reason)
                    if (token == null || !asksApp(next.reason)) return needsSignIn(next.reason, poll.usable)
                    if (clock.now() >= supplyRestUntil) return supply(session, token, next.reason)
                    supplyRestUntil
                }
                // Of a flight that broke off.
                is TokenNext.AwaitAnswer -> {
                    keeper.failed(next.requestId)
                    continue
                }
                // Only a core with storage of its own says the last two.
                TokenNext.Wait, TokenNext.Reload, is TokenNext.Load, is TokenNext.Store -> poll.until()
            }
            if (poll.usable) return
            // Another process may have stored what is wanted, and it cannot be read.
            if (poll.next == TokenNext.Reload) throw keeper.failure ?: TokenwardException.TemporarilyUnavailable(null)
            val pause = (pauseUntil - clock.now()).coerceAtLeast(1).milliseconds
            if (refused || stopped || waited + pause > requestTimeout) throw TokenwardException.TemporarilyUnavailable(pause)
            val look = if (keeper.isShared) minOf(pause, LOOK_AGAIN) else pause
            waited += look
            delay(look)
        }
    }

    private enum class Asked { TOKEN, REFUSED, PARENT_RENEWED, NOT_DUE }

    /** Sends one request. Throws where no answer comes, or none that can be used. */
    private suspend fun request(session: Int): Asked {
        val parent = (source as? TokenSource.Kind.Parent)?.manager
        val tokenUrl = parent?.let { keeper.tokenUrl() }
        val bearer = tokenUrl?.let { parent.authorize("POST", it) }
        val credentials = when (source) {
            is TokenSource.Kind.Credentials -> asked(source.credentials)
            else -> bearer?.let { Credentials.bearer(it.header.removePrefix("Bearer ")) } ?: Credentials.NONE
        }
        val request = withContext(io) { keeper.begin(session, credentials) } ?: return Asked.NOT_DUE
        val id = request.id()
        val response = try {
            request.use { send(it, tokenUrl) }
        } catch (failed: TokenwardException) {
            keeper.failed(id)
            throw failed
        }
        val outcome = try {
            withContext(io) { keeper.answer(session, id, response) }
        } catch (bad: TokenwardException.BadAnswer) {
            if (isTrouble(response.status)) null else throw bad
        }
        if (outcome is OutcomeRecord.Token) {
            arrived(outcome.generation)
            return Asked.TOKEN
        }
        val renewed = response.status == UNAUTHORIZED && bearer != null &&
            parent.rejected(bearer.generation, UNAUTHORIZED, response.challenge()) == RetryDecision.Retry
        return if (renewed) Asked.PARENT_RENEWED else Asked.REFUSED
    }

    private suspend fun send(request: CoreRequest, tokenUrl: String?): TransportResponse {
        // The core checks where the request goes, the parent only where its token goes.
        if (tokenUrl != null && request.url() != tokenUrl) throw TokenwardException.Internal("internal")
        val headers = request.headers().chunked(2) { (name, value) -> TransportHeader(name, value) }
        val sent = TransportRequest(request.method(), request.url(), headers, request.body())
        val response = asked { checkNotNull(transport).send(sent) }
        sent.body?.fill(0)
        if (response.body.size >
            TokenTransport.MAX_BODY_BYTES
        ) {
            throw TokenwardException.Transport(IOException("the answer is too long"))
        }
        return response
    }

    /** Who gives a token where the core has no way to one. */
    private fun suppliers(reason: TokenReason): (suspend () -> IssuedToken)? = when (source) {
        is TokenSource.Kind.Fixed -> source.token
        is TokenSource.Kind.Backend -> source.token
        else -> null
    }.takeIf { reason in SUPPLIED }

    private suspend fun supply(session: Int, token: suspend () -> IssuedToken, reason: TokenReason) {
        try {
            val issued = asked(token)
            arrived(withContext(io) { keeper.install(session, issued) })
        } catch (failed: TokenwardException) {
            restSupply()
            throw failed
        }
        // In place of a refused token it may have given the same once more.
        if (reason == TokenReason.REVOKED) restSupply() else supplyFailures = 0
    }

    private fun restSupply() {
        val doublings = supplyFailures++.coerceAtMost(MAX_DOUBLINGS)
        val (first, max) = listOf(policy.firstBackoffMs, policy.maxBackoffMs).map { it.coerceAtMost(MAX_BACKOFF_MS).toLong() }
        supplyRestUntil = clock.now() + minOf(first shl doublings, max)
    }

    private fun needsSignIn(reason: TokenReason, usable: Boolean) {
        if (reported != reason) report(TokenEvent.NeedsSignIn(reason))
        reported = reason
        if (usable) return
        // What is stored could not be read: it may hold what is missing.
        keeper.failure?.takeIf { reason == TokenReason.NO_TOKEN }?.let { throw it }
        val code = reason.code
        throw if (reason in MISCONFIGURED) TokenwardException.Configuration(code) else TokenwardException.SignInRequired(code)
    }

    private fun arrived(generation: ULong) {
        reported = null
        report(TokenEvent.Refreshed(generation.toLong()))
    }

    /** Calls what the app gave. */
    private suspend fun <T> asked(call: suspend () -> T): T = try {
        withTimeout(requestTimeout) { call() }
    } catch (known: TokenwardException) {
        throw known
    } catch (failed: Exception) {
        currentCoroutineContext().ensureActive()
        throw TokenwardException.Transport(failed)
    }

    private fun rest(): Long {
        val poll = keeper.peek()
        val next = poll.next
        return when {
            next is TokenNext.Request || next == TokenNext.Reload -> 0
            next == TokenNext.Wait && keeper.isShared -> minOf(poll.until(), clock.now() + LOOK_AGAIN.inWholeMilliseconds)
            next is TokenNext.Supply && suppliers(next.reason) != null -> supplyRestUntil
            else -> poll.until()
        }
    }

    private fun PollRecord.until() = pollAt?.toLong() ?: Long.MAX_VALUE

    private fun TransportResponse.challenge(): String? =
        headers.filter { it.name.equals("WWW-Authenticate", ignoreCase = true) }.joinToString("\n") { it.value }.ifEmpty { null }

    /** A gateway in trouble: whatever its body is, it says nothing about the answer. */
    private fun isTrouble(status: Int) = status >= 500 || status in TROUBLE

    private companion object {
        const val UNAUTHORIZED = 401
        const val MAX_DOUBLINGS = 16
        val MAX_BACKOFF_MS = Int.MAX_VALUE.toULong()

        /** Another process may be done long before its time is over. */
        val LOOK_AGAIN = 200.milliseconds
        val SUPPLIED = setOf(TokenReason.NO_TOKEN, TokenReason.REVOKED)
        val TROUBLE = setOf(408, 425, 429)
        val MISCONFIGURED = setOf(
            TokenReason.INVALID_CLIENT,
            TokenReason.UNAUTHORIZED_CLIENT,
            TokenReason.UNSUPPORTED_GRANT_TYPE,
            TokenReason.INVALID_SCOPE,
            TokenReason.INVALID_REQUEST,
        )
    }
}
