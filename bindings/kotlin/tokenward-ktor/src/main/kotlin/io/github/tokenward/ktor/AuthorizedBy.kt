package io.github.tokenward.ktor

import io.github.tokenward.RetryDecision
import io.github.tokenward.TokenKeeper
import io.github.tokenward.TokenwardException
import io.ktor.client.plugins.api.ClientPlugin
import io.ktor.client.plugins.api.Send
import io.ktor.client.plugins.api.createClientPlugin
import io.ktor.client.request.HttpRequestBuilder
import io.ktor.http.HttpHeaders
import io.ktor.http.content.OutgoingContent
import io.ktor.util.AttributeKey

/** Configuration of [AuthorizedBy]. */
public class AuthorizedByConfig {
    /** The manager that keeps the token: the plugin keeps none. */
    public lateinit var manager: TokenKeeper

    /**
     * Requests to origins that the token does not belong to are sent without it, in place of failing: for a client that
     * serves several hosts.
     */
    public var passesOtherOrigins: Boolean = false
}

/** This request is sent as it is, by a client that has [AuthorizedBy], too. */
public fun HttpRequestBuilder.withoutToken(): Unit = attributes.put(WITHOUT_TOKEN, true)

/**
 * Every request carries the token of the manager; one that is answered 401 is sent once more where a new token may help
 * and its body can be read twice: bytes and text can, a stream or a form with files cannot.
 * A request that the token does not belong to, or for which there is none, fails with [TokenwardException]; a redirect to
 * where the token does not belong is followed without it. A request [withoutToken] is left as it is.
 *
 * ```
 * val api = HttpClient(engine) { install(AuthorizedBy) { manager = sites } }
 * ```
 */
public val AuthorizedBy: ClientPlugin<AuthorizedByConfig> = createClientPlugin("Tokenward", ::AuthorizedByConfig) {
    val manager = pluginConfig.manager
    val passesOtherOrigins = pluginConfig.passesOtherOrigins
    on(Send) { request ->
        if (WITHOUT_TOKEN in request.attributes) return@on proceed(request)
        val method = request.method.value
        val url = request.url.buildString()
        val isRedirected = AUTHORIZED in request.attributes
        val first = try {
            manager.authorize(method, url)
        } catch (elsewhere: TokenwardException.NotAllowed) {
            if (!isRedirected && !(passesOtherOrigins && elsewhere.code == "origin_not_allowed")) throw elsewhere
            // What a redirect brings along is the manager's; what the app wrote stays.
            if (isRedirected) request.attributes.getOrNull(FIELD)?.let(request.headers::remove)
            return@on proceed(request)
        }
        request.attributes.put(AUTHORIZED, true)
        request.headers[first.name] = first.header
        request.attributes.put(FIELD, first.name)
        val call = proceed(request)
        val status = call.response.status
        if (!manager.isRefusal(status.value)) return@on call
        val challenge = call.response.headers.getAll(HttpHeaders.WWWAuthenticate)?.joinToString("\n")
        val decision = manager.rejected(first.generation, status.value, challenge)
        if (decision != RetryDecision.Retry || !isReadTwice(request.body)) return@on call
        request.headers[first.name] = manager.authorize(method, url).header
        proceed(request)
    }
}

/** A body that was written by a stream or a function may be empty the next time. */
private tailrec fun isReadTwice(body: Any): Boolean = when (body) {
    is OutgoingContent.ByteArrayContent, is OutgoingContent.NoContent -> true
    is OutgoingContent.ContentWrapper -> isReadTwice(body.delegate())
    else -> false
}

private val WITHOUT_TOKEN = AttributeKey<Boolean>("TokenwardWithoutToken")

/** On a request that a redirect made from one that was authorized. */
private val AUTHORIZED = AttributeKey<Boolean>("TokenwardAuthorized")

/** The name of the field that carried the token before the redirect. */
private val FIELD = AttributeKey<String>("TokenwardField")
