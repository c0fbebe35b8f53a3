package sharing

import (
	"bytes"
	"crypto/ecdsa"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/sm3"
	"github.com/emmansun/gmsm/smx509"
)

// Destruction is the statement of a system that it destroyed a copy
// (西政办发〔2014〕14号 art. 23), signed with its SM2 signing key.
type Destruction struct {
	Holding    string    `json:"holding"`
	Payload    string    `json:"payload_sm3"` // what was destroyed
	System     string    `json:"system"`
	Method     string    `json:"method"` // how, in words
	At         time.Time `json:"at"`
	CertDER    []byte    `json:"certificate"`
	Signature  []byte    `json:"signature"` // DER, over Statement
	RecordedAt time.Time `json:"recorded_at"`
}

// destructionDomain keeps a signature over a statement from being one of anything else.
const destructionDomain = "yinxin/destruction/v1\n"

// Statement returns the bytes that the system signs: the line
// "yinxin/destruction/v1", a line feed, and one JSON object without white space,
// names sorted, the time in UTC with milliseconds.
func (d Destruction) Statement() []byte {
	b := bytes.NewBufferString(destructionDomain)
	enc := json.NewEncoder(b)
	enc.SetEscapeHTML(false)
	// Strings always have JSON; a bytes.Buffer takes all that is written.
	_ = enc.Encode(struct {
		At      string `json:"at"`
		Holding string `json:"holding"`
		Method  string `json:"method"`
		Payload string `json:"payload_sm3"`
		System  string `json:"system"`
	}{d.At.UTC().Format(timeForm), d.Holding, d.Method, d.Payload, d.System})
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

// Digest is SM3 over statement and signature, in lower-case hex: the evidence on
// the ledger.
func (d Destruction) Digest() string {
	sum := sm3.Sum(append(d.Statement(), d.Signature...))
	return hex.EncodeToString(sum[:])
}

// check: whole milliseconds, neither before the copy was there nor to come.
func (d Destruction) check(h Holding, now time.Time) error {
	switch {
	case d.Method == "" || !plain(d.Method):
		return fmt.Errorf("%w: how the copy was destroyed", ErrInvalid)
	case !d.At.Equal(d.At.Truncate(time.Millisecond)), d.At.Before(h.At.Add(-maxSkew)), d.At.After(now.Add(maxSkew)):
		return fmt.Errorf("%w: when the copy was destroyed", ErrInvalid)
	}
	return nil
}

// Verify checks the signature against the certificate in the record; whose it is
// was the question when it was recorded.
func (d Destruction) Verify() error {
	cert, err := smx509.ParseCertificate(d.CertDER)
	if err != nil {
		return fmt.Errorf("%w: certificate", ErrEvidence)
	}
	pub, ok := cert.PublicKey.(*ecdsa.PublicKey)
	if !ok || !sm2.IsSM2PublicKey(pub) || len(d.Signature) == 0 || !sm2.VerifyASN1WithSM2(pub, nil, d.Statement(), d.Signature) {
		return ErrEvidence
	}
	return nil
}
