package io.github.tokenward.ktor

import io.github.tokenward.TokenTransport
import io.github.tokenward.TransportHeader
import io.github.tokenward.TransportRequest
import io.github.tokenward.TransportResponse
import io.ktor.client.HttpClient
import io.ktor.client.engine.HttpClientEngine
import io.ktor.client.plugins.HttpTimeout
import io.ktor.client.plugins.HttpTimeoutConfig.Companion.INFINITE_TIMEOUT_MS
import io.ktor.client.request.prepareRequest
import io.ktor.client.request.setBody
import io.ktor.client.statement.bodyAsChannel
import io.ktor.http.ContentType
import io.ktor.http.HttpHeaders
import io.ktor.http.HttpMethod
import io.ktor.http.content.OutgoingContent
import io.ktor.utils.io.ByteReadChannel
import io.ktor.utils.io.readBuffer
import kotlinx.io.readByteArray
import java.io.IOException

/**
 * Sends token requests over [engine], by a client of its own: none of the plugins of yours take part, nor do the engine's
 * time-outs: how long a token request may take, the provider's policy says.
 *
 * Ktor's engines use the threads of `Dispatchers.IO`. Where callers may block all of them while they wait for a token, by
 * `runBlocking` or through OkHttp, take `OkHttpTransport`.
 */
public class KtorTransport(engine: HttpClientEngine) : TokenTransport {
    private val client = HttpClient(engine) {
        followRedirects = false
        expectSuccess = false
        install(HttpTimeout) {
            requestTimeoutMillis = INFINITE_TIMEOUT_MS
            connectTimeoutMillis = INFINITE_TIMEOUT_MS
            socketTimeoutMillis = INFINITE_TIMEOUT_MS
        }
    }

    override suspend fun send(request: TransportRequest): TransportResponse = client.prepareRequest(request.url) {
        method = HttpMethod.parse(request.method)
        val (contentType, others) = request.headers.partition { it.name.equals(HttpHeaders.ContentType, ignoreCase = true) }
        others.forEach { headers.append(it.name, it.value) }
        // Ktor takes the type from the body alone.
        if (request.body != null || method == HttpMethod.Post) {
            setBody(SentOnce(request.body ?: ByteArray(0), contentType.firstOrNull()?.let { ContentType.parse(it.value) }))
        }
    }.execute { response ->
        val body = response.bodyAsChannel().readBuffer(TokenTransport.MAX_BODY_BYTES + 1L).readByteArray()
        if (body.size > TokenTransport.MAX_BODY_BYTES) throw IOException("the answer is too long")
        val headers = response.headers.entries().flatMap { (name, values) -> values.map { TransportHeader(name, it) } }
        TransportResponse(response.status.value, headers, body)
    }
}

/** Bytes that an engine takes for a stream: some send what they can read again once more when a connection breaks. */
private class SentOnce(private val bytes: ByteArray, override val contentType: ContentType?) :
    OutgoingContent.ReadChannelContent() {
    override val contentLength: Long get() = bytes.size.toLong()

    override fun readFrom(): ByteReadChannel = ByteReadChannel(bytes)
}
