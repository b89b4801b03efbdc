import io.github.tokenward.Credentials
import io.github.tokenward.FileTokenStorage
import io.github.tokenward.RefreshPolicy
import io.github.tokenward.TokenIdentity
import io.github.tokenward.TokenManager
import io.github.tokenward.TokenManagerOptions
import io.github.tokenward.TokenPreset
import io.github.tokenward.TokenProvider
import io.github.tokenward.TokenSource
import io.github.tokenward.TokenwardException
import io.github.tokenward.okhttp.OkHttpTransport
import io.github.tokenward.okhttp.authorizedBy
import kotlinx.coroutines.delay
import kotlinx.coroutines.launch
import kotlinx.coroutines.runBlocking
import okhttp3.MediaType.Companion.toMediaType
import okhttp3.OkHttpClient
import okhttp3.Request
import okhttp3.RequestBody.Companion.toRequestBody
import java.nio.file.Files
import java.nio.file.Path
import kotlin.system.exitProcess

/**
 * The whole life of a token of Flute's sandbox, as `tokenward-demo-service --kind flute --lifetime 12` plays it:
 * obtained, used, refreshed ahead, rejected and replaced, kept over a restart, forgotten.
 */
fun main(arguments: Array<String>): Unit = runBlocking {
    if (arguments.size != 2) {
        System.err.println("usage: kotlin-cli BASE_URL STATE_FILE; id and secret in TOKENWARD_CLIENT_ID and TOKENWARD_CLIENT_SECRET")
        exitProcess(64)
    }
    val (baseUrl, state) = arguments
    val flute = TokenProvider(TokenPreset.FLUTE_SANDBOX) {
        apiOrigins = null
        loopbackHttp = true
        policy = RefreshPolicy {
            jitterPermille = 0u
            minIntervalMs = 200u
            marginMs = 200u
        }
    }

    fun manager() = TokenManager(
        provider = flute,
        identity = TokenIdentity { this.baseUrl = baseUrl },
        source = TokenSource.credentials { Credentials(secret("TOKENWARD_CLIENT_ID"), secret("TOKENWARD_CLIENT_SECRET")) },
        transport = OkHttpTransport(),
        storage = FileTokenStorage(Path.of(state), ByteArray(32) { 42 }),
        options = TokenManagerOptions(dangerouslyAllowServerOnlyCredentials = true),
    )
    val url = "$baseUrl/v2/transactions"

    val first = manager()
    val events = launch { first.events.collect { println("event: $it") } }
    val api = OkHttpClient.Builder().authorizedBy(first).build()
    println("obtained: ${api.get(url)}, generation ${first.authorize("GET", url).generation}")
    while (first.authorize("GET", url).generation < 2) delay(100)
    println("refreshed ahead: ${api.get(url)}, generation ${first.authorize("GET", url).generation}")
    delay(300)
    OkHttpClient().newCall(order("$baseUrl/_demo/revoke", """{"what":"access_tokens"}""")).execute().close()
    println("rejected and replaced: ${api.get(url)}, generation ${first.authorize("GET", url).generation}")
    try {
        api.get("https://elsewhere.example/")
    } catch (refused: TokenwardException.NotAllowed) {
        println("refused: ${refused.code}: ${refused.message}")
    }
    first.close()
    events.cancel()

    val second = manager()
    val lent = second.authorize("GET", url)
    fun isStored() = lent.header.removePrefix("Bearer ") in Files.readAllBytes(Path.of(state)).decodeToString()
    println("restarted: ${OkHttpClient.Builder().authorizedBy(second).build().get(url)}, $lent, token stored: ${isStored()}")
    second.signOut()
    // What is stored from now on says that somebody has signed out.
    println("signed out: ${second.status()}, token stored: ${isStored()}")
    second.close()
    exitProcess(0)
}

private fun secret(name: String) = System.getenv(name) ?: error("$name is not set")

private fun OkHttpClient.get(url: String) = newCall(Request.Builder().url(url).build()).execute().use { it.code }

private fun order(url: String, body: String) =
    Request.Builder().url(url).post(body.toRequestBody("application/json".toMediaType())).build()
