package io.github.tokenward.ktor

import com.sun.net.httpserver.HttpServer
import io.github.tokenward.Credentials
import io.github.tokenward.Exposure
import io.github.tokenward.RefreshPolicy
import io.github.tokenward.TokenClock
import io.github.tokenward.TokenGrant
import io.github.tokenward.TokenIdentity
import io.github.tokenward.TokenManager
import io.github.tokenward.TokenManagerOptions
import io.github.tokenward.TokenProvider
import io.github.tokenward.TokenRoute
import io.github.tokenward.TokenSource
import io.github.tokenward.TokenTransport
import io.github.tokenward.TokenwardException
import io.github.tokenward.TransportHeader
import io.github.tokenward.TransportRequest
import io.ktor.client.HttpClient
import io.ktor.client.engine.cio.CIO
import io.ktor.client.engine.mock.MockEngine
import io.ktor.client.engine.mock.respond
import io.ktor.client.engine.mock.respondError
import io.ktor.client.engine.mock.toByteArray
import io.ktor.client.engine.okhttp.OkHttp
import io.ktor.client.request.get
import io.ktor.client.request.post
import io.ktor.client.request.setBody
import io.ktor.http.HttpHeaders
import io.ktor.http.HttpStatusCode
import io.ktor.http.content.ChannelWriterContent
import io.ktor.http.content.OutgoingContent
import io.ktor.http.headersOf
import io.ktor.utils.io.ByteReadChannel
import io.ktor.utils.io.writeStringUtf8
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.delay
import kotlinx.coroutines.joinAll
import kotlinx.coroutines.launch
import kotlinx.coroutines.runBlocking
import kotlinx.coroutines.test.runTest
import kotlinx.coroutines.withTimeout
import java.io.IOException
import java.net.InetSocketAddress
import kotlin.test.Test
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith
import kotlin.time.Duration
import kotlin.time.Duration.Companion.seconds

class AuthorizedByTest {
    private var tokens = 0
    private var isDown = false
    private val tokenService = MockEngine {
        delay(100)
        if (isDown) {
            respondError(HttpStatusCode.ServiceUnavailable)
        } else {
            respond("""{"access_token":"t${++tokens}","expires_in":3600}""")
        }
    }

    private fun manager(
        clock: TokenClock = TokenClock.system,
        patience: Duration = 30.seconds,
        change: TokenProvider.() -> Unit = {},
    ) = TokenManager(
        TokenProvider("acme", "https://login.example/token") {
            apiOrigins = listOf("https://api.example")
            primaryGrant = TokenGrant.CLIENT_CREDENTIALS
            exposure = Exposure.APP_ALLOWED
            // Every 401 is believed.
            policy = RefreshPolicy { minIntervalMs = 0u }
            change()
        },
        TokenIdentity {},
        TokenSource.credentials { Credentials("id", "secret") },
        KtorTransport(tokenService),
        options = TokenManagerOptions(clock = clock, requestTimeout = patience),
    )

    private fun client(engine: MockEngine, manager: TokenManager) = HttpClient(engine) {
        install(AuthorizedBy) { this.manager = manager }
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
    fun `only a body that can be read twice is sent twice`() = runTest {
        val stream = object : OutgoingContent.ReadChannelContent() {
            private val channel = ByteReadChannel("twelve litres")

            override fun readFrom() = channel
        }
        val bodies = mapOf(
            "twelve litres" to 2,
            "twelve litres".encodeToByteArray() to 2,
            stream to 1,
            ByteReadChannel("twelve litres") to 1,
            ChannelWriterContent({ writeStringUtf8("twelve litres") }, null) to 1,
        )
        for ((body, times) in bodies) {
            manager().use { manager ->
                val seen = mutableListOf<String>()
                val api = MockEngine { request ->
                    seen += request.body.toByteArray().decodeToString()
                    respond("", if (seen.size == 1) HttpStatusCode.Unauthorized else HttpStatusCode.OK)
                }
                val client = client(api, manager)
                val answer = client.post("https://api.example/v1") { setBody(body) }
                assertEquals(if (times == 1) HttpStatusCode.Unauthorized else HttpStatusCode.OK, answer.status)
                assertEquals(List(times) { "twelve litres" }, seen)
                // The 401 was believed all the same.
                client.get("https://api.example/v1")
                assertEquals("Bearer t2", api.fields().last())
                tokens = 0
            }
        }
    }

    @Test
    fun `a refresh that fails after a 401 throws what failed`() = runTest {
        manager(patience = Duration.ZERO).use { manager ->
            val api = MockEngine { respond("", if (isDown) HttpStatusCode.Unauthorized else HttpStatusCode.OK) }
            assertEquals(HttpStatusCode.OK, client(api, manager).get("https://api.example/v1").status)
            isDown = true
            assertFailsWith<TokenwardException.TemporarilyUnavailable> { client(api, manager).get("https://api.example/v1") }
        }
    }

    @Test
    fun `a thousand calls on an expired token cause one token request`() = runBlocking {
        val clock = object : TokenClock by TokenClock.system {
            @Volatile var ahead = 0L

            override fun now() = TokenClock.system.now() + ahead
        }
        manager(clock).use { manager ->
            val client = client(MockEngine { respond("") }, manager)
            client.get("https://api.example/v1")
            clock.ahead = 2 * 3600 * 1000L
            withTimeout(60.seconds) {
                List(1000) { launch(Dispatchers.Default) { client.get("https://api.example/v1") } }.joinAll()
            }
            assertEquals(2, tokens)
        }
    }

    @Test
    fun `a token request is sent once by an engine whose connection breaks`() = runBlocking {
        for (engine in listOf(OkHttp.create(), CIO.create())) {
            for (body in listOf("a=b".encodeToByteArray(), null)) {
                BreakingServer().use { server ->
                    val transport = KtorTransport(engine)
                    val request = TransportRequest("POST", "http://localhost:${server.port}/token", emptyList(), body)
                    // A connection that is kept is broken when its second request has arrived.
                    repeat(2) { runCatching { transport.send(request) } }
                    delay(500)
                    assertEquals(2, server.requests.get())
                }
            }
            engine.close()
        }
    }

    @Test
    fun `the transport has no time-outs but the manager's`() = runBlocking {
        val server = HttpServer.create(InetSocketAddress("127.0.0.1", 0), 0)
        server.createContext("/") { exchange ->
            Thread.sleep(500)
            exchange.sendResponseHeaders(200, -1)
        }
        server.start()
        val hasty = CIO.create { requestTimeout = 100 }
        val request = TransportRequest("POST", "http://127.0.0.1:${server.address.port}/", emptyList(), "a=b".encodeToByteArray())
        assertEquals(200, KtorTransport(hasty).send(request).status)
        server.stop(0)
    }

    @Test
    fun `a request without token and other origins where the app says so are sent as they are`() = runTest {
        manager().use { manager ->
            val api = MockEngine { respond("") }
            val client = HttpClient(api) {
                install(AuthorizedBy) {
                    this.manager = manager
                    passesOtherOrigins = true
                }
            }
            client.get("https://elsewhere.example/") { headers.append(HttpHeaders.Authorization, "Basic app") }
            client.get("https://api.example/v1") { withoutToken() }
            client.get("https://api.example/v1")
            assertEquals(listOf("Basic app", null, "Bearer t1"), api.fields())
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
    fun `a redirect on the same origin carries the token only where a route lets it`() = runTest {
        manager { routes = listOf(TokenRoute("GET", "/v1/open"), TokenRoute("GET", "/v1/listed")) }.use { manager ->
            val api = MockEngine { request ->
                val next = mapOf("/v1/open" to "/v1/listed", "/v1/listed" to "/v1/other")[request.url.encodedPath]
                if (next == null) respond("") else respond("", HttpStatusCode.Found, headersOf(HttpHeaders.Location, next))
            }
            assertEquals(HttpStatusCode.OK, client(api, manager).get("https://api.example/v1/open").status)
            assertEquals(listOf("Bearer t1", "Bearer t1", null), api.fields())
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
