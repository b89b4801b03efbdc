package io.github.tokenward.jdbc

import java.io.File
import java.net.ServerSocket
import java.nio.file.Files
import java.sql.DriverManager
import java.sql.SQLException
import java.util.concurrent.TimeUnit.SECONDS
import kotlin.test.assertEquals
import kotlin.test.assertTrue

/** A PostgreSQL of its own on loopback, with the table that the guide creates. It refuses to run as root: user `postgres` is taken then. */
class PostgresServer : AutoCloseable {
    private val folder = Files.createTempDirectory("postgres")
    private val port = ServerSocket(0).use { it.localPort }
    private val programs = checkNotNull(
        File("/usr/lib/postgresql").listFiles()?.map { File(it, "bin") }?.filter { File(it, "initdb").canExecute() }?.maxOrNull(),
    ) { "PostgreSQL is missing; Debian: apt-get install postgresql" }
    private val user =
        if (System.getProperty("user.name") == "root") {
            listOf("setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", "--")
        } else {
            emptyList()
        }
    private var process: Process

    val url = "jdbc:postgresql://127.0.0.1:$port/postgres?user=tokenward"

    init {
        if (user.isNotEmpty()) assertEquals(0, ProcessBuilder("chown", "postgres", "$folder").start().waitFor())
        val made = run("initdb", "-U", "tokenward", "-A", "trust", "-E", "UTF8", "--locale=C", "-D", "$folder/data")
        assertTrue(made.waitFor(60, SECONDS) && made.exitValue() == 0, "initdb: ${log()}")
        process = start()
        Runtime.getRuntime().addShutdownHook(Thread(::close))
        execute("CREATE TABLE tokenward (name text PRIMARY KEY, item bytea)")
    }

    private fun run(program: String, vararg arguments: String): Process =
        ProcessBuilder(user + "$programs/$program" + arguments).directory(folder.toFile()).redirectErrorStream(true)
            .redirectOutput(ProcessBuilder.Redirect.appendTo(File("$folder.log"))).start()

    private fun log() = File("$folder.log").readText()

    private fun start(): Process {
        val started = run("postgres", "-D", "$folder/data", "-p", "$port", "-h", "127.0.0.1", "-k", "$folder")
        while (true) {
            check(started.isAlive) { log() }
            try {
                connect().close()
                return started
            } catch (_: SQLException) {
                Thread.sleep(50)
            }
        }
    }

    fun connect() = DriverManager.getConnection(url)

    fun execute(sql: String) = connect().use { connection -> connection.createStatement().use { it.execute(sql) } }

    /** `INT`: whoever is connected is thrown out. `QUIT`: as if it had crashed; it recovers from its log. */
    private fun stop(signal: String) {
        ProcessBuilder("kill", "-$signal", "${process.pid()}").start().waitFor()
        if (!process.waitFor(20, SECONDS)) process.destroyForcibly().waitFor()
    }

    fun restart(signal: String) {
        stop(signal)
        process = start()
    }

    override fun close() {
        stop("QUIT")
        folder.toFile().deleteRecursively()
        File("$folder.log").delete()
    }
}
