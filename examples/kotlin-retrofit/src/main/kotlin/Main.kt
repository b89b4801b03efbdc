import io.github.tokenward.Credentials
import io.github.tokenward.RefreshPolicy
import io.github.tokenward.TokenManager
import io.github.tokenward.TokenManagerOptions
import io.github.tokenward.TokenPreset
import io.github.tokenward.TokenProvider
import io.github.tokenward.TokenSource
import io.github.tokenward.TokenwardException
import io.github.tokenward.okhttp.OkHttpTransport
import io.github.tokenward.okhttp.WithoutToken
import io.github.tokenward.okhttp.authorizedBy
import kotlinx.coroutines.runBlocking
import okhttp3.MediaType.Companion.toMediaType
import okhttp3.OkHttpClient
import okhttp3.RequestBody
import okhttp3.RequestBody.Companion.toRequestBody
import okhttp3.ResponseBody
import retrofit2.Response
import retrofit2.Retrofit
import retrofit2.create
import retrofit2.http.Body
import retrofit2.http.GET
import retrofit2.http.POST
import retrofit2.http.Tag

interface Flute {
    @GET("v2/transactions")
    suspend fun transactions(): Response<ResponseBody>

    @POST("_demo/revoke")
    suspend fun revoke(@Body what: RequestBody, @Tag no: WithoutToken = WithoutToken): ResponseBody
}

fun main(arguments: Array<String>): Unit = runBlocking {
    val (base, id, secret) = arguments
    val flute = TokenProvider(TokenPreset.FLUTE_SANDBOX) {
        baseUrl = base
        apiOrigins = null
        loopbackHttp = true
        policy = RefreshPolicy { minIntervalMs = 0u }
    }
    val source = TokenSource.credentials { Credentials(id, secret) }
    val server = TokenManagerOptions(dangerouslyAllowServerOnlyCredentials = true)
    val tokens = TokenManager(flute, source = source, transport = OkHttpTransport(), options = server)
    val client = OkHttpClient.Builder().authorizedBy(tokens).build()
    val api = Retrofit.Builder().baseUrl("$base/").client(client).build().create<Flute>()
    println("five calls: ${List(5) { api.transactions().code() }}")
    api.revoke("""{"what":"access_tokens"}""".toRequestBody("application/json".toMediaType()))
    println("rejected and replaced: ${api.transactions().code()}")
    tokens.signOut()
    try {
        api.transactions()
    } catch (refused: TokenwardException) {
        println("signed out: ${refused.code}: ${refused.message}")
    }
    tokens.signIn()
    println("signed in again: ${api.transactions().code()}")
    tokens.close()
    client.dispatcher.executorService.shutdown()
}
