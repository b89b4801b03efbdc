package io.github.tokenward.okhttp

import io.github.tokenward.TokenManager
import io.github.tokenward.testing.Client
import io.github.tokenward.testing.Lifecycle
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.withContext
import okhttp3.OkHttpClient
import okhttp3.Request

class OkHttpLifecycleTest : Lifecycle() {
    override fun transport() = OkHttpTransport()

    override fun client(manager: TokenManager) = object : Client {
        private val client = OkHttpClient.Builder().authorizedBy(manager).build()

        override suspend fun get(url: String) = withContext(Dispatchers.IO) {
            client.newCall(Request.Builder().url(url).build()).execute().use { it.code to checkNotNull(it.body).string() }
        }

        override fun close() {
            client.dispatcher.executorService.shutdown()
            client.connectionPool.evictAll()
        }
    }
}
