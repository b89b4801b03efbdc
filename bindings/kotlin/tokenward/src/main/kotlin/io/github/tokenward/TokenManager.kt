package io.github.tokenward

import io.github.tokenward.bridge.CoreException
import io.github.tokenward.bridge.PollRecord
import io.github.tokenward.bridge.RetryRecord
import kotlinx.coroutines.CompletableDeferred
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.SupervisorJob
import kotlinx.coroutines.async
import kotlinx.coroutines.channels.BufferOverflow
import kotlinx.coroutines.channels.Channel
import kotlinx.coroutines.flow.MutableSharedFlow
import kotlinx.coroutines.flow.MutableStateFlow
import kotlinx.coroutines.flow.SharedFlow
import kotlinx.coroutines.flow.StateFlow
import kotlinx.coroutines.flow.asSharedFlow
import kotlinx.coroutines.flow.asStateFlow
import kotlinx.coroutines.launch
import kotlinx.coroutines.withTimeoutOrNull
import java.time.Instant
import java.util.concurrent.ConcurrentHashMap
import kotlin.coroutines.CoroutineContext
import kotlin.random.Random
import kotlin.time.Duration
import kotlin.time.Duration.Companion.milliseconds
import kotlin.time.Duration.Companion.seconds

/**
 * Settings of a [TokenManager].
 *
 * @property accessCapacity The longest access token, in bytes.
 * @property refreshCapacity The longest refresh token, in bytes.
 * @property requestTimeout How long a caller waits in total for another attempt or another process; with zero it is told at
 *   once that there is no token. The provider's policy says how long a token request may take.
 * @property dangerouslyAllowServerOnlyCredentials This process is a server: it may hold credentials that an app must not.
 * @property clock A clock in place of the JVM's.
 */
public class TokenManagerOptions(
    public val accessCapacity: Int = 4096,
    public val refreshCapacity: Int = 4096,
    public val requestTimeout: Duration = 30.seconds,
    public val dangerouslyAllowServerOnlyCredentials: Boolean = false,
    public val clock: TokenClock = TokenClock.system,
)

/**
 * The status of a manager.
 *
 * @property isUsable Whether there is a token that may be sent.
 * @property next What it is doing.
 * @property changesIn In how long this changes by itself; null: never.
 * @property signInWithin Within how long somebody must sign in again, if the service says how long a refresh token lives; null:
 *   unknown, or a grant that needs no person.
 */
public data class TokenStatus(
    val isUsable: Boolean,
    val next: TokenNext,
    val changesIn: Duration?,
    val signInWithin: Duration? = null,
)

/**
 * One token of one provider and identity, kept alive and shared by all callers.
 *
 * Any number of callers cause one token request. A caller that is cancelled only stops waiting: the request goes on to
 * its end, since its answer may carry the only refresh token. A token is stored before it is used.
 *
 * @param identity What is known only at run time: a site, a base URL, an account.
 * @param transport Sends token requests; null if the source needs none ([TokenSource.fixed], [TokenSource.backend]).
 * @throws TokenwardException.Configuration `server_only` if the provider's credentials do not belong in an app;
 *   `invalid_provider` with the fact that cannot work; `transport_missing`; `storage_in_use` if another manager of this
 *   process that has not been closed uses the same storage.
 * @throws TokenwardException.IncompatibleLibrary if the native library is missing or of another version.
 */
public class TokenManager internal constructor(
    provider: TokenProvider,
    identity: TokenIdentity,
    source: TokenSource,
    internal val transport: TokenTransport?,
    storage: TokenStorage,
    options: TokenManagerOptions,
    threads: CoroutineContext,
    /** Where the app's functions and its transport run. */
    internal val io: CoroutineContext,
    seed: Long,
) : TokenKeeper,
    AutoCloseable {
    @JvmOverloads
    public constructor(
        provider: TokenProvider,
        identity: TokenIdentity = TokenIdentity(site = null),
        source: TokenSource,
        transport: TokenTransport? = null,
        storage: TokenStorage = MemoryTokenStorage(),
        options: TokenManagerOptions = TokenManagerOptions(),
    ) : this(provider, identity, source, transport, storage, options, ownThreads(), ownThreads(), Random.nextLong())

    private val name = listOfNotNull(provider.name, identity.site).joinToString()
    private val happened = MutableSharedFlow<TokenEvent>(extraBufferCapacity = 64, onBufferOverflow = BufferOverflow.DROP_OLDEST)
    private val states = MutableStateFlow<TokenState>(TokenState.NoToken)
    private val job = SupervisorJob()
    internal val source = source.kind
    internal val clock = options.clock
    internal val core: LendingCore
    internal val vault: Vault
    internal val scope = CoroutineScope(job + threads)

    /** How long a token request may take, and what is asked of the app. */
    internal val timeout: Duration

    private val patience = options.requestTimeout

    /** What was told to need a person since a token came. */
    internal val told = ConcurrentHashMap.newKeySet<TokenReason>()

    /** The flight that is under way; what an earlier one brings counts no more. */
    @Volatile
    internal var flight: Any? = null
        private set

    /** An instant of [clock], and which time of day it is. */
    private var deadline: Pair<ULong, Instant>? = null

    /** The flight that has a request out, or asks the app for a token. */
    @Volatile private var busy: Any? = null

    /** Who waits for it, and until when. */
    private val waiting = HashMap<CompletableDeferred<Unit>, ULong>()
    private val changes = Channel<Unit>(Channel.CONFLATED)

    /** Until then `poll` says nothing that can be done. */
    @Volatile private var quietUntil = 0L

    @Volatile private var closed = false

    init {
        checkLibrary()
        val stored = storage.takeUnless { this.source is TokenSource.Kind.Fixed }
        core =
            bridged {
                val (now, provesRoom) = clock.instant() to (stored is FileTokenStorage)
                LendingCore(now, provider, identity, options, seed.toULong(), this.source, stored?.isShared, provesRoom)
            }
        val fault = when {
            transport == null && (provider.primaryGrant != null || provider.refreshGrant) -> TRANSPORT_MISSING
            stored != null && !storagesInUse.add(stored) -> STORAGE_IN_USE
            else -> null
        }
        if (fault != null) {
            core.close()
            throw TokenwardException.Configuration(fault)
        }
        job.invokeOnCompletion {
            core.close()
            stored?.let(storagesInUse::remove)
        }
        timeout = (provider.policy ?: RefreshPolicy()).responseTimeoutMs.toLong().milliseconds
        vault = Vault(core, storage, clock, happened::tryEmit)
    }

    override val events: SharedFlow<TokenEvent> = happened.asSharedFlow()

    override val state: StateFlow<TokenState> by lazy {
        scope.launch { runCatching { status() } }
        states.asStateFlow()
    }

    override suspend fun authorize(method: String, url: String): Authorization {
        lend(method, url)?.let { return it }
        val until = patient()
        repeat(ATTEMPTS) {
            obtain(until)
            lend(method, url)?.let { return it }
        }
        throw TokenwardException.TemporarilyUnavailable(null)
    }

    override fun isRefusal(status: Int): Boolean = status in 0..0xFFFF && bridged { core.isRefusal(status.toUInt()) }

    override suspend fun rejected(generation: Long, status: Int, challenge: String?): RetryDecision {
        open()
        val retry = bridged { core.rejected(clock.instant(), generation.toULong(), status.toUInt(), challenge) }
        if (retry is RetryRecord.Surface && !vault.isSignedOut) {
            happened.tryEmit(TokenEvent.Rejected(retry.reason))
            return RetryDecision.Surface(retry.reason, retry.retryAt?.let(::until))
        }
        if (retry != RetryRecord.Now) obtain()
        return RetryDecision.Retry
    }

    override suspend fun install(token: IssuedToken) {
        open()
        signedIn { vault.take(token) }
    }

    /** Somebody signs in with what [hand] gives to the core: a token, or nothing yet. */
    internal suspend fun signedIn(hand: () -> Boolean) {
        val isTaken = try {
            vault.admit(hand)
        } catch (refused: CoreException) {
            throw if (refused.code == STALE_REQUEST) superseded() else refused.typed()
        }
        if (!isTaken) return
        settle()
        if (!refreshed()) throw TokenwardException.SignInRequired(SIGNED_OUT)
        wake(null)
        changed()
    }

    /** Somebody has signed out, or in, while somebody else was at it. */
    internal fun superseded(): TokenwardException =
        if (vault.isSignedOut) TokenwardException.SignInRequired(SIGNED_OUT) else TokenwardException.NotAllowed(STALE_REQUEST)

    override suspend fun signIn() {
        open()
        vault.admit { true }
        retry()
        obtain()
    }

    /**
     * Has a person sign in in a browser (RFC 6749 section 4.1, with PKCE), and keeps the token. The provider names
     * `authorizationUrl`; the source provides the client id. On the JVM use [signInByLoopback].
     *
     * ```
     * manager.signIn("com.example.app:/callback") { request -> myBrowser.open(request.url) }
     * ```
     *
     * Cancelling the caller keeps what is [pending]; a request in flight is completed.
     *
     * @param redirectUri a scheme of the app's own, `https`, or `http` to the loopback interface.
     * @param pending a storage of its own that keeps the sign-in for ten minutes, so that it survives a restart between browser
     *   and callback: [resumeSignIn]. It is as secret as a token.
     * @param browser opens a URL and returns the one that leads back to the app.
     * @throws Exception what [browser] throws.
     * @throws TokenwardException `SignInRequired` with the service's code if the person or the service says no, or with
     *   `signed_out` if somebody signs out meanwhile; `NotAllowed` for a callback that does not belong to this sign-in, or with
     *   `stale_request` if somebody else signs in meanwhile.
     */
    public suspend fun signIn(
        redirectUri: String,
        pending: TokenStorage? = null,
        browser: suspend (AuthorizationRequest) -> String,
    ) {
        open()
        signInByBrowser(redirectUri, pending, browser)
    }

    /**
     * Completes a sign-in that was begun before a restart, with the URL that the browser came back with. Its code is sent once:
     * what is [pending] is deleted first.
     *
     * @throws TokenwardException `NotAllowed` for a callback that does not belong to this sign-in, `stale_request` if none is
     *   pending; `SignInRequired` if what is pending cannot be used, such as `sign_in_expired`, or the service says no.
     */
    public suspend fun resumeSignIn(callback: String, pending: TokenStorage) {
        open()
        scope.async { resumeByBrowser(callback, pending) }.await()
    }

    /**
     * Has a person sign in on another device (RFC 8628), and keeps the token. The provider names `devicePath`; the source
     * provides the client id.
     *
     * @param show shows the code, once.
     * @throws Exception what [show] throws.
     * @throws TokenwardException `SignInRequired` with `expired_token`, or with the service's code if the person or the
     *   service says no; otherwise as [signIn].
     */
    public suspend fun signInOnAnotherDevice(show: suspend (DeviceCode) -> Unit) {
        open()
        signInByCode(show)
    }

    override suspend fun signOut(revoking: Boolean) {
        open()
        if (revoking) scope.async { signOutThere() }.await() else leave { bridged { core.clear() } }
        vault.failure?.let { throw it }
    }

    /** Signs out by what has the core [forget] the token. */
    internal suspend fun leave(forget: () -> Unit) {
        synchronized(vault.lock) {
            vault.clear(forget)
            flight = null
            busy = null
        }
        wake(TokenwardException.SignInRequired(SIGNED_OUT))
        settle()
        changed()
    }

    override fun renew(): Unit = change { core.renew() }

    override fun retry(): Unit = change { core.retry() }

    override fun reload(): Unit = change { core.reload() }

    /**
     * The current status. Reads storage and never contacts the token service; but if storage is shared and a refresh is due,
     * that is announced there and the refresh is sent.
     */
    public suspend fun status(): TokenStatus {
        open()
        settle()
        if (vault.isSignedOut) return TokenStatus(false, TokenNext.Supply(0uL, TokenReason.NO_TOKEN), null)
        val poll = bridged { core.poll(clock.instant()) }
        // Others wait for what was announced.
        if (vault.isShared && poll.next == TokenNext.Request(TokenGrant.REFRESH_TOKEN)) refreshAhead()
        return TokenStatus(
            isUsable = poll.usable,
            next = poll.next,
            changesIn = poll.pollAt?.let(::until),
            signInWithin = poll.signInBy?.let(::until),
        )
    }

    /** Ends the manager when the token request that is out, if any, has been answered. */
    override fun close() {
        synchronized(vault.lock) { closed = true }
        changes.trySend(Unit)
        job.complete()
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
        if (vault.isSignedOut) return null
        if (now >= quietUntil) refreshAhead()
        return lent
    }

    /** Loads and stores what is due, to the end, whoever is cancelled meanwhile. */
    private suspend fun settle() {
        scope.async { vault.settle().also { look() } }.await()
    }

    /** Tells who watches the state how things stand. */
    private fun look(): Unit = synchronized(vault.lock) {
        val poll = bridged { core.poll(clock.instant()) }
        val next = poll.next
        states.value = when {
            vault.isSignedOut -> TokenState.SignedOut
            busy != null -> TokenState.Refreshing(poll.usable)
            next is TokenNext.Supply && program(next.reason) == null ->
                TokenState.NeedsSignIn(next.reason, poll.usable, signInBy(poll))
            poll.usable -> TokenState.SignedIn
            else -> TokenState.NoToken
        }
    }

    /** By when a person is needed: the same time of day however often it is asked for. */
    internal fun signInBy(poll: PollRecord): Instant? {
        val by = listOfNotNull(poll.signInBy, poll.pollAt.takeIf { poll.usable }).minOrNull()
        if (by == null || by <= clock.instant()) return null
        synchronized(vault.lock) {
            deadline?.let { (instant, time) -> if (instant == by) return time }
            val time = Instant.ofEpochSecond((clock.wall() ?: return null) + until(by).inWholeSeconds)
            deadline = by to time
            return time
        }
    }

    /** [flight] asks for a token by [act], whoever is asked. */
    internal suspend fun <T> asking(flight: Any, act: suspend () -> T): T {
        busy = flight
        look()
        try {
            return act()
        } finally {
            if (busy === flight) busy = null
            look()
        }
    }

    /** Waits for the flight that is under way, or for a new one. Who is cancelled stops waiting; the flight goes on. */
    private suspend fun obtain(until: ULong = patient()) {
        val waiter = CompletableDeferred<Unit>()
        synchronized(vault.lock) {
            takeOff()
            waiting[waiter] = until
        }
        try {
            waiter.await()
        } finally {
            // A flight sleeps for whoever waits.
            if (synchronized(vault.lock) { waiting.remove(waiter) != null && waiting.isEmpty() }) changes.trySend(Unit)
        }
    }

    private fun takeOff() {
        open()
        if (flight != null) return
        val number = Any()
        flight = number
        // Whoever waits is told when the manager can be closed at once.
        scope.async {
            try {
                bridged { fly(number) }
            } finally {
                look()
            }
        }.invokeOnCompletion { failure ->
            synchronized(vault.lock) {
                // Of before a sign-out: whoever waits waits for the next one.
                if (flight !== number) return@invokeOnCompletion
                flight = null
                quietUntil = 0
            }
            wake(failure)
        }
    }

    private fun wake(failure: Throwable?, who: (ULong) -> Boolean = { true }) {
        val woken = synchronized(vault.lock) { waiting.filterValues(who).keys.also { waiting.keys -= it } }
        for (waiter in woken) if (failure == null) waiter.complete(Unit) else waiter.completeExceptionally(failure)
    }

    /** Sleeps for whoever waits, until `poll` may answer otherwise; where that is later than anybody waits it throws [error]. */
    internal suspend fun sleep(pollAt: ULong?, error: TokenwardException) {
        val isWorthIt = pollAt != null && !closed && synchronized(vault.lock) { waiting.values.any { it >= pollAt } }
        if (!isWorthIt) throw error
        wake(error) { it < pollAt }
        withTimeoutOrNull(until(pollAt).coerceAtLeast(1.milliseconds)) { changes.receive() }
    }

    /** Does [act] unless [flight] was abandoned, or somebody has signed out. */
    internal inline fun <T> aboard(flight: Any, act: () -> T): T = synchronized(vault.lock) {
        if (this.flight !== flight || vault.isSignedOut) throw TokenwardException.SignInRequired(SIGNED_OUT)
        act()
    }

    /** Starts a flight where something can be done that nobody has to wait for. */
    private fun refreshAhead(): Unit = synchronized(vault.lock) {
        if (flight != null || closed) return
        val poll = bridged { core.poll(clock.instant()) }
        val isDue = when (val next = poll.next) {
            is TokenNext.Load, is TokenNext.Store -> true
            is TokenNext.Request -> !vault.isSignedOut
            is TokenNext.Supply -> !vault.isSignedOut && program(next.reason) != null
            else -> false
        }
        quietUntil = poll.pollAt?.toLong() ?: Long.MAX_VALUE
        if (isDue) takeOff()
    }

    /** Changes something that no flight brings. */
    private fun change(call: () -> Unit) {
        open()
        bridged(call)
        changed()
    }

    private fun changed() {
        quietUntil = 0
        changes.trySend(Unit)
        refreshAhead()
    }

    /** A token has come, if storage has it so: another process may have signed out or in meanwhile. */
    internal fun refreshed(): Boolean = synchronized(vault.lock) {
        if (vault.isSignedOut) return false
        told.clear()
        vault.report(TokenEvent.Refreshed(core.generation().toLong()))
        true
    }

    /** Until when who comes now waits. */
    private fun patient(): ULong = clock.instant() + patience.inWholeMilliseconds.coerceAtLeast(0).toULong()

    internal fun until(instant: ULong): Duration = (instant - minOf(instant, clock.instant())).toLong().milliseconds

    internal fun open() {
        if (closed) throw TokenwardException.Configuration(MANAGER_CLOSED)
    }

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
