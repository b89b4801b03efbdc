package io.github.tokenward.okhttp

import io.github.tokenward.ClientAuthentication
import io.github.tokenward.Credentials
import io.github.tokenward.Exposure
import io.github.tokenward.FileTokenStorage
import io.github.tokenward.IssuedToken
import io.github.tokenward.MemoryTokenStorage
import io.github.tokenward.TokenGrant
import io.github.tokenward.TokenIdentity
import io.github.tokenward.TokenKeeper
import io.github.tokenward.TokenManager
import io.github.tokenward.TokenManagerOptions
import io.github.tokenward.TokenPreset
import io.github.tokenward.TokenProvider
import io.github.tokenward.TokenSource
import io.github.tokenward.TokenState
import io.github.tokenward.TokenwardException
import io.github.tokenward.code
import io.github.tokenward.logTo
import io.github.tokenward.signInByLoopback
import kotlinx.coroutines.CompletableDeferred
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.cancelAndJoin
import kotlinx.coroutines.launch
import kotlinx.coroutines.test.runTest
import okhttp3.OkHttpClient
import okhttp3.Request
import org.slf4j.LoggerFactory
import java.io.File
import java.nio.file.Path
import java.security.SecureRandom
import kotlin.test.Test
import kotlin.test.assertContains
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith

/** The examples of this package's README.md and of the repository's, as they stand there. */
class ReadmeTest {
    private val flip = "https://api.invalid"
    private val storage = MemoryTokenStorage()
    private val path = Path.of("state")
    private val sealKey = ByteArray(32) { 1 }

    private class Backend {
        fun siteToken(site: String) = """{"access_token":"token-of-$site","expires_in":3600}""".encodeToByteArray()
    }

    private val myBackend = Backend()

    private fun clientToken() = "client-token"

    private fun first() {
        // first
        val site = TokenManager(
            provider = TokenProvider(TokenPreset.FLIP_ENERGY_SITE_BY_BACKEND),
            identity = TokenIdentity {
                site = "site-1"
                baseUrl = flip
            },
            source = TokenSource.backend { IssuedToken.json(myBackend.siteToken("site-1")) },
        )
        val api = OkHttpClient.Builder().authorizedBy(site).build()
        api.newCall(Request.Builder().url("$flip/v1/site/site-1/devices").build()).execute().use { println(it.code) }
        // end
    }

    private fun phone() {
        // phone
        val site = TokenManager(
            provider = TokenProvider(TokenPreset.FLIP_ENERGY_SITE_BY_BACKEND),
            identity = TokenIdentity {
                site = "site-1"
                baseUrl = flip
            },
            source = TokenSource.backend { IssuedToken.json(myBackend.siteToken("site-1")) },
            storage = storage, // AndroidTokenStorage(context, "site-1")
        )
        val api = OkHttpClient.Builder().authorizedBy(site).build()

        val devices = Request.Builder().url("$flip/v1/site/site-1/devices").build()
        api.newCall(devices).execute().use { println(it.code) }
        // end
    }

    private fun server(): TokenManager {
        // server
        val options = TokenManagerOptions(dangerouslyAllowServerOnlyCredentials = true)
        val client = TokenManager(
            TokenProvider(TokenPreset.FLIP_ENERGY_CLIENT),
            TokenIdentity { baseUrl = flip },
            TokenSource.fixed { IssuedToken(clientToken()) },
            options = options,
        )
        val site = TokenManager(
            TokenProvider(TokenPreset.FLIP_ENERGY_SITE),
            TokenIdentity {
                site = "site-1"
                baseUrl = flip
            },
            TokenSource.parent(client),
            OkHttpTransport(),
            FileTokenStorage(path, sealKey),
            options,
        )
        // end
        client.close()
        return site
    }

    private fun watched(scope: CoroutineScope, tokens: TokenKeeper, show: (String) -> Unit) {
        // watched
        scope.launch { tokens.logTo(LoggerFactory.getLogger("tokens")) } // or collect `events`, and their `logLine`
        scope.launch {
            tokens.state.collect { state ->
                if (state is TokenState.NeedsSignIn) show("Please sign in by ${state.signInBy ?: "now"} (${state.reason.code}).")
            }
        }
        // end
    }

    private fun development(): TokenProvider {
        // development
        val local = TokenProvider("local", "http://localhost:8080", "/token") {
            loopbackHttp = true
            primaryGrant = TokenGrant.CLIENT_CREDENTIALS
        }
        val newSealKey = ByteArray(32).also(SecureRandom()::nextBytes)
        // end
        assertEquals(32, newSealKey.size)
        return local
    }

    @Test
    fun `the examples of watching and of development run`() = runTest {
        val options = TokenManagerOptions(dangerouslyAllowServerOnlyCredentials = true)
        val source = TokenSource.credentials { Credentials("id", "secret") }
        TokenManager(development(), source = source, transport = OkHttpTransport(), options = options).use { manager ->
            watched(backgroundScope, manager) {}
        }
    }

    @Test
    fun `the example of a test against the service runs`() {
        val demoService = System.getProperty("tokenward.demoService")
        // the service
        val service = ProcessBuilder(demoService, "--kind", "flute", "--print-json").start() // ends when its input is closed
        val described = service.inputStream.bufferedReader().readLine()

        fun member(name: String) = Regex("\"$name\":\"([^\"]*)\"").find(described)!!.groupValues[1]
        val acme = TokenProvider("acme", member("sandbox"), "/oauth2/token") {
            authentication = ClientAuthentication.BASIC_RAW
            primaryGrant = TokenGrant.CLIENT_CREDENTIALS
            loopbackHttp = true
        }
        val source = TokenSource.credentials { Credentials(member("client_id"), member("client_secret")) }
        val options = TokenManagerOptions(dangerouslyAllowServerOnlyCredentials = true)
        TokenManager(acme, source = source, transport = OkHttpTransport(), options = options).use { tokens ->
            val api = OkHttpClient.Builder().authorizedBy(tokens).build()
            val call = Request.Builder().url(member("sandbox") + "/v2/transactions").build()
            assertEquals(200, api.newCall(call).execute().use { it.code })
        }
        service.outputStream.close()
        // end
    }

    private suspend fun signedIn(show: (String) -> Unit) {
        // sign-in
        val person = TokenManager(
            provider = TokenProvider("acme", "https://login.acme.example", "/token") {
                authorizationUrl = "https://login.acme.example/authorize"
                authentication = ClientAuthentication.PUBLIC_CLIENT
                refreshGrant = true
                exposure = Exposure.APP_ALLOWED
            },
            source = TokenSource.credentials { Credentials("app") },
            transport = OkHttpTransport(),
        )
        person.signInByLoopback { url -> show("Sign in at $url") }
        // end
    }

    @Test
    fun `the example of signing in waits for a person`() = runTest {
        val shown = CompletableDeferred<String>()
        val signingIn = launch { signedIn(shown::complete) }
        assertContains(shown.await(), "Sign in at https://login.acme.example/authorize?response_type=code&client_id=app&")
        signingIn.cancelAndJoin()
    }

    @Test
    fun `the dependency that is shown is the one that a stranger's project has`() {
        val shown = Regex("```xml\n(.*?)```", RegexOption.DOT_MATCHES_ALL).find(File("../README.md").readText())
        assertContains(File("../../../examples/kotlin-cli/pom.xml").readText(), checkNotNull(shown).groupValues[1].trim())
    }

    @Test
    fun `the examples of a phone run up to a host that does not exist`() {
        for (example in listOf(::first, ::phone)) {
            val failure = assertFailsWith<java.net.UnknownHostException> { example() }
            assertEquals(false, TokenwardException::class.isInstance(failure))
        }
    }

    @Test
    fun `the server's example runs`() = server().close()

    @Test
    fun `the examples that are shown are those that are compiled here`() {
        val files = listOf(
            "tokenward-okhttp" to "okhttp/ReadmeTest.kt",
            "tokenward-test" to "test/FakeTokenManagerTest.kt",
            "tokenward" to "JavaTest.java",
            "tokenward-jdbc" to "jdbc/PostgresTest.kt",
            "tokenward-android" to "android/SignInTest.kt",
        )
        val source = files.joinToString("") { (module, file) ->
            File("../$module/src/test/kotlin/io/github/tokenward/$file").readText()
        }
        val guide = "phone,server,replicas,sign-in,android,watched,view model,the service,java,development".split(",")
        for ((readme, names) in listOf("../../../README.md" to listOf("first"), "../README.md" to guide)) {
            val shown = Regex("```(?:kotlin|java)\n(.*?)```", RegexOption.DOT_MATCHES_ALL).findAll(File(readme).readText()).map {
                it.groupValues[1].trim()
            }.toList()
            val compiled = names.map { name ->
                val example = Regex("( *)// $name\n(.*?)\\1// end", RegexOption.DOT_MATCHES_ALL).find(source)
                checkNotNull(example) { name }.groupValues[2].trimIndent().trim()
            }
            assertEquals(compiled, shown, readme)
        }
    }
}
