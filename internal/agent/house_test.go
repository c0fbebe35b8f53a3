package agent

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/smx509"

	"github.com/yinxin-gov/yinxin/authz/level"
	"github.com/yinxin-gov/yinxin/internal/api/wire"
	"github.com/yinxin-gov/yinxin/signer/cms"
)

const token = "one-time-token-that-nobody-may-see"

// house is the other side: both chains, and an HTTPS server with the paths that
// an agent calls. What it answers can be bent by a test.
type house struct {
	t               *testing.T
	sm2Root, sm2Mid issued
	ecRoot, ecMid   issued
	later           issued // the SM2 authority that issues after h.sm2Mid
	exchange        issued
	server          *httptest.Server
	enrolled        *ecdsa.PublicKey // signing key that asked
	enrolment       *follower        // the one pair of the token; nil: not spent
	otts            int              // one-time tokens that were given
	early           func()           // the pair is made, the answer not sent
	setting         sync.Mutex
	encKey          *sm2.PrivateKey
	bend            func(*wire.EnrolAnswer)
	sign            func(w http.ResponseWriter, r *http.Request) bool // true: answered
	problem         func(w http.ResponseWriter) bool
	envelope        []byte
	receipt         []byte
	peers           int
	question        json.RawMessage
	followers       map[string]follower // by serial of the signing certificate
	renewals        int
	rollover        []wire.RootUpdate
	recovered       map[string]wire.RecoveredKey     // by id; each is delivered once
	lost            func(w http.ResponseWriter) bool // true: the pair is made, the answer lost
}

// follower is the one pair that follows a signing certificate.
type follower struct {
	csr  []byte
	pair wire.Pair
}

func newHouse(t *testing.T) *house {
	t.Helper()
	h := &house{t: t, followers: map[string]follower{}}
	h.sm2Root = h.sm2(nil, pkix.Name{CommonName: "SM2 root"}, smx509.KeyUsageCertSign, nil, nil)
	h.sm2Mid = h.sm2(&h.sm2Root, pkix.Name{CommonName: "SM2 issuing"}, smx509.KeyUsageCertSign, nil, nil)
	h.later = h.sm2(&h.sm2Root, pkix.Name{CommonName: "SM2 issuing G2"}, smx509.KeyUsageCertSign, nil, nil)
	h.exchange = h.sm2(&h.sm2Mid, pkix.Name{CommonName: "交换服务签名", Organization: []string{"样例区政务信息办公室"}}, smx509.KeyUsageDigitalSignature, nil, nil)
	h.ecRoot = h.ecdsa(nil, "ECDSA root", true, nil)
	h.ecMid = h.ecdsa(&h.ecRoot, "ECDSA issuing", true, nil)
	own := h.ecdsa(&h.ecMid, "localhost", false, nil)
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+wire.PathEnrol, h.enrol)
	mux.HandleFunc("POST /1.0/sign", h.signTLS)
	mux.HandleFunc("POST /1.0/rekey", h.signTLS)
	mux.HandleFunc("POST /1.0/renew", func(w http.ResponseWriter, r *http.Request) {
		h.issueTLS(w, "civil-a", r.TLS.PeerCertificates[0].PublicKey)
	})
	mux.HandleFunc("POST "+wire.PathRenewals, h.renewSM2)
	mux.HandleFunc("GET "+wire.PathAnchors, func(w http.ResponseWriter, _ *http.Request) {
		h.answer(w, wire.Anchors{SM2Root: certPEM(h.sm2Root.der), ECDSARoot: certPEM(h.ecRoot.der)})
	})
	mux.HandleFunc("GET "+wire.PathRollover, func(w http.ResponseWriter, _ *http.Request) { h.answer(w, h.rollover) })
	mux.HandleFunc("GET "+wire.PathAuthorities, func(w http.ResponseWriter, _ *http.Request) {
		_, err := io.WriteString(w, certPEM(h.sm2Mid.der)+certPEM(h.later.der))
		h.must(err)
	})
	mux.HandleFunc("GET "+wire.PathTransfers+"/{id}/envelope", func(w http.ResponseWriter, r *http.Request) {
		h.peers += len(r.TLS.PeerCertificates)
		_, _ = w.Write(h.envelope)
	})
	mux.HandleFunc("POST "+wire.PathTransfers+"/{id}/receipt", func(w http.ResponseWriter, r *http.Request) {
		var in wire.ReceiptRequest
		h.decode(r, &in)
		h.receipt = in.Signature
		h.answer(w, wire.Transfer{ID: r.PathValue("id"), State: "received"})
	})
	mux.HandleFunc("POST "+wire.PathRecoveries+"/{id}/delivery", func(w http.ResponseWriter, r *http.Request) {
		h.peers += len(r.TLS.PeerCertificates)
		got, ok := h.recovered[r.PathValue("id")]
		if !ok {
			h.refuse(w, http.StatusConflict, "recovery.delivered")
			return
		}
		delete(h.recovered, r.PathValue("id"))
		h.answer(w, got)
	})
	mux.HandleFunc("GET "+wire.PathTransfers, func(w http.ResponseWriter, _ *http.Request) { h.answer(w, []wire.Transfer{{ID: "t-1"}}) })
	mux.HandleFunc("POST "+wire.PathTransfers, func(w http.ResponseWriter, _ *http.Request) { h.answer(w, wire.Transfer{ID: "t-2"}) })
	mux.HandleFunc("POST /access/v1/evaluation", func(w http.ResponseWriter, r *http.Request) {
		h.decode(r, &h.question)
		h.answer(w, map[string]bool{"decision": true})
	})
	h.server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.set(func() {}) // what was set before the call is seen
		if h.problem == nil || !h.problem(w) {
			mux.ServeHTTP(w, r)
		}
	}))
	clients := x509.NewCertPool()
	clients.AddCert(h.tlsRoot())
	h.server.TLS = &tls.Config{
		Certificates: []tls.Certificate{{Certificate: [][]byte{own.der, h.ecMid.der}, PrivateKey: own.key}},
		ClientAuth:   tls.VerifyClientCertIfGiven, ClientCAs: clients,
	}
	h.server.Config.ErrorLog = nil
	h.server.StartTLS()
	t.Cleanup(h.server.Close)
	return h
}

// set bends the house for a caller in another process.
func (h *house) set(f func()) {
	h.setting.Lock()
	defer h.setting.Unlock()
	f()
}

func (h *house) config(dir string) Config {
	root, err := smx509.ParseCertificate(h.sm2Root.der)
	h.must(err)
	return Config{URL: h.server.URL, Dir: dir, TLSRoot: h.tlsRoot(), SM2Root: root}
}

// enrol keeps the promise of wire.EnrolRequest: one pair, the same request again
// the same pair, any other refused.
func (h *house) enrol(w http.ResponseWriter, r *http.Request) {
	var in wire.EnrolRequest
	h.decode(r, &in)
	csr, err := smx509.ParseCertificateRequest(in.SM2CSR)
	h.must(err)
	h.must(csr.CheckSignature())
	if in.Token != token {
		h.refuse(w, http.StatusForbidden, "enrol.token")
		return
	}
	if h.enrolment == nil {
		h.enrolled = csr.PublicKey.(*ecdsa.PublicKey)
		h.enrolment = &follower{in.SM2CSR, h.pair(h.enrolled)}
	}
	if !bytes.Equal(h.enrolment.csr, in.SM2CSR) {
		h.refuse(w, http.StatusForbidden, "enrol.token")
		return
	}
	h.otts++
	pair := h.enrolment.pair
	ans := wire.EnrolAnswer{
		System: "civil-a", EnvelopedKey: slices.Clone(pair.EnvelopedKey), Chain: pair.Chain, SignCert: pair.SignCert, EncCert: pair.EncCert,
		OneTimeToken: fmt.Sprint("ott-", h.otts), SignURL: h.server.URL + "/1.0/sign", Hosts: []string{"civil.internal"},
	}
	if h.early != nil {
		h.early()
		panic(http.ErrAbortHandler)
	}
	if h.bend != nil {
		h.bend(&ans)
	}
	h.answer(w, ans)
}

// pair makes both halves for a signing key.
func (h *house) pair(sign *ecdsa.PublicKey) wire.Pair {
	var err error
	h.encKey, err = sm2.GenerateKey(rand.Reader)
	h.must(err)
	enveloped, err := sm2.MarshalEnvelopedPrivateKey(rand.Reader, sign, h.encKey)
	h.must(err)
	return wire.Pair{
		System: "civil-a", EnvelopedKey: enveloped, Chain: [][]byte{h.sm2Mid.der, h.sm2Root.der},
		SignCert: h.sm2(&h.sm2Mid, unitName("civil-a"), smx509.KeyUsageDigitalSignature, []string{"civil.internal"}, sign).der,
		EncCert:  h.sm2(&h.sm2Mid, unitName("civil-a"), smx509.KeyUsageKeyEncipherment, []string{"civil.internal"}, &h.encKey.PublicKey).der,
	}
}

// renewSM2 keeps the promise of wire.RenewRequest: one follower, the same
// request again the same answer, any other refused.
func (h *house) renewSM2(w http.ResponseWriter, r *http.Request) {
	var in wire.RenewRequest
	h.decode(r, &in)
	csr, err := smx509.ParseCertificateRequest(in.SM2CSR)
	h.must(err)
	h.must(csr.CheckSignature())
	if len(r.TLS.PeerCertificates) == 0 || !sm2.VerifyASN1WithSM2(h.enrolled, nil, wire.RenewalMessage(in.Serial, in.SM2CSR), in.Signature) {
		h.refuse(w, http.StatusForbidden, "renew.signature")
		return
	}
	f, ok := h.followers[in.Serial]
	if ok && !bytes.Equal(f.csr, in.SM2CSR) {
		h.refuse(w, http.StatusConflict, "renew.followed")
		return
	}
	if !ok {
		f = follower{in.SM2CSR, h.pair(csr.PublicKey.(*ecdsa.PublicKey))}
		h.followers[in.Serial] = f
	}
	if h.renewals++; h.lost != nil && h.lost(w) {
		return
	}
	h.answer(w, f.pair)
}

func (h *house) signTLS(w http.ResponseWriter, r *http.Request) {
	if h.sign != nil && h.sign(w, r) {
		return
	}
	var in map[string]string
	h.decode(r, &in)
	block, _ := pem.Decode([]byte(in["csr"]))
	csr, err := x509.ParseCertificateRequest(block.Bytes)
	h.must(err)
	h.must(csr.CheckSignature())
	h.issueTLS(w, csr.Subject.CommonName, csr.PublicKey)
}

func (h *house) issueTLS(w http.ResponseWriter, name string, key crypto.PublicKey) {
	leaf := h.ecdsa(&h.ecMid, name, false, key)
	h.answer(w, map[string]string{"crt": certPEM(leaf.der), "ca": certPEM(h.ecMid.der)})
}

// sealed is an envelope by the signer for an encryption certificate.
func (h *house) sealed(by issued, hd wire.Header, document, encCert []byte) []byte {
	h.t.Helper()
	inner, err := cms.Encrypt(document, encCert)
	h.must(err)
	raw, err := json.Marshal(hd)
	h.must(err)
	out, err := cms.SignEnvelope(raw, inner, by.key, by.der)
	h.must(err)
	return out
}

func header(document []byte) wire.Header {
	return wire.Header{
		Transfer: "t-1", System: "civil-a", Receiver: "11110102MB0000000X", Label: level.Label{Level: 3, RequiredS: 3, RequiredA: 3},
		Decision: "d-1", Document: sm3Hex(document), Name: "通知.ofd", Resource: "population", SentAt: time.Now().UTC(),
	}
}

func (h *house) refuse(w http.ResponseWriter, status int, code string) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	h.answer(w, wire.Problem{Status: status, Code: code, Detail: "refused", Zh: "拒绝", Reasons: []wire.Reason{{Code: "E10_label_lowered"}}})
}

func (h *house) decode(r *http.Request, v any) {
	raw, err := io.ReadAll(r.Body)
	h.must(err)
	h.must(json.Unmarshal(raw, v))
}

func (h *house) answer(w http.ResponseWriter, v any) { h.must(json.NewEncoder(w).Encode(v)) }

func (h *house) must(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Error(err)
	}
}
