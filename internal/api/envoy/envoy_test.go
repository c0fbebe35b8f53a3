package envoy

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"log/slog"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	auth "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"

	"github.com/yinxin-gov/yinxin/authz"
	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/authz/route"
	"github.com/yinxin-gov/yinxin/internal/api/authzen"
	"github.com/yinxin-gov/yinxin/internal/text"
)

// house is the other side of the endpoint: one gateway gate-a of unit A, one route,
// and the clients civil-a (may), civil-b (may not), by certificate or name.
type house struct {
	failing error
	panics  bool
	asked   []authzen.Evaluation
	certs   map[string]string // DER to system
}

func (h *house) Match(_ context.Context, system, method, target string) (route.Route, error) {
	switch {
	case strings.Contains(target, ".."):
		return route.Route{}, route.ErrPath
	case target == "/away":
		return route.Route{}, errors.New("dial: secret detail")
	case system != "gate-a" || method != "GET" || !strings.HasPrefix(target, "/births"):
		return route.Route{}, route.ErrNotFound
	}
	return route.Route{Type: route.Catalogue, Resource: "births", Action: "read", Fields: []string{"name"}}, nil
}

func (h *house) OfCertificate(_ context.Context, der []byte) (ledger.Actor, error) {
	if id := h.certs[string(der)]; id != "" {
		return ledger.Actor{Kind: "system", ID: id, Unit: "B"}, nil
	}
	return ledger.Actor{}, ErrSubject
}

func (h *house) OfHost(_ context.Context, unit, host string) (ledger.Actor, error) {
	if unit == "A" && host == "civil-a.example" {
		return ledger.Actor{Kind: "system", ID: "civil-a", Unit: "A"}, nil
	}
	return ledger.Actor{}, ErrSubject
}

func (h *house) Decide(_ context.Context, q authzen.Evaluation) (authz.Decision, error) {
	if h.panics {
		panic("secret detail")
	}
	h.asked = append(h.asked, q)
	d := authz.Decision{ID: "d-1", Digests: authz.Digests{Engine: "e", Core: "c", Site: "s", Facts: "f"}, Allow: q.SubjectID == "civil-a" && q.Purpose == "救助"}
	if d.Allow {
		d.Obligations = []authz.Obligation{{Kind: "watermark", Value: "样例😀"}}
	} else {
		d.Reasons = []authz.Reason{{Code: "E06_agreement", Clauses: []string{"X14-17"}, Zh: "无协议", En: "no agreement", Detail: "L2/S2A2 < L3/S3A3", Field: "agreement"}}
	}
	return d, h.failing
}

func (h *house) Search(context.Context, authzen.Search) (authz.Found, error) {
	return authz.Found{}, errors.New("not asked here")
}

// certificate is one of a system, in the form in which Envoy sends it.
func (h *house) certificate(t *testing.T, system string) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tpl := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: system}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, tpl, tpl, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	h.certs[string(der)] = system
	return escape(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

func escape(pem []byte) string {
	return strings.NewReplacer("\n", "%0A", " ", "%20", "+", "%2B", "/", "%2F", "=", "%3D").Replace(string(pem))
}

// serve is the endpoint behind real HTTPS; a header stands for the certificate of
// the connection.
func serve(t *testing.T, h *house) (*httptest.Server, auth.AuthorizationClient) {
	t.Helper()
	words, err := text.Load()
	if err != nil {
		t.Fatal(err)
	}
	overGRPC, overHTTP, err := New(Config{
		Decider: h, Routes: h, Subjects: h, Words: words, Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
		Caller: func(r *http.Request) (ledger.Actor, bool) {
			id := r.Header.Get("Test-Caller")
			return ledger.Actor{Kind: "system", ID: id, Unit: "A"}, id != ""
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle(PathGRPC, overGRPC)
	mux.Handle(PathHTTP+"/", overHTTP)
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, PathHTTP) { // the mux of the standard library would clean the path
			overHTTP.ServeHTTP(w, r)
			return
		}
		mux.ServeHTTP(w, r)
	}))
	srv.EnableHTTP2 = true
	srv.StartTLS()
	t.Cleanup(srv.Close)
	roots := x509.NewCertPool()
	roots.AddCert(srv.Certificate())
	conn, err := grpc.NewClient(srv.Listener.Addr().String(), grpc.WithTransportCredentials(credentials.NewClientTLSFromCert(roots, "example.com")))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
	})
	return srv, auth.NewAuthorizationClient(conn)
}

// check is what Envoy sends, by the shape of its own filter.
func check(method, path, certificate, principal string, headers map[string]string) *auth.CheckRequest {
	return &auth.CheckRequest{Attributes: &auth.AttributeContext{
		Source: &auth.AttributeContext_Peer{
			Address:   &core.Address{Address: &core.Address_SocketAddress{SocketAddress: &core.SocketAddress{Address: "10.36.4.41", PortSpecifier: &core.SocketAddress_PortValue{PortValue: 47848}}}},
			Principal: principal, Certificate: certificate,
		},
		Destination: &auth.AttributeContext_Peer{Principal: "gate-a.example"},
		Request:     &auth.AttributeContext_Request{Http: &auth.AttributeContext_HttpRequest{Id: "5124", Method: method, Path: path, Host: "gate-a.example", Scheme: "https", Protocol: "HTTP/1.1", Size: -1, Headers: headers}},
	}}
}

func as(t *testing.T, caller string) context.Context {
	if caller == "" {
		return t.Context()
	}
	return metadata.AppendToOutgoingContext(t.Context(), "test-caller", caller)
}

// Both protocols answer alike, and everything but the permit is a denial.
func TestCheck(t *testing.T) {
	h := &house{certs: map[string]string{}}
	a, b := h.certificate(t, "civil-a"), h.certificate(t, "civil-b")
	other := (&house{certs: map[string]string{}}).certificate(t, "civil-x")
	srv, client := serve(t, h)
	relief := map[string]string{"yinxin-purpose": "救助", "x-request-id": "q-7"}
	for name, tc := range map[string]struct {
		caller, method, path, certificate, principal string
		headers                                      map[string]string
		status                                       int
		code                                         string
	}{
		"permit":                        {"gate-a", "GET", "/births/1?x=1", a, "", relief, 200, ""},
		"another purpose":               {"gate-a", "GET", "/births", a, "", map[string]string{"yinxin-purpose": "x"}, 403, "denied"},
		"no purpose":                    {"gate-a", "GET", "/births", a, "", nil, 403, "denied"},
		"another client":                {"gate-a", "GET", "/births", b, "", relief, 403, "denied"},
		"a certificate beats a name":    {"gate-a", "GET", "/births", b, "civil-a.example", relief, 403, "denied"},
		"a certificate of others":       {"gate-a", "GET", "/births", other, "civil-a.example", relief, 401, "subject"},
		"nobody":                        {"gate-a", "GET", "/births", "", "", relief, 401, "subject"},
		"two certificates":              {"gate-a", "GET", "/births", a + b, "", relief, 401, "subject"},
		"no certificate at all":         {"gate-a", "GET", "/births", "%zz", "", relief, 401, "subject"},
		"DER is not PEM":                {"gate-a", "GET", "/births", "MIIB", "", relief, 401, "subject"},
		"a certificate of 1 MB":         {"gate-a", "GET", "/births", strings.Repeat("A", 100<<10), "", relief, 401, "subject"},
		"a path with no route":          {"gate-a", "GET", "/deaths", a, "", relief, 403, "route"},
		"a method with no route":        {"gate-a", "DELETE", "/births", a, "", relief, 403, "route"},
		"a gateway without routes":      {"gate-b", "GET", "/births", a, "", relief, 403, "route"},
		"a path of two meanings":        {"gate-a", "GET", "/births/../deaths", a, "", relief, 400, "path"},
		"an unknown gateway":            {"", "GET", "/births", a, "", relief, 403, "caller"},
		"a register that does not read": {"gate-a", "GET", "/away", a, "", relief, 503, "failure"},
		"a purpose that hides":          {"gate-a", "GET", "/births", a, "", map[string]string{"yinxin-purpose": "救\u202e助"}, 400, "request"},
		"a purpose of 10 KB":            {"gate-a", "GET", "/births", a, "", map[string]string{"yinxin-purpose": strings.Repeat("x", 10<<10)}, 400, "request"},
	} {
		t.Run(name, func(t *testing.T) {
			h.asked = nil
			out, err := client.Check(as(t, tc.caller), check(tc.method, tc.path, tc.certificate, tc.principal, tc.headers))
			if err != nil {
				t.Fatal(err)
			}
			allowed := out.GetStatus().GetCode() == int32(codes.OK)
			if allowed != (tc.code == "") || allowed != (out.GetOkResponse() != nil) || allowed == (out.GetDeniedResponse() != nil) {
				t.Fatalf("%v", out)
			}
			if !allowed {
				d := out.GetDeniedResponse()
				denies(t, tc.code, tc.status, int(d.GetStatus().GetCode()), d.GetBody())
			} else if m := out.GetDynamicMetadata().AsMap(); m["decision"] != "d-1" || m["facts"] != "f" || m["engine"] != "e" {
				t.Fatalf("%v", m)
			} else if q := h.asked[0]; q.ID != "q-7" || q.Caller.ID != "gate-a" || q.SubjectType != "system" || q.ResourceType != route.Catalogue || len(q.Fields) != 1 {
				t.Fatalf("%+v", q)
			}
			if tc.principal != "" || len(tc.certificate) > maxCertificate {
				return // what the plain protocol does not have, or no server takes as a header
			}
			status, header, body := plain(t, srv, tc.caller, tc.method, tc.path, xfcc(tc.certificate), tc.headers)
			if status != tc.status {
				t.Fatalf("HTTP: %d %s", status, body)
			}
			if !allowed {
				denies(t, tc.code, tc.status, status, body)
				return
			}
			if !strings.Contains(body, `"digests":{"engine":"e"`) || header.Get("yinxin-decision") != "d-1" || header.Get("yinxin-subject") != "civil-a" ||
				header.Get("yinxin-obligations") != `[{"kind":"watermark","value":"\u6837\u4f8b\ud83d\ude00"}]` {
				t.Fatalf("%v", header)
			}
		})
	}
	out, err := client.Check(as(t, "gate-a"), check("GET", "/births", "", "Civil-A.example", relief))
	if err != nil || out.GetOkResponse() == nil {
		t.Fatalf("own agency's system by its name: %v %v", out, err)
	}
	for _, o := range out.GetOkResponse().GetHeaders() {
		if !strings.HasPrefix(o.GetHeader().GetKey(), "yinxin-") || o.GetAppendAction() != core.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD {
			t.Fatalf("a client's own header would stay beside %v", o)
		}
	}
}

func denies(t *testing.T, code string, want, status int, body string) {
	t.Helper()
	var d denial
	if err := json.Unmarshal([]byte(body), &d); err != nil || status != want || d.Decision || d.Code != code || d.Zh == "" || d.En == "" {
		t.Fatalf("%d %s", status, body)
	}
	if strings.Contains(body, "S2A2") || strings.Contains(body, "secret") || (code == "denied") != strings.Contains(body, "E06_agreement") {
		t.Fatalf("shows what was compared, or no reason: %s", body)
	}
}

func xfcc(certificate string) string {
	if certificate == "" {
		return ""
	}
	return `Hash=ab12;Subject="CN=\"a,b\";O=y";Cert="` + certificate + `";URI=`
}

func plain(t *testing.T, srv *httptest.Server, caller, method, path, certificate string, headers map[string]string) (int, http.Header, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, srv.URL+PathHTTP+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Test-Caller", caller)
	if certificate != "" {
		r.Header.Set("X-Forwarded-Client-Cert", certificate)
	}
	for k, v := range headers {
		r.Header.Set(k, v)
	}
	resp, err := srv.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, resp.Header, string(body)
}

// A panic and a decider that fails are denials too, and tell nothing.
func TestFailureIsADenial(t *testing.T) {
	h := &house{certs: map[string]string{}, failing: errors.New("secret detail")}
	a := h.certificate(t, "civil-a")
	_, client := serve(t, h)
	for range 2 {
		out, err := client.Check(as(t, "gate-a"), check("GET", "/births", a, "", map[string]string{"yinxin-purpose": "救助"}))
		if err != nil {
			t.Fatal(err)
		}
		denies(t, "failure", 503, int(out.GetDeniedResponse().GetStatus().GetCode()), out.GetDeniedResponse().GetBody())
		h.panics = true
	}
	if out, err := client.Check(as(t, "gate-a"), &auth.CheckRequest{}); err != nil || out.GetDeniedResponse() == nil {
		t.Fatalf("an empty question: %v %v", out, err)
	}
	big := check("GET", "/births", a, "", map[string]string{"x": strings.Repeat("x", 2<<20)})
	if out, err := client.Check(as(t, "gate-a"), big); err == nil {
		t.Fatalf("over the size: %v", out)
	}
}

// Headers as Envoy sends them with encode_raw_headers.
func TestRawHeaders(t *testing.T) {
	in := check("GET", "/births", "", "", nil)
	in.Attributes.Request.Http.HeaderMap = &core.HeaderMap{Headers: []*core.HeaderValue{{Key: "X-Request-Id", Value: "q-8"}, {Key: HeaderPurpose, RawValue: []byte("救助")}}}
	if q := fromGRPC(in); q.id != "q-8" || q.purpose != "救助" {
		t.Fatalf("%+v", q)
	}
}

// The header of a proxy: one hop, one certificate.
func TestForwardedCertificate(t *testing.T) {
	for header, want := range map[string]string{
		`Cert="abc"`:                           "abc",
		`cert=abc;Hash=1`:                      "abc",
		`By=x;Subject="a;b,\"c\"";Cert="a%0A"`: "a%0A",
		`Hash=1;Cert="a";Chain="b";DNS=c`:      "a",
		``:                                     "",
		`Hash=1`:                               "",
		`Cert=`:                                "",
		`Cert="a",Cert="b"`:                    "",
		`Hash=1;Cert="a",Hash=2;Cert="b"`:      "",
		`Cert="a";Cert="b"`:                    "",
		`Cert="a`:                              "",
		`Cert="a"x`:                            "",
		`Cert`:                                 "",
		`Cert=a,b`:                             "",
	} {
		if got, ok := forwarded(header); got != want && ok || ok != (want != "") {
			t.Errorf("%s: %q %v", header, got, ok)
		}
	}
}

func FuzzForwarded(f *testing.F) {
	f.Add(`By=x;Subject="a;b,\"c\"";Cert="a%0A"`)
	f.Fuzz(func(t *testing.T, header string) {
		if got, ok := forwarded(header); ok && (got == "" || !strings.Contains(strings.ToLower(header), "cert")) {
			t.Fatalf("%q from %q", got, header)
		}
	})
}

func FuzzCheckRequest(f *testing.F) {
	raw, err := proto.Marshal(check("GET", "/births", "%41", "x", map[string]string{"a": "b"}))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
	h := &house{certs: map[string]string{}}
	e := &endpoint{Config: Config{Decider: h, Routes: h, Subjects: h, Log: slog.New(slog.NewTextHandler(io.Discard, nil))}}
	f.Fuzz(func(t *testing.T, raw []byte) {
		in := &auth.CheckRequest{}
		if proto.Unmarshal(raw, in) != nil {
			return
		}
		if v := e.judge(t.Context(), ledger.Actor{ID: "gate-a", Unit: "A"}, fromGRPC(in)); v.code == "" && !bytes.Contains(raw, []byte("civil-a.example")) {
			t.Fatalf("permitted: %v", in)
		}
	})
}
