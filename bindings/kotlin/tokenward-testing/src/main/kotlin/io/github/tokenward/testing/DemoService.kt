package io.github.tokenward.testing

import java.io.File
import java.net.URI
import java.net.http.HttpClient
import java.net.http.HttpRequest
import java.net.http.HttpResponse

/** `tokenward-demo-service`, as a process: one of the five services on loopback. Lifetime 0: what the service's page says. */
public class DemoService(kind: String, public val lifetimeSeconds: Int = 0, port: Int = 0) : AutoCloseable {
    private val process: Process
    private val described: Map<String, Any?>

    init {
        val command = buildList {
            add(File(System.getProperty("tokenward.demoService")).path)
            addAll(listOf("--kind", kind, "--print-json", "--port", "$port"))
            if (lifetimeSeconds > 0) addAll(listOf("--lifetime", "$lifetimeSeconds"))
        }
        process = ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.INHERIT).start()
        val line = checkNotNull(process.inputStream.bufferedReader().readLine()) { "the demo service did not start" }
        described = (Json.parseObject(line)["services"] as List<*>).first().members().orEmpty()
    }

    public val baseUrl: String = described.text("base_url")

    /** The base URL of an environment, where the service has several. */
    public fun environmentUrl(name: String): String = described["environments"].text(name)

    public fun credential(name: String): String = checkNotNull(credentialOrNull(name))

    public fun credentialOrNull(name: String): String? = described["credentials"].members()?.get(name) as String?

    /** The answer to a POST without a body, as a backend would send it. */
    public fun post(path: String, bearer: String): ByteArray {
        val request = HttpRequest.newBuilder(URI(baseUrl + path)).POST(HttpRequest.BodyPublishers.noBody())
            .header("Authorization", "Bearer $bearer").build()
        return HTTP.send(request, HttpResponse.BodyHandlers.ofByteArray()).body()
    }

    public fun fault(name: String, members: String = ""): Unit = order("fault", """{"fault":"$name"$members}""")

    public fun revoke(what: String): Unit = order("revoke", """{"what":"$what"}""")

    public fun rotate(member: String, value: String): Unit = order("rotate", """{"$member":"$value"}""")

    public fun advance(seconds: Long): Unit = order("clock", """{"advance_s":$seconds}""")

    /** What was received since the start, oldest first. */
    public fun log(): List<Exchange> = (Json.parseObject(call("GET", "log", null))["exchanges"] as List<*>).map { exchange ->
        Exchange(exchange.text("path"), exchange.members()?.get("grant_type") as String?, exchange.text("outcome"))
    }

    /** Grants of the requests to the token endpoint, each with what became of it: `client_credentials token`. */
    public fun grants(): List<String> = log().filter { it.grantType != null }.map { "${it.grantType} ${it.outcome}" }

    override fun close() {
        process.outputStream.close()
        process.waitFor()
    }

    private fun order(name: String, body: String) {
        call("POST", name, body)
    }

    private fun call(method: String, name: String, body: String?): String {
        val publisher = body?.let { HttpRequest.BodyPublishers.ofString(it) } ?: HttpRequest.BodyPublishers.noBody()
        val request = HttpRequest.newBuilder(URI("$baseUrl/_demo/$name")).method(method, publisher)
            .header("Content-Type", "application/json").build()
        val answer = HTTP.send(request, HttpResponse.BodyHandlers.ofString())
        check(answer.statusCode() == 200) { "$method /_demo/$name: ${answer.statusCode()}" }
        return answer.body()
    }

    /** One request that the service received: what was asked for and what became of it. */
    public data class Exchange(val path: String, val grantType: String?, val outcome: String)

    private fun Any?.text(name: String): String = members()?.get(name) as String

    private companion object {
        val HTTP: HttpClient = HttpClient.newHttpClient()
    }
}
