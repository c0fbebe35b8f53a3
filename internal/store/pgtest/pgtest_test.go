//go:build unix

package pgtest_test

import (
	"context"
	"os"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/yinxin-gov/yinxin/internal/store/pgtest"
)

func TestServerIsOursAloneAndGoesAway(t *testing.T) {
	ctx := context.Background()
	server := pgtest.Start()
	defer server.Stop()
	first, second := server.URL(t), server.URL(t)
	if first == second {
		t.Fatal("two tests share a database")
	}
	conn, err := pgx.Connect(ctx, first)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(ctx) }()
	var listen, sockets, fsync, commit string
	row := conn.QueryRow(ctx, `SELECT current_setting('listen_addresses'), current_setting('unix_socket_directories'),
		current_setting('fsync'), current_setting('synchronous_commit')`)
	if err := row.Scan(&listen, &sockets, &fsync, &commit); err != nil {
		t.Fatal(err)
	}
	if listen != "" || fsync != "on" || commit != "on" {
		t.Fatalf("listens on %q, fsync %s, synchronous_commit %s", listen, fsync, commit)
	}
	server.Stop()
	if _, err := os.Stat(sockets); !os.IsNotExist(err) {
		t.Fatalf("%s is still there: %v", sockets, err)
	}
	if _, err := pgx.Connect(ctx, first); err == nil {
		t.Fatal("the server still answers")
	}
}
