package io.github.tokenward

import java.security.SecureRandom
import java.util.Collections
import java.util.WeakHashMap
import java.util.concurrent.locks.ReentrantLock
import kotlin.concurrent.withLock

/**
 * Where a manager keeps its sealed state over restarts: one item for one provider and identity. Nothing is ever deleted: a
 * sign-out is stored too.
 *
 * Storages are equal if they keep the same item: if two managers in one process use equal ones, the second fails with
 * `storage_in_use`.
 *
 * Both functions block; a manager calls them on threads of its own. They throw [StorageLockedException] if the device
 * must be unlocked or another process must finish first, and any other exception if they fail otherwise.
 */
public interface TokenStorage {
    /** Other processes use the same item. Then a refresh is announced in it before it is sent. */
    public val isShared: Boolean

    /** The 32 bytes that seal the item: the same for all that use it. */
    public fun sealKey(): ByteArray

    /** Calls [body] once, which reads and writes as it likes. No other thread and no other process does meanwhile. */
    public fun locked(body: (StorageAccess) -> Unit)
}

/** The item in a storage, while nobody else reads or writes it. */
public interface StorageAccess {
    /** What is stored; null if there is nothing. If it cannot be read, throw instead. */
    public fun read(): ByteArray?

    /** Replaces the item at once or not at all: neither a kill nor a power cut leaves half of it. */
    public fun write(item: ByteArray)
}

/** Forgets everything when the process ends. */
public class MemoryTokenStorage : TokenStorage {
    private val lock = ReentrantLock()
    private val key = randomBytes(SEAL_KEY_BYTES)
    private val item = object : StorageAccess {
        private var bytes: ByteArray? = null

        override fun read() = bytes

        override fun write(item: ByteArray) {
            bytes = item
        }
    }

    override val isShared: Boolean get() = false

    override fun sealKey(): ByteArray = key.copyOf()

    override fun locked(body: (StorageAccess) -> Unit): Unit = lock.withLock { body(item) }
}

/** The storages of all managers that live: who was let go of without being closed holds none. */
internal val storagesInUse: MutableSet<TokenStorage> = Collections.synchronizedSet(Collections.newSetFromMap(WeakHashMap()))

internal const val SEAL_KEY_BYTES = 32

/** Bytes of the system's random generator. */
internal fun randomBytes(count: Int): ByteArray = ByteArray(count).also(SecureRandom()::nextBytes)
