package io.github.tokenward

import kotlinx.coroutines.DelicateCoroutinesApi
import kotlinx.coroutines.GlobalScope
import kotlinx.coroutines.delay
import kotlinx.coroutines.launch
import kotlinx.coroutines.runBlocking
import kotlin.system.exitProcess

/**
 * One of several programs that keep one session in one place, which `storageAt` of the tests knows. Reads a command a line and
 * answers each with a line: what came of it, or an error's code.
 *
 * Arguments: base URL, place, journal, its name, how far its wall clock is ahead in seconds, the client's id and secret.
 */
class Neighbour(arguments: Array<String>) {
    private val fuse = Fuse("")
    private val me: String
    private val manager: TokenManager

    init {
        val (baseUrl, place, journalFile, name, ahead) = arguments
        val (clientId, clientSecret) = arguments.drop(5)
        val journal = Journal(journalFile, name)
        val provider = TokenProvider("oidc-provider", baseUrl, "/token") {
            loopbackHttp = true
            exposure = Exposure.APP_ALLOWED
            refreshGrant = true
            policy = RefreshPolicy {
                jitterPermille = 0u
                minIntervalMs = 0u
                // Who is killed leaves an announcement behind, which the others wait for.
                responseTimeoutMs = 4000u
            }
        }
        val clock = object : TokenClock by TokenClock.system {
            override fun wall() = checkNotNull(TokenClock.system.wall()) + ahead.toLong()
        }
        me = "$baseUrl/me"
        manager = TokenManager(
            provider,
            TokenIdentity {},
            TokenSource.credentials { Credentials(clientId, clientSecret) },
            FusedTransport(fuse, journal),
            FusedStorage(storageAt(place), fuse, journal),
            TokenManagerOptions(clock = clock),
        )
    }

    @OptIn(DelicateCoroutinesApi::class)
    suspend fun answer(command: String, argument: String): String {
        when (command) {
            "install" -> manager.install(IssuedToken.json(argument.encodeToByteArray()))
            "sign-out" -> manager.signOut()
            "kill-at" -> fuse.set(argument)
            "reload" -> manager.reload().also { manager.status() }
            "use" -> return manager.authorize("GET", me).header
            "renew" -> return renew()
            "renew-always" -> GlobalScope.launch {
                while (true) {
                    try {
                        renew()
                    } catch (_: TokenwardException) {
                    }
                    delay(50)
                }
            }
            else -> exitProcess(64)
        }
        return "done"
    }

    /** Until there is another token, of whichever process. */
    private suspend fun renew(): String {
        val generation = manager.authorize("GET", me).generation
        manager.renew()
        while (manager.authorize("GET", me).generation == generation) {
            val status = manager.status()
            (status.next as? TokenNext.Supply)?.let { if (status.isUsable) return it.reason.code }
            delay(20)
        }
        return "done"
    }

    companion object {
        @JvmStatic
        fun main(arguments: Array<String>): Unit = runBlocking {
            val neighbour = Neighbour(arguments)
            for (line in generateSequence(::readlnOrNull)) {
                println(
                    try {
                        neighbour.answer(line.substringBefore(' '), line.substringAfter(' '))
                    } catch (refused: TokenwardException) {
                        refused.code
                    },
                )
            }
            exitProcess(0)
        }
    }
}
