//go:build unix

package stepca_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/emmansun/gmsm/sm2"
	"github.com/go-chi/chi/v5"
	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"
	"github.com/smallstep/certificates/api"
	"github.com/smallstep/certificates/authority"
	"github.com/smallstep/certificates/authority/config"
	"github.com/smallstep/certificates/authority/provisioner"
	"github.com/smallstep/certificates/db"
	"go.step.sm/crypto/jose"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/ca/stepca"
)

// signer is one of the two that are compared: an address and tokens for it.
type signer struct {
	url   string
	token func() (string, error)
}

// BenchmarkIssueOnPostgres is the budget of design §10: issuing over the step-ca
// API on PostgreSQL, the whole house (four recorded steps on the ledger, lint,
// AIA, CDP), against stock step-ca on its own PostgreSQL backend, which records
// less and does not do it safely (reference/ca.md §3). Both over TLS on loopback
// with 16 clients, tokens made beforehand, medians of five interleaved rounds.
func BenchmarkIssueOnPostgres(b *testing.B) {
	const rounds, each, clients = 5, 320, 16
	ours, stock := ourSigner(b), stockSigner(b)
	for b.Loop() {
		var rates [2][]float64
		var ratios []float64
		for range rounds {
			var rate [2]float64
			for i, s := range []signer{ours, stock} {
				rate[i] = s.rate(b, each, clients)
				rates[i] = append(rates[i], rate[i])
			}
			ratios = append(ratios, rate[0]/rate[1])
		}
		for _, s := range [][]float64{rates[0], rates[1], ratios} {
			slices.Sort(s)
		}
		b.ReportMetric(rates[0][rounds/2], "certs/s")
		b.ReportMetric(rates[1][rounds/2], "stock/s")
		b.ReportMetric(ratios[rounds/2], "ours:stock")
	}
}

func (s signer) rate(b *testing.B, total, clients int) float64 {
	b.Helper()
	tokens := make(chan string, total)
	for range total {
		tok, err := s.token()
		if err != nil {
			b.Fatal(err)
		}
		tokens <- tok
	}
	close(tokens)
	request, err := nodeCSR()
	if err != nil {
		b.Fatal(err)
	}
	n := &node{url: s.url, csr: request}
	client := benchClient(clients)
	defer client.CloseIdleConnections()
	start := time.Now()
	var wg sync.WaitGroup
	for range clients {
		wg.Go(func() {
			for tok := range tokens {
				if _, err := n.sign(client, tok); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	return float64(total) / time.Since(start).Seconds()
}

// benchClient trusts the certificate of httptest.
func benchClient(conns int) *http.Client {
	s := httptest.NewUnstartedServer(nil)
	s.StartTLS()
	defer s.Close()
	t := s.Client().Transport.(*http.Transport).Clone()
	t.MaxIdleConnsPerHost, t.ForceAttemptHTTP2 = conns, false
	return &http.Client{Transport: t}
}

// ourSigner is a house on PostgreSQL with its ledger.
func ourSigner(b *testing.B) signer {
	b.Helper()
	s := openStore(b, database(b))
	key, err := sm2.GenerateKey(rand.Reader)
	if err != nil {
		b.Fatal(err)
	}
	seq, err := ledger.New(context.Background(), ledger.Config{
		Store: s.Ledger(), Now: time.Now, Rand: rand.Reader, Origin: "bench/ledger/sm3", Signer: key, CheckpointEvery: time.Minute,
	})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { seq.Close(context.Background()) })
	rooms := s.Rooms(seq)
	root, issuing, signing := authorities(b, rooms.CA)
	people := &people{hosts: map[string][]string{system: {host}}}
	a, err := stepca.New(context.Background(), stepca.Config{
		Registry: rooms.CA, Root: root, Issuing: issuing, Signer: signing, Address: "localhost:443", Agency: uscc,
		Hosts: people, Gate: people, Recorder: seq, Site: site,
	})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { a.Close() })
	web := httptest.NewTLSServer(a.Routes())
	b.Cleanup(web.Close)
	r := approvedRequest(b, rooms.CA)
	return signer{url: web.URL, token: func() (string, error) { return a.MintToken(context.Background(), r, uuid.NewString()) }}
}

// stockSigner is smallstep's authority as it comes, on its own PostgreSQL store.
func stockSigner(b *testing.B) signer {
	b.Helper()
	url := database(b)
	root, issuing, signing := authorities(b, newHouse(b).registry)
	store, err := db.New(&db.Config{Type: "postgresql", DataSource: url, Database: "stock_" + fmt.Sprint(time.Now().UnixNano())})
	if err != nil {
		b.Fatal(err)
	}
	ra := newKey(b)
	jwk := jose.JSONWebKey{Key: ra.Public(), Algorithm: jose.ES256, Use: "sig"}
	sum, err := jwk.Thumbprint(crypto.SHA256)
	if err != nil {
		b.Fatal(err)
	}
	jwk.KeyID = fmt.Sprintf("%x", sum)
	a, err := authority.NewEmbedded(
		authority.WithConfig(&config.Config{
			Address: "localhost:443", DNSNames: []string{"localhost"}, SkipValidation: true,
			AuthorityConfig: &config.AuthConfig{Provisioners: provisioner.List{&provisioner.JWK{Type: "JWK", Name: "ra", Key: &jwk}}},
		}),
		authority.WithX509RootCerts(root), authority.WithX509Signer(issuing, signing), authority.WithDatabase(store), authority.WithQuietInit(),
	)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { a.Shutdown() })
	mux := chi.NewRouter()
	mux.Post("/1.0/sign", api.Sign)
	web := httptest.NewUnstartedServer(mux)
	ctx := db.NewContext(authority.NewContext(context.Background(), a), a.GetDatabase())
	web.Config.BaseContext = func(net.Listener) context.Context { return ctx }
	web.StartTLS()
	b.Cleanup(web.Close)
	return signer{url: web.URL, token: func() (string, error) { return stockToken(ra, jwk.KeyID) }}
}

func stockToken(key *ecdsa.PrivateKey, kid string) (string, error) {
	now := time.Now()
	t := jwt.NewWithClaims(jwt.SigningMethodES256, jwt.MapClaims{
		"iss": "ra", "aud": "https://localhost:443/1.0/sign", "sub": system, "sans": []string{host}, "jti": uuid.NewString(),
		"iat": now.Unix(), "nbf": now.Unix(), "exp": now.Add(5 * time.Minute).Unix(),
	})
	t.Header["kid"] = kid
	return t.SignedString(key)
}
