package ledger

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"strconv"
	"strings"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/sm3"
	"github.com/emmansun/gmsm/smx509"
	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// OriginSuffix ends every origin: it names the hash, so that a SHA-256
// checkpoint cannot pass for one of ours (attack 23).
const OriginSuffix = "/ledger/sm3"

// Note is a checkpoint (检查点): a signed statement "the tree of this origin
// with Size leaves has this Root". Its text follows C2SP signed-note and
// tlog-checkpoint, with SM3 and SM2 in place of SHA-256 and Ed25519:
//
//	<name>/ledger/sm3\n
//	<size, decimal>\n
//	<root, base64>\n
//	\n
//	— <name> <base64(keyid[4] || DER signature)>\n
//
// Signed are the first three lines with their line ends, by SM2 with SM3 and
// the default user id 1234567812345678. keyid is the first 4 bytes of
// SM3(name || 0x0A || 0xff || "yinxin/sm2-sm3/v1" || SubjectPublicKeyInfo DER).
// There is exactly one signature line; two shards never share a name.
type Note struct {
	Origin    string
	Size      uint64
	Root      Hash
	KeyID     [4]byte
	Signature []byte // DER
}

// Outcomes of a note.
var (
	// ErrNote: text that is not exactly a checkpoint note.
	ErrNote = errors.New("ledger: malformed checkpoint")
	// ErrSignature: the signature does not verify with this key.
	ErrSignature = errors.New("ledger: checkpoint signature does not verify")
	// ErrKey: not an SM2 public key in its one accepted form.
	ErrKey = errors.New("ledger: not an SM2 public key")
)

const (
	sigAlgorithm = "\xffyinxin/sm2-sm3/v1"
	sigPrefix    = "\u2014 " // em dash, space
	maxNote      = 1 << 12
	maxOrigin    = 255
)

// Text is the signed part.
func (n Note) Text() []byte {
	return fmt.Appendf(nil, "%s\n%d\n%s\n", n.Origin, n.Size, base64.StdEncoding.EncodeToString(n.Root[:]))
}

// Name is the origin without its suffix, the name on the signature line.
func (n Note) Name() string { return strings.TrimSuffix(n.Origin, OriginSuffix) }

// ValidOrigin reports whether s is <name>/ledger/sm3 with a printable name
// that has no space and no plus sign (C2SP signed-note key names).
func ValidOrigin(s string) bool {
	name, ok := strings.CutSuffix(s, OriginSuffix)
	if !ok || name == "" || len(s) > maxOrigin {
		return false
	}
	for i := 0; i < len(name); i++ {
		if name[i] <= ' ' || name[i] >= 0x7f || name[i] == '+' {
			return false
		}
	}
	return true
}

// SignNote signs a checkpoint and checks the signature before it lets it out:
// a broken token must not be found by the auditor first. It returns the text.
func SignNote(rand io.Reader, n Note, key crypto.Signer) ([]byte, error) {
	if !ValidOrigin(n.Origin) {
		return nil, fmt.Errorf("%w: origin %q", ErrNote, n.Origin)
	}
	pub, ok := key.Public().(*ecdsa.PublicKey)
	if !ok {
		return nil, ErrKey
	}
	id, err := KeyID(n.Name(), pub)
	if err != nil {
		return nil, err
	}
	// Only these options sign a message; any other would sign a raw digest.
	sig, err := key.Sign(rand, n.Text(), sm2.DefaultSM2SignerOpts)
	if err != nil {
		return nil, fmt.Errorf("ledger: signing a checkpoint: %w", err)
	}
	n.KeyID, n.Signature = id, sig
	if err := n.Verify(pub); err != nil {
		return nil, err
	}
	return n.Marshal(), nil
}

// Marshal is the text of a signed note.
func (n Note) Marshal() []byte {
	sig := base64.StdEncoding.EncodeToString(append(n.KeyID[:], n.Signature...))
	return fmt.Appendf(n.Text(), "\n%s%s %s\n", sigPrefix, n.Name(), sig)
}

// ParseNote accepts exactly what Marshal writes, byte for byte: no CRLF, no
// missing or further line, no control character, no second checkpoint, no
// other base64 or DER of the same value (attacks 27, 28).
func ParseNote(text []byte) (Note, error) {
	var n Note
	bad := func(why string) (Note, error) { return Note{}, fmt.Errorf("%w: %s", ErrNote, why) }
	if len(text) > maxNote {
		return bad("too long")
	}
	lines := strings.Split(string(text), "\n")
	if len(lines) != 6 || lines[3] != "" || lines[5] != "" {
		return bad("want three lines, an empty line and one signature line")
	}
	if !ValidOrigin(lines[0]) {
		return bad("origin")
	}
	n.Origin = lines[0]
	var err error
	if n.Size, err = strconv.ParseUint(lines[1], 10, 63); err != nil {
		return bad("size")
	}
	root, err := base64.StdEncoding.DecodeString(lines[2])
	if err != nil || len(root) != HashSize {
		return bad("root")
	}
	n.Root = Hash(root)
	blob, ok := strings.CutPrefix(lines[4], sigPrefix+n.Name()+" ")
	if !ok {
		return bad("signature line")
	}
	sig, err := base64.StdEncoding.DecodeString(blob)
	if err != nil || len(sig) <= len(n.KeyID) {
		return bad("signature")
	}
	copy(n.KeyID[:], sig)
	n.Signature = sig[len(n.KeyID):]
	if !strictSignature(n.Signature) {
		return bad("signature is not strict DER")
	}
	// Every field has one form only: leading zeros, line ends inside base64
	// and the like end here.
	if !bytes.Equal(n.Marshal(), text) {
		return bad("not in its one form")
	}
	return n, nil
}

// Verify checks key id and signature with a key.
func (n Note) Verify(pub *ecdsa.PublicKey) error {
	id, err := KeyID(n.Name(), pub)
	if err != nil {
		return err
	}
	if id != n.KeyID || !strictSignature(n.Signature) || !sm2.VerifyASN1WithSM2(pub, nil, n.Text(), n.Signature) {
		return ErrSignature
	}
	return nil
}

// KeyID is the key id on the signature lines of name.
func KeyID(name string, pub *ecdsa.PublicKey) (id [4]byte, err error) {
	der, err := marshalKey(pub)
	if err != nil {
		return id, err
	}
	sum := sm3.Sum(append([]byte(name+"\n"+sigAlgorithm), der...))
	copy(id[:], sum[:])
	return id, nil
}

// strictSignature: SEQUENCE of two minimal INTEGERs in [1, n-1], nothing else.
func strictSignature(der []byte) bool {
	in, inner := cryptobyte.String(der), cryptobyte.String(nil)
	r, s := new(big.Int), new(big.Int)
	if !in.ReadASN1(&inner, asn1.SEQUENCE) || !in.Empty() ||
		!inner.ReadASN1Integer(r) || !inner.ReadASN1Integer(s) || !inner.Empty() {
		return false
	}
	order := sm2.P256().Params().N
	return r.Sign() > 0 && s.Sign() > 0 && r.Cmp(order) < 0 && s.Cmp(order) < 0
}

func marshalKey(pub *ecdsa.PublicKey) ([]byte, error) {
	if pub == nil || pub.Curve != sm2.P256() {
		return nil, ErrKey
	}
	der, err := smx509.MarshalPKIXPublicKey(pub)
	if err != nil {
		return nil, fmt.Errorf("%w: %v", ErrKey, err)
	}
	return der, nil
}

// MarshalKey is the PEM of a public key.
func MarshalKey(pub *ecdsa.PublicKey) ([]byte, error) {
	der, err := marshalKey(pub)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), nil
}

// ParseKey reads one PEM block, a public key or a certificate. A key that is
// not on the SM2 curve or not in the uncompressed form is refused (attack 27).
func ParseKey(text []byte) (*ecdsa.PublicKey, error) {
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, fmt.Errorf("%w: no PEM block", ErrKey)
	}
	var pub any
	var der []byte
	switch block.Type {
	case "PUBLIC KEY":
		var err error
		if pub, err = smx509.ParsePKIXPublicKey(block.Bytes); err != nil {
			return nil, fmt.Errorf("%w: %v", ErrKey, err)
		}
		der = block.Bytes
	case "CERTIFICATE":
		c, err := smx509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("%w: %v", ErrKey, err)
		}
		pub, der = c.PublicKey, c.RawSubjectPublicKeyInfo
	default:
		return nil, fmt.Errorf("%w: PEM block %q", ErrKey, block.Type)
	}
	key, ok := pub.(*ecdsa.PublicKey)
	if !ok {
		return nil, ErrKey
	}
	if again, err := marshalKey(key); err != nil || !bytes.Equal(again, der) {
		return nil, fmt.Errorf("%w: not in the uncompressed SM2 form", ErrKey)
	}
	return key, nil
}
