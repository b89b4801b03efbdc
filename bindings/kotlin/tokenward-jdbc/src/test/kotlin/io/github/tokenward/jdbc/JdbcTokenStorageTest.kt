package io.github.tokenward.jdbc

import io.github.tokenward.StorageLockedException
import io.github.tokenward.TokenwardException
import org.junit.jupiter.api.io.TempDir
import java.io.IOException
import java.lang.reflect.Proxy
import java.nio.file.Path
import java.sql.Connection
import java.sql.DatabaseMetaData
import java.util.UUID
import javax.sql.DataSource
import kotlin.test.Test
import kotlin.test.assertContentEquals
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith
import kotlin.test.assertFalse
import kotlin.test.assertNotEquals
import kotlin.test.assertNull
import kotlin.test.assertTrue

/** What holds of every database. */
abstract class JdbcTokenStorageTest {
    @TempDir
    lateinit var folder: Path

    /** Each time another source of the same database. */
    abstract val source: DataSource
    protected val row = "${UUID.randomUUID()}"

    protected fun storage() = JdbcTokenStorage(source, row, KEY)

    protected fun read(storage: JdbcTokenStorage): ByteArray? {
        var item: ByteArray? = null
        storage.locked { item = it.read() }
        return item
    }

    @Test
    fun `what is written is read again, and is of its row alone`() {
        assertNull(read(storage()))
        storage().locked {
            it.write(byteArrayOf(1))
            it.write(byteArrayOf(2))
            assertContentEquals(byteArrayOf(2), it.read())
        }
        assertContentEquals(byteArrayOf(2), read(storage()))
        assertNull(read(JdbcTokenStorage(source, "$row-2", KEY)))
    }

    @Test
    fun `a row that another holds is locked after five seconds`() = source.connection.use { holder ->
        storage().locked { it.write(byteArrayOf(1)) }
        holder.autoCommit = false
        holder.createStatement().execute("UPDATE tokenward SET item = NULL WHERE name = '$row'")
        val begin = System.nanoTime()
        assertFailsWith<StorageLockedException> { read(storage()) }
        assertTrue(System.nanoTime() - begin > 4_900_000_000)
        holder.rollback()
        assertContentEquals(byteArrayOf(1), read(storage()))
    }

    @Test
    fun `whoever has seen what another replaced meanwhile writes nothing`() {
        assertFailsWith<IOException> {
            storage().locked { first ->
                first.write(byteArrayOf(1))
                storage().locked { it.write(byteArrayOf(2)) }
                first.write(byteArrayOf(3))
            }
        }
        assertContentEquals(byteArrayOf(2), read(storage()))
    }

    @Test
    fun `a connection is given back as it came`() {
        val pooled = source.connection
        pooled.autoCommit = false
        val timeout = pooled.networkTimeout
        val pool = object : DataSource by source {
            override fun getConnection() = object : Connection by pooled {
                override fun close() = Unit
            }
        }
        JdbcTokenStorage(pool, row, KEY).locked { it.write(byteArrayOf(1)) }
        assertFalse(pooled.autoCommit)
        assertEquals(timeout, pooled.networkTimeout)
        pooled.close()
    }

    @Test
    fun `a key that seals nothing and a table that is no name are refused`() {
        for ((fact, key, table) in listOf(
            Triple("seal_key", ByteArray(31) { 1 }, "tokenward"),
            Triple("seal_key", ByteArray(32), "tokenward"),
            Triple("table", KEY, "tokenward; DROP TABLE tokenward"),
        )) {
            val refused = assertFailsWith<TokenwardException.Configuration> { JdbcTokenStorage(source, row, key, table) }
            assertEquals("invalid_argument" to fact, refused.code to refused.fact)
        }
    }

    @Test
    fun `storages of one row are equal`() {
        val source = source
        assertEquals(JdbcTokenStorage(source, row, KEY), JdbcTokenStorage(source, row, ByteArray(32) { 2 }))
        assertNotEquals(JdbcTokenStorage(source, row, KEY), JdbcTokenStorage(source, "$row-2", KEY))
        assertNotEquals(JdbcTokenStorage(source, row, KEY), JdbcTokenStorage(source, row, KEY, "other"))
    }

    @Test
    fun `a database that is not known is refused by its name`() {
        val pooled = source.connection
        val metaData = Proxy.newProxyInstance(javaClass.classLoader, arrayOf(DatabaseMetaData::class.java)) { _, _, _ ->
            "Ozymandias"
        }
        val other = object : DataSource by source {
            override fun getConnection() = object : Connection by pooled {
                override fun getMetaData() = metaData as DatabaseMetaData
            }
        }
        val refused = assertFailsWith<IOException> { read(JdbcTokenStorage(other, row, KEY)) }
        assertEquals("how Ozymandias locks a row is not known here", refused.message)
        assertTrue(pooled.isClosed)
    }

    protected companion object {
        val KEY = ByteArray(32) { 7 }
    }
}
