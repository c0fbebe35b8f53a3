package keys

import (
	"bytes"
	"crypto"
	"crypto/hmac"
	"encoding/hex"
	"fmt"
	"io"
	"math/big"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/sm3"
	"github.com/emmansun/gmsm/sm4"
)

// SelfTest runs the known answers of SM2, SM3 and SM4 (GB/T 32918.5, GB/T
// 32905, GB/T 32907). The library does not run its own unasked: the house
// calls this at start and refuses to serve on an error.
func SelfTest() error {
	for _, t := range []struct {
		name string
		run  func() error
	}{
		{"sm2 library", sm2.SelfTest}, {"sm3 library", sm3.SelfTest}, {"sm4 library", sm4.SelfTest},
		{"sm2 signature", knownSignature}, {"sm2 decryption", knownDecryption},
		{"sm3", knownSM3}, {"hmac-sm3", knownHMAC}, {"sm4", knownSM4},
	} {
		if err := t.run(); err != nil {
			return fmt.Errorf("%w: %s: %w", ErrFault, t.name, err)
		}
	}
	return nil
}

// Vectors of the standards' own annexes. The public key has a leading zero
// nibble in X: where implementations break.
const (
	katD     = "3945208f7b2144b13f36e38ac6d39f95889393692860b51a42fb81ef4df7c5b8"
	katX     = "09f9df311e5421a150dd7d161e4bc5c672179fad1833fc076bb08ff356f35020"
	katY     = "ccea490ce26775a52dc6ea718cc1aa600aed05fbf35e084a6632f6072da9ad13"
	katE     = "f0b43e94ba45accaace692ed534382eb17e6ab5a19ce7b31f4486fdfc0d28640"
	katR     = "f5a03b0648d2c4630eeac513e1bb81a15944da3827d5b74143ac7eaceee720b3"
	katS     = "b1b6aa29df212fd8763182bc0d421ca1bb9038fd1f7f42d4840b69c485bbc1aa"
	katC1    = "0404ebfc718e8d1798620432268e77feb6415e2ede0e073c0f4f640ecd2e149a73e858f9d81e5430a57b36daab8f950a3c64e6ee6a63094d99283aff767e124df0"
	katC3    = "59983c18f809e262923c53aec295d30383b54e39d609d160afcb1908d0bd8766"
	katC2    = "21886ca989ca9c7d58087307ca93092d651efa"
	katABC   = "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"
	katHMAC  = "ca05e144ed05d1857840d1f318a4a8669e559fc8391f414485bfdf7bb408963a"
	katSM4   = "681edf34d206965e86b3e94f536e4246"
	katBlock = "0123456789abcdeffedcba9876543210"
)

var errKAT = fmt.Errorf("known answer differs")

// unhex is for the constants above only.
func unhex(s string) []byte {
	b, err := hex.DecodeString(s)
	if err != nil {
		panic("keys: broken constant")
	}
	return b
}

func knownSignature() error {
	pub, err := sm2.NewPublicKey(unhex("04" + katX + katY))
	if err != nil {
		return err
	}
	e, err := sm2.CalculateSM2Hash(pub, []byte("message digest"), nil)
	if err != nil {
		return err
	}
	r, s := new(big.Int).SetBytes(unhex(katR)), new(big.Int).SetBytes(unhex(katS))
	if !bytes.Equal(e, unhex(katE)) || !sm2.Verify(pub, e, r, s) || sm2.Verify(pub, e, s, r) {
		return errKAT
	}
	return nil
}

func knownDecryption() error {
	key, err := sm2.NewPrivateKey(unhex(katD))
	if err != nil {
		return err
	}
	plain, err := key.Decrypt(nil, unhex(katC1+katC3+katC2), nil)
	if err != nil {
		return err
	}
	if string(plain) != "encryption standard" {
		return errKAT
	}
	return nil
}

func knownSM3() error {
	if sum := sm3.Sum([]byte("abc")); !bytes.Equal(sum[:], unhex(katABC)) {
		return errKAT
	}
	return nil
}

func knownHMAC() error {
	key := make([]byte, 32)
	for i := range key {
		key[i] = byte(i + 1)
	}
	m := hmac.New(sm3.New, key)
	m.Write([]byte("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"))
	m.Write([]byte("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"))
	if !hmac.Equal(m.Sum(nil), unhex(katHMAC)) {
		return errKAT
	}
	return nil
}

func knownSM4() error {
	block, err := sm4.NewCipher(unhex(katBlock))
	if err != nil {
		return err
	}
	out := make([]byte, sm4.BlockSize)
	block.Encrypt(out, unhex(katBlock))
	if !bytes.Equal(out, unhex(katSM4)) {
		return errKAT
	}
	block.Decrypt(out, out)
	if !bytes.Equal(out, unhex(katBlock)) {
		return errKAT
	}
	return nil
}

// pairwise uses both halves of a key once: sign and verify, or encrypt and
// decrypt. New keys pass it before they are written, opened keys when they
// are attested.
func pairwise(k *private, p Purpose, rand io.Reader) error {
	probe := make([]byte, 32)
	if _, err := io.ReadFull(rand, probe); err != nil {
		return fmt.Errorf("keys: reading randomness: %w", err)
	}
	if p == PurposeEncrypt {
		ct, err := sm2.EncryptASN1(rand, &k.sm2.PublicKey, probe)
		if err != nil {
			return fmt.Errorf("%w: %w", ErrFault, err)
		}
		plain, err := k.sm2.Decrypt(rand, ct, nil)
		if err != nil || !bytes.Equal(plain, probe) {
			return fmt.Errorf("%w: the pair does not decrypt", ErrFault)
		}
		return nil
	}
	var opts crypto.SignerOpts = sm2.DefaultSM2SignerOpts
	if k.ec != nil {
		opts = crypto.SHA256
	}
	sig, err := sign(k, rand, probe, opts)
	if err == nil && !verifies(k.public(), probe, opts, sig) {
		err = fmt.Errorf("%w: the pair does not verify", ErrFault)
	}
	return err
}
