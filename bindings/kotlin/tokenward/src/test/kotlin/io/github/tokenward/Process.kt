package io.github.tokenward

import kotlinx.coroutines.delay
import kotlinx.coroutines.future.await
import kotlinx.coroutines.runBlocking
import java.net.URI
import java.net.http.HttpClient
import java.nio.file.Path
import kotlin.time.Duration.Companion.milliseconds
import kotlin.time.Duration.Companion.seconds
import java.net.http.HttpRequest as JdkRequest
import java.net.http.HttpResponse as JdkResponse

/** Between what a process is killed; in the order in which it happens. */
enum class Step { BEGUN, ANNOUNCED, ANSWERED, PERSISTED, NEVER }

/**
 * A process of its own that authorizes over a file: once, or again and again for a time. It kills itself at a step.
 *
 * Arguments: base URL, file, whether it is shared, the step, how far the clocks are ahead in seconds, milliseconds to go on.
 */
fun main(arguments: Array<String>) = runBlocking {
    val (baseUrl, file, shared, step, ahead) = arguments
    val goOn = arguments[5].toLong()
    val killAt = Step.valueOf(step)
    var answered = false

    fun reached(step: Step) {
        if (step == killAt) ProcessBuilder("kill", "-KILL", "${ProcessHandle.current().pid()}").start().waitFor()
    }
    val stored = FileTokenStorage(Path.of(file), ByteArray(32) { 1 }, shared.toBoolean())
    val storage = object : TokenStorage by stored {
        override fun transact(body: (ByteArray?) -> TokenStorage.Change) {
            var writes = false
            stored.transact { current ->
                body(current).also { change ->
                    writes = change is TokenStorage.Change.Replace
                    if (writes) reached(if (answered) Step.ANSWERED else Step.BEGUN)
                }
            }
            if (writes) reached(if (answered) Step.PERSISTED else Step.ANNOUNCED)
        }
    }
    val transport = object : Transport {
        override suspend fun send(request: HttpRequest): HttpResponse {
            // Without an announcement this is where a process has begun.
            if (!stored.isShared) reached(Step.BEGUN)
            return JdkTransport.send(request).also { answered = true }
        }
    }
    val clock = object : Clock {
        override fun now() = Clock.system.now()

        override fun wall() = checkNotNull(Clock.system.wall()) + ahead.toLong()
    }
    // Refreshes often, of tokens that live long: a busy machine makes them late, never useless.
    val policy = RefreshPolicy(
        fractionPermille = 2,
        jitterPermille = 0,
        minInterval = 100.milliseconds,
        margin = 100.milliseconds,
        responseTimeout = 30.seconds,
    )
    val provider = ACME.copy(
        baseUrl = baseUrl,
        tokenPath = "/token",
        apiOrigins = ApiOrigins.BaseUrl,
        allowLoopbackHttp = true,
        policy = policy,
    )
    TokenManager(provider, Subject.Client, CREDENTIALS, transport, storage, TokenManagerOptions(clock = clock)).use { manager ->
        val end = System.currentTimeMillis() + goOn
        do {
            println(manager.authorize("GET", "$baseUrl/").header)
            if (goOn > 0) delay(20)
        } while (System.currentTimeMillis() < end)
    }
}

/** Sends by the JDK's own client. */
private object JdkTransport : Transport {
    private val client = HttpClient.newHttpClient()

    override suspend fun send(request: HttpRequest): HttpResponse {
        val sent = JdkRequest.newBuilder(
            URI(request.url),
        ).method(request.method, JdkRequest.BodyPublishers.ofByteArray(request.body))
        request.headers.forEach { sent.header(it.name, it.value) }
        val answer = client.sendAsync(sent.build(), JdkResponse.BodyHandlers.ofByteArray()).await()
        val headers = answer.headers().map().flatMap { (name, values) -> values.map { HttpHeader(name, it) } }
        return HttpResponse(answer.statusCode(), headers, answer.body())
    }
}
