// Package envoy is the decision point for enforcement points that see requests and
// no resources: Envoy's external authorization, over gRPC
// (envoy.service.auth.v3.Authorization/Check) and as plain HTTP, and whatever
// speaks either.
//
// The caller is the system of its client certificate, and asks about its own
// interface only: what a path stands for says the register of routes
// (authz/route), who asks for it the certificate that the client showed the
// enforcement point, which has to be good here and now. A name without a
// certificate counts for systems of the caller's own agency only. Everything that
// is no permit is a denial in so many words (西政办发〔2014〕14号 art. 29): also what fails,
// so that an enforcement point that lets requests through on errors lets none
// through. A denial shows codes and the words of the rules, never the values that
// were compared.
package envoy

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"

	auth "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/authz/route"
	"github.com/yinxin-gov/yinxin/internal/api/authzen"
	"github.com/yinxin-gov/yinxin/internal/api/wire"
	"github.com/yinxin-gov/yinxin/internal/text"
)

// Paths of the two protocols. Below PathHTTP stands the path of the request.
const (
	PathGRPC = auth.Authorization_Check_FullMethodName
	PathHTTP = wire.PathEnvoy
)

// maxMessage bounds a message; headers of a request are far smaller.
const maxMessage = 1 << 20

// ErrSubject: nobody that a decision can be about.
var ErrSubject = errors.New("envoy: no system of the register")

// Routes finds what a path of a system stands for: see route.Service.
type Routes interface {
	Match(ctx context.Context, system, method, target string) (route.Route, error)
}

// Subjects finds who sent a request. Both return ErrSubject, or a failure.
type Subjects interface {
	// OfCertificate is the system of a certificate that is good now, DER.
	OfCertificate(ctx context.Context, der []byte) (ledger.Actor, error)
	// OfHost is the one system of a unit with this DNS name.
	OfHost(ctx context.Context, unit, host string) (ledger.Actor, error)
}

// Config is what the endpoint needs; every field is required.
type Config struct {
	Decider  authzen.Decider
	Routes   Routes
	Subjects Subjects
	// Caller is the system that authenticated by its client certificate.
	Caller func(*http.Request) (system ledger.Actor, ok bool)
	Words  *text.Catalogue
	Log    *slog.Logger
}

type endpoint struct {
	auth.UnimplementedAuthorizationServer
	Config
}

// New returns the handlers of PathGRPC and of everything below PathHTTP.
func New(c Config) (overGRPC, overHTTP http.Handler, err error) {
	if c.Decider == nil || c.Routes == nil || c.Subjects == nil || c.Caller == nil || c.Words == nil || c.Log == nil {
		return nil, nil, errors.New("envoy: every field of the configuration is required")
	}
	e := &endpoint{Config: c}
	srv := grpc.NewServer(grpc.MaxRecvMsgSize(maxMessage), grpc.UnaryInterceptor(e.recovered))
	auth.RegisterAuthorizationServer(srv, e)
	return e.known(srv), http.HandlerFunc(e.http), nil
}

type callerKey struct{}

// known puts the caller into the context, where Check finds it.
func (e *endpoint) known(srv http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if a, ok := e.Caller(r); ok && a.ID != "" {
			r = r.WithContext(context.WithValue(r.Context(), callerKey{}, a))
		}
		srv.ServeHTTP(w, r)
	})
}

// Check implements the service of Envoy. It returns no error: see the package.
func (e *endpoint) Check(ctx context.Context, in *auth.CheckRequest) (*auth.CheckResponse, error) {
	caller, _ := ctx.Value(callerKey{}).(ledger.Actor)
	return e.toGRPC(e.judge(ctx, caller, fromGRPC(in))), nil
}

// recovered: a panic of ours is a denial too, and ends nobody else's request.
func (e *endpoint) recovered(ctx context.Context, in any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (out any, err error) {
	defer func() {
		if p := recover(); p != nil {
			e.Log.ErrorContext(ctx, "panic in a decision for an enforcement point", "panic", fmt.Sprint(p))
			out, err = e.toGRPC(refused(http.StatusServiceUnavailable, "failure")), nil
		}
	}()
	return next(ctx, in)
}

func (e *endpoint) http(w http.ResponseWriter, r *http.Request) {
	caller, ok := e.Caller(r)
	if !ok {
		caller = ledger.Actor{}
	}
	e.writeHTTP(w, e.judge(r.Context(), caller, fromHTTP(r)))
}
