package io.github.tokenward

import java.security.SecureRandom
import java.util.concurrent.locks.ReentrantLock
import kotlin.concurrent.withLock

/**
 * Where a manager keeps its sealed state over restarts: one item for one provider and identity.
 *
 * Both functions block; a manager calls them on a thread for I/O. They throw [StorageLockedException] where the device
 * must be unlocked or another process be done first, and any other exception where they cannot do their work.
 */
public interface TokenStorage {
    /** Other processes use the same item. Then a refresh is announced in it before it is sent. */
    public val isShared: Boolean

    /** The 32 bytes that seal the item: the same for all that use it. */
    public fun sealKey(): ByteArray

    /** Calls [body] with what is stored, and carries out what it says: exclusive over threads and processes. */
    public fun transact(body: (current: ByteArray?) -> StorageChange)
}

/** What becomes of the item in storage. */
public sealed interface StorageChange {
    /** Leave it. */
    public object Keep : StorageChange

    /** Replace it at once or not at all, so that neither a kill nor a power cut leaves half of it. */
    public class Replace(public val item: ByteArray) : StorageChange

    /** Delete it. */
    public object Delete : StorageChange
}

/** Forgets everything when the process ends. */
public class MemoryTokenStorage : TokenStorage {
    private val lock = ReentrantLock()
    private val key = ByteArray(SEAL_KEY_BYTES).also(SecureRandom()::nextBytes)
    private var item: ByteArray? = null

    override val isShared: Boolean get() = false

    override fun sealKey(): ByteArray = key.copyOf()

    override fun transact(body: (current: ByteArray?) -> StorageChange): Unit = lock.withLock {
        when (val change = body(item)) {
            StorageChange.Keep -> {}
            is StorageChange.Replace -> item = change.item
            StorageChange.Delete -> item = null
        }
    }
}

internal const val SEAL_KEY_BYTES = 32
