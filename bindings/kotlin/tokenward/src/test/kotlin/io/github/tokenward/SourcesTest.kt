package io.github.tokenward

import kotlinx.coroutines.CompletableDeferred
import kotlinx.coroutines.ExperimentalCoroutinesApi
import kotlinx.coroutines.NonCancellable
import kotlinx.coroutines.TimeoutCancellationException
import kotlinx.coroutines.async
import kotlinx.coroutines.test.TestScope
import kotlinx.coroutines.test.advanceTimeBy
import kotlinx.coroutines.test.runCurrent
import kotlinx.coroutines.test.runTest
import kotlinx.coroutines.withContext
import kotlin.test.Test
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith
import kotlin.test.assertIs
import kotlin.test.assertTrue
import kotlin.time.Duration
import kotlin.time.Duration.Companion.minutes
import kotlin.time.Duration.Companion.seconds

@OptIn(ExperimentalCoroutinesApi::class)
class SourcesTest {
    private val base = "https://api.acme.example"
    private val site = TokenProvider(TokenPreset.FLIP_ENERGY_SITE_BY_BACKEND)
    private val s1 = at("s1")

    private fun client() = TokenProvider(TokenPreset.FLIP_ENERGY_CLIENT) { baseUrl = base }

    private fun at(site: String) = TokenIdentity {
        this.site = site
        baseUrl = base
    }

    private val siteUrl = "https://api.acme.example/v1/site/s1/devices"

    @Test
    fun `a backend is asked again before the hour is over`() = runTest {
        var asked = 0
        val source = TokenSource.backend {
            IssuedToken.json("""{"access_token":"site-${++asked}","expires_in":3600}""".encodeToByteArray())
        }
        manager(null, source, site.copy { policy = RefreshPolicy { jitterPermille = 0u } }, s1).use { manager ->
            assertEquals("Bearer site-1", manager.authorize("GET", siteUrl).header)
            advanceTimeBy(48.minutes)
            assertEquals("Bearer site-1", manager.authorize("GET", siteUrl).header)
            advanceTimeBy(1.seconds)
            assertEquals("Bearer site-2", manager.authorize("GET", siteUrl).header)
            assertEquals(2, asked)
        }
    }

    @Test
    fun `a backend that fails is left alone for a while`() = runTest {
        var asked = 0
        var isDown = true
        val source = TokenSource.backend { if (isDown) error("${++asked}") else IssuedToken("site", 3600.seconds) }
        manager(null, source, site, s1, patience = Duration.ZERO).use { manager ->
            val down = assertFailsWith<TokenwardException.TemporarilyUnavailable> { manager.authorize("GET", siteUrl) }
            assertIs<IllegalStateException>(down.cause)
            isDown = false
            advanceTimeBy(2.seconds)
            assertEquals("Bearer site", manager.authorize("GET", siteUrl).header)
            isDown = true
            advanceTimeBy(50.minutes)
            repeat(5) {
                assertEquals("Bearer site", manager.authorize("GET", siteUrl).header)
                advanceTimeBy(1)
            }
            assertEquals(2, asked)
        }
    }

    @Test
    fun `a backend is asked after a 401`() = runTest {
        var asked = 0
        val source = TokenSource.backend { IssuedToken("site-${++asked}", 3600.seconds) }
        manager(null, source, site, s1).use { manager ->
            val used = manager.authorize("GET", siteUrl)
            advanceTimeBy(1.minutes)
            assertEquals(RetryDecision.Retry, manager.rejected(used.generation, 401))
            assertEquals("Bearer site-2", manager.authorize("GET", siteUrl).header)
        }
    }

    @Test
    fun `a static token that is refused is asked for again`() = runTest {
        var asked = 0
        var isDown = false
        val source = TokenSource.fixed { if (isDown) error("no vault") else IssuedToken("fl_${++asked}") }
        val provider = TokenProvider(TokenPreset.FLIP_UTILITY_API_KEY_SANDBOX)
        val url = "https://api-utility-sandbox.flip.energy/v1/programs"
        manager(null, source, provider, allowServerOnly = true).use { manager ->
            suspend fun refused() = manager.rejected(manager.authorize("GET", url).generation, 401)
            assertEquals(RetryDecision.Retry, refused())
            assertEquals("Bearer fl_2", manager.authorize("GET", url).header)
            // A source that fails is left alone until the backoff is over.
            isDown = true
            assertFailsWith<TokenwardException.TemporarilyUnavailable> { refused() }
            isDown = false
            val start = testScheduler.currentTime
            assertEquals("Bearer fl_3", manager.authorize("GET", url).header)
            assertTrue(testScheduler.currentTime - start >= RefreshPolicy().firstBackoffMs.toLong() / 2)
            manager.install(IssuedToken("fl_installed"))
            assertEquals("Bearer fl_installed", manager.authorize("GET", url).header)
        }
    }

    @Test
    fun `a backend that does not return in time has failed and what it brings later is nobody's`() = runTest {
        val gate = CompletableDeferred<Unit>()
        var asked = 0
        val source = TokenSource.backend {
            if (++asked == 1) withContext(NonCancellable) { gate.await() }
            IssuedToken("site-$asked", 3600.seconds)
        }
        manager(null, source, site, s1).use { manager ->
            val late = assertFailsWith<TokenwardException.TemporarilyUnavailable> { manager.authorize("GET", siteUrl) }
            assertIs<TimeoutCancellationException>(late.cause)
            assertEquals(RefreshPolicy().responseTimeoutMs.toLong(), testScheduler.currentTime)
            gate.complete(Unit)
            runCurrent()
            assertEquals(false, manager.status().isUsable)
            assertEquals("Bearer site-2", manager.authorize("GET", siteUrl).header)
        }
    }

    @Test
    fun `a backend's token that cannot be used is not asked for again before the longest backoff`() = runTest {
        var asked = 0
        val source = TokenSource.backend { IssuedToken(if (++asked == 1) "with space" else "site", 3600.seconds) }
        manager(null, source, site, s1).use { manager ->
            val refused = assertFailsWith<TokenwardException.TemporarilyUnavailable> { manager.authorize("GET", siteUrl) }
            assertEquals("invalid_access_token", assertIs<TokenwardException.BadAnswer>(refused.cause).code)
            assertFailsWith<TokenwardException.TemporarilyUnavailable> { manager.authorize("GET", siteUrl) }
            assertEquals(1, asked)
            advanceTimeBy(5.minutes)
            assertEquals("Bearer site", manager.authorize("GET", siteUrl).header)
        }
    }

    @Test
    fun `after a sign-out no source is asked before somebody signs in`() = runTest {
        val backend = ACME.copy(NO_GRANT)
        val sources = listOf(
            ACME to CREDENTIALS,
            backend to TokenSource.backend { IssuedToken("access-1", 60.seconds) },
            backend to TokenSource.fixed { IssuedToken("access-1") },
        )
        for ((provider, source) in sources) {
            val service = MemoryService()
            manager(service, source, provider).use { manager ->
                val used = manager.authorize("GET", API)
                manager.signOut()
                repeat(2) {
                    val refused = assertFailsWith<TokenwardException.SignInRequired> { manager.authorize("GET", API) }
                    assertEquals("signed_out", refused.code)
                }
                assertFailsWith<TokenwardException.SignInRequired> { manager.rejected(used.generation, 401) }
                manager.renew()
                manager.retry()
                advanceTimeBy(1.minutes)
                assertFailsWith<TokenwardException.SignInRequired> { manager.authorize("GET", API) }
                assertEquals(TokenStatus(false, TokenNext.Supply(0uL, TokenReason.NO_TOKEN), null), manager.status())
                val sent = service.requests.size
                manager.install(IssuedToken("installed", 60.seconds))
                assertEquals("Bearer installed", manager.authorize("GET", API).header)
                manager.signOut()
                assertEquals(sent, service.requests.size)
                manager.signIn()
                assertTrue(manager.status().isUsable)
                assertTrue("access-" in manager.authorize("GET", API).header)
            }
        }
    }

    @Test
    fun `who signs in while a source is still being asked for the former user gets the next answer`() = runTest {
        val gates = List(2) { CompletableDeferred<Unit>() }
        var asked = 0
        val source = TokenSource.backend {
            val serial = asked++
            gates[serial].await()
            IssuedToken("user-$serial", 60.seconds)
        }
        manager(null, source, ACME.copy(NO_GRANT)).use { manager ->
            val former = async { runCatching { manager.authorize("GET", API) } }
            runCurrent()
            manager.signOut()
            val next = async { manager.signIn() }
            runCurrent()
            gates.forEach { it.complete(Unit) }
            next.await()
            assertEquals("Bearer user-1", manager.authorize("GET", API).header)
            assertIs<TokenwardException.SignInRequired>(former.await().exceptionOrNull())
        }
    }

    @Test
    fun `a site token is opened by the parent's token and goes where the parent's may go`() = runTest {
        val service = MemoryService()
        var asked = 0
        val client =
            manager(null, TokenSource.fixed { IssuedToken("client-${++asked}") }, client(), allowServerOnly = true)
        val seen = ArrayList<TransportRequest>()
        val transport = object : TokenTransport {
            override suspend fun send(request: TransportRequest): TransportResponse {
                seen += request
                return service.send(TransportRequest(request.method, request.url, request.headers, ByteArray(0)))
            }
        }
        val provider = TokenProvider(TokenPreset.FLIP_ENERGY_SITE)
        manager(transport, TokenSource.parent(client), provider, at("a b~ü"), allowServerOnly = true).use { sites ->
            assertEquals("Bearer access-1", sites.authorize("GET", "$base/v1/site/a%20b~%C3%BC").header)
            assertEquals("$base/v1/auth/site/a%20b~%C3%BC", seen.single().url)
            assertEquals("Bearer client-1", seen.single().headers.single { it.name == "Authorization" }.value)
        }
        client.close()
    }

    @Test
    fun `a 401 of the token endpoint is told to the parent and the same request is sent with its next token`() = runTest {
        for (error in listOf("invalid_token", "invalid_client")) parentRefused(error)
    }

    private suspend fun TestScope.parentRefused(error: String) {
        val service = MemoryService()
        service.answers += MemoryService.answer(401, """{"error":"$error"}""")
        var asked = 0
        val client = manager(null, TokenSource.fixed { IssuedToken("client-${++asked}") }, client(), allowServerOnly = true)
        val bearers = ArrayList<String>()
        val transport = object : TokenTransport {
            override suspend fun send(request: TransportRequest): TransportResponse {
                bearers += request.headers.single { it.name == "Authorization" }.value
                return service.send(TransportRequest(request.method, request.url, request.headers, ByteArray(0)))
            }
        }
        val provider = TokenProvider(TokenPreset.FLIP_ENERGY_SITE)
        manager(transport, TokenSource.parent(client), provider, s1, allowServerOnly = true).use { sites ->
            assertEquals("Bearer access-2", sites.authorize("GET", siteUrl).header)
            assertEquals(listOf("Bearer client-1", "Bearer client-2"), bearers)
        }
        client.close()
    }

    @Test
    fun `a parent without a token is told`() = runTest {
        val client = manager(null, TokenSource.fixed { IssuedToken("client") }, client(), allowServerOnly = true)
        client.signOut()
        val provider = TokenProvider(TokenPreset.FLIP_ENERGY_SITE)
        manager(MemoryService(), TokenSource.parent(client), provider, s1, allowServerOnly = true).use { sites ->
            val error = assertFailsWith<TokenwardException.SignInRequired> { sites.authorize("GET", siteUrl) }
            assertEquals("signed_out", error.reason)
        }
        client.close()
    }

    @Test
    fun `credentials are asked for at each token request`() = runTest {
        val service = MemoryService(lifetimeSeconds = 60)
        var asked = 0
        val source = TokenSource.credentials { Credentials("id", "secret-${++asked}") }
        manager(service, source, ACME.copy { refreshGrant = false }).use { manager ->
            manager.authorize("GET", API)
            advanceTimeBy(60.seconds)
            manager.authorize("GET", API)
            assertEquals(listOf("secret-1", "secret-2"), service.requests.map { it.substringAfter("client_secret=") })
        }
    }

    @Test
    fun `without a token and a way to one a sign-in is needed`() = runTest {
        val provider = ACME.copy { primaryGrant = null }
        val service = MemoryService()
        manager(service, provider = provider).use { manager ->
            assertEquals("no_token", assertFailsWith<TokenwardException.SignInRequired> { manager.authorize("GET", API) }.reason)
            manager.install(IssuedToken("first", 60.seconds, refreshToken = "r"))
            assertEquals("Bearer first", manager.authorize("GET", API).header)
            advanceTimeBy(60.seconds)
            assertEquals("Bearer access-1", manager.authorize("GET", API).header)
            assertEquals(listOf("refresh_token"), service.grants)
        }
    }

    @Test
    fun `a token that cannot be used changes nothing`() = runTest {
        manager(MemoryService()).use { manager ->
            manager.install(IssuedToken("good", 60.seconds))
            for ((code, bad) in mapOf(
                "invalid_access_token" to IssuedToken("with space"),
                "already_expired" to IssuedToken("gone", 0.seconds),
                "unsupported_token_type" to IssuedToken("x", 60.seconds, tokenType = "mac"),
                "not_json" to IssuedToken.json("<html>".encodeToByteArray()),
                "too_long" to IssuedToken("x".repeat(5000), 60.seconds),
            )) {
                assertEquals(code, assertFailsWith<TokenwardException.BadAnswer> { manager.install(bad) }.code)
            }
            assertEquals("Bearer good", manager.authorize("GET", API).header)
        }
    }
}
