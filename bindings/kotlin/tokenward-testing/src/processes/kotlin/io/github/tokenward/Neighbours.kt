package io.github.tokenward

import io.github.tokenward.testing.Json
import io.github.tokenward.testing.OidcProvider
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.async
import kotlinx.coroutines.coroutineScope
import kotlinx.coroutines.delay
import kotlinx.coroutines.launch
import kotlinx.coroutines.runBlocking
import kotlinx.coroutines.sync.Semaphore
import kotlinx.coroutines.sync.withPermit
import kotlinx.coroutines.withContext
import kotlinx.coroutines.withTimeout
import org.junit.jupiter.api.DynamicTest
import org.junit.jupiter.api.DynamicTest.dynamicTest
import java.net.URI
import java.net.http.HttpClient
import java.net.http.HttpRequest
import java.net.http.HttpResponse
import java.nio.file.Files
import java.nio.file.Path
import kotlin.io.path.ExperimentalPathApi
import kotlin.io.path.deleteRecursively
import kotlin.io.path.readLines
import kotlin.random.Random
import kotlin.test.assertContains
import kotlin.test.assertEquals
import kotlin.test.assertNull
import kotlin.test.assertTrue
import kotlin.time.Duration.Companion.minutes

/**
 * Programs, real processes (`Neighbour.kt`) whose wall clocks are [clocks] seconds ahead, in one place and in one session of a
 * server that takes a refresh token once.
 *
 * @param place where they keep the session, given a folder of their own.
 */
class Neighbours(private val clocks: Map<String, Int>, place: (Path) -> String) : AutoCloseable {
    private class Journaled(val name: String, val what: String, val token: String?)

    private val names = clocks.keys.toList()
    private val folder = Files.createTempDirectory("neighbours")
    private val place = place(folder)
    private val journalFile: Path = folder.resolve("journal")
    private val processes = names.associateWithTo(HashMap(), ::start)

    private fun start(name: String): Process = startProgram(
        "Neighbour",
        SERVICE.baseUrl,
        place,
        "$journalFile",
        name,
        "${clocks[name]}",
        SERVICE.clientId,
        SERVICE.clientSecret,
    )

    suspend fun killAt(point: String) {
        val victim = names.random()
        assertEquals("done", ask(victim, "kill-at $point"))
        assertNull(ask(victim, "renew"))
        restart(victim)
    }

    suspend fun killAtAnyTime() {
        for (name in names) assertEquals("done", ask(name, "renew-always"))
        repeat(10) {
            delay(Random.nextLong(200, 1200))
            val name = names.random()
            restart(name)
            assertEquals("done", ask(name, "renew-always"))
        }
        for (name in names) restart(name)
    }

    /** Kills it, if it has not ended by itself. */
    private fun restart(name: String) {
        processes.getValue(name).destroyForcibly().waitFor()
        Journal("$journalFile", name).use { it.say("killed") }
        processes[name] = start(name)
    }

    @OptIn(ExperimentalPathApi::class)
    override fun close() {
        for (process in processes.values) process.destroyForcibly().waitFor()
        folder.deleteRecursively()
    }

    /** What it answers to a line; null: it has ended. */
    private suspend fun ask(name: String, command: String): String? = withContext(Dispatchers.IO) {
        val process = processes.getValue(name)
        process.outputStream.write("$command\n".encodeToByteArray())
        process.outputStream.flush()
        process.inputReader().readLine()
    }

    /** Signs in in one process; the others come to the foreground. */
    suspend fun signIn(user: String, name: String = names.first()) {
        install(user, name)
        for (other in names - name) assertEquals("done", ask(other, "reload"))
        for (each in names) assertEquals(user, user(each))
    }

    private suspend fun install(user: String, name: String) =
        assertEquals("done", ask(name, "install ${SERVICE.signIn(user).decodeToString()}"))

    /** Whose token a process lends, in the service's own words. */
    private suspend fun user(name: String): String? {
        val header = ask(name, "use")
        if (header == null || !header.startsWith("Bearer ")) return header
        val request = HttpRequest.newBuilder(URI("${SERVICE.baseUrl}/me")).header("Authorization", header).build()
        val answer = HTTP.send(request, HttpResponse.BodyHandlers.ofString()).body()
        return Json.parseObject(answer)["sub"] as String?
    }

    /** The rest of the story, whoever was killed in the first part of it. */
    suspend fun goOn() {
        renewAtOnce()
        // Somebody signs out while another process renews.
        coroutineScope {
            val renewed = async { ask(names[0], "renew") }
            assertEquals("done", ask(names[1], "sign-out"))
            assertContains(listOf("done", "signed_out"), renewed.await())
        }
        for (name in names) {
            assertEquals("done", ask(name, "reload"))
            assertEquals("signed_out", ask(name, "use"))
        }
        // Somebody else signs in, and each of them has a session that lives.
        signIn("user-b", names.last())
        restart(names[0])
        for (name in names) {
            assertEquals("done", ask(name, "reload"))
            assertEquals("done", ask(name, "renew"))
            assertEquals("user-b", user(name))
        }
        val presented = journal().filter { it.what == "sent" }.map { it.token }
        assertTrue(presented.size > 3, "$presented")
        assertEquals(emptySet(), presented.groupBy { it }.filterValues { it.size > 1 }.keys - lost())
    }

    /** With a lost answer the session is lost: the service takes no token twice. Somebody signs in again. */
    private suspend fun renewAtOnce() = coroutineScope {
        for (name in names) {
            launch {
                val answer = ask(name, "renew")
                if (answer == "done") return@launch
                assertEquals("refresh_token_rejected", answer)
                assertTrue(lost().isNotEmpty())
                install("user-a", name)
            }
        }
    }

    private fun journal() = journalFile.readLines().map { line ->
        val words = line.split(' ')
        Journaled(words[0], words[1], words.getOrNull(2))
    }

    /** The refresh tokens whose answers came to nobody: the process was killed before it had stored one. */
    private fun lost(): Set<String?> {
        val lines = journal()
        return lines.withIndex().filter { (index, line) ->
            val next = lines.drop(index + 1).firstOrNull { it.name == line.name }
            line.what == "sent" && next?.what in setOf("killed", "failed")
        }.map { it.value.token }.toSet()
    }

    private companion object {
        val HTTP: HttpClient = HttpClient.newHttpClient()

        /** One service for all: each story has sessions of its own. It ends with this process. */
        val SERVICE by lazy {
            OidcProvider(lifetimeSeconds = 600).also { Runtime.getRuntime().addShutdownHook(Thread(it::close)) }
        }
    }
}

/**
 * Stories in which somebody is killed: at each of the points, and several times at any time. They are told beside one another, as
 * it is the waiting for announcements that takes time.
 */
fun killings(points: List<String>, timesAtAnyTime: Int, storiesAtOnce: Int, neighbours: () -> Neighbours): List<DynamicTest> {
    val scope = CoroutineScope(Dispatchers.IO)
    val turns = Semaphore(storiesAtOnce)

    fun story(begin: suspend (Neighbours) -> Unit) = scope.async {
        turns.withPermit {
            runCatching {
                neighbours().use {
                    withTimeout(8.minutes) {
                        it.signIn("user-a")
                        begin(it)
                        it.goOn()
                    }
                }
            }
        }
    }
    val atPoints = points.map { point -> "at $point" to story { it.killAt(point) } }
    val atAnyTime = List(timesAtAnyTime) { "at any time, $it" to story { it.killAtAnyTime() } }
    return (atPoints + atAnyTime).map { (name, story) -> dynamicTest(name) { runBlocking { story.await() }.getOrThrow() } }
}

/** A refresh is a transaction that announces it, a request, and a transaction that stores its answer. */
val POINTS = listOf(1, 2).flatMap { number ->
    listOf("before-transaction", "before-write", "after-write", "after-transaction").map { "$it-$number" }
} + listOf("before-send-1", "after-send-1")

/** A program of these tests, with its standard input and output in our hands. */
fun startProgram(program: String, vararg arguments: String): Process {
    val classpath = System.getProperty("surefire.test.class.path") ?: System.getProperty("java.class.path")
    val command = listOf(
        Path.of(System.getProperty("java.home"), "bin/java").toString(),
        "-XX:+UseSerialGC",
        "-XX:TieredStopAtLevel=1",
        "-cp",
        classpath,
        "io.github.tokenward.$program",
    )
    return ProcessBuilder(command + arguments).redirectError(ProcessBuilder.Redirect.INHERIT).start()
}
