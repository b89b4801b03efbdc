package io.github.tokenward.okhttp

import io.github.tokenward.TokenTransport
import io.github.tokenward.TransportHeader
import io.github.tokenward.TransportRequest
import io.github.tokenward.TransportResponse
import kotlinx.coroutines.suspendCancellableCoroutine
import okhttp3.Authenticator
import okhttp3.Call
import okhttp3.Callback
import okhttp3.ConnectionPool
import okhttp3.CookieJar
import okhttp3.Dispatcher
import okhttp3.OkHttpClient
import okhttp3.Request
import okhttp3.RequestBody
import okhttp3.Response
import okio.BufferedSink
import java.io.IOException
import java.util.concurrent.Executors
import java.util.concurrent.TimeUnit.MILLISECONDS
import kotlin.coroutines.resume
import kotlin.coroutines.resumeWithException

/**
 * Sends token requests over an OkHttp client of its own. It takes proxy and TLS of [client], but shares neither threads
 * nor connections with it: API calls that wait for a token must not hold up the token request
 * (github.com/square/okhttp/issues/6747). Nor does it take its time-outs: how long a token request may take, the
 * provider's policy says. Its threads keep no JVM alive.
 */
public class OkHttpTransport(client: OkHttpClient = OkHttpClient()) : TokenTransport {
    private val client = client.newBuilder()
        .dispatcher(Dispatcher(Executors.newCachedThreadPool { Thread(it, "tokenward").apply { isDaemon = true } }))
        .connectionPool(ConnectionPool())
        .callTimeout(0, MILLISECONDS)
        .connectTimeout(0, MILLISECONDS)
        .readTimeout(0, MILLISECONDS)
        .writeTimeout(0, MILLISECONDS)
        .followRedirects(false)
        .followSslRedirects(false)
        .retryOnConnectionFailure(false)
        .cookieJar(CookieJar.NO_COOKIES)
        .authenticator(Authenticator.NONE)
        .cache(null)
        .apply {
            interceptors().clear()
            networkInterceptors().clear()
        }
        .build()

    override suspend fun send(request: TransportRequest): TransportResponse = suspendCancellableCoroutine { waiting ->
        val call = client.newCall(request.toOkHttp())
        waiting.invokeOnCancellation { call.cancel() }
        call.enqueue(
            object : Callback {
                override fun onFailure(call: Call, e: IOException) = waiting.resumeWithException(e)

                override fun onResponse(call: Call, response: Response) = try {
                    waiting.resume(response.use { it.read() })
                } catch (broken: IOException) {
                    waiting.resumeWithException(broken)
                }
            },
        )
    }

    private fun TransportRequest.toOkHttp(): Request {
        val builder = Request.Builder().url(url).method(method, sentOnce())
        headers.forEach { builder.header(it.name, it.value) }
        return builder.build()
    }

    /** OkHttp sends a body anew after a 408, a 421 or a `Retry-After: 0`, unless it can be read once only. */
    private fun TransportRequest.sentOnce(): RequestBody? {
        val bytes = body ?: if (method == "POST") ByteArray(0) else return null
        return object : RequestBody() {
            override fun contentType() = null

            override fun contentLength() = bytes.size.toLong()

            override fun isOneShot() = true

            override fun writeTo(sink: BufferedSink) {
                sink.write(bytes)
            }
        }
    }

    private fun Response.read(): TransportResponse {
        val source = checkNotNull(body).source()
        if (source.request(TokenTransport.MAX_BODY_BYTES + 1L)) throw IOException("the answer is too long")
        return TransportResponse(code, headers.map { (name, value) -> TransportHeader(name, value) }, source.readByteArray())
    }
}
