//go:build unix

package stepca_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"slices"
	"sync"
	"syscall"
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
// API on PostgreSQL, the whole house (recorded steps on the ledger, lint, AIA,
// CDP), against stock step-ca on its own PostgreSQL backend, which records less
// and does not do it safely (reference/ca.md §3). Both over TLS on loopback, the
// clients in a process of their own, tokens made beforehand, medians of five
// interleaved rounds. With few clients the disk decides: three commits one after
// the other here, two there. With many the processor does.
//
// A machine that does other work beside changes every rate; the processor time of
// one certificate stays: go-ms of this process, pg-ms of PostgreSQL, client-ms of
// the clients; stock's beside ours, and stock:ours-cpu for the sum. primitives is our go-ms against one signature
// and three verifications (request, token, own signature) on P-256.
func BenchmarkIssueOnPostgres(b *testing.B) {
	for _, clients := range []int{16, 64} {
		b.Run(fmt.Sprint("clients=", clients), func(b *testing.B) { compare(b, clients) })
	}
}

func compare(b *testing.B, clients int) {
	const rounds, each = 5, 480
	sides := [2]signer{ourSigner(b), stockSigner(b)}
	for _, s := range sides {
		s.load(b, 2*clients, clients) // connections, caches
	}
	for b.Loop() {
		var all [2][]round
		var ratios, cpu []float64
		for range rounds {
			for i, s := range sides {
				all[i] = append(all[i], s.load(b, each, clients))
			}
			ours, stock := all[0][len(all[0])-1], all[1][len(all[1])-1]
			ratios = append(ratios, ours.rate/stock.rate)
			cpu = append(cpu, stock.cost()/ours.cost())
		}
		b.ReportMetric(median(ratios), "ours:stock")
		b.ReportMetric(median(cpu), "stock:ours-cpu")
		for i, name := range []string{"", "stock-"} {
			b.ReportMetric(middle(all[i], func(r round) float64 { return r.rate }), name+"certs/s")
			b.ReportMetric(middle(all[i], func(r round) float64 { return r.house }), name+"go-ms")
			b.ReportMetric(middle(all[i], func(r round) float64 { return r.database }), name+"pg-ms")
		}
		b.ReportMetric(middle(all[0], func(r round) float64 { return r.clients }), "client-ms")
		b.ReportMetric(middle(all[0], func(r round) float64 { return r.house })/primitives(b), "primitives")
	}
}

// round is one: certificates a second, and milliseconds for one of them.
type round struct{ rate, house, database, clients float64 }

// cost is the processor time of all three.
func (r round) cost() float64 { return r.house + r.database + r.clients }

func middle(runs []round, of func(round) float64) float64 {
	values := make([]float64, len(runs))
	for i, r := range runs {
		values[i] = of(r)
	}
	return median(values)
}

func median(values []float64) float64 {
	slices.Sort(values)
	return values[len(values)/2]
}

// primitives is what one certificate cannot do without, in milliseconds.
func primitives(b *testing.B) float64 {
	b.Helper()
	const rounds = 200
	key, digest := newKey(b), make([]byte, 32)
	start := spent(b)
	for range rounds {
		sig, err := ecdsa.SignASN1(rand.Reader, key, digest)
		if err != nil {
			b.Fatal(err)
		}
		for range 3 {
			if !ecdsa.VerifyASN1(&key.PublicKey, digest, sig) {
				b.Fatal("a signature does not verify")
			}
		}
	}
	return milliseconds(spent(b)-start) / rounds
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// spent is the processor time of this process.
func spent(b testing.TB) time.Duration {
	b.Helper()
	d, err := processTime()
	if err != nil {
		b.Fatal(err)
	}
	return d
}

func processTime() (time.Duration, error) {
	var u syscall.Rusage
	err := syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()), err
}

// load lets the clients spend total tokens.
func (s signer) load(b *testing.B, total, clients int) round {
	b.Helper()
	w := clientWork{URL: s.url, Clients: clients}
	for range total {
		tok, err := s.token()
		if err != nil {
			b.Fatal(err)
		}
		w.Tokens = append(w.Tokens, tok)
	}
	var err error
	if w.CSR, err = nodeCSR(); err != nil {
		b.Fatal(err)
	}
	in, err := json.Marshal(w)
	if err != nil {
		b.Fatal(err)
	}
	cmd := exec.CommandContext(b.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), envClients+"=1")
	cmd.Stdin, cmd.Stderr = bytes.NewReader(in), os.Stderr
	house := spent(b)
	database, _ := pg().CPU()
	out, err := cmd.Output()
	if err != nil {
		b.Fatalf("clients: %v: %s", err, out)
	}
	after, _ := pg().CPU()
	var r clientResult
	if err := json.Unmarshal(out, &r); err != nil {
		b.Fatal(err)
	}
	n := float64(total)
	return round{
		rate: n / r.Elapsed.Seconds(), clients: milliseconds(r.CPU) / n,
		house: milliseconds(spent(b)-house) / n, database: milliseconds(after-database) / n,
	}
}

// envClients makes this test program the clients of a benchmark: work on its
// input, result on its output.
const envClients = "YINXIN_STEPCA_CLIENTS"

type clientWork struct {
	URL, CSR string
	Tokens   []string
	Clients  int
}

type clientResult struct{ Elapsed, CPU time.Duration }

func runClients(in io.Reader, out io.Writer) error {
	var w clientWork
	if err := json.NewDecoder(in).Decode(&w); err != nil {
		return err
	}
	tokens := make(chan string, len(w.Tokens))
	for _, t := range w.Tokens {
		tokens <- t
	}
	close(tokens)
	n, client := &node{url: w.URL, csr: w.CSR}, benchClient(w.Clients)
	before, err := processTime()
	if err != nil {
		return err
	}
	start, failed := time.Now(), make(chan error, len(w.Tokens))
	var wg sync.WaitGroup
	for range w.Clients {
		wg.Go(func() {
			for t := range tokens {
				if _, err := n.sign(client, t); err != nil {
					failed <- err
				}
			}
		})
	}
	wg.Wait()
	elapsed := time.Since(start)
	after, err := processTime()
	close(failed)
	return errors.Join(err, <-failed, json.NewEncoder(out).Encode(clientResult{Elapsed: elapsed, CPU: after - before}))
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
