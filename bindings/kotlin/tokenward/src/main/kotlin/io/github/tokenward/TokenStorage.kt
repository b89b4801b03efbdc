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
 * Storages are equal where they keep the same item: of two managers of one process that live on equal ones the second is
 * refused as `storage_in_use`.
 *
 * Both functions block; a manager calls them on threads of its own. They throw [StorageLockedException] where the device
 * must be unlocked or another process be done first, and any other exception where they cannot do their work.
 */
public interface TokenStorage {
    /** Other processes use the same item. Then a refresh is announced in it before it is sent. */
    public val isShared: Boolean

    /** The 32 bytes that seal the item: the same for all that use it. */
    public fun sealKey(): ByteArray

    /** Calls [body] once, which reads and writes as it likes. Nobody else does meanwhile, in no thread and in no process. */
    public fun locked(body: (StorageAccess) -> Unit)
}

/** The item in a storage, while nobody else reads or writes it. */
public interface StorageAccess {
    /** What is stored; null if nothing is, which is not the same as that it cannot be read. */
    public fun read(): ByteArray?

    /** Replaces the item at once or not at all: neither a kill nor a power cut leaves half of it. */
    public fun write(item: ByteArray)
}

/** Forgets everything when the process ends. */
public class MemoryTokenStorage : TokenStorage {
    private val lock = ReentrantLock()
    private val key = ByteArray(SEAL_KEY_BYTES).also(SecureRandom()::nextBytes)
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
