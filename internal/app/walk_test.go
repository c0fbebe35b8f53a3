package app

import (
	"crypto/x509"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/emmansun/gmsm/smx509"

	"github.com/yinxin-gov/yinxin/authz"
	"github.com/yinxin-gov/yinxin/authz/approval"
	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/internal/signin"
	"github.com/yinxin-gov/yinxin/internal/store"
)

// TestFirstDay walks what a new house sees first, as an operator and three
// administrators do it: init, serve, the links, the PINs; then the end of the
// founding rule, the lock of the door, and a shutdown that loses nothing.
func TestFirstDay(t *testing.T) {
	for name, db := range engines {
		t.Run(name, func(t *testing.T) {
			cfg, ln := config(t, db(t))
			log := &logged{}
			cfg.Log = log.logger()
			made, err := Init(bg, cfg, three)
			ok(t, err)
			h, err := Open(bg, cfg)
			ok(t, err)
			stop := serving(t, h, ln)
			secrets := enter(t, h, made)
			secrets = append(secrets, endOfFounding(t, h)...)
			published(t, h)
			d, err := h.PDP.Decide(bg, authz.Request{SubjectType: authz.SubjectAgency, SubjectID: cfg.USCC, Action: authz.ActionRead, Resource: "nothing"})
			ok(t, err)
			size := h.Ledger.Head().Size
			ok(t, stop())
			if got, err := Replay(bg, cfg, d.ID); err != nil || !got.Same || got.Decision.Allow {
				t.Errorf("replay: %v %v", err, got.Differs)
			}
			if all, err := ReplayAll(bg, cfg, time.Time{}); err != nil || all.Same != all.Decisions || all.Same == 0 {
				t.Errorf("replay of all: %+v %v", all, err)
			}
			lastCheckpoint(t, cfg, size)
			passphrase, err := h.custody.secret()
			ok(t, err)
			for _, s := range append(secrets, string(passphrase)) {
				if len(s) < 8 || strings.Contains(log.String(), s) {
					t.Errorf("the log holds a secret of %d characters", len(s))
				}
			}
		})
	}
}

// enter lets the three in over HTTPS and returns every secret that went by.
func enter(t *testing.T, h *House, made Founded) (secrets []string) {
	web := browser(h)
	base := "https://" + h.cfg.Public
	post := func(secret, pin, again string) *http.Response {
		r, err := web.PostForm(base+"/console/enter", url.Values{"secret": {secret}, "pin": {pin}, "pin2": {again}})
		ok(t, err)
		body(t, r)
		return r
	}
	persons := map[string]bool{}
	for _, l := range made.Links {
		at, secret, _ := strings.Cut(l.URL, "#")
		if at != base+"/console/enter" {
			t.Fatalf("link to %s", at)
		}
		pin := "first-day-" + string(l.Role)
		secrets = append(secrets, secret, pin)
		if r := post(secret, "", ""); r.StatusCode != http.StatusOK || len(r.Cookies()) > 0 {
			t.Errorf("without a PIN: %s, cookies %v", r.Status, r.Cookies())
		}
		if r := post(secret, "short", "short"); r.StatusCode != http.StatusBadRequest {
			t.Errorf("a short PIN: %s", r.Status)
		}
		r := post(secret, pin, pin)
		if r.StatusCode != http.StatusSeeOther || len(r.Cookies()) != 2 {
			t.Fatalf("with a PIN: %s", r.Status)
		}
		cookie := r.Cookies()[0]
		secrets = append(secrets, cookie.Value)
		if !cookie.HttpOnly || !cookie.Secure || cookie.SameSite != http.SameSiteStrictMode {
			t.Errorf("cookie %v", cookie)
		}
		if r := post(secret, pin, pin); r.StatusCode != http.StatusForbidden || len(r.Cookies()) > 0 {
			t.Errorf("the link let somebody in twice: %s", r.Status)
		}
		req, err := http.NewRequest(http.MethodGet, base+"/console/", nil)
		ok(t, err)
		req.AddCookie(cookie)
		r, err = web.Do(req)
		ok(t, err)
		if page := body(t, r); r.StatusCode != http.StatusOK || !strings.Contains(page, l.Name) {
			t.Errorf("the console does not know %s: %s", l.Name, r.Status)
		}
		req, err = http.NewRequest(http.MethodGet, base+"/console/ledger", nil)
		ok(t, err)
		req.AddCookie(cookie)
		r, err = web.Do(req)
		ok(t, err)
		if page := body(t, r); strings.Contains(page, "console.ledger.read") != (l.Role == identity.RoleAuditor) || (r.StatusCode == http.StatusOK) != (l.Role == identity.RoleAuditor) {
			t.Errorf("the ledger page for %s: %s", l.Role, r.Status)
		}
		p, err := h.rooms.Identity.Person(bg, l.Person)
		ok(t, err)
		if len(p.CertDER) == 0 || persons[p.ID] {
			t.Errorf("%s: no certificate, or not a person of its own", l.Role)
		}
		persons[p.ID] = true
	}
	if len(persons) != 3 {
		t.Fatalf("%d administrators", len(persons))
	}
	r, err := web.Get(base + "/console/")
	ok(t, err)
	if body(t, r); r.StatusCode != http.StatusSeeOther {
		t.Errorf("the console without a cookie: %s", r.Status)
	}
	return secrets
}

// endOfFounding: the first RA officer is certified without an approval, nobody
// after; and five wrong PINs lock a key, whoever asks.
func endOfFounding(t *testing.T, h *House) (secrets []string) {
	unit := identity.USCC(h.cfg.USCC)
	member := func(name string, role identity.Role) (identity.Person, string) {
		link, err := h.Invite(bg, identity.Person{Name: name, Agency: unit}, identity.Post{Role: role, Title: name}, 0)
		ok(t, err)
		p, err := h.rooms.Identity.Person(bg, link.Person)
		ok(t, err)
		pin := "of-founding-" + string(role)
		ok(t, h.MakePersonKey(bg, p.ID, pin))
		secrets = append(secrets, pin, strings.SplitN(link.URL, "#", 2)[1])
		return p, pin
	}
	officer, pin := member("样例注册审核员", identity.RoleRAOfficer)
	clerk, clerkPIN := member("样例经办人", identity.RoleClerk)
	// A clerk is no founder, also while the house is being founded.
	_, err := h.CertifyPerson(bg, h.service(), clerk.ID)
	wantErr(t, err, ca.ErrNotApproved)
	_, err = h.CertifyPerson(bg, h.service(), officer.ID)
	ok(t, err)
	_, err = h.CertifyPerson(bg, h.service(), clerk.ID)
	wantErr(t, err, ca.ErrNotApproved)

	subject, err := h.PersonOrder(bg, clerk.ID)
	ok(t, err)
	_, _, err = h.Approve(bg, subject, clerk.ID, clerkPIN, true, "")
	if err == nil {
		t.Fatal("a clerk approved his own certificate")
	}
	_, err = h.CertifyPerson(bg, h.service(), clerk.ID)
	wantErr(t, err, ca.ErrNotApproved)
	_, _, err = h.Approve(bg, subject, officer.ID, pin, true, "")
	ok(t, err)
	_, err = h.CertifyPerson(bg, h.service(), clerk.ID)
	ok(t, err)

	other := approval.Subject{Kind: approval.KindCertificate, ID: "x", Digest: strings.Repeat("0", 64), Unit: unit, Requester: clerk.ID}
	for range 5 {
		_, _, err = h.Approve(bg, other, officer.ID, "not-the-pin", true, "")
		wantErr(t, err, signin.ErrPIN)
	}
	_, _, err = h.Approve(bg, other, officer.ID, pin, true, "")
	wantErr(t, err, signin.ErrLocked)
	return secrets
}

// published: what anybody may read without a certificate.
func published(t *testing.T, h *House) {
	web, base := browser(h), "https://"+h.cfg.Public
	get := func(path string) (*http.Response, string) {
		r, err := web.Get(base + path)
		ok(t, err)
		return r, body(t, r)
	}
	for _, c := range []struct {
		id  string
		raw []byte
	}{
		{ca.IssuerID(h.anchors.sm2Issuing), h.anchors.sm2Issuing.Raw}, {ca.IssuerID(h.anchors.sm2Root), h.anchors.sm2Root.Raw},
		{ecdsaID(h.anchors.ecdsaIssuing), h.anchors.ecdsaIssuing.Raw}, {ecdsaID(h.anchors.ecdsaRoot), h.anchors.ecdsaRoot.Raw},
	} {
		if r, got := get("/pki/issuers/" + c.id + ".cer"); got != string(c.raw) || r.Header.Get("Content-Type") != "application/pkix-cert" {
			t.Errorf("issuer %s: %s", c.id, r.Status)
		}
	}
	for path, want := range map[string]string{
		"/api/openapi.json": `"mutualTLS"`, "/api/v1/status": `"healthy":true`, "/.well-known/authzen-configuration": "/access/v1/evaluation", "/health": "ok",
	} {
		if r, got := get(path); r.StatusCode != http.StatusOK || !strings.Contains(got, want) {
			t.Errorf("%s: %s %.200s", path, r.Status, got)
		}
	}
	for path, want := range map[string]int{"/pki/issuers/none.cer": http.StatusNotFound, "/api/v1/transfers": http.StatusUnauthorized} {
		if r, _ := get(path); r.StatusCode != want {
			t.Errorf("%s: %s, want %d", path, r.Status, want)
		}
	}
	var r *http.Response
	for _, path := range []string{
		"/access/v1/evaluation", "/access/v1/evaluations", "/access/v1/search/subject", "/access/v1/search/resource", "/access/v1/search/action",
		"/v1/data/yinxin/decision",
	} {
		var err error
		r, err = web.Post(base+path, "application/json", strings.NewReader(`{}`))
		ok(t, err)
		if body(t, r); r.StatusCode != http.StatusUnauthorized {
			t.Errorf("%s without a certificate: %s", path, r.Status)
		}
	}
	// What a relying party is told in a certificate is what is served.
	aia := func(urls []string) {
		for _, u := range urls {
			r, err := web.Get(u)
			ok(t, err)
			if body(t, r); r.StatusCode != http.StatusOK {
				t.Errorf("%s: %s", u, r.Status)
			}
		}
	}
	maker, err := smx509.ParseCertificate(h.own.der(keyMaker))
	ok(t, err)
	aia(maker.IssuingCertificateURL)
	leaf, err := x509.ParseCertificate(r.TLS.PeerCertificates[0].Raw)
	ok(t, err)
	aia(leaf.IssuingCertificateURL)
}

// lastCheckpoint: an orderly end signs a checkpoint over everything.
func lastCheckpoint(t *testing.T, cfg Config, size uint64) {
	st, err := store.Open(bg, store.Config{URL: cfg.Store()})
	ok(t, err)
	defer func() { ok(t, st.Close()) }()
	head, err := st.Ledger().Head(bg, 0)
	ok(t, err)
	note, err := ledger.ParseNote(head.Checkpoint)
	ok(t, err)
	if head.Size < size || note.Size != head.Size {
		t.Errorf("the last checkpoint is over %d of %d entries", note.Size, head.Size)
	}
}
