package status

import (
	"encoding/asn1"
	"fmt"
	"io"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/ca/lint/crl"
)

// Statuses of an OCSPResponse (RFC 6960 4.2.1).
const (
	statusSuccessful   = 0
	statusMalformed    = 1
	statusInternal     = 2
	statusTryLater     = 3
	statusUnauthorized = 6
)

// refusal is a response without an answer; it carries no signature.
func refusal(status byte) []byte { return []byte{0x30, 3, 0x0a, 1, status} }

// single is the answer for one certificate: its row, or found false when the
// registry has none.
type single struct {
	id    certID
	found bool
	row   Standing
}

// known: a serial that was only reserved has not been issued.
func (a single) known() bool { return a.found && a.row.State != ca.StatePending }

// encodeResponse signs a BasicOCSPResponse (RFC 6960 4.2.1); one encoder for
// both tracks, they differ in the signature only. thisUpdate is when the rows
// were read.
func encodeResponse(g signing, rand io.Reader, answers []single, nonce []byte, thisUpdate, nextUpdate time.Time) ([]byte, error) {
	var b cryptobyte.Builder
	constructed := func(n uint8) cbasn1.Tag { return cbasn1.Tag(n).ContextSpecific().Constructed() }
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		// ResponderID byName: the other choice is fixed to SHA-1.
		b.AddASN1(constructed(1), func(b *cryptobyte.Builder) { b.AddBytes(g.cert.RawSubject) })
		b.AddASN1GeneralizedTime(thisUpdate)
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			for _, a := range answers {
				a.encode(b, thisUpdate, nextUpdate)
			}
		})
		if nonce != nil {
			b.AddASN1(constructed(1), func(b *cryptobyte.Builder) {
				b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
					b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
						b.AddASN1ObjectIdentifier(oidNonce())
						b.AddASN1OctetString(nonce)
					})
				})
			})
		}
	})
	tbs, err := b.Bytes()
	if err != nil {
		return nil, fmt.Errorf("status: encode answer: %w", err)
	}
	signature, err := g.sign(rand, tbs)
	if err != nil {
		return nil, fmt.Errorf("status: sign answer: %w", err)
	}
	return wrapResponse(g, tbs, signature)
}

func (a single) encode(b *cryptobyte.Builder, thisUpdate, nextUpdate time.Time) {
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddBytes(a.id.raw)
		switch {
		case !a.known():
			b.AddASN1(cbasn1.Tag(2).ContextSpecific(), func(*cryptobyte.Builder) {})
		case a.row.State == ca.StateGood:
			b.AddASN1(cbasn1.Tag(0).ContextSpecific(), func(*cryptobyte.Builder) {})
		default:
			b.AddASN1(cbasn1.Tag(1).ContextSpecific().Constructed(), func(b *cryptobyte.Builder) {
				// As in lists: never later than the answer itself.
				at := a.row.RevokedAt.UTC().Truncate(time.Second)
				if at.After(thisUpdate) {
					at = thisUpdate
				}
				b.AddASN1GeneralizedTime(at)
				if a.row.Reason != 0 {
					b.AddASN1(cbasn1.Tag(0).ContextSpecific().Constructed(), func(b *cryptobyte.Builder) { b.AddASN1Enum(int64(a.row.Reason)) })
				}
			})
		}
		b.AddASN1GeneralizedTime(thisUpdate)
		b.AddASN1(cbasn1.Tag(0).ContextSpecific().Constructed(), func(b *cryptobyte.Builder) { b.AddASN1GeneralizedTime(nextUpdate) })
		if a.known() && a.row.State == ca.StateRevoked && !a.row.InvalidAt.IsZero() {
			b.AddASN1(cbasn1.Tag(1).ContextSpecific().Constructed(), a.invalidity)
		}
	})
}

// invalidity writes singleExtensions: an answer may carry what a list's entry
// carries (RFC 6960 4.4.5).
func (a single) invalidity(b *cryptobyte.Builder) {
	x, err := crl.InvalidityDate(a.row.InvalidAt)
	if err != nil {
		b.SetError(err)
		return
	}
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1ObjectIdentifier(x.Id)
			b.AddASN1OctetString(x.Value)
		})
	})
}

func wrapResponse(g signing, tbs, signature []byte) ([]byte, error) {
	algorithm := asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 2} // ECDSA with SHA-256
	if g.sm2 {
		algorithm = asn1.ObjectIdentifier{1, 2, 156, 10197, 1, 501} // SM2 with SM3
	}
	constructed := cbasn1.Tag(0).ContextSpecific().Constructed()
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1Enum(statusSuccessful)
		b.AddASN1(constructed, func(b *cryptobyte.Builder) {
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1ObjectIdentifier(asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 1, 1})
				b.AddASN1(cbasn1.OCTET_STRING, func(b *cryptobyte.Builder) {
					b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
						b.AddBytes(tbs)
						b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) { b.AddASN1ObjectIdentifier(algorithm) })
						b.AddASN1BitString(signature)
						if g.embed != nil {
							b.AddASN1(constructed, func(b *cryptobyte.Builder) {
								b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) { b.AddBytes(g.embed) })
							})
						}
					})
				})
			})
		})
	})
	der, err := b.Bytes()
	if err != nil {
		return nil, fmt.Errorf("status: encode answer: %w", err)
	}
	return der, nil
}
