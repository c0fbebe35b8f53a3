package catest

import (
	"context"
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/yinxin-gov/yinxin/ca/acmestore"
)

func textsCome(t *testing.T, s acmestore.Store) {
	ctx, now := context.Background(), moment()
	record := acmestore.Text{Name: "_acme-challenge." + id() + ".gov", Value: id(), System: "s-1", ExpiresAt: now.Add(time.Hour)}
	has := func(at time.Time, wanted ...string) {
		t.Helper()
		got, err := s.Texts(ctx, record.Name, at)
		if err != nil || len(got) != len(wanted) || len(got) > 0 && !reflect.DeepEqual(got, wanted) {
			t.Errorf("%v, %v; want %v", got, err, wanted)
		}
	}
	has(now)
	for range 2 { // a client repeats itself
		_, err := s.SetText(ctx, record, now, event())
		want(t, err, nil)
	}
	has(now, record.Value)
	has(record.ExpiresAt)
	second := record
	second.Name, second.System = "_acme-challenge."+id()+".gov", "s-"+id()
	_, err := s.SetText(ctx, second, now, event())
	want(t, err, nil)
	for at, wanted := range map[time.Time][]acmestore.Text{now: {second}, second.ExpiresAt: nil} {
		if got, err := s.TextsOf(ctx, second.System, at); err != nil || len(got) != len(wanted) || len(got) > 0 && (got[0].Name != second.Name || got[0].Value != second.Value || !got[0].ExpiresAt.Equal(second.ExpiresAt)) {
			t.Errorf("at %s: %v, %v", at, got, err)
		}
	}
	stranger := record
	stranger.System = "s-2"
	_, err = s.RemoveText(ctx, stranger, event())
	want(t, err, acmestore.ErrNotFound)
	_, err = s.RemoveText(ctx, record, event())
	want(t, err, nil)
	has(now)
	_, err = s.RemoveText(ctx, record, event())
	want(t, err, acmestore.ErrNotFound)
}

func textsAreFew(t *testing.T, s acmestore.Store) {
	ctx, now := context.Background(), moment()
	record := acmestore.Text{Name: "_acme-challenge." + id() + ".gov", System: "s-1", ExpiresAt: now.Add(time.Hour)}
	for n := range acmestore.MaxTexts {
		record.Value = fmt.Sprint(n)
		_, err := s.SetText(ctx, record, now, event())
		want(t, err, nil)
	}
	record.Value = "one more"
	_, err := s.SetText(ctx, record, now, event())
	want(t, err, acmestore.ErrFull)
	// Those that expired make room.
	late := record.ExpiresAt
	record.ExpiresAt = late.Add(time.Hour)
	_, err = s.SetText(ctx, record, late, event())
	want(t, err, nil)
	want(t, s.DropTexts(ctx, late.Add(2*time.Hour)), nil)
	if got, err := s.Texts(ctx, record.Name, now); err != nil || len(got) != 0 {
		t.Errorf("%v, %v", got, err)
	}
}
