package io.github.tokenward

import kotlinx.coroutines.CancellationException
import kotlinx.coroutines.CompletableDeferred
import kotlinx.coroutines.ExperimentalCoroutinesApi
import kotlinx.coroutines.async
import kotlinx.coroutines.awaitAll
import kotlinx.coroutines.awaitCancellation
import kotlinx.coroutines.cancelAndJoin
import kotlinx.coroutines.launch
import kotlinx.coroutines.test.TestScope
import kotlinx.coroutines.test.advanceTimeBy
import kotlinx.coroutines.test.currentTime
import kotlinx.coroutines.test.runCurrent
import kotlinx.coroutines.test.runTest
import java.io.IOException
import java.net.HttpURLConnection
import java.net.URI
import kotlin.test.Test
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith
import kotlin.test.assertFalse
import kotlin.test.assertIs
import kotlin.test.assertNotEquals
import kotlin.test.assertTrue
import kotlin.time.Duration.Companion.minutes
import kotlin.time.Duration.Companion.seconds

/** A person signs in, in a browser or on another device. */
@OptIn(ExperimentalCoroutinesApi::class)
class SignInTest {
    private val service = MemoryService()
    private val back = "com.example.app:/callback"
    private val app = ACME.copy {
        primaryGrant = null
        authorizationUrl = "https://login.acme.example/authorize"
        devicePath = "/device"
        authentication = ClientAuthentication.PUBLIC_CLIENT
    }

    private fun TestScope.manager(transport: TokenTransport? = service, storage: TokenStorage = MemoryTokenStorage()) =
        manager(transport, TokenSource.credentials { Credentials("app") }, app, storage = storage)

    /** What the browser comes back with. */
    private fun callback(url: String, query: String, redirectUri: String = back) =
        "$redirectUri?$query&state=" + url.substringAfter("&state=").substringBefore('&')

    private suspend fun refused(call: suspend () -> Unit): String = assertFailsWith<TokenwardException> { call() }.code

    private fun codes(seconds: Int = 900) = MemoryService.answer(
        200,
        """{"device_code":"d-canary","user_code":"WDJB","verification_uri":"https://acme.example/d","expires_in":$seconds,"interval":5}""",
    )

    private fun error(code: String) = MemoryService.answer(400, """{"error":"$code"}""")

    @Test
    fun `a sign-in in a browser ends in a token`() = runTest {
        manager().use { manager ->
            manager.signIn(back) { callback(it.url, "code=c") }
            assertEquals("Bearer access-1", manager.authorize("GET", API).header)
            val sent = service.requests.single()
            val start = "grant_type=authorization_code&code=c&redirect_uri=com.example.app%3A%2Fcallback&code_verifier="
            assertTrue(sent.startsWith(start))
            assertTrue(sent.endsWith("&client_id=app"))
            assertEquals(TokenState.SignedIn, manager.state.value)
        }
    }

    @Test
    fun `two sign-ins have nothing random in common`() = runTest {
        manager().use { manager ->
            val urls = List(2) {
                var url = ""
                manager.signIn(back) { request -> callback(request.url, "code=c").also { url = request.url } }
                url.substringAfter("&state=").split("&code_challenge=")
            }
            assertNotEquals(urls[0][0], urls[1][0])
            assertNotEquals(urls[0][1], urls[1][1])
        }
    }

    @Test
    fun `a callback that is not of this sign-in is refused and sends nothing`() = runTest {
        val pending = MemoryTokenStorage()
        manager().use { manager ->
            val forged = mapOf(
                "other_state" to { _: String -> "$back?code=c&state=forged" },
                "other_redirect_uri" to { url: String -> callback(url, "code=c", "com.example.app:/elsewhere") },
                "duplicate_parameter" to { url: String -> callback(url, "code=c&code=d") },
                "invalid_callback" to { url: String -> callback(url, "nothing=c") },
            )
            for ((name, forge) in forged) {
                assertEquals(name, refused { manager.signIn(back, pending) { forge(it.url) } })
                assertTrue(pending.item()!!.isNotEmpty(), name)
            }
            assertTrue(service.requests.isEmpty())
        }
    }

    @Test
    fun `whoever shows the browser may wait for the right callback`() = runTest {
        manager().use { manager ->
            manager.signIn(back) { request ->
                val denied = callback(request.url, "error=access_denied").replace("&state=", "&state=x")
                val urls = listOf("$back?code=c&state=forged", denied, callback(request.url, "code=c"))
                assertEquals(listOf(false, false, true), urls.map { request.isAnswered(by = it) })
                urls.last()
            }
            assertEquals(listOf("authorization_code"), service.grants)
        }
    }

    @Test
    fun `a person who says no is told so, and so is whoever shows the browser`() = runTest {
        val pending = MemoryTokenStorage()
        manager().use { manager ->
            val refused = assertFailsWith<TokenwardException.SignInRequired> {
                manager.signIn(back, pending) { request ->
                    callback(request.url, "error=access_denied").also { assertTrue(request.isAnswered(by = it)) }
                }
            }
            assertEquals("access_denied", refused.code)
            assertEquals(0, pending.item()?.size)
            assertTrue(service.requests.isEmpty())
        }
    }

    @Test
    fun `a code that the service refuses leaves the token that there was`() = runTest {
        manager().use { manager ->
            manager.install(IssuedToken("installed", 3600.seconds))
            service.answers += error("invalid_grant")
            val refused = assertFailsWith<TokenwardException.SignInRequired> {
                manager.signIn(back) { callback(it.url, "code=replayed") }
            }
            assertEquals("invalid_grant" to 400, refused.code to refused.answer?.status)
            assertEquals("Bearer installed", manager.authorize("GET", API).header)
        }
    }

    @Test
    fun `a browser that is closed leaves nothing that could be resumed`() = runTest {
        val pending = MemoryTokenStorage()
        manager().use { manager ->
            assertFailsWith<IOException> { manager.signIn(back, pending) { throw IOException("closed") } }
            assertEquals(0, pending.item()?.size)
            assertEquals("stale_request", refused { manager.resumeSignIn("$back?code=c&state=s", pending) })
        }
    }

    /** Somebody goes to the browser, and the process ends there: the URL that was open. */
    private suspend fun TestScope.killedInTheBrowser(pending: TokenStorage): String {
        val opened = CompletableDeferred<String>()
        val manager = manager()
        val process = launch {
            manager.signIn(back, pending) {
                opened.complete(it.url)
                awaitCancellation()
            }
        }
        return opened.await().also {
            process.cancelAndJoin()
            manager.close()
        }
    }

    @Test
    fun `a process that is killed between browser and callback resumes in the next one, once`() = runTest {
        val pending = MemoryTokenStorage()
        val url = killedInTheBrowser(pending)
        manager().use { next ->
            assertEquals("other_state", refused { next.resumeSignIn("$back?code=forged&state=forged", pending) })
            next.resumeSignIn(callback(url, "code=c"), pending)
            assertEquals("Bearer access-1", next.authorize("GET", API).header)
            assertEquals(0, pending.item()?.size)
            assertEquals("stale_request", refused { next.resumeSignIn(callback(url, "code=c"), pending) })
            assertEquals(listOf("authorization_code"), service.grants)
        }
    }

    @Test
    fun `what is pending is deleted before its code is sent`() = runTest {
        val pending = MemoryTokenStorage()
        val url = killedInTheBrowser(pending)
        service.isDown = true
        manager().use { next ->
            assertIs<IOException>(
                assertFailsWith<TokenwardException.TemporarilyUnavailable> {
                    next.resumeSignIn(callback(url, "code=c"), pending)
                }.cause,
            )
        }
        assertEquals(0, pending.item()?.size)
        val stuck = object : TokenStorage by Elsewhere(MemoryTokenStorage()) {
            override fun locked(body: (StorageAccess) -> Unit): Unit = throw StorageLockedException("locked")
        }
        manager().use { manager ->
            var isOpen = false
            assertEquals("storage_locked", refused { manager.signIn(back, stuck) { "".also { isOpen = true } } })
            assertFalse(isOpen)
        }
        assertEquals(1, service.requests.size)
    }

    @Test
    fun `a code is not sent while what is pending cannot be deleted`() = runTest {
        val memory = MemoryTokenStorage()
        var isFull = false
        val pending = object : TokenStorage by Elsewhere(memory) {
            override fun locked(body: (StorageAccess) -> Unit) = if (isFull) throw IOException("full") else memory.locked(body)
        }
        manager().use { manager ->
            val signIn = suspend { manager.signIn(back, pending) { callback(it.url, "code=c").also { isFull = true } } }
            assertEquals("storage_failed", refused(signIn))
            assertTrue(service.requests.isEmpty())
        }
    }

    @Test
    fun `what is pending is good for ten minutes, for its own provider and under its own key`() = runTest {
        val pending = MemoryTokenStorage()
        val url = killedInTheBrowser(pending)
        advanceTimeBy(10.minutes)
        manager().use { next ->
            assertEquals("sign_in_expired", refused { next.resumeSignIn(callback(url, "code=c"), pending) })
            assertEquals("stale_request", refused { next.resumeSignIn(callback(url, "code=c"), pending) })
        }
        killedInTheBrowser(pending)
        manager(service, provider = ACME.copy { name = "other" }, source = TokenSource.credentials { Credentials("app") }).use {
            assertEquals("foreign_snapshot", refused { it.resumeSignIn(callback(url, "code=c"), pending) })
        }
        killedInTheBrowser(pending)
        val item = pending.item()!!
        val other = MemoryTokenStorage().apply { locked { it.write(item) } }
        manager().use { assertEquals("other_snapshot_key", refused { it.resumeSignIn(callback(url, "code=c"), other) }) }
    }

    @Test
    fun `who is cancelled while the code is out stops waiting, and the token comes`() = runTest {
        service.gate = CompletableDeferred()
        manager().use { manager ->
            val signingIn = async { manager.signIn(back) { callback(it.url, "code=c") } }
            advanceTimeBy(1.seconds)
            assertEquals(1, service.requests.size)
            signingIn.cancel()
            runCurrent()
            assertFailsWith<CancellationException> { signingIn.await() }
            service.gate!!.complete(Unit)
            advanceTimeBy(1.seconds)
            assertEquals("Bearer access-1", manager.authorize("GET", API).header)
        }
    }

    @Test
    fun `who signs out while the code is out stays signed out`() = runTest {
        service.gate = CompletableDeferred()
        manager().use { manager ->
            val signingIn = async { refused { manager.signIn(back) { callback(it.url, "code=c") } } }
            advanceTimeBy(1.seconds)
            manager.signOut()
            service.gate!!.complete(Unit)
            assertEquals("signed_out", signingIn.await())
            assertEquals("signed_out", refused { manager.authorize("GET", API) })
        }
    }

    @Test
    fun `who signs in while another's code is out keeps their token`() = runTest {
        service.gate = CompletableDeferred()
        manager().use { manager ->
            val signingIn = async {
                assertFailsWith<TokenwardException.NotAllowed> { manager.signIn(back) { callback(it.url, "code=c") } }.code
            }
            advanceTimeBy(1.seconds)
            manager.install(IssuedToken("theirs", 3600.seconds))
            service.gate!!.complete(Unit)
            assertEquals("stale_request", signingIn.await())
            assertEquals("Bearer theirs", manager.authorize("GET", API).header)
        }
    }

    @Test
    fun `who signs out or in during a sign-in on another device ends it`() = runTest {
        val changes = mapOf<String, suspend (TokenManager) -> Unit>(
            "signed_out" to { it.signOut() },
            "stale_request" to { it.install(IssuedToken("theirs", 3600.seconds)) },
        )
        for ((said, change) in changes) {
            service.answers += codes()
            service.gate = null
            manager().use { manager ->
                val signingIn = async {
                    refused { manager.signInOnAnotherDevice { service.gate = CompletableDeferred() } }
                }
                advanceTimeBy(6.seconds)
                change(manager)
                service.gate!!.complete(Unit)
                assertEquals(said, signingIn.await())
            }
        }
    }

    @Test
    fun `a sign-in that is resumed twice at once sends its code once`() = runTest {
        val pending = MemoryTokenStorage()
        val url = killedInTheBrowser(pending)
        val gate = CompletableDeferred<Unit>()
        manager(service, TokenSource.credentials { Credentials("app").also { gate.await() } }, app).use { next ->
            val both = List(2) { async { runCatching { next.resumeSignIn(callback(url, "code=c"), pending) } } }
            runCurrent()
            gate.complete(Unit)
            val codes = both.awaitAll().map { (it.exceptionOrNull() as? TokenwardException)?.code }
            assertEquals(setOf(null, "stale_request"), codes.toSet())
            assertEquals(listOf("authorization_code"), service.grants)
        }
    }

    @Test
    fun `a manager without what a sign-in needs says what is missing`() = runTest {
        val nothing = app.copy { refreshGrant = false }
        val backend = TokenSource.backend { IssuedToken("a") }
        manager(null, backend, nothing).use {
            assertEquals("wrong_credentials", refused { it.signIn(back) { "" } })
            assertEquals("wrong_credentials", refused { it.signInOnAnotherDevice {} })
        }
        manager(null, TokenSource.credentials { Credentials("app") }, nothing).use { manager ->
            assertEquals("transport_missing", refused { manager.signIn(back) { callback(it.url, "code=c") } })
        }
        val closed = manager().apply { close() }
        assertEquals("manager_closed", refused { closed.signIn(back) { "" } })
        assertEquals("manager_closed", refused { closed.signInOnAnotherDevice {} })
        assertEquals("manager_closed", refused { closed.resumeSignIn("", MemoryTokenStorage()) })
    }

    @Test
    fun `a sign-in on another device shows a code and ends in a token`() = runTest {
        service.answers += listOf(codes(), error("authorization_pending"), error("slow_down"))
        val shown = ArrayList<DeviceCode>()
        manager().use { manager ->
            manager.signInOnAnotherDevice { shown += it }
            assertEquals(listOf("WDJB https://acme.example/d"), shown.map { "${it.userCode} ${it.verificationUri}" })
            assertTrue(shown.single().expiresIn!! <= 900.seconds)
            assertEquals("Bearer access-4", manager.authorize("GET", API).header)
            // 5 s, 5 s, and 10 s after the service wanted to be asked less often.
            assertTrue(currentTime in 20_000..21_000, "$currentTime")
        }
    }

    @Test
    fun `a client's values go with each request of a sign-in`() = runTest {
        val own = app.copy {
            headers = listOf(NamedValue("x-api-key", "{key}"))
            parameters = listOf(ParameterTarget.DEVICE, ParameterTarget.CODE).map { TokenParameter("tenant", "{tenant}", it) }
        }
        val keys = ArrayList<String?>()
        val transport = object : TokenTransport {
            override suspend fun send(request: TransportRequest): TransportResponse {
                keys += request.headers.firstOrNull { it.name == "x-api-key" }?.value
                return service.send(request)
            }
        }
        val values = mapOf("key" to "k-1", "tenant" to "t 1")
        manager(transport, TokenSource.credentials { Credentials("app", values = values) }, own).use { manager ->
            service.answers += codes()
            manager.signInOnAnotherDevice {}
            manager.signIn(back) { callback(it.url, "code=c") }
        }
        assertEquals(listOf<String?>("k-1", "k-1", "k-1"), keys)
        assertEquals(3, service.requests.count { "tenant=t+1" in it.split('&') })
    }

    @Test
    fun `a sign-in on another device outlives a connection that breaks`() = runTest {
        service.answers += codes()
        manager().use { manager ->
            manager.signInOnAnotherDevice {
                launch {
                    service.isDown = true
                    advanceTimeBy(6.seconds)
                    service.isDown = false
                }
            }
            assertEquals("Bearer access-${service.requests.size}", manager.authorize("GET", API).header)
        }
    }

    @Test
    fun `a sign-in on another device that is denied or expires says so`() = runTest {
        manager().use { manager ->
            service.answers += listOf(codes(), error("access_denied"))
            val denied = assertFailsWith<TokenwardException.SignInRequired> { manager.signInOnAnotherDevice {} }
            assertEquals("access_denied" to 400, denied.code to denied.answer?.status)
            service.answers += listOf(codes(seconds = 12), error("authorization_pending"), error("authorization_pending"))
            assertEquals("expired_token", refused { manager.signInOnAnotherDevice {} })
            service.answers += listOf(codes(), error("expired_token"))
            assertEquals("expired_token", refused { manager.signInOnAnotherDevice {} })
        }
    }

    @Test
    fun `a sign-in on another device that shows nothing says why at once`() = runTest {
        manager().use { manager ->
            service.answers += listOf(error("unauthorized_client"), MemoryService.answer(200, "{}"))
            assertEquals("unauthorized_client", refused { manager.signInOnAnotherDevice {} })
            assertEquals("invalid_device_authorization", refused { manager.signInOnAnotherDevice {} })
            service.isDown = true
            assertEquals("temporarily_unavailable", refused { manager.signInOnAnotherDevice {} })
            service.isDown = false
            service.answers += codes()
            assertEquals(
                "no screen",
                assertFailsWith<IOException> {
                    manager.signInOnAnotherDevice { throw IOException("no screen") }
                }.message,
            )
            assertEquals(0, currentTime / 1000)
        }
    }

    @Test
    fun `who is cancelled asks for no other device`() = runTest {
        service.answers += codes()
        manager().use { manager ->
            val signingIn = async { manager.signInOnAnotherDevice {} }
            advanceTimeBy(2.seconds)
            signingIn.cancelAndJoin()
            advanceTimeBy(60.seconds)
            assertEquals(1, service.requests.size)
        }
    }

    @Test
    fun `no text of a sign-in holds a secret`() = runTest {
        manager().use { manager ->
            manager.signIn(back) {
                assertEquals("AuthorizationRequest([redacted])", "$it")
                callback(it.url, "code=c")
            }
        }
    }

    private fun visit(url: String, method: String = "GET"): Pair<Int, String> =
        (URI(url).toURL().openConnection() as HttpURLConnection).run {
            requestMethod = method
            (responseCode to (if (responseCode < 400) inputStream else errorStream).use { it.readBytes().decodeToString() })
        }

    @Test
    fun `a loopback redirect takes the right callback alone and shows a page`() = runTest {
        var origin = ""
        manager().use { manager ->
            manager.signInByLoopback { url ->
                val redirectUri = Regex("redirect_uri=([^&]*)").find(url)!!.groupValues[1].replace("%3A", ":").replace("%2F", "/")
                assertTrue(redirectUri.matches(Regex("http://127\\.0\\.0\\.1:\\d+/callback")), redirectUri)
                origin = redirectUri.removeSuffix("/callback")
                val right = callback(url, "code=c", redirectUri)
                assertEquals(404, visit("$redirectUri?code=c&state=forged").first)
                assertEquals(404, visit("$origin/favicon.ico").first)
                assertEquals(404, visit(callback(url, "code=c", "$origin/elsewhere")).first)
                assertEquals(404, visit(right, "POST").first)
                val (status, page) = visit(right)
                assertEquals(200, status)
                assertTrue("You may close this window." in page)
                assertEquals(200, visit(right).first)
            }
            assertEquals("Bearer access-1", manager.authorize("GET", API).header)
            assertEquals(listOf("authorization_code"), service.grants)
        }
        assertFailsWith<IOException> { visit("$origin/callback") }
    }

    @Test
    fun `a loopback redirect ends with whoever waits for it`() = runTest {
        val opened = CompletableDeferred<String>()
        manager().use { manager ->
            val signingIn = async { manager.signInByLoopback { opened.complete(it) } }
            val redirectUri = Regex(
                "redirect_uri=([^&]*)",
            ).find(opened.await())!!.groupValues[1].replace("%3A", ":").replace("%2F", "/")
            assertEquals(404, visit(redirectUri).first)
            signingIn.cancelAndJoin()
            assertFailsWith<IOException> { visit(redirectUri) }
        }
    }
}
