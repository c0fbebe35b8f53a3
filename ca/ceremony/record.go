package ceremony

import (
	"crypto/ecdsa"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/emmansun/gmsm/smx509"

	"github.com/yinxin-gov/yinxin/ca"
)

const recordVersion = "yinxin/ceremony-record/v1"

// recordPrefix stands before what is signed, so that no record is ever taken for
// a certificate or a list, nor one of those for a record.
const recordPrefix = recordVersion + "\n"

// Step is one thing that was done, in order.
type Step struct {
	At   time.Time `json:"at"`
	What string    `json:"what"`
}

// Present is a custodian who brought a share.
type Present struct {
	Number int    `json:"number"`
	Name   string `json:"name"`
}

// Key is a root's key with its check value: whoever holds the certificate can
// compute it, nobody can compute the key from it.
type Key struct {
	Root       string `json:"root"`        // name of the root
	Algorithm  string `json:"algorithm"`   // of the certificate's signature
	CheckValue string `json:"check_value"` // SM3 of the SubjectPublicKeyInfo, hex
	SM3        string `json:"sm3"`         // of the root's certificate
}

// Record is what happened in the room (密钥仪式记录).
type Record struct {
	Version      string     `json:"version"`
	Kind         string     `json:"kind"` // RecordRoot, RecordSign
	Organization string     `json:"organization"`
	Place        string     `json:"place"`
	Operator     string     `json:"operator"`
	Witnesses    []string   `json:"witnesses"`
	Division                // of the first pair of roots
	Others       []Division `json:"others,omitempty"` // of each further pair at work
	Keys         []Key      `json:"keys"`             // of every root at work, in pairs
	Order        string     `json:"order,omitempty"`  // SM3 of the order's file
	Acts         []Act      `json:"acts,omitempty"`
	Script       []Step     `json:"script"`
	Software     string     `json:"software"`
	EndedAt      time.Time  `json:"ended_at"`
}

// Division is how the keys of a pair of roots are divided, and who came.
type Division struct {
	Need       int       `json:"need"` // custodians who must come together
	Of         int       `json:"of"`
	Split      string    `json:"split"` // digest of the public part of the division
	Custodians []Present `json:"custodians"`
}

func (d Division) check() error {
	switch {
	case d.Split == "":
		return fmt.Errorf("%w: the division is missing", ErrRecord)
	case d.Need < 2 || d.Of < d.Need || len(d.Custodians) < d.Need:
		return fmt.Errorf("%w: %d custodians of %d needed", ErrRecord, len(d.Custodians), d.Need)
	}
	return nil
}

// Kinds of a Record.
const (
	RecordRoot = "root"
	RecordSign = "sign"
)

// Signature of a root, over an item's TBS or over the record.
type Signature struct {
	Issuer string `json:"issuer"`
	TBSSM3 string `json:"tbs_sm3"`
	Value  []byte `json:"value"`
}

// Outcome is the file that leaves the room: record, signatures, nothing secret.
type Outcome struct {
	Record     []byte      `json:"record"` // a Record, as signed
	Proof      []Signature `json:"proof"`  // of every root, over the record
	Signatures []Signature `json:"signatures,omitempty"`
	Roots      [][]byte    `json:"roots"` // DER, in pairs, SM2 first
}

// Sign checks an order as a whole, signs every item, and then the record of it,
// which it completes. Nothing is signed when one item is refused.
func Sign(raw []byte, roots []Root, rec Record, rand io.Reader, now func() time.Time) (Outcome, error) {
	o, err := ReadOrder(raw)
	if err != nil {
		return Outcome{}, err
	}
	if rec.Acts, err = o.Check(certificates(roots), now()); err != nil {
		return Outcome{}, err
	}
	// Whoever has to be here is looked at before any key is used.
	rec.Kind, rec.Order = RecordSign, digest(raw)
	if err := rec.of(roots); err != nil {
		return Outcome{}, err
	}
	var made []Signature
	for i, item := range o.Items {
		for _, r := range roots {
			if find([]*smx509.Certificate{r.Certificate}, item.Issuer) == nil {
				continue
			}
			value, err := r.sign(rand, item.TBS)
			if err != nil {
				return Outcome{}, err
			}
			made = append(made, Signature{Issuer: item.Issuer, TBSSM3: rec.Acts[i].TBSSM3, Value: value})
			rec.Script = append(rec.Script, Step{now().UTC().Truncate(time.Second), "sign " + item.Kind + " " + rec.Acts[i].TBSSM3})
		}
	}
	out, err := Seal(rec, roots, rand, now)
	if err != nil {
		return Outcome{}, err
	}
	out.Signatures = made
	return out, nil
}

// of names the roots at work, and checks that the record is complete for them.
func (r *Record) of(roots []Root) error {
	r.Version, r.Keys = recordVersion, nil
	for _, root := range roots {
		r.Keys = append(r.Keys, keyOf(root.Certificate))
	}
	return r.check()
}

// Seal completes a record and signs it with every root.
func Seal(rec Record, roots []Root, rand io.Reader, now func() time.Time) (Outcome, error) {
	rec.EndedAt = now().UTC().Truncate(time.Second)
	if err := rec.of(roots); err != nil {
		return Outcome{}, err
	}
	var out Outcome
	for _, r := range roots {
		out.Roots = append(out.Roots, r.Certificate.Raw)
	}
	var err error
	if out.Record, err = json.MarshalIndent(rec, "", "  "); err != nil {
		return Outcome{}, fmt.Errorf("ceremony: encode record: %w", err)
	}
	for _, r := range roots {
		value, err := r.sign(rand, append([]byte(recordPrefix), out.Record...))
		if err != nil {
			return Outcome{}, err
		}
		out.Proof = append(out.Proof, Signature{Issuer: ca.IssuerID(r.Certificate), TBSSM3: digest(out.Record), Value: value})
	}
	return out, nil
}

func keyOf(c *smx509.Certificate) Key {
	return Key{Root: c.Subject.CommonName, Algorithm: c.SignatureAlgorithm.String(), CheckValue: digest(c.RawSubjectPublicKeyInfo), SM3: digest(c.Raw)}
}

// check: a ceremony has an operator, two witnesses at least who are other
// persons, and enough custodians.
func (r Record) check() error {
	seen := map[string]bool{r.Operator: true}
	for _, w := range r.Witnesses {
		if w == "" || seen[w] {
			return fmt.Errorf("%w: witness %q is nobody else", ErrRecord, w)
		}
		seen[w] = true
	}
	switch {
	case r.Version != recordVersion || r.Kind != RecordRoot && r.Kind != RecordSign:
		return fmt.Errorf("%w: version %q, kind %q", ErrRecord, r.Version, r.Kind)
	case r.Organization == "" || r.Place == "" || r.Operator == "":
		return fmt.Errorf("%w: organization, place or operator is missing", ErrRecord)
	case len(r.Witnesses) < 2:
		return fmt.Errorf("%w: two witnesses are needed", ErrRecord)
	case len(r.Keys) != 2*(1+len(r.Others)):
		return fmt.Errorf("%w: %d keys of %d pairs of roots", ErrRecord, len(r.Keys), 1+len(r.Others))
	}
	for _, d := range append([]Division{r.Division}, r.Others...) {
		if err := d.check(); err != nil {
			return err
		}
	}
	return nil
}

// Encode is the file of an outcome.
func (o Outcome) Encode() ([]byte, error) {
	raw, err := json.MarshalIndent(o, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("ceremony: encode outcome: %w", err)
	}
	return append(raw, '\n'), nil
}

// ReadOutcome reads such a file. What it says is worth nothing before Verify.
func ReadOutcome(raw []byte) (Outcome, error) {
	var o Outcome
	if err := strict(raw, &o); err != nil {
		return Outcome{}, fmt.Errorf("%w: %w", ErrRecord, err)
	}
	if n := len(o.Roots); n == 0 || n%2 != 0 || n > 2*maxPairs || len(o.Signatures) > maxItems {
		return Outcome{}, fmt.Errorf("%w: %d roots, %d signatures", ErrRecord, len(o.Roots), len(o.Signatures))
	}
	return o, nil
}

// RootCertificates parses the roots, in pairs, SM2 first, each signed by itself.
// Whether they are the right ones the caller knows, or compares their fingerprints.
func (o Outcome) RootCertificates() ([]*smx509.Certificate, error) {
	var out []*smx509.Certificate
	for i, der := range o.Roots {
		c, err := smx509.ParseCertificate(der)
		if err != nil {
			return nil, fmt.Errorf("%w: root %d: %w", ErrRecord, i+1, err)
		}
		if _, ok := c.PublicKey.(*ecdsa.PublicKey); !ok || (c.SignatureAlgorithm == smx509.SM2WithSM3) != (i%2 == 0) {
			return nil, fmt.Errorf("%w: root %d is of another track", ErrRecord, i+1)
		}
		if err := c.CheckSignatureFrom(c); err != nil {
			return nil, fmt.Errorf("%w: root %d: %w", ErrRecord, i+1, err)
		}
		out = append(out, c)
	}
	return out, nil
}

// Verify checks the record against these roots, all of which must have signed it,
// and returns it with its SM3. No other root signed anything in it.
func (o Outcome) Verify(roots []*smx509.Certificate) (Record, string, error) {
	var rec Record
	if err := strict(o.Record, &rec); err != nil {
		return Record{}, "", fmt.Errorf("%w: %w", ErrRecord, err)
	}
	if err := rec.check(); err != nil {
		return Record{}, "", err
	}
	if len(o.Proof) != len(roots) || len(rec.Keys) != len(roots) {
		return Record{}, "", fmt.Errorf("%w: not signed by its %d roots", ErrRecord, len(roots))
	}
	for _, s := range o.Signatures {
		if find(roots, s.Issuer) == nil {
			return Record{}, "", fmt.Errorf("%w: a root signed that has no part in the record", ErrRecord)
		}
	}
	for i, root := range roots {
		if rec.Keys[i] != keyOf(root) {
			return Record{}, "", fmt.Errorf("%w: it is of another root than %q", ErrRecord, root.Subject.CommonName)
		}
		if err := root.CheckSignature(root.SignatureAlgorithm, append([]byte(recordPrefix), o.Record...), o.Proof[i].Value); err != nil {
			return Record{}, "", fmt.Errorf("%w: %q did not sign it: %w", ErrRecord, root.Subject.CommonName, err)
		}
	}
	return rec, digest(o.Record), nil
}

// Signed is the signature of a root over these bytes, which it verifies.
func (o Outcome) Signed(root *smx509.Certificate, tbs []byte) ([]byte, error) {
	sum := digest(tbs)
	for _, s := range o.Signatures {
		if s.TBSSM3 != sum {
			continue
		}
		if err := root.CheckSignature(root.SignatureAlgorithm, tbs, s.Value); err != nil {
			return nil, fmt.Errorf("%w: signature of %s: %w", ErrRecord, sum, err)
		}
		return s.Value, nil
	}
	return nil, fmt.Errorf("%w: %s was not signed", ErrRecord, sum)
}
