package io.github.tokenward

import com.sun.net.httpserver.HttpExchange
import com.sun.net.httpserver.HttpServer
import kotlinx.coroutines.CompletableDeferred
import java.net.InetAddress
import java.net.InetSocketAddress

/**
 * Has a person sign in in a browser of this machine, which comes back to a port of 127.0.0.1 (RFC 8252 section 7.3). The port
 * is a free one, and open before the service hears of it: register `http://127.0.0.1/callback`. Waits for as long as the caller
 * does. Not for Android.
 *
 * ```
 * manager.signInByLoopback { url -> Desktop.getDesktop().browse(URI(url)) }
 * ```
 *
 * @param path where the browser comes back to.
 * @param pending as in [TokenManager.signIn].
 * @param open opens a browser, or prints the URL for a person to open.
 * @throws TokenwardException as [TokenManager.signIn] says.
 */
public suspend fun TokenManager.signInByLoopback(
    path: String = "/callback",
    pending: TokenStorage? = null,
    open: suspend (url: String) -> Unit,
) {
    val server = HttpServer.create(InetSocketAddress(InetAddress.getByName("127.0.0.1"), 0), 0)
    val origin = "http://127.0.0.1:${server.address.port}"
    try {
        signIn(origin + path, pending) { request ->
            val callback = CompletableDeferred<String>()
            server.createContext("/") { exchange ->
                val url = "$origin${exchange.requestURI}"
                if (exchange.requestMethod == "GET" && request.isAnswered(by = url)) {
                    exchange.show("You may close this window.", status = 200)
                    callback.complete(url)
                } else {
                    exchange.show("Nobody waits for this.", status = 404)
                }
            }
            server.start()
            open(request.url)
            callback.await()
        }
    } finally {
        server.stop(0)
    }
}

private fun HttpExchange.show(said: String, status: Int) {
    val head = "<!doctype html><html lang=en><meta charset=utf-8><title>tokenward</title>"
    val page = "$head<p>$said</p></html>\n".encodeToByteArray()
    responseHeaders.set("Content-Type", "text/html; charset=utf-8")
    responseHeaders.set("Cache-Control", "no-store")
    responseHeaders.set("Referrer-Policy", "no-referrer")
    responseHeaders.set("Content-Security-Policy", "default-src 'none'")
    sendResponseHeaders(status, page.size.toLong())
    responseBody.use { it.write(page) }
}
