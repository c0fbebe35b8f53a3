package keys

import (
	"encoding/asn1"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"

	"github.com/emmansun/gmsm/pkcs"
)

// shareType is the PEM type of a custodian's file.
const shareType = "YINXIN CUSTODIAN SHARE"

// oidSM4GCM: shares are encrypted with authentication, unlike key files, whose
// form other tools have to read.
var oidSM4GCM = asn1.ObjectIdentifier{1, 2, 156, 10197, 1, 104, 8}

// shareContent is what a custodian's file holds, encrypted.
type shareContent struct {
	Split     string `json:"split"`
	Number    int    `json:"number"`
	Custodian string `json:"custodian"`
	Value     []byte `json:"value"`
}

// Seal encrypts a share under its custodian's passphrase: PBES2 with scrypt as
// in key files, and SM4-GCM.
func (s Share) Seal(passphrase []byte, rand io.Reader, w Work) ([]byte, error) {
	if err := checkSecret(passphrase); err != nil {
		return nil, err
	}
	plain, err := json.Marshal(shareContent{s.Split, s.Number, s.Custodian, s.value})
	if err != nil {
		return nil, fmt.Errorf("keys: encoding: %w", err)
	}
	defer clear(plain)
	alg, data, err := pkcs.NewPBESEncrypter(pkcs.SM4GCM, pkcs.NewScryptOpts(saltSize, w.file(), scryptR, scryptP)).Encrypt(rand, passphrase, plain)
	if err != nil {
		return nil, fmt.Errorf("keys: encrypting: %w", err)
	}
	der, err := asn1.Marshal(encryptedKeyInfo{*alg, data})
	if err != nil {
		return nil, fmt.Errorf("keys: encoding: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: shareType, Bytes: der}), nil
}

// Clear forgets the share.
func (s *Share) Clear() {
	clear(s.value)
	s.value = nil
}

// OpenShare opens a custodian's file. As with keys, structure errors are
// ErrRecord and everything after the passphrase is used is ErrPassphrase.
func OpenShare(file, passphrase []byte, w Work) (_ Share, err error) {
	der, err := checkEncrypted(file, shareType, oidSM4GCM, w)
	if err != nil {
		return Share{}, err
	}
	if checkSecret(passphrase) != nil {
		return Share{}, ErrPassphrase
	}
	defer func() {
		if recover() != nil {
			err = ErrPassphrase
		}
	}()
	var info encryptedKeyInfo
	var params pkcs.PBES2Params
	if !exactly(der, &info) || !exactly(info.Algorithm.Parameters.FullBytes, &params) {
		return Share{}, fmt.Errorf("%w: not PBES2", ErrRecord)
	}
	plain, _, err := params.Decrypt(passphrase, info.Data)
	if err != nil {
		return Share{}, ErrPassphrase
	}
	defer clear(plain)
	var c shareContent
	if err := json.Unmarshal(plain, &c); err != nil {
		return Share{}, ErrPassphrase
	}
	return Share{Split: c.Split, Number: c.Number, Custodian: c.Custodian, value: c.Value}, nil
}

// WriteShare seals a share into a new file of mode 0600.
func WriteShare(path string, s Share, passphrase []byte, rand io.Reader, w Work) error {
	raw, err := s.Seal(passphrase, rand, w)
	if err != nil {
		return err
	}
	return writePrivate(path, raw)
}

// ReadShare opens a custodian's file of mode 0600.
func ReadShare(path string, passphrase []byte, w Work) (Share, error) {
	raw, err := readPrivate(path)
	if err != nil {
		return Share{}, err
	}
	return OpenShare(raw, passphrase, w)
}
