package status_test

import (
	"bytes"
	"encoding/asn1"
	"math/big"
	"testing"
	"time"

	"github.com/emmansun/gmsm/sm3"
	"github.com/emmansun/gmsm/smx509"
)

// The structures of RFC 6960, declared a second time and read by encoding/asn1:
// the judge of the encoder, which is written with another library.
type (
	asnCertID struct {
		Hash    algorithmID
		Name    []byte
		Key     []byte
		Serial  *big.Int
		Strange asn1.RawValue `asn1:"optional"`
	}
	algorithmID struct {
		OID    asn1.ObjectIdentifier
		Params asn1.RawValue `asn1:"optional"`
	}
	asnRequest struct {
		TBS struct {
			List  []asnOne
			Extra []extension `asn1:"explicit,tag:2,optional"`
		}
	}
	asnOne    struct{ ID asnCertID }
	extension struct {
		OID      asn1.ObjectIdentifier
		Critical bool `asn1:"optional"`
		Value    []byte
	}
	asnResponse struct {
		Status asn1.Enumerated
		Bytes  struct {
			Type asn1.ObjectIdentifier
			Body []byte
		} `asn1:"explicit,tag:0,optional"`
	}
	asnBasic struct {
		TBS       asn1.RawValue
		Algorithm algorithmID
		Signature asn1.BitString
		Certs     []asn1.RawValue `asn1:"explicit,tag:0,optional"`
	}
	asnData struct {
		Responder asn1.RawValue `asn1:"explicit,tag:1"`
		Produced  time.Time     `asn1:"generalized"`
		Answers   []asnSingle
		Extra     []extension `asn1:"explicit,tag:1,optional"`
	}
	asnSingle struct {
		ID      asnCertID
		Good    asn1.Flag   `asn1:"tag:0,optional"`
		Revoked asnRevoked  `asn1:"tag:1,optional"`
		Unknown asn1.Flag   `asn1:"tag:2,optional"`
		This    time.Time   `asn1:"generalized"`
		Next    time.Time   `asn1:"generalized,explicit,tag:0"`
		Extra   []extension `asn1:"explicit,tag:1,optional"`
	}
	asnRevoked struct {
		At     time.Time       `asn1:"generalized"`
		Reason asn1.Enumerated `asn1:"explicit,tag:0,optional"`
	}
)

var oidNonce = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 1, 2}

func nonce(n int) extension {
	value, err := asn1.Marshal(bytes.Repeat([]byte{7}, n))
	if err != nil {
		panic(err)
	}
	return extension{OID: oidNonce, Value: value}
}

func idOf(issuer *smx509.Certificate, serial *big.Int, oid asn1.ObjectIdentifier, hash func([]byte) []byte) asnCertID {
	var spki struct {
		Algorithm algorithmID
		Key       asn1.BitString
	}
	if _, err := asn1.Unmarshal(issuer.RawSubjectPublicKeyInfo, &spki); err != nil {
		panic(err)
	}
	return asnCertID{Hash: algorithmID{OID: oid}, Name: hash(issuer.RawSubject), Key: hash(spki.Key.Bytes), Serial: serial}
}

func withSM3(issuer *smx509.Certificate, serial *big.Int) asnCertID {
	return idOf(issuer, serial, asn1.ObjectIdentifier{1, 2, 156, 10197, 1, 401}, func(b []byte) []byte { s := sm3.Sum(b); return s[:] })
}

func requestOf(extra []extension, ids ...asnCertID) []byte {
	var r asnRequest
	for _, id := range ids {
		r.TBS.List = append(r.TBS.List, asnOne{id})
	}
	r.TBS.Extra = extra
	der, err := asn1.Marshal(r)
	if err != nil {
		panic(err)
	}
	return der
}

func statusOf(t *testing.T, der []byte) int {
	t.Helper()
	var r asnResponse
	if rest, err := asn1.Unmarshal(der, &r); err != nil || len(rest) > 0 {
		t.Fatalf("response %x: %v", der, err)
	}
	return int(r.Status)
}

// open reads a response and verifies its signature with the signer's key.
func openResponse(t *testing.T, der []byte, signer *smx509.Certificate) (asnData, asnBasic) {
	t.Helper()
	var r asnResponse
	var b asnBasic
	var d asnData
	if _, err := asn1.Unmarshal(der, &r); err != nil || r.Status != 0 {
		t.Fatalf("status %d, %v", r.Status, err)
	}
	if rest, err := asn1.Unmarshal(r.Bytes.Body, &b); err != nil || len(rest) > 0 {
		t.Fatal(err)
	}
	if rest, err := asn1.Unmarshal(b.TBS.FullBytes, &d); err != nil || len(rest) > 0 {
		t.Fatal(err)
	}
	want := smx509.ECDSAWithSHA256
	if b.Algorithm.OID.Equal(asn1.ObjectIdentifier{1, 2, 156, 10197, 1, 501}) {
		want = smx509.SM2WithSM3
	}
	if err := signer.CheckSignature(want, b.TBS.FullBytes, b.Signature.Bytes); err != nil {
		t.Fatalf("signature: %v", err)
	}
	if !bytes.Equal(d.Responder.Bytes, signer.RawSubject) {
		t.Error("responder is not named as in its certificate")
	}
	return d, b
}
