package main

import (
	"bytes"
	"crypto/tls"
	"database/sql"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/yinxin-gov/yinxin/signer/ofd"
)

// taken occupies a port for the rest of the script and puts its address into a
// variable: `taken NAME`.
func taken(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: taken NAME")
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	ts.Defer(func() { _ = ln.Close() })
	ts.Setenv(args[0], ln.Addr().String())
}

// freeport finds a free port: `freeport NAME`.
func freeport(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: freeport NAME")
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	ts.Setenv(args[0], ln.Addr().String())
	ts.Check(ln.Close())
}

// answers waits until somebody speaks TLS: `answers ADDRESS`. Who it is does
// not matter here.
func answers(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: answers ADDRESS")
	}
	var err error
	for range 600 {
		var c *tls.Conn
		if c, err = tls.Dial("tcp", args[0], &tls.Config{InsecureSkipVerify: true}); err == nil {
			ts.Check(c.Close())
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	ts.Fatalf("nobody answers at %s: %v", args[0], err)
}

// sigterm tells everything in the background to end, as an init system does.
func sigterm(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 0 || len(ts.BackgroundCmds()) == 0 {
		ts.Fatalf("usage: sigterm")
	}
	for _, c := range ts.BackgroundCmds() {
		ts.Check(c.Process.Signal(syscall.SIGTERM))
	}
}

// sqlite changes a database behind the program's back: `sqlite FILE STATEMENT`.
func sqlite(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: sqlite FILE STATEMENT")
	}
	db, err := sql.Open("sqlite", ts.MkAbs(args[0]))
	ts.Check(err)
	res, err := db.Exec(args[1])
	ts.Check(err)
	if n, err := res.RowsAffected(); err != nil || n == 0 {
		ts.Fatalf("%d rows changed, %v", n, err)
	}
	ts.Check(db.Close())
}

// notices writes plain.ofd and, of it, cut.ofd (its first half) into the
// script's directory.
func notices(env *testscript.Env) error {
	doc, err := ofd.NewNotice(ofd.Notice{
		Title: "样例通知", DocNo: "样〔2026〕1号", Issuer: "样例单位", Date: time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC), Body: []string{"样例。"},
	})
	if err != nil {
		return err
	}
	for name, data := range map[string][]byte{"plain.ofd": doc, "cut.ofd": bytes.Clone(doc[:len(doc)/2])} {
		if err := os.WriteFile(filepath.Join(env.WorkDir, name), data, 0o600); err != nil {
			return err
		}
	}
	return nil
}
