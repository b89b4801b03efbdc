package io.github.tokenward.ktor

import io.github.tokenward.TokenManager
import io.github.tokenward.testing.Client
import io.github.tokenward.testing.Lifecycle
import io.ktor.client.HttpClient
import io.ktor.client.engine.cio.CIO
import io.ktor.client.request.get
import io.ktor.client.statement.bodyAsText

class KtorLifecycleTest : Lifecycle() {
    override fun transport() = KtorTransport(CIO.create())

    override fun client(manager: TokenManager) = object : Client {
        private val client = HttpClient(CIO) { install(AuthorizedBy) { this.manager = manager } }

        override suspend fun get(url: String) = client.get(url).let { it.status.value to it.bodyAsText() }

        override fun close() = client.close()
    }
}
