import io.github.tokenward.*
import io.github.tokenward.okhttp.OkHttpTransport
import io.github.tokenward.okhttp.authorizedBy
import io.github.tokenward.okhttp.withoutToken
import kotlinx.coroutines.runBlocking
import okhttp3.MediaType.Companion.toMediaType
import okhttp3.OkHttpClient
import okhttp3.Request
import okhttp3.RequestBody.Companion.toRequestBody
import java.nio.file.Path

/** A service of one's own: five calls, a token that is refused, a restart, a sign-out. */
fun main(arguments: Array<String>): Unit = runBlocking {
    val (base, id, secret, state) = arguments
    val acme = TokenProvider("acme", base, "/oauth2/token") {
        parameters = listOf(TokenParameter("audience", "https://api.acme.example"))
        authentication = ClientAuthentication.BASIC_RAW
        primaryGrant = TokenGrant.CLIENT_CREDENTIALS
        refreshGrant = true
        loopbackHttp = true
        policy = RefreshPolicy { minIntervalMs = 0u }
    }

    fun manager() = TokenManager(
        provider = acme,
        source = TokenSource.credentials { Credentials(id, secret) },
        transport = OkHttpTransport(),
        storage = FileTokenStorage(Path.of(state), ByteArray(32) { 42 }),
        options = TokenManagerOptions(dangerouslyAllowServerOnlyCredentials = true),
    )
    val url = "$base/v2/transactions"
    val tokens = manager()
    val api = OkHttpClient.Builder().authorizedBy(tokens).build()
    println("five calls: ${List(5) { api.get(url) }}")
    val revoke = """{"what":"access_tokens"}""".toRequestBody("application/json".toMediaType())
    api.send(Request.Builder().url("$base/_demo/revoke").post(revoke).withoutToken())
    println("refused and replaced: ${api.get(url)}, ${tokens.authorize("GET", url)}")
    try {
        api.get("https://elsewhere.example/")
    } catch (refused: TokenwardException.NotAllowed) {
        println("elsewhere: ${refused.code}: ${refused.message}")
    }
    tokens.close()

    manager().use { restarted ->
        val again = OkHttpClient.Builder().authorizedBy(restarted).build()
        println("restarted: ${again.get(url)}, ${restarted.authorize("GET", url)}")
        restarted.signOut()
        try {
            again.get(url)
        } catch (refused: TokenwardException.SignInRequired) {
            println("signed out: ${refused.code}: ${refused.message}")
        }
    }
}

fun OkHttpClient.get(url: String) = send(Request.Builder().url(url))

fun OkHttpClient.send(request: Request.Builder) = newCall(request.build()).execute().use { it.code }
