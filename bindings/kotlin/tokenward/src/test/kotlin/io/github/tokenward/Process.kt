package io.github.tokenward

import kotlinx.coroutines.delay
import kotlinx.coroutines.future.await
import kotlinx.coroutines.runBlocking
import java.net.URI
import java.net.http.HttpClient
import java.nio.file.Path
import kotlin.time.Duration
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
        override fun locked(body: (StorageAccess) -> Unit) = stored.locked { access ->
            body(
                object : StorageAccess by access {
                    override fun write(item: ByteArray) {
                        reached(if (answered) Step.ANSWERED else Step.BEGUN)
                        access.write(item)
                        reached(if (answered) Step.PERSISTED else Step.ANNOUNCED)
                    }
                },
            )
        }
    }
    val transport = object : TokenTransport {
        override suspend fun send(request: TransportRequest): TransportResponse {
            // Without an announcement this is where a process has begun.
            if (!stored.isShared) reached(Step.BEGUN)
            return JdkTransport.send(request).also { answered = true }
        }
    }
    var jumped = Duration.ZERO
    val clock = object : TokenClock {
        override fun now() = TokenClock.system.now() + jumped.inWholeMilliseconds

        override fun wall() = checkNotNull(TokenClock.system.wall()) + ahead.toLong() + jumped.inWholeSeconds
    }
    val provider = ACME.copy {
        this.baseUrl = baseUrl
        tokenPath = "/token"
        apiOrigins = null
        loopbackHttp = true
        // Refreshes often.
        policy = RefreshPolicy {
            fractionPermille = 2u
            jitterPermille = 0u
            minIntervalMs = 100u
            marginMs = 100u
            responseTimeoutMs = 30_000u
        }
    }
    val options = TokenManagerOptions(requestTimeout = if (goOn > 0) 30.seconds else Duration.ZERO, clock = clock)
    TokenManager(provider, TokenIdentity {}, CREDENTIALS, transport, storage, options).use { manager ->
        // What a killed process has announced is waited out, at once where nobody else runs.
        suspend fun header(): String = try {
            manager.authorize("GET", "$baseUrl/").header
        } catch (wait: TokenwardException.TemporarilyUnavailable) {
            jumped += checkNotNull(wait.retryAfter)
            header()
        }
        val end = System.currentTimeMillis() + goOn
        do {
            println(header())
            if (goOn > 0) delay(20)
        } while (System.currentTimeMillis() < end)
    }
}

/** Sends by the JDK's own client. */
private object JdkTransport : TokenTransport {
    private val client = HttpClient.newHttpClient()

    override suspend fun send(request: TransportRequest): TransportResponse {
        val sent = JdkRequest.newBuilder(
            URI(request.url),
        ).method(request.method, JdkRequest.BodyPublishers.ofByteArray(request.body))
        request.headers.forEach { sent.header(it.name, it.value) }
        val answer = client.sendAsync(sent.build(), JdkResponse.BodyHandlers.ofByteArray()).await()
        val headers = answer.headers().map().flatMap { (name, values) -> values.map { TransportHeader(name, it) } }
        return TransportResponse(answer.statusCode(), headers, answer.body())
    }
}
