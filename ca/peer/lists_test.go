package peer_test

import (
	"context"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/emmansun/gmsm/smx509"

	"github.com/yinxin-gov/yinxin/ca/peer"
	"github.com/yinxin-gov/yinxin/ca/peer/peertest"
)

// RFC 5280 5.2, 6.3: a list that says less than it seems to is no list.
func TestListRefused(t *testing.T) {
	w := newWorld(t)
	w.agreed(t, w.entry())
	extension := func(critical bool, arc ...int) func(*smx509.RevocationList) {
		return func(l *smx509.RevocationList) {
			l.ExtraExtensions = append(l.ExtraExtensions, pkix.Extension{Id: asn1.ObjectIdentifier(arc), Critical: critical, Value: []byte{5, 0}})
		}
	}
	other := peertest.Root(t, false, w.at, nil)
	spoilt := w.issuing.List(t, w.at, nil)
	spoilt[len(spoilt)-1] ^= 1
	for name, c := range map[string]struct {
		raw  []byte
		want error
	}{
		"good":                {w.issuing.List(t, w.at, nil), nil},
		"good, SM2":           {w.gmIssuing.List(t, w.at, nil), nil},
		"PEM":                 {pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: w.root.List(t, w.at, nil)}), nil},
		"5.2.4 delta":         {w.issuing.List(t, w.at.Add(time.Minute), extension(true, 2, 5, 29, 27)), peer.ErrList},
		"5.2.5 partial":       {w.issuing.List(t, w.at.Add(time.Minute), extension(true, 2, 5, 29, 28)), peer.ErrList},
		"5.2.5, not critical": {w.issuing.List(t, w.at.Add(time.Minute), extension(false, 2, 5, 29, 28)), peer.ErrList},
		"5.2 unknown":         {w.issuing.List(t, w.at.Add(time.Minute), extension(true, 1, 2, 3)), peer.ErrList},
		"entry of others": {w.issuing.List(t, w.at.Add(time.Minute), func(l *smx509.RevocationList) {
			l.RevokedCertificateEntries = []smx509.RevocationListEntry{{SerialNumber: w.sign.SerialNumber, RevocationTime: w.at, ExtraExtensions: []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 29}, Critical: true, Value: []byte{5, 0}}}}}
		}), peer.ErrList},
		"of another domain": {other.List(t, w.at, nil), peer.ErrList},
		"signature":         {spoilt, peer.ErrList},
		"over":              {w.issuing.List(t, w.at.AddDate(0, 0, -8), nil), peer.ErrList},
		"not yet":           {w.issuing.List(t, w.at.Add(time.Hour), nil), peer.ErrList},
		"something follows": {append(w.issuing.List(t, w.at, nil), 0), peer.ErrList},
		"nothing":           {nil, peer.ErrList},
		"too large":         {make([]byte, 2*peer.MaxList), peer.ErrList},
	} {
		if _, err := w.Import(t.Context(), person("officer"), "city", c.raw, "样例"); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	for name, c := range map[string]struct {
		person, domain, source string
		at                     time.Time
		want                   error
	}{
		"a clerk":       {"clerk", "city", "x", w.at.Add(time.Minute), peer.ErrForbidden},
		"no domain":     {"officer", "none", "x", w.at.Add(time.Minute), peer.ErrWithdrawn},
		"no source":     {"officer", "city", "", w.at.Add(time.Minute), peer.ErrInvalid},
		"the same time": {"officer", "city", "x", w.at, peer.ErrOld},
		"older":         {"officer", "city", "x", w.at.Add(-time.Hour), peer.ErrOld},
		"newer":         {"officer", "city", "x", w.at.Add(time.Minute), nil},
	} {
		if _, err := w.Import(t.Context(), person(c.person), c.domain, w.issuing.List(t, c.at, nil), c.source); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	var told int
	for _, ev := range w.reg.Events() {
		if ev.Type == "ca.peer.list_taken" {
			told++
		}
	}
	if told != 4 {
		t.Errorf("%d lists on the ledger", told)
	}
}

// People are told before a domain stands still.
func TestFreshness(t *testing.T) {
	w := newWorld(t)
	e := w.agreed(t, w.entry())
	near := func() (out []bool) {
		t.Helper()
		all, err := w.Freshness(t.Context(), e)
		want(t, err, nil)
		for _, f := range all {
			out = append(out, f.Near)
		}
		return out
	}
	yes, no := true, false
	if got := near(); !slices.Equal(got, []bool{yes, yes, yes, yes}) {
		t.Errorf("none: %v", got)
	}
	w.listed(t)
	if got := near(); !slices.Equal(got, []bool{no, no, no, no}) {
		t.Errorf("fresh: %v", got)
	}
	w.at = w.at.Add(19 * time.Hour) // of 24, for the authorities that issue to systems
	if got := near(); !slices.Equal(got, []bool{no, no, yes, yes}) {
		t.Errorf("late: %v", got)
	}
}

// What is fetched is from the addresses that were signed, and from nowhere else.
func TestFetch(t *testing.T) {
	w := newWorld(t)
	list := w.root.List(t, w.at, nil)
	asked := map[string]int{}
	srv := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		asked[r.URL.Path]++
		switch r.URL.Path {
		case "/good":
			_, _ = rw.Write(list)
		case "/moved":
			http.Redirect(rw, r, "/good2", http.StatusFound)
		case "/good2":
			_, _ = rw.Write(w.gmRoot.List(t, w.at, nil))
		case "/away":
			http.Redirect(rw, r, "http://"+strings.Replace(r.Host, "127.0.0.1", "localhost", 1)+"/good3", http.StatusFound)
		case "/large":
			_, _ = rw.Write(make([]byte, peer.MaxList+1))
		default:
			http.NotFound(rw, r)
		}
	}))
	defer srv.Close()
	e := w.entry()
	e.Lists = nil
	for _, p := range []string{"/good", "/moved", "/away", "/large", "/none"} {
		e.Lists = append(e.Lists, srv.URL+p)
	}
	w.agreed(t, e)
	var warned []string
	config := peer.FetcherConfig{Service: w.Service, Warn: func(_ context.Context, domain, what string, err error) {
		if err != nil {
			warned = append(warned, err.Error())
		}
	}}
	f, err := peer.NewFetcher(config)
	want(t, err, nil)
	f.Round(t.Context()) // the house's own machine
	if len(asked) != 0 || len(warned) != 5 || !strings.Contains(warned[0], peer.ErrAddress.Error()) {
		t.Fatalf("%v %q", asked, warned)
	}
	warned = nil
	config.Allow = func(a netip.Addr) bool { return a.IsLoopback() }
	f, err = peer.NewFetcher(config)
	want(t, err, nil)
	f.Round(t.Context())
	if asked["/good"] != 1 || asked["/good2"] != 1 || asked["/good3"] != 0 || len(warned) != 3 {
		t.Errorf("%v %q", asked, warned)
	}
	kept, err := w.Freshness(t.Context(), e)
	want(t, err, nil)
	if kept[0].Missing || kept[1].Missing || !kept[2].Missing {
		t.Errorf("%+v", kept)
	}
	warned = nil
	f.Round(t.Context()) // the same lists are no fault
	if len(warned) != 3 {
		t.Errorf("%q", warned)
	}
	if _, err := peer.NewFetcher(peer.FetcherConfig{}); err == nil {
		t.Error("made of nothing")
	}
}

// Foreign bytes let nobody in and are kept by nobody, but for what they were.
func FuzzForeignBytes(f *testing.F) {
	w := newWorld(f)
	w.agreed(f, w.entry())
	f.Add([]byte{0x30, 0})
	f.Add(peertest.Root(f, false, w.at, nil).List(f, w.at, nil))
	f.Add(w.sign.Raw)
	f.Add(w.root.Cert.Raw)
	f.Fuzz(func(t *testing.T, raw []byte) {
		if _, err := w.Client(t.Context(), raw); err == nil {
			t.Error("let in")
		}
		if _, err := w.Import(t.Context(), person("officer"), "city", raw, "样例"); err == nil {
			t.Error("kept")
		}
	})
}
