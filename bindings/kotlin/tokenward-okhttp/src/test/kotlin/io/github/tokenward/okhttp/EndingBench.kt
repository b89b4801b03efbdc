package io.github.tokenward.okhttp

import io.github.tokenward.IssuedToken
import io.github.tokenward.TokenManager
import io.github.tokenward.TokenManagerOptions
import io.github.tokenward.TokenProvider
import io.github.tokenward.TokenSource
import okhttp3.OkHttpClient
import okhttp3.Request
import java.io.IOException
import java.util.concurrent.CompletableFuture
import java.util.concurrent.CountDownLatch
import kotlin.concurrent.thread

private const val ROUNDS = 50
private const val MILLION = 1e6

/** How long a cancelled call goes on, and a closed manager's threads, while the token that they wait for is held. */
fun main() {
    val held = CountDownLatch(1)
    val source = TokenSource.backend {
        held.await()
        IssuedToken("a")
    }
    val options = TokenManagerOptions(dangerouslyAllowServerOnlyCredentials = true)
    val manager = TokenManager(TokenProvider("acme", "https://acme.example"), source = source, options = options)
    val client = OkHttpClient.Builder().authorizedBy(manager).build()
    val times = List(ROUNDS) {
        val call = client.newCall(Request.Builder().url("https://acme.example/v1").build())
        val ended = CompletableFuture<Long>()
        thread(isDaemon = true) {
            try {
                call.execute().close()
            } catch (_: IOException) {
                ended.complete(System.nanoTime())
            }
        }
        Thread.sleep(30)
        val start = System.nanoTime()
        call.cancel()
        (ended.get() - start) / MILLION
    }.sorted()
    report(times[ROUNDS / 2], "until a cancelled call ends, the median")
    report(times.last(), "until a cancelled call ends, the longest")
    val start = System.nanoTime()
    manager.close()
    val main = Thread.currentThread()
    fun others() = Thread.getAllStackTraces().keys - main
    while (others().any { !it.isDaemon && it.threadGroup == main.threadGroup }) Thread.sleep(1)
    report((System.nanoTime() - start) / MILLION, "from close() until no thread but this one keeps the JVM")
}

private fun report(millis: Double, what: String) = println("bench: %8.1f ms, while a token is held: %s".format(millis, what))
