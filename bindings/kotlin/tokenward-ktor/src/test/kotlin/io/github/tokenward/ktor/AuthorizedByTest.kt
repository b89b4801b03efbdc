package io.github.tokenward.ktor

import io.github.tokenward.Credentials
import io.github.tokenward.Exposure
import io.github.tokenward.RefreshPolicy
import io.github.tokenward.TokenGrant
import io.github.tokenward.TokenIdentity
import io.github.tokenward.TokenManager
import io.github.tokenward.TokenProvider
import io.github.tokenward.TokenSource
import io.github.tokenward.TokenTransport
import io.github.tokenward.TokenwardException
import io.github.tokenward.TransportHeader
import io.github.tokenward.TransportRequest
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

class AuthorizedByTest {
    private var tokens = 0
    private val tokenService = MockEngine { respond("""{"access_token":"t${++tokens}","expires_in":3600}""") }

    private fun manager() = TokenManager(
        TokenProvider("acme", "https://login.example/token") {
            apiOrigins = listOf("https://api.example")
            primaryGrant = TokenGrant.CLIENT_CREDENTIALS
            exposure = Exposure.APP_ALLOWED
            // Every 401 is believed.
            policy = RefreshPolicy { minIntervalMs = 0u }
        },
        TokenIdentity {},
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
        val bodies = ArrayDeque(listOf(0, TokenTransport.MAX_BODY_BYTES, TokenTransport.MAX_BODY_BYTES + 1))
        val engine = MockEngine {
            val size = bodies.removeFirst()
            val location = headersOf(HttpHeaders.Location, "https://elsewhere.example/")
            if (size == 0) respond("", HttpStatusCode.TemporaryRedirect, location) else respond("x".repeat(size))
        }
        val transport = KtorTransport(engine)
        val headers =
            listOf(
                TransportHeader("Content-Type", "application/x-www-form-urlencoded"),
                TransportHeader("Accept", "application/json"),
            )
        val request = TransportRequest("POST", "https://login.example/token", headers, "a=b".encodeToByteArray())
        assertEquals(307, transport.send(request).status)
        assertEquals(TokenTransport.MAX_BODY_BYTES, transport.send(request).body.size)
        assertFailsWith<IOException> { transport.send(request) }
        val sent = engine.requestHistory.first()
        assertEquals("application/x-www-form-urlencoded", sent.body.contentType.toString())
        assertEquals(listOf("application/json"), sent.headers.getAll(HttpHeaders.Accept))
        assertEquals(3, engine.requestHistory.size)
    }
}
