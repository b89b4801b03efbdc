package io.github.tokenward

import io.github.tokenward.bridge.CoreException
import io.github.tokenward.bridge.FoundRecord
import java.io.IOException

/** The core and its storage: does what `poll` says of that. Every load and every store of a manager goes through here. */
internal class Vault(
    val core: LendingCore,
    private val storage: TokenStorage,
    val clock: TokenClock,
    val report: (TokenEvent) -> Unit,
) {
    val isShared: Boolean get() = storage.isShared

    /** Held while the core learns who is signed in, and while a request is begun for whom it knows. Never during I/O. */
    val lock = Any()

    /** Signed out, here or by another process, and nobody has signed in since. */
    @Volatile
    var isSignedOut = false
        private set

    /** Why the last load or store failed; null since one succeeded. */
    @Volatile
    var failure: TokenwardException.Storage? = null
        private set

    /** Loads and stores until `poll` says neither, or one fails: then why. */
    fun settle(): TokenwardException.Storage? {
        // Another process may have signed in.
        if (isSignedOut && isShared) bridged { core.reload() }
        if (due() == null) return null
        var trouble: TokenwardException.Storage? = null
        var isLent = false
        try {
            val key = storage.sealKey()
            storage.locked { access ->
                isLent = true
                while (trouble == null) trouble = perform(due() ?: break, access, key)
            }
            if (!isLent) throw IOException("the storage has lent nothing under its lock")
        } catch (cause: Exception) {
            // The lock was not to be had.
            trouble = due()?.let { failed(it, cause) }
        }
        return trouble
    }

    private fun due(): TokenNext? =
        bridged { core.poll(clock.instant()).next }.takeIf { it is TokenNext.Load || it is TokenNext.Store }

    private fun perform(task: TokenNext, access: StorageAccess, key: ByteArray): TokenwardException.Storage? = try {
        if (task is TokenNext.Load) {
            val slots = listOf(access.read())
            synchronized(lock) { found(core.loaded(clock.instant(), clock.unixTime(), task.id, key, slots)) }
        } else if (task is TokenNext.Store) {
            access.write(core.snapshot(clock.instant(), clock.unixTime(), task.id, key))
            core.stored(clock.instant(), task.id)
        }
        failure = null
        null
    } catch (cause: Exception) {
        failed(task, cause)
    }

    private fun found(what: FoundRecord) {
        if (what != FoundRecord.SIGNED_OUT && what != FoundRecord.TAKEN) return
        if (what == FoundRecord.SIGNED_OUT && !isSignedOut) report(TokenEvent.SignedOut)
        isSignedOut = what == FoundRecord.SIGNED_OUT
    }

    private fun failed(task: TokenNext, cause: Exception): TokenwardException.Storage? {
        val isRefused = cause is CoreException.Capacity || (cause is CoreException.Input && cause.code != "invalid_argument")
        if (isRefused) report(TokenEvent.StorageFailed(cause.code))
        // The core knows that what was found is refused, and what has changed meanwhile.
        if (isRefused || cause is CoreException.State) return null
        unlessStale {
            if (task is TokenNext.Load) core.loadFailed(clock.instant(), task.id)
            if (task is TokenNext.Store) core.storeFailed(clock.instant(), task.id)
        }
        val code = if (cause is StorageLockedException) STORAGE_LOCKED else STORAGE_FAILED
        report(TokenEvent.StorageFailed(code))
        return TokenwardException.Storage(code, cause).also { failure = it }
    }

    /** Hands a token to the core, as that which [supply] brought or as one that nobody asked for. */
    fun take(token: IssuedToken, supply: ULong? = null): Boolean {
        val (now, wall) = clock.instant() to clock.unixTime()
        val seconds = token.expiresIn?.wholeSeconds()
        val life = token.refreshExpiresIn?.wholeSeconds()
        with(token) {
            when {
                supply == null && json != null -> core.installJson(now, wall, json)
                supply == null -> core.install(now, wall, accessToken, tokenType, seconds, refreshToken, life)
                json != null -> core.suppliedJson(now, wall, supply, json)
                else -> core.supplied(now, wall, supply, accessToken, tokenType, seconds, refreshToken, life)
            }
        }
        return true
    }

    /** Has the core [forget] the token at once, and says so; [settle] is still to store that. */
    fun clear(forget: () -> Unit) = synchronized(lock) {
        forget()
        isSignedOut = true
        report(TokenEvent.SignedOut)
    }

    /** Does [hand], which ends the signed-out state if it is so. */
    fun admit(hand: () -> Boolean): Boolean = synchronized(lock) { hand().also { if (it) isSignedOut = false } }
}

/** What an id that is over would do is left undone: signed out, or another token was installed meanwhile. */
internal inline fun unlessStale(act: () -> Unit) = try {
    act()
} catch (_: CoreException.State) {
}

internal fun TokenClock.instant(): ULong = now().toULong()

internal fun TokenClock.unixTime(): ULong? = wall()?.toULong()
