package io.github.tokenward.android

import android.app.Application
import android.content.Context
import android.content.Intent
import android.net.Uri
import io.github.tokenward.ClientAuthentication
import io.github.tokenward.Credentials
import io.github.tokenward.Exposure
import io.github.tokenward.TokenManager
import io.github.tokenward.TokenProvider
import io.github.tokenward.TokenSource
import io.github.tokenward.TokenStorage
import io.github.tokenward.TokenTransport
import io.github.tokenward.TokenwardException
import io.github.tokenward.TransportRequest
import io.github.tokenward.TransportResponse
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Deferred
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.async
import kotlinx.coroutines.cancelAndJoin
import kotlinx.coroutines.delay
import kotlinx.coroutines.runBlocking
import kotlinx.coroutines.withTimeout
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Before
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.Robolectric
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment
import org.robolectric.Shadows.shadowOf
import org.robolectric.annotation.Config
import java.util.concurrent.CopyOnWriteArrayList
import kotlin.time.Duration.Companion.seconds

private lateinit var tokens: TokenManager

private lateinit var pending: TokenStorage

// android
class SignInActivity : RedirectActivity() {
    override suspend fun resume(callback: String) = tokens.resumeSignIn(callback, pending)
}

suspend fun signIn(context: Context) = tokens.signInByIntent(context, "com.example.app:/callback", pending)
// end

@RunWith(RobolectricTestRunner::class)
@Config(sdk = [26])
class SignInTest {
    private val app: Application get() = RuntimeEnvironment.getApplication()
    private val back = "com.example.app:/callback"
    private val sent = CopyOnWriteArrayList<TransportRequest>()

    @Before
    fun keystore() {
        SoftwareKeystore.install()
        SoftwareKeystore.keys.clear()
        SoftwareKeystore.fault = null
        tokens = manager()
        pending = AndroidTokenStorage(app, "pending")
    }

    private fun manager() = TokenManager(
        provider = TokenProvider("acme", "https://login.acme.example", "/token") {
            authorizationUrl = "https://login.acme.example/authorize"
            authentication = ClientAuthentication.PUBLIC_CLIENT
            refreshGrant = true
            exposure = Exposure.APP_ALLOWED
        },
        source = TokenSource.credentials { Credentials("app") },
        transport = object : TokenTransport {
            override suspend fun send(request: TransportRequest): TransportResponse {
                sent += request
                val token = """{"access_token":"a","token_type":"Bearer","expires_in":3600}"""
                return TransportResponse(200, emptyList(), token.encodeToByteArray())
            }
        },
    )

    private suspend fun opened(): String {
        repeat(200) {
            shadowOf(app).nextStartedActivity?.let { intent ->
                assertEquals(Intent.ACTION_VIEW, intent.action)
                return checkNotNull(intent.dataString)
            }
            delay(20)
        }
        throw AssertionError("no browser was opened")
    }

    private fun callback(url: String) = "$back?code=c&state=" + url.substringAfter("&state=").substringBefore('&')

    private fun comesBack(callback: String) {
        val intent = Intent(Intent.ACTION_VIEW, Uri.parse(callback), app, SignInActivity::class.java)
        assertTrue(Robolectric.buildActivity(SignInActivity::class.java, intent).create().get().isFinishing)
    }

    private suspend fun header() = tokens.authorize("GET", "https://login.acme.example/me").header

    private fun signingIn(): Deferred<Unit> = CoroutineScope(Dispatchers.IO).async { signIn(app) }

    @Test
    fun `a sign-in opens the browser and ends with its own callback alone`() = runBlocking {
        val signingIn = signingIn()
        val url = opened()
        assertTrue(url.startsWith("https://login.acme.example/authorize?response_type=code&client_id=app&"))
        comesBack("$back?code=c&state=forged")
        delay(100)
        assertFalse(signingIn.isCompleted)
        comesBack(callback(url))
        signingIn.await()
        assertEquals("Bearer a", header())
    }

    @Test
    fun `a callback that comes to the next process is resumed there, once`() = runBlocking {
        val signingIn = signingIn()
        val url = opened()
        signingIn.cancelAndJoin()
        tokens = manager()
        repeat(2) {
            comesBack(callback(url))
            withTimeout(10.seconds) { while (!tokens.status().isUsable) delay(10) }
        }
        assertEquals("Bearer a", header())
        assertThrows(TokenwardException.NotAllowed::class.java) { runBlocking { tokens.resumeSignIn(callback(url), pending) } }
        assertEquals(1, sent.size)
    }

    @Test
    fun `an activity that is started without a callback goes`() {
        assertTrue(Robolectric.buildActivity(SignInActivity::class.java, Intent()).create().get().isFinishing)
    }
}
