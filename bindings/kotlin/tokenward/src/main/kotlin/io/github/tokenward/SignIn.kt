package io.github.tokenward

import io.github.tokenward.bridge.CallbackRecord
import io.github.tokenward.bridge.CoreDevice
import io.github.tokenward.bridge.CoreException
import io.github.tokenward.bridge.CoreRequest
import io.github.tokenward.bridge.CoreSignIn
import io.github.tokenward.bridge.DeviceOutcomeRecord
import io.github.tokenward.bridge.DevicePollRecord
import io.github.tokenward.bridge.OutcomeRecord
import io.github.tokenward.bridge.TokenDeviceNext
import kotlinx.coroutines.CancellationException
import kotlinx.coroutines.Job
import kotlinx.coroutines.async
import kotlinx.coroutines.delay
import kotlin.time.Duration
import kotlin.time.Duration.Companion.milliseconds

/**
 * The code that a person enters on another device, and where (RFC 8628).
 *
 * @property verificationUriComplete The same with the code in it, for a QR code.
 * @property expiresIn How long the code is good.
 */
public data class DeviceCode(
    val userCode: String,
    val verificationUri: String,
    val verificationUriComplete: String? = null,
    val expiresIn: Duration? = null,
)

/**
 * What is asked of a person in a browser (RFC 6749 section 4.1.1).
 *
 * @property url What to open.
 */
public class AuthorizationRequest internal constructor(
    public val url: String,
    private val core: LendingCore,
    private val signIn: CoreSignIn,
) {
    /** An error ends the sign-in: it is read once. */
    private var read: Pair<String, CallbackRecord>? = null

    /** Whether a callback is [by] whoever was asked. Anybody may make one up: go on waiting for the right one. */
    public fun isAnswered(by: String): Boolean = try {
        answer(by)
        true
    } catch (_: CoreException) {
        false
    } catch (_: IllegalStateException) {
        // The sign-in is over.
        false
    }

    @Synchronized
    internal fun answer(callback: String): CallbackRecord = read?.takeIf { it.first == callback }?.second
        ?: signIn.callback(core, callback).also { if (it is CallbackRecord.Error) read = callback to it }

    override fun toString(): String = "AuthorizationRequest([redacted])"
}

internal suspend fun TokenManager.signInByBrowser(
    redirectUri: String,
    pending: TokenStorage?,
    browser: suspend (AuthorizationRequest) -> String,
) {
    val prepared = scope.async { prepare() }.await()
    val random = randomBytes(RANDOM_BYTES)
    holding(bridged { CoreSignIn(random, redirectUri) }.also { random.fill(0) }) { signIn, toItsEnd ->
        val url = bridged { signIn.url(core, prepared.credentials.clientId) }
        if (pending != null) {
            toItsEnd { kept(pending) { it.write(bridged { signIn.seal(core, clock.unixTime(), pending.sealKey()) }) } }
        }
        val request = AuthorizationRequest(url, core, signIn)
        val callback = try {
            browser(request)
        } catch (cancelled: CancellationException) {
            // The callback may come to the next process.
            throw cancelled
        } catch (failed: Exception) {
            toItsEnd { kept(pending) { it.write(NOTHING) } }
            throw failed
        }
        toItsEnd { present(signIn, request, callback, prepared, pending) }
    }
}

internal suspend fun TokenManager.resumeByBrowser(callback: String, pending: TokenStorage) {
    val stored = checkNotNull(kept(pending, ::found))
    val signIn = try {
        CoreSignIn.resumed(core, clock.unixTime(), pending.sealKey(), stored)
    } catch (refused: CoreException) {
        kept(pending) { it.write(NOTHING) }
        throw TokenwardException.SignInRequired(refused.code)
    }
    signIn.use { present(it, AuthorizationRequest("", core, it), callback, prepare(), pending) }
}

/** Sends the code of a callback, once: whoever deletes what is stored does. */
private suspend fun TokenManager.present(
    signIn: CoreSignIn,
    request: AuthorizationRequest,
    callback: String,
    prepared: Prepared,
    pending: TokenStorage?,
) {
    open()
    val answer = try {
        request.answer(callback)
    } catch (refused: CoreException) {
        throw TokenwardException.NotAllowed(refused.code)
    }
    // A key that does not sign leaves the code to another try.
    val ready = if (answer is CallbackRecord.Error) null else signed(prepared)
    kept(pending) {
        found(it)
        it.write(NOTHING)
    }
    if (answer is CallbackRecord.Error) throw TokenwardException.SignInRequired(answer.code)
    signIn.deleted()
    val now = clock.instant()
    val (response, status) = with(prepared.credentials) {
        val assertion = ready?.assertion
        exchange(bridged { signIn.begin(now, core, clientId, clientSecret, bearer, assertion, values, callback) }, now)
    }
    signedIn {
        val outcome = signIn.answer(clock.instant(), core, status.toUInt(), response.body, clock.unixTime())
        outcome.orThrow(status)
        true
    }
}

internal suspend fun TokenManager.signInByCode(show: suspend (DeviceCode) -> Unit) {
    val prepared = scope.async { prepare() }.await()
    holding(bridged { CoreDevice(CODE_BYTES) }) { device, toItsEnd ->
        bridged { device.start(clock.instant(), randomBytes(RANDOM_BYTES)) }
        var refused = TokenwardException.SignInRequired("expired_token")
        while (true) {
            open()
            val poll = bridged { device.poll(clock.instant(), core) }
            when (poll.next) {
                TokenDeviceNext.SHOW -> {
                    show(code(poll))
                    bridged { device.shown(clock.instant(), core) }
                }
                TokenDeviceNext.REQUEST -> {
                    val ready = signed(prepared)
                    val now = clock.instant()
                    val request = begin(device, now, ready) ?: continue
                    try {
                        toItsEnd { ask(device, request, now) }
                    } catch (failed: TokenwardException) {
                        // Nobody has seen a code yet: whoever waits is told. Otherwise `poll` says whether that was the end.
                        if (poll.userCode.isEmpty()) throw failed
                        if (failed is TokenwardException.SignInRequired) refused = failed
                    }
                }
                TokenDeviceNext.WAIT, TokenDeviceNext.AWAIT ->
                    delay(poll.pollAt?.let(::until)?.coerceAtLeast(1.milliseconds) ?: Duration.INFINITE)
                TokenDeviceNext.DONE -> break
                TokenDeviceNext.OFF -> throw superseded()
                TokenDeviceNext.EXPIRED -> throw TokenwardException.SignInRequired("expired_token")
                TokenDeviceNext.DENIED -> throw refused
            }
        }
    }
}

private fun TokenManager.code(poll: DevicePollRecord) =
    DeviceCode(poll.userCode, poll.verificationUri, poll.verificationUriComplete, poll.expiresAt?.let(::until))

/** One request of a device authorization: for a code, or for what became of it; null where `poll` has something else to say. */
private fun TokenManager.begin(device: CoreDevice, now: ULong, with: Signed): CoreRequest? = bridged {
    try {
        with(with.credentials) { device.begin(now, core, clientId, clientSecret, bearer, with.assertion, values) }
    } catch (refused: CoreException.State) {
        if (refused.code in NOTHING_TO_SEND) null else throw refused
    }
}

private suspend fun TokenManager.ask(device: CoreDevice, request: CoreRequest, now: ULong) {
    val id = request.id()
    val (response, status) = try {
        exchange(request, now)
    } catch (failed: TokenwardException) {
        unlessStale { device.failed(clock.instant(), core, id) }
        throw failed
    }
    signedIn {
        val headers = response.headers.flatMap { listOf(it.name, it.value) }
        val (body, wall) = response.body to clock.unixTime()
        val outcome = device.answer(clock.instant(), core, id, status.toUInt(), headers, body, wall)
        (outcome as? DeviceOutcomeRecord.Outcome)?.outcome?.orThrow(status)
        outcome is DeviceOutcomeRecord.Outcome
    }
}

private suspend fun TokenManager.exchange(request: CoreRequest, begunAt: ULong): Pair<TransportResponse, Int> {
    val response = try {
        request.use { send(it, begunAt) }
    } catch (failed: Exception) {
        throw failed as? TokenwardException ?: TokenwardException.TemporarilyUnavailable(null, cause = failed)
    }
    return response to response.status.coerceIn(0, MAX_STATUS)
}

private fun OutcomeRecord.orThrow(status: Int) {
    if (this is OutcomeRecord.Error) throw TokenwardException.SignInRequired(code, ServiceAnswer(status, code))
}

/**
 * Lends [resource] to [body], with a function whose argument goes on to its end, whoever is cancelled meanwhile: an answer may
 * carry the only refresh token. [resource] is closed after that.
 */
private suspend fun <R : AutoCloseable> TokenManager.holding(
    resource: R,
    body: suspend (R, toItsEnd: suspend (suspend () -> Unit) -> Unit) -> Unit,
) {
    var last: Job? = null
    try {
        body(resource) { act -> scope.async { act() }.also { last = it }.await() }
    } finally {
        last?.invokeOnCompletion { resource.close() } ?: resource.close()
    }
}

/** Does [act] with what is kept of a sign-in over a restart. */
private fun <T> kept(pending: TokenStorage?, act: (StorageAccess) -> T): T? {
    var done: T? = null
    try {
        pending?.locked { done = act(it) }
    } catch (failed: Exception) {
        if (failed is TokenwardException) throw failed
        throw TokenwardException.Storage(if (failed is StorageLockedException) STORAGE_LOCKED else STORAGE_FAILED, failed)
    }
    return done
}

/** A sign-in that is stored. */
private fun found(access: StorageAccess): ByteArray =
    access.read()?.takeIf { it.isNotEmpty() } ?: throw TokenwardException.NotAllowed(STALE_REQUEST)

private val NOTHING = ByteArray(0)
private const val RANDOM_BYTES = 32
private const val CODE_BYTES = 8192u
internal const val MAX_STATUS = 0xFFFF
