package io.github.tokenward

import kotlinx.coroutines.ExperimentalCoroutinesApi
import kotlinx.coroutines.flow.filterIsInstance
import kotlinx.coroutines.launch
import kotlinx.coroutines.test.TestScope
import kotlinx.coroutines.test.UnconfinedTestDispatcher
import kotlinx.coroutines.test.runTest
import java.io.IOException
import kotlin.test.Test
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith
import kotlin.test.assertTrue
import kotlin.time.Duration.Companion.hours

@OptIn(ExperimentalCoroutinesApi::class)
class RevocationTest {
    private val service = MemoryService()
    private val storage = MemoryTokenStorage()

    /** Signs out with a service that is told; what it is told, and what is said of it. */
    private fun leaving(
        provider: TokenProvider = ACME.copy { revocationPath = "/oauth2/revoke" },
        source: TokenSource = CREDENTIALS,
        test: suspend TestScope.(TokenManager, List<TokenEvent.RevocationFailed>) -> Unit,
    ) = runTest {
        manager(service, source, provider, storage = storage).use { manager ->
            manager.install(IssuedToken("a", 1.hours, "r-canary"))
            val failed = ArrayList<TokenEvent.RevocationFailed>()
            backgroundScope.launch(UnconfinedTestDispatcher(testScheduler)) {
                manager.events.filterIsInstance<TokenEvent.RevocationFailed>().collect(failed::add)
            }
            manager.signOut(revoking = true)
            assertTrue(storage.isTombstone(provider))
            assertEquals("signed_out", assertFailsWith<TokenwardException.SignInRequired> { manager.authorize("GET", API) }.code)
            test(manager, failed)
        }
    }

    @Test
    fun `a service is told of a sign-out with the refresh token and the client's credentials`() {
        service.answers += MemoryService.answer(200, "")
        leaving { _, failed ->
            val body = "token=r-canary&token_type_hint=refresh_token&client_id=id&client_secret=client-secret-canary"
            assertEquals(listOf(body), service.requests)
            assertEquals(emptyList(), failed)
        }
    }

    @Test
    fun `a client's values go with what a service is told of a sign-out`() {
        service.answers += MemoryService.answer(200, "")
        val provider = ACME.copy {
            revocationPath = "/oauth2/revoke"
            parameters = listOf(TokenParameter("tenant", "{tenant}", ParameterTarget.REVOCATION))
        }
        val source = TokenSource.credentials { Credentials("id", "secret", values = mapOf("tenant" to "t 1")) }
        leaving(provider, source) { _, failed ->
            assertEquals(listOf("tenant=t+1"), service.requests.single().split('&').filter { "tenant" in it })
            assertEquals(emptyList(), failed)
        }
    }

    @Test
    fun `what a service says no to is told and undoes nothing`() {
        service.answers += MemoryService.answer(400, """{"error":"unsupported_token_type"}""")
        leaving { _, failed ->
            val answer = ServiceAnswer(400, "unsupported_token_type")
            assertEquals(listOf(TokenEvent.RevocationFailed("refused", answer)), failed)
            assertEquals("token not revoked: refused, status 400", failed.single().logLine)
            assertTrue(failed.single().isProblem)
        }
    }

    @Test
    fun `a service in trouble or out of reach is told of and undoes nothing`() {
        service.answers += MemoryService.answer(503, "")
        leaving { _, failed ->
            assertEquals(listOf(TokenEvent.RevocationFailed("temporarily_unavailable", ServiceAnswer(503))), failed)
        }
        service.isDown = true
        leaving { _, failed ->
            assertEquals(listOf(TokenEvent.RevocationFailed("no_answer", null)), failed)
        }
    }

    @Test
    fun `without a revocation path or credentials nothing is sent and it is signed out all the same`() {
        leaving(ACME) { _, failed -> assertEquals(listOf("invalid_provider"), failed.map { it.code }) }
        leaving(source = TokenSource.credentials { throw IOException("the vault is closed") }) { _, failed ->
            assertEquals(listOf("no_answer"), failed.map { it.code })
        }
        leaving(source = TokenSource.credentials { Credentials("id") }) { _, failed ->
            assertEquals(listOf("wrong_credentials"), failed.map { it.code })
        }
        assertEquals(emptyList(), service.requests)
    }

    @Test
    fun `who is cancelled while a service is told stops waiting and it is told all the same`() = runTest {
        manager(service, provider = ACME.copy { revocationPath = "/oauth2/revoke" }).use { manager ->
            manager.install(IssuedToken("a", 1.hours, "r"))
            val leaving = launch { manager.signOut(revoking = true) }
            testScheduler.runCurrent()
            assertEquals(1, service.requests.size)
            leaving.cancel()
            testScheduler.advanceUntilIdle()
            assertEquals("signed_out", assertFailsWith<TokenwardException.SignInRequired> { manager.authorize("GET", API) }.code)
        }
    }

    @Test
    fun `a sign-out where no token is held sends nothing`() = runTest {
        manager(service, provider = ACME.copy { revocationPath = "/oauth2/revoke" }).use { manager ->
            manager.signOut(revoking = true)
            assertEquals(emptyList(), service.requests)
        }
    }
}
