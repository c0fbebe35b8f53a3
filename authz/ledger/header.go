package ledger

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"time"

	"github.com/emmansun/gmsm/sm3"
)

// HashSize is the length of every hash of the ledger (SM3, GB/T 32905).
const HashSize = sm3.Size

// Hash is one SM3 value.
type Hash = [HashSize]byte

// HeaderSize is the length of an encoded header. All integers are big endian:
//
//	offset len  field
//	     0   1  version, 1
//	     1   4  shard
//	     5   4  epoch, of the leader that wrote the entry
//	     9   6  seq, from 0
//	    15   6  time_ms since 1970 UTC, never less than in the entry before
//	    21   1  class
//	    22  32  prev_leaf, leaf of seq-1; zero for seq 0
//	    54  32  body_commit
//	    86  32  policy digest in force, zero when none
//
// With its domain byte and the padding of SM3 a header of this length fills
// exactly two blocks; eight bytes more would cost a third one in every leaf.
//
// The hashes over it, with one domain byte each so that none can stand for
// another (attack 24):
//
//	body_commit = SM3(0x10 || salt[32] || canonical body)
//	leaf        = SM3(0x00 || header)
//	node        = SM3(0x01 || left || right)
//
// prev_leaf sits inside the leaf, so chain and tree cost one hash, and a body
// with its salt can be erased while chain and tree still verify.
const HeaderSize = 118

// SaltSize is the length of the salt that keeps an erased body (an identity
// number, say) from being guessed out of body_commit.
const SaltSize = 32

const (
	headerVersion = 1
	domainLeaf    = 0x00
	domainNode    = 0x01
	domainBody    = 0x10
	maxTimeMs     = 253402300799999 // 9999-12-31T23:59:59.999Z, the last time RFC 3339 can write; 48 bits hold it
	maxEpoch      = 1<<32 - 1
	maxSeq        = 1<<48 - 1
)

// Header is the part of an entry that is never erased.
type Header struct {
	Shard  uint32
	Epoch  uint64 // 32 bits
	Seq    uint64 // 48 bits
	Time   int64  // milliseconds, 48 bits
	Class  Class
	Prev   Hash
	Commit Hash
	Policy Hash
}

// ErrHeader: bytes that are no header of version 1.
var ErrHeader = errors.New("ledger: malformed header")

// Append appends the encoding of h to b. The sequencer keeps Epoch and Seq in
// their bounds.
func (h *Header) Append(b []byte) []byte {
	b = append(b, headerVersion)
	b = binary.BigEndian.AppendUint32(b, h.Shard)
	b = binary.BigEndian.AppendUint32(b, uint32(h.Epoch))
	b = appendUint48(b, h.Seq)
	b = appendUint48(b, uint64(h.Time))
	b = append(b, byte(h.Class))
	b = append(b, h.Prev[:]...)
	b = append(b, h.Commit[:]...)
	return append(b, h.Policy[:]...)
}

// ParseHeader accepts exactly what Append writes for a valid header.
func ParseHeader(b []byte) (Header, error) {
	var h Header
	if len(b) != HeaderSize {
		return h, fmt.Errorf("%w: %d bytes, want %d", ErrHeader, len(b), HeaderSize)
	}
	if b[0] != headerVersion {
		return h, fmt.Errorf("%w: version %d", ErrHeader, b[0])
	}
	ms := uint48(b[15:])
	if ms > maxTimeMs {
		return h, fmt.Errorf("%w: time out of range", ErrHeader)
	}
	h = Header{
		Shard: binary.BigEndian.Uint32(b[1:]),
		Epoch: uint64(binary.BigEndian.Uint32(b[5:])),
		Seq:   uint48(b[9:]),
		Time:  int64(ms),
		Class: Class(b[21]),
	}
	if !h.Class.valid() {
		return Header{}, fmt.Errorf("%w: class %d", ErrHeader, b[21])
	}
	copy(h.Prev[:], b[22:])
	copy(h.Commit[:], b[54:])
	copy(h.Policy[:], b[86:])
	return h, nil
}

func appendUint48(b []byte, v uint64) []byte {
	return binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint16(b, uint16(v>>32)), uint32(v))
}

func uint48(b []byte) uint64 {
	return uint64(binary.BigEndian.Uint16(b))<<32 | uint64(binary.BigEndian.Uint32(b[2:]))
}

// When is the header's time.
func (h *Header) When() time.Time { return time.UnixMilli(h.Time).UTC() }

func (c Class) valid() bool { return c >= ClassAccess && c <= ClassLog }

// LeafHash is the leaf of an encoded header.
func LeafHash(header []byte) Hash { return newHasher().leaf(header) }

// BodyCommit is the commitment to a canonical body.
func BodyCommit(salt, body []byte) Hash { return newHasher().commit(salt, body) }

// hasher reuses one SM3 state, so that a hash of a million headers costs no
// allocation. Not safe for concurrent use.
type hasher struct {
	h  hash.Hash
	in [1 + HeaderSize]byte
}

func newHasher() *hasher { return &hasher{h: sm3.New()} }

func (s *hasher) leaf(header []byte) (out Hash) {
	s.in[0] = domainLeaf
	n := 1 + copy(s.in[1:], header)
	s.h.Reset()
	s.h.Write(s.in[:n])
	if rest := header[n-1:]; len(rest) > 0 {
		s.h.Write(rest) // never a valid header, but never a wrong hash either
	}
	s.h.Sum(out[:0])
	return out
}

func (s *hasher) commit(salt, body []byte) (out Hash) {
	s.in[0] = domainBody
	s.h.Reset()
	s.h.Write(s.in[:1])
	s.h.Write(salt)
	s.h.Write(body)
	s.h.Sum(out[:0])
	return out
}

func (s *hasher) node(left, right []byte) []byte {
	n := copy(s.in[1:], left)
	return s.sumNode(make([]byte, 0, HashSize), n+copy(s.in[1+n:], right))
}

// nodeInto appends the node over two joined hashes to dst, which may be a part
// of them.
func (s *hasher) nodeInto(dst, pair []byte) {
	s.sumNode(dst, copy(s.in[1:], pair))
}

func (s *hasher) sumNode(dst []byte, n int) []byte {
	s.in[0] = domainNode
	s.h.Reset()
	s.h.Write(s.in[:1+n])
	return s.h.Sum(dst)
}
