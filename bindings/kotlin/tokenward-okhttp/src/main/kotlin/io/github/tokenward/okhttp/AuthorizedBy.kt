package io.github.tokenward.okhttp

import io.github.tokenward.Authorization
import io.github.tokenward.RetryDecision
import io.github.tokenward.TokenManager
import io.github.tokenward.TokenwardException
import kotlinx.coroutines.runBlocking
import okhttp3.Authenticator
import okhttp3.HttpUrl
import okhttp3.Interceptor
import okhttp3.OkHttpClient
import okhttp3.Request
import okhttp3.Response
import okhttp3.Route

/**
 * Every request carries the token of [manager]; one that is answered 401 is sent once more where a new token may help.
 * A request that the token does not belong to, or for which there is none, fails with
 * [TokenwardException], an `IOException`; a redirect to where the token does not belong is followed without it.
 */
public fun OkHttpClient.Builder.authorizedBy(manager: TokenManager): OkHttpClient.Builder {
    val authorizing = Authorizing(manager)
    return addInterceptor(authorizing).addNetworkInterceptor(authorizing::hop).authenticator(authorizing)
}

private class Authorizing(private val manager: TokenManager) :
    Interceptor,
    Authenticator {
    /** What [authorization] was lent for. */
    private class Lent(val authorization: Authorization, val method: String, val url: HttpUrl)

    override fun intercept(chain: Interceptor.Chain): Response {
        val response = chain.proceed(authorized(chain.request()))
        // OkHttp asks the authenticator about 401 alone.
        if (response.code == FORBIDDEN) rejected(response)
        return response
    }

    /** OkHttp itself follows redirects: each may lead to where the token does not belong, on the same host too. */
    fun hop(chain: Interceptor.Chain): Response {
        val request = chain.request()
        val lent = request.tag(Lent::class) ?: return chain.proceed(request)
        if (lent.method == request.method && lent.url == request.url) return chain.proceed(request)
        return chain.proceed(
            try {
                authorized(request)
            } catch (_: TokenwardException.NotAllowed) {
                request.newBuilder().removeHeader(AUTHORIZATION).tag(Lent::class, null).build()
            },
        )
    }

    override fun authenticate(route: Route?, response: Response): Request? {
        val isSecond = generateSequence(response.priorResponse) { it.priorResponse }.any { it.code == UNAUTHORIZED }
        return if (rejected(response) == RetryDecision.Retry && !isSecond) authorized(response.request) else null
    }

    private fun authorized(request: Request): Request {
        val authorization = runBlocking { manager.authorize(request.method, request.url.toString()) }
        return request.newBuilder()
            .header(AUTHORIZATION, authorization.header)
            .tag(Lent::class, Lent(authorization, request.method, request.url))
            .build()
    }

    /** Null where the request that was answered carried no token. */
    private fun rejected(response: Response): RetryDecision? {
        val sent = response.networkResponse?.request?.tag(Lent::class) ?: return null
        val challenge = response.headers("WWW-Authenticate").joinToString("\n").ifEmpty { null }
        return runBlocking { manager.rejected(sent.authorization.generation, response.code, challenge) }
    }

    private companion object {
        const val AUTHORIZATION = "Authorization"
        const val UNAUTHORIZED = 401
        const val FORBIDDEN = 403
    }
}
