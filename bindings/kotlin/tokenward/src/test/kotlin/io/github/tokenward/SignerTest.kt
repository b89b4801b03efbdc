package io.github.tokenward

import kotlinx.coroutines.ExperimentalCoroutinesApi
import kotlinx.coroutines.delay
import kotlinx.coroutines.flow.filterIsInstance
import kotlinx.coroutines.launch
import kotlinx.coroutines.test.TestScope
import kotlinx.coroutines.test.UnconfinedTestDispatcher
import kotlinx.coroutines.test.runTest
import java.io.IOException
import java.util.Base64
import kotlin.test.Test
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith
import kotlin.test.assertIs
import kotlin.test.assertNotEquals
import kotlin.test.assertTrue
import kotlin.time.Duration.Companion.hours
import kotlin.time.Duration.Companion.seconds

/** A client signs its requests by a key of its own. */
@OptIn(ExperimentalCoroutinesApi::class)
class SignerTest {
    private val service = MemoryService()
    private val back = "com.example.app:/callback"
    private val acme = ACME.copy {
        authentication = ClientAuthentication.PRIVATE_KEY_JWT
        authorizationUrl = "https://login.acme.example/authorize"
        devicePath = "/device"
        revocationPath = "/oauth2/revoke"
    }

    /** What was to be signed. */
    private val inputs = ArrayList<String>()

    /** What the key does in place of signing. */
    private var instead: (() -> ByteArray)? = null

    private val source = TokenSource.credentials {
        val signer = ClientSigner(SignatureAlgorithm.ES256, "thumbprint") { data ->
            inputs += data.decodeToString()
            instead?.invoke() ?: DER
        }
        Credentials("app", keyId = "k1", signer = signer)
    }

    private fun TestScope.signing(provider: TokenProvider = acme) = manager(service, source, provider)

    private fun broken(): Nothing = throw IOException("the key is locked")

    /** The assertion of the request that was sent last. */
    private fun assertion(): String = service.requests.last().substringAfter("&client_assertion=").substringBefore('&')

    private fun json(part: String) = String(Base64.getUrlDecoder().decode(part))

    @Test
    fun `each request is signed anew and a signature in DER becomes two numbers`() = runTest {
        signing().use { manager ->
            manager.authorize("GET", API)
            val (header, claims, signature) = assertion().split('.')
            assertEquals("""{"typ":"JWT","alg":"ES256","kid":"k1","x5t#S256":"thumbprint"}""", json(header))
            assertTrue(""""aud":"https://login.acme.example/oauth2/token"""" in json(claims))
            assertEquals(listOf("$header.$claims"), inputs)
            val numbers = Base64.getUrlDecoder().decode(signature)
            assertEquals(ByteArray(64).also { it[31] = 1 }.also { it[63] = 2 }.toList(), numbers.toList())
            manager.renew()
            delay(2.seconds)
            manager.authorize("GET", API)
            testScheduler.advanceUntilIdle()
            assertEquals(inputs.last(), assertion().substringBeforeLast('.'))
            assertEquals(2, inputs.toSet().size)
        }
    }

    @Test
    fun `a key that does not sign is told and nothing is sent until it does`() = runTest {
        signing().use { manager ->
            instead = ::broken
            val failed = assertFailsWith<TokenwardException.Transport> { manager.authorize("GET", API) }
            assertIs<IOException>(failed.cause)
            instead = { ByteArray(63) }
            val invalid = assertFailsWith<TokenwardException.Configuration> { manager.authorize("GET", API) }
            assertEquals("invalid_signature", invalid.code)
            assertTrue(service.requests.isEmpty())
            instead = null
            manager.authorize("GET", API)
            assertEquals(1, service.requests.size)
        }
    }

    @Test
    fun `what waited for the next try is signed at that time`() = runTest {
        signing().use { manager ->
            service.answers += MemoryService.answer(503, "")
            manager.authorize("GET", API)
            val times = service.requests.map { request ->
                val claims = request.substringAfter("&client_assertion=").split('.')[1]
                json(claims).substringAfter("\"iat\":").substringBefore(',').toLong()
            }
            assertEquals(2, times.size)
            assertNotEquals(times[0], times[1])
        }
    }

    @Test
    fun `a service that wants no signature asks no key`() = runTest {
        signing(acme.copy { authentication = ClientAuthentication.PUBLIC_CLIENT }).use { manager ->
            instead = ::broken
            manager.authorize("GET", API)
            assertTrue(inputs.isEmpty())
            assertTrue(service.requests.single().endsWith("&client_id=app"))
        }
    }

    @Test
    fun `a key that does not sign leaves the code of a sign-in to another try`() = runTest {
        val pending = MemoryTokenStorage()
        signing(acme.copy { primaryGrant = null }).use { manager ->
            instead = ::broken
            var callback = ""
            assertFailsWith<TokenwardException.Transport> {
                manager.signIn(back, pending) { request ->
                    callback = "$back?code=c&state=" + request.url.substringAfter("&state=").substringBefore('&')
                    callback
                }
            }
            assertTrue(service.requests.isEmpty())
            instead = null
            manager.resumeSignIn(callback, pending)
            assertEquals(listOf("authorization_code"), service.grants)
            assertEquals(inputs.last(), assertion().substringBeforeLast('.'))
        }
    }

    @Test
    fun `a key that breaks while a device waits ends its sign-in`() = runTest {
        val codes = """{"device_code":"d","user_code":"WDJB","verification_uri":"https://acme.example/d","expires_in":900}"""
        service.answers += MemoryService.answer(200, codes)
        signing(acme.copy { primaryGrant = null }).use { manager ->
            assertFailsWith<TokenwardException.Transport> { manager.signInOnAnotherDevice { instead = ::broken } }
            instead = null
            service.answers += MemoryService.answer(200, codes)
            val invalid = assertFailsWith<TokenwardException.Configuration> {
                manager.signInOnAnotherDevice { instead = { ByteArray(1) } }
            }
            assertEquals("invalid_signature", invalid.code)
            assertEquals(2, service.requests.size)
        }
    }

    @Test
    fun `a sign-out is signed and a key that does not sign is told`() = runTest {
        signing().use { manager ->
            val failed = ArrayList<TokenEvent.RevocationFailed>()
            backgroundScope.launch(UnconfinedTestDispatcher(testScheduler)) {
                manager.events.filterIsInstance<TokenEvent.RevocationFailed>().collect(failed::add)
            }
            for (fails in listOf(false, true)) {
                manager.install(IssuedToken("a", 1.hours, "r"))
                instead = if (fails) ::broken else null
                service.answers += MemoryService.answer(200, "")
                manager.signOut(revoking = true)
                val gone = assertFailsWith<TokenwardException.SignInRequired> { manager.authorize("GET", API) }
                assertEquals("signed_out", gone.code)
            }
            assertEquals(1, service.requests.size)
            val start = "token=r&token_type_hint=refresh_token&client_id=app&client_assertion_type="
            assertTrue(service.requests.single().startsWith(start))
            assertEquals(1, failed.size)
        }
    }

    private companion object {
        /** The numbers 1 and 2. */
        val DER = byteArrayOf(0x30, 6, 2, 1, 1, 2, 1, 2)
    }
}
