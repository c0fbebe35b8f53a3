package app

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"net/http"
	"path/filepath"
	"testing"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/ca/ra"
	"github.com/yinxin-gov/yinxin/internal/agent"
	"github.com/yinxin-gov/yinxin/internal/api/wire"
)

// requestsByAPI: a system asks for its next certificates with the one that it has,
// sees its own requests only, withdraws, and draws the token of what two officers
// approved at the desk.
func (w *keyTown) requestsByAPI(t *testing.T, dir string) {
	t.Helper()
	pair, err := tls.LoadX509KeyPair(filepath.Join(dir, agent.FileTLSCert), filepath.Join(dir, agent.FileTLSKey))
	ok(t, err)
	roots := x509.NewCertPool()
	root, _ := w.Roots()
	roots.AddCert(root)
	web := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{pair}}, DisableKeepAlives: true}}
	call := func(method, path string, in, out any) (int, string) {
		t.Helper()
		raw, err := json.Marshal(in)
		ok(t, err)
		req, err := http.NewRequest(method, "https://"+w.cfg.Public+path, bytes.NewReader(raw))
		ok(t, err)
		req.Header.Set("Content-Type", "application/json")
		resp, err := web.Do(req)
		ok(t, err)
		text := body(t, resp)
		var p wire.Problem
		if resp.StatusCode >= 400 {
			ok(t, json.Unmarshal([]byte(text), &p))
		} else if out != nil {
			ok(t, json.Unmarshal([]byte(text), out))
		}
		return resp.StatusCode, p.Code
	}
	want := func(status int, code string) func(int, string) {
		return func(is int, as string) {
			t.Helper()
			if is != status || as != code {
				t.Errorf("%d %s, want %d %s", is, as, status, code)
			}
		}
	}
	form := wire.RequestForm{CommonName: "样例业务系统", Hosts: []string{"civil-a.gov.internal"}}
	var first, second wire.CertificateRequest
	want(201, "")(call("POST", wire.PathRequests, form, &first))
	if first.System != "civil-a" || first.State != "submitted" || first.Purpose != "production" || !first.Mine || first.Organization != "样例民政局" {
		t.Errorf("%+v", first)
	}
	want(409, "certificate_request.open")(call("POST", wire.PathRequests, form, nil))
	want(422, "enrol.host")(call("POST", wire.PathRequests, wire.RequestForm{CommonName: "样例", Hosts: []string{"other.gov.internal"}}, nil))
	want(422, "certificate_request.invalid")(call("POST", wire.PathRequests, wire.RequestForm{CommonName: "11010119900307123X", Hosts: form.Hosts}, nil))
	want(422, "certificate_request.invalid")(call("POST", wire.PathRequests, wire.RequestForm{CommonName: "样例"}, nil))
	want(422, "request.invalid")(call("POST", wire.PathRequests, wire.RequestForm{CommonName: "样例", Hosts: form.Hosts, Purpose: "both"}, nil))
	want(403, "enrol.unapproved")(call("POST", wire.PathRequests+"/"+first.ID+"/token", nil, nil))
	want(200, "")(call("POST", wire.PathRequests+"/"+first.ID+"/withdrawal", wire.RequestReason{Reason: "填写有误"}, &first))
	if first.State != "withdrawn" || first.Reason != "填写有误" {
		t.Errorf("%+v", first)
	}
	want(409, "certificate_request.decided")(call("POST", wire.PathRequests+"/"+first.ID+"/withdrawal", wire.RequestReason{}, nil))
	want(404, "certificate_request.unknown")(call("GET", wire.PathRequests+"/nobody", nil, nil))
	// Another's request, and one that the administrator made: not the caller's to end.
	by, _, err := w.RA.Submit(bg, w.actor(w.admin), ca.Request{Agency: string(w.unit), System: "civil-a", CommonName: "样例业务系统", Organization: "样例民政局", Hosts: form.Hosts})
	ok(t, err)
	want(403, "certificate_request.applicant")(call("POST", wire.PathRequests+"/"+by.ID+"/withdrawal", wire.RequestReason{}, nil))
	_, _, err = w.RA.Withdraw(bg, w.actor(w.admin), by.ID, "")
	ok(t, err)
	if _, err := (requester{w.House}).RequestOf(bg, ledger.Actor{Kind: "system", ID: "civil-b", Unit: string(w.unit)}, by.ID); err == nil {
		t.Error("another system reads the request")
	}

	want(201, "")(call("POST", wire.PathRequests, form, &second))
	req, _, err := w.RA.Review(bg, w.actor(w.reviewer), second.ID, []ra.Shown{
		{Kind: ca.EvidenceUSCC, Number: string(w.unit), Method: ca.MethodRegister}, {Kind: ca.EvidenceAuthorisation, Number: "样例授权书", Method: ca.MethodOriginal, Note: "样例"},
	})
	ok(t, err)
	w.sign(w.RequestSubject(req), w.officer, true)
	_, _, err = w.RA.Approve(bg, w.actor(w.officer), req.ID)
	ok(t, err)
	var token wire.EnrolmentToken
	want(200, "")(call("POST", wire.PathRequests+"/"+second.ID+"/token", nil, &token))
	if _, err := w.CA.Authorize(bg, token.Token); err != nil || token.Request != second.ID || !token.Expires.After(w.at) {
		t.Errorf("%+v: %v", token, err)
	}
	var all []wire.CertificateRequest
	want(200, "")(call("GET", wire.PathRequests, nil, &all))
	if len(all) < 4 || all[0].ID != second.ID || all[0].State != "approved" || all[0].TokenUntil.IsZero() {
		t.Errorf("%d requests, %+v", len(all), all)
	}
	_, _, err = w.RA.Withdraw(bg, ledger.Actor{Kind: "system", ID: "civil-a", Unit: string(w.unit)}, second.ID, "") // room for the next
	ok(t, err)
}
