package catest

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/ca/acmestore"
)

// SetText implements acmestore.Texts.
func (s *ACME) SetText(_ context.Context, t acmestore.Text, now time.Time, ev ledger.Event) (ledger.Receipt, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	kept := slices.DeleteFunc(slices.Clone(s.texts), func(o acmestore.Text) bool {
		return o.Name == t.Name && (o.Value == t.Value || !o.ExpiresAt.After(now))
	})
	n := 0
	for _, o := range kept {
		if o.Name == t.Name {
			n++
		}
	}
	if n >= acmestore.MaxTexts {
		return ledger.Receipt{}, acmestore.ErrFull
	}
	rc, err := s.enter("SetText", ev)
	if err == nil {
		s.texts = append(kept, t)
	}
	return rc, err
}

// RemoveText implements acmestore.Texts.
func (s *ACME) RemoveText(_ context.Context, t acmestore.Text, ev ledger.Event) (ledger.Receipt, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := slices.IndexFunc(s.texts, func(o acmestore.Text) bool {
		return o.Name == t.Name && o.Value == t.Value && o.System == t.System
	})
	if n < 0 {
		return ledger.Receipt{}, acmestore.ErrNotFound
	}
	rc, err := s.enter("RemoveText", ev)
	if err == nil {
		s.texts = slices.Delete(s.texts, n, n+1)
	}
	return rc, err
}

// Texts implements acmestore.Texts.
func (s *ACME) Texts(_ context.Context, name string, now time.Time) (out []string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range s.texts {
		if t.Name == name && t.ExpiresAt.After(now) {
			out = append(out, t.Value)
		}
	}
	slices.Sort(out)
	return out, nil
}

// TextsOf implements acmestore.Texts.
func (s *ACME) TextsOf(_ context.Context, system string, now time.Time) (out []acmestore.Text, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range s.texts {
		if t.System == system && t.ExpiresAt.After(now) {
			out = append(out, t)
		}
	}
	slices.SortFunc(out, func(a, b acmestore.Text) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.Value, b.Value))
	})
	return out, nil
}

// DropTexts implements acmestore.Texts.
func (s *ACME) DropTexts(_ context.Context, before time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.texts = slices.DeleteFunc(s.texts, func(t acmestore.Text) bool { return t.ExpiresAt.Before(before) })
	return nil
}

// Swap exchanges the MAC keys of two external account keys behind the server's
// back, as whoever writes to the store could.
func (s *ACME) Swap(one, other string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a, b := s.keys[one], s.keys[other]
	a.HMAC, b.HMAC = b.HMAC, a.HMAC
	s.keys[one], s.keys[other] = a, b
}
