package io.github.tokenward

/** The two clocks of a [TokenManager]. */
public interface TokenClock {
    /** Milliseconds since any fixed point: never back, and on while the device sleeps. */
    public fun now(): Long

    /** Unix seconds, or null where the time of day is not known: rather none than a guess. */
    public fun wall(): Long?

    public companion object {
        /** The clock of the JVM, which counts sleep too. On Android take `AndroidClock` of tokenward-android. */
        public val system: TokenClock = JvmClock(System::nanoTime, System::currentTimeMillis)
    }
}

/**
 * `nanoTime` stops while Linux sleeps, and the wall clock can be set. So whenever the wall clock has gained a second on
 * `nanoTime` the device has slept, or was set ahead: that time counts. A wall clock that was set back changes nothing.
 */
internal class JvmClock(private val nanoTime: () -> Long, private val wallMillis: () -> Long) : TokenClock {
    private val start = nanoTime()
    private var lead = wallMillis()
    private var slept = 0L

    @Synchronized
    override fun now(): Long {
        val elapsed = (nanoTime() - start) / 1_000_000
        val gained = wallMillis() - elapsed - lead
        if (gained >= SECOND || gained <= -SECOND) {
            lead += gained
            slept += maxOf(gained, 0)
        }
        return elapsed + slept
    }

    override fun wall(): Long = wallMillis() / SECOND

    private companion object {
        const val SECOND = 1000L
    }
}
