package io.github.tokenward.jdbc

import io.github.tokenward.StorageAccess
import io.github.tokenward.StorageLockedException
import io.github.tokenward.TokenStorage
import io.github.tokenward.TokenwardException
import java.io.IOException
import java.sql.Connection
import java.sql.PreparedStatement
import java.sql.SQLException
import javax.sql.DataSource

/**
 * One row of a table, for servers that share one session: `CREATE TABLE tokenward (name text PRIMARY KEY, item bytea)` in
 * PostgreSQL, `item BLOB` in SQLite. Deleting the row signs everybody out.
 *
 * PostgreSQL locks the row (`SELECT … FOR UPDATE`), SQLite its file (`BEGIN IMMEDIATE`): who does not get that within five
 * seconds is told so by a [StorageLockedException]. PostgreSQL ends the transaction of a holder that has stopped, and a server
 * that says nothing for ten seconds is given up.
 *
 * @param dataSource gives connections of its own, none that takes part in a transaction of the caller, and has a time limit for
 * connecting.
 * @param name the row's.
 * @param sealKey 32 random bytes, secret, the same in all processes.
 * @throws TokenwardException.Configuration `invalid_argument` with the fact `seal_key` or `table`.
 */
public class JdbcTokenStorage(
    private val dataSource: DataSource,
    private val name: String,
    sealKey: ByteArray,
    private val table: String = "tokenward",
) : TokenStorage {
    private val key = sealKey.copyOf()

    init {
        val isGood = key.size == SEAL_KEY_BYTES && key.any { it != 0.toByte() }
        if (!isGood) throw TokenwardException.Configuration("invalid_argument", "seal_key")
        if (!IDENTIFIER.matches(table)) throw TokenwardException.Configuration("invalid_argument", "table")
    }

    override val isShared: Boolean get() = true

    override fun sealKey(): ByteArray = key.copyOf()

    /** Equal to another on the same row of the same source. */
    override fun equals(other: Any?): Boolean =
        other is JdbcTokenStorage && other.dataSource == dataSource && other.table == table && other.name == name

    override fun hashCode(): Int = 31 * table.hashCode() + name.hashCode()

    override fun locked(body: (StorageAccess) -> Unit): Unit = dataSource.connection.use { connection ->
        val row = Row(connection)
        try {
            row.lock()
            body(row)
        } finally {
            row.release()
        }
    }

    /** What is written must outlive a kill before anybody uses the token in it: so a write is committed, which ends the lock. */
    private inner class Row(private val connection: Connection) : StorageAccess {
        private val database = Database.of(connection)
        private val autoCommit = connection.autoCommit
        private val networkTimeout = connection.networkTimeout
        private var item: ByteArray? = null
        private var isHeld = false

        fun lock() {
            try {
                // Transactions begin and end by statements, which SQLite's driver could not be told otherwise.
                connection.autoCommit = true
                // Longer than a lock is waited for.
                if (database.hasNetwork) connection.setNetworkTimeout(Runnable::run, NETWORK_MS)
                isHeld = true
                connection.createStatement().use { statement -> database.begin.forEach(statement::execute) }
                if (!find()) {
                    // Another process that inserts it now is waited for.
                    prepared("INSERT INTO $table (name) VALUES (?) ON CONFLICT DO NOTHING") { it.setString(1, name) }
                    if (!find()) throw IOException("the row cannot be inserted")
                }
            } catch (refused: SQLException) {
                if (database.isLocked(refused)) throw StorageLockedException("another process holds the row", refused)
                throw refused
            }
        }

        private fun find(): Boolean =
            connection.prepareStatement("SELECT item FROM $table WHERE name = ?${database.forUpdate}").use { statement ->
                statement.setString(1, name)
                statement.executeQuery().use { rows -> rows.next().also { if (it) item = rows.getBytes(1) } }
            }

        override fun read(): ByteArray? {
            if (!isHeld) lock()
            return item
        }

        override fun write(item: ByteArray) {
            val known = this.item
            if (!isHeld) {
                lock()
                if (!known.contentEquals(this.item)) throw IOException("another process has written meanwhile")
            }
            prepared("UPDATE $table SET item = ? WHERE name = ?") {
                it.setBytes(1, item)
                it.setString(2, name)
            }
            connection.createStatement().use { it.execute("COMMIT") }
            isHeld = false
            this.item = item
        }

        /** A connection that is broken has released the lock itself, and takes no settings. */
        fun release() {
            runCatching { if (isHeld) connection.createStatement().use { it.execute("ROLLBACK") } }
            runCatching {
                connection.autoCommit = autoCommit
                if (database.hasNetwork) connection.setNetworkTimeout(Runnable::run, networkTimeout)
            }
        }

        private fun prepared(sql: String, fill: (PreparedStatement) -> Unit): Int = connection.prepareStatement(sql).use {
            fill(it)
            it.executeUpdate()
        }
    }

    private enum class Database(val hasNetwork: Boolean, val begin: List<String>, val forUpdate: String) {
        POSTGRESQL(
            true,
            listOf(
                "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE",
                "SET LOCAL lock_timeout = 5000",
                // Who has stopped loses the lock before those that wait lose patience.
                "SET LOCAL idle_in_transaction_session_timeout = 4000",
                // A commit that a crash of the server undoes would have a refresh token presented twice.
                "SELECT set_config('synchronous_commit', 'on', true) WHERE current_setting('synchronous_commit') = 'off'",
            ),
            " FOR UPDATE",
        ) {
            override fun isLocked(refused: SQLException) = refused.sqlState == "55P03"
        },
        SQLITE(false, listOf("PRAGMA busy_timeout = 5000", "PRAGMA synchronous = FULL", "BEGIN IMMEDIATE"), "") {
            override fun isLocked(refused: SQLException) = refused.errorCode and 0xff == SQLITE_BUSY
        }, ;

        abstract fun isLocked(refused: SQLException): Boolean

        companion object {
            const val SQLITE_BUSY = 5

            fun of(connection: Connection): Database = when (val product = connection.metaData.databaseProductName) {
                "PostgreSQL" -> POSTGRESQL
                "SQLite" -> SQLITE
                else -> throw IOException("how $product locks a row is not known here")
            }
        }
    }

    private companion object {
        const val SEAL_KEY_BYTES = 32
        const val NETWORK_MS = 10_000
        val IDENTIFIER = Regex("[A-Za-z_][A-Za-z0-9_]*(\\.[A-Za-z_][A-Za-z0-9_]*)?")
    }
}
