package io.github.tokenward.testing

import java.io.File
import java.net.URI
import java.net.http.HttpClient
import java.net.http.HttpRequest
import java.net.http.HttpResponse

/**
 * The certified `oidc-provider` of npm, as a process on loopback: access tokens of [lifetimeSeconds], rotated refresh tokens.
 * With [script] `server.mjs` it has the clients of `examples/oidc-provider`.
 */
public class OidcProvider(lifetimeSeconds: Int = 60, script: String = "kotlin.mjs") : AutoCloseable {
    public val clientId: String = "app"
    public val clientSecret: String = "canary:secret+of/oidc, of 32 bytes or more"

    private val process = ProcessBuilder("node", script, clientSecret, "$lifetimeSeconds", "600")
        .directory(File(System.getProperty("tokenward.oidcProvider")))
        .redirectError(ProcessBuilder.Redirect.INHERIT)
        .start()

    public val baseUrl: String = checkNotNull(process.inputStream.bufferedReader().readLine()) { "oidc-provider did not start" }

    /** What the app's sign-in brings: an answer with access and refresh token of a user. */
    public fun signIn(user: String = "user"): ByteArray = call("_test/sign-in?user=$user").encodeToByteArray()

    /** Ends all access tokens. */
    public fun revokeAccessTokens() {
        call("_test/revoke")
    }

    /** The grants that reached the token endpoint, each with the status of its answer: `refresh_token 200`. */
    public fun grants(): List<String> = (Json.parse(call("_test/grants")) as List<*>).map { "$it" }

    /** Sets the clock of `server.mjs` forward. */
    public fun ahead(seconds: Long) {
        call("ahead?$seconds")
    }

    /** What `server.mjs` signs by ES256, as a service that keeps keys does. */
    public fun sign(data: ByteArray): ByteArray {
        val posted = HttpRequest.BodyPublishers.ofByteArray(data)
        val request = HttpRequest.newBuilder(URI("$baseUrl/sign?ES256")).POST(posted).build()
        return HttpClient.newHttpClient().send(request, HttpResponse.BodyHandlers.ofByteArray()).body()
    }

    override fun close() {
        process.destroy()
        process.waitFor()
    }

    private fun call(order: String): String {
        val request = HttpRequest.newBuilder(URI("$baseUrl/$order")).build()
        val answer = HttpClient.newHttpClient().send(request, HttpResponse.BodyHandlers.ofString())
        check(answer.statusCode() == 200) { "$order: ${answer.statusCode()}" }
        return answer.body()
    }
}
