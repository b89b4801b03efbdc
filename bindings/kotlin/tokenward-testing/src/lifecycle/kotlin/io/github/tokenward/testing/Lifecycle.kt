package io.github.tokenward.testing

import io.github.tokenward.ClientAuthentication
import io.github.tokenward.ClientSigner
import io.github.tokenward.Credentials
import io.github.tokenward.FileTokenStorage
import io.github.tokenward.IssuedToken
import io.github.tokenward.MemoryTokenStorage
import io.github.tokenward.MissingLifetime
import io.github.tokenward.RefreshPolicy
import io.github.tokenward.SignatureAlgorithm
import io.github.tokenward.TokenClock
import io.github.tokenward.TokenGrant
import io.github.tokenward.TokenIdentity
import io.github.tokenward.TokenManager
import io.github.tokenward.TokenManagerOptions
import io.github.tokenward.TokenPreset
import io.github.tokenward.TokenProvider
import io.github.tokenward.TokenSource
import io.github.tokenward.TokenStorage
import io.github.tokenward.TokenTransport
import io.github.tokenward.TokenwardException
import io.github.tokenward.copy
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.async
import kotlinx.coroutines.awaitAll
import kotlinx.coroutines.delay
import kotlinx.coroutines.runBlocking
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertThrows
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.Timeout
import org.junit.jupiter.api.io.TempDir
import java.io.IOException
import java.nio.file.Path
import kotlin.time.Duration
import kotlin.time.Duration.Companion.minutes
import kotlin.time.Duration.Companion.seconds

/** An HTTP client that a manager authorizes. */
interface Client : AutoCloseable {
    /** The status and body of a GET. */
    suspend fun get(url: String): Pair<Int, String>
}

/** The whole life of a token over one HTTP client, against real services on loopback. */
@Timeout(120)
abstract class Lifecycle {
    abstract fun transport(): TokenTransport

    abstract fun client(manager: TokenManager): Client

    @TempDir
    lateinit var folder: Path

    /** The real clocks, which can be moved. */
    private class MovedClock : TokenClock {
        @Volatile var moved = Duration.ZERO

        override fun now() = TokenClock.system.now() + moved.inWholeMilliseconds

        override fun wall() = checkNotNull(TokenClock.system.wall()) + moved.inWholeSeconds
    }

    private val clock = MovedClock()

    /** Moves the service's clock and ours. */
    private fun DemoService.pass(time: Duration) {
        advance(time.inWholeSeconds)
        clock.moved += time
    }

    /** The preset, its hosts replaced. */
    private fun TokenPreset.at(baseUrl: String) = TokenProvider(this) {
        this.baseUrl = baseUrl
        apiOrigins = null
        loopbackHttp = true
        policy = RefreshPolicy {
            jitterPermille = 0u
            firstBackoffMs = 200u
        }
    }

    private fun manager(
        provider: TokenProvider,
        source: TokenSource,
        identity: TokenIdentity = TokenIdentity {},
        storage: TokenStorage = MemoryTokenStorage(),
        patience: Duration = 30.seconds,
    ) = TokenManager(
        provider,
        identity,
        source,
        transport(),
        storage,
        TokenManagerOptions(requestTimeout = patience, clock = clock, dangerouslyAllowServerOnlyCredentials = true),
    )

    private fun DemoService.source() = TokenSource.credentials {
        Credentials(credential("client_id"), credential("client_secret"), credentialOrNull("username"), credentialOrNull("password"))
    }

    /** First token, refresh ahead, expiry, 401, trouble, sign-out. */
    private fun live(service: DemoService, manager: TokenManager, url: String, first: String, later: String) = runBlocking {
        val client = client(manager)
        suspend fun ok() = assertEquals(200, client.get(url).first)
        suspend fun generation() = manager.authorize("GET", url).generation
        ok()
        assertEquals(1, generation())
        val lifetime = if (service.lifetimeSeconds > 0) service.lifetimeSeconds.seconds else 3600.seconds
        service.pass(lifetime * 4 / 5)
        ok()
        eventually { generation() == 2L }
        service.pass(lifetime)
        List(10) { async(Dispatchers.IO) { ok() } }.awaitAll()
        assertEquals(3, generation())
        service.pass(1.minutes)
        service.revoke("access_tokens")
        List(10) { async(Dispatchers.IO) { ok() } }.awaitAll()
        assertEquals(4, generation())
        service.pass(lifetime)
        service.fault("html")
        // A caller waits for the next try.
        ok()
        assertEquals(listOf("$first token") + List(3) { "$later token" } + "$later not_processed" + "$later token", service.grants())
        manager.signOut()
        assertThrows(TokenwardException.SignInRequired::class.java) { runBlocking { client.get(url) } }
        manager.signIn()
        ok()
        client.close()
        manager.close()
    }

    @Test
    fun `flip utility`() = DemoService("flip_utility").use { service ->
        val provider = TokenPreset.FLIP_UTILITY_SANDBOX.at(service.baseUrl)
        val manager = manager(provider, service.source())
        live(service, manager, "${service.baseUrl}/v1/programs", "client_credentials", "client_credentials")
    }

    @Test
    fun `opower`() = DemoService("opower").use { service ->
        val manager = manager(TokenPreset.OPOWER.at(service.baseUrl), service.source())
        val url = "${service.baseUrl}/apis/customer-data-v2/UTIL/customers/1/utility_accounts"
        live(service, manager, url, "client_credentials", "client_credentials")
    }

    @Test
    fun `flute with refresh tokens that rotate`() = DemoService("flute").use { service ->
        val api = service.environmentUrl("sandbox")
        val provider = TokenPreset.FLUTE_SANDBOX.at(api)
        val storage = FileTokenStorage(folder.resolve("flute"), ByteArray(32) { 7 })
        val manager = manager(provider, service.source(), storage = storage)
        live(service, manager, "$api/v2/transactions", "client_credentials", "refresh_token")
    }

    @Test
    fun `flume with a user's password and refresh tokens that rotate`() = DemoService("flume", lifetimeSeconds = 3600).use { service ->
        val provider = TokenPreset.FLUME.at(service.baseUrl)
        live(service, manager(provider, service.source()), "${service.baseUrl}/me", "password", "refresh_token")
    }

    @Test
    fun `flip energy on a server`() = DemoService("flip_energy").use { service ->
        runBlocking {
            val base = service.baseUrl
            var key = service.credential("bearer")
            val source = TokenSource.fixed { IssuedToken(key) }
            val clientToken = manager(TokenPreset.FLIP_ENERGY_CLIENT.at(base), source)
            val site = manager(
                TokenPreset.FLIP_ENERGY_SITE.at(base),
                TokenSource.parent(clientToken),
                TokenIdentity { site = "site-1" },
                patience = 2.seconds,
            )
            val (sites, devices) = client(clientToken) to client(site)
            assertEquals(200, sites.get("$base/v1/sites").first)
            assertEquals(200, devices.get("$base/v1/site/site-1/devices").first)
            service.pass(61.minutes)
            assertEquals(200, devices.get("$base/v1/site/site-1/devices").first)
            assertThrows(TokenwardException.NotAllowed::class.java) {
                runBlocking { devices.get("$base/v1/site/site-2/devices") }
            }
            service.rotate("bearer", "fct_rotated")
            service.pass(61.minutes)
            assertTrue(runCatching { devices.get("$base/v1/site/site-1/devices") }.isFailure)
            key = "fct_rotated"
            listOf(clientToken, site).forEach { it.retry() }
            // Two requests may be a second apart, and a call has the patience for one such wait.
            eventually { runCatching { devices.get("$base/v1/site/site-1/devices").first }.getOrNull() == 200 }
            assertEquals(200, sites.get("$base/v1/sites").first)
            listOf(sites, devices, site, clientToken).forEach { it.close() }
        }
    }

    @Test
    fun `flip energy on a phone whose backend issues the site token`() = DemoService("flip_energy").use { service ->
        runBlocking {
            val base = service.baseUrl
            var asked = 0
            val backend = TokenSource.backend {
                asked++
                IssuedToken.json(service.post("/v1/auth/site/site-1", service.credential("bearer")))
            }
            val provider = TokenPreset.FLIP_ENERGY_SITE_BY_BACKEND.at(base)
            val manager = TokenManager(provider, TokenIdentity { site = "site-1" }, backend, options = TokenManagerOptions(clock = clock))
            val client = client(manager)
            suspend fun ok() = assertEquals(200, client.get("$base/v1/site/site-1/devices").first)
            ok()
            ok()
            assertEquals(1, asked)
            service.pass(50.minutes)
            ok()
            eventually { manager.authorize("GET", "$base/v1/site/site-1/devices").generation == 2L }
            service.pass(20.minutes)
            ok()
            assertEquals(2, asked)
            service.revoke("access_tokens")
            ok()
            assertEquals(3, asked)
            client.close()
            manager.close()
        }
    }

    @Test
    fun `oidc-provider, client credentials`() = OidcProvider(lifetimeSeconds = 2).use { service ->
        runBlocking {
            val provider = service.provider(TokenGrant.CLIENT_CREDENTIALS)
            val manager = manager(provider, TokenSource.credentials { Credentials(service.clientId, service.clientSecret) })
            assertTrue(manager.authorize("GET", "${service.baseUrl}/me").header.startsWith("Bearer "))
            delay(2.seconds)
            assertEquals(2, manager.authorize("GET", "${service.baseUrl}/me").generation)
            assertTrue(service.grants().all { it == "client_credentials 200" })
            manager.close()

            val wrong = manager(provider, TokenSource.credentials { Credentials(service.clientId, "wrong") })
            repeat(2) {
                val refused = runCatching { wrong.authorize("GET", "${service.baseUrl}/me") }.exceptionOrNull()
                assertEquals("invalid_client", (refused as TokenwardException.Configuration).code)
            }
            assertEquals(1, service.grants().count { it == "client_credentials 401" })
            wrong.close()
        }
    }

    /** Each way to sign requests, and the client of it. */
    private val signers = listOf(
        ClientAuthentication.CLIENT_SECRET_JWT to "signer",
        ClientAuthentication.PRIVATE_KEY_JWT to "keyed",
    )

    @Test
    fun `oidc-provider takes a signed request where the clocks agree`() = OidcProvider(script = "server.mjs").use { service ->
        runBlocking {
            for ((way, client) in signers) {
                clock.moved = Duration.ZERO
                service.ahead(0)
                val provider = service.provider(TokenGrant.CLIENT_CREDENTIALS).copy {
                    authentication = way
                    issuer = service.baseUrl
                }
                val key = ClientSigner(SignatureAlgorithm.ES256) { service.sign(it) }
                val source = TokenSource.credentials { Credentials(client, service.clientSecret, signer = key) }
                suspend fun TokenManager.generation() = authorize("GET", "${service.baseUrl}/me").generation
                manager(provider, source).use { assertEquals(1, it.generation()) }
                // Our clock is an hour slow until somebody sets it right.
                service.ahead(3600)
                manager(provider, source).use { slow ->
                    val refused = runCatching { slow.generation() }.exceptionOrNull()
                    assertEquals("invalid_client", (refused as TokenwardException.Configuration).code)
                    clock.moved = 3600.seconds
                    assertEquals(1, slow.generation())
                }
            }
        }
    }

    @Test
    fun `oidc-provider, a user's refresh token rotates, and a 401 costs one refresh`() = OidcProvider().use { service ->
        runBlocking {
            val file = folder.resolve("oidc")
            val source = TokenSource.credentials { Credentials(service.clientId, service.clientSecret) }
            fun process() = manager(service.provider(null), source, storage = FileTokenStorage(file, ByteArray(32) { 7 }))
            val manager = process()
            val client = client(manager)
            val me = "${service.baseUrl}/me"
            assertThrows(TokenwardException.SignInRequired::class.java) { runBlocking { client.get(me) } }
            manager.install(IssuedToken.json(service.signIn()))
            assertEquals(200 to """{"sub":"user"}""", client.get(me))
            clock.moved += 50.seconds
            assertEquals(200, client.get(me).first)
            eventually { service.grants() == listOf("refresh_token 200") }
            // oidc-provider's clock is real: it ends the token that ours calls old.
            clock.moved += 40.seconds
            delay(1.seconds)
            service.revokeAccessTokens()
            List(10) { async(Dispatchers.IO) { assertEquals(200, client.get(me).first) } }.awaitAll()
            assertEquals(2, service.grants().size, "${service.grants()}")
            client.close()
            manager.close()
            // What was stored last is what the service rotated to.
            val restarted = process()
            clock.moved += 60.seconds
            assertEquals(200, client(restarted).use { it.get(me) }.first)
            assertEquals(List(3) { "refresh_token 200" }, service.grants())
            restarted.close()
        }
    }

    @Test
    fun `a server that is down is told, and a token comes when it is back`() = runBlocking {
        val first = DemoService("flip_utility")
        val port = first.baseUrl.substringAfterLast(':').toInt()
        val api = first.baseUrl
        val manager = manager(TokenPreset.FLIP_UTILITY_SANDBOX.at(api), first.source(), patience = Duration.ZERO)
        first.close()
        val down = assertThrows(TokenwardException::class.java) { runBlocking { manager.authorize("GET", "$api/v1/programs") } }
        assertTrue(down.cause is IOException)
        DemoService("flip_utility", port = port).use { eventually { runCatching { manager.authorize("GET", "$api/v1/programs") }.isSuccess } }
        manager.close()
    }

    private fun OidcProvider.provider(primary: TokenGrant?) = TokenProvider("oidc", baseUrl, "/token") {
        loopbackHttp = true
        primaryGrant = primary
        refreshGrant = primary == null
        missingLifetime = MissingLifetime.Refuse
        policy = RefreshPolicy {
            jitterPermille = 0u
            minIntervalMs = 500u
            marginMs = 200u
        }
    }

    private suspend fun eventually(condition: suspend () -> Boolean) {
        repeat(200) {
            if (condition()) return
            delay(50)
        }
        throw AssertionError("it did not come to that")
    }
}
