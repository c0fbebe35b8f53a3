package status_test

import (
	"crypto/ecdsa"
	"encoding/hex"

	"github.com/emmansun/gmsm/sm3"
	"github.com/emmansun/gmsm/smx509"
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func publicOf(c *smx509.Certificate) *ecdsa.PublicKey { return c.PublicKey.(*ecdsa.PublicKey) }

func hexSM3(b []byte) string {
	sum := sm3.Sum(b)
	return hex.EncodeToString(sum[:])
}
