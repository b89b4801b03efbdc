package io.github.tokenward.okhttp

import io.github.tokenward.Authorization
import io.github.tokenward.RetryDecision
import io.github.tokenward.TokenManager
import kotlinx.coroutines.runBlocking
import okhttp3.Authenticator
import okhttp3.Interceptor
import okhttp3.OkHttpClient
import okhttp3.Request
import okhttp3.Response
import okhttp3.Route

/**
 * Every request carries the token of [manager]; one that is answered 401 is sent once more where a new token may help.
 * A request that the token does not belong to, or for which there is none, fails with
 * [TokenwardException][io.github.tokenward.TokenwardException], an `IOException`.
 */
public fun OkHttpClient.Builder.authorizedBy(manager: TokenManager): OkHttpClient.Builder {
    val authorizing = Authorizing(manager)
    return addInterceptor(authorizing).authenticator(authorizing)
}

private class Authorizing(private val manager: TokenManager) :
    Interceptor,
    Authenticator {
    override fun intercept(chain: Interceptor.Chain): Response {
        val response = chain.proceed(authorized(chain.request()))
        // OkHttp asks the authenticator about 401 alone.
        if (response.code == FORBIDDEN) rejected(response)
        return response
    }

    /** OkHttp strips the field where a redirect leads to another host: what then is refused had no token. */
    override fun authenticate(route: Route?, response: Response): Request? {
        val isSecond = response.priorResponse?.code == UNAUTHORIZED
        if (response.request.header(AUTHORIZATION) == null || rejected(response) != RetryDecision.Retry || isSecond) return null
        return authorized(response.request)
    }

    private fun authorized(request: Request): Request {
        val authorization = runBlocking { manager.authorize(request.method, request.url.toString()) }
        return request.newBuilder()
            .header(AUTHORIZATION, authorization.header)
            .tag(Authorization::class, authorization)
            .build()
    }

    private fun rejected(response: Response): RetryDecision? {
        val authorization = response.request.tag(Authorization::class) ?: return null
        val challenge = response.headers("WWW-Authenticate").joinToString().ifEmpty { null }
        return runBlocking { manager.rejected(authorization.generation, response.code, challenge) }
    }

    private companion object {
        const val AUTHORIZATION = "Authorization"
        const val UNAUTHORIZED = 401
        const val FORBIDDEN = 403
    }
}
