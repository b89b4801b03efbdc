package io.github.tokenward.ktor

import io.github.tokenward.TokenTransport
import io.github.tokenward.TransportHeader
import io.github.tokenward.TransportRequest
import io.github.tokenward.TransportResponse
import io.ktor.client.HttpClient
import io.ktor.client.engine.HttpClientEngine
import io.ktor.client.request.prepareRequest
import io.ktor.client.request.setBody
import io.ktor.client.statement.bodyAsChannel
import io.ktor.http.ContentType
import io.ktor.http.HttpHeaders
import io.ktor.http.HttpMethod
import io.ktor.http.content.ByteArrayContent
import io.ktor.utils.io.readBuffer
import kotlinx.io.readByteArray
import java.io.IOException

/** Sends token requests over [engine], by a client of its own: none of the plugins of yours take part. */
public class KtorTransport(engine: HttpClientEngine) : TokenTransport {
    private val client = HttpClient(engine) {
        followRedirects = false
        expectSuccess = false
    }

    override suspend fun send(request: TransportRequest): TransportResponse = client.prepareRequest(request.url) {
        method = HttpMethod.parse(request.method)
        val (contentType, others) = request.headers.partition { it.name.equals(HttpHeaders.ContentType, ignoreCase = true) }
        others.forEach { headers.append(it.name, it.value) }
        // Ktor takes the type from the body alone.
        request.body?.let {
            setBody(ByteArrayContent(it, contentType.firstOrNull()?.let { type -> ContentType.parse(type.value) }))
        }
    }.execute { response ->
        val body = response.bodyAsChannel().readBuffer(TokenTransport.MAX_BODY_BYTES + 1L).readByteArray()
        if (body.size > TokenTransport.MAX_BODY_BYTES) throw IOException("the answer is too long")
        val headers = response.headers.entries().flatMap { (name, values) -> values.map { TransportHeader(name, it) } }
        TransportResponse(response.status.value, headers, body)
    }
}
