package ca_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/smx509"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/ca/catest"
)

func TestEnrolmentIssuesAPairGMT0034(t *testing.T) {
	h, ctx := newHouse(t), context.Background()
	key := sm2Key(t)
	token := h.token()
	got, err := h.svc.EnrolSM2(ctx, token, csr(t, key, host))
	if err != nil {
		t.Fatal(err)
	}
	for _, ev := range h.reg.Events() {
		for k, v := range ev.Details {
			if strings.Contains(v, token) || strings.Contains(v, ca.TokenHash(token)) {
				t.Errorf("%s holds the token or its hash: %s", ev.Type, k)
			}
		}
	}
	sign, enc, issuing := parse(t, got.SignCert), parse(t, got.EncCert), parse(t, h.boot.SM2Issuing)
	for _, c := range []*smx509.Certificate{sign, enc} {
		if err := c.CheckSignatureFrom(issuing); err != nil {
			t.Error(err)
		}
		if !slices.Equal(c.DNSNames, []string{host}) || c.IsCA || c.KeyUsage&smx509.KeyUsageCertSign != 0 {
			t.Errorf("certificate %v", c.DNSNames)
		}
	}
	if !key.PublicKey.Equal(sign.PublicKey) {
		t.Error("signing certificate is not over the key of the CSR")
	}
	if enc.KeyUsage&(smx509.KeyUsageDigitalSignature|smx509.KeyUsageContentCommitment) != 0 {
		t.Error("the escrowed key may sign")
	}
	opened, err := sm2.ParseEnvelopedPrivateKey(key, got.Envelope)
	if err != nil || !opened.PublicKey.Equal(enc.PublicKey) {
		t.Errorf("envelope: %v", err)
	}
	if e, ok := h.reg.Escrowed(got.Pair); !ok || len(e.Wrapped) == 0 {
		t.Error("encryption key is not escrowed")
	}
	if got.Request.State != ca.RequestIssued || got.Receipt.EntryID == "" {
		t.Errorf("request %s, receipt %+v", got.Request.State, got.Receipt)
	}
	want := "ca.request.submitted ca.request.reviewed ca.request.approved ca.token.drawn ca.pair.reserved ca.certificate.issued"
	if types := strings.Join(h.eventTypes(2), " "); types != want {
		t.Errorf("events: %s", types)
	}
}

func TestNothingIsSignedThatCouldNotBeRecorded(t *testing.T) {
	h := newHouse(t)
	broken := errors.New("disk full")
	token := h.token()
	h.reg.FailNext("Begin", broken)
	_, err := h.svc.EnrolSM2(context.Background(), token, csr(t, sm2Key(t)))
	if !errors.Is(err, broken) {
		t.Fatalf("err = %v", err)
	}
	if pending, good := h.states(); h.key.calls != 0 || pending+good != 0 {
		t.Errorf("%d signatures, %d pending, %d good", h.key.calls, pending, good)
	}
}

func TestAFailedSignatureLeavesItsRecordPending(t *testing.T) {
	for name, spoil := range map[string]func(*house){
		"the key fails":                func(h *house) { h.key.err = errors.New("device gone") },
		"the second record fails":      func(h *house) { h.reg.FailNext("Deliver", errors.New("disk full")) },
		"the key signs for another CA": func(h *house) { h.key.Signer = lyingKey{h.key.Signer, sm2Key(h.t)} },
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			token := h.token()
			spoil(h)
			got, err := h.svc.EnrolSM2(context.Background(), token, csr(t, sm2Key(t)))
			if err == nil || got.SignCert != nil || got.Envelope != nil {
				t.Fatalf("err = %v", err)
			}
			if pending, good := h.states(); pending != 2 || good != 0 {
				t.Errorf("%d pending, %d good", pending, good)
			}
			if _, err := h.svc.Authorize(context.Background(), token); !errors.Is(err, ca.ErrToken) {
				t.Errorf("token still lives: %v", err)
			}
		})
	}
}

func TestARefusedEnrolmentKeepsItsToken(t *testing.T) {
	key := sm2Key(t)
	flipped := csr(t, key)
	flipped[len(flipped)-3] ^= 1
	elsewhere := csr(t, key, "other.gov.internal")
	for name, c := range map[string]struct {
		csr   []byte
		spoil func(*house)
		want  error
	}{
		"flipped signature byte":            {csr: flipped, want: ca.ErrCSR},
		"host that was not approved":        {csr: elsewhere, want: ca.ErrCSR},
		"host registered, but not approved": {csr: csr(t, key, "b.gov.internal"), want: ca.ErrCSR},
		"host named twice":                  {csr: csr(t, key, host, strings.ToUpper(host)), want: ca.ErrCSR},
		"two common names":                  {csr: twoNames(t, key), want: ca.ErrCSR},
		"empty":                             {csr: nil, want: ca.ErrCSR},
		"too large":                         {csr: make([]byte, 20<<10), want: ca.ErrCSR},
		"host taken off the register":       {csr: csr(t, key), want: ca.ErrHost, spoil: func(h *house) { h.hosts["civil-a"] = nil }},
		"system not graded (gate)":          {csr: csr(t, key), want: errGate, spoil: func(h *house) { h.gated = errGate }},
		"key centre cannot wrap":            {csr: csr(t, key), want: errGate, spoil: func(h *house) { h.cfg.KMC = brokenCentre{}; h.svc = must(ca.New(h.cfg)) }},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			token := h.token()
			if c.spoil != nil {
				c.spoil(h)
			}
			before := len(h.reg.Events())
			if _, err := h.svc.EnrolSM2(context.Background(), token, c.csr); !errors.Is(err, c.want) {
				t.Fatalf("err = %v, want %v", err, c.want)
			}
			said := h.reg.Events()[before:]
			if h.key.calls != 0 || len(said) != 1 || said[0].Type != "ca.enrolment.refused" || said[0].Actor.ID != "civil-a" || said[0].Outcome != ledger.Failure {
				t.Errorf("%d signatures, events %+v", h.key.calls, said)
			}
			if _, err := h.svc.Authorize(context.Background(), token); err != nil {
				t.Errorf("token is gone: %v", err)
			}
		})
	}
}

// twoNames is a CSR with a second common name before the approved one.
func twoNames(t *testing.T, key *sm2.PrivateKey) []byte {
	t.Helper()
	cn := asn1.ObjectIdentifier{2, 5, 4, 3}
	der, err := smx509.CreateCertificateRequest(rand.Reader, &smx509.CertificateRequest{
		SignatureAlgorithm: smx509.SM2WithSM3, Subject: pkix.Name{ExtraNames: []pkix.AttributeTypeAndValue{{Type: cn, Value: "evil.example"}, {Type: cn, Value: host}}},
	}, key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func TestATokenServesExactlyOneOfEightKeys(t *testing.T) {
	h := newHouse(t)
	h.key.Signer = lockedKey{Signer: h.key.Signer, mu: &sync.Mutex{}}
	token := h.token()
	var won atomic.Int32
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			switch _, err := h.svc.EnrolSM2(context.Background(), token, csr(t, sm2Key(t))); {
			case err == nil:
				won.Add(1)
			case !errors.Is(err, ca.ErrToken) && !errors.Is(err, ca.ErrBusy):
				t.Errorf("err = %v", err)
			}
		})
	}
	wg.Wait()
	if pending, good := h.states(); won.Load() != 1 || pending != 0 || good != 2 {
		t.Errorf("%d won, %d pending, %d good", won.Load(), pending, good)
	}
}

// A token that was used is recorded with the system whose it was, each time it
// comes again; what nobody knows once a minute, with a count.
func TestReplayedTokensAreRecorded(t *testing.T) {
	h, ctx := newHouse(t), context.Background()
	token := h.token()
	if _, err := h.svc.EnrolSM2(ctx, token, csr(t, sm2Key(t))); err != nil {
		t.Fatal(err)
	}
	before := len(h.reg.Events())
	refused := func(token string) {
		t.Helper()
		if _, err := h.svc.EnrolSM2(ctx, token, csr(t, sm2Key(t))); !errors.Is(err, ca.ErrToken) {
			t.Errorf("%v", err)
		}
	}
	refused(token)
	refused(token)
	for range 4 {
		refused(strings.Repeat("x", ca.TokenLength))
	}
	if _, err := h.svc.Authorize(ctx, "y"); !errors.Is(err, ca.ErrToken) {
		t.Errorf("%v", err)
	}
	h.clock.advance(time.Minute)
	refused("")
	var said []string
	for _, ev := range h.reg.Events()[before:] {
		said = append(said, ev.Type+" "+ev.Actor.ID+" "+ev.Details["passed_over"])
	}
	want := "ca.enrolment.refused civil-a ; ca.enrolment.refused civil-a ; ca.enrolment.refused ca 0; ca.enrolment.refused ca 4"
	if got := strings.Join(said, "; "); got != want {
		t.Errorf("events: %s", got)
	}
}

// An answer that is lost is given again: the same pair, made once.
func TestALostEnrolmentIsAnsweredAgain(t *testing.T) {
	h, ctx := newHouse(t), context.Background()
	token, request := h.token(), csr(t, sm2Key(t))
	first, err := h.svc.EnrolSM2(ctx, token, request)
	if err != nil {
		t.Fatal(err)
	}
	signed, events := h.key.calls, len(h.reg.Events())
	h.clock.advance(time.Hour - time.Second)
	again, err := h.svc.EnrolSM2(ctx, token, request)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(again.SignCert, first.SignCert) || !bytes.Equal(again.EncCert, first.EncCert) || !bytes.Equal(again.Envelope, first.Envelope) ||
		again.Pair != first.Pair || again.Request.ID != first.Request.ID || len(again.Chain) != 2 {
		t.Error("another pair")
	}
	if h.key.calls != signed || len(h.reg.Events()) != events {
		t.Errorf("%d signatures, %d events more", h.key.calls-signed, len(h.reg.Events())-events)
	}
	if _, err := h.svc.EnrolSM2(ctx, token, csr(t, sm2Key(t))); !errors.Is(err, ca.ErrToken) {
		t.Errorf("another request: %v", err)
	}
	if _, err := h.svc.PairOf(ctx, serialOf(t, first.SignCert)); !errors.Is(err, ca.ErrNotFound) {
		t.Errorf("given without the token: %v", err)
	}
	h.gated = errGate
	if _, err := h.svc.EnrolSM2(ctx, token, request); !errors.Is(err, errGate) {
		t.Errorf("past the gate: %v", err)
	}
	h.gated = nil
	h.clock.advance(time.Second)
	if _, err := h.svc.EnrolSM2(ctx, token, request); !errors.Is(err, ca.ErrToken) {
		t.Errorf("after an hour: %v", err)
	}
}

func TestAStoppedPairIsNotGivenAgain(t *testing.T) {
	for want, stop := range map[error]func(h *house, serial string) error{
		ca.ErrRevoked: func(h *house, n string) error {
			return h.svc.Revoke(context.Background(), h.office, h.issuer(), n, ca.ReasonKeyCompromise)
		},
		ca.ErrState: func(h *house, n string) error {
			_, _, err := h.svc.Hold(context.Background(), h.office, h.issuer(), n, "丢失")
			return err
		},
	} {
		h := newHouse(t)
		token, request := h.token(), csr(t, sm2Key(t))
		got, err := h.svc.EnrolSM2(context.Background(), token, request)
		if err != nil {
			t.Fatal(err)
		}
		if err := stop(h, serialOf(t, got.EncCert)); err != nil {
			t.Fatal(err)
		}
		if got, err := h.svc.EnrolSM2(context.Background(), token, request); !errors.Is(err, want) || got.Envelope != nil {
			t.Errorf("err = %v, want %v", err, want)
		}
	}
}

// impatient is a caller that goes away when its token is claimed.
type impatient struct {
	*catest.Registry
	leave context.CancelFunc
}

func (r impatient) Begin(ctx context.Context, c ca.Claim, certs []ca.Certificate, key *ca.EscrowedKey, ev ledger.Event) (ledger.Receipt, error) {
	defer r.leave()
	return r.Registry.Begin(ctx, c, certs, key, ev)
}

func (r impatient) Deliver(ctx context.Context, d ca.Delivery, until time.Time, certs []ca.Certificate, evs ...ledger.Event) (ledger.Receipt, error) {
	if err := ctx.Err(); err != nil {
		return ledger.Receipt{}, err
	}
	return r.Registry.Deliver(ctx, d, until, certs, evs...)
}

func TestACallerThatGoesAwayGetsItsPairLater(t *testing.T) {
	h := newHouse(t)
	token, request := h.token(), csr(t, sm2Key(t))
	ctx, leave := context.WithCancel(context.Background())
	h.cfg.Deliveries = impatient{h.reg, leave}
	_, err := must(ca.New(h.cfg)).EnrolSM2(ctx, token, request)
	if ctx.Err() == nil {
		t.Fatal("the caller stayed")
	}
	if pending, good := h.states(); err != nil || pending != 0 || good != 2 {
		t.Errorf("%d pending, %d good: %v", pending, good, err)
	}
	if _, err := h.svc.EnrolSM2(context.Background(), token, request); err != nil {
		t.Error(err)
	}
}

// late is a registry whose look at a token is older than its claim.
type late struct {
	*catest.Registry
	seen ca.Request
}

func (l late) RequestByToken(context.Context, string, time.Time) (ca.Request, error) {
	return l.seen, nil
}

// Whoever looked at the token before another caller was through gets what that
// one asked for, or nothing.
func TestALateLookAtTheTokenMakesNoSecondPair(t *testing.T) {
	h, ctx := newHouse(t), context.Background()
	token, request := h.token(), csr(t, sm2Key(t))
	seen, err := h.svc.Authorize(ctx, token)
	if err != nil {
		t.Fatal(err)
	}
	first, err := h.svc.EnrolSM2(ctx, token, request)
	if err != nil {
		t.Fatal(err)
	}
	h.cfg.Registry = late{h.reg, seen}
	svc := must(ca.New(h.cfg))
	if got, err := svc.EnrolSM2(ctx, token, request); err != nil || got.Serial != first.Serial {
		t.Errorf("the same request: %v", err)
	}
	if _, err := svc.EnrolSM2(ctx, token, csr(t, sm2Key(t))); !errors.Is(err, ca.ErrToken) {
		t.Errorf("another request: %v", err)
	}
	if pending, good := h.states(); pending != 0 || good != 2 {
		t.Errorf("%d pending, %d good", pending, good)
	}
}

// While one caller has the pair in hand another hears that it is to come back.
func TestATokenInHandIsBusy(t *testing.T) {
	h := newHouse(t)
	token, request := h.token(), csr(t, sm2Key(t))
	basis, now := "token:"+ca.TokenHash(token), h.clock.Now()
	if err := catest.Begin(t, h.reg, ca.Claim{Basis: basis, Now: now, Until: now.Add(time.Minute)}); err != nil {
		t.Fatal(err)
	}
	if _, err := h.svc.EnrolSM2(context.Background(), token, request); !errors.Is(err, ca.ErrBusy) {
		t.Errorf("before the token is claimed: %v", err)
	}
	if err := catest.Begin(t, h.reg, ca.Claim{Basis: "acme:1", Token: ca.TokenHash(token), Now: now, Until: now.Add(time.Minute)}); err != nil {
		t.Fatal(err)
	}
	if _, err := h.svc.EnrolSM2(context.Background(), token, request); !errors.Is(err, ca.ErrBusy) {
		t.Errorf("after it: %v", err)
	}
	h.clock.advance(time.Minute)
	if _, err := h.svc.EnrolSM2(context.Background(), token, request); !errors.Is(err, ca.ErrToken) {
		t.Errorf("its process died: %v", err)
	}
}

func TestTokensThatDoNotOpen(t *testing.T) {
	h := newHouse(t)
	token := h.token()
	for name, bad := range map[string]string{"empty": "", "short": token[:42], "other": strings.Repeat("A", 43), "long": token + "A"} {
		if _, err := h.svc.EnrolSM2(context.Background(), bad, csr(t, sm2Key(t))); !errors.Is(err, ca.ErrToken) {
			t.Errorf("%s: err = %v", name, err)
		}
	}
	h.clock.advance(72*time.Hour + time.Second)
	if _, err := h.svc.EnrolSM2(context.Background(), token, csr(t, sm2Key(t))); !errors.Is(err, ca.ErrToken) {
		t.Errorf("after 72 hours: err = %v", err)
	}
	for _, ev := range h.reg.Events() {
		for _, v := range ev.Details {
			if strings.Contains(v, token) {
				t.Error("the ledger holds the token")
			}
		}
	}
}

func TestCertificatesNeverOutliveTheirIssuer(t *testing.T) {
	h := newHouse(t)
	h.clock.advance(10*365*24*time.Hour - 30*24*time.Hour)
	got, err := h.svc.EnrolSM2(context.Background(), h.token(), csr(t, sm2Key(t)))
	if err != nil {
		t.Fatal(err)
	}
	if end := parse(t, h.boot.SM2Issuing).NotAfter; !parse(t, got.SignCert).NotAfter.Equal(end) {
		t.Error("leaf outlives its issuer")
	}
}

func TestOpenSSLIsServedAndAgrees(t *testing.T) {
	needOpenSSL(t)
	h, dir := newHouse(t), t.TempDir()
	keyFile, csrFile := dir+"/sign.key", dir+"/sign.csr"
	openssl(t, "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:SM2", "-out", keyFile)
	openssl(t, "req", "-new", "-sm3", "-sigopt", distID, "-key", keyFile, "-subj", "/C=CN/CN="+host,
		"-addext", "subjectAltName=DNS:"+host, "-outform", "DER", "-out", csrFile)
	got, err := h.svc.EnrolSM2(context.Background(), h.token(), read(t, csrFile))
	if err != nil {
		t.Fatal(err)
	}
	root, issuing := write(t, dir, "root.pem", ca.PEM(got.Chain[1])), write(t, dir, "issuing.pem", ca.PEM(got.Chain[0]))
	openssl(t, "verify", "-vfyopt", distID, "-CAfile", root, issuing)
	enc := write(t, dir, "enc.pem", ca.PEM(got.EncCert))
	for _, leaf := range []string{enc, write(t, dir, "sign.pem", ca.PEM(got.SignCert))} {
		openssl(t, "verify", "-partial_chain", "-trusted", issuing, "-vfyopt", distID, leaf)
	}
	if text := openssl(t, "x509", "-in", enc, "-noout", "-text"); !strings.Contains(text, "Key Encipherment, Data Encipherment, Key Agreement") ||
		!strings.Contains(text, "http://ca.gov.internal/cps") {
		t.Errorf("openssl reads:\n%s", text)
	}

	// What is encrypted to the certificate opens, in OpenSSL, with the key that
	// was delivered to the signing key.
	signing, err := smx509.ParsePKCS8PrivateKey(pemBody(t, read(t, keyFile)))
	if err != nil {
		t.Fatal(err)
	}
	delivered, err := sm2.ParseEnvelopedPrivateKey(signing.(*sm2.PrivateKey), got.Envelope)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := smx509.MarshalPKCS8PrivateKey(delivered)
	if err != nil {
		t.Fatal(err)
	}
	encKey := write(t, dir, "enc.key", pkcs8)
	text := []byte("关于样例事项的通知")
	cipher, err := sm2.EncryptASN1(h.cfg.Rand, &delivered.PublicKey, text)
	if err != nil {
		t.Fatal(err)
	}
	out := dir + "/out"
	openssl(t, "pkeyutl", "-decrypt", "-keyform", "DER", "-inkey", encKey, "-in", write(t, dir, "in", cipher), "-out", out)
	if !bytes.Equal(read(t, out), text) {
		t.Error("openssl decrypted something else")
	}
}

// What comes beside a pair is recorded with it, refuses before the token is
// claimed, and is not made anew with a pair that is given again.
func TestACompanionIsRecordedWithThePair(t *testing.T) {
	h, ctx := newHouse(t), context.Background()
	token, request := h.token(), csr(t, sm2Key(t))
	broken := errors.New("no token of the other track")
	if _, err := h.svc.EnrolSM2(ctx, token, request, func(context.Context, ca.Request) (ledger.Event, error) { return ledger.Event{}, broken }); !errors.Is(err, broken) {
		t.Fatalf("err = %v", err)
	}
	if pending, good := h.states(); pending+good != 0 || h.key.calls != 0 {
		t.Errorf("refused: %d pending, %d good, %d signatures", pending, good, h.key.calls)
	}
	made := 0
	beside := func(_ context.Context, r ca.Request) (ledger.Event, error) {
		made++
		return ledger.Event{
			ID: newID(), Type: "test.beside", Class: ledger.ClassCertificate, Time: h.clock.Now().UTC().Truncate(time.Millisecond),
			Actor: h.clerk, Object: ledger.Object{Kind: "certificate_request", ID: r.ID}, Outcome: ledger.Success,
		}, nil
	}
	h.reg.FailNext("Begin", broken)
	if _, err := h.svc.EnrolSM2(ctx, token, request, beside); !errors.Is(err, broken) || slices.Contains(h.eventTypes(0), "test.beside") {
		t.Errorf("recorded without its pair: %v", err)
	}
	first, err := h.svc.EnrolSM2(ctx, token, request, beside)
	if err != nil || first.Again {
		t.Fatalf("%v, again %v", err, first.Again)
	}
	types := h.eventTypes(0)
	if last := types[len(types)-2:]; !slices.Equal(last, []string{"ca.certificate.issued", "test.beside"}) || made != 2 {
		t.Errorf("events end with %v, made %d times", last, made)
	}
	again, err := h.svc.EnrolSM2(ctx, token, request, beside)
	if err != nil || !again.Again || again.Serial != first.Serial || made != 2 {
		t.Errorf("again: %v, %v, made %d times", again.Again, err, made)
	}
}
