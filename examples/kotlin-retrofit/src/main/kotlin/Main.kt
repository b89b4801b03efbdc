import io.github.tokenward.*
import io.github.tokenward.Credentials
import io.github.tokenward.okhttp.OkHttpTransport
import io.github.tokenward.okhttp.WithoutToken
import io.github.tokenward.okhttp.authorizedBy
import kotlinx.coroutines.runBlocking
import okhttp3.*
import okhttp3.MediaType.Companion.toMediaType
import okhttp3.RequestBody.Companion.toRequestBody
import retrofit2.Retrofit
import retrofit2.create
import retrofit2.http.*
import java.nio.file.Path

interface Acme {
    @GET("v2/transactions")
    suspend fun transactions(): retrofit2.Response<ResponseBody>

    @POST("_demo/revoke")
    suspend fun revoke(@Body what: RequestBody, @Tag no: WithoutToken = WithoutToken): ResponseBody
}

fun main(arguments: Array<String>): Unit = runBlocking {
    val (base, id, secret, state) = arguments
    val acme = TokenProvider("acme", base, "/oauth2/token") {
        parameters = listOf(TokenParameter("audience", "https://api.acme.example"))
        authentication = ClientAuthentication.BASIC_RAW
        primaryGrant = TokenGrant.CLIENT_CREDENTIALS
        refreshGrant = true
        loopbackHttp = true
        policy = RefreshPolicy { minIntervalMs = 0u }
    }
    val source = TokenSource.credentials { Credentials(id, secret) }
    val storage = FileTokenStorage(Path.of(state), ByteArray(32) { 42 })
    val server = TokenManagerOptions(dangerouslyAllowServerOnlyCredentials = true)

    fun manager() = TokenManager(acme, TokenIdentity {}, source, OkHttpTransport(), storage, server)
    val client = OkHttpClient()

    fun api(tokens: TokenKeeper): Acme {
        val authorized = client.newBuilder().authorizedBy(tokens).build()
        return Retrofit.Builder().baseUrl(base).client(authorized).build().create()
    }
    manager().use { tokens ->
        println("five calls: ${List(5) { api(tokens).transactions().code() }}")
        val what = """{"what":"access_tokens"}""".toRequestBody("application/json".toMediaType())
        api(tokens).revoke(what)
        println("rejected and replaced: ${api(tokens).transactions().code()}")
    }
    manager().use { tokens ->
        println("restarted: ${api(tokens).transactions().code()}")
        tokens.signOut()
        try {
            api(tokens).transactions()
        } catch (refused: TokenwardException) {
            println("signed out: ${refused.code}: ${refused.message}")
        }
    }
    client.dispatcher.executorService.shutdown()
}
