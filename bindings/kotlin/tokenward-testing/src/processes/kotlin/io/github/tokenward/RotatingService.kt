package io.github.tokenward

import com.sun.net.httpserver.HttpServer
import java.net.InetSocketAddress
import java.util.concurrent.CopyOnWriteArrayList
import java.util.concurrent.Executors

/**
 * A token service on loopback whose refresh tokens rotate. Where it [forgives], the last one is good until its successor
 * was used, so that no kill need lose anything; else each is good once.
 */
class RotatingService(private val forgives: Boolean, private val lifetimeSeconds: Int) : AutoCloseable {
    val grants = CopyOnWriteArrayList<String>()
    val presented = CopyOnWriteArrayList<String>()
    val refused = CopyOnWriteArrayList<String>()
    private val threads = Executors.newCachedThreadPool()
    private val server = HttpServer.create(InetSocketAddress("127.0.0.1", 0), 0)
    private var serial = 0

    /** What a primary grant began: its refresh token, and the one before. */
    private class Session(var current: String = "", var previous: String = "")

    private val sessions = HashMap<String, Session>()

    val baseUrl = "http://127.0.0.1:${server.address.port}"

    init {
        server.executor = threads
        server.createContext("/token") { exchange ->
            val form = exchange.requestBody.readBytes().decodeToString().split('&').associate {
                it.substringBefore('=') to
                    it.substringAfter('=')
            }
            // Time for another process to get in between.
            Thread.sleep(LATENCY_MS)
            val (status, body) = answer(form)
            exchange.sendResponseHeaders(status, body.size.toLong())
            exchange.responseBody.use { it.write(body) }
        }
        server.start()
    }

    @Synchronized
    private fun answer(form: Map<String, String>): Pair<Int, ByteArray> {
        grants += form.getValue("grant_type")
        val token = form["refresh_token"]
        val session = if (token == null) Session() else sessions.getValue(token)
        if (token != null) {
            presented += token
            if (token != session.current && !(forgives && token == session.previous)) {
                refused += token
                return 400 to """{"error":"invalid_grant"}""".encodeToByteArray()
            }
            session.previous = token
        }
        serial++
        session.current = "refresh-$serial"
        sessions[session.current] = session
        val lifetime = """"expires_in":$lifetimeSeconds"""
        val body = """{"access_token":"access-$serial","token_type":"Bearer",$lifetime,"refresh_token":"refresh-$serial"}"""
        return 200 to body.encodeToByteArray()
    }

    override fun close() {
        server.stop(0)
        threads.shutdownNow()
    }

    private companion object {
        const val LATENCY_MS = 50L
    }
}
