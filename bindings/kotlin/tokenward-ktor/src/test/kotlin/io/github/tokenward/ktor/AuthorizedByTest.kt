package io.github.tokenward.ktor

import io.github.tokenward.ApiOrigins
import io.github.tokenward.Credentials
import io.github.tokenward.Exposure
import io.github.tokenward.Grant
import io.github.tokenward.HttpHeader
import io.github.tokenward.HttpRequest
import io.github.tokenward.Provider
import io.github.tokenward.RefreshPolicy
import io.github.tokenward.Subject
import io.github.tokenward.TokenManager
import io.github.tokenward.TokenSource
import io.github.tokenward.TokenwardException
import io.github.tokenward.Transport
import io.ktor.client.HttpClient
import io.ktor.client.engine.mock.MockEngine
import io.ktor.client.engine.mock.respond
import io.ktor.client.request.get
import io.ktor.http.HttpHeaders
import io.ktor.http.HttpStatusCode
import io.ktor.http.headersOf
import kotlinx.coroutines.test.runTest
import java.io.IOException
import kotlin.test.Test
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith
import kotlin.time.Duration

class AuthorizedByTest {
    private var tokens = 0
    private val tokenService = MockEngine { respond("""{"access_token":"t${++tokens}","expires_in":3600}""") }

    private fun manager() = TokenManager(
        Provider(
            name = "acme",
            baseUrl = "https://login.example/token",
            apiOrigins = ApiOrigins.Listed("https://api.example"),
            grants = listOf(Grant.CLIENT_CREDENTIALS),
            exposure = Exposure.APP_ALLOWED,
            // Every 401 is believed.
            policy = RefreshPolicy(minInterval = Duration.ZERO),
        ),
        Subject.Client,
        TokenSource.credentials { Credentials("id", "secret") },
        KtorTransport(tokenService),
    )

    private fun client(engine: MockEngine, manager: TokenManager) = HttpClient(engine) {
        install(AuthorizedBy) {
            this.manager =
                manager
        }
    }

    private fun MockEngine.fields() = requestHistory.map { it.headers[HttpHeaders.Authorization] }

    @Test
    fun `a 401 is sent once more with a new token and once only`() = runTest {
        manager().use { manager ->
            val api = MockEngine { respond("", HttpStatusCode.Unauthorized) }
            assertEquals(HttpStatusCode.Unauthorized, client(api, manager).get("https://api.example/v1").status)
            assertEquals(listOf<String?>("Bearer t1", "Bearer t2"), api.fields())
        }
    }

    @Test
    fun `a 403 is not sent again`() = runTest {
        manager().use { manager ->
            val api = MockEngine { respond("", HttpStatusCode.Forbidden) }
            assertEquals(HttpStatusCode.Forbidden, client(api, manager).get("https://api.example/v1").status)
            assertEquals(listOf<String?>("Bearer t1"), api.fields())
        }
    }

    @Test
    fun `a redirect to another origin carries no token`() = runTest {
        manager().use { manager ->
            val api = MockEngine { request ->
                if (request.url.host == "api.example") {
                    respond("", HttpStatusCode.Found, headersOf(HttpHeaders.Location, "https://elsewhere.example/"))
                } else {
                    respond("", HttpStatusCode.Unauthorized)
                }
            }
            assertEquals(HttpStatusCode.Unauthorized, client(api, manager).get("https://api.example/v1").status)
            assertEquals(listOf("Bearer t1", null), api.fields())
        }
    }

    @Test
    fun `a request that the token does not belong to fails before it is sent`() = runTest {
        manager().use { manager ->
            val api = MockEngine { respond("") }
            val refused = assertFailsWith<TokenwardException.NotAllowed> { client(api, manager).get("https://evil.example/") }
            assertEquals("origin_not_allowed", refused.code)
            assertEquals(0, api.requestHistory.size + tokens)
        }
    }

    @Test
    fun `the transport sends what the core wrote follows no redirect and reads no endless body`() = runTest {
        val bodies = ArrayDeque(listOf(0, Transport.MAX_BODY_BYTES, Transport.MAX_BODY_BYTES + 1))
        val engine = MockEngine {
            val size = bodies.removeFirst()
            val location = headersOf(HttpHeaders.Location, "https://elsewhere.example/")
            if (size == 0) respond("", HttpStatusCode.TemporaryRedirect, location) else respond("x".repeat(size))
        }
        val transport = KtorTransport(engine)
        val headers =
            listOf(HttpHeader("Content-Type", "application/x-www-form-urlencoded"), HttpHeader("Accept", "application/json"))
        val request = HttpRequest("POST", "https://login.example/token", headers, "a=b".encodeToByteArray())
        assertEquals(307, transport.send(request).status)
        assertEquals(Transport.MAX_BODY_BYTES, transport.send(request).body.size)
        assertFailsWith<IOException> { transport.send(request) }
        val sent = engine.requestHistory.first()
        assertEquals("application/x-www-form-urlencoded", sent.body.contentType.toString())
        assertEquals(listOf("application/json"), sent.headers.getAll(HttpHeaders.Accept))
        assertEquals(3, engine.requestHistory.size)
    }
}
