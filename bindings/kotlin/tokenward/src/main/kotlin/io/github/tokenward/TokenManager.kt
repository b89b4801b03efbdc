package io.github.tokenward

import io.github.tokenward.bridge.CoreException
import io.github.tokenward.bridge.RetryRecord
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Deferred
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.SupervisorJob
import kotlinx.coroutines.async
import kotlinx.coroutines.channels.BufferOverflow
import kotlinx.coroutines.flow.MutableSharedFlow
import kotlinx.coroutines.flow.SharedFlow
import kotlinx.coroutines.flow.asSharedFlow
import kotlinx.coroutines.withContext
import kotlin.coroutines.CoroutineContext
import kotlin.random.Random
import kotlin.time.Duration
import kotlin.time.Duration.Companion.milliseconds
import kotlin.time.Duration.Companion.seconds

/**
 * Settings of a [TokenManager].
 *
 * @property accessCapacity Bytes that an access token may have.
 * @property refreshCapacity Bytes that a refresh token may have.
 * @property requestTimeout How long a token request may take, and how long pauses may hold up who waits for a token.
 * @property dangerouslyAllowServerOnlyCredentials This process is a server: it may hold credentials that an app must not.
 * @property clock Another clock than the JVM's.
 */
public class TokenManagerOptions(
    public val accessCapacity: Int = 4096,
    public val refreshCapacity: Int = 4096,
    public val requestTimeout: Duration = 30.seconds,
    public val dangerouslyAllowServerOnlyCredentials: Boolean = false,
    public val clock: TokenClock = TokenClock.system,
)

/** The value of an `Authorization` field, which its text does not show, and which token it carries. */
public class Authorization internal constructor(public val header: String, public val generation: Long) {
    override fun toString(): String = "Authorization([redacted], generation=$generation)"
}

/** What to do with a request that a resource server refused. */
public sealed interface RetryDecision {
    /** Authorize it anew and send it once more. */
    public data object Retry : RetryDecision

    /**
     * Hand the refusal to the user or the log.
     *
     * @property retryAfter When the same refusal will be answered otherwise; null: not by itself.
     */
    public data class Surface(val reason: TokenReason, val retryAfter: Duration? = null) : RetryDecision
}

/** What has happened. Holds no token. */
public sealed interface TokenEvent {
    /** There is a new token. */
    public data class Refreshed(val generation: Long) : TokenEvent

    /** No new token comes without a person or the app: see [TokenwardException.SignInRequired] and [TokenwardException.Configuration]. */
    public data class NeedsSignIn(val reason: TokenReason) : TokenEvent

    /** A resource server refused a request, and a new token would not help. */
    public data class Rejected(val reason: TokenReason) : TokenEvent

    /** The token is kept in memory alone; writing it is tried again at the next call. */
    public data class StorageFailed(val code: String) : TokenEvent

    /** The token was wiped, here or by another process of the same storage. */
    public data object SignedOut : TokenEvent
}

/**
 * How a manager stands.
 *
 * @property isUsable There is a token that may be sent.
 * @property next What it is at.
 * @property changesIn When this changes by itself; null: never.
 */
public data class TokenStatus(val isUsable: Boolean, val next: TokenNext, val changesIn: Duration?)

/**
 * One token of one provider and identity, kept alive and shared by all callers.
 *
 * Any number of callers cause one token request. A caller that is cancelled only stops waiting: the request goes on to
 * its end, since its answer may carry the only refresh token. A token is stored before it is used.
 *
 * @param identity What is known at run time alone: a site, a base URL, an account.
 * @param transport Sends token requests; null where the source needs none ([TokenSource.fixed], [TokenSource.backend]).
 * @throws TokenwardException.Configuration `server_only` where the provider's credentials do not belong into an app;
 *   `invalid_provider` with the fact that cannot work; `transport_missing`.
 * @throws TokenwardException.IncompatibleLibrary the native library is missing or of another version.
 */
public class TokenManager internal constructor(
    provider: TokenProvider,
    identity: TokenIdentity,
    source: TokenSource,
    transport: TokenTransport?,
    storage: TokenStorage,
    options: TokenManagerOptions,
    threads: CoroutineContext,
    private val io: CoroutineContext,
    seed: Long,
) : AutoCloseable {
    public constructor(
        provider: TokenProvider,
        identity: TokenIdentity = TokenIdentity(site = null),
        source: TokenSource,
        transport: TokenTransport? = null,
        storage: TokenStorage = MemoryTokenStorage(),
        options: TokenManagerOptions = TokenManagerOptions(),
    ) : this(provider, identity, source, transport, storage, options, ownThreads(), ownThreads(), Random.nextLong())

    private val clock = options.clock
    private val name = listOfNotNull(provider.name, identity.site).joinToString()
    private val core: LendingCore
    private val keeper: Keeper
    private val obtaining: Obtaining
    private val happened = MutableSharedFlow<TokenEvent>(extraBufferCapacity = 64, onBufferOverflow = BufferOverflow.DROP_OLDEST)
    private val job = SupervisorJob()
    private val scope = CoroutineScope(job + threads)
    private val lock = Any()
    private var flight: Deferred<Unit>? = null

    @Volatile private var closed = false

    init {
        checkLibrary()
        val isFixed = source.kind is TokenSource.Kind.Fixed
        val kept = if (isFixed) MemoryTokenStorage() else storage
        core = bridged {
            LendingCore(
                clock.now().toULong(),
                provider,
                identity,
                options.accessCapacity.toUInt(),
                options.refreshCapacity.toUInt(),
                seed.toULong(),
                kept.isShared,
                options.dangerouslyAllowServerOnlyCredentials,
            )
        }
        keeper = Keeper(core, kept, clock, happened::tryEmit)
        obtaining = Obtaining(
            source.kind,
            transport,
            provider.copy {}.policy ?: RefreshPolicy(),
            keeper,
            clock,
            options.requestTimeout,
            io,
            happened::tryEmit,
        )
        if ((provider.primaryGrant != null || provider.refreshGrant) && transport == null) {
            core.close()
            throw TokenwardException.Configuration(TRANSPORT_MISSING)
        }
    }

    /** What happens from now on; a slow collector loses the oldest. */
    public val events: SharedFlow<TokenEvent> = happened.asSharedFlow()

    /**
     * The header for a request of [method] to the absolute [url], after it was checked that the token may be sent there.
     * Waits for a token only if there is none that may be sent; a refresh that is merely due runs meanwhile.
     *
     * @throws TokenwardException there is no token, or none for this URL.
     */
    public suspend fun authorize(method: String, url: String): Authorization {
        repeat(ATTEMPTS) {
            lend(method, url)?.let { return it }
            fly().await()
        }
        return lend(method, url) ?: throw TokenwardException.TemporarilyUnavailable(null)
    }

    /**
     * A resource server answered [status] to a request that carried the token [generation]. Of a 401 it may come that
     * there is a new token: then authorize anew and send the request once more, once at most.
     *
     * @param challenge the `WWW-Authenticate` field; several lines of it with a line feed between them.
     * @throws TokenwardException why there is no new token, where one was needed.
     */
    public suspend fun rejected(generation: Long, status: Int, challenge: String? = null): RetryDecision {
        open()
        val retry = bridged { core.rejected(clock.now().toULong(), generation.toULong(), status.toUInt(), challenge) }
        if (retry is RetryRecord.Surface) {
            val asksAt = obtaining.asksAppAt(retry.reason)
            if (asksAt == null || asksAt > clock.now()) {
                happened.tryEmit(TokenEvent.Rejected(retry.reason))
                return RetryDecision.Surface(retry.reason, (asksAt?.toULong() ?: retry.retryAt)?.let(::until))
            }
        }
        if (retry != RetryRecord.Now) fly().await()
        return RetryDecision.Retry
    }

    /**
     * Takes a token that someone else obtained: a sign-in. It replaces what there was, and is stored before this returns.
     *
     * @throws TokenwardException.BadAnswer it cannot be used; what there was stays.
     */
    public suspend fun install(token: IssuedToken) {
        open()
        val generation = withContext(io) { keeper.install(keeper.session(), token) }
        obtaining.wake()
        happened.tryEmit(TokenEvent.Refreshed(generation.toLong()))
    }

    /**
     * Ends the signed-out state and obtains a token, as the source has it: after [signOut] only this and [install] do.
     *
     * @throws TokenwardException why there is no token.
     */
    public suspend fun signIn() {
        open()
        synchronized(lock) {
            if (keeper.admit()) flight = null
            obtaining.wake()
        }
        fly().await()
    }

    /**
     * Wipes the token in memory and storage. A token request that is out changes nothing any more, and no other is sent
     * until [install] or [signIn].
     *
     * @throws TokenwardException.Storage what is stored cannot be deleted now; the token in memory is gone all the same,
     *   and the next call tries again.
     */
    public suspend fun signOut() {
        open()
        synchronized(lock) {
            keeper.forget()
            flight = null
            obtaining.wake()
        }
        happened.tryEmit(TokenEvent.SignedOut)
        scope.async(io) { keeper.empty() }.await()
    }

    /** A new token is wanted now, in the background; the present one stays usable. */
    public fun renew() {
        open()
        bridged { core.renew() }
        fly()
    }

    /** Configuration or credentials were mended: what the token service refused for good may be asked again. */
    public fun retry() {
        open()
        keeper.retry()
        obtaining.wake()
    }

    /** How things stand. Asks storage, never the token service. */
    public suspend fun status(): TokenStatus {
        open()
        val poll = withContext(io) { keeper.poll(keeper.session()) }
        return TokenStatus(
            isUsable = poll.usable,
            next = poll.next,
            changesIn = poll.pollAt?.let(::until),
        )
    }

    /** Ends the manager when the token request that is out, if any, has been answered. */
    override fun close() {
        synchronized(lock) {
            if (closed) return
            closed = true
        }
        obtaining.stop()
        job.complete()
        job.invokeOnCompletion { core.close() }
    }

    override fun toString(): String = "TokenManager($name, generation=${if (closed) "closed" else core.generation()})"

    /** The header, if there is a token that may be sent. */
    private fun lend(method: String, url: String): Authorization? {
        open()
        val now = clock.now()
        val lent = try {
            core.lend(now.toULong(), method, url)
        } catch (unusable: CoreException.State) {
            return null
        } catch (refused: CoreException) {
            throw refused.typed()
        }
        if (keeper.isStoring) return null
        if (now >= obtaining.restUntil || keeper.failure != null) fly()
        return lent
    }

    /** The flight that is under way, or a new one. It belongs to the manager: no caller's end ends it. */
    private fun fly(): Deferred<Unit> = synchronized(lock) {
        open()
        flight?.takeIf { it.isActive } ?: scope.async { obtaining.run() }.also { flight = it }
    }

    private fun until(instant: ULong) = (instant.toLong() - clock.now()).coerceAtLeast(0).milliseconds

    private fun open() = check(!closed) { "the token manager is closed" }

    /** Flights, coroutines: for tests. */
    internal val children: Int get() = job.children.count()

    private companion object {
        /** A token may end, or be rejected, between the flight that brought it and its use. */
        const val ATTEMPTS = 3

        /** Flights of earlier sessions may still be waiting for the app when the next one begins. */
        const val THREADS = 8

        /**
         * Callers may block whole pools while they wait for a token, as OkHttp's do: what brings the token never waits for
         * a thread of `Dispatchers.Default` or of the 64 of `Dispatchers.IO`. Such a view has threads beside theirs.
         */
        fun ownThreads() = Dispatchers.IO.limitedParallelism(THREADS)
    }
}
