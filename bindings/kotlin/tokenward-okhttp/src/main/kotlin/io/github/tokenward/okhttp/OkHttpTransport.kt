package io.github.tokenward.okhttp

import io.github.tokenward.HttpHeader
import io.github.tokenward.HttpRequest
import io.github.tokenward.HttpResponse
import io.github.tokenward.Transport
import kotlinx.coroutines.suspendCancellableCoroutine
import okhttp3.Authenticator
import okhttp3.Call
import okhttp3.Callback
import okhttp3.ConnectionPool
import okhttp3.CookieJar
import okhttp3.Dispatcher
import okhttp3.OkHttpClient
import okhttp3.Request
import okhttp3.RequestBody.Companion.toRequestBody
import okhttp3.Response
import java.io.IOException
import kotlin.coroutines.resume
import kotlin.coroutines.resumeWithException

/**
 * Sends token requests over an OkHttp client of its own. It takes proxy, TLS and time-outs of [client], but shares
 * neither threads nor connections with it: API calls that wait for a token must not hold up the token request
 * (github.com/square/okhttp/issues/6747).
 */
public class OkHttpTransport(client: OkHttpClient = OkHttpClient()) : Transport {
    private val client = client.newBuilder()
        .dispatcher(Dispatcher())
        .connectionPool(ConnectionPool())
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

    override suspend fun send(request: HttpRequest): HttpResponse = suspendCancellableCoroutine { waiting ->
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

    private fun HttpRequest.toOkHttp(): Request {
        val builder = Request.Builder().url(url).method(method, body?.toRequestBody() ?: emptyBody())
        headers.forEach { builder.header(it.name, it.value) }
        return builder.build()
    }

    private fun HttpRequest.emptyBody() = if (method == "POST") ByteArray(0).toRequestBody() else null

    private fun Response.read(): HttpResponse {
        val source = body.source()
        if (source.request(Transport.MAX_BODY_BYTES + 1L)) throw IOException("the answer is too long")
        return HttpResponse(code, headers.map { (name, value) -> HttpHeader(name, value) }, source.readByteArray())
    }
}
