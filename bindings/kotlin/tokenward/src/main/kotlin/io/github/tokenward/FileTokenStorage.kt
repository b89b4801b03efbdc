package io.github.tokenward

import java.nio.ByteBuffer
import java.nio.channels.FileChannel
import java.nio.file.Files
import java.nio.file.NoSuchFileException
import java.nio.file.Path
import java.nio.file.StandardCopyOption.ATOMIC_MOVE
import java.nio.file.StandardOpenOption.CREATE
import java.nio.file.StandardOpenOption.READ
import java.nio.file.StandardOpenOption.TRUNCATE_EXISTING
import java.nio.file.StandardOpenOption.WRITE
import java.nio.file.attribute.FileAttribute
import java.nio.file.attribute.PosixFilePermissions
import java.util.concurrent.ConcurrentHashMap
import java.util.concurrent.locks.ReentrantLock
import kotlin.concurrent.withLock

/**
 * One file, readable by its owner alone. A new state is written beside it, flushed, renamed over it, and the folder
 * flushed. A lock of the operating system on `PATH.lock` excludes other processes, and ends with the process.
 *
 * The seal proves that nobody without [sealKey] has changed the file; the tokens in it are not encrypted.
 *
 * @param sealKey 32 bytes, secret, the same at each start.
 * @param isShared other processes use the file too.
 */
public class FileTokenStorage(path: Path, sealKey: ByteArray, override val isShared: Boolean = false) : TokenStorage {
    private val file = path.toAbsolutePath().normalize()
    private val folder = file.parent
    private val key = sealKey.copyOf()

    init {
        require(key.size == SEAL_KEY_BYTES) { "the seal key is $SEAL_KEY_BYTES bytes long" }
    }

    override fun sealKey(): ByteArray = key.copyOf()

    override fun transact(body: (current: ByteArray?) -> StorageChange): Unit = locked {
        when (val change = body(read())) {
            StorageChange.Keep -> {}
            is StorageChange.Replace -> replace(change.item)
            StorageChange.Delete -> if (Files.deleteIfExists(file)) flushFolder()
        }
    }

    private fun read(): ByteArray? = try {
        Files.readAllBytes(file)
    } catch (_: NoSuchFileException) {
        null
    }

    private fun replace(item: ByteArray) {
        val next = file.resolveSibling("${file.fileName}.new")
        FileChannel.open(next, setOf(CREATE, WRITE, TRUNCATE_EXISTING), *ownerOnly()).use { channel ->
            val bytes = ByteBuffer.wrap(item)
            while (bytes.hasRemaining()) channel.write(bytes)
            channel.force(true)
        }
        Files.move(next, file, ATOMIC_MOVE)
        flushFolder()
    }

    /** The rename itself must reach the disk. Only Unix opens folders. */
    private fun flushFolder() {
        if (isPosix()) FileChannel.open(folder, READ).use { it.force(true) }
    }

    private fun locked(body: () -> Unit) = IN_PROCESS.computeIfAbsent(file) { ReentrantLock() }.withLock {
        val lockFile = file.resolveSibling("${file.fileName}.lock")
        FileChannel.open(lockFile, setOf(CREATE, WRITE), *ownerOnly()).use { channel ->
            // Closing the channel ends the lock.
            channel.lock()
            body()
        }
    }

    private fun isPosix() = "posix" in file.fileSystem.supportedFileAttributeViews()

    private fun ownerOnly(): Array<FileAttribute<*>> =
        if (isPosix()) arrayOf(PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------"))) else arrayOf()

    private companion object {
        /** A lock of the operating system belongs to the whole process: its threads exclude each other here. */
        val IN_PROCESS = ConcurrentHashMap<Path, ReentrantLock>()
    }
}
