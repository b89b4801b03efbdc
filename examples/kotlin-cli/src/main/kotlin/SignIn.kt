import io.github.tokenward.ClientAuthentication
import io.github.tokenward.Credentials
import io.github.tokenward.Exposure
import io.github.tokenward.FileTokenStorage
import io.github.tokenward.TokenManager
import io.github.tokenward.TokenProvider
import io.github.tokenward.TokenSource
import io.github.tokenward.TokenwardException
import io.github.tokenward.okhttp.OkHttpTransport
import io.github.tokenward.okhttp.authorizedBy
import io.github.tokenward.signInByLoopback
import kotlinx.coroutines.runBlocking
import okhttp3.OkHttpClient
import okhttp3.Request
import java.nio.file.Path
import kotlin.system.exitProcess

/**
 * A person signs in. Arguments: ISSUER CLIENT_ID FILE [device | CALLBACK]
 *
 * In a browser of this machine, on another device, or with the URL that a browser came back with after this was killed.
 */
fun main(arguments: Array<String>): Unit = runBlocking {
    val (issuer, id, file) = arguments
    val key = ByteArray(32) { 7 } // An app uses AndroidTokenStorage, which has its own.
    val pending = FileTokenStorage(Path.of("$file.pending"), key)
    val tokens = TokenManager(
        provider = TokenProvider("issuer", issuer, "/token") {
            this.issuer = issuer
            authorizationUrl = "$issuer/auth?prompt=consent"
            devicePath = "/device/auth"
            scope = "openid offline_access"
            authentication = ClientAuthentication.PUBLIC_CLIENT
            refreshGrant = true
            exposure = Exposure.APP_ALLOWED
            loopbackHttp = true
        },
        source = TokenSource.credentials { Credentials(id) },
        transport = OkHttpTransport(),
        storage = FileTokenStorage(Path.of(file), key),
    )
    val client = OkHttpClient.Builder().authorizedBy(tokens).build()

    fun call() = client.newCall(Request.Builder().url("$issuer/me").build()).execute().use { println("signed in: ${it.code}") }

    suspend fun signIn() = when (val how = arguments.getOrNull(3)) {
        null -> tokens.signInByLoopback(pending = pending) { println("sign in at $it") }
        "device" -> tokens.signInOnAnotherDevice { println("enter ${it.userCode} at ${it.verificationUri}") }
        else -> tokens.resumeSignIn(how, pending)
    }

    val status = try {
        try {
            call()
        } catch (_: TokenwardException.SignInRequired) {
            signIn()
            call()
        }
        0
    } catch (refused: TokenwardException) {
        println("${refused.code}: ${refused.message}")
        1
    }
    exitProcess(status)
}
