// Package store keeps the house's rows on SQLite (the default) or PostgreSQL,
// with one code path and one conformance suite that runs on both.
//
// Design law 3 is its reason to exist: every method that changes a row of a
// room takes the ledger.Event of that act, and commits row and outbox entry in
// one transaction (act.go). There is no exported way to write a row without
// its event but the claims of deliveries, which are guards and no
// acts, ForgetChanges, which clears what told nodes to read rows again, and Keep,
// whose documents an entry names afterwards (decision.go). What must hold
// between rows is checked again inside that transaction: no holding below its
// sources, no grade below its holdings (西政办发〔2014〕14号 art. 30, 31), no
// two of the three administrators in one person (三员分立), and one winner
// among concurrent callers, decided by the row count of a guarded statement.
//
// It refuses to open a schema that is not exactly its own, and never migrates
// on its own: Migrate does, when somebody asks for it.
//
// SQL is kept portable, so that engines that speak PostgreSQL's protocol stay
// open to those who outgrow one machine; lint_test.go holds the list of what
// is left out. The only statement that differs is the ledger's AppendBatch.
// Written for such engines, tested on SQLite and PostgreSQL.
//
// bun writes values into the SQL text, and PostgreSQL logs the text of a
// failed statement: run the server with log_min_error_statement=panic and
// log_error_verbosity=terse. Keys come here wrapped, tokens as digests.
package store
