package authz

import (
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"github.com/emmansun/gmsm/sm3"
)

// digest is SM3 over length-prefixed parts, so that no two lists of parts share
// their bytes, in lower-case hex.
func digest(parts ...[]byte) string {
	h := sm3.New()
	var n [8]byte
	for _, p := range parts {
		binary.BigEndian.PutUint64(n[:], uint64(len(p)))
		h.Write(n[:])
		h.Write(p)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// sm3Hex is the address of a document.
func sm3Hex(raw []byte) string {
	sum := sm3.Sum(raw)
	return hex.EncodeToString(sum[:])
}

// canonical is v's JSON and its SM3. Snapshot, Request and Decision have a
// fixed order of fields and hold no map, so that their JSON is canonical.
func canonical(v any) (sum string, raw []byte, err error) {
	if raw, err = json.Marshal(v); err != nil {
		return "", nil, fmt.Errorf("canonical form: %w", err)
	}
	return sm3Hex(raw), raw, nil
}

// asked is a request without its id, which differs each time.
func asked(r Request) (sum string, raw []byte) {
	r.ID = ""
	sum, raw, err := canonical(r)
	if err != nil { // a Request of strings and numbers always has JSON
		return "", nil
	}
	return sum, raw
}

// read is a snapshot without its revision: the same facts have the same digest
// also after something else has changed.
func read(s Snapshot) (sum string, raw []byte, err error) {
	s.Revision = 0
	return canonical(s)
}
