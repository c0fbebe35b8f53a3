// Package ceremony is the work of an offline root (离线根): making both roots, and
// signing with them what a house recorded and brought over as an Order. Custody
// of the keys and the custodians (密钥分管) are the caller's; this room decides
// what a root may sign and writes the record of it.
//
// A root signs certificates of issuing authorities below it, its own list of
// revoked certificates, and the key of another root of the house that is at work
// in the same ceremony (RFC 4210 4.4), all linted again here and over exactly the
// bytes that the house recorded before (design law 4), and nothing else. It
// refuses an order with an item that it would not sign, as a whole; a list that
// is over, from the future, or longer than MaxValidity; and a record that does
// not bear the signatures of every root at work. Roots come in pairs, one of each
// track, SM2 first. 电子签名法 art. 17 (4), 19; GM/T 0034 10.
package ceremony

import (
	"bytes"
	"crypto"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/sm3"
	"github.com/emmansun/gmsm/smx509"

	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/ca/lint/crl"
	"github.com/yinxin-gov/yinxin/ca/profile"
	"github.com/yinxin-gov/yinxin/internal/text"
)

// Outcomes that callers branch on.
var (
	// ErrOrder: an order that cannot be read, or that a root does not sign.
	ErrOrder = errors.New("ceremony: order refused")
	// ErrRecord: a record that is not signed by its roots, or not complete.
	ErrRecord = errors.New("ceremony: record refused")
)

// Kinds of what a root signs.
const (
	KindAuthority = "authority" // certificate of an issuing authority
	KindCross     = "cross"     // certificate of another root's key
	KindList      = "crl"
)

// MaxValidity bounds a list of a root; MaxSize an order, in bytes.
const (
	MaxValidity = 400 * 24 * time.Hour
	MaxSize     = 8 << 20
	maxItems    = 32
	maxPairs    = 4         // of roots in one ceremony
	skew        = time.Hour // between the clocks of house and room
)

// orderVersion is in every order.
const orderVersion = "yinxin/ceremony-order/v1"

// Order is what a house asks its roots to sign. It is public.
type Order struct {
	Version      string    `json:"version"`
	Organization string    `json:"organization"`
	MadeAt       time.Time `json:"made_at"`
	Items        []Item    `json:"items"`
}

// Item is one signature that is asked for.
type Item struct {
	Kind    string       `json:"kind"`
	Issuer  string       `json:"issuer"`            // ca.IssuerID of the root
	Profile profile.Name `json:"profile,omitempty"` // of a certificate
	TBS     []byte       `json:"tbs"`
}

// NewOrder begins one.
func NewOrder(organization string, at time.Time) Order {
	return Order{Version: orderVersion, Organization: organization, MadeAt: at.UTC().Truncate(time.Second)}
}

// Encode is the file that travels; its SM3 names the order.
func (o Order) Encode() ([]byte, error) {
	raw, err := json.MarshalIndent(o, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("ceremony: encode order: %w", err)
	}
	return append(raw, '\n'), nil
}

// ReadOrder reads such a file.
func ReadOrder(raw []byte) (Order, error) {
	var o Order
	if err := strict(raw, &o); err != nil {
		return Order{}, fmt.Errorf("%w: %w", ErrOrder, err)
	}
	if o.Version != orderVersion || len(o.Items) == 0 || len(o.Items) > maxItems {
		return Order{}, fmt.Errorf("%w: version %q with %d items", ErrOrder, o.Version, len(o.Items))
	}
	return o, nil
}

// strict decodes one JSON value of known fields and nothing after it.
func strict(raw []byte, v any) error {
	if len(raw) > MaxSize {
		return fmt.Errorf("larger than %d bytes", MaxSize)
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if err := dec.Decode(v); err != nil {
		return err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return errors.New("something follows")
	}
	return nil
}

// Act is an item as people read it before they let it be signed.
type Act struct {
	Kind    string    `json:"kind"`
	Issuer  string    `json:"issuer"`              // name of the root
	Root    string    `json:"root,omitempty"`      // SM3 of its certificate: roots of one house have one name
	Subject string    `json:"subject"`             // of an authority, or number and entries of a list
	Names   string    `json:"certifies,omitempty"` // SM3 of the root whose key is certified
	From    time.Time `json:"from"`
	Until   time.Time `json:"until"`
	TBSSM3  string    `json:"tbs_sm3"`
}

// Check says what the roots would sign, or why they do not.
func (o Order) Check(roots []*smx509.Certificate, now time.Time) ([]Act, error) {
	if o.MadeAt.After(now.Add(skew)) {
		return nil, fmt.Errorf("%w: it was made after now; look at the clock", ErrOrder)
	}
	var acts []Act
	for n, item := range o.Items {
		root := find(roots, item.Issuer)
		if root == nil {
			return nil, fmt.Errorf("%w: item %d is for another root", ErrOrder, n+1)
		}
		var a Act
		var err error
		switch item.Kind {
		case KindAuthority:
			a, err = authority(item, root, now)
		case KindCross:
			a, err = cross(item, root, roots, now)
		case KindList:
			a, err = list(item, root, now)
		default:
			err = fmt.Errorf("a root signs no %q", item.Kind)
		}
		if err != nil {
			return nil, fmt.Errorf("%w: item %d: %w", ErrOrder, n+1, err)
		}
		a.Kind, a.Issuer, a.Root, a.TBSSM3 = item.Kind, text.Name(root.Subject), digest(root.Raw), digest(item.TBS)
		acts = append(acts, a)
	}
	return acts, nil
}

// find is the root of this id.
func find(roots []*smx509.Certificate, id string) *smx509.Certificate {
	for _, r := range roots {
		if ca.IssuerID(r) == id {
			return r
		}
	}
	return nil
}

// list: a full list of this root, in its time.
func list(item Item, root *smx509.Certificate, now time.Time) (Act, error) {
	view, err := crl.ParseTBS(item.TBS)
	if err != nil {
		return Act{}, err
	}
	if err := crl.New().Check(crl.Input{View: view, Issuer: root}); err != nil {
		return Act{}, err
	}
	switch {
	case view.Base() != nil:
		return Act{}, errors.New("a root signs no delta list")
	case view.ThisUpdate.After(now.Add(skew)) || !view.NextUpdate.After(now):
		return Act{}, errors.New("the list is out of its period")
	case view.NextUpdate.Sub(view.ThisUpdate) > MaxValidity:
		return Act{}, fmt.Errorf("the list is valid for more than %d days", int(MaxValidity.Hours()/24))
	}
	return Act{Subject: fmt.Sprintf("CRL #%s, %d", view.Number(), len(view.Entries)), From: view.ThisUpdate, Until: view.NextUpdate}, nil
}

// Root is a root at work in the room.
type Root struct {
	Certificate *smx509.Certificate
	Signer      crypto.Signer
}

func certificates(roots []Root) []*smx509.Certificate {
	out := make([]*smx509.Certificate, len(roots))
	for i, r := range roots {
		out[i] = r.Certificate
	}
	return out
}

// sign signs a message with the root's key and checks the result.
func (r Root) sign(rand io.Reader, message []byte) ([]byte, error) {
	var opts crypto.SignerOpts = crypto.SHA256
	if r.Certificate.SignatureAlgorithm == smx509.SM2WithSM3 {
		opts = sm2.DefaultSM2SignerOpts
	}
	signature, err := crypto.SignMessage(r.Signer, rand, message, opts)
	if err != nil {
		return nil, fmt.Errorf("ceremony: sign: %w", err)
	}
	if err := r.Certificate.CheckSignature(r.Certificate.SignatureAlgorithm, message, signature); err != nil {
		return nil, fmt.Errorf("ceremony: the signer does not hold the key of %q: %w", r.Certificate.Subject.CommonName, err)
	}
	return signature, nil
}

func digest(b []byte) string {
	sum := sm3.Sum(b)
	return hex.EncodeToString(sum[:])
}
