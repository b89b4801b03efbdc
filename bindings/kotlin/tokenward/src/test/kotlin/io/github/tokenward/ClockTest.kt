package io.github.tokenward

import kotlin.test.Test
import kotlin.test.assertEquals

class ClockTest {
    private var nano = 5_000_000_000L
    private var wall = 1_000_000L
    private val clock = JvmClock({ nano }, { wall })

    private fun pass(millis: Long, asleep: Boolean = false) {
        wall += millis
        if (!asleep) nano += millis * 1_000_000
    }

    @Test
    fun `it counts what both clocks count`() {
        pass(2500)
        assertEquals(2500, clock.now())
    }

    @Test
    fun `it counts sleep`() {
        pass(100)
        pass(3_600_000, asleep = true)
        assertEquals(3_600_100, clock.now())
        pass(100)
        assertEquals(3_600_200, clock.now())
    }

    @Test
    fun `a wall clock that is set back changes nothing and later sleep still counts`() {
        pass(1000)
        assertEquals(1000, clock.now())
        wall -= 86_400_000
        assertEquals(1000, clock.now())
        pass(1000)
        pass(60_000, asleep = true)
        assertEquals(62_000, clock.now())
    }

    @Test
    fun `a wall clock that is set ahead and back does not make it stand still`() {
        wall += 86_400_000
        assertEquals(86_400_000, clock.now())
        wall -= 86_400_000
        pass(1000)
        assertEquals(86_401_000, clock.now())
    }

    @Test
    fun `a wall clock that trembles adds nothing`() {
        repeat(10_000) {
            pass(1)
            wall += if (it % 2 == 0) 400 else -400
            clock.now()
        }
        assertEquals(10_000, clock.now())
    }
}
