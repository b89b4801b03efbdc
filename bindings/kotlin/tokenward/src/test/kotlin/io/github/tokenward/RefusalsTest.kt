package io.github.tokenward

import kotlinx.coroutines.test.runTest
import kotlin.test.Test
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith
import kotlin.test.assertNotNull
import kotlin.test.assertNull
import kotlin.test.assertTrue
import kotlin.time.Duration.Companion.seconds

class RefusalsTest {
    @Test
    fun `an app may not hold a server's credentials`() = runTest {
        val forApps = setOf(TokenPreset.FLUME, TokenPreset.FLIP_ENERGY_SITE_BY_BACKEND)
        for (provider in TokenPreset.entries.map { TokenProvider(it) } + TokenProvider("acme", "https://login.example")) {
            val identity = TokenIdentity {
                site = "s1".takeIf { provider.tokenPath.orEmpty().contains("{site}") }
                baseUrl = provider.baseUrl ?: "https://api.example"
            }

            fun make(allowServerOnly: Boolean) =
                manager(MemoryService(), provider = provider, identity = identity, allowServerOnly = allowServerOnly).close()
            make(allowServerOnly = true)
            if (provider.exposure == Exposure.APP_ALLOWED) {
                make(allowServerOnly = false)
            } else {
                val refused = assertFailsWith<TokenwardException.Configuration> { make(allowServerOnly = false) }
                assertEquals("server_only", refused.code)
                assertTrue("server" in refused.message.orEmpty())
            }
        }
        val exposed = TokenPreset.entries.filter { TokenProvider(it).exposure == Exposure.APP_ALLOWED }
        assertEquals(forApps, exposed.toSet())
    }

    @Test
    fun `a token goes to its provider's origins and routes alone and no request is made for others`() = runTest {
        val service = MemoryService()
        manager(service).use { manager ->
            for ((url, code) in mapOf(
                "https://evil.example/v1" to "origin_not_allowed",
                "http://api.acme.example/v1" to "origin_not_allowed",
                "https://user@api.acme.example/v1" to "bad_url",
                "nonsense" to "bad_url",
            )) {
                assertEquals(code, assertFailsWith<TokenwardException.NotAllowed> { manager.authorize("GET", url) }.code)
            }
        }
        assertEquals(0, service.requests.size)
        val site = TokenProvider(TokenPreset.FLIP_ENERGY_SITE_BY_BACKEND) { baseUrl = "https://api.example" }
        val source = TokenSource.backend { IssuedToken("t", 60.seconds) }
        manager(null, source, site, TokenIdentity { this.site = "s1" }).use { manager ->
            for ((path, code) in mapOf(
                "/v1/nothing" to "unknown_route",
                "/v1/sites" to "route_needs_other_token",
                "/v1/site/s2/devices" to "other_site",
            )) {
                val refused =
                    assertFailsWith<TokenwardException.NotAllowed> { manager.authorize("GET", "https://api.example$path") }
                assertEquals(code, refused.code)
            }
        }
    }

    @Test
    fun `a manager that must send requests needs a transport`() = runTest {
        val missing = assertFailsWith<TokenwardException.Configuration> { manager(null) }
        assertEquals("transport_missing", missing.code)
    }

    @Test
    fun `a description that cannot work is refused with the name of the fact`() = runTest {
        val site = TokenProvider(TokenPreset.FLIP_ENERGY_SITE_BY_BACKEND) { baseUrl = "https://api.example" }
        for ((fact, provider) in listOf(
            "site" to site,
            "base_url" to ACME.copy { baseUrl = "login.acme.example" },
            "scope" to ACME.copy { scope = "a\"b" },
            "any_https_origin" to ACME.copy { anyHttpsOrigin = true },
        )) {
            val refused = assertFailsWith<TokenwardException.Configuration> { manager(MemoryService(), provider = provider) }
            assertEquals(listOf("invalid_provider", fact), listOf(refused.code, refused.fact))
            assertTrue(refused.message.orEmpty().endsWith("($fact)"))
        }
    }

    @Test
    fun `a custom provider's token goes to the origin of its base URL alone unless that is said`() = runTest {
        for (everywhere in listOf(false, true)) {
            val provider = ACME.copy {
                apiOrigins = null
                anyHttpsOrigin = everywhere
            }
            manager(MemoryService(), provider = provider).use { manager ->
                manager.authorize("GET", "https://login.acme.example/v1")
                val elsewhere = runCatching { manager.authorize("GET", "https://b.example/v1") }
                assertEquals(everywhere, elsewhere.isSuccess)
            }
        }
    }

    @Test
    fun `a library of another version is refused`() {
        checkLibrary { VERSION }
        val other = assertFailsWith<TokenwardException.IncompatibleLibrary> { checkLibrary { "0.0.9" } }
        assertEquals(listOf(VERSION, "0.0.9"), listOf(other.expected, other.found))
        assertNotNull(
            assertFailsWith<TokenwardException.IncompatibleLibrary> {
                checkLibrary { throw UnsatisfiedLinkError() }
            }.cause,
        )
        assertFailsWith<TokenwardException.IncompatibleLibrary> { checkLibrary { error("checksums differ") } }
    }

    @Test
    fun `the package's version is that of its POM`() = assertEquals(System.getProperty("tokenward.version"), VERSION)

    @Test
    fun `what leaves a fact open has the core's defaults`() {
        val provider = TokenProvider("acme", "https://login.example")
        assertEquals(ClientAuthentication.BASIC, provider.authentication)
        assertNull(provider.policy)
        assertEquals(0.8, RefreshPolicy().fractionPermille.toInt() / 1000.0)
    }

    @Test
    fun `presets are those of the core`() {
        assertEquals("https://oauth.flip.energy", TokenProvider(TokenPreset.FLIP_UTILITY_SANDBOX).baseUrl)
        assertEquals(24, TokenProvider(TokenPreset.FLIP_ENERGY_CLIENT).routes?.size)
        assertEquals(MissingLifetime.Never, TokenProvider(TokenPreset.FLIP_UTILITY_API_KEY_PRODUCTION).missingLifetime)
        assertEquals(ClientAuthentication.BASIC_RAW, TokenProvider(TokenPreset.FLUTE_PRODUCTION).authentication)
        assertEquals(BodyFormat.JSON, TokenProvider(TokenPreset.FLUME).body)
    }

    @Test
    fun `a copy is another provider, and so is its policy`() {
        val copy = ACME.copy { name = "other" }
        copy.policy?.marginMs = 1u
        assertEquals(listOf("acme", "other"), listOf(ACME.name, copy.name))
        assertEquals(10_000u.toULong(), ACME.policy?.marginMs)
    }
}
