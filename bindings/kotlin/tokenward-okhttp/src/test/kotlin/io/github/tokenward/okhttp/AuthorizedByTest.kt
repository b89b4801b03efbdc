package io.github.tokenward.okhttp

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
import io.github.tokenward.TransportRequest
import kotlinx.coroutines.CoroutineDispatcher
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.launch
import kotlinx.coroutines.runBlocking
import okhttp3.Call
import okhttp3.Callback
import okhttp3.ConnectionPool
import okhttp3.OkHttpClient
import okhttp3.Request
import okhttp3.RequestBody
import okhttp3.RequestBody.Companion.toRequestBody
import okhttp3.Response
import okhttp3.mockwebserver.Dispatcher
import okhttp3.mockwebserver.MockResponse
import okhttp3.mockwebserver.MockWebServer
import okhttp3.mockwebserver.RecordedRequest
import okhttp3.mockwebserver.SocketPolicy
import okio.BufferedSink
import java.io.IOException
import java.io.InterruptedIOException
import java.util.concurrent.CopyOnWriteArrayList
import java.util.concurrent.CountDownLatch
import java.util.concurrent.TimeUnit
import kotlin.concurrent.thread
import kotlin.test.AfterTest
import kotlin.test.BeforeTest
import kotlin.test.Test
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith
import kotlin.test.assertIs
import kotlin.test.assertNull
import kotlin.test.assertTrue
import kotlin.time.Duration
import kotlin.time.Duration.Companion.seconds

class AuthorizedByTest {
    private val server = MockWebServer()
    private val other = MockWebServer()

    /** Answers of the API, by path. */
    private var api: (RecordedRequest) -> MockResponse = { answered(200, "ok") }
    private var tokens = 0
    private var token: () -> MockResponse = { answered(200, """{"access_token":"t${++tokens}","expires_in":3600}""") }

    @BeforeTest
    fun start() {
        server.dispatcher = object : Dispatcher() {
            override fun dispatch(request: RecordedRequest): MockResponse = when (request.path) {
                "/token" -> token()
                else -> api(request)
            }
        }
        server.start()
        other.start()
    }

    @AfterTest
    fun stop() {
        server.close()
        other.close()
    }

    private fun manager(
        client: OkHttpClient = OkHttpClient(),
        clock: TokenClock = TokenClock.system,
        patience: Duration = 30.seconds,
        change: TokenProvider.() -> Unit = {},
    ) = TokenManager(
        TokenProvider("acme", server.url("/").toString(), "/token") {
            loopbackHttp = true
            primaryGrant = TokenGrant.CLIENT_CREDENTIALS
            exposure = Exposure.APP_ALLOWED
            // Every 401 is believed.
            policy = RefreshPolicy { minIntervalMs = 0u }
            change()
        },
        TokenIdentity {},
        TokenSource.credentials { Credentials("id", "secret") },
        OkHttpTransport(client),
        options = TokenManagerOptions(clock = clock, requestTimeout = patience),
    )

    private fun OkHttpClient.get(path: String): Int {
        val request = Request.Builder().url(server.url(path)).build()
        return newCall(request).execute().use { it.code }
    }

    private fun fields() = generateSequence { server.takeRequest(0, TimeUnit.SECONDS) }
        .filter { it.path != "/token" }.map { it.getHeader("Authorization") }.toList()

    @Test
    fun `a 401 is sent once more with a new token and once only`() = manager().use { manager ->
        api = { answered(401) }
        val client = OkHttpClient.Builder().authorizedBy(manager).build()
        client.newCall(Request.Builder().url(server.url("/v1")).build()).execute().use { assertEquals(401, it.code) }
        assertEquals(listOf<String?>("Bearer t1", "Bearer t2"), fields())
    }

    @Test
    fun `a 403 is not sent again`() = manager().use { manager ->
        api = { answered(403) }
        val client = OkHttpClient.Builder().authorizedBy(manager).build()
        client.newCall(Request.Builder().url(server.url("/v1")).build()).execute().use { assertEquals(403, it.code) }
        assertEquals(listOf<String?>("Bearer t1"), fields())
    }

    @Test
    fun `a redirect to another origin carries no token`() = manager().use { manager ->
        // Another port is another origin, and another name another host.
        other.enqueue(answered(401))
        api = { answered(302).addHeader("Location", "http://localhost:${other.port}/") }
        val client = OkHttpClient.Builder().authorizedBy(manager).build()
        client.newCall(Request.Builder().url(server.url("/v1")).build()).execute().use { assertEquals(401, it.code) }
        assertNull(other.takeRequest().getHeader("Authorization"))
        assertEquals(1, other.requestCount)
    }

    @Test
    fun `a redirect to another allowed origin carries the token and its 401 is sent once more`() {
        val origins = listOf(server, other).map { "http://${it.hostName}:${it.port}" }
        manager { apiOrigins = origins }.use { manager ->
            other.enqueue(answered(401))
            other.enqueue(answered(200))
            api = { answered(307).addHeader("Location", "${origins[1]}/v2") }
            assertEquals(200, OkHttpClient.Builder().authorizedBy(manager).build().get("/v1"))
            assertEquals(listOf("Bearer t1", "Bearer t2"), List(2) { other.takeRequest().getHeader("Authorization") })
        }
    }

    @Test
    fun `a redirect on the same origin carries the token only where a route lets it`() {
        manager { routes = listOf(TokenRoute("GET", "/v1/open"), TokenRoute("GET", "/v1/listed")) }.use { manager ->
            val seen = CopyOnWriteArrayList<Pair<String, String?>>()
            api = { request ->
                val path = request.path.orEmpty()
                seen += path to request.getHeader("Authorization")
                val next = mapOf("/v1/open" to "/v1/listed", "/v1/listed" to "/v1/other")[path]
                if (next == null) answered(200) else answered(302).addHeader("Location", next)
            }
            assertEquals(200, OkHttpClient.Builder().authorizedBy(manager).build().get("/v1/open"))
            assertEquals(listOf("/v1/open" to "Bearer t1", "/v1/listed" to "Bearer t1", "/v1/other" to null), seen)
        }
    }

    @Test
    fun `a body that can be read once is sent once`() = manager().use { manager ->
        val bodies = CopyOnWriteArrayList<String>()
        api = { request ->
            bodies += request.body.readUtf8()
            answered(if (bodies.size == 1) 401 else 200)
        }
        val body = object : RequestBody() {
            override fun contentType() = null

            override fun isOneShot() = true

            override fun writeTo(sink: BufferedSink) {
                sink.writeUtf8("twelve litres")
            }
        }
        val client = OkHttpClient.Builder().authorizedBy(manager).build()
        val request = Request.Builder().url(server.url("/v1"))
        client.newCall(request.post(body).build()).execute().use { assertEquals(401, it.code) }
        client.newCall(request.post("twelve litres".toRequestBody()).build()).execute().use { assertEquals(200, it.code) }
        assertEquals(listOf("twelve litres", "twelve litres"), bodies)
        assertEquals(2, tokens)
    }

    @Test
    fun `a refresh that fails after a 401 throws what failed`() {
        val cases = mapOf(
            answered(503) to "503 http_status",
            answered(200, "<html>") to "200 not_json",
            answered(401, """{"error":"invalid_client"}""") to "invalid_client",
            answered(200).setSocketPolicy(SocketPolicy.DISCONNECT_AFTER_REQUEST) to "null null",
        )
        fun said(failure: TokenwardException) = when (failure) {
            is TokenwardException.TemporarilyUnavailable ->
                "${failure.answer?.status} ${(failure.cause as? TokenwardException)?.code}"
            else -> failure.code
        }
        for ((answer, failure) in cases) {
            // No request follows another within a second.
            manager(patience = 1.5.seconds).use { manager ->
                val good = token
                api = { answered(200) }
                val client = OkHttpClient.Builder().authorizedBy(manager).build()
                assertEquals(200, client.get("/v1"))
                api = { answered(401) }
                token = { answer }
                assertEquals(failure, said(assertFailsWith<TokenwardException> { client.get("/v1") }))
                token = good
            }
        }
    }

    /** An expired token, and more blocking callers than [dispatcher] has threads. */
    private fun blocked(dispatcher: CoroutineDispatcher) {
        val clock = object : TokenClock by TokenClock.system {
            @Volatile var ahead = 0L

            override fun now() = TokenClock.system.now() + ahead
        }
        manager(clock = clock).use { manager ->
            val client = OkHttpClient.Builder().authorizedBy(manager).build()
            api = { answered(200) }
            assertEquals(200, client.get("/v1"))
            clock.ahead = 2 * 3600 * 1000L
            val good = token
            token = {
                Thread.sleep(500)
                good()
            }
            val done = CountDownLatch(BLOCKED_CALLS)
            val scope = CoroutineScope(dispatcher)
            repeat(BLOCKED_CALLS) {
                scope.launch {
                    assertEquals(200, client.get("/v1"))
                    done.countDown()
                }
            }
            assertTrue(done.await(60, TimeUnit.SECONDS), "${done.count} calls wait for ever")
            assertEquals(2, tokens)
        }
    }

    @Test
    fun `blocking calls on all threads of Dispatchers IO cause one token request`() = blocked(Dispatchers.IO)

    @Test
    fun `blocking calls on all threads of Dispatchers Default cause one token request`() = blocked(Dispatchers.Default)

    @Test
    fun `a request that the token does not belong to fails before it is sent`() = manager().use { manager ->
        val client = OkHttpClient.Builder().authorizedBy(manager).build()
        val refused = assertFailsWith<TokenwardException.NotAllowed> {
            client.newCall(Request.Builder().url(other.url("/")).build()).execute()
        }
        assertEquals("origin_not_allowed", refused.code)
        assertEquals(0, other.requestCount + tokens)
    }

    @Test
    fun `an enqueued call is told of the typed error`() {
        manager().use { manager ->
            val client = OkHttpClient.Builder().authorizedBy(manager).build()
            val told = CountDownLatch(1)
            var failure: IOException? = null
            client.newCall(Request.Builder().url(other.url("/")).build()).enqueue(
                object : Callback {
                    override fun onFailure(call: Call, e: IOException) {
                        failure = e
                        told.countDown()
                    }

                    override fun onResponse(call: Call, response: Response) = response.close()
                },
            )
            assertTrue(told.await(10, TimeUnit.SECONDS))
            assertIs<TokenwardException.NotAllowed>(failure)
        }
    }

    @Test
    fun `a full client whose calls all wait for a token does not hold up the token request`() {
        // One call at a time, one connection: a token request through the same client would wait for ever.
        val full = OkHttpClient.Builder()
            .dispatcher(okhttp3.Dispatcher().apply { maxRequests = 1 })
            .connectionPool(ConnectionPool(1, 1, TimeUnit.MINUTES))
            .build()
        manager(full).use { manager ->
            val client = full.newBuilder().authorizedBy(manager).build()
            val done = CountDownLatch(CALLS)
            repeat(CALLS) {
                client.newCall(Request.Builder().url(server.url("/v1")).build()).enqueue(
                    object : Callback {
                        override fun onFailure(call: Call, e: IOException) = throw e

                        override fun onResponse(call: Call, response: Response) = response.use { done.countDown() }
                    },
                )
            }
            assertTrue(done.await(20, TimeUnit.SECONDS), "a deadlock")
            assertEquals(1, tokens)
        }
        full.dispatcher.executorService.shutdown()
    }

    @Test
    fun `the transport follows no redirect keeps no cookie and reads no endless body`() = runBlocking {
        val transport = OkHttpTransport()
        val request = TransportRequest("POST", other.url("/token").toString(), emptyList(), "a=b".encodeToByteArray())
        other.enqueue(answered(307).addHeader("Location", "/elsewhere").addHeader("Set-Cookie", "a=b"))
        assertEquals(307, transport.send(request).status)
        other.enqueue(answered(200, "x".repeat(TokenTransport.MAX_BODY_BYTES)))
        assertEquals(TokenTransport.MAX_BODY_BYTES, transport.send(request).body.size)
        other.enqueue(answered(200, "x".repeat(TokenTransport.MAX_BODY_BYTES + 1)))
        assertFailsWith<IOException> { transport.send(request) }
        assertEquals(3, other.requestCount)
        repeat(3) { assertNull(other.takeRequest().getHeader("Cookie")) }
    }

    @Test
    fun `the transport sends a token request once whatever is answered`() = runBlocking {
        val transport = OkHttpTransport()
        for (body in listOf("a=b".encodeToByteArray(), null)) {
            val request = TransportRequest("POST", other.url("/token").toString(), emptyList(), body)
            val before = other.requestCount
            for (status in listOf(408, 503)) {
                other.enqueue(answered(status).addHeader("Retry-After", "0"))
                other.enqueue(answered(200))
                assertEquals(status, transport.send(request).status)
                assertEquals(200, transport.send(request).status)
            }
            assertEquals(before + 4, other.requestCount)
        }
    }

    @Test
    fun `the transport has no time-outs but the manager's`() = runBlocking {
        val hasty = OkHttpClient.Builder().callTimeout(100, TimeUnit.MILLISECONDS).readTimeout(100, TimeUnit.MILLISECONDS).build()
        other.enqueue(answered(200).setHeadersDelay(500, TimeUnit.MILLISECONDS))
        val request = TransportRequest("POST", other.url("/token").toString(), emptyList(), "a=b".encodeToByteArray())
        assertEquals(200, OkHttpTransport(hasty).send(request).status)
    }

    @Test
    fun `a request without token is sent as it is`() = manager().use { manager ->
        api = { answered(200) }
        val client = OkHttpClient.Builder().authorizedBy(manager).build()
        val request = Request.Builder().url(server.url("/v1")).header("Authorization", "Basic app").withoutToken().build()
        client.newCall(request).execute().close()
        assertEquals(listOf<String?>("Basic app"), fields())
        assertEquals(0, tokens)
    }

    @Test
    fun `other origins are asked without the token where the app says so`() = manager().use { manager ->
        other.enqueue(answered(200))
        val client = OkHttpClient.Builder().authorizedBy(manager, passesOtherOrigins = true).build()
        client.newCall(Request.Builder().url(other.url("/")).build()).execute().use { assertEquals(200, it.code) }
        assertNull(other.takeRequest().getHeader("Authorization"))
        assertEquals(200, client.get("/v1"))
        assertEquals(listOf<String?>("Bearer t1"), fields())
    }

    @Test
    fun `an authenticator that was there goes on answering for requests without a token`() = manager().use { manager ->
        repeat(2) { other.enqueue(answered(if (it == 0) 401 else 200)) }
        api = { answered(401) }
        val asked = CopyOnWriteArrayList<String>()
        val client = OkHttpClient.Builder().authenticator { _, response ->
            asked += response.request.url.encodedPath
            response.request.newBuilder().header("Authorization", "Basic app").build()
        }.authorizedBy(manager, passesOtherOrigins = true).build()
        client.newCall(Request.Builder().url(other.url("/other")).build()).execute().use { assertEquals(200, it.code) }
        assertEquals(listOf(null, "Basic app"), List(2) { other.takeRequest().getHeader("Authorization") })
        assertEquals(401, client.get("/v1"))
        assertEquals(listOf("/other"), asked)
    }

    @Test
    fun `a call that is cancelled or whose time is over waits for no token`() = manager().use { manager ->
        val held = CountDownLatch(1)
        val good = token
        token = {
            held.await()
            good()
        }
        val client = OkHttpClient.Builder().authorizedBy(manager).build()
        val call = client.newCall(Request.Builder().url(server.url("/v1")).build())
        val failed = CountDownLatch(1)
        thread(isDaemon = true) {
            assertFailsWith<IOException> { call.execute() }
            failed.countDown()
        }
        while (!call.isExecuted()) Thread.sleep(5)
        call.cancel()
        assertTrue(failed.await(10, TimeUnit.SECONDS), "it still waits")
        val hasty = client.newBuilder().callTimeout(100, TimeUnit.MILLISECONDS).build()
        assertEquals("timeout", assertFailsWith<InterruptedIOException> { hasty.get("/v1") }.message)
        held.countDown()
        // The request went on all the while.
        assertEquals(200, client.get("/v1"))
        assertEquals(1, tokens)
    }

    @Test
    fun `no thread of a token request keeps the JVM alive`() {
        val mine = { Thread.getAllStackTraces().keys.filter { !it.isDaemon && "MockWebServer" !in it.name }.toSet() }
        val before = mine()
        manager().use { manager -> runBlocking { manager.authorize("GET", server.url("/v1").toString()) } }
        assertEquals(emptySet(), mine() - before)
        assertEquals(1, tokens)
    }

    private fun answered(status: Int, body: String = "") = MockResponse().setResponseCode(status).setBody(body)

    private companion object {
        const val CALLS = 5
        const val BLOCKED_CALLS = 2000
    }
}
