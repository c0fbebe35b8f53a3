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

// canonical is SM3 over v's JSON. Snapshot and Request have a fixed order of
// fields and hold no map, so that their JSON is canonical.
func canonical(v any) (string, error) {
	raw, err := json.Marshal(v)
	if err != nil {
		return "", fmt.Errorf("canonical form: %w", err)
	}
	sum := sm3.Sum(raw)
	return hex.EncodeToString(sum[:]), nil
}

// asked is the digest of a request without its id, which differs each time.
func asked(r Request) string {
	r.ID = ""
	sum, err := canonical(r)
	if err != nil { // a Request of strings and numbers always has JSON
		return ""
	}
	return sum
}
