package io.github.tokenward

/**
 * Sends token requests. Redirects are never followed, cookies neither sent nor kept, nothing is cached, nothing is sent
 * twice: a refresh token may be used once only.
 */
public interface TokenTransport {
    /**
     * Sends [request] and reads the whole answer, whatever its status.
     *
     * @throws java.io.IOException there is no answer, or it is longer than [MAX_BODY_BYTES].
     */
    public suspend fun send(request: TransportRequest): TransportResponse

    public companion object {
        /** Longer answers of a token endpoint are no answers. */
        public const val MAX_BODY_BYTES: Int = 256 * 1024
    }
}

/** A header field of [TransportRequest] and [TransportResponse]. */
public class TransportHeader(public val name: String, public val value: String) {
    override fun toString(): String = "$name: [redacted]"
}

/** A token request: it holds secrets, which its text does not show. */
public class TransportRequest(
    public val method: String,
    public val url: String,
    public val headers: List<TransportHeader>,
    public val body: ByteArray?,
) {
    override fun toString(): String = "TransportRequest($method $url [redacted])"
}

/** The answer to a token request: it holds tokens, which its text does not show. */
public class TransportResponse(public val status: Int, public val headers: List<TransportHeader>, public val body: ByteArray) {
    override fun toString(): String = "TransportResponse($status [redacted])"
}
