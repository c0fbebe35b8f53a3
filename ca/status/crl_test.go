package status_test

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/emmansun/gmsm/smx509"

	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/ca/catest"
	"github.com/yinxin-gov/yinxin/ca/lint/crl"
	"github.com/yinxin-gov/yinxin/ca/profile"
	"github.com/yinxin-gov/yinxin/ca/status"
	"github.com/yinxin-gov/yinxin/ca/status/statustest"
)

var bg = context.Background()

// tracks are an issuing authority with a leaf profile, one of each algorithm.
var tracks = map[profile.Name]profile.Name{profile.SM2Issuing: profile.SM2Sign, profile.ECDSAIssuing: profile.ECDSALeaf}

func onTracks(t *testing.T, test func(t *testing.T, h *statustest.House, issuing, leaf profile.Name)) {
	for issuing, leaf := range tracks {
		t.Run(string(issuing), func(t *testing.T) { test(t, statustest.New(t, catest.New()), issuing, leaf) })
	}
}

// fetch gets a list by its name over HTTP, and checks signature and form.
func fetch(t *testing.T, h *statustest.House, s *status.Service, under profile.Name, suffix string) *crl.View {
	t.Helper()
	a := h.Authorities[under]
	w := get(s, status.PathCRL+"/"+a.ID+suffix+".crl", nil)
	if w.Code != http.StatusOK || w.Header().Get("Content-Type") != "application/pkix-crl" {
		t.Fatalf("list %s: %d %s", suffix, w.Code, w.Body)
	}
	list, err := smx509.ParseRevocationList(w.Body.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	if err := list.CheckSignatureFrom(a.Cert); err != nil {
		t.Fatalf("signature: %v", err)
	}
	view, err := crl.Parse(w.Body.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	if err := crl.New().Check(crl.Input{View: view, Issuer: a.Cert}); err != nil {
		t.Fatal(err)
	}
	return view
}

func get(s *status.Service, path string, header map[string]string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, path, nil)
	for k, v := range header {
		r.Header.Set(k, v)
	}
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, r)
	return w
}

// says is a list as text: "number[/base] serial:reason …" with serials by name.
func says(v *crl.View, names map[string]string) string {
	out := v.Number().String()
	if b := v.Base(); b != nil {
		out += "/" + b.String()
	}
	for _, want := range []string{"a", "b", "c", "d"} {
		for _, e := range v.Entries {
			if names[e.Serial.String()] == want {
				out += fmt.Sprintf(" %s:%d", want, e.Reason)
			}
		}
	}
	if len(v.Entries) > strings.Count(out, ":") {
		out += " and strangers"
	}
	return out
}

func TestFullAndDeltaListsRFC5280Section5(t *testing.T) {
	onTracks(t, func(t *testing.T, h *statustest.House, issuing, leaf profile.Name) {
		s, early := h.Service(), h.Clock.Now().Add(-time.Hour)
		certs, names := map[string]*big.Int{}, map[string]string{}
		for _, n := range []string{"a", "b", "c", "d"} {
			cert, _ := h.Issue(leaf, issuing)
			certs[n], names[cert.SerialNumber.String()] = cert.SerialNumber, n
		}
		id := h.Authorities[issuing].ID
		if err := s.Publish(bg, id, true); !errors.Is(err, status.ErrNoList) {
			t.Fatalf("a delta of nothing: %v", err)
		}
		set := func(n string, to ca.State, reason int) {
			h.Clock.Advance(time.Second)
			h.Set(issuing, certs[n], to, reason)
		}
		want := func(suffix, text string) {
			t.Helper()
			h.Clock.Advance(time.Second)
			if err := s.Publish(bg, id, suffix != ""); err != nil {
				t.Fatal(err)
			}
			if got := says(fetch(t, h, s, issuing, suffix), names); got != text {
				t.Errorf("list says %q, want %q", got, text)
			}
		}
		want("", "1")
		set("a", ca.StateRevoked, ca.ReasonKeyCompromise)
		set("b", ca.StateHold, 6)
		want("-delta", "2/1 a:1 b:6")
		want("", "3 a:1 b:6")
		want("-delta", "4/3")
		set("b", ca.StateGood, 0) // 解挂
		set("c", ca.StateHold, 6)
		want("-delta", "5/3 b:8 c:6")
		set("c", ca.StateGood, 0) // held and lifted between two full lists: who joined 5 to 3 has to hear of it
		set("b", ca.StateHold, 6) // stands in the base as held, but 5 removed it
		want("-delta", "6/3 b:6 c:8")
		set("b", ca.StateRevoked, ca.ReasonSuperseded)
		set("d", ca.StateRevoked, ca.ReasonUnspecified)
		want("-delta", "7/3 b:4 c:8 d:0")
		want("", "8 a:1 b:4 d:0")
		want("-delta", "9/8")
		set("c", ca.StateHold, 6)
		want("", "10 a:1 b:4 c:6 d:0")
		set("c", ca.StateRevoked, ca.ReasonAffiliationChanged) // the reason alone has changed
		want("-delta", "11/10 c:3")
		h.Invalidate(issuing, certs["a"], early) // so has what is known of a
		want("-delta", "12/10 a:1 c:3")
		for _, e := range fetch(t, h, s, issuing, "-delta").Entries {
			if is := names[e.Serial.String()] == "a"; is != (string(e.Invalidity()) == "\x18\x0f"+early.Format("20060102150405Z")) {
				t.Errorf("invalidity of %s: %q", names[e.Serial.String()], e.Invalidity())
			}
		}
		// Expired certificates leave after the margin, and a delta does not say so.
		h.Clock.Advance(90*24*time.Hour + 30*time.Hour)
		if leaf == profile.ECDSALeaf {
			want("", "13 a:1 b:4 c:3 d:0")
			h.Clock.Advance(60 * time.Hour)
			want("-delta", "14/13")
			want("", "15")
		}
		if n := len(h.Authorities[issuing].Key.Signed()); n < 9 {
			t.Errorf("%d signatures", n)
		}
	})
}

func TestRootsSignListsAndTheTimerBuildsWhatIsDue(t *testing.T) {
	h := statustest.New(t, catest.New())
	s := h.Service()
	numbers := func() string {
		out := ""
		for _, n := range []profile.Name{profile.SM2Root, profile.ECDSARoot} {
			out += fetch(t, h, s, n, "").Number().String() + " " + fetch(t, h, s, n, "-delta").Number().String() + ","
		}
		return out
	}
	for _, step := range []struct {
		after time.Duration
		want  string
	}{{0, "1 2,1 2,"}, {time.Minute, "1 2,1 2,"}, {30 * time.Minute, "1 3,1 3,"}, {time.Minute, "1 3,1 3,"}, {12 * time.Hour, "4 3,4 3,"}, {30 * time.Minute, "4 5,4 5,"}} {
		h.Clock.Advance(step.after)
		if err := s.BuildDue(bg); err != nil {
			t.Fatal(err)
		}
		if got := numbers(); got != step.want {
			t.Errorf("after %s: %s, want %s", step.after, got, step.want)
		}
	}
	// A revoked issuing authority stands on its root's list.
	h.Set(profile.SM2Root, h.Authorities[profile.SM2Issuing].Cert.SerialNumber, ca.StateRevoked, ca.ReasonCessationOfOperation)
	if err := s.Publish(bg, h.Authorities[profile.SM2Root].ID, false); err != nil {
		t.Fatal(err)
	}
	if v := fetch(t, h, s, profile.SM2Root, ""); len(v.Entries) != 1 {
		t.Errorf("%d entries", len(v.Entries))
	}
}

func TestPartitionsCoverTheCompleteListRFC5280Section525(t *testing.T) {
	onTracks(t, func(t *testing.T, h *statustest.House, issuing, leaf profile.Name) {
		h.Site.Shards = 3
		s := h.Service()
		for range 12 {
			cert, _ := h.Issue(leaf, issuing)
			h.Set(issuing, cert.SerialNumber, ca.StateRevoked, 1)
			if at := cert.CRLDistributionPoints[0]; !strings.HasSuffix(at, "of3.crl") {
				t.Fatalf("certificate names %s", at)
			}
		}
		if err := s.BuildDue(bg); err != nil {
			t.Fatal(err)
		}
		seen := 0
		for n := 1; n <= 3; n++ {
			for _, delta := range []string{"", "-delta"} {
				suffix := fmt.Sprintf("-%dof3", n)
				v := fetch(t, h, s, issuing, suffix+delta)
				idp := v.Extension([]int{2, 5, 29, 28})
				if idp == nil || !idp.Critical || !strings.Contains(string(idp.Value), h.Site.CRLAddress(h.Authorities[issuing].ID, suffix[1:], false)) {
					t.Errorf("issuing distribution point %+v", idp)
				}
				if delta == "" {
					seen += len(v.Entries)
				}
				for _, e := range v.Entries {
					if profile.Shard(e.Serial, 3) != suffix[1:] {
						t.Errorf("%s stands in %s", e.Serial, suffix)
					}
				}
			}
		}
		if all := len(fetch(t, h, s, issuing, "").Entries); seen != 12 || all != 12 {
			t.Errorf("%d in partitions, %d in all", seen, all)
		}
	})
}

func TestALintRefusesBeforeTheKeyIsTouched(t *testing.T) {
	h := statustest.New(t, catest.New())
	s := h.Service()
	h.Clock.Advance(11 * 365 * 24 * time.Hour) // the authority is over
	a := h.Authorities[profile.ECDSAIssuing]
	before := len(a.Key.Signed())
	if err := s.Publish(bg, a.ID, false); !errors.Is(err, status.ErrLint) {
		t.Errorf("err = %v", err)
	}
	if len(a.Key.Signed()) != before {
		t.Error("signed")
	}
}

func TestListHeadersAndPaths(t *testing.T) {
	h := statustest.New(t, catest.New())
	s := h.Service()
	a := h.Authorities[profile.ECDSAIssuing]
	if err := s.Publish(bg, a.ID, false); err != nil {
		t.Fatal(err)
	}
	if v := fetch(t, h, s, profile.ECDSAIssuing, ""); !v.NextUpdate.Equal(v.ThisUpdate.Add(36 * time.Hour)) {
		t.Errorf("full list until %s", v.NextUpdate)
	}
	if err := s.Publish(bg, h.Authorities[profile.SM2Root].ID, false); err != nil {
		t.Fatal(err)
	}
	if err := s.Publish(bg, h.Authorities[profile.SM2Root].ID, true); err != nil {
		t.Fatal(err)
	}
	if v := fetch(t, h, s, profile.SM2Root, "-delta"); !v.NextUpdate.Equal(v.ThisUpdate.Add(90 * time.Minute)) {
		t.Errorf("delta until %s", v.NextUpdate)
	}
	path := status.PathCRL + "/" + a.ID + ".crl"
	h.Clock.Advance(time.Hour)
	w := get(s, path, nil)
	if cc := w.Header().Get("Cache-Control"); !strings.HasPrefix(cc, "max-age=39600,") || w.Header().Get("Last-Modified") == "" {
		t.Errorf("headers %v", w.Header())
	}
	if again := get(s, path, map[string]string{"If-None-Match": w.Header().Get("ETag")}); again.Code != http.StatusNotModified {
		t.Errorf("unchanged list: %d", again.Code)
	}
	if !strings.HasSuffix(h.Site.CRLAddress(a.ID, "", false), path) {
		t.Errorf("certificates name %s", h.Site.CRLAddress(a.ID, "", false))
	}
	for _, name := range []string{"", ".crl", "x.crl", a.ID, a.ID + "-.crl", a.ID + "-1of2.crl", a.ID + "-delta.crl", a.ID + ".crl.crl", "../" + a.ID + ".crl"} {
		if w := get(s, status.PathCRL+"/"+name, nil); w.Code != http.StatusNotFound {
			t.Errorf("%q: %d", name, w.Code)
		}
	}
	r := httptest.NewRequest(http.MethodPost, path, nil)
	w = httptest.NewRecorder()
	if s.Handler().ServeHTTP(w, r); w.Code != http.StatusMethodNotAllowed {
		t.Errorf("POST: %d", w.Code)
	}
	if _, err := x509.ParseRevocationList(get(s, path, nil).Body.Bytes()); err != nil {
		t.Errorf("standard library: %v", err)
	}
}

func TestNewRefuses(t *testing.T) {
	h := statustest.New(t, catest.New())
	responder, key := h.Issue(profile.ECDSAOCSP, profile.ECDSAIssuing)
	leaf, leafKey := h.Issue(profile.ECDSALeaf, profile.ECDSAIssuing)
	for name, change := range map[string]func(*status.Config){
		"no registry":                func(c *status.Config) { c.Registry = nil },
		"no authority":               func(c *status.Config) { c.Authorities = nil },
		"authority twice":            func(c *status.Config) { c.Authorities[1] = c.Authorities[0] },
		"key of another":             func(c *status.Config) { c.Authorities[0].Signer = c.Authorities[1].Signer },
		"no key":                     func(c *status.Config) { c.Authorities[0].Signer = nil },
		"lists end too early":        func(c *status.Config) { c.FullEvery, c.FullValidity = time.Hour, time.Minute },
		"margin under validity":      func(c *status.Config) { c.ExpiredMargin = time.Hour },
		"negative period":            func(c *status.Config) { c.OCSPValidity = -time.Hour },
		"other address":              func(c *status.Config) { c.Site.CRL = "http://ca.gov.internal/list" },
		"responder of another":       func(c *status.Config) { c.Authorities[2].Responder, c.Authorities[2].ResponderKey = responder, key },
		"responder without its key":  func(c *status.Config) { c.Authorities[3].Responder = responder },
		"responder is no responder":  func(c *status.Config) { c.Authorities[3].Responder, c.Authorities[3].ResponderKey = leaf, leafKey },
		"responder with another key": func(c *status.Config) { c.Authorities[3].Responder, c.Authorities[3].ResponderKey = responder, leafKey },
		"offline with its key":       func(c *status.Config) { c.Authorities[0].Offline = true },
		"nobody acts":                func(c *status.Config) { c.Actor.ID = "" },
	} {
		cfg := h.Config()
		change(&cfg)
		if _, err := status.New(cfg); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if err := h.Service().Publish(bg, "unknown", false); !errors.Is(err, status.ErrUnknownIssuer) {
		t.Errorf("unknown issuer: %v", err)
	}
}
