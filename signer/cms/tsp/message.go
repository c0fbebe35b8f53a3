package tsp

import (
	encasn1 "encoding/asn1"
	"fmt"
	"math/big"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// MaxRequest bounds a request; a real one has less than 200 bytes.
const MaxRequest = 4 << 10

// Request is a TimeStampReq.
type Request struct {
	Imprint Imprint
	Policy  encasn1.ObjectIdentifier // nil: the service's own
	Nonce   *big.Int                 // nil: none
	Certs   bool                     // the token shall carry its certificate
}

// DER writes the request.
func (r Request) DER() ([]byte, error) {
	var b cryptobyte.Builder
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1Int64(1)
		r.Imprint.write(b)
		if r.Policy != nil {
			b.AddASN1ObjectIdentifier(r.Policy)
		}
		if r.Nonce != nil {
			b.AddASN1BigInt(r.Nonce)
		}
		if r.Certs {
			b.AddASN1Boolean(true)
		}
	})
	der, err := b.Bytes()
	if err != nil {
		return nil, fmt.Errorf("tsp: encode request: %w", err)
	}
	return der, nil
}

// ParseRequest reads a request. Extensions are ErrUnsupported: none is known, and
// one that is not understood must not be stamped over (RFC 3161, 2.4.1).
func ParseRequest(der []byte) (Request, error) {
	bad := fmt.Errorf("%w: request", ErrFormat)
	if len(der) > MaxRequest {
		return Request{}, bad
	}
	in := cryptobyte.String(der)
	var seq cryptobyte.String
	var version int
	var r Request
	if !in.ReadASN1(&seq, asn1.SEQUENCE) || !in.Empty() || !seq.ReadASN1Integer(&version) || version != 1 {
		return Request{}, bad
	}
	if err := r.Imprint.read(&seq); err != nil {
		return Request{}, err
	}
	if seq.PeekASN1Tag(asn1.OBJECT_IDENTIFIER) && !seq.ReadASN1ObjectIdentifier(&r.Policy) {
		return Request{}, bad
	}
	if seq.PeekASN1Tag(asn1.INTEGER) {
		r.Nonce = new(big.Int)
		if !seq.ReadASN1Integer(r.Nonce) || r.Nonce.BitLen() > 512 {
			return Request{}, bad
		}
	}
	if seq.PeekASN1Tag(asn1.BOOLEAN) && !seq.ReadASN1Boolean(&r.Certs) {
		return Request{}, bad
	}
	if seq.PeekASN1Tag(asn1.Tag(0).ContextSpecific().Constructed()) {
		return Request{}, fmt.Errorf("%w: extension of a request", ErrUnsupported)
	}
	if !seq.Empty() {
		return Request{}, bad
	}
	return r, nil
}

// Failure is a PKIFailureInfo bit (RFC 3161, 2.4.2).
type Failure int

// Failures.
const (
	BadAlgorithm         Failure = 0
	BadRequest           Failure = 2
	BadDataFormat        Failure = 5
	TimeNotAvailable     Failure = 14
	UnacceptedPolicy     Failure = 15
	UnacceptedExtension  Failure = 16
	SystemFailure        Failure = 25
	failureBytes                 = 4
	statusGranted                = 0
	statusGrantedWithMod         = 1
	statusRejection              = 2
)

// Granted is a response with a token.
func Granted(token []byte) ([]byte, error) {
	return response(func(b *cryptobyte.Builder) {
		b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) { b.AddASN1Int64(statusGranted) })
		b.AddBytes(token)
	})
}

// Rejection is a response without one.
func Rejection(f Failure, why string) ([]byte, error) {
	bits := make([]byte, int(f)/8+1)
	bits[f/8] = 0x80 >> (f % 8)
	return response(func(b *cryptobyte.Builder) {
		b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1Int64(statusRejection)
			b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1(asn1.UTF8String, func(b *cryptobyte.Builder) { b.AddBytes([]byte(why)) })
			})
			b.AddASN1(asn1.BIT_STRING, func(b *cryptobyte.Builder) {
				b.AddUint8(uint8(7 - f%8)) // DER: no zero bits behind the last one
				b.AddBytes(bits)
			})
		})
	})
}

func response(body cryptobyte.BuilderContinuation) ([]byte, error) {
	var b cryptobyte.Builder
	b.AddASN1(asn1.SEQUENCE, body)
	der, err := b.Bytes()
	if err != nil {
		return nil, fmt.Errorf("tsp: encode response: %w", err)
	}
	return der, nil
}

// Refusal is the answer of a service that makes no token.
type Refusal struct {
	Status  int
	Failure Failure // -1 when not stated
	Text    string
}

func (r *Refusal) Error() string {
	return fmt.Sprintf("%v: status %d, failure %d, %q", ErrRefused, r.Status, r.Failure, r.Text)
}

// Is makes a Refusal an ErrRefused.
func (r *Refusal) Is(target error) bool { return target == ErrRefused }

// ParseResponse reads a response and returns its token as stored, or a *Refusal.
func ParseResponse(der []byte) ([]byte, error) {
	bad := fmt.Errorf("%w: response", ErrFormat)
	in := cryptobyte.String(der)
	var seq, status, token cryptobyte.String
	var code int
	if !in.ReadASN1(&seq, asn1.SEQUENCE) || !in.Empty() || !seq.ReadASN1(&status, asn1.SEQUENCE) || !status.ReadASN1Integer(&code) {
		return nil, bad
	}
	if code != statusGranted && code != statusGrantedWithMod {
		return nil, refusal(code, status)
	}
	if !seq.ReadASN1Element(&token, asn1.SEQUENCE) || !seq.Empty() {
		return nil, bad
	}
	return token, nil
}

func refusal(code int, in cryptobyte.String) error {
	r := &Refusal{Status: code, Failure: -1}
	var texts, text cryptobyte.String
	if in.PeekASN1Tag(asn1.SEQUENCE) && in.ReadASN1(&texts, asn1.SEQUENCE) && texts.ReadASN1(&text, asn1.UTF8String) {
		r.Text = string(text[:min(len(text), 200)])
	}
	var bits encasn1.BitString
	if in.ReadASN1BitString(&bits) {
		for i := range min(bits.BitLength, 8*failureBytes) {
			if bits.At(i) == 1 {
				r.Failure = Failure(i)
			}
		}
	}
	return r
}
