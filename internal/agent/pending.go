package agent

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/sm3"
	"github.com/emmansun/gmsm/smx509"

	"github.com/yinxin-gov/yinxin/internal/api/wire"
)

// What is under way is remembered until its set is in force, so that a crash
// between the tracks, or a lost answer, costs neither the token nor the pair.
// Both files hold private keys and have mode 0600.
const (
	fileEnrolment = "enrolment.json"
	fileRenewal   = "renewal.json" // of the SM2 pair
)

// pending is written before an enrolment or a renewal is asked for, and after
// each answer of an enrolment.
type pending struct {
	Token   string             `json:"token_sm3,omitempty"` // never the token
	Sign    []byte             `json:"sm2_sign_key"`        // PKCS#8
	TLS     []byte             `json:"tls_key,omitempty"`   // PKCS#8
	CSR     []byte             `json:"sm2_csr,omitempty"`   // of an enrolment: the same gets the same pair
	Answer  *wire.EnrolAnswer  `json:"answer,omitempty"`
	Issued  [][]byte           `json:"tls_chain,omitempty"`
	Renewal *wire.RenewRequest `json:"renewal,omitempty"`

	asked bool // the house may know of it
}

func (p pending) save(dir, name string) error {
	raw, err := json.Marshal(p)
	if err != nil {
		return fmt.Errorf("agent: encode %s: %w", name, err)
	}
	if err := writeFile(filepath.Join(dir, name), raw, 0o600); err != nil {
		return err
	}
	return syncDir(dir)
}

// keep saves what an enrolment was answered, on a disk that filled up meanwhile
// in the room that was taken before.
func (p pending) keep(dir string) error {
	err := p.save(dir, fileEnrolment)
	if err != nil && os.Remove(reservePath(dir)) == nil {
		err = p.save(dir, fileEnrolment)
	}
	return err
}

// readPending returns what is under way; one that does not parse is nothing.
func readPending(dir, name string) (p pending, err error) {
	raw, err := read(dir, name, private)
	if errors.Is(err, os.ErrNotExist) {
		return pending{}, nil
	}
	if err != nil {
		return pending{}, err
	}
	if json.Unmarshal(raw, &p) != nil {
		return pending{}, nil
	}
	return p, nil
}

func dropPending(dir, name string) error {
	if err := os.Remove(filepath.Join(dir, name)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("%w: %w", ErrFiles, err)
	}
	return nil
}

// of tells whether this enrolment was begun with the token.
func (p pending) of(token string) bool {
	return p.Token != "" && subtle.ConstantTimeCompare([]byte(p.Token), []byte(tokenDigest(token))) == 1
}

func tokenDigest(token string) string {
	sum := sm3.Sum([]byte("yinxin agent token\n" + token))
	return hex.EncodeToString(sum[:])
}

func packKey(key crypto.PrivateKey) ([]byte, error) {
	der, err := smx509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("agent: encode key: %w", err)
	}
	return der, nil
}

func unpackSM2(der []byte) (*sm2.PrivateKey, error) {
	if parsed, err := smx509.ParsePKCS8PrivateKey(der); err == nil {
		if key, ok := parsed.(*sm2.PrivateKey); ok {
			return key, nil
		}
	}
	return nil, fmt.Errorf("%w: no SM2 key in what was under way", ErrFiles)
}

func unpackECDSA(der []byte) (*ecdsa.PrivateKey, error) {
	if parsed, err := smx509.ParsePKCS8PrivateKey(der); err == nil {
		if key, ok := parsed.(*ecdsa.PrivateKey); ok {
			return key, nil
		}
	}
	return nil, fmt.Errorf("%w: no ECDSA key in what was under way", ErrFiles)
}
