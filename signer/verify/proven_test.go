package verify

import (
	"bytes"
	"context"
	"testing"
	"time"
)

// dated knows one revocation, and records for which time it was asked about it.
type dated struct {
	who   []byte // certificate; nil: every one
	at    time.Time
	asked time.Time
}

func (d *dated) RevokedAt(ctx context.Context, der []byte) (time.Time, bool, error) {
	panic("data with a period are asked for a time")
}

func (d *dated) RevokedBy(_ context.Context, der []byte, by time.Time) (time.Time, bool, error) {
	if d.who != nil && !bytes.Equal(der, d.who) {
		return time.Time{}, true, nil
	}
	d.asked = by
	return d.at, true, nil
}

// 电子签名法 art. 13: a revocation after the proven time does not hurt; without one
// it leaves open whether the signature is older than it.
func TestProvenTimeBoundsRevocation(t *testing.T) {
	w := newWorld(t)
	doc := w.put(w.notice(), false)
	gone := signed.Add(24 * time.Hour)
	for name, c := range map[string]struct {
		proven time.Time
		want   Verdict
		asked  time.Time
	}{
		"nothing proven":           {time.Time{}, Indeterminate, later},
		"proven before revocation": {signed.Add(time.Hour), Valid, signed.Add(time.Hour)},
		"proven after revocation":  {signed.Add(48 * time.Hour), Indeterminate, signed.Add(48 * time.Hour)},
	} {
		d := &dated{at: gone}
		rep, err := Document(context.Background(), doc, Options{Trust: NewTrust(w.root.cert.Raw), Now: func() time.Time { return later }, Revocation: d, Proven: c.proven})
		if err != nil || rep.Verdict != c.want || !d.asked.Equal(c.asked) {
			t.Errorf("%s: %s, asked for %v: %v", name, rep.Verdict, d.asked, err)
		}
	}
	d := &dated{at: signed.Add(-time.Hour)}
	if rep, _ := Document(context.Background(), doc, Options{Trust: NewTrust(w.root.cert.Raw), Now: func() time.Time { return later }, Revocation: d, Proven: signed}); rep.Verdict != Invalid {
		t.Errorf("revoked before signing: %s", rep.Verdict)
	}
}

// stated knows a revocation with an invalidity date.
type stated struct{ revoked, invalid time.Time }

func (s stated) RevokedAt(context.Context, []byte) (time.Time, bool, error) {
	return s.invalid, true, nil
}

func (s stated) Dates(context.Context, []byte) (time.Time, time.Time, error) {
	return s.revoked, s.invalid, nil
}

// RFC 5280 5.3.2, design §9: what is proven to be older than the invalidity date
// stands and the report names both dates; what was signed after it is invalid
// although the revocation came later.
func TestInvalidityDateIsNamed(t *testing.T) {
	w := newWorld(t)
	doc := w.put(w.notice(), false)
	day := 24 * time.Hour
	for name, c := range map[string]struct {
		invalid, proven time.Time
		want            Verdict
	}{
		"older":               {signed.Add(day), signed.Add(time.Hour), Valid},
		"proven too late":     {signed.Add(day), signed.Add(2 * day), Indeterminate},
		"not proven":          {signed.Add(day), time.Time{}, Indeterminate},
		"signed after it":     {signed.Add(-day), signed.Add(time.Hour), Invalid},
		"signed on that very": {signed, signed, Invalid},
	} {
		known := stated{signed.Add(4 * day), c.invalid}
		rep, err := Document(context.Background(), doc, Options{Trust: NewTrust(w.root.cert.Raw), Now: func() time.Time { return later }, Revocation: known, Proven: c.proven})
		want := "revocationDate " + stamp(known.revoked) + ", invalidityDate " + stamp(known.invalid)
		detail := ""
		for _, check := range rep.Signatures[0].Checks {
			if check.ID == CheckRevocation {
				detail = check.Detail
			}
		}
		if err != nil || rep.Verdict != c.want || detail != want {
			t.Errorf("%s: %s %q: %v", name, rep.Verdict, detail, err)
		}
	}
}

// Of the signature's own token and a time proven outside the earlier one counts.
func TestTheEarlierProofCounts(t *testing.T) {
	w := newWorld(t)
	service := w.issue(&w.root, stamping)
	own := signed.Add(time.Minute)
	doc := w.stamped(func(v []byte) []byte { return w.token(service, v, own, true) })
	for outside, want := range map[time.Time]time.Time{own.Add(time.Hour): own, own.Add(-time.Second): own.Add(-time.Second)} {
		d := &dated{who: w.signer.cert.Raw, at: own.Add(30 * time.Minute)}
		rep, err := Document(context.Background(), doc, Options{Trust: NewTrust(w.root.cert.Raw), Now: w.clock, Revocation: d, Proven: outside})
		if err != nil || rep.Verdict != Valid || !d.asked.Equal(want) {
			t.Errorf("outside %v: %s, asked for %v: %v", outside, rep.Verdict, d.asked, err)
		}
	}
}

func TestPathAndItsEnd(t *testing.T) {
	w := newWorld(t)
	trust := NewTrust(w.root.cert.Raw)
	path := trust.Path(w.signer.cert.Raw, signed)
	if len(path) != 2 || !Ends(path).Equal(w.signer.cert.NotAfter) || len(trust.Anchors()) != 1 {
		t.Fatalf("%d certificates, until %v", len(path), Ends(path))
	}
	if trust.Path(w.signer.cert.Raw, w.signer.cert.NotAfter.Add(time.Second)) != nil || (*Trust)(nil).Path(w.signer.cert.Raw, signed) != nil {
		t.Error("a path where none holds")
	}
	if pinned := NewTrust(w.signer.cert.Raw).Path(w.signer.cert.Raw, signed); len(pinned) != 1 {
		t.Errorf("%d certificates of an anchor", len(pinned))
	}
}
