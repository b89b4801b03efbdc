package io.github.tokenward

import kotlinx.coroutines.delay
import kotlinx.coroutines.runBlocking
import java.nio.file.Path
import kotlin.time.Duration
import kotlin.time.Duration.Companion.seconds

/**
 * A process of its own that authorizes over a file: once, or again and again for a time. It kills itself at a point.
 *
 * Arguments: base URL, file, whether it is shared, the point, how far the clocks are ahead in seconds, milliseconds to go on.
 */
fun main(arguments: Array<String>) = runBlocking {
    val (baseUrl, file, shared, point, ahead) = arguments
    val goOn = arguments[5].toLong()
    val fuse = Fuse(point)
    val storage = FusedStorage(FileTokenStorage(Path.of(file), ByteArray(32) { 1 }, shared.toBoolean()), fuse)
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
            responseTimeoutMs = 4000u
        }
    }
    val options = TokenManagerOptions(requestTimeout = if (goOn > 0) 30.seconds else Duration.ZERO, clock = clock)
    TokenManager(provider, TokenIdentity {}, CREDENTIALS, FusedTransport(fuse), storage, options).use { manager ->
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
