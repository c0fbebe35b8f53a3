//go:build unix

package app

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/smx509"

	"github.com/yinxin-gov/yinxin/authz/grading"
	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/authz/level"
	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/ca/catest"
	"github.com/yinxin-gov/yinxin/internal/api/wire"
	"github.com/yinxin-gov/yinxin/internal/store"
)

// BenchmarkEnrolOverTheAPI is the budget of design §10 for SM2 dual certificates
// (floor 700 pairs/s on two cores): an enrolment token and a CSR over HTTPS on
// loopback, everything recorded on the ledger, the clients in a process of their
// own on the same cores. Median of five rounds. go-ms is the processor time that
// this process spends on a pair, pg-ms PostgreSQL and client-ms the clients: two
// free cores do 2000 divided by their sum, whatever else runs beside. primitives
// is go-ms against the bare cryptography of a pair (pairPrimitives), timed in turn
// with it: a busy machine slows both.
func BenchmarkEnrolOverTheAPI(b *testing.B) {
	for name, db := range engines {
		for _, clients := range []int{16, 64, 256} {
			b.Run(fmt.Sprint(name, "/clients=", clients), func(b *testing.B) { enrolBench(b, db(b), clients, name == "postgres") })
		}
	}
}

func enrolBench(b *testing.B, db string, clients int, postgres bool) {
	const rounds, each = 5, 1500
	cfg, ln := config(b, db)
	h, _, err := Found(bg, cfg, three)
	ok(b, err)
	serving(b, h, ln)
	systems := benchSystems(b, h)
	root, _ := h.Roots()
	work := clientWork{URL: "https://" + cfg.Public + wire.PathEnrol, Root: root.Raw, Clients: clients}
	for _, y := range systems {
		work.CSRs = append(work.CSRs, benchCSR(b, y.Hosts[0]))
	}
	database := func() time.Duration {
		if !postgres {
			return 0
		}
		d, _ := server.CPU()
		return d
	}
	for b.Loop() {
		var rates, house, pg, client, bare []float64
		for range rounds {
			work.Tokens = benchTokens(b, h, systems, each)
			integrated(b, h)
			in, err := json.Marshal(work)
			ok(b, err)
			cmd := exec.CommandContext(b.Context(), os.Args[0])
			cmd.Env = append(os.Environ(), envClients+"=1")
			cmd.Stdin, cmd.Stderr = bytes.NewReader(in), os.Stderr
			before, stored := cpuTime(b), database()
			out, err := cmd.Output()
			ok(b, err)
			spent, stored := cpuTime(b)-before, database()-stored
			var r clientResult
			ok(b, json.Unmarshal(out, &r))
			rates = append(rates, each/r.Elapsed.Seconds())
			for to, d := range map[*[]float64]time.Duration{&house: spent, &pg: stored, &client: r.CPU} {
				*to = append(*to, float64(d.Microseconds())/1000/each)
			}
			bare = append(bare, house[len(house)-1]/pairPrimitives(b, work.CSRs[0]))
		}
		for unit, values := range map[string][]float64{"pairs/s": rates, "go-ms": house, "primitives": bare, "pg-ms": pg, "client-ms": client} {
			slices.Sort(values)
			b.ReportMetric(values[rounds/2], unit)
		}
	}
}

// pairPrimitives is what one pair cannot do without, in milliseconds of processor
// time: the check of a CSR, an encryption key and its envelope, two signatures
// with one check each, and the signature of the one-time token. TLS is kept alive
// and moves 4 kB: nothing beside these.
func pairPrimitives(b *testing.B, request []byte) float64 {
	b.Helper()
	const rounds = 100
	signing, err := sm2.GenerateKey(rand.Reader)
	ok(b, err)
	token, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	ok(b, err)
	tbs := make([]byte, 700) // about the size of a to-be-signed certificate
	before := cpuTime(b)
	for range rounds {
		csr, err := smx509.ParseCertificateRequest(request)
		ok(b, err)
		ok(b, csr.CheckSignature())
		key, err := sm2.GenerateKey(rand.Reader)
		ok(b, err)
		_, err = sm2.MarshalEnvelopedPrivateKey(rand.Reader, csr.PublicKey.(*ecdsa.PublicKey), key)
		ok(b, err)
		for range 2 {
			sig, err := signing.SignWithSM2(rand.Reader, nil, tbs)
			ok(b, err)
			if !sm2.VerifyASN1WithSM2(&signing.PublicKey, nil, tbs, sig) {
				b.Fatal("a signature does not verify")
			}
		}
		_, err = ecdsa.SignASN1(rand.Reader, token, tbs[:32])
		ok(b, err)
	}
	return float64((cpuTime(b) - before).Microseconds()) / 1000 / rounds
}

// cpuTime is what this process has spent.
func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	d, err := processTime()
	ok(b, err)
	return d
}

func processTime() (time.Duration, error) {
	var u syscall.Rusage
	err := syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()), err
}

// envClients makes this test program the clients of a benchmark: work on its
// input, result on its output.
const envClients = "YINXIN_APP_CLIENTS"

type clientWork struct {
	URL     string
	Root    []byte
	CSRs    [][]byte // of the systems in turn, as the tokens
	Tokens  []string
	Clients int
}

type clientResult struct{ Elapsed, CPU time.Duration }

func runClients(in io.Reader, out io.Writer) error {
	var w clientWork
	if err := json.NewDecoder(in).Decode(&w); err != nil {
		return err
	}
	root, err := x509.ParseCertificate(w.Root)
	if err != nil {
		return err
	}
	pool := x509.NewCertPool()
	pool.AddCert(root)
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: w.Clients, TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}}}
	todo, failed := make(chan int, len(w.Tokens)), make(chan error, len(w.Tokens))
	for i := range w.Tokens {
		todo <- i
	}
	close(todo)
	before, err := processTime()
	if err != nil {
		return err
	}
	var wg sync.WaitGroup
	start := time.Now()
	for range w.Clients {
		wg.Go(func() {
			for i := range todo {
				if err := enrolOnce(client, w.URL, w.Tokens[i], w.CSRs[i%len(w.CSRs)]); err != nil {
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

func enrolOnce(c *http.Client, url, token string, request []byte) error {
	raw, err := json.Marshal(wire.EnrolRequest{Token: token, SM2CSR: request})
	if err != nil {
		return err
	}
	res, err := c.Post(url, "application/json", bytes.NewReader(raw))
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if body, err := io.ReadAll(res.Body); err != nil || res.StatusCode != http.StatusOK {
		return fmt.Errorf("%d %s, %w", res.StatusCode, body, err)
	}
	return nil
}

func benchEvent(object string) ledger.Event {
	return ledger.Event{
		ID: newID(), Type: "test.bench.prepared", Class: ledger.ClassAdmin, Time: time.Now().UTC().Truncate(time.Millisecond),
		Actor: ledger.Actor{Kind: "person", ID: "p-1"}, Object: ledger.Object{Kind: "system", ID: object}, Outcome: ledger.Success,
	}
}

// benchSystems registers the systems whose pairs are issued in turn: that many
// at once never belong to one.
func benchSystems(b *testing.B, h *House) []identity.System {
	b.Helper()
	now, own := time.Now(), identity.USCC(h.cfg.USCC)
	out := make([]identity.System, 256)
	for i := range out {
		id := fmt.Sprintf("civil-%03d", i)
		out[i] = identity.System{ID: id, Name: "低保系统", Agency: own, Hosts: []string{id + ".gov.internal"}, Sample: true, CreatedAt: now}
		_, err := h.rooms.Identity.AddSystem(bg, out[i], benchEvent(id))
		ok(b, err)
		_, err = h.rooms.Grading.AddGrading(bg, grading.Record{
			System: id, Version: 1, Grade: level.Grade{S: 2, A: 2}, Reason: "定级报告", State: grading.StateCertified, BuildingUnit: own,
			Filing: fmt.Sprintf("11010213-00%03d", i), DecidedOn: now.AddDate(0, -2, 0), AssessedOn: now.AddDate(0, -1, 0), ValidUntil: now.AddDate(1, 0, 0), Sample: true,
		}, benchEvent(id))
		ok(b, err)
	}
	return out
}

// integrated waits until the chain holds the events of what was prepared: they are
// no part of what is timed.
func integrated(b *testing.B, h *House) {
	b.Helper()
	for {
		rows, err := h.store.Ledger().Outbox(bg, 1)
		ok(b, err)
		if len(rows) == 0 {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// benchTokens makes n of benchToken, of the systems in turn. Their events need no
// place in the chain before the next: a system has one open request at a time.
func benchTokens(b *testing.B, h *House, systems []identity.System, n int) []string {
	b.Helper()
	out, registry := make([]string, n), h.store.Rooms(nil).CA
	for i := range out {
		out[i] = benchToken(b, h, registry, systems[i%len(systems)], ca.PurposeTest)
	}
	return out
}

// benchToken files an approved request and returns its enrolment token.
func benchToken(b *testing.B, h *House, registry *store.CA, y identity.System, purpose ca.Purpose) string {
	b.Helper()
	raw := make([]byte, 32)
	_, err := rand.Read(raw)
	ok(b, err)
	token := base64.RawURLEncoding.EncodeToString(raw)
	r := ca.Request{
		ID: newID(), Agency: h.cfg.USCC, System: y.ID, CommonName: y.Name, Organization: h.cfg.Organization, Hosts: y.Hosts,
		SubmittedBy: "p-1", Purpose: purpose, State: ca.RequestSubmitted, CreatedAt: time.Now(),
	}
	_, err = registry.AddRequests(bg, []ca.Request{r}, benchEvent(r.ID))
	ok(b, err)
	catest.Approve(b, registry, r)
	_, err = registry.SetToken(bg, r.ID, SM3Hex([]byte(token)), time.Now(), benchEvent(r.ID))
	ok(b, err)
	return token
}

func benchCSR(b *testing.B, host string) []byte {
	b.Helper()
	key, err := sm2.GenerateKey(rand.Reader)
	ok(b, err)
	der, err := smx509.CreateCertificateRequest(rand.Reader, &smx509.CertificateRequest{DNSNames: []string{host}, SignatureAlgorithm: smx509.SM2WithSM3}, key)
	ok(b, err)
	return der
}
