package io.github.tokenward.okhttp

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
import io.github.tokenward.TransportRequest
import kotlinx.coroutines.runBlocking
import mockwebserver3.Dispatcher
import mockwebserver3.MockResponse
import mockwebserver3.MockWebServer
import mockwebserver3.RecordedRequest
import okhttp3.Call
import okhttp3.Callback
import okhttp3.ConnectionPool
import okhttp3.OkHttpClient
import okhttp3.Request
import okhttp3.Response
import java.io.IOException
import java.util.concurrent.CountDownLatch
import java.util.concurrent.TimeUnit
import kotlin.test.AfterTest
import kotlin.test.BeforeTest
import kotlin.test.Test
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith
import kotlin.test.assertIs
import kotlin.test.assertNull
import kotlin.test.assertTrue

class AuthorizedByTest {
    private val server = MockWebServer()
    private val other = MockWebServer()

    /** Answers of the API, by path. */
    private var api: (RecordedRequest) -> MockResponse = { MockResponse(body = "ok") }
    private var tokens = 0

    @BeforeTest
    fun start() {
        server.dispatcher = object : Dispatcher() {
            override fun dispatch(request: RecordedRequest): MockResponse = when (request.url.encodedPath) {
                "/token" -> MockResponse(body = """{"access_token":"t${++tokens}","expires_in":3600}""")
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

    private fun manager(client: OkHttpClient = OkHttpClient()) = TokenManager(
        TokenProvider("acme", server.url("/").toString(), "/token") {
            loopbackHttp = true
            primaryGrant = TokenGrant.CLIENT_CREDENTIALS
            exposure = Exposure.APP_ALLOWED
            // Every 401 is believed.
            policy = RefreshPolicy { minIntervalMs = 0u }
        },
        TokenIdentity {},
        TokenSource.credentials { Credentials("id", "secret") },
        OkHttpTransport(client),
    )

    private fun fields() = generateSequence { server.takeRequest(0, TimeUnit.SECONDS) }
        .filter { it.url.encodedPath != "/token" }.map { it.headers["Authorization"] }.toList()

    @Test
    fun `a 401 is sent once more with a new token and once only`() = manager().use { manager ->
        api = { MockResponse(code = 401) }
        val client = OkHttpClient.Builder().authorizedBy(manager).build()
        client.newCall(Request.Builder().url(server.url("/v1")).build()).execute().use { assertEquals(401, it.code) }
        assertEquals(listOf<String?>("Bearer t1", "Bearer t2"), fields())
    }

    @Test
    fun `a 403 is not sent again`() = manager().use { manager ->
        api = { MockResponse(code = 403) }
        val client = OkHttpClient.Builder().authorizedBy(manager).build()
        client.newCall(Request.Builder().url(server.url("/v1")).build()).execute().use { assertEquals(403, it.code) }
        assertEquals(listOf<String?>("Bearer t1"), fields())
    }

    @Test
    fun `a redirect to another origin carries no token`() = manager().use { manager ->
        // Another port is another origin, and another name another host.
        other.enqueue(MockResponse(code = 401))
        api = { MockResponse.Builder().code(302).addHeader("Location", "http://localhost:${other.port}/").build() }
        val client = OkHttpClient.Builder().authorizedBy(manager).build()
        client.newCall(Request.Builder().url(server.url("/v1")).build()).execute().use { assertEquals(401, it.code) }
        assertNull(other.takeRequest().headers["Authorization"])
        assertEquals(1, other.requestCount)
    }

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
        other.enqueue(MockResponse.Builder().code(307).addHeader("Location", "/elsewhere").addHeader("Set-Cookie", "a=b").build())
        assertEquals(307, transport.send(request).status)
        other.enqueue(MockResponse(body = "x".repeat(TokenTransport.MAX_BODY_BYTES)))
        assertEquals(TokenTransport.MAX_BODY_BYTES, transport.send(request).body.size)
        other.enqueue(MockResponse(body = "x".repeat(TokenTransport.MAX_BODY_BYTES + 1)))
        assertFailsWith<IOException> { transport.send(request) }
        assertEquals(3, other.requestCount)
        repeat(3) { assertNull(other.takeRequest().headers["Cookie"]) }
    }

    private companion object {
        const val CALLS = 5
    }
}
