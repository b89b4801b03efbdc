package io.github.tokenward

import kotlinx.coroutines.ExperimentalCoroutinesApi
import kotlinx.coroutines.async
import kotlinx.coroutines.flow.toList
import kotlinx.coroutines.launch
import kotlinx.coroutines.test.TestScope
import kotlinx.coroutines.test.UnconfinedTestDispatcher
import kotlinx.coroutines.test.advanceTimeBy
import kotlinx.coroutines.test.runTest
import org.junit.jupiter.api.io.TempDir
import java.io.IOException
import java.nio.file.Files
import java.nio.file.Path
import java.nio.file.attribute.PosixFilePermissions
import java.util.UUID
import java.util.concurrent.atomic.AtomicInteger
import kotlin.concurrent.thread
import kotlin.test.Test
import kotlin.test.assertContentEquals
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith
import kotlin.test.assertIs
import kotlin.test.assertNotNull
import kotlin.test.assertNull
import kotlin.test.assertTrue
import kotlin.time.Duration.Companion.hours
import kotlin.time.Duration.Companion.minutes
import kotlin.time.Duration.Companion.seconds

@OptIn(ExperimentalCoroutinesApi::class)
class StorageTest {
    @TempDir
    lateinit var folder: Path
    private val key = ByteArray(32) { 7 }
    private val file by lazy { folder.resolve("token") }

    private fun stored(storage: TokenStorage): ByteArray? {
        var item: ByteArray? = null
        storage.transact { current ->
            item = current
            StorageChange.Keep
        }
        return item
    }

    /** Fails where it is told to. */
    private class Failing(private val inner: TokenStorage, override val isShared: Boolean = false) : TokenStorage {
        var onOpen: Exception? = null
        var onWrite: Exception? = null

        override fun sealKey() = inner.sealKey()

        override fun transact(body: (ByteArray?) -> StorageChange) {
            onOpen?.let { throw it }
            inner.transact { current ->
                body(current).also {
                    if (it !=
                        StorageChange.Keep
                    ) {
                        onWrite?.let { fault -> throw fault }
                    }
                }
            }
        }
    }

    private fun TestScope.events(manager: TokenManager) = ArrayList<TokenEvent>().also {
        backgroundScope.launch(UnconfinedTestDispatcher(testScheduler)) { manager.events.toList(it) }
    }

    @Test
    fun `a restart goes on with the stored token`() = runTest {
        val service = MemoryService()
        manager(service, storage = FileTokenStorage(file, key)).use { it.authorize("GET", API) }
        manager(service, storage = FileTokenStorage(file, key)).use { manager ->
            assertEquals("Bearer access-1", manager.authorize("GET", API).header)
            advanceTimeBy(1.hours)
            assertEquals("Bearer access-2", manager.authorize("GET", API).header)
            assertEquals(listOf("client_credentials", "refresh_token"), service.grants)
        }
    }

    @Test
    fun `a token is lent when it is stored, not before`() = runTest {
        val file = FileTokenStorage(file, key)
        lateinit var manager: TokenManager
        val lentBefore = ArrayList<Boolean>()
        val storage = object : TokenStorage by file {
            override fun transact(body: (ByteArray?) -> StorageChange) = file.transact { current ->
                body(current).also {
                    if (it is StorageChange.Replace) {
                        val unconfined = UnconfinedTestDispatcher(testScheduler)
                        val early = backgroundScope.async(unconfined) { manager.authorize("GET", API) }
                        lentBefore += early.isCompleted
                    }
                }
            }
        }
        manager = manager(MemoryService(), storage = storage)
        manager.use { assertEquals("Bearer access-1", it.authorize("GET", API).header) }
        assertEquals(listOf(false), lentBefore)
    }

    @Test
    fun `a renewal while a request is announced does not make its answer stale`() = runTest {
        lateinit var manager: TokenManager
        var armed = false
        val clock = object : TokenClock by VirtualClock(this) {
            // Asked for when the announcement is written.
            override fun wall(): Long {
                if (armed) manager.renew()
                armed = false
                return VirtualClock.START
            }
        }
        val service = MemoryService()
        manager = manager(service, storage = FileTokenStorage(file, key, isShared = true), clock = clock)
        manager.use {
            it.authorize("GET", API)
            advanceTimeBy(1.hours)
            armed = true
            assertEquals("Bearer access-2", it.authorize("GET", API).header)
        }
        assertEquals(listOf("client_credentials", "refresh_token"), service.grants.take(2))
        assertTrue(service.grants.drop(2).all { it == "refresh_token" })
        assertTrue(service.requests.size <= 3, "${service.grants}")
    }

    @Test
    fun `the file is its owner's alone`() = runTest {
        manager(MemoryService(), storage = FileTokenStorage(file, key)).use { it.authorize("GET", API) }
        for (name in listOf("token", "token.lock")) {
            assertEquals("rw-------", PosixFilePermissions.toString(Files.getPosixFilePermissions(folder.resolve(name))))
        }
        assertEquals(setOf("token", "token.lock"), names())
    }

    private fun names() = Files.list(folder).use { files -> files.map { "${it.fileName}" }.toList().toSet() }

    @Test
    fun `neither a link nor a file that lies there is written to`() {
        val elsewhere = Files.createDirectory(folder.resolve("elsewhere")).resolve("precious").also { Files.writeString(it, "1") }
        Files.writeString(folder.resolve("token.new"), "2")
        Files.createSymbolicLink(file, elsewhere)
        val storage = FileTokenStorage(file, key)
        assertFailsWith<IOException> { stored(storage) }
        Files.delete(file)
        storage.transact { StorageChange.Replace(byteArrayOf(3)) }
        assertEquals("rw-------", PosixFilePermissions.toString(Files.getPosixFilePermissions(file)))
        assertContentEquals(byteArrayOf(3), Files.readAllBytes(file))
        Files.delete(folder.resolve("token.lock"))
        Files.createSymbolicLink(folder.resolve("token.lock"), elsewhere.resolveSibling("lock"))
        assertFailsWith<IOException> { storage.transact { StorageChange.Replace(byteArrayOf(4)) } }
        assertEquals(listOf("1", "2"), listOf(elsewhere, folder.resolve("token.new")).map { Files.readString(it) })
        assertTrue(Files.notExists(elsewhere.resolveSibling("lock")))
    }

    @Test
    fun `what a killed process left half written is deleted by the next write and by a sign-out`() {
        val storage = FileTokenStorage(file, key)
        for (change in listOf(StorageChange.Replace(byteArrayOf(1)), StorageChange.Delete)) {
            val left = folder.resolve("token.${UUID.randomUUID()}.new")
            val others = listOf("token.other.${UUID.randomUUID()}.new", "token.new").map(folder::resolve)
            (others + listOf(left)).forEach { Files.writeString(it, "half") }
            storage.transact { change }
            assertTrue(Files.notExists(left))
            others.forEach(Files::delete)
        }
        assertEquals(setOf("token.lock"), names())
    }

    @Test
    fun `a lock that another process never gives back is told and waited for no longer than seconds`() = runTest {
        val provider = ACME.copy(NO_GRANT)
        val storage = FileTokenStorage(file, key, isShared = true)
        val source = TokenSource.backend { IssuedToken("from-backend", 60.seconds) }
        val java = "${Path.of(System.getProperty("java.home"), "bin", "java")}"
        val holder = folder.resolve("Holder.java").also { Files.writeString(it, HOLDER) }
        val process = ProcessBuilder(java, "$holder", "$file.lock").redirectError(ProcessBuilder.Redirect.INHERIT).start()
        assertEquals("held", process.inputStream.bufferedReader().readLine())
        manager(null, source, provider, storage = storage).use { manager ->
            val events = events(manager)
            val held = assertFailsWith<TokenwardException.Storage> { manager.signOut() }
            assertEquals("storage_locked", held.code)
            assertIs<StorageLockedException>(held.cause)
            process.destroyForcibly().waitFor()
            manager.signIn()
            assertEquals("Bearer from-backend", manager.authorize("GET", API).header)
            assertTrue(TokenEvent.StorageFailed("storage_locked") in events)
        }
    }

    @Test
    fun `the lock of one file under two names is one lock`() {
        val alias = folder.resolve("alias").also { Files.createSymbolicLink(it, folder) }
        val both = listOf(file, alias.resolve("token")).map { FileTokenStorage(it, key) }
        val inside = AtomicInteger()
        val alone = AtomicInteger()
        val threads = both.flatMap { storage ->
            List(2) {
                thread {
                    repeat(20) {
                        storage.transact {
                            if (inside.incrementAndGet() == 1) alone.incrementAndGet()
                            Thread.sleep(1)
                            inside.decrementAndGet()
                            StorageChange.Keep
                        }
                    }
                }
            }
        }
        threads.forEach { it.join() }
        assertEquals(both.size * 2 * 20, alone.get())
    }

    @Test
    fun `the status after a restart is that of what is stored`() = runTest {
        manager(MemoryService(), storage = FileTokenStorage(file, key)).use { it.authorize("GET", API) }
        manager(MemoryService(), storage = FileTokenStorage(file, key)).use { manager ->
            val status = manager.status()
            assertTrue(status.isUsable)
            assertEquals(TokenNext.Nothing, status.next)
        }
    }

    @Test
    fun `a token that cannot be stored is used and written at the next call`() = runTest {
        val storage = Failing(FileTokenStorage(file, key)).apply { onWrite = IOException("disk full") }
        manager(MemoryService(), storage = storage).use { manager ->
            val events = events(manager)
            assertEquals("Bearer access-1", manager.authorize("GET", API).header)
            assertEquals(listOf(TokenEvent.StorageFailed("storage_failed"), TokenEvent.Refreshed(1)), events)
            assertNull(stored(FileTokenStorage(file, key)))
            storage.onWrite = null
            manager.authorize("GET", API)
            advanceTimeBy(1)
            testScheduler.runCurrent()
            assertNotNull(stored(FileTokenStorage(file, key)))
        }
    }

    @Test
    fun `what is stored wins over nothing once the storage is unlocked`() = runTest {
        val provider = ACME.copy { primaryGrant = null }
        manager(MemoryService(), provider = provider, storage = FileTokenStorage(file, key)).use {
            it.install(IssuedToken("stored", 60.seconds, refreshToken = "r"))
        }
        val storage = Failing(FileTokenStorage(file, key)).apply { onOpen = StorageLockedException("locked") }
        manager(MemoryService(), provider = provider, storage = storage).use { manager ->
            val locked = assertFailsWith<TokenwardException.Storage> { manager.authorize("GET", API) }
            assertEquals("storage_locked", locked.code)
            storage.onOpen = null
            assertEquals("Bearer stored", manager.authorize("GET", API).header)
        }
    }

    @Test
    fun `a refresh that cannot be announced in shared storage is not sent`() = runTest {
        val service = MemoryService()
        val storage = Failing(FileTokenStorage(file, key, isShared = true), isShared = true)
        manager(service, storage = storage).use { manager ->
            manager.authorize("GET", API)
            advanceTimeBy(1.hours)
            storage.onWrite = IOException("disk full")
            assertFailsWith<TokenwardException.Storage> { manager.authorize("GET", API) }
            assertEquals(1, service.requests.size)
            storage.onWrite = null
            assertEquals("Bearer access-2", manager.authorize("GET", API).header)
            assertEquals(listOf("client_credentials", "refresh_token"), service.grants)
        }
    }

    @Test
    fun `a refused refresh token is not given up while storage cannot be read`() = runTest {
        val service = MemoryService()
        val storage = Failing(FileTokenStorage(file, key))
        manager(service, storage = storage).use { manager ->
            manager.authorize("GET", API)
            advanceTimeBy(1.hours)
            service.answers += MemoryService.answer(400, """{"error":"invalid_grant"}""")
            storage.onOpen = IOException("no such device")
            assertEquals("storage_failed", assertFailsWith<TokenwardException.Storage> { manager.authorize("GET", API) }.code)
            storage.onOpen = null
            assertEquals("Bearer access-3", manager.authorize("GET", API).header)
        }
    }

    @Test
    fun `one process takes what another has refreshed`() = runTest {
        val service = MemoryService()
        fun process() = manager(service, storage = FileTokenStorage(file, key, isShared = true))
        val (one, other) = process() to process()
        one.authorize("GET", API)
        val used = other.authorize("GET", API)
        advanceTimeBy(1.minutes)
        // Two 401s raise the other's revision without a write.
        other.rejected(used.generation, 401)
        advanceTimeBy(1.seconds)
        other.renew()
        assertEquals(RetryDecision.Retry, one.rejected(1, 401))
        advanceTimeBy(1.minutes)
        one.renew()
        advanceTimeBy(1.minutes)
        // Who has a token that is usable reads storage beside its use.
        other.authorize("GET", API)
        advanceTimeBy(1.seconds)
        assertEquals(one.authorize("GET", API).header, other.authorize("GET", API).header)
        val presented = service.requests.mapNotNull { Regex("refresh_token=([^&]+)").find(it)?.value }
        assertEquals(presented.distinct(), presented)
        one.close()
        other.close()
    }

    @Test
    fun `who signs out of shared storage signs the others out`() = runTest {
        val provider = ACME.copy { primaryGrant = null }
        fun process() = manager(MemoryService(), provider = provider, storage = FileTokenStorage(file, key, isShared = true))
        val (one, other) = process() to process()
        one.install(IssuedToken("first", 60.seconds, refreshToken = "r"))
        assertEquals("Bearer first", other.authorize("GET", API).header)
        val events = events(other)
        one.signOut()
        advanceTimeBy(60.seconds)
        assertFailsWith<TokenwardException.SignInRequired> { other.authorize("GET", API) }
        assertEquals(listOf<TokenEvent>(TokenEvent.SignedOut), events)
        assertNull(stored(FileTokenStorage(file, key)))
        one.close()
        other.close()
    }

    @Test
    fun `a sign-out that cannot delete is told and done at the next call`() = runTest {
        val provider = ACME.copy { primaryGrant = null }
        val storage = Failing(FileTokenStorage(file, key))
        manager(MemoryService(), provider = provider, storage = storage).use { manager ->
            manager.install(IssuedToken("first", 60.seconds))
            storage.onWrite = IOException("read-only")
            assertFailsWith<TokenwardException.Storage> { manager.signOut() }
            assertFailsWith<TokenwardException> { manager.authorize("GET", API) }
            storage.onWrite = null
            assertFailsWith<TokenwardException.SignInRequired> { manager.authorize("GET", API) }
            assertNull(stored(FileTokenStorage(file, key)))
        }
    }

    @Test
    fun `another provider's state is left as it is`() = runTest {
        manager(MemoryService(), storage = FileTokenStorage(file, key)).use { it.authorize("GET", API) }
        val before = Files.readAllBytes(file)
        manager(MemoryService(), provider = ACME.copy { name = "other" }, storage = FileTokenStorage(file, key)).use { manager ->
            val events = events(manager)
            assertEquals("Bearer access-1", manager.authorize("GET", API).header)
            assertTrue(TokenEvent.StorageFailed("foreign_snapshot") in events)
        }
        assertContentEquals(before, Files.readAllBytes(file))
    }

    @Test
    fun `damaged state is told and replaced by the next token`() = runTest {
        Files.write(file, byteArrayOf(1, 2, 3))
        manager(MemoryService(), storage = FileTokenStorage(file, key)).use { manager ->
            val events = events(manager)
            assertEquals("Bearer access-1", manager.authorize("GET", API).header)
            assertTrue(TokenEvent.StorageFailed("invalid_snapshot") in events)
        }
        assertTrue(Files.size(file) > 3)
    }

    @Test
    fun `a fixed token is never stored`() = runTest {
        val provider = ACME.copy(NO_GRANT).copy { missingLifetime = MissingLifetime.Never }
        manager(null, TokenSource.fixed { IssuedToken("fl_1") }, provider, storage = FileTokenStorage(file, key)).use { manager ->
            assertEquals("Bearer fl_1", manager.authorize("GET", API).header)
        }
        assertTrue(Files.notExists(file))
    }

    private companion object {
        /** A process of its own: a JVM's locks do not exclude its own. */
        const val HOLDER = """
            class Holder {
                public static void main(String[] path) throws Exception {
                    new java.io.RandomAccessFile(path[0], "rw").getChannel().lock();
                    System.out.println("held");
                    Thread.sleep(600_000);
                }
            }
        """
    }
}
