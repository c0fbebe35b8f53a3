package verify

import (
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/yinxin-gov/yinxin/signer/ofd"
)

// maxEvidence bounds the list of one detail.
const maxEvidence = 20

func notes(list []ofd.Note) string {
	out := make([]string, 0, min(len(list), maxEvidence))
	for _, n := range list {
		if len(out) == maxEvidence {
			break
		}
		out = append(out, n.String())
	}
	return strings.Join(out, "; ")
}

func expected(path string, want, got []byte) string {
	return fmt.Sprintf("%s expected %s actual %s", path, hex.EncodeToString(want), hex.EncodeToString(got))
}
