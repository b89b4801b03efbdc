package io.github.tokenward.ktor

import java.io.BufferedInputStream
import java.io.InputStream
import java.net.ServerSocket
import java.util.concurrent.atomic.AtomicInteger
import kotlin.concurrent.thread

/** Answers the first request of each connection and breaks the connection when another one has arrived on it. */
class BreakingServer : AutoCloseable {
    private val socket = ServerSocket(0)
    val port: Int = socket.localPort

    /** How many have arrived. */
    val requests = AtomicInteger()

    init {
        thread(isDaemon = true) {
            while (true) {
                val connection = runCatching { socket.accept() }.getOrNull() ?: break
                thread(isDaemon = true) {
                    connection.use {
                        val stream = BufferedInputStream(it.getInputStream())
                        if (stream.skipRequest()) {
                            val answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
                            it.getOutputStream().write(answer.encodeToByteArray())
                            stream.skipRequest()
                        }
                    }
                }
            }
        }
    }

    /** False at the end of the connection. */
    private fun InputStream.skipRequest(): Boolean {
        var length = 0
        var lines = 0
        while (true) {
            val line = readLine() ?: return false
            if (line.isEmpty()) break
            lines++
            if (line.startsWith("Content-Length:", ignoreCase = true)) length = line.substringAfter(':').trim().toInt()
        }
        requests.incrementAndGet()
        skipNBytes(length.toLong())
        return lines > 0
    }

    private fun InputStream.readLine(): String? {
        val line = StringBuilder()
        while (true) {
            when (val byte = runCatching { read() }.getOrDefault(-1)) {
                -1 -> return null
                '\n'.code -> return line.toString().trimEnd('\r')
                else -> line.append(byte.toChar())
            }
        }
    }

    override fun close() = socket.close()
}
