package io.github.tokenward

import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.SupervisorJob
import kotlinx.coroutines.cancel
import kotlinx.coroutines.future.await
import kotlinx.coroutines.future.future
import kotlinx.coroutines.launch
import java.util.concurrent.Callable
import java.util.concurrent.CompletableFuture
import java.util.function.Consumer
import java.util.function.Function
import kotlin.time.Duration.Companion.milliseconds
import kotlin.time.Duration.Companion.seconds
import java.time.Duration as JavaDuration

/**
 * A token manager as Java sees it. A future that is cancelled stops waiting; what it waited for goes on. [close] ends all
 * that watch, not the manager.
 */
public class TokenFutures(private val keeper: TokenKeeper) : AutoCloseable {
    private val scope = CoroutineScope(SupervisorJob() + Dispatchers.Default)

    /** See [TokenKeeper.authorize]. */
    public fun authorize(method: String, url: String): CompletableFuture<Authorization> =
        scope.future { keeper.authorize(method, url) }

    /** See [TokenKeeper.rejected]. */
    @JvmOverloads
    public fun rejected(generation: Long, status: Int, challenge: String? = null): CompletableFuture<RetryDecision> =
        scope.future { keeper.rejected(generation, status, challenge) }

    /** See [TokenKeeper.install]. */
    public fun install(token: IssuedToken): CompletableFuture<Void?> = done { keeper.install(token) }

    /** See [TokenKeeper.signIn]. */
    public fun signIn(): CompletableFuture<Void?> = done { keeper.signIn() }

    /** See [TokenKeeper.signOut]. */
    @JvmOverloads
    public fun signOut(revoking: Boolean = false): CompletableFuture<Void?> = done { keeper.signOut(revoking) }

    private fun done(call: suspend () -> Unit): CompletableFuture<Void?> = scope.future {
        call()
        null
    }

    /** Calls [watcher] with the present state, and with each that follows until the answer is closed. */
    public fun watch(watcher: Consumer<TokenState>): AutoCloseable {
        val watching = scope.launch { keeper.state.collect(watcher::accept) }
        return AutoCloseable { watching.cancel() }
    }

    override fun close(): Unit = scope.cancel()

    /** What takes functions that suspend, or durations, in Kotlin. */
    public companion object {
        /** See [TokenSource.Companion.fixed]. */
        @JvmStatic
        public fun fixed(token: Callable<IssuedToken>): TokenSource = TokenSource.fixed { token.call() }

        /** See [TokenSource.Companion.credentials]. */
        @JvmStatic
        public fun credentials(credentials: Callable<Credentials>): TokenSource = TokenSource.credentials { credentials.call() }

        /** See [ClientSigner]. */
        @JvmStatic
        @JvmOverloads
        public fun signer(
            algorithm: SignatureAlgorithm,
            sign: Function<ByteArray, ByteArray>,
            certificateThumbprint: String? = null,
        ): ClientSigner = ClientSigner(algorithm, certificateThumbprint) { sign.apply(it) }

        /** See [TokenSource.Companion.backend]. */
        @JvmStatic
        public fun backend(token: Callable<IssuedToken>): TokenSource = TokenSource.backend { token.call() }

        /** See [TokenManager.signIn]. */
        @JvmStatic
        @JvmOverloads
        public fun signIn(
            manager: TokenManager,
            redirectUri: String,
            browser: Function<AuthorizationRequest, CompletableFuture<String>>,
            pending: TokenStorage? = null,
        ): CompletableFuture<Void?> = started { manager.signIn(redirectUri, pending) { browser.apply(it).await() } }

        /** See [TokenManager.resumeSignIn]. */
        @JvmStatic
        public fun resumeSignIn(manager: TokenManager, callback: String, pending: TokenStorage): CompletableFuture<Void?> =
            started { manager.resumeSignIn(callback, pending) }

        /** See [io.github.tokenward.signInByLoopback]. */
        @JvmStatic
        public fun signInByLoopback(manager: TokenManager, open: Consumer<String>): CompletableFuture<Void?> =
            started { manager.signInByLoopback(open = open::accept) }

        /** See [TokenManager.signInOnAnotherDevice]. */
        @JvmStatic
        public fun signInOnAnotherDevice(manager: TokenManager, show: Consumer<DeviceCode>): CompletableFuture<Void?> =
            started { manager.signInOnAnotherDevice(show::accept) }

        private fun started(call: suspend () -> Unit): CompletableFuture<Void?> = CoroutineScope(Dispatchers.Default).future {
            call()
            null
        }

        /** A token by its members: see [IssuedToken]. */
        @JvmStatic
        @JvmOverloads
        public fun issued(accessToken: String, expiresInSeconds: Long? = null, refreshToken: String? = null): IssuedToken =
            IssuedToken(accessToken, expiresInSeconds?.seconds, refreshToken)

        /** Settings with the rest as they are by default: see [TokenManagerOptions]. */
        @JvmStatic
        public fun options(requestTimeout: JavaDuration, dangerouslyAllowServerOnlyCredentials: Boolean): TokenManagerOptions =
            TokenManagerOptions(
                requestTimeout = requestTimeout.toMillis().milliseconds,
                dangerouslyAllowServerOnlyCredentials = dangerouslyAllowServerOnlyCredentials,
            )
    }
}
