package io.github.tokenward.android

import android.app.Application
import android.os.UserManager
import io.github.tokenward.IssuedToken
import io.github.tokenward.StorageChange
import io.github.tokenward.StorageLockedException
import io.github.tokenward.TokenIdentity
import io.github.tokenward.TokenManager
import io.github.tokenward.TokenManagerOptions
import io.github.tokenward.TokenPreset
import io.github.tokenward.TokenProvider
import io.github.tokenward.TokenSource
import io.github.tokenward.TokenStorage
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
import java.time.Duration
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
    }

    private fun TokenStorage.read(): ByteArray? {
        var item: ByteArray? = null
        transact { current ->
            item = current
            StorageChange.Keep
        }
        return item
    }

    private fun TokenStorage.write(text: String) = transact { StorageChange.Replace(text.encodeToByteArray()) }

    @Test
    fun `what is stored comes back and is encrypted in a folder that is not backed up`() {
        AndroidTokenStorage(app, "site").write("canary")
        assertEquals("canary", AndroidTokenStorage(app, "site").read()?.decodeToString())
        assertNull(AndroidTokenStorage(app, "other").read())
        assertFalse("canary" in File(folder, "site.state").readBytes().decodeToString())
    }

    @Test
    fun `the key of the seal is made once and is encrypted too`() {
        val key = AndroidTokenStorage(app, "site").sealKey()
        assertEquals(32, key.size)
        assertArrayEquals(key, AndroidTokenStorage(app, "site").sealKey())
        assertFalse(key.contentEquals(AndroidTokenStorage(app, "other").sealKey()))
        assertEquals(12 + 32 + 16, File(folder, "site.key").length().toInt())
    }

    @Test
    fun `what cannot be decrypted is as good as nothing`() {
        val damages = listOf<(File) -> Unit>(
            { it.writeBytes(ByteArray(0)) },
            { it.writeBytes(it.readBytes().dropLast(1).toByteArray()) },
            { file -> file.writeBytes(file.readBytes().also { it[20] = (it[20] + 1).toByte() }) },
            { SoftwareKeystore.keys.clear() },
        )
        for (damage in damages) {
            val storage = AndroidTokenStorage(app, "site").apply { write("canary") }
            damage(File(folder, "site.state"))
            assertNull(storage.read())
            storage.write("again")
            assertEquals("again", storage.read()?.decodeToString())
        }
    }

    @Test
    fun `one file in place of another is not taken`() {
        AndroidTokenStorage(app, "a").write("canary")
        File(folder, "a.state").copyTo(File(folder, "b.state"))
        assertNull(AndroidTokenStorage(app, "b").read())
    }

    @Test
    fun `before the first unlock storage is locked and not empty`() {
        val storage = AndroidTokenStorage(app, "site").apply { write("canary") }
        val users = shadowOf(app.getSystemService(UserManager::class.java))
        users.setUserUnlocked(false)
        assertThrows(StorageLockedException::class.java) { AndroidTokenStorage(app, "site").read() }
        assertThrows(StorageLockedException::class.java) { AndroidTokenStorage(app, "site").sealKey() }
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
        assertTrue(File(folder, "s1.state").exists().not())
    }
}
