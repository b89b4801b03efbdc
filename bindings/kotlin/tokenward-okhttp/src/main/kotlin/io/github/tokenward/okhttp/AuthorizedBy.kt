package io.github.tokenward.okhttp

import io.github.tokenward.Authorization
import io.github.tokenward.RetryDecision
import io.github.tokenward.TokenKeeper
import io.github.tokenward.TokenwardException
import kotlinx.coroutines.CoroutineStart
import kotlinx.coroutines.async
import kotlinx.coroutines.runBlocking
import kotlinx.coroutines.supervisorScope
import kotlinx.coroutines.withTimeoutOrNull
import okhttp3.Authenticator
import okhttp3.Call
import okhttp3.HttpUrl
import okhttp3.Interceptor
import okhttp3.OkHttpClient
import okhttp3.Request
import okhttp3.Response
import okhttp3.Route
import java.io.IOException
import java.io.InterruptedIOException
import kotlin.time.Duration.Companion.milliseconds

/**
 * Every request carries the token of [manager]; one that is answered 401 is sent once more where a new token may help.
 * A request that the token does not belong to, or for which there is none, fails with
 * [TokenwardException], an `IOException`; a redirect to where the token does not belong is followed without it. A call that
 * is cancelled, or whose time is over, waits for no token any longer.
 *
 * A request [withoutToken] is left as it is. An authenticator that the client has by now goes on answering for requests that
 * carried no token of the manager's.
 *
 * @param passesOtherOrigins requests to origins that the token does not belong to are sent without it, in place of failing: for
 *   a client that serves several hosts.
 */
@JvmOverloads
public fun OkHttpClient.Builder.authorizedBy(manager: TokenKeeper, passesOtherOrigins: Boolean = false): OkHttpClient.Builder {
    val authorizing = Authorizing(manager, passesOtherOrigins, build().authenticator)
    return addInterceptor(authorizing).addNetworkInterceptor(authorizing::hop).authenticator(authorizing)
}

/** This request is sent as it is, by a client that is [authorizedBy] a manager, too. */
public fun Request.Builder.withoutToken(): Request.Builder = tag(WithoutToken::class.java, WithoutToken)

/** The tag of a request [withoutToken]; for Retrofit, which takes it as `@Tag`. */
public object WithoutToken

private class Authorizing(
    private val manager: TokenKeeper,
    private val passesOtherOrigins: Boolean,
    private val others: Authenticator,
) : Interceptor,
    Authenticator {
    /** What [authorization] was lent for, and to which call. */
    private class Lent(val authorization: Authorization, val method: String, val url: HttpUrl, val call: Call)

    override fun intercept(chain: Interceptor.Chain): Response {
        val request = chain.request()
        if (request.tag(WithoutToken::class.java) != null) return chain.proceed(request)
        val authorized = try {
            authorized(request, chain.call())
        } catch (elsewhere: TokenwardException.NotAllowed) {
            if (!passesOtherOrigins || elsewhere.code != "origin_not_allowed") throw elsewhere
            return chain.proceed(request)
        }
        val response = chain.proceed(authorized)
        // OkHttp asks the authenticator about 401 alone.
        if (response.code == UNAUTHORIZED || !manager.isRefusal(response.code)) return response
        if (rejected(response) != RetryDecision.Retry || request.body?.isOneShot() == true) return response
        response.close()
        return chain.proceed(authorized(request, chain.call()))
    }

    /** OkHttp itself follows redirects: each may lead to where the token does not belong, on the same host too. */
    fun hop(chain: Interceptor.Chain): Response {
        val request = chain.request()
        val lent = request.lent() ?: return chain.proceed(request)
        if (lent.method == request.method && lent.url == request.url) return chain.proceed(request)
        return chain.proceed(
            try {
                authorized(request, lent.call)
            } catch (_: TokenwardException.NotAllowed) {
                request.newBuilder().removeHeader(lent.authorization.name).tag(Lent::class.java, null).build()
            },
        )
    }

    override fun authenticate(route: Route?, response: Response): Request? {
        val lent = response.networkResponse?.request?.lent() ?: return others.authenticate(route, response)
        val isSecond = generateSequence(response.priorResponse) { it.priorResponse }.any { it.code == UNAUTHORIZED }
        return if (rejected(response) == RetryDecision.Retry && !isSecond) authorized(response.request, lent.call) else null
    }

    private fun authorized(request: Request, call: Call): Request {
        val authorization = call.waitFor { manager.authorize(request.method, request.url.toString()) }
        return request.newBuilder()
            .header(authorization.name, authorization.header)
            .tag(Lent::class.java, Lent(authorization, request.method, request.url, call))
            .build()
    }

    /** Null where the request that was answered carried no token. */
    private fun rejected(response: Response): RetryDecision? {
        val sent = response.networkResponse?.request?.lent() ?: return null
        val challenge = response.headers("WWW-Authenticate").joinToString("\n").ifEmpty { null }
        return sent.call.waitFor { manager.rejected(sent.authorization.generation, response.code, challenge) }
    }

    private fun Request.lent(): Lent? = tag(Lent::class.java)

    private companion object {
        const val UNAUTHORIZED = 401

        /** OkHttp tells nobody but its one event listener that a call was cancelled. */
        val LOOK_AGAIN = 20.milliseconds
    }

    /** What [ask] brings, unless the call ends before. */
    private fun <T> Call.waitFor(ask: suspend () -> T): T = try {
        runBlocking {
            supervisorScope {
                val asked = async(start = CoroutineStart.UNDISPATCHED) { ask() }
                while (asked.isActive) {
                    if (isCanceled()) {
                        asked.cancel()
                        throw IOException("Canceled")
                    }
                    withTimeoutOrNull(LOOK_AGAIN) { asked.join() }
                }
                asked.await()
            }
        }
    } catch (interrupted: InterruptedException) {
        Thread.currentThread().interrupt()
        throw InterruptedIOException("interrupted").apply { initCause(interrupted) }
    }
}
