package io.github.tokenward

import kotlinx.coroutines.test.runTest
import kotlin.test.Test
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith
import kotlin.test.assertNotNull
import kotlin.test.assertTrue
import kotlin.time.Duration.Companion.seconds

class RefusalsTest {
    @Test
    fun `an app may not hold a server's credentials`() = runTest {
        val serverOnly = listOf(
            Provider.flipUtility(Environment.PRODUCTION),
            Provider.flipUtilityApiKey(Environment.PRODUCTION),
            Provider.flipEnergyClient("https://api.example"),
            Provider.opower("https://api.example"),
            Provider.flute(Environment.SANDBOX),
            Provider("acme", "https://login.example"),
        )
        for (provider in serverOnly) {
            val refused = assertFailsWith<TokenwardException.Configuration> { manager(MemoryService(), provider = provider) }
            assertEquals("server_only", refused.code)
            assertTrue("server" in refused.message.orEmpty())
            manager(MemoryService(), provider = provider, allowServerOnly = true).close()
        }
        manager(
            null,
            provider = Provider.flipEnergySite("https://api.example", IssuedBy.BACKEND),
            subject = Subject.Site("s1"),
        ).close()
        manager(MemoryService(), provider = Provider.flume()).close()
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
        val site = Provider.flipEnergySite("https://api.example", IssuedBy.BACKEND)
        val source = TokenSource.backend { IssuedToken("t", 60.seconds) }
        manager(null, source, site, Subject.Site("s1")).use { manager ->
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
    fun `a provider that needs a site and has none is refused`() = runTest {
        val provider = Provider.flipEnergySite("https://api.example", IssuedBy.BACKEND)
        assertEquals(
            "invalid_provider",
            assertFailsWith<TokenwardException.Configuration> {
                manager(null, provider = provider)
            }.code,
        )
        val negative = ACME.copy(policy = RefreshPolicy(margin = (-1).seconds))
        assertEquals(
            "invalid_argument",
            assertFailsWith<TokenwardException.Configuration> {
                manager(null, provider = negative)
            }.code,
        )
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
    fun `a custom provider has the core's defaults`() {
        val provider = Provider("acme", "https://login.example")
        assertEquals(CUSTOM.copy(name = "acme", baseUrl = "https://login.example"), provider)
        assertEquals(RefreshPolicy(), provider.policy)
        assertEquals(0.8, RefreshPolicy().fractionPermille / 1000.0)
    }

    @Test
    fun `presets are those of the core`() {
        assertEquals("https://oauth.flip.energy", Provider.flipUtility(Environment.SANDBOX).baseUrl)
        assertEquals(24, Provider.flipEnergyClient("https://api.example").routes.size)
        assertEquals(MissingLifetime.Never, Provider.flipUtilityApiKey(Environment.PRODUCTION).missingLifetime)
        assertEquals(ClientAuthentication.BASIC_RAW, Provider.flute(Environment.PRODUCTION).authentication)
        assertEquals(BodyFormat.JSON, Provider.flume().body)
        assertEquals(ApiOrigins.BaseUrl, Provider.opower("https://tier.example").apiOrigins)
    }
}
