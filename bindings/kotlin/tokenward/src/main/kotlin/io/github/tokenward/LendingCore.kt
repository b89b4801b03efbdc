package io.github.tokenward

import com.sun.jna.Memory
import com.sun.jna.Native
import com.sun.jna.Pointer
import io.github.tokenward.bridge.CoreManager
import io.github.tokenward.bridge.FfiConverterString
import io.github.tokenward.bridge.OptionsRecord
import io.github.tokenward.bridge.SourceRecord
import io.github.tokenward.bridge.StorageRecord

/** The core and, as [lend], its [authorize] in one plain call. [isShared]: whether storage is; null: there is none. [provesRoom]: before a refresh. */
internal class LendingCore(
    now: ULong,
    provider: TokenProvider,
    identity: TokenIdentity,
    options: TokenManagerOptions,
    seed: ULong,
    source: TokenSource.Kind,
    isShared: Boolean?,
    provesRoom: Boolean = false,
) : CoreManager(
    now,
    provider,
    identity,
    options.accessCapacity.toUInt(),
    options.refreshCapacity.toUInt(),
    seed,
    options.dangerouslyAllowServerOnlyCredentials,
    OptionsRecord(
        isShared?.let { StorageRecord(it, all = true, slots = 1u, floor = 0uL, provesRoom) },
        if (source is TokenSource.Kind.Fixed || source is TokenSource.Kind.Backend) SourceRecord.PROGRAM else SourceRecord.PERSON,
    ),
) {
    /** A generation, then a header, while [direct] runs; wiped otherwise. Of an array JNA makes a copy that nobody wipes. */
    private val lent = Memory(HEADER_AT + HEADER_BYTES).apply { clear() }
    internal val header: Pointer = lent.share(HEADER_AT, HEADER_BYTES)
    private val name = headerName()

    /** The token for a request of [method] to [url]; throws what the bridge's [authorize] does. */
    fun lend(now: ULong, method: String, url: String): Authorization = direct(now, utf8(method), utf8(url)) ?: run {
        val line = authorize(now, method, url)
        val space = line.indexOf(' ')
        Authorization(line.substring(space + 1), line.substring(0, space).toLong(), name)
    }

    /**
     * Null where the bridge is to be asked: for a refusal, a longer token, and once this is closed. [close] takes the same lock:
     * the handle is not freed during the call.
     */
    @Synchronized
    internal fun direct(now: ULong, method: ByteArray, url: ByteArray): Authorization? {
        if (uniffiIsDestroyed) return null
        val length = DirectAuthorize.tokenwardAuthorize(
            handle,
            now.toLong(),
            method,
            method.size,
            url,
            url.size,
            header,
            HEADER_BYTES.toInt(),
            lent,
        )
        if (length < 0) return null
        try {
            val bytes = header.getByteArray(0, length)
            return Authorization(bytes.decodeToString(), lent.getLong(0), name).also { bytes.fill(0) }
        } finally {
            header.setMemory(0, length.toLong(), 0)
        }
    }

    /** As the bridge does it: half a surrogate pair is refused, not mended. */
    private fun utf8(text: String): ByteArray {
        val bytes = FfiConverterString.toUtf8(text)
        return ByteArray(bytes.remaining()).also(bytes::get)
    }

    private companion object {
        const val HEADER_AT = 8L

        /** A header of a usual service; the bridge lends longer ones. */
        const val HEADER_BYTES = 4096L
    }
}

/** The one function of the native library that JNA calls without structures: `ffi/uniffi/src/direct.rs`. */
internal object DirectAuthorize {
    init {
        // The library that the bridge calls: it made the handles.
        val library = System.getProperty("uniffi.component.tokenward_uniffi.libraryOverride") ?: "tokenward_uniffi"
        Native.register(DirectAuthorize::class.java, library)
    }

    @JvmStatic
    external fun tokenwardAuthorize(
        manager: Long,
        now: Long,
        method: ByteArray,
        methodLength: Int,
        url: ByteArray,
        urlLength: Int,
        out: Pointer,
        capacity: Int,
        generation: Pointer,
    ): Int
}
