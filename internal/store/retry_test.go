package store

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
)

// What a cluster asks to repeat is repeated, and nothing else.
func TestRetries(t *testing.T) {
	conflict := fmt.Errorf("committing: %w", &pgconn.PgError{Code: "40001"})
	deadlock := &pgconn.PgError{Code: "40P01"}
	other := errors.New("disk full")
	for _, c := range []struct {
		name  string
		errs  []error // one a try; success afterwards
		tries int
		want  error
	}{
		{"success", nil, 1, nil},
		{"a conflict and a deadlock", []error{conflict, deadlock}, 3, nil},
		{"a conflict without end", []error{7: conflict}, attempts, conflict},
		{"another error", []error{other}, 1, other},
		{"a duplicate", []error{&pgconn.PgError{Code: "23505"}}, 1, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			tries := 0
			err := retried(context.Background(), func() error {
				tries++
				if tries > len(c.errs) {
					return nil
				}
				if c.errs[tries-1] == nil {
					return conflict
				}
				return c.errs[tries-1]
			})
			if tries != c.tries || c.want != nil && !errors.Is(err, c.want) {
				t.Errorf("%d tries, %v", tries, err)
			}
		})
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := retried(ctx, func() error { return conflict }); !errors.Is(err, context.Canceled) || !errors.Is(err, conflict) {
		t.Errorf("after the caller has left: %v", err)
	}
}
