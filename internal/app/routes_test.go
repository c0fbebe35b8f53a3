package app

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	auth "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/authz/route"
	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/internal/agent"
	"github.com/yinxin-gov/yinxin/internal/api/envoy"
)

var routeForm = regexp.MustCompile(`id="r-([0-9a-f-]{36})"`)

// gateway is the decision point as an Envoy sees it that has the certificate of a
// system's folder.
func (w *keyTown) gateway(dir string) auth.AuthorizationClient {
	w.t.Helper()
	pair, err := tls.LoadX509KeyPair(filepath.Join(dir, agent.FileTLSCert), filepath.Join(dir, agent.FileTLSKey))
	ok(w.t, err)
	roots := x509.NewCertPool()
	root, _ := w.Roots()
	roots.AddCert(root)
	conn, err := grpc.NewClient(w.cfg.Public, grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{RootCAs: roots, Certificates: []tls.Certificate{pair}})))
	ok(w.t, err)
	w.t.Cleanup(func() { ok(w.t, conn.Close()) })
	return auth.NewAuthorizationClient(conn)
}

// gatewayAsks: an Envoy in front of a system asks by path and by the certificate
// that its client showed, over gRPC and over HTTP (西政办发〔2014〕14号 art. 29); what the
// path stands for two persons of the unit said (2011〕8号 art. 24).
func (w *keyTown) gatewayAsks(t *testing.T, dir, clientDir string) {
	const page = "/console/routes"
	own := identity.USCC(w.cfg.USCC)
	w.resource("births", office{unit: own, clerk: w.person(own, identity.RoleClerk)})
	leader := w.certified(w.unit, identity.RoleUnitLeader)
	raw, err := os.ReadFile(filepath.Join(clientDir, agent.FileTLSCert))
	ok(t, err)
	shown := string(raw[:strings.Index(string(raw), "-----END CERTIFICATE-----")+len("-----END CERTIFICATE-----\n")])
	gate := w.gateway(dir)
	asks := func(certificate string) (bool, string) {
		t.Helper()
		out, err := gate.Check(bg, &auth.CheckRequest{Attributes: &auth.AttributeContext{
			Source:  &auth.AttributeContext_Peer{Certificate: url.PathEscape(certificate)},
			Request: &auth.AttributeContext_Request{Http: &auth.AttributeContext_HttpRequest{Method: "GET", Path: "/births/2026?name=x", Headers: map[string]string{envoy.HeaderPurpose: "relief"}}},
		}})
		ok(t, err)
		return out.GetOkResponse() != nil, out.GetDeniedResponse().GetBody()
	}
	denied := func(when, certificate, code string) {
		t.Helper()
		if yes, why := asks(certificate); yes || !strings.Contains(why, `"code":"`+code+`"`) {
			t.Errorf("%s: %v %s", when, yes, why)
		}
	}
	denied("no route", shown, "route")
	admin, leads := w.sits(w.admin), w.sits(leader)
	form := []string{"system", "civil-a", "prefix", "/births", "methods", "GET", "resource", "births", "action", "read", "reason", "样例"}
	leads.post(page, http.StatusForbidden, form...)
	admin.post(page, http.StatusSeeOther, form...)
	admin.post(page, http.StatusConflict, form...)
	denied("proposed", shown, "route")
	id := routeForm.FindStringSubmatch(leads.get(page, http.StatusOK))[1]
	r, err := w.Routing.Route(bg, id)
	ok(t, err)
	admin.post(page+"/"+id+"/answer", http.StatusForbidden, "digest", r.Digest(), "pin", townPIN, "answer", "yes")
	leads.answers(page, page+"/"+id+"/answer", http.StatusSeeOther, true)
	if r, err = w.Routing.Route(bg, id); err != nil || r.State != route.InForce {
		t.Fatal(r.State, err)
	}
	if yes, why := asks(shown); !yes {
		t.Fatal(why)
	}
	if d := w.lastDecision(); d.Details["caller"] != "civil-a" || d.Actor.ID != "civil-a" || d.Object.ID != "births" {
		t.Errorf("%+v", d)
	}
	denied("nobody", "", "subject")
	root, _ := w.Roots()
	denied("an authority", string(ca.PEM(root.Raw)), "subject")
	if yes, _ := w.plainly(t, w.holder(dir), shown); !yes {
		t.Error("denied over HTTP")
	}
	if yes, code := w.plainly(t, browser(w.House), shown); yes || code != http.StatusForbidden {
		t.Errorf("an enforcement point without a certificate: %v %d", yes, code)
	}
	leads.post(page+"/"+id+"/withdraw", http.StatusSeeOther, "reason", "样例")
	denied("withdrawn", shown, "route")
}

// plainly asks over HTTP.
func (w *keyTown) plainly(t *testing.T, c *http.Client, certificate string) (bool, int) {
	t.Helper()
	req, err := http.NewRequest(http.MethodGet, "https://"+w.cfg.Public+envoy.PathHTTP+"/births/2026", nil)
	ok(t, err)
	req.Header.Set(envoy.HeaderPurpose, "relief")
	req.Header.Set("X-Forwarded-Client-Cert", `Cert="`+url.PathEscape(certificate)+`"`)
	r, err := c.Do(req)
	ok(t, err)
	body(t, r)
	return r.StatusCode == http.StatusOK && r.Header.Get("yinxin-decision") != "", r.StatusCode
}
