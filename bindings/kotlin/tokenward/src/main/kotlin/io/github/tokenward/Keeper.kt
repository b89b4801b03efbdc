package io.github.tokenward

import io.github.tokenward.bridge.CoreException
import io.github.tokenward.bridge.CoreManager
import io.github.tokenward.bridge.CoreRequest
import io.github.tokenward.bridge.OutcomeRecord
import io.github.tokenward.bridge.PollRecord
import io.github.tokenward.bridge.snapshotRevision
import java.util.concurrent.atomic.AtomicInteger

/**
 * The core and its storage. Every change is loaded before and stored after, in one transaction: answer, persist, use.
 * Where storage fails the core goes on in memory, and the next transaction writes what is missing.
 */
internal class Keeper(
    private val core: CoreManager,
    private val storage: TokenStorage,
    private val clock: TokenClock,
    private val report: (TokenEvent) -> Unit,
) {
    /** One transaction at a time. */
    private val transactions = Any()

    /** Guards what follows together with the calls of the core that depend on it. Never held while storage is waited for. */
    private val lock = Any()

    /** Grows with each sign-out and the sign-in after it: what began before must not end after. */
    private var session = 0

    /** Signed out, here or by another process, and nobody has signed in since. */
    private var signedOut = false

    /** Signed out at this revision, but storage still has the old state. */
    private var emptied: ULong? = null

    /** The revision that storage had when it was last read or written; null: nothing of ours. */
    private var known: ULong? = null

    /** Answers and installed tokens on their way to storage. */
    private val storing = AtomicInteger()

    /** The core may hold a token that storage has not: it is not to be lent before. Answer, persist, use. */
    val isStoring: Boolean get() = storing.get() > 0

    /** Another process may store what this one waits for. */
    val isShared: Boolean get() = storage.isShared

    /** Why the last transaction did not reach storage; null if it did. */
    @Volatile
    var failure: TokenwardException.Storage? = null
        private set

    fun session(): Int = synchronized(lock) { session }

    val isSignedOut: Boolean get() = synchronized(lock) { signedOut }

    /** What to do after storage has been read; never [TokenNext.Reload]. Signed out, whatever the core could do: a sign-in. */
    fun poll(session: Int): PollRecord = transact(session, { it.next != TokenNext.Wait && failure != null }) {
        val poll = core.poll(now())
        if (signedOut) poll.copy(next = TokenNext.Supply(0uL, TokenReason.NO_TOKEN), pollAt = null) else poll
    }

    /** What was refused for good may be asked again. */
    fun retry() = bridged { core.retry() }

    /** Where a token is asked for without a refresh token. */
    fun tokenUrl(): String = bridged { core.tokenUrl() }

    /** What to do, as far as memory knows. */
    fun peek(): PollRecord = core.poll(now())

    /** A request to send; null if none is due any more. It is announced in shared storage before it is sent. */
    fun begin(session: Int, credentials: Credentials): CoreRequest? {
        var refreshes = false
        val request = transact(session, { it != null }) {
            val next = core.poll(now()).next as? TokenNext.Request ?: return@transact null
            refreshes = next.grant == TokenGrant.REFRESH_TOKEN
            with(credentials) { core.begin(now(), clientId, clientSecret, username, password, bearer) }
        }
        val unannounced = failure?.takeIf { storage.isShared && refreshes }
        if (request != null && unannounced != null) {
            // Another process could present the same refresh token.
            failed(request.id())
            request.close()
            throw unannounced
        }
        return request
    }

    /** What the answer was; null if its request is over: another token was installed meanwhile. */
    fun answer(session: Int, requestId: ULong, response: TransportResponse): OutcomeRecord? = store(session) {
        val headers = response.headers.flatMap { listOf(it.name, it.value) }
        try {
            core.answer(now(), requestId, response.status.toUInt(), headers, response.body, wall())
        } catch (_: CoreException.State) {
            null
        }
    }

    /** The request came to nothing. */
    fun failed(requestId: ULong) {
        try {
            core.failed(now(), requestId)
        } catch (_: CoreException.State) {
            // Stale: signed out, or another token was installed meanwhile.
        }
    }

    fun install(session: Int, token: IssuedToken): ULong = store(session) {
        with(token) {
            if (json != null) {
                core.installJson(now(), wall(), json)
            } else {
                core.install(now(), wall(), accessToken, tokenType, expiresIn?.wholeSeconds(), refreshToken)
            }
        }.also { signedOut = false }
    }

    /** Forgets the token at once; [empty] is still to be called. */
    fun forget() = synchronized(lock) {
        session++
        signedOut = true
        core.clear()
        emptied = core.revision()
    }

    /** Ends the signed-out state; whether there was one. */
    fun admit(): Boolean = synchronized(lock) {
        signedOut.also {
            if (it) session++
            signedOut = false
        }
    }

    /** Deletes what is stored, if that is still to be done. */
    fun empty() {
        transact(session(), { false }) {}
        failure?.let { throw it }
    }

    private fun <T> store(session: Int, act: () -> T): T {
        storing.incrementAndGet()
        return try {
            transact(session, { true }, act)
        } finally {
            storing.decrementAndGet()
        }
    }

    /** Reads storage, acts, and writes where there is something to write and [writes] says so. */
    private fun <T> transact(session: Int, writes: (T) -> Boolean, act: () -> T): T = synchronized(transactions) {
        var acted: Result<T>? = null
        fun actOnce() = acted ?: runCatching {
            if (session != this.session) throw TokenwardException.SignInRequired(SIGNED_OUT)
            bridged(act)
        }.also { acted = it }

        failure = try {
            val key = storage.sealKey()
            var stored: () -> Unit = {}
            storage.transact { current ->
                synchronized(lock) {
                    load(key, current.takeIf { emptied == null })
                    val wanted = actOnce().fold(writes) { true } && session == this.session
                    val cleared = emptied
                    val revision = core.unpersisted(true)?.takeIf { wanted && it != cleared }
                    when {
                        revision != null -> {
                            val snapshot = core.snapshot(now(), wall(), true, key)
                            // A `renew` in between makes the snapshot newer than what was asked for.
                            stored = stored(revision, snapshotRevision(key, snapshot))
                            StorageChange.Replace(snapshot)
                        }
                        cleared != null -> {
                            stored = stored(cleared, null)
                            StorageChange.Delete
                        }
                        else -> StorageChange.Keep
                    }
                }
            }
            synchronized(lock) { stored() }
            null
        } catch (failed: Exception) {
            storageFailure(failed).also { report(TokenEvent.StorageFailed(it.code)) }
        }
        synchronized(lock) { actOnce() }.getOrThrow()
    }

    /** What is to be noted when storage has [now], or nothing; a sign-out meanwhile is still to be carried out. */
    private fun stored(revision: ULong, now: ULong?): () -> Unit {
        val then = session
        return {
            core.persisted(true, revision)
            known = now
            if (session == then) emptied = null
        }
    }

    /** Takes what another process, or an earlier one, has stored since. */
    private fun load(key: ByteArray, current: ByteArray?) {
        val stored = current?.let { revisionOf(key, it) }
        val known = known
        when {
            current != null && stored != null && if (known != null) stored > known else core.unpersisted(true) == null -> {
                core.restore(now(), wall(), 0uL, key, current)
                this.known = stored
                signedOut = false
            }
            // Another process has signed out.
            current == null && known != null && storage.isShared && emptied == null -> {
                core.clear()
                core.persisted(true, core.revision())
                this.known = null
                signedOut = true
                report(TokenEvent.SignedOut)
            }
            core.poll(now()).next == TokenNext.Reload -> core.reloaded()
        }
    }

    /** Null for what is damaged or sealed by another key: as good as nothing. */
    private fun revisionOf(key: ByteArray, item: ByteArray): ULong? = try {
        snapshotRevision(key, item)
    } catch (damaged: CoreException.Input) {
        report(TokenEvent.StorageFailed(damaged.code))
        null
    }

    private fun storageFailure(cause: Exception) = when (cause) {
        is StorageLockedException -> TokenwardException.Storage(STORAGE_LOCKED, cause)
        // A snapshot of another provider, or one that does not fit: it is left as it is.
        is CoreException -> TokenwardException.Storage(cause.code, cause)
        else -> TokenwardException.Storage(STORAGE_FAILED, cause)
    }

    private fun now() = clock.now().toULong()

    private fun wall() = clock.wall()?.toULong()
}
