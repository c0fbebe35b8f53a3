//go:build unix

package app

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
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
	"github.com/yinxin-gov/yinxin/internal/api/wire"
)

// yes approves everything: the benchmark measures issuing, not persons.
type yes struct{}

func (yes) Approved(context.Context, string, string, string) (string, string, error) {
	return "approval", "officer", nil
}

// BenchmarkPairsOverAPI is design §10: SM2 pairs a second over the API (HTTPS,
// keep-alive, 64 callers, SQLite with its ledger), with keys made on the spot and
// with spare ones. Each answer is a pair and a one-time token of the ECDSA track. cpu-ms/pair is of this whole process, client included: on a busy
// machine it says more than the rate; 2.8 on two cores make 700 pairs/s.
func BenchmarkPairsOverAPI(b *testing.B) {
	const batch, callers = 512, 64
	for _, pool := range []int{0, 2 * batch} {
		b.Run(fmt.Sprintf("pool=%d", pool), func(b *testing.B) {
			cfg, ln := config(b, "")
			cfg.Keys.Pool = pool
			h, _, err := Found(bg, cfg, three)
			ok(b, err)
			ctx, stop := context.WithCancel(bg)
			served := make(chan error, 1)
			go func() { served <- h.Serve(ctx, ln) }()
			tokens := tokensOf(b, h)
			root, _ := h.Roots()
			roots := x509.NewCertPool()
			roots.AddCert(root)
			web := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, MaxIdleConnsPerHost: callers}}
			key, err := sm2.GenerateKey(rand.Reader)
			ok(b, err)
			csr, err := smx509.CreateCertificateRequest(rand.Reader, &smx509.CertificateRequest{SignatureAlgorithm: smx509.SM2WithSM3}, key)
			ok(b, err)
			n, busy := 0, time.Duration(0)
			for b.Loop() {
				b.StopTimer()
				todo := make(chan string, batch)
				for range batch {
					todo <- tokens()
				}
				close(todo)
				ok(b, h.KMC.Refill(bg))
				before := cpu(b)
				b.StartTimer()
				var all sync.WaitGroup
				for range callers {
					all.Go(func() {
						for token := range todo {
							body, err := json.Marshal(wire.EnrolRequest{Token: token, SM2CSR: csr})
							if err != nil {
								b.Error(err)
								return
							}
							r, err := web.Post("https://"+h.cfg.Public+wire.PathEnrol, "application/json", bytes.NewReader(body))
							if err != nil {
								b.Error(err)
								return
							}
							_, err = io.Copy(io.Discard, r.Body)
							if cerr := r.Body.Close(); err != nil || cerr != nil || r.StatusCode != http.StatusOK {
								b.Errorf("%s %v %v", r.Status, err, cerr)
							}
						}
					})
				}
				all.Wait()
				n, busy = n+batch, busy+cpu(b)-before
			}
			b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "pairs/s")
			b.ReportMetric(busy.Seconds()*1000/float64(n), "cpu-ms/pair")
			web.CloseIdleConnections()
			stop()
			ok(b, <-served)
			ok(b, h.Close())
		})
	}
}

// cpu is the processor time of this process.
func cpu(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	ok(b, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// tokensOf gives enrolment tokens of one graded system.
func tokensOf(b *testing.B, h *House) func() string {
	b.Helper()
	unit := identity.USCC(h.cfg.USCC)
	link, err := h.Invite(bg, identity.Person{Name: "样例领导", Agency: unit}, identity.Post{Role: identity.RoleUnitLeader, Title: "样例"}, 0)
	ok(b, err)
	leader := h.PersonActor(link.Person, unit)
	_, _, err = h.Identity.RegisterSystem(bg, identity.System{ID: "civil-a", Name: "样例业务系统", Agency: unit, Hosts: []string{"civil-a.gov.internal"}}, h.service())
	ok(b, err)
	now := time.Now()
	_, _, err = h.Grading.Register(bg, grading.Record{
		System: "civil-a", Version: 1, Grade: level.Grade{S: 2, A: 2}, Reason: "样例定级", State: grading.StateCertified, BuildingUnit: unit, Filing: "11010026002-00001",
		DecidedOn: now.AddDate(0, -2, 0), AssessedOn: now.AddDate(0, -1, 0), ValidUntil: now.AddDate(1, 0, 0), Sample: true,
	}, leader)
	ok(b, err)
	desk, err := ca.New(ca.Config{
		Registry: h.rooms.CA, Approver: yes{}, Hosts: hosts{h.rooms.Identity}, KMC: h.KMC, SM2Issuing: h.anchors.sm2Issuing, SM2Root: h.anchors.sm2Root,
		SM2Signer: h.custody.signer(keySM2Issuing), Site: h.cfg.site(), Now: time.Now, Rand: rand.Reader, NewID: newID,
	})
	ok(b, err)
	return func() string {
		q, _, err := desk.Submit(bg, leader, ca.Request{Agency: string(unit), System: "civil-a", CommonName: "样例业务系统", Organization: "样例局", Hosts: []string{"civil-a.gov.internal"}})
		ok(b, err)
		d, err := desk.Decide(bg, ledger.Actor{Kind: "person", ID: "officer", Unit: string(unit)}, q.ID, true, "")
		ok(b, err)
		return d.Token
	}
}
