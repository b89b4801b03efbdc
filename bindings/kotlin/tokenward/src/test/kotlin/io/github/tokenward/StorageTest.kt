package io.github.tokenward

import kotlinx.coroutines.CoroutineDispatcher
import kotlinx.coroutines.ExperimentalCoroutinesApi
import kotlinx.coroutines.Runnable
import kotlinx.coroutines.async
import kotlinx.coroutines.flow.toList
import kotlinx.coroutines.launch
import kotlinx.coroutines.test.StandardTestDispatcher
import kotlinx.coroutines.test.TestScope
import kotlinx.coroutines.test.UnconfinedTestDispatcher
import kotlinx.coroutines.test.advanceTimeBy
import kotlinx.coroutines.test.runCurrent
import kotlinx.coroutines.test.runTest
import org.junit.jupiter.api.io.TempDir
import java.io.IOException
import java.nio.file.Files
import java.nio.file.Path
import java.nio.file.attribute.PosixFilePermissions
import java.util.UUID
import java.util.concurrent.atomic.AtomicInteger
import kotlin.concurrent.thread
import kotlin.coroutines.CoroutineContext
import kotlin.test.Test
import kotlin.test.assertContentEquals
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith
import kotlin.test.assertIs
import kotlin.test.assertNotNull
import kotlin.test.assertNull
import kotlin.test.assertTrue
import kotlin.time.Duration
import kotlin.time.Duration.Companion.hours
import kotlin.time.Duration.Companion.minutes
import kotlin.time.Duration.Companion.seconds

@OptIn(ExperimentalCoroutinesApi::class)
class StorageTest {
    @TempDir
    lateinit var folder: Path
    private val key = ByteArray(32) { 7 }
    private val file by lazy { folder.resolve("token") }

    /** Fails where it is told to. */
    private class Failing(private val inner: TokenStorage, override val isShared: Boolean = false) : TokenStorage {
        var onOpen: Exception? = null
        var onWrite: Exception? = null

        override fun sealKey() = inner.sealKey()

        override fun locked(body: (StorageAccess) -> Unit) {
            onOpen?.let { throw it }
            inner.locked { access ->
                body(
                    object : StorageAccess by access {
                        override fun write(item: ByteArray) = onWrite?.let { throw it } ?: access.write(item)
                    },
                )
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
            override fun locked(body: (StorageAccess) -> Unit) = file.locked { access ->
                body(
                    object : StorageAccess by access {
                        override fun write(item: ByteArray) {
                            val unconfined = UnconfinedTestDispatcher(testScheduler)
                            val early = backgroundScope.async(unconfined) { manager.authorize("GET", API) }
                            lentBefore += early.isCompleted
                            access.write(item)
                        }
                    },
                )
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
        assertFailsWith<IOException> { storage.item() }
        Files.delete(file)
        storage.locked { it.write(byteArrayOf(3)) }
        assertEquals("rw-------", PosixFilePermissions.toString(Files.getPosixFilePermissions(file)))
        assertContentEquals(byteArrayOf(3), Files.readAllBytes(file))
        Files.delete(folder.resolve("token.lock"))
        Files.createSymbolicLink(folder.resolve("token.lock"), elsewhere.resolveSibling("lock"))
        assertFailsWith<IOException> { storage.locked { it.write(byteArrayOf(4)) } }
        assertEquals(listOf("1", "2"), listOf(elsewhere, folder.resolve("token.new")).map { Files.readString(it) })
        assertTrue(Files.notExists(elsewhere.resolveSibling("lock")))
    }

    @Test
    fun `what a killed process left half written is deleted by the next write`() {
        val left = folder.resolve("token.${UUID.randomUUID()}.new")
        val others = listOf("token.other.${UUID.randomUUID()}.new", "token.new").map(folder::resolve)
        (others + listOf(left)).forEach { Files.writeString(it, "half") }
        FileTokenStorage(file, key).locked { it.write(byteArrayOf(1)) }
        assertEquals(setOf("token", "token.lock") + others.map { "${it.fileName}" }, names())
    }

    @Test
    fun `a folder that has gone is no empty storage`() = runTest {
        val gone = Files.createDirectory(folder.resolve("gone"))
        val storage = FileTokenStorage(gone.resolve("token"), key)
        Files.delete(gone)
        assertFailsWith<IOException> { storage.item() }
        val service = MemoryService()
        manager(service, storage = storage).use { manager ->
            assertEquals("storage_failed", assertIs<TokenwardException.Storage>(manager.trouble()).code)
        }
        assertEquals(0, service.requests.size)
    }

    @Test
    fun `of two live managers on one storage the second is refused when it is made`() = runTest {
        val alias = folder.resolve("alias").also { Files.createSymbolicLink(it, folder) }
        val memory = MemoryTokenStorage()
        fun refused(storage: TokenStorage) =
            assertFailsWith<TokenwardException.Configuration> { manager(MemoryService(), storage = storage) }.code
        manager(MemoryService(), storage = FileTokenStorage(file, key)).use {
            for (path in listOf(file, folder.resolve(".").resolve("token"), alias.resolve("token"))) {
                assertEquals("storage_in_use", refused(FileTokenStorage(path, key)))
                assertEquals("storage_in_use", refused(FileTokenStorage(path, key, isShared = true)))
            }
            manager(MemoryService(), storage = FileTokenStorage(folder.resolve("other"), key)).close()
            manager(MemoryService(), storage = memory).use { assertEquals("storage_in_use", refused(memory)) }
        }
        manager(MemoryService(), storage = memory).close()
        manager(MemoryService(), storage = FileTokenStorage(file, key)).use { it.authorize("GET", API) }
    }

    @Test
    fun `a manager whose request is out keeps its storage until the answer is stored`() = runTest {
        val storage = FileTokenStorage(file, key)
        val first = manager(MemoryService(), storage = storage)
        first.renew()
        runCurrent()
        first.close()
        assertFailsWith<TokenwardException.Configuration> { manager(MemoryService(), storage = storage) }
        advanceTimeBy(1.seconds)
        manager(MemoryService(), storage = storage).use { assertEquals("Bearer access-1", it.authorize("GET", API).header) }
    }

    @Test
    fun `nothing is sent later than a quarter of the time that an answer has`() = runTest {
        for ((lateMs, sent) in mapOf(7_500L to 0L, 7_501L to 1_000L)) {
            var late = 0L
            val clock = object : TokenClock by VirtualClock(this) {
                override fun now() = testScheduler.currentTime + late
            }
            val service = MemoryService(latency = Duration.ZERO)
            val dispatcher = StandardTestDispatcher(testScheduler)
            var asked = 0
            val io = object : CoroutineDispatcher() {
                override fun dispatch(context: CoroutineContext, block: Runnable) {
                    // The credentials first; between begin and send the device sleeps.
                    if (++asked == 2) late += lateMs
                    dispatcher.dispatch(context, block)
                }
            }
            val options = TokenManagerOptions(clock = clock)
            TokenManager(ACME, TokenIdentity {}, CREDENTIALS, service, MemoryTokenStorage(), options, dispatcher, io, 0).use {
                val start = testScheduler.currentTime
                assertEquals("Bearer access-1", it.authorize("GET", API).header)
                // It has failed: the next one is sent when the backoff is over.
                assertTrue(testScheduler.currentTime - start >= sent)
                assertEquals(1, service.requests.size)
            }
        }
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
                        storage.locked {
                            if (inside.incrementAndGet() == 1) alone.incrementAndGet()
                            Thread.sleep(1)
                            inside.decrementAndGet()
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
    fun `a token that cannot be stored is used and written later`() = runTest {
        val storage = Failing(FileTokenStorage(file, key)).apply { onWrite = IOException("disk full") }
        manager(MemoryService(), storage = storage).use { manager ->
            val events = events(manager)
            assertEquals("Bearer access-1", manager.authorize("GET", API).header)
            assertEquals(listOf(TokenEvent.StorageFailed("storage_failed"), TokenEvent.Refreshed(1)), events)
            assertNull(storage.item())
            storage.onWrite = null
            advanceTimeBy(5.minutes)
            manager.authorize("GET", API)
            runCurrent()
            assertNotNull(storage.item())
        }
    }

    @Test
    fun `what is stored wins over nothing once the storage is unlocked`() = runTest {
        val provider = ACME.copy { primaryGrant = null }
        manager(MemoryService(), provider = provider, storage = FileTokenStorage(file, key)).use {
            it.install(IssuedToken("stored", 600.seconds, refreshToken = "r"))
        }
        val storage = Failing(FileTokenStorage(file, key)).apply { onOpen = StorageLockedException("locked") }
        manager(MemoryService(), provider = provider, storage = storage).use { manager ->
            assertEquals("storage_locked", assertIs<TokenwardException.Storage>(manager.trouble()).code)
            storage.onOpen = null
            advanceTimeBy(10.seconds)
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
            // Nor is one needed where the client itself may ask for a token.
            assertEquals("Bearer access-2", manager.authorize("GET", API).header)
            storage.onWrite = null
            advanceTimeBy(1.hours)
            assertEquals("Bearer access-3", manager.authorize("GET", API).header)
            assertEquals(listOf("client_credentials", "client_credentials", "refresh_token"), service.grants)
        }
    }

    @Test
    fun `a refresh that nobody can replace waits for shared storage`() = runTest {
        val service = MemoryService()
        val storage = Failing(FileTokenStorage(file, key, isShared = true), isShared = true)
        manager(service, provider = ACME.copy { primaryGrant = null }, storage = storage).use { manager ->
            manager.install(IssuedToken("installed", 60.seconds, refreshToken = "r"))
            advanceTimeBy(1.hours)
            storage.onWrite = IOException("disk full")
            assertEquals("storage_failed", assertIs<TokenwardException.Storage>(manager.trouble()).code)
            assertEquals(0, service.requests.size)
            storage.onWrite = null
            advanceTimeBy(10.seconds)
            assertEquals("Bearer access-1", manager.authorize("GET", API).header)
            assertEquals(listOf("refresh_token"), service.grants)
        }
    }

    @Test
    fun `a refresh that a look at the status announces is sent`() = runTest {
        val service = MemoryService()
        manager(service, storage = FileTokenStorage(file, key, isShared = true)).use { manager ->
            manager.authorize("GET", API)
            advanceTimeBy(50.minutes)
            manager.status()
            advanceTimeBy(1.seconds)
            assertEquals(listOf("client_credentials", "refresh_token"), service.grants)
        }
    }

    @Test
    fun `one process takes what another has refreshed`() = runTest {
        val service = MemoryService()
        fun process() = manager(service, storage = Elsewhere(FileTokenStorage(file, key, isShared = true)))
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
        val storage = FileTokenStorage(file, key, isShared = true)
        fun process() = manager(MemoryService(), provider = provider, storage = Elsewhere(storage))
        val (one, other) = process() to process()
        one.install(IssuedToken("first", 60.seconds, refreshToken = "r"))
        assertEquals("Bearer first", other.authorize("GET", API).header)
        val events = events(other)
        one.signOut()
        assertTrue(storage.isTombstone(provider))
        // Until storage is looked at the other goes on with what it has.
        assertEquals("Bearer first", other.authorize("GET", API).header)
        other.reload()
        runCurrent()
        val refused = assertFailsWith<TokenwardException.SignInRequired> { other.authorize("GET", API) }
        assertEquals("signed_out", refused.code)
        assertEquals(listOf<TokenEvent>(TokenEvent.SignedOut), events)
        // And a sign-in in one process is one in the other.
        one.install(IssuedToken("second", 60.seconds))
        assertEquals("Bearer second", other.authorize("GET", API).header)
        one.close()
        other.close()
    }

    @Test
    fun `a sign-out that cannot be stored is told and stored later`() = runTest {
        val provider = ACME.copy { primaryGrant = null }
        val storage = Failing(FileTokenStorage(file, key))
        manager(MemoryService(), provider = provider, storage = storage).use { manager ->
            manager.install(IssuedToken("first", 60.seconds))
            storage.onWrite = IOException("read-only")
            assertFailsWith<TokenwardException.Storage> { manager.signOut() }
            assertFailsWith<TokenwardException> { manager.authorize("GET", API) }
            storage.onWrite = null
            advanceTimeBy(10.seconds)
            assertFailsWith<TokenwardException.SignInRequired> { manager.authorize("GET", API) }
            assertTrue(storage.isTombstone(provider))
        }
    }

    @Test
    fun `a sign-out outlives the process`() = runTest {
        val service = MemoryService()
        manager(service, storage = FileTokenStorage(file, key)).use { manager ->
            manager.authorize("GET", API)
            manager.signOut()
        }
        manager(service, storage = FileTokenStorage(file, key)).use { manager ->
            assertEquals(TokenStatus(false, TokenNext.Supply(0uL, TokenReason.NO_TOKEN), null), manager.status())
            assertEquals("signed_out", assertFailsWith<TokenwardException.SignInRequired> { manager.authorize("GET", API) }.code)
            assertEquals(1, service.requests.size)
            manager.signIn()
            assertEquals("Bearer access-2", manager.authorize("GET", API).header)
        }
    }

    @Test
    fun `another provider's state is told and not taken`() = runTest {
        val provider = ACME.copy { primaryGrant = null }
        manager(MemoryService(), provider = provider, storage = FileTokenStorage(file, key)).use {
            it.install(IssuedToken("first", 60.seconds, refreshToken = "r"))
        }
        val other = provider.copy { name = "other" }
        manager(MemoryService(), provider = other, storage = FileTokenStorage(file, key)).use { manager ->
            val events = events(manager)
            assertEquals("damaged", assertFailsWith<TokenwardException.SignInRequired> { manager.authorize("GET", API) }.code)
            assertEquals(
                listOf(TokenEvent.StorageFailed("foreign_snapshot"), TokenEvent.NeedsSignIn(TokenReason.DAMAGED)),
                events,
            )
        }
        manager(MemoryService(), provider = provider, storage = FileTokenStorage(file, key)).use {
            assertEquals("Bearer first", it.authorize("GET", API).header)
        }
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
