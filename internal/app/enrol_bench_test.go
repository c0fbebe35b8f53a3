//go:build unix

package app

import (
	"bytes"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
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
)

// BenchmarkEnrolOverTheAPI is the budget of design §10 for SM2 dual certificates
// (floor 700 pairs/s on two cores): an enrolment token and a CSR over HTTPS on
// loopback, everything recorded on the ledger, 16 clients on the same cores.
// Median of five rounds. cpu-ms/pair is what this process (house and clients)
// spends: two free cores do 2000 divided by it, whatever else runs beside.
func BenchmarkEnrolOverTheAPI(b *testing.B) {
	for name, db := range engines {
		b.Run(name, func(b *testing.B) {
			const rounds, each, clients = 5, 300, 16
			cfg, ln := config(b, db(b))
			h, _, err := Found(bg, cfg, three)
			ok(b, err)
			serving(b, h, ln)
			benchSystem(b, h)
			request := benchCSR(b)
			root, _ := h.Roots()
			pool := x509.NewCertPool()
			pool.AddCert(root)
			client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: clients, TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}}}
			defer client.CloseIdleConnections()
			for b.Loop() {
				var rates []float64
				var spent time.Duration
				for range rounds {
					tokens := make(chan string, each)
					for range each {
						tokens <- benchToken(b, h)
					}
					close(tokens)
					var wg sync.WaitGroup
					start, before := time.Now(), cpuTime(b)
					for range clients {
						wg.Go(func() {
							for token := range tokens {
								enrolOnce(b, client, "https://"+cfg.Public+wire.PathEnrol, token, request)
							}
						})
					}
					wg.Wait()
					spent += cpuTime(b) - before
					rates = append(rates, each/time.Since(start).Seconds())
				}
				slices.Sort(rates)
				b.ReportMetric(rates[rounds/2], "pairs/s")
				b.ReportMetric(float64(spent.Microseconds())/1000/(rounds*each), "cpu-ms/pair")
			}
		})
	}
}

// cpuTime is what this process has spent.
func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	ok(b, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func enrolOnce(b *testing.B, c *http.Client, url, token string, request []byte) {
	raw, err := json.Marshal(wire.EnrolRequest{Token: token, SM2CSR: request})
	if err != nil {
		b.Error(err)
		return
	}
	res, err := c.Post(url, "application/json", bytes.NewReader(raw))
	if err != nil {
		b.Error(err)
		return
	}
	defer res.Body.Close()
	if body, err := io.ReadAll(res.Body); err != nil || res.StatusCode != http.StatusOK {
		b.Errorf("%d %s, %v", res.StatusCode, body, err)
	}
}

const benchHost = "civil-a.gov.internal"

func benchEvent(object string) ledger.Event {
	return ledger.Event{
		ID: newID(), Type: "test.bench.prepared", Class: ledger.ClassAdmin, Time: time.Now().UTC().Truncate(time.Millisecond),
		Actor: ledger.Actor{Kind: "person", ID: "p-1"}, Object: ledger.Object{Kind: "system", ID: object}, Outcome: ledger.Success,
	}
}

func benchSystem(b *testing.B, h *House) {
	b.Helper()
	now := time.Now()
	own := identity.USCC(h.cfg.USCC)
	_, err := h.rooms.Identity.AddSystem(bg, identity.System{ID: "civil-a", Name: "低保系统", Agency: own, Hosts: []string{benchHost}, Sample: true, CreatedAt: now}, benchEvent("civil-a"))
	ok(b, err)
	_, err = h.rooms.Grading.AddGrading(bg, grading.Record{
		System: "civil-a", Version: 1, Grade: level.Grade{S: 2, A: 2}, Reason: "定级报告", State: grading.StateCertified, BuildingUnit: own,
		Filing: "11010213-00001", DecidedOn: now.AddDate(0, -2, 0), AssessedOn: now.AddDate(0, -1, 0), ValidUntil: now.AddDate(1, 0, 0), Sample: true,
	}, benchEvent("civil-a"))
	ok(b, err)
}

// benchToken files an approved request and returns its enrolment token.
func benchToken(b *testing.B, h *House) string {
	b.Helper()
	raw := make([]byte, 32)
	_, err := rand.Read(raw)
	ok(b, err)
	token := base64.RawURLEncoding.EncodeToString(raw)
	r := ca.Request{
		ID: newID(), Agency: h.cfg.USCC, System: "civil-a", CommonName: "低保系统", Organization: h.cfg.Organization, Hosts: []string{benchHost},
		SubmittedBy: "p-1", Purpose: ca.PurposeTest, State: ca.RequestSubmitted, CreatedAt: time.Now(),
	}
	_, err = h.rooms.CA.AddRequests(bg, []ca.Request{r}, benchEvent(r.ID))
	ok(b, err)
	catest.Approve(b, h.rooms.CA, r)
	_, err = h.rooms.CA.SetToken(bg, r.ID, SM3Hex([]byte(token)), time.Now(), benchEvent(r.ID))
	ok(b, err)
	return token
}

func benchCSR(b *testing.B) []byte {
	b.Helper()
	key, err := sm2.GenerateKey(rand.Reader)
	ok(b, err)
	der, err := smx509.CreateCertificateRequest(rand.Reader, &smx509.CertificateRequest{DNSNames: []string{benchHost}, SignatureAlgorithm: smx509.SM2WithSM3}, key)
	ok(b, err)
	return der
}
