package io.github.tokenward

import java.io.IOException
import java.nio.ByteBuffer
import java.nio.channels.Channels
import java.nio.channels.FileChannel
import java.nio.channels.OverlappingFileLockException
import java.nio.file.Files
import java.nio.file.LinkOption.NOFOLLOW_LINKS
import java.nio.file.NoSuchFileException
import java.nio.file.Path
import java.nio.file.StandardCopyOption.ATOMIC_MOVE
import java.nio.file.StandardOpenOption.CREATE
import java.nio.file.StandardOpenOption.CREATE_NEW
import java.nio.file.StandardOpenOption.READ
import java.nio.file.StandardOpenOption.WRITE
import java.nio.file.attribute.FileAttribute
import java.nio.file.attribute.PosixFilePermissions
import java.util.UUID
import java.util.concurrent.ConcurrentHashMap
import java.util.concurrent.TimeUnit.NANOSECONDS
import java.util.concurrent.locks.ReentrantLock

/**
 * One file, readable by its owner alone. A new state is written to a new file beside it, flushed, renamed over it, and
 * the folder flushed. A lock of the operating system on `PATH.lock` excludes other processes, and ends with the process;
 * who does not get it within five seconds is told so by a [StorageLockedException]. Links are not followed. Before each refresh
 * a write proves that there is room for its answer: a full disk spends no refresh token.
 *
 * The seal proves that nobody without [sealKey] has changed the file; the tokens in it are not encrypted.
 *
 * @param sealKey 32 random bytes, secret, the same at each start.
 * @param isShared other processes use the file too.
 * @throws TokenwardException.Configuration `invalid_argument` with the fact `seal_key`: it has not 32 bytes, or they are all zero.
 * @throws TokenwardException.Storage `storage_failed`: there is no such folder; see the cause.
 */
public class FileTokenStorage(path: Path, sealKey: ByteArray, override val isShared: Boolean = false) : TokenStorage {
    private val file = path.toAbsolutePath().normalize().let {
        val folder = try {
            it.parent.toRealPath()
        } catch (missing: IOException) {
            throw TokenwardException.Storage(STORAGE_FAILED, missing)
        }
        folder.resolve(it.fileName)
    }
    private val folder = file.parent
    private val unfinished = Regex(Regex.escape("${file.fileName}") + """\.[0-9a-f-]{36}\.new""")
    private val key = sealKey.copyOf()

    init {
        val isGood = key.size == SEAL_KEY_BYTES && key.any { it != 0.toByte() }
        if (!isGood) throw TokenwardException.Configuration("invalid_argument", "seal_key")
    }

    override fun sealKey(): ByteArray = key.copyOf()

    private val access = object : StorageAccess {
        override fun read(): ByteArray? = try {
            FileChannel.open(file, READ, NOFOLLOW_LINKS).use { Channels.newInputStream(it).readBytes() }
        } catch (_: NoSuchFileException) {
            null
        }

        override fun write(item: ByteArray) = replace(item)
    }

    /** Equal to another on the same file. */
    override fun equals(other: Any?): Boolean = other is FileTokenStorage && other.file == file

    override fun hashCode(): Int = file.hashCode()

    private fun replace(item: ByteArray) {
        deleteUnfinished()
        // Nobody else has opened a file of this name, whatever lies in the folder.
        val next = file.resolveSibling("${file.fileName}.${UUID.randomUUID()}.new")
        try {
            FileChannel.open(next, setOf(CREATE_NEW, WRITE), *ownerOnly()).use { channel ->
                val bytes = ByteBuffer.wrap(item)
                while (bytes.hasRemaining()) channel.write(bytes)
                channel.force(true)
            }
            Files.move(next, file, ATOMIC_MOVE)
        } finally {
            Files.deleteIfExists(next)
        }
        flushFolder()
    }

    /** What a process that was killed has left behind may hold tokens. */
    private fun deleteUnfinished() = Files.newDirectoryStream(folder) { unfinished.matches("${it.fileName}") }.use { files ->
        files.forEach(Files::deleteIfExists)
    }

    /** The rename itself must reach the disk. Only Unix opens folders. */
    private fun flushFolder() {
        if (isPosix()) FileChannel.open(folder, READ).use { it.force(true) }
    }

    override fun locked(body: (StorageAccess) -> Unit) {
        val deadline = System.nanoTime() + PATIENCE_NANOS
        val threads = IN_PROCESS.computeIfAbsent(file) { ReentrantLock() }
        if (!threads.tryLock(PATIENCE_NANOS, NANOSECONDS)) throw held()
        try {
            val lockFile = file.resolveSibling("${file.fileName}.lock")
            // Closing the channel ends the lock.
            FileChannel.open(lockFile, setOf(CREATE, WRITE, NOFOLLOW_LINKS), *ownerOnly()).use { channel ->
                while (!channel.isLocked()) {
                    if (System.nanoTime() - deadline >= 0) throw held()
                    Thread.sleep(LOOK_AGAIN_MS)
                }
                body(access)
            }
        } finally {
            threads.unlock()
        }
    }

    private fun FileChannel.isLocked(): Boolean = try {
        tryLock() != null
    } catch (_: OverlappingFileLockException) {
        // Held in this process, under another name of the file or by another class loader.
        false
    }

    private fun held() = StorageLockedException("another process or thread holds $file.lock")

    private fun isPosix() = "posix" in file.fileSystem.supportedFileAttributeViews()

    private fun ownerOnly(): Array<FileAttribute<*>> =
        if (isPosix()) arrayOf(PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------"))) else arrayOf()

    private companion object {
        /** A lock of the operating system belongs to the whole process: its threads exclude each other here. */
        val IN_PROCESS = ConcurrentHashMap<Path, ReentrantLock>()

        /** A look at it takes milliseconds: who holds the lock for so long has been stopped. */
        const val PATIENCE_NANOS = 5_000_000_000
        const val LOOK_AGAIN_MS = 2L
    }
}
