package io.github.tokenward

import com.sun.jna.Memory
import com.sun.jna.Native
import com.sun.jna.Pointer
import io.github.tokenward.bridge.CoreManager
import kotlinx.coroutines.runBlocking
import java.util.function.BiFunction
import java.util.function.IntSupplier

/** Times one header in several ways, beside a look-up in a map. Nothing is asserted: only ratios hold elsewhere. */
fun main() = runBlocking {
    val token = "a".repeat(40)
    val core = core()
    core.install(0uL, null, token, null, 3600uL, null)
    TokenManager(ACME, TokenIdentity {}, CREDENTIALS, MemoryService()).use { manager ->
        manager.install(IssuedToken(token))
        val map = HashMap(mapOf("GET $API" to "Bearer $token"))
        Loader.register()
        val memory = Memory(MEMORY_BYTES)
        report("a look-up in a HashMap") { map["GET $API"].hashCode() }
        report("a JNA call by direct mapping: memcpy of 48 bytes") { Loader.memcpy(memory, memory.share(64), 48).hashCode() }
        report("the clock") { TokenClock.system.now().toInt() }
        report("authorize of the bridge") { core.authorize(1uL, "GET", API).length }
        report("authorize in one plain call") { core.lend(1uL, "GET", API).header.length }
        foreign(core)?.let { lend -> report("authorize in one plain call by java.lang.foreign") { lend.asInt } }
        report("authorize of the manager") { manager.authorize("GET", API).header.length }
    }
    core.close()
}

/** `Foreign.java`, where `test.sh bench` has found a JDK for it. */
private fun foreign(core: LendingCore): IntSupplier? = runCatching { Class.forName("Foreign") }.getOrNull()?.let {
    val handle = CoreManager::class.java.getDeclaredField("handle").apply { isAccessible = true }.getLong(core)
    @Suppress("UNCHECKED_CAST")
    (it.getConstructor().newInstance() as BiFunction<Long, String, IntSupplier>).apply(handle, API)
}

/** What a call costs that passes numbers and pointers alone. */
private object Loader {
    fun register() = Native.register(Loader::class.java, "c")

    @JvmStatic
    external fun memcpy(to: Pointer, from: Pointer, bytes: Long): Pointer
}

private const val MEMORY_BYTES = 128L
private const val WARM_UP = 30_000
private const val ROUNDS = 100_000

private suspend fun report(what: String, call: suspend () -> Int) {
    var sum = 0
    repeat(WARM_UP) { sum += call() }
    val times = LongArray(ROUNDS) {
        val start = System.nanoTime()
        sum += call()
        System.nanoTime() - start
    }
    times.sort()
    check(sum != 1)
    println("bench: %8d ns median, %8d ns p99: %s".format(times[ROUNDS / 2], times[ROUNDS * 99 / 100], what))
}
