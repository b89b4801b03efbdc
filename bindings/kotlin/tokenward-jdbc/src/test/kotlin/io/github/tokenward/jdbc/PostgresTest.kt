package io.github.tokenward.jdbc

import io.github.tokenward.Credentials
import io.github.tokenward.IssuedToken
import io.github.tokenward.Neighbours
import io.github.tokenward.RotatingService
import io.github.tokenward.TokenIdentity
import io.github.tokenward.TokenManager
import io.github.tokenward.TokenManagerOptions
import io.github.tokenward.TokenPreset
import io.github.tokenward.TokenProvider
import io.github.tokenward.TokenSource
import io.github.tokenward.TokenTransport
import io.github.tokenward.TransportRequest
import io.github.tokenward.killings
import io.github.tokenward.startProgram
import kotlinx.coroutines.runBlocking
import org.junit.jupiter.api.DynamicTest
import org.junit.jupiter.api.TestFactory
import org.postgresql.ds.PGSimpleDataSource
import java.io.IOException
import java.io.InputStream
import java.io.OutputStream
import java.net.ServerSocket
import java.net.Socket
import java.net.URI
import java.net.http.HttpClient
import java.net.http.HttpRequest
import java.net.http.HttpResponse
import java.sql.Connection
import java.sql.SQLException
import java.util.UUID
import javax.sql.DataSource
import kotlin.concurrent.thread
import kotlin.test.Test
import kotlin.test.assertContentEquals
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith
import kotlin.test.assertNull
import kotlin.test.assertTrue
import kotlin.time.Duration.Companion.hours

/** Four replicas whose clocks are up to six seconds apart, and the storage itself, on a real server. */
class PostgresTest : JdbcTokenStorageTest() {
    override val source get() = PGSimpleDataSource().apply { setURL(SERVER.url) }

    // replicas

    /** After CREATE TABLE tokenward (name text PRIMARY KEY, item bytea). */
    fun replica(dataSource: DataSource, sealKey: ByteArray, transport: TokenTransport) = TokenManager(
        TokenProvider(TokenPreset.FLUTE_PRODUCTION),
        TokenIdentity {},
        TokenSource.credentials { Credentials("id", "secret") },
        transport,
        JdbcTokenStorage(dataSource, "flute", sealKey),
        TokenManagerOptions(dangerouslyAllowServerOnlyCredentials = true),
    )
    // end

    @Test
    fun `the guide's replica keeps its session in its row`() {
        val nobody = object : TokenTransport {
            override suspend fun send(request: TransportRequest) = throw IOException()
        }
        replica(source, KEY, nobody).use { runBlocking { it.install(IssuedToken("token", 1.hours)) } }
        replica(source, KEY, nobody).use { runBlocking { assertEquals("Bearer token", it.authorize("GET", API).header) } }
    }

    @TestFactory
    fun `who is killed takes nobody's session along`(): List<DynamicTest> = killings(
        listOf("before-write-1", "after-write-1", "after-send-1", "before-write-2"),
        timesAtAnyTime = 1,
        storiesAtOnce = 5,
    ) {
        Neighbours(CLOCKS) { "${SERVER.url} ${UUID.randomUUID()}" }
    }

    /** Each lends a token at any time, as if the database were always there. */
    @Test
    fun `replicas ask once for each lifetime, whatever is restarted`() =
        RotatingService(forgives = false, LIFETIME).use { service ->
            val place = "${SERVER.url} ${UUID.randomUUID()}"
            val replicas = CLOCKS.map { (name, ahead) ->
                startProgram("Neighbour", service.baseUrl, place, "${folder.resolve("journal")}", name, "$ahead", "id", "secret")
            }
            try {
                val request = HttpRequest.newBuilder(URI("${service.baseUrl}/token")).POST(body("grant_type=client_credentials"))
                val token = HttpClient.newHttpClient().send(request.build(), HttpResponse.BodyHandlers.ofString()).body()
                assertEquals("done", replicas.first().ask("install $token"))
                for (replica in replicas.drop(1)) assertEquals("done", replica.ask("reload"))
                val restarts = mutableListOf("INT", "QUIT")
                val begin = System.nanoTime()
                val lent = HashSet<String?>()
                while (seconds(begin) < 36) {
                    for (replica in replicas) {
                        lent +=
                            replica.ask("use").also { assertTrue("$it".startsWith("Bearer access-"), it) }
                    }
                    if (seconds(begin) > 12 * (3 - restarts.size)) SERVER.restart(restarts.removeFirst())
                    Thread.sleep(50)
                }
                assertEquals(emptyList(), restarts)
                // Who is ahead of whoever has stored the token sees it end sooner.
                val shortest = LIFETIME * 0.8 - CLOCKS.values.max() + CLOCKS.values.min() - 1
                assertTrue(lent.size in 3..1 + (seconds(begin) / shortest).toInt(), "$lent")
                // The last one may be on its way.
                assertTrue(service.grants.size - lent.size in 0..1, "${service.grants} $lent")
                assertEquals(service.presented.distinct(), service.presented)
                assertEquals(emptyList<String>(), service.refused)
            } finally {
                for (replica in replicas) replica.destroyForcibly().waitFor()
            }
        }

    private fun body(text: String) = HttpRequest.BodyPublishers.ofString(text)

    private fun seconds(begin: Long) = (System.nanoTime() - begin) / 1e9

    private fun Process.ask(command: String): String? {
        outputStream.write("$command\n".encodeToByteArray())
        outputStream.flush()
        return inputReader().readLine()
    }

    @Test
    fun `who has stopped loses the lock, and writes nothing`() {
        assertFailsWith<SQLException> {
            storage().locked { stopped ->
                storage().locked { it.write(byteArrayOf(2)) }
                stopped.write(byteArrayOf(1))
            }
        }
        assertContentEquals(byteArrayOf(2), read(storage()))
    }

    @Test
    fun `a commit waits for the disk where the server would not`() {
        lateinit var used: Connection
        val hasty = PGSimpleDataSource().apply { setURL("${SERVER.url}&options=-c%20synchronous_commit=off") }
        val watched = object : DataSource by hasty {
            override fun getConnection() = hasty.connection.also { used = it }
        }

        fun setting() = used.createStatement().executeQuery("SHOW synchronous_commit").also { it.next() }.getString(1)
        watched.connection.use { assertEquals("off", setting()) }
        JdbcTokenStorage(watched, row, KEY).locked { assertEquals("on", setting()) }
    }

    @Test
    fun `a server that says nothing is given up`() {
        Proxy(URI(SERVER.url.removePrefix("jdbc:")).port).use { proxy ->
            val source = PGSimpleDataSource().apply { setURL(SERVER.url.replace(Regex(":[0-9]+/"), ":${proxy.port}/")) }
            assertFailsWith<SQLException> {
                JdbcTokenStorage(source, row, KEY).locked {
                    proxy.isSilent = true
                    it.write(byteArrayOf(1))
                }
            }
        }
        // The transaction has ended there, and with it the lock.
        assertNull(read(storage()))
    }

    /** A network that at some time loses all that is sent. */
    private class Proxy(target: Int) : AutoCloseable {
        private val server = ServerSocket(0)
        private val sockets = ArrayList<Socket>()
        val port = server.localPort

        @Volatile
        var isSilent = false

        init {
            thread(isDaemon = true) {
                val client = server.accept()
                val beyond = Socket("127.0.0.1", target)
                sockets += listOf(client, beyond)
                thread(isDaemon = true) { forward(client.getInputStream(), beyond.getOutputStream()) }
                forward(beyond.getInputStream(), client.getOutputStream())
            }
        }

        private fun forward(from: InputStream, to: OutputStream) {
            val bytes = ByteArray(8192)
            while (true) {
                val count = try {
                    from.read(bytes)
                } catch (_: IOException) {
                    return
                }
                if (count < 0) return
                if (!isSilent) to.write(bytes, 0, count)
            }
        }

        override fun close() {
            sockets.forEach(Socket::close)
            server.close()
        }
    }

    private companion object {
        val CLOCKS = mapOf("replica-a" to -3, "replica-b" to -1, "replica-c" to 1, "replica-d" to 3)
        const val API = "https://api.flute.com/v2/transactions"
        const val LIFETIME = 16 // seconds
        val SERVER by lazy(::PostgresServer)
    }
}
