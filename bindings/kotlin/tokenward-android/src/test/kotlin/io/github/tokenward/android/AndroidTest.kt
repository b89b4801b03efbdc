package io.github.tokenward.android

import android.app.Application
import android.os.UserManager
import android.security.keystore.KeyPermanentlyInvalidatedException
import io.github.tokenward.ClientAuthentication
import io.github.tokenward.Credentials
import io.github.tokenward.Exposure
import io.github.tokenward.FileTokenStorage
import io.github.tokenward.IssuedToken
import io.github.tokenward.StorageLockedException
import io.github.tokenward.TokenIdentity
import io.github.tokenward.TokenManager
import io.github.tokenward.TokenManagerOptions
import io.github.tokenward.TokenPreset
import io.github.tokenward.TokenProvider
import io.github.tokenward.TokenSource
import io.github.tokenward.TokenStorage
import io.github.tokenward.TokenTransport
import io.github.tokenward.TokenwardException
import io.github.tokenward.TransportRequest
import kotlinx.coroutines.runBlocking
import org.junit.Assert.assertArrayEquals
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertNull
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Before
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment
import org.robolectric.Shadows.shadowOf
import org.robolectric.annotation.Config
import org.robolectric.shadows.ShadowSystemClock
import java.io.File
import java.io.IOException
import java.security.UnrecoverableKeyException
import java.time.Duration
import java.util.concurrent.CyclicBarrier
import javax.crypto.SecretKey
import javax.crypto.spec.SecretKeySpec
import kotlin.concurrent.thread
import kotlin.time.Duration.Companion.hours

@RunWith(RobolectricTestRunner::class)
@Config(sdk = [26])
class AndroidTest {
    private val app: Application get() = RuntimeEnvironment.getApplication()
    private val folder get() = File(app.noBackupFilesDir, "tokenward")

    @Before
    fun keystore() {
        SoftwareKeystore.install()
        SoftwareKeystore.keys.clear()
        SoftwareKeystore.fault = null
        folder.deleteRecursively()
    }

    private fun TokenStorage.read(): ByteArray? {
        var item: ByteArray? = null
        locked { item = it.read() }
        return item
    }

    private fun TokenStorage.write(text: String) = locked { it.write(text.encodeToByteArray()) }

    /** There is something, but nobody can read it any more. */
    private fun assertLost(storage: TokenStorage) = assertArrayEquals(ByteArray(0), storage.read())

    @Test
    fun `what is stored comes back and is encrypted in a folder that is not backed up`() {
        AndroidTokenStorage(app, "site").write("canary")
        assertEquals("canary", AndroidTokenStorage(app, "site").read()?.decodeToString())
        assertNull(AndroidTokenStorage(app, "other").read())
        assertFalse("canary" in File(folder, "site.state").readBytes().decodeToString())
    }

    @Test
    fun `what is damaged is lost and not taken for nothing`() {
        val damages = listOf<(File) -> Unit>(
            { it.writeBytes(ByteArray(0)) },
            { it.writeBytes(it.readBytes().take(20).toByteArray()) },
            { it.writeBytes(it.readBytes().dropLast(1).toByteArray()) },
            { file -> file.writeBytes(file.readBytes().also { it[20] = (it[20] + 1).toByte() }) },
        )
        for (damage in damages) {
            val storage = AndroidTokenStorage(app, "site").apply { write("canary") }
            damage(File(folder, "site.state"))
            assertLost(storage)
            storage.write("again")
            assertEquals("again", storage.read()?.decodeToString())
        }
    }

    @Test
    fun `managers that all start for the first time at once use one key`() {
        repeat(50) { run ->
            SoftwareKeystore.keys.clear()
            folder.deleteRecursively()
            val storages = List(4) { AndroidTokenStorage(app, "m$run-$it") }
            val start = CyclicBarrier(storages.size)
            storages.map { storage ->
                thread {
                    start.await()
                    storage.write("canary")
                }
            }.forEach { it.join() }
            assertEquals(List(4) { "canary" }, storages.map { it.read()?.decodeToString() })
        }
    }

    /** While the Keystore fails like this, storage fails, and nothing of it is left when the Keystore is well again. */
    private fun passes(fail: () -> Unit) {
        AndroidTokenStorage(app, "site").write("canary")
        val key = SoftwareKeystore.keys.getValue(ALIAS)
        val files = listOf("site.state").associateWith { File(folder, it).readBytes() }
        fail()
        for (name in listOf("site", "other")) {
            assertThrows(Exception::class.java) { AndroidTokenStorage(app, name).write("overwritten") }
        }
        assertThrows(Exception::class.java) { AndroidTokenStorage(app, "site").read() }
        SoftwareKeystore.fault = null
        SoftwareKeystore.keys[ALIAS] = key
        files.forEach { (name, bytes) -> assertArrayEquals(bytes, File(folder, name).readBytes()) }
        assertEquals("canary", AndroidTokenStorage(app, "site").read()?.decodeToString())
    }

    @Test
    fun `a key that the Keystore does not find passes`() = passes { SoftwareKeystore.keys.clear() }

    @Test
    fun `a Keystore that gives no key passes`() = passes { SoftwareKeystore.fault = UnrecoverableKeyException("busy") }

    @Test
    fun `a key that cannot be used passes`() = passes { SoftwareKeystore.keys[ALIAS] = SecretKeySpec(ByteArray(5), "AES") }

    @Test
    fun `a session outlives a start at which the Keystore fails`() = runBlocking {
        val acme = TokenProvider("acme", "https://login.example", "/token") {
            apiOrigins = listOf("https://api.example")
            primaryGrant = null
            refreshGrant = true
            authentication = ClientAuthentication.PUBLIC_CLIENT
            exposure = Exposure.APP_ALLOWED
        }
        val offline = object : TokenTransport {
            override suspend fun send(request: TransportRequest) = throw IOException("offline")
        }
        val source = TokenSource.credentials { Credentials("app") }
        val options = TokenManagerOptions(requestTimeout = 0.hours)
        fun process() = TokenManager(acme, TokenIdentity {}, source, offline, AndroidTokenStorage(app, "user"), options)
        val url = "https://api.example/"
        process().use { it.install(IssuedToken("access", 1.hours, "refresh")) }
        val key = checkNotNull(SoftwareKeystore.keys.remove(ALIAS))
        process().use { manager ->
            val none = assertThrows(TokenwardException::class.java) { runBlocking { manager.authorize("GET", url) } }
            assertTrue(none.cause is TokenwardException.Storage)
        }
        SoftwareKeystore.keys[ALIAS] = key
        process().use { assertEquals("Bearer access", it.authorize("GET", url).header) }
    }

    @Test
    fun `a key that is not found for a day is gone and what it encrypted is lost`() {
        AndroidTokenStorage(app, "site").write("canary")
        SoftwareKeystore.keys.clear()
        assertThrows(IOException::class.java) { AndroidTokenStorage(app, "site").read() }
        val day = Duration.ofDays(1).toMillis()
        val since = FileTokenStorage(File(folder, ALIAS).toPath(), ByteArray(32) { 1 })
        since.locked { access ->
            val noted = checkNotNull(access.read()).decodeToString().toLong()
            access.write("${noted - day}".encodeToByteArray())
        }
        assertLost(AndroidTokenStorage(app, "site"))
        AndroidTokenStorage(app, "site").write("again")
        assertEquals("again", AndroidTokenStorage(app, "site").read()?.decodeToString())
        assertEquals(0, File(folder, ALIAS).length())
    }

    @Test
    fun `what was encrypted under a key that Android has invalidated is lost`() {
        AndroidTokenStorage(app, "site").write("canary")
        AndroidTokenStorage(app, "other").write("canary")
        SoftwareKeystore.keys[ALIAS] = object : SecretKey {
            override fun getAlgorithm() = "AES"

            override fun getFormat() = "RAW"

            override fun getEncoded() = throw KeyPermanentlyInvalidatedException()
        }
        val storages = listOf("site", "other").map { AndroidTokenStorage(app, it) }
        for (storage in storages) {
            assertLost(storage)
            storage.write("again")
        }
        assertEquals(listOf("again", "again"), storages.map { it.read()?.decodeToString() })
    }

    @Test
    fun `one file in place of another is not taken`() {
        AndroidTokenStorage(app, "a").write("canary")
        File(folder, "a.state").copyTo(File(folder, "b.state"))
        assertLost(AndroidTokenStorage(app, "b"))
    }

    @Test
    fun `before the first unlock storage is locked and not empty`() {
        val storage = AndroidTokenStorage(app, "site").apply { write("canary") }
        val users = shadowOf(app.getSystemService(UserManager::class.java))
        users.setUserUnlocked(false)
        assertThrows(StorageLockedException::class.java) { AndroidTokenStorage(app, "site").read() }
        users.setUserUnlocked(true)
        assertEquals("canary", storage.read()?.decodeToString())
    }

    @Test
    fun `a name that would leave the folder is refused`() {
        assertThrows(IllegalArgumentException::class.java) { AndroidTokenStorage(app, "../site") }
    }

    @Test
    fun `a site token outlives the process and is asked for again by the clock that counts sleep`() = runBlocking {
        var asked = 0
        fun process() = TokenManager(
            TokenProvider(TokenPreset.FLIP_ENERGY_SITE_BY_BACKEND) { baseUrl = "https://api.example" },
            TokenIdentity { site = "s1" },
            TokenSource.backend { IssuedToken("site-${++asked}", 1.hours) },
            storage = AndroidTokenStorage(app, "s1"),
            options = TokenManagerOptions(clock = AndroidClock),
        )
        val url = "https://api.example/v1/site/s1/devices"
        process().use { assertEquals("Bearer site-1", it.authorize("GET", url).header) }
        process().use { manager ->
            assertEquals("Bearer site-1", manager.authorize("GET", url).header)
            ShadowSystemClock.advanceBy(Duration.ofHours(1))
            assertEquals("Bearer site-2", manager.authorize("GET", url).header)
            manager.signOut()
        }
        process().use { manager ->
            assertEquals(
                "signed_out",
                assertThrows(TokenwardException::class.java) {
                    runBlocking { manager.authorize("GET", url) }
                }.code,
            )
        }
    }

    private companion object {
        const val ALIAS = "io.github.tokenward"
    }
}
