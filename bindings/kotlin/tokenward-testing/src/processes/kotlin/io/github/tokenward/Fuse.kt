package io.github.tokenward

import kotlinx.coroutines.future.await
import java.net.URI
import java.net.http.HttpClient
import java.nio.ByteBuffer
import java.nio.channels.FileChannel
import java.nio.file.Path
import java.nio.file.StandardOpenOption.APPEND
import java.nio.file.StandardOpenOption.CREATE
import java.net.http.HttpRequest as JdkRequest
import java.net.http.HttpResponse as JdkResponse

/** Steps are counted from 1; at the one that is named the process ends as if the power went. */
class Fuse(private var point: String) {
    private val counts = HashMap<String, Int>()

    /** Another point, counted from here. */
    @Synchronized
    fun set(point: String) {
        this.point = point
        counts.clear()
    }

    @Synchronized
    fun step(name: String) {
        val number = counts.merge(name, 1, Int::plus)
        if ("$name-$number" == point) ProcessBuilder("kill", "-KILL", "${ProcessHandle.current().pid()}").start().waitFor()
    }
}

class FusedStorage(private val storage: TokenStorage, private val fuse: Fuse, private val journal: Journal? = null) :
    TokenStorage by storage {
    override fun locked(body: (StorageAccess) -> Unit) {
        fuse.step("before-transaction")
        storage.locked { access ->
            body(
                object : StorageAccess by access {
                    override fun write(item: ByteArray) {
                        fuse.step("before-write")
                        access.write(item)
                        journal?.isKept()
                        fuse.step("after-write")
                    }
                },
            )
        }
        fuse.step("after-transaction")
    }
}

/** Sends by the JDK's own client. */
class FusedTransport(private val fuse: Fuse, private val journal: Journal? = null) : TokenTransport {
    private val client = HttpClient.newHttpClient()

    override suspend fun send(request: TransportRequest): TransportResponse {
        fuse.step("before-send")
        journal?.isSent(request)
        try {
            return answer(request).also { fuse.step("after-send") }
        } catch (failed: Throwable) {
            journal?.isFailed()
            throw failed
        }
    }

    private suspend fun answer(request: TransportRequest): TransportResponse {
        val body = JdkRequest.BodyPublishers.ofByteArray(request.body)
        val sent = JdkRequest.newBuilder(URI(request.url)).method(request.method, body)
        request.headers.forEach { sent.header(it.name, it.value) }
        val answer = client.sendAsync(sent.build(), JdkResponse.BodyHandlers.ofByteArray()).await()
        val headers = answer.headers().map().flatMap { (name, values) -> values.map { TransportHeader(name, it) } }
        return TransportResponse(answer.statusCode(), headers, answer.body())
    }
}

/** What a process has presented, and what became of the answer: lines that outlive a kill. */
class Journal(path: String, private val name: String) : AutoCloseable {
    private val file = FileChannel.open(Path.of(path), CREATE, APPEND)
    private var isOut = false

    @Synchronized
    fun isSent(request: TransportRequest) {
        val fields = request.body?.decodeToString().orEmpty().split('&')
        val token = fields.firstOrNull { it.startsWith(PRESENTED) } ?: return
        isOut = true
        say("sent ${token.removePrefix(PRESENTED)}")
    }

    fun isKept() = end("kept")

    fun isFailed() = end("failed")

    @Synchronized
    private fun end(what: String) {
        if (isOut) say(what)
        isOut = false
    }

    override fun close() = file.close()

    fun say(what: String) {
        val line = "$name $what\n".encodeToByteArray()
        check(file.write(ByteBuffer.wrap(line)) == line.size)
    }

    private companion object {
        const val PRESENTED = "refresh_token="
    }
}
